# SPDX-License-Identifier: GPL-2.0
"""The longest time the allocator keeps interrupts disabled, in virtual time: SLQB, SLUB, a fault.

A piece of 32 objects takes under 3 microseconds at a nanosecond an instruction. The boundary is
there to catch what works on more than a piece at a time, as the fault planted here does.
"""

from __future__ import annotations

import pytest

from harness.irqsoff import LONGEST
from harness.kernel import KernelSpec
from harness.places import Places
from harness.tree import Tree
from harness.worktree import Mutation
from tests.kernel.conftest import Pack
from tests.kernel.faults import CATALOGUE
from tests.kernel.images import Images, with_faults

pytestmark = pytest.mark.kernel
BOUND = 4000.0
WORDS = ("--topology", "up", "--icount", "--case", "slabtest.*", "--seed", "3")


def longest(booted: Images) -> tuple[float, str]:
    """The longest stretch, and where; what a pair costs was counted as well."""
    status, record = booted.boot(*WORDS)
    assert status == 0, record["reason"]
    measures = record["cells"][0]["measures"]
    assert measures["pair.64"]["unit"] == "instructions"
    measure = measures[LONGEST]
    assert measure["unit"] == "ns"
    return measure["value"], measure["where"]


@pytest.mark.long
def test_interrupts_are_off_for_a_piece_at_most(sound: Images) -> None:
    value, where = longest(sound)
    assert 1000 < value < BOUND, where


@pytest.mark.soak
def test_other_allocators_are_measured_as_well(pack: Pack) -> None:
    value, _ = longest(pack(KernelSpec(allocator="slub")))
    assert value > 1000


@pytest.mark.soak
def test_more_than_a_piece_at_a_time_is_seen(linux: Tree, real_places: Places) -> None:
    fault = Mutation("mm/slqb.c", r"^#define SLQB_PIECE\t\t32$", "#define SLQB_PIECE\t\t1024")
    broken = with_faults(linux, real_places, "piece", *CATALOGUE.mutations(), fault)
    value, where = longest(broken)
    assert value > 10 * BOUND, where
