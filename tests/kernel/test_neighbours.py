# SPDX-License-Identifier: GPL-2.0
"""The other allocators do not notice the series: their code is the same, to the instruction.

Line numbers are data, not code: what the assembler made of every function is compared, with
its relocations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import child
from harness.config import configure, is_configured
from harness.errors import Outcome
from harness.kbuild import held
from harness.kernel import KernelSpec, plan_kernel
from harness.places import Places
from harness.tree import Tree, pristine
from harness.worktree import render_into_worktree
from tests.kernel.images import QUIET

pytestmark = pytest.mark.kernel
TOUCHED = ("mm/slab_common.o", "mm/memcontrol.o", "mm/percpu.o", "kernel/cpu.o")


def code(source: Path, allocator: str, places: Places) -> Iterator[tuple[str, str]]:
    """Each object that the series could change, and its code."""
    plan = plan_kernel(source, KernelSpec(allocator=allocator), places)
    kbuild = plan.kbuild
    objects = (f"mm/{allocator}.o", *TOUCHED)
    with held(kbuild.folder, QUIET):
        kbuild.prepare()
        if not is_configured(kbuild, plan.wanted):
            configure(kbuild, plan.wanted, plan.log)
        kbuild.make(*objects, log=plan.log, outcome=Outcome.BUILD)
        for name in objects:
            argv = ("objdump", "-dr", "--no-show-raw-insn", name)
            yield name, child.run(argv, cwd=kbuild.folder)


@pytest.mark.parametrize(
    "allocator",
    ["slub", *(pytest.param(name, marks=pytest.mark.soak) for name in ("slab", "slob"))],
)
def test_code_of_other_allocators_is_the_same(
    allocator: str, linux: Tree, real_places: Places
) -> None:
    patched = dict(code(render_into_worktree(linux, real_places).source, allocator, real_places))
    before = dict(code(pristine(linux, real_places), allocator, real_places))
    assert [name for name in before if before[name] != patched[name]] == []
    assert all("<" in text for text in before.values())
