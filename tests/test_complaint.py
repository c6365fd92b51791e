# SPDX-License-Identifier: GPL-2.0
"""Complaints: found, told apart, one for each event. Whole logs are in test_logs.py."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.complaint import Complaint, Kind, complaints
from harness.headline import table

WARN = (
    "------------[ cut here ]------------",
    "WARNING: CPU: 1 PID: 41 at mm/slqb.c:412 flush+0x4c/0x90",
    "Call Trace:",
    " <TASK>",
    " flush+0x4c/0x90",
    " </TASK>",
    "---[ end trace 0000000000000000 ]---",
)


WATCHED = (
    "BUG kmalloc-128 (Tainted: G           O      ): Right Redzone overwritten",
    "First wrong byte at 0xffff888003f5c880, 128 from the object: 0x78 instead of 0xcc",
    "Allocated by fault_overrun+0x20/0x60 [slabtest], CPU 1, process 41, 0 ms ago",
    " slab_alloc_debug+0x97/0xd0",
    " fault_overrun+0x20/0x60 [slabtest]",
    "Object 0xffff888003f5c800 of 128 bytes, number 3 in its slab, link at 136",
    "Slab 0xffff888003f5c000 on node 0: 12 objects of 336 bytes, 4 in use, free list at 0x0",
    "Left     00000000: cc cc cc cc cc cc cc cc cc cc cc cc cc cc cc cc  ................",
    "Object   00000000: 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b a5  kkkkkkkkkkkkkkk.",
    "Right    00000000: 78 cc cc cc cc cc cc cc                          x.......",
    "Padding  00000000: 5a 5a 5a 5a 5a 5a 5a 5a                          ZZZZZZZZ",
    "CPU: 1 PID: 41 Comm: slabtest/1 Tainted: G           O       6.1.192 #1",
    "Call Trace:",
    " <TASK>",
    " dump_stack_lvl+0x4c/0x90",
    " </TASK>",
    "SLQB: kmalloc-128: 0xffff888003f5c880-0xffff888003f5c880 is 0xcc again",
)


def kinds(*lines: str) -> list[Kind]:
    return [complaint.kind for complaint in complaints(lines)]


def only(*lines: str) -> Complaint:
    [complaint] = complaints(lines)
    return complaint


def test_a_report_of_a_watched_object_is_one_complaint() -> None:
    complaint = only(*WATCHED)
    assert complaint.kind is Kind.SLAB
    assert complaint.headline == WATCHED[0]
    assert complaint.last == len(WATCHED) - 1
    assert kinds(*WATCHED, *WATCHED) == [Kind.SLAB, Kind.SLAB]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Kernel panic - not syncing: Attempted to kill init!", Kind.PANIC),
        ("BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", Kind.KASAN),
        ("BUG: KFENCE: use-after-free read in f+0x1/0x2", Kind.KFENCE),
        ("BUG: KCSAN: data-race in f / g", Kind.KCSAN),
        ("UBSAN: shift-out-of-bounds in mm/slqb.c:1:2", Kind.UBSAN),
        ("WARNING: possible irq lock inversion dependency detected", Kind.LOCKDEP),
        ("WARNING: Nested lock was not taken", Kind.LOCKDEP),
        ("BUG: MAX_LOCKDEP_CHAINS too low!", Kind.LOCKDEP),
        ("BUG: spinlock bad magic on CPU#0, init/1", Kind.LOCKDEP),
        ("BUG: spinlock lockup suspected on CPU#0", Kind.LOCKDEP),
        ("BUG: sleeping function called from invalid context at mm/x.c:1", Kind.ATOMIC),
        ("BUG: scheduling while atomic: init/1/0x00000002", Kind.ATOMIC),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [init:1]", Kind.SOFT_LOCKUP),
        ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 0", Kind.HARD_LOCKUP),
        ("BUG: workqueue lockup - pool cpus=0 node=0 stuck for 31s!", Kind.WORKQUEUE),
        ("INFO: task init:1 blocked for more than 22 seconds.", Kind.HUNG_TASK),
        ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", Kind.RCU_STALL),
        ("rcu: INFO: rcu_sched self-detected stall on CPU", Kind.RCU_STALL),
        ("rcu: INFO: rcu_tasks detected stalls on tasks:", Kind.RCU_STALL),
        (
            "rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 1-... }",
            Kind.RCU_STALL,
        ),
        ("BUG kmalloc-64 (Not tainted): Left Redzone overwritten", Kind.SLAB),
        ("BUG my-cache: freed twice", Kind.SLAB),
        ("BUG Acpi-State (Tainted: G    B): Freechain corrupt", Kind.SLAB),
        ("BUG a cache of two: or more (Not tainted): Object already free", Kind.SLAB),
        ("BUG two words (Tainted: G    B   W  O): Poison overwritten", Kind.SLAB),
        ("slab error in kmem_cache_destroy(): cache `x': Can't free all objects", Kind.SLAB),
        ("list_del corruption. next->prev should be x, but was y", Kind.LIST),
        ("hlist_add_head corruption. x", Kind.LIST),
        ("refcount_t: addition on 0; use-after-free.", Kind.REFCOUNT),
        ("BUG: Bad page state in process init  pfn:03b1c", Kind.PAGE),
        ("BUG: Bad rss-counter state mm:x type:MM_ANONPAGES val:1", Kind.PAGE),
        ("init: page allocation failure: order:0, mode:0x800", Kind.NO_PAGE),
        ("SLQB: Unable to allocate memory on node 1", Kind.NO_PAGE),
        ("BUG: kernel NULL pointer dereference, address: 0000000000000000", Kind.OOPS),
        ("BUG: unable to handle page fault for address: ffffffffdeadbeef", Kind.OOPS),
        ("BUG: stack guard page was hit at x", Kind.OOPS),
        ("Unable to handle kernel paging request at virtual address dead", Kind.OOPS),
        ("general protection fault: 0000 [#1] SMP", Kind.OOPS),
        ("traps: PANIC: double fault, error_code: 0x0", Kind.OOPS),
        ("divide error: 0000 [#1] SMP", Kind.OOPS),
        ("Oops: Kernel access of bad area, sig: 11 [#1]", Kind.OOPS),
        ("kernel BUG at mm/slqb.c:99!", Kind.BUG),
        ("BUG: something nobody knows", Kind.BUG),
        ("subsystem: BUG: something else", Kind.BUG),
        ("WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2", Kind.WARNING),
        ("WARNING: at mm/slqb.c:412 flush+0x4c/0x90()", Kind.WARNING),
        ("WARNING: mm/slqb.c:412 at flush+0x4c/0x90, CPU#1: init/1", Kind.WARNING),
        ("Kernel unaligned access at TPC[4]", Kind.UNALIGNED),
        ("init[44]: segfault at 8 ip 0 sp 0 error 4 in init", Kind.USER),
        ("kmemleak: 1 new suspected memory leaks (see x)", Kind.LEAK),
    ],
)
@pytest.mark.parametrize("prefix", ["", "[   12.345678] ", "<4>[    1.000000][    C1] "])
def test_a_headline_has_its_kind(line: str, kind: Kind, prefix: str) -> None:
    assert kinds("all is well", prefix + line) == [kind]


@pytest.mark.parametrize(
    "line",
    [
        "    # case: WARNING: a test talks",
        "# BUG: and another",
        "ok 1 BUG: this is a name",
        "slqb-guest: BUG",
        "Spectre V2 : WARNING: Unprivileged eBPF is enabled",
        "Debugging is on",
        "INFO: lockdep is turned off.",
        "lab7 watcherd: BUG: none seen",
        "rcu: Hierarchical RCU implementation.",
        "rcu: \tRCU debug extended QS entry/exit.",
        "slub_debug: WARNING-free",
        "init invoked oom-killer: gfp_mask=0x1",
        "Out of memory: Killed process 55 (init)",
        "FAULT_INJECTION: forcing a failure.",
        "Slab 0x0000 objects=32 used=4",
        "smpboot: CPU 1 is now offline",
        "Warning: unable to open an initial console.",
        "WARNING: something that somebody says",
        "WARNING: Ignoring cmdline option disable_radix",
        "WARNING: BIOS bug: CPU MTRRs don't cover all of memory, losing 8MB of RAM.",
        "Oops: efitime: the clock went back",
        "cpu0: the ratio of unaligned word access is 4, unaligned accesses are fast",
        "ACPI BIOS Warning (bug): Optional FADT field",
        "SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=4, Nodes=2",
    ],
)
def test_what_only_sounds_bad_is_no_complaint(line: str) -> None:
    assert kinds(line) == []


def test_one_event_is_one_complaint() -> None:
    complaint = only(*WARN)
    assert (complaint.first, complaint.last) == (0, 6)
    assert complaint.headline == WARN[1]


def test_what_the_caller_of_warn_says_belongs_to_it() -> None:
    complaint = only(WARN[0], "three objects too many", *WARN[1:])
    assert complaint.heads == ["three objects too many"]
    assert complaint.matches("objects too many")
    assert complaint.matches(r"WARNING.*flush")
    assert not complaint.matches("too few")


def test_two_events_in_a_row_are_two() -> None:
    assert kinds(*WARN, *WARN) == [Kind.WARNING] * 2


def test_an_oops_right_after_a_warning_is_not_swallowed() -> None:
    oops = ("BUG: kernel NULL pointer dereference, address: 08", "Oops: 0000 [#1] SMP")
    assert kinds(*WARN, *oops) == [Kind.WARNING, Kind.OOPS]
    assert kinds(*WARN[:5], "general protection fault: 0000 [#1]") == [Kind.WARNING, Kind.OOPS]


def test_a_panic_after_an_oops_is_told_of_its_own() -> None:
    bug = ("kernel BUG at x.c:1!", "invalid opcode: 0000 [#1]")
    assert kinds(*bug, "Kernel panic - not syncing: F") == [Kind.BUG, Kind.PANIC]


def test_a_stack_that_nothing_explains_is_a_complaint() -> None:
    assert kinds("CPU: 1 PID: 1", "Call Trace:", " f+0x1/0x2") == [Kind.STACK]


def test_a_result_in_a_report_does_not_end_it() -> None:
    complaint = only("BUG: Bad page state in x", "    ok 1 a", "Call Trace:", " f+0x1/0x2")
    assert (complaint.kind, complaint.first, complaint.last) == (Kind.PAGE, 0, 3)


@pytest.mark.parametrize("at", range(1, len(WARN)))
@pytest.mark.parametrize("between", [["    ok 1 a"], ["    ok 1 a", "    # start: b", "ok 1 c"]])
def test_results_anywhere_in_a_report_leave_it_one(at: int, between: list[str]) -> None:
    complaint = only(*WARN[:at], *between, *WARN[at:])
    assert (complaint.kind, complaint.headline) == (Kind.WARNING, WARN[1])
    assert (complaint.first, complaint.last) == (0, len(WARN) + len(between) - 1)


@pytest.mark.parametrize("at", range(1, len(WATCHED)))
def test_results_anywhere_in_a_slab_report_leave_it_one(at: int) -> None:
    assert only(*WATCHED[:at], "    ok 1 a", *WATCHED[at:]).kind is Kind.SLAB


KFENCE = (
    "==================================================================",
    "BUG: KFENCE: invalid free in test_double_free+0xa0/0xdf",
    "",
    "Invalid free of 0x00000000a1b2c3d4 (in kfence-#234):",
    " test_double_free+0xa0/0xdf",
    "",
    "kfence-#234: 0x00000000a1b2c3d4-0x00000000a1b2c3f3, size=32, cache=test",
    "",
    "allocated by task 54 on cpu 3 at 164.181935s:",
    " test_alloc+0xd5/0x44a",
    "",
    "CPU: 3 PID: 54 Comm: kunit_try_catch Tainted: G    B            N 6.1.192 #1",
    "==================================================================",
)


@pytest.mark.parametrize("results", [[], ["    ok 8 a", "    # b: size=32"]])
def test_a_titled_stack_after_a_report_without_one_is_another_complaint(results: list[str]) -> None:
    title = "kmemleak: Found object by alias at 0xffff88801f406fe1"
    dump = ("CPU: 0 PID: 55 Comm: kunit_try_catch", "Call Trace:", " dump_stack+0x10/0x12")
    found = complaints([*KFENCE, *results, title, *dump, "kmemleak: Object 0xffff88801f406fe0"])
    assert [(one.kind, one.headline) for one in found] == [
        (Kind.KFENCE, KFENCE[1]),
        (Kind.STACK, title),
    ]


def test_a_report_does_not_wait_for_ever() -> None:
    results = [f"    ok {number} a" for number in range(1, 20)]
    assert kinds(*WARN[:3], *results, *WARN[3:]) == [Kind.WARNING, Kind.FRAGMENT]
    assert kinds(*WARN[:2], *results, *WARN[2:]) == [Kind.WARNING, Kind.STACK]
    others = [f"eth{number}: link is up" for number in range(20)]
    assert kinds(*WARN[:2], *others, *WARN[2:]) == [Kind.WARNING, Kind.STACK]


def test_a_stack_of_its_own_after_a_result_is_another_complaint() -> None:
    dump = ("CPU: 1 PID: 1 Comm: init", "Call Trace:", " f+0x1/0x2")
    assert kinds(*WARN, "    ok 1 a", *dump) == [Kind.WARNING, Kind.STACK]
    assert kinds(*WATCHED, "    ok 1 a", *dump) == [Kind.SLAB, Kind.STACK]


def test_the_dump_of_a_killed_process_is_no_complaint() -> None:
    oom = ("init invoked oom-killer: x", "Call Trace:", " f+0x1/0x2", "Mem-Info:", "active: 1")
    assert kinds(*oom) == []
    assert kinds(*oom, "Call Trace:") == [Kind.STACK]
    assert kinds(*oom[:2], *WARN) == [Kind.WARNING]


@given(st.lists(st.text(max_size=60), max_size=20))
def test_nothing_makes_the_scan_fail(lines: list[str]) -> None:
    for complaint in complaints(lines):
        assert 0 <= complaint.first <= complaint.last < len(lines)


@given(st.lists(st.sampled_from([*WARN, "all is well", "    ok 1 a", ""]), max_size=40))
def test_complaints_come_in_order_and_apart(lines: list[str]) -> None:
    found = complaints(lines)
    assert all(a.last < b.first for a, b in pairwise(found))


ROWS = (*table().headline, *table().notice, *table().part, *table().sequel)
ANY = [line for row in ROWS for line in row.examples] + [
    "all is well",
    "    ok 1 a",
    "# start: b",
    "",
]


@given(st.lists(st.sampled_from(ANY), max_size=30))
def test_whatever_is_mixed_complaints_come_in_order_and_apart(lines: list[str]) -> None:
    found = complaints(lines)
    assert all(0 <= one.first <= one.last < len(lines) for one in found)
    assert all(a.last < b.first for a, b in pairwise(found))
