# SPDX-License-Identifier: GPL-2.0
"""Hooks: who else watches an allocator, asked by the tree's own tests where it has one.

Two kernels, both of which share few object files with any other and take minutes, so that all
of it is part of `make soak`: `hooks` has what can live together, `kasan` is alone. All of it
runs on SLUB, too, which shows that the tests ask for nothing that only SLQB does. The matrix
`default` boots each of them once.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.errors import Outcome
from harness.fragment import command_line
from harness.kernel import KernelSpec, build_kernel
from harness.places import Places
from harness.tree import Tree, pristine
from harness.treetest import tree_tests
from harness.worktree import Mutation, render_into_worktree
from tests.kernel.conftest import Pack
from tests.kernel.images import QUIET, Images, with_guest

pytestmark = [pytest.mark.kernel, pytest.mark.soak]
ALLOCATORS = ("slqb", "slub")
HOOKS = {
    "slabtest.cache_dump",
    "slabtest.freelist_order",
    "slabtest.reserve_entitled",
    "user.memcg_charge",
    "user.memcg_selftest",
    "user.failslab",
    "user.merge",
    "user.tracepoints",
    "user.meminit",
    "user.cleared",
    "user.usercopy_size",
    "user.usercopy_window",
    "user.free_wrong",
    "user.unreclaimable",
}
"""Cases that the kernel `hooks` must not skip."""
NO_LEAKS = ("--append", "kmemleak=off")
"""Watching every object takes most of the time of a storm."""


def statuses(record: dict[str, Any]) -> dict[str, str]:
    """How each case came out."""
    [cell] = record["cells"]
    return {case["path"]: case["status"] for case in cell["cases"]}


def left_out(suite: str) -> set[str]:
    """Cases of a suite that are known not to run."""
    return {one.case for one in tree_tests().left_out if one.case.startswith(f"{suite}.")}


def suite_passes(images: Images, suite: str, *words: str) -> dict[str, Any]:
    """Boot for one KUnit suite; every case passes, but for those that cannot run."""
    status, record = images.boot("--suite", "kunit", "--case", f"{suite}.*", *words)
    assert status == 0, record["reason"]
    ended = statuses(record)
    assert {path for path, end in ended.items() if end == "skip"} == left_out(suite)
    assert set(ended.values()) <= {"pass", "skip"}
    return record


@pytest.mark.parametrize("allocator", ["slqb", "slub"])
def test_kasan_finds_what_its_suite_does_wrong(pack: Pack, allocator: str) -> None:
    record = suite_passes(pack(KernelSpec(allocator=allocator, config="kasan")), "kasan")
    [cell] = record["cells"]
    told = [one["headline"] for one in cell["complaints"]]
    assert all("KASAN: " in one for one in told)
    assert len(told) > sum(end == "pass" for end in statuses(record).values()) // 2


def test_kasan_finds_nothing_else(pack: Pack) -> None:
    status, record = pack(KernelSpec(config="kasan")).boot("--suite", "guest", "--trim-ms", "200")
    assert status == 0, record["reason"]


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_kfence_suite_passes(pack: Pack, allocator: str) -> None:
    words = ("--append", "kfence.sample_interval=20")
    record = suite_passes(pack(KernelSpec(allocator=allocator, config="hooks")), "kfence", *words)
    told = [one["headline"] for one in record["cells"][0]["complaints"]]
    assert any("KFENCE: " in one for one in told)
    assert len([one for one in told if "Found object by alias" in one]) == 1


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_hooks_work_and_nobody_else_notices(pack: Pack, allocator: str) -> None:
    words = ("--suite", "guest", "--trim-ms", "200", *NO_LEAKS)
    status, record = pack(KernelSpec(allocator=allocator, config="hooks")).boot(*words)
    assert status == 0, record["reason"]
    ended = statuses(record)
    assert {path: ended.get(path) for path in HOOKS} == dict.fromkeys(HOOKS, "pass")


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_leaks_are_found_and_nothing_else(pack: Pack, allocator: str) -> None:
    words = ("--suite", "guest", "--case", "user.kmemleak")
    status, record = pack(KernelSpec(allocator=allocator, config="hooks")).boot(*words)
    assert status == 0, record["reason"]
    assert statuses(record)["user.kmemleak"] == "pass"


@pytest.mark.parametrize("words", ["init_on_free=0 init_on_alloc=1", "init_on_free=0"])
@pytest.mark.parametrize("case", ["user.meminit", "user.cleared"])
def test_memory_is_cleared_as_told(pack: Pack, words: str, case: str) -> None:
    """Without either word the tree's own test has to fail: it is seen to look."""
    appended = [part for word in words.split() for part in ("--append", word)]
    words_of_boot = ("--suite", "guest", "--case", case, *NO_LEAKS, *appended)
    status, record = pack(KernelSpec(config="hooks")).boot(*words_of_boot)
    assert status == 0 or (words, case) == ("init_on_free=0", "user.cleared"), record["reason"]
    skips = (words, case) == ("init_on_free=0", "user.cleared")
    assert statuses(record)[case] == ("skip" if skips else "pass")


