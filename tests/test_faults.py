# SPDX-License-Identifier: GPL-2.0
"""The catalogue of faults holds together: what a boot of each would find out, found out at once."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.cases import GUEST
from harness.places import Places
from harness.series import render
from harness.template import TEMPLATES
from harness.tree import Tree, pristine
from harness.worktree import mutated
from tests.kernel.faults import pairs, read_faults
from tests.test_guest import CASES, TOLD

CATALOGUE = read_faults()
README = GUEST / "README.md"
NAMES = [fault.name for fault in CATALOGUE.fault]


def test_every_fault_is_planted_and_every_planted_one_has_its_row() -> None:
    asked = {name for edit in CATALOGUE.edit for name in edit.asked()}
    assert sorted(NAMES) == sorted(asked)


def test_every_fault_is_to_be_seen() -> None:
    assert [fault.name for fault in CATALOGUE.fault if not fault.red] == []
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []
    assert pairs(CATALOGUE, quick=True)


def test_the_cases_are_cases() -> None:
    known = {f"{'user' if file.parent == GUEST else 'slabtest'}.{case}" for file, case, _ in CASES}
    named = {red.case for fault in CATALOGUE.fault for red in fault.red}
    assert named <= known


def test_the_readme_names_the_faults_that_a_case_must_see() -> None:
    told = {found["case"]: found["red"] for found in TOLD.finditer(README.read_text())}
    for fault in CATALOGUE.fault:
        for red in fault.red:
            case = red.case.partition(".")[2]
            assert f"`{fault.name}`" in told[case], case


@pytest.mark.tree
def test_every_edit_has_its_place_in_the_allocator(linux: Tree, real_places: Places) -> None:
    """Otherwise no kernel with faults could be built, which a test would find out in minutes."""
    source = pristine(linux, real_places)
    files = render(linux, source, TEMPLATES).files
    assert mutated(files, CATALOGUE.mutations(), source) != files
