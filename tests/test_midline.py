# SPDX-License-Identifier: GPL-2.0
"""A line that lacks line breaks is judged like the lines that it consists of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.complaint import Kind
from harness.console import Line, saved
from harness.errors import Outcome
from harness.headline import table
from harness.heard import hear
from harness.ktap import Status
from harness.midline import UNMISTAKABLE, parts
from harness.skim import skim
from harness.verdict import Boot, Verdict, judge, judge_heard
from tests.test_prefix import LOGS, PASSES, WARNS, on, told

TIMES = (
    "[    1.000000] ",
    "[   50.9] ",
    "[  347.4] ",
    "[    1.000000][    T1] ",
    "<4>[12345.678901] ",
)
HEADLINES = (
    "WARNING: CPU: 0 PID: 77 at mm/stack.c:31 f+0x1/0x2",
    "BUG: KASAN: use-after-free in f+0x1/0x2",
    "BUG kmalloc-64 (Not tainted): Object already free",
    "BUG: unable to handle page fault for address: ffffffffdeadbeef",
    "kernel BUG at mm/stack.c:31!",
    "Kernel panic - not syncing: Attempted to kill init!",
    "general protection fault, probably for non-canonical address 0xdead: 0000 [#1]",
)


@pytest.mark.parametrize(
    "marked",
    [
        "login: |[   50.9] WARNING: CPU: 0 PID: 1 at x",
        "# ok 1 futex|[  347.4] BUG: KASAN: x",
        "ok 1 a|[    1.0] BUG a (Not tainted): x",
        "usb 1-1: new|[    1.000001] usb 1-2: new",
        "a|[    1.000001] b|[    1.000002][    T1] c",
        "ok 1 a|<4>[    1.000001] b",
        "ok 1 a|[    T7] BUG: KASAN: x",
        "ok 1 a|BUG: KASAN: x",
        "/ # |WARNING: CPU: 0 PID: 1 at x",
        "root@box:~# |ok 3 b",
        "[root@box ~]# |not ok 3 b",
        "box login: |KTAP version 1",
        "# |[    1.000000] BUG: KASAN: x",
    ],
)
def test_a_line_is_divided(marked: str) -> None:
    assert parts(marked.replace("|", "")) == marked.split("|")


@pytest.mark.parametrize(
    "line",
    [
        "ok 1 a",
        'printk: the last was "[    1.000000] WARNING: CPU: 0 PID: 1 at x"',
        "note ([    1.000000] BUG: KASAN: x) came late",
        "replayed '[    1.000000] BUG: KASAN: x'",
        "# two: the kernel said [    1.000000] BUG: KASAN: x",
        "    # two: the kernel said WARNING: CPU: 0 PID: 1 at x",
        "gain [1.5] of [12.25] was measured",
        "ok 1 array[10.5]",
        "foo [0.5] BUG: an index",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!",
        "# ok 1 a",
        "/dev/sda ok 1 b",
        "[    1.000000] begins the line",
    ],
)
def test_a_line_is_left_whole(line: str) -> None:
    assert parts(line) == [line]


@pytest.mark.parametrize("stamp", TIMES)
@pytest.mark.parametrize("headline", HEADLINES)
@pytest.mark.parametrize(
    "before", ["    ok 1 push", "# ok 1 futex", "box login: ", "usb 1-1: new device"]
)
def test_a_complaint_in_mid_line_is_one(before: str, headline: str, stamp: str) -> None:
    [complaint] = hear([Line(before + stamp + headline)]).complaints
    assert complaint.headline == headline
    [charge] = on([before + stamp + headline]).charges
    assert (charge.complaint.first, charge.complaint.last) == (0, 0)


@pytest.mark.parametrize("stamp", TIMES)
def test_a_glued_log_gets_the_verdict_of_its_lines(stamp: str) -> None:
    headline = "BUG kmalloc-64 (Not tainted): Object already free"
    apart = on(PASSES.replace("    ok 1 push\n", f"    ok 1 push\n{headline}\n").splitlines())
    glued = on(PASSES.replace("    ok 1 push\n", f"    ok 1 push{stamp}{headline}\n").splitlines())
    assert glued.outcome is apart.outcome is Outcome.CRASH
    assert [(one.path, one.status) for one in glued.cases] == [
        (one.path, one.status) for one in apart.cases
    ]
    assert (
        [one.path for one in glued.charges] == [one.path for one in apart.charges] == ["stack.pop"]
    )
    assert [one.complaint.kind for one in glued.charges] == [Kind.SLAB]
    assert glued.charges[0].complaint.first == apart.charges[0].complaint.first - 1


@settings(deadline=None)
@given(st.sampled_from(sorted(LOGS)), st.data())
def test_lost_line_breaks_before_kernel_messages_change_nothing(
    log: str, data: st.DataObject
) -> None:
    text = ""
    for line in LOGS[log].splitlines():
        kernel = line in WARNS.splitlines() or line.startswith(("BUG ", "clock", "Free", "[ BUG"))
        loses = kernel and text.endswith("\n") and data.draw(st.booleans())
        text = (text[:-1] if loses else text) + ("[    1.000000] " if kernel else "") + line + "\n"
    glued, apart = judge_heard(skim([text.encode()]), Boot(())), on(LOGS[log].splitlines())
    assert _without_lines(glued) == _without_lines(apart)
    assert told(judge(Boot(tuple(saved(text.split("\n")[:-1]))))) == told(glued)


def _without_lines(verdict: Verdict) -> tuple[object, ...]:
    cases = [(case.path, case.status, case.reason) for case in verdict.cases]
    return verdict.outcome, cases, [(one.path, one.complaint.headline) for one in verdict.charges]


@pytest.mark.parametrize("torn", ["n", "no", "not", "not ", "not o", "not ok", "not ok "])
@pytest.mark.parametrize("message", ["random: crng init done", "WARNING: CPU: 0 PID: 1 at x"])
@pytest.mark.parametrize("more", [[], ["[    1.000002] usb 1-1: new device"]])
def test_a_torn_result_is_put_together(torn: str, message: str, more: list[str]) -> None:
    rest = "not ok 1 a"[len(torn) :]
    lines = ["KTAP version 1", "1..1", f"{torn}[    1.000001] {message}", *more, rest]
    for heard in (hear(map(Line, lines)), skim(["\n".join(lines).encode()])):
        [case] = heard.tests.cases
        assert (case.path, case.status) == ("a", Status.FAIL)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("random: crng init doneok 2 b", Status.PASS),
        ("[    1.000000] usb 1-1: new device.not ok 2 b", Status.FAIL),
        ("usb 1-1: speed 12    ok 2 b", Status.MISSING),  # no evidence that it is one
        ("/ # ok 2 b", Status.PASS),
        ("~ # not ok 2 b", Status.FAIL),
        ("box login: ok 2 b", Status.PASS),
        ("random: crng init doneok 3 b", Status.MISSING),  # the second is due
        ("it took 2 bottles", Status.MISSING),
        ("self test: ok 2 b", Status.MISSING),
        ("tests of a ok 2 b", Status.MISSING),
    ],
)
def test_a_result_in_mid_line(line: str, status: Status) -> None:
    lines = ["KTAP version 1", "1..2", "ok 1 a", line]
    for heard in (hear(map(Line, lines)), skim(["\n".join(lines).encode()])):
        assert heard.tests.cases[1].status is status


def test_a_result_in_mid_line_is_of_the_test_that_runs() -> None:
    head = ["KTAP version 1", "1..1", "    KTAP version 1", "    # Subtest: g", "    1..1"]
    lines = [*head, "    # start: b", "message.ok 1 c", "message.ok 1 b", "message.ok 1 g"]
    cases = hear(map(Line, lines)).tests.cases
    assert [(case.path, case.status) for case in cases] == [("g.b", Status.PASS)]


def test_a_line_of_many_messages_takes_linear_time() -> None:
    for piece in ("[    1.000000] ", "x[    1.000000] ", "# [    1.000000] ", '"[    1.000000] x'):
        assert len("".join(parts(piece * 30_000))) == len(piece) * 30_000


@pytest.mark.parametrize("torn", ["n", "no", "not ", "not ok ", "o", "ok", "ok "])
@pytest.mark.parametrize("stamp", [*TIMES, ""])
@pytest.mark.parametrize("headline", HEADLINES)
def test_a_report_behind_a_torn_result_is_told(torn: str, stamp: str, headline: str) -> None:
    whole = "not ok 2 b" if torn.startswith("n") else "ok 2 b"
    lines = ["KTAP version 1", "1..2", "ok 1 a", f"{torn}{stamp}{headline}", whole[len(torn) :]]
    verdict = on(lines)
    assert verdict.outcome is Outcome.CRASH
    assert [one.complaint.headline for one in verdict.charges] == [headline]
    assert [case.path for case in verdict.cases] == ["a", "b"]


@pytest.mark.parametrize("before", ["bye", "    ok 2 b", "n", "# b: a remark", "box login: "])
def test_a_kernel_that_starts_in_mid_line_has_reset(before: str) -> None:
    banner = "[    0.000000] Linux version 6.1.0"
    lines = [banner, "KTAP version 1", "1..2", "ok 1 a", "ok 2 b", before + banner]
    assert on([*lines, "[    0.000000] Command line: x"]).outcome is Outcome.CRASH


def test_each_part_of_a_line_counts_as_a_line_of_its_boot() -> None:
    warned = f"[    1.000000] {HEADLINES[0]}"
    lines = [
        *("slqb-guest: init", "slqb-guest: tests", "KTAP version 1", "1..1"),
        *("# expect: 2 WARNING", warned + warned, "ok 1 a", "slqb-guest: warnings 2"),
        "slqb-guest: taint 512[    2.000000] usb 1-1: new device",
        "slqb-guest: done[    2.000000] reboot: Power down",
    ]
    assert on(lines).outcome is Outcome.PASS


QUIET = ["plain text"]
STAMPS = (*TIMES, "<6>", "<6>[    1.000000] ", "[Mon Nov 30 17:41:19 2026] ", "[  +0.000005] ")
MESSAGES = [f"{stamp}random: crng init done" for stamp in STAMPS]


@pytest.mark.parametrize("torn", ["n", "no", "not", "not ", "not ok ", "    no", "    not "])
@pytest.mark.parametrize("message", [*MESSAGES, "[    T1] INFO: something"])
@pytest.mark.parametrize("quiet", [0, 7, 8, 12, 300])
def test_a_torn_failure_stays_until_the_next_result(torn: str, message: str, quiet: int) -> None:
    indent = " " * (len(torn) - len(torn.lstrip()))
    rest = f"{indent}not ok 2 b"[len(torn) :]
    lines = ["KTAP version 1", f"{indent}1..2", f"{indent}ok 1 a", torn + message]
    lines += [*QUIET * quiet, rest]
    assert [case.status for case in on(lines).cases][:2] == [Status.PASS, Status.FAIL]
    whole = hear(map(Line, lines)).tests.cases
    assert [case.status for case in whole][:2] == [Status.PASS, Status.FAIL]


@pytest.mark.parametrize("line", ["not", "not ", "no[    1.000000] x", "not[    1.000000] x"])
@pytest.mark.parametrize("quiet", [0, 12])
def test_a_failure_of_which_a_part_is_lost_stays_one(line: str, quiet: int) -> None:
    lines = ["KTAP version 1", "1..3", "ok 1 a", line, *QUIET * quiet, "ok 2 b", "ok 3 c"]
    statuses = [Status.PASS, Status.FAIL, Status.PASS]
    assert [case.status for case in on(lines).cases] == statuses
    assert [case.status for case in hear(map(Line, lines)).tests.cases] == statuses


@pytest.mark.parametrize(
    "line",
    [
        "not enough memory",
        "not found: /etc/x",
        "no",
        "n",
        "no [mem 0x1] here",
        "o",
        "not: x",
        "not a",
    ],
)
def test_an_ordinary_word_makes_no_failure(line: str) -> None:
    assert on(["KTAP version 1", "1..2", "ok 1 a", line, "ok 2 b"]).outcome is Outcome.PASS


def test_a_result_that_is_not_due_is_not_the_end_of_a_torn_one() -> None:
    lines = ["KTAP version 1", "1..2", "ok 1 a", "not[    1.000000] x", "ok 7 g", "ok 2 b"]
    cases = hear(map(Line, lines)).tests.cases
    assert [(case.path, case.status) for case in cases if case.path in "gb"] == [
        ("g", Status.PASS),
        ("b", Status.PASS),
    ]


FIRST = {row.kind: row.examples[0] for row in reversed(table().headline)}
GLUED = [
    *(FIRST[kind] for kind in FIRST if UNMISTAKABLE.match(FIRST[kind])),
    "WARNING: mm/slqb.c:412 at flush+0x4c/0x90, CPU#1: slabtest/41",
    "WARNING: [object == list->head] mm/slqb.c:412 at flush+0x4c/0x90, CPU#1: slabtest/41",
    "WARNING: suspicious RCU usage",
    "BUG: scheduling while atomic: init/1/0x00000002",
    "[ BUG: Invalid wait context ]",
    "Oops: 0000 [#1] SMP",
    "Internal error: Oops: 96000004 [#1] SMP",
]
SURE_KINDS = {
    *(Kind.PANIC, Kind.KASAN, Kind.KFENCE, Kind.KCSAN, Kind.KMSAN, Kind.UBSAN, Kind.CFI),
    *(Kind.LOCKDEP, Kind.ATOMIC, Kind.SOFT_LOCKUP, Kind.RCU_STALL, Kind.HUNG_TASK, Kind.SLAB),
    *(Kind.LIST, Kind.REFCOUNT, Kind.OOPS, Kind.WARNING, Kind.WORKQUEUE, Kind.PAGE, Kind.LEAK),
}


def test_headlines_of_all_sorts_are_told_in_mid_line() -> None:
    assert {kind for kind in FIRST if UNMISTAKABLE.match(FIRST[kind])} >= SURE_KINDS


@pytest.mark.parametrize("headline", GLUED)
@pytest.mark.parametrize(
    "before", ["ok 1 a", "foo.", "root@box:~# ", "/ # ", "box login: ", "ok 1 a[    T1] "]
)
def test_a_headline_without_a_time_is_told(before: str, headline: str) -> None:
    lines = ["KTAP version 1", "1..2", before + headline, "ok 2 b"]
    if not before.startswith("ok"):
        lines.insert(2, "ok 1 a")
    verdict = on(lines)
    assert verdict.outcome is Outcome.CRASH
    assert [one.complaint.headline for one in verdict.charges] == [headline]
    assert [case.path for case in verdict.cases] == ["a", "b"]


@pytest.mark.parametrize("progress", ["50%\r", "\r10%\r20%\r\r", "\r", "copied 3 of 4 \r"])
@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("WARNING: possible circular locking dependency detected", Outcome.CRASH),
        ("UBSAN: shift-out-of-bounds in mm/slqb.c:1:2", Outcome.CRASH),
        ("sysfs: cannot create duplicate filename '/kernel/slab/x'", Outcome.CRASH),
        ("not ok 2 b", Outcome.FAIL),
        ("ok 2 b", Outcome.PASS),
        ("[    1.000000] BUG: KASAN: x in f+0x1/0x2", Outcome.CRASH),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\r"])
def test_a_carriage_return_divides_a_line(
    progress: str, line: str, outcome: Outcome, end: str
) -> None:
    lines = ["KTAP version 1", "1..2", "ok 1 a", progress + line]
    lines += [] if "ok 2" in line else ["ok 2 b"]
    assert on(lines, end).outcome is outcome
    assert judge(Boot(tuple(saved(lines)))).outcome is outcome
