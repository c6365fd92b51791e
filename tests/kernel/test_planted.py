# SPDX-License-Identifier: GPL-2.0
"""Planted faults: what our tests are for is shown by breaking the allocator, and the guest.

The faults of faults.toml are planted together into a kernel of its own. Each is chosen at boot,
and must come out red in the way it should, charged to the test that is to see it: by a test that
failed, a complaint of the kernel, or time that ran out.
"""

from __future__ import annotations

import pytest

from harness.errors import Outcome
from harness.kernel import KernelSpec

from .conftest import Planted
from .faults import CATALOGUE, Pair, pairs
from .images import Images

pytestmark = pytest.mark.kernel
QUICK = pairs(CATALOGUE, quick=True)
FOREIGN = tuple(pair for pair in pairs(CATALOGUE, quick=False) if pair.red.machine != "x86_64")
HANGING = tuple(pair for pair in QUICK if "TIMEOUT" in pair.red.outcomes)
"""Those are in test_hang.py."""


def see(kernel: Images, pair: Pair) -> None:
    """Boot the fault with the one case, and nothing but that case must be red.

    Where the kernel oopses, there is nothing to wait for.
    """
    fault, red = pair
    appended = ("--append", f"planted={fault.name}", "--append", "oops=panic")
    chosen = (*appended, "--machine", red.machine, "--topology", red.topology)
    status, record = kernel.boot("--case", red.case, *chosen, *red.words)
    assert status in {Outcome[name].exit_code for name in red.outcomes}, record["reason"]
    [cell] = record["cells"]
    assert [case["path"] for case in cell["cases"] if case["status"] != "pass"] == [red.case]


def spec_of(pair: Pair) -> KernelSpec:
    """The kernel that the fault shows in."""
    return KernelSpec(arch=pair.red.machine, config=pair.red.config)


def name_of(pair: Pair) -> str:
    return pair.name


@pytest.mark.parametrize("pair", [one for one in QUICK if one not in HANGING], ids=name_of)
def test_a_fault_in_the_allocator_is_caught(pair: Pair, planted: Planted) -> None:
    see(planted(spec_of(pair)), pair)


@pytest.mark.soak
@pytest.mark.parametrize("pair", pairs(CATALOGUE, quick=False), ids=name_of)
def test_every_fault_is_caught(pair: Pair, planted: Planted) -> None:
    see(planted(spec_of(pair)), pair)


@pytest.mark.soak
@pytest.mark.parametrize("pair", FOREIGN, ids=name_of)
def test_one_machine_does_not_see_them_all(pair: Pair, planted: Planted) -> None:
    """Why there are others: code that counts on a PC's pages, cache lines or bytes passes there."""
    words = ("--append", f"planted={pair.fault.name}", "--case", pair.red.case)
    status, record = planted(KernelSpec()).boot(*words)
    assert status == 0, record["reason"]


@pytest.mark.soak
def test_with_no_fault_chosen_the_planted_kernel_is_sound(planted: Planted) -> None:
    status, record = planted(KernelSpec()).boot()
    assert status == 0, record["reason"]


PLANTS = {
    "warn": Outcome.CRASH,
    "oops": Outcome.CRASH,
    "panic": Outcome.CRASH,
    "fail": Outcome.FAIL,
    "plan": Outcome.FAIL,
    "noload": Outcome.BOOT,
    "expectmissing": Outcome.FAIL,
    "expected": Outcome.PASS,
    "initdies": Outcome.CRASH,
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_fault_in_the_guest_is_judged(plant: str, sound: Images) -> None:
    status, record = sound.boot("--append", f"slqbtest.plant={plant}")
    assert status == PLANTS[plant].exit_code, record["reason"]


def test_a_warning_is_charged_to_the_test_that_ran(sound: Images) -> None:
    _, record = sound.boot("--append", "slqbtest.plant=warn")
    [complaint] = record["cells"][0]["complaints"]
    assert complaint["path"] == "slabtest.plant_fault"


def test_a_kernel_that_panics_before_init_is_no_pass(sound: Images) -> None:
    status, record = sound.boot("--append", "rdinit=/nowhere")
    assert status == Outcome.BOOT.exit_code, record["reason"]


WARNS_EARLY = ("--append", "rcutree.rcu_fanout_leaf=1")
"""RCU warns of a leaf too small for it, long before init runs."""


@pytest.mark.parametrize("case", ["user.sysfs_validate", "slabtest.plant_*"])
def test_a_warning_that_the_console_does_not_show_is_no_pass(case: str, sound: Images) -> None:
    """Not even where a test announced a slab report, or another warning, and got it."""
    plant = ("--append", "slqbtest.plant=expected") if "plant" in case else ("--case", case)
    status, record = sound.boot("--append", "quiet", *plant)
    assert status == Outcome.PASS.exit_code, record["reason"]
    status, record = sound.boot("--append", "quiet", *WARNS_EARLY, *plant)
    assert status == Outcome.CRASH.exit_code, record["reason"]
    assert "the kernel warned" in record["reason"]
    assert "and the console shows" in record["reason"]


def test_the_same_warning_is_told_where_the_console_shows_it(sound: Images) -> None:
    status, record = sound.boot("--suite", "none", *WARNS_EARLY)
    assert status == Outcome.CRASH.exit_code, record["reason"]
    [complaint] = record["cells"][0]["complaints"]
    assert complaint["kind"] == "warning"
    assert complaint["path"] == ""
