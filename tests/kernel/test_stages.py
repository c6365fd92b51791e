# SPDX-License-Identifier: GPL-2.0
"""The allocator as each patch of the series leaves it compiles, in silence.

`slqb check` builds and boots all of it; this looks at our object alone, and takes seconds. All of
them lie in one worktree, one after the other.
"""

from __future__ import annotations

import pytest

from harness.check import LABEL
from harness.config import configure, is_configured
from harness.diagnostics import own_files
from harness.errors import Outcome
from harness.hunk import Text
from harness.kernel import KernelSpec, plan_kernel
from harness.places import Places
from harness.progress import SilentProgress
from harness.series import Series, options_of, render
from harness.template import TEMPLATES
from harness.tree import Tree, pristine
from harness.worktree import lay_files

pytestmark = pytest.mark.kernel

OBJECT = "mm/slqb.o"
SOON = ("boot", "watch")
"""The first that Kconfig offers, and one in the middle."""
SELECTABLE = ("boot", "memory", "objects", "watch", "sysfs", "statistics", "kunit")


@pytest.fixture(scope="module")
def series(linux: Tree, real_places: Places) -> Series:
    """The series for the real tree."""
    return render(linux, pristine(linux, real_places), TEMPLATES)


@pytest.mark.parametrize(
    "patch",
    [one if one in SOON else pytest.param(one, marks=pytest.mark.soak) for one in SELECTABLE],
)
def test_our_code_compiles_after_each_patch(
    patch: str, series: Series, linux: Tree, real_places: Places
) -> None:
    files: dict[str, Text] = {}
    for commit in series.commits:
        files |= commit.files
        if commit.id == patch:
            break
    known = options_of(files)
    assert "SLQB" in known
    rendered = lay_files(linux, real_places, LABEL, files, SilentProgress())
    plan = plan_kernel(
        rendered.source, KernelSpec(), real_places,
        line_map=rendered.line_map, lacks=options_of(series.files) - known,
    )  # fmt: skip
    plan.kbuild.prepare()
    if not is_configured(plan.kbuild, plan.wanted):
        configure(plan.kbuild, plan.wanted, plan.log)
    (plan.kbuild.folder / OBJECT).unlink(missing_ok=True)
    said = plan.kbuild.make("W=1", "C=2", OBJECT, log=plan.log, outcome=Outcome.BUILD).splitlines()
    assert [line for line in said if line.split() == ["CC", OBJECT]]
    ours = own_files(rendered.line_map)
    assert [line for line in said if any(f"{file}:" in line for file in ours)] == []


def test_nothing_is_offered_before_it_works(series: Series) -> None:
    files: dict[str, Text] = {}
    offered = []
    for commit in series.commits:
        files |= commit.files
        if "SLQB" in options_of(files):
            offered.append(commit.id)
    assert offered[0] == SELECTABLE[0]
    assert set(SELECTABLE) <= set(offered)
