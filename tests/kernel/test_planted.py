# SPDX-License-Identifier: GPL-2.0
"""Planted faults: what our tests are for is shown by breaking the allocator, and the guest.

The faults of faults.toml are planted together into a kernel of its own. Each is chosen at boot,
and must come out red in the way it should, charged to the test that is to see it: by a test that
failed, a complaint of the kernel, or time that ran out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Outcome
from harness.initramfs import build_initramfs
from harness.kernel import KernelSpec, build_kernel
from harness.module import build_modules
from harness.places import PROJECT, Places
from harness.progress import SilentProgress
from harness.tree import Tree
from harness.worktree import Mutation, render_into_worktree

from .faults import Pair, pairs, read_faults

pytestmark = pytest.mark.kernel
GUEST = PROJECT / "tests" / "guest"
QUIET = SilentProgress()
SLQB = "mm/slqb.c"
CATALOGUE = read_faults()


@dataclass(frozen=True)
class Images:
    """What QEMU boots."""

    kernel: Path
    initramfs: Path

    def boot(self, *words: str) -> tuple[int, dict[str, Any]]:
        """The exit status and the record of one boot on two nodes."""
        slqb = Path(sys.executable).with_name("slqb")
        files = ("--kernel", self.kernel, "--initramfs", self.initramfs)
        done = subprocess.run(
            [slqb, "boot", *files, "--json", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


def images(
    linux: Tree, places: Places, label: str, *faults: Mutation, config: str = "lean"
) -> Images:
    rendered = render_into_worktree(linux, places, label=label, mutations=faults)
    spec = KernelSpec(config=config)
    kernel = build_kernel(rendered.source, spec, places, QUIET, line_map=rendered.line_map)
    modules = build_modules(kernel, rendered.source, GUEST, places, QUIET)
    return Images(kernel.image, build_initramfs(kernel, modules, GUEST, places, QUIET))


@pytest.fixture(scope="module")
def sound(linux: Tree, real_places: Places) -> Images:
    """The kernel without a fault."""
    return images(linux, real_places, "slqb")


@pytest.fixture(scope="module")
def planted(linux: Tree, real_places: Places) -> Callable[[str], Images]:
    """The kernel with all the faults, of one configuration or another."""

    @cache
    def built(config: str) -> Images:
        return images(linux, real_places, "planted", *CATALOGUE.mutations(), config=config)

    return built


def see(kernel: Images, pair: Pair) -> None:
    """Boot the fault with the one case, and nothing but that case must be red.

    Where the kernel oopses, there is nothing to wait for.
    """
    fault, red = pair
    appended = ("--append", f"planted={fault.name}", "--append", "oops=panic")
    chosen = (*appended, "--topology", red.topology)
    status, record = kernel.boot("--case", red.case, *chosen, *red.words)
    assert status in {Outcome[name].exit_code for name in red.outcomes}, record["reason"]
    [cell] = record["cells"]
    assert [case["path"] for case in cell["cases"] if case["status"] != "pass"] == [red.case]


@pytest.mark.parametrize("pair", pairs(CATALOGUE, quick=True), ids=lambda pair: pair.name)
def test_a_fault_in_the_allocator_is_caught(
    pair: Pair, planted: Callable[[str], Images], sound: Images
) -> None:
    see(planted(pair.red.config), pair)
    words = ("--case", pair.red.case, "--topology", pair.red.topology, *pair.red.words)
    status, record = sound.boot(*words)
    assert status == 0, record["reason"]


@pytest.mark.soak
@pytest.mark.parametrize("pair", pairs(CATALOGUE, quick=False), ids=lambda pair: pair.name)
def test_every_fault_is_caught(pair: Pair, planted: Callable[[str], Images]) -> None:
    see(planted(pair.red.config), pair)


@pytest.mark.soak
def test_with_no_fault_chosen_the_planted_kernel_is_sound(
    planted: Callable[[str], Images],
) -> None:
    status, record = planted("lean").boot()
    assert status == 0, record["reason"]


PLANTS = {
    "warn": Outcome.CRASH,
    "oops": Outcome.CRASH,
    "panic": Outcome.CRASH,
    "hang": Outcome.TIMEOUT,
    "fail": Outcome.FAIL,
    "plan": Outcome.FAIL,
    "noload": Outcome.BOOT,
    "expectmissing": Outcome.FAIL,
    "expected": Outcome.PASS,
    "initdies": Outcome.CRASH,
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_fault_in_the_guest_is_judged(plant: str, sound: Images) -> None:
    status, record = sound.boot("--append", f"slqbtest.plant={plant}", "--silence", "15")
    assert status == PLANTS[plant].exit_code, record["reason"]


def test_a_warning_is_charged_to_the_test_that_ran(sound: Images) -> None:
    _, record = sound.boot("--append", "slqbtest.plant=warn")
    [complaint] = record["cells"][0]["complaints"]
    assert complaint["path"] == "slabtest.plant_fault"


def test_a_kernel_that_panics_before_init_is_no_pass(sound: Images) -> None:
    status, record = sound.boot("--append", "rdinit=/nowhere")
    assert status == Outcome.BOOT.exit_code, record["reason"]
