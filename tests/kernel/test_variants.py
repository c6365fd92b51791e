# SPDX-License-Identifier: GPL-2.0
"""The configurations nobody boots: our C compiles in each without a word from anybody.

gcc with the warnings of W=1 and sparse look at what the series brings, once for each way in
which the configuration changes what our code is made of, and once for a machine with large pages.
gcc looks at the guest's test module as well: a boot would find it in the way otherwise.
All variants of an arch are compiled in one build folder, one after the other: the tools of the
kernel's build are then made once. It is not the folder of a kernel that boots, which would
have to be linked again.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.config import configure, is_configured
from harness.diagnostics import own_files
from harness.errors import Outcome
from harness.fragment import command_line
from harness.kbuild import held
from harness.kernel import KernelSpec, Plan, plan_kernel
from harness.module import copy_sources
from harness.places import Places
from harness.worktree import Rendered
from tests.kernel.images import GUEST, QUIET

pytestmark = pytest.mark.kernel

SOURCE = "mm/slqb.c"
MODULE = GUEST / "slabtest"

VARIANTS = {
    "lean": ("lean", ()),
    "debug": ("debug", ()),
    "one CPU": ("lean+up", ()),
    "no nodes": ("lean", ("NUMA=n", "CPUSETS=n", "X86_64_ACPI_NUMA=n", "NODES_SHIFT=n")),
    "no groups": ("lean", ("MEMCG=n",)),
    "KASAN": ("lean", ("KASAN=y", "KASAN_GENERIC=y")),
    "leaks": ("debug", ("DEBUG_KMEMLEAK=y",)),
    "no hotplug": ("lean", ("MEMORY_HOTPLUG=n", "MEMORY_HOTREMOVE=n")),
    "no proc": ("lean", ("PROC_FS=n", "PROC_SYSCTL=n")),
    "all watched": ("lean", ("SLQB_DEBUG_ON=y",)),
    "none watched": ("debug", ("SLQB_DEBUG=n",)),
    "users shown": ("lean", ("DEBUG_FS=y",)),
    "real time": ("lean", ("PREEMPT_RT=y", "PREEMPT_NONE=n")),
    "no files": ("lean", ("SLQB_SYSFS=n",)),
    "no watch": ("lean", ("SLQB_DEBUG=n",)),
    "counters": ("lean", ("SLQB_STATS=y",)),
    "bare": ("lean+up", ("SLQB_SYSFS=n", "SLQB_DEBUG=n")),
    "a distribution's": ("distro", ()),
}
FOREIGN = {"large pages": "ppc64le"}
"""Variants of the config `lean` for another arch."""
SOON = ("lean", "no nodes", "KASAN", "bare", "large pages")
"""Those that `make test` compiles; `make soak` compiles all."""


def compiled(plan: Plan) -> str:
    """What was said of our object; the objects of the guest's module are compiled after it."""
    kbuild = plan.kbuild
    kbuild.prepare()
    if not is_configured(kbuild, plan.wanted):
        configure(kbuild, plan.wanted, plan.log)
    target = f"{SOURCE[:-2]}.o"
    (kbuild.folder / target).unlink(missing_ok=True)
    said = kbuild.make("W=1", "C=2", target, log=plan.log, outcome=Outcome.BUILD)
    copy = kbuild.folder / "guest" / MODULE.name
    copy_sources(MODULE, copy)
    words = (f"M={copy}", "W=1", "KCFLAGS=-Werror", f"{MODULE.name}.o")
    kbuild.make(*words, log=plan.log, outcome=Outcome.BUILD)
    return said


@pytest.mark.parametrize(
    "name",
    [
        name if name in SOON else pytest.param(name, marks=pytest.mark.soak)
        for name in (*VARIANTS, *FOREIGN)
    ],
)
def test_our_code_compiles_in_silence(name: str, rendered: Rendered, real_places: Places) -> None:
    config, settings = VARIANTS.get(name, ("lean", ()))
    extra = command_line(settings) if settings else None
    spec = KernelSpec(arch=FOREIGN.get(name, "x86_64"), config=config)
    plan = plan_kernel(rendered.source, spec, real_places, line_map=rendered.line_map, extra=extra)
    folder = plan.kbuild.folder.with_name(f"{spec.arch}-variants")
    plan = replace(plan, kbuild=replace(plan.kbuild, folder=folder))
    ours = own_files(rendered.line_map)
    assert SOURCE in ours
    with held(plan.kbuild.folder, QUIET):
        said = compiled(plan).splitlines()
    assert [line for line in said if line.split()[:1] == ["CHECK"] and line.endswith(SOURCE)]
    assert [line for line in said if any(f"{file}:" in line for file in ours)] == []
