# SPDX-License-Identifier: GPL-2.0
"""Planted faults: what our tests are for is shown by breaking the allocator, and the guest.

Each fault is rendered into a worktree and a build of its own, booted, and must come out red in
the way it should: by a test that failed, a complaint of the kernel, or time that ran out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
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

pytestmark = pytest.mark.kernel
GUEST = PROJECT / "tests" / "guest"
QUIET = SilentProgress()
SLQB = "mm/slqb.c"
IN_TESTS = 'strstarts(s->name, "slabtest")'


@dataclass(frozen=True)
class Fault:
    """A fault, the test that is to go red, and how."""

    pattern: str
    replacement: str
    case: str
    outcome: Outcome
    words: tuple[str, ...] = ()


FAULTS = {
    "a free list that loses an object": Fault(
        r"^\tkmlist_push\(s, &c->list\.freelist, object\);\n\tnote_for_trim\(c\);",
        f"\tif (!{IN_TESTS})\n\t\tkmlist_push(s, &c->list.freelist, object);\n\tnote_for_trim(c);",
        "slabtest.life_destroy",
        Outcome.CRASH,
    ),
    "a remote queue that is never claimed": Fault(
        r"^\tcollect_remote\(l, &objects, l->remote_free\.closed\);",
        f"\tif ({IN_TESTS})\n\t\treturn;\n\tcollect_remote(l, &objects, l->remote_free.closed);",
        "slabtest.remote_*",
        Outcome.CRASH,
    ),
    "a slab that is freed with an object in use": Fault(
        r"^\tif \(slab->inuse == 1\) \{",
        f"\tif (slab->inuse == 1 || (slab->inuse == 2 && {IN_TESTS})) {{",
        "slabtest.order_*",
        Outcome.CRASH,
    ),
    "a missing unlock": Fault(
        r"^(\tWRITE_ONCE\(l->remote_free_check, false\);\n)\tspin_unlock\(&l->remote_free\.lock\);",
        '\\1\tif (!strstarts(l->cache->name, "slabtest"))\n\t\tspin_unlock(&l->remote_free.lock);',
        "slabtest.remote_*",
        Outcome.TIMEOUT,
        ("--deadline", "40"),
    ),
}


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


def images(linux: Tree, places: Places, label: str, *faults: Mutation) -> Images:
    rendered = render_into_worktree(linux, places, label=label, mutations=faults)
    kernel = build_kernel(rendered.source, KernelSpec(), places, QUIET, line_map=rendered.line_map)
    modules = build_modules(kernel, rendered.source, GUEST, places, QUIET)
    return Images(kernel.image, build_initramfs(kernel, modules, GUEST, places, QUIET))


@pytest.fixture(scope="module")
def sound(linux: Tree, real_places: Places) -> Images:
    """The kernel without a fault."""
    return images(linux, real_places, "slqb")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_allocator_is_caught(
    name: str, sound: Images, linux: Tree, real_places: Places
) -> None:
    fault = FAULTS[name]
    mutation = Mutation(SLQB, fault.pattern, fault.replacement)
    words = ("--case", fault.case, *fault.words)
    broken = images(linux, real_places, "planted", mutation)
    status, record = broken.boot(*words)
    assert status == fault.outcome.exit_code, record["reason"]
    assert record["outcome"] == fault.outcome.name

    status, record = sound.boot(*words)
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