def test_caches_stay_apart_when_told(pack: Pack) -> None:
    words = ("--suite", "guest", "--case", "user.merge", "--append", "slab_nomerge")
    status, record = pack(KernelSpec(config="hooks")).boot(*words)
    assert status == 0, record["reason"]
    assert statuses(record)["user.merge"] == "pass"


@pytest.mark.parametrize(
    ("config", "outcome"), [("hooks", Outcome.CRASH), ("lean", Outcome.FAIL)], ids=str
)
def test_a_hardened_free_list_leads_nowhere(pack: Pack, config: str, outcome: Outcome) -> None:
    """What a link is written over with is handed out, but where links are coded: there it dies."""
    words = ("--suite", "guest", "--append", "slqbtest.plant=astray")
    status, record = pack(KernelSpec(config=config)).boot(*words)
    assert status == outcome.exit_code, record["reason"]
    if outcome is Outcome.CRASH:
        assert {one["kind"] for one in record["cells"][0]["complaints"]} == {"oops"}
    else:
        assert statuses(record)["slabtest.plant_fault"] == "fail"


def test_an_object_freed_twice_stays_one(pack: Pack) -> None:
    words = ("--suite", "guest", *NO_LEAKS, "--append", "slqbtest.plant=bulktwice")
    status, record = pack(KernelSpec(config="hooks")).boot(*words)
    assert status == 0, record["reason"]


@pytest.mark.parametrize("deaf", [False, True], ids=["filter", "deaf filter"])
def test_failures_hit_the_code_that_was_named(deaf: bool, linux: Tree, real_places: Places) -> None:
    """The tree keeps stack trace filters off x86_64: that line is taken out, in a tree of ours.

    A filter that lets everything through is seen by the case, unless all goes down before.
    """
    allowed = Mutation("lib/Kconfig.debug", r"^\tdepends on !X86_64\n(?=\tselect STACKTRACE$)", "")
    through = Mutation("lib/fault-inject.c", r"^\tif \(!fail_stacktrace\(attr\)\)$", "\tif (false)")
    mutations = (allowed, through) if deaf else (allowed,)
    rendered = render_into_worktree(linux, real_places, label="filters", mutations=mutations)
    spec, extra = KernelSpec(config="hooks"), command_line(["FAULT_INJECTION_STACKTRACE_FILTER=y"])
    kernel = build_kernel(
        rendered.source, spec, real_places, QUIET, line_map=rendered.line_map, extra=extra
    )
    images = with_guest(kernel, rendered.source, real_places)
    status, record = images.boot("--suite", "guest", "--case", "user.failslab*")
    assert (status == 0) != deaf, record["reason"]
    assert (set(statuses(record).values()) == {"pass"}) != deaf


@pytest.mark.parametrize("case", [one for one in tree_tests().left_out if one.file], ids=str)
def test_the_tree_itself_leaves_a_case_out(case: Any, linux: Tree, real_places: Places) -> None:
    text = (pristine(linux, real_places) / case.file).read_text()
    assert re.search(case.line.pattern, text, re.MULTILINE)
