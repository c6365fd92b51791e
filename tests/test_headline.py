# SPDX-License-Identifier: GPL-2.0
"""Each row of configs/headlines.toml, wherever its lines may stand: found once, of its kind."""

import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import pytest
import re2

from harness.complaint import Complaint, Kind, complaints, patterns
from harness.errors import UserError
from harness.headline import LONGEST_HEAD, Panic, Part, Role, Row, Sequel, reader, table
from harness.splat import LONGEST, WIDEST, WIDEST_HEADLINE

TABLE = table()
ROWS = [(line, row.kind, row.said) for row in TABLE.headline for line in row.examples]
ANY = [re.sub(r"(?<![\[\\])[\^$]", "", one) for one in patterns()]
LINES = [(line, kind) for line, kind, _ in ROWS]
SAID = [(line, kind) for line, kind, said in ROWS if said]
CUT = "------------[ cut here ]------------"
WARNING = "WARNING: CPU: 1 PID: 41 at mm/slqb.c:412 flush+0x4c/0x90"
DUMP = (
    "CPU: 1 PID: 41 Comm: init Not tainted 6.1.0 #1",
    "Hardware name: QEMU Standard PC (Q35 + ICH9, 2009)",
    "Call Trace:",
    " <TASK>",
    " dump_stack_lvl+0x34/0x48",
    " ? flush+0x4c/0x90",
    " </TASK>",
)
END = "---[ end trace 0000000000000000 ]---"
OTHERS = ("usb 1-1: new device", "eth0: link is up", "random: crng init done")

Place = Callable[[str], list[str]]
PLACES: dict[str, Place] = {
    "alone": lambda line: [line],
    "among others": lambda line: [OTHERS[0], line, *OTHERS[1:]],
    "at a time": lambda line: [f"[   12.345678] {line}"],
    "in a test": lambda line: ["1..1", "    1..2", "    # start: a", line, "    ok 1 a", "ok 1 b"],
    "after a result": lambda line: ["    ok 1 a", line, "    ok 2 b"],
    "with its stack": lambda line: [line, *DUMP],
    "with its stack at a time": lambda line: [
        f"[    1.000000] {one}" for one in (line, *DUMP, END)
    ],
    "as far as the log goes": lambda line: [*OTHERS, line, *DUMP[:4]],
    "after a full report": lambda line: [CUT, WARNING, *DUMP, END, *OTHERS, *OTHERS, line, *DUMP],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("line", "kind"), LINES)
def test_a_headline_is_found_once_wherever_it_stands(place: str, line: str, kind: Kind) -> None:
    found = complaints(PLACES[place](line))
    before = [Kind.WARNING] if place == "after a full report" else []
    assert [one.kind for one in found] == [*before, kind]
    assert found[-1].headline == line


@pytest.mark.parametrize(("line", "kind"), LINES)
def test_results_in_the_middle_of_any_report_leave_it_one(line: str, kind: Kind) -> None:
    report = (line, *DUMP, END)
    for at in range(1, len(report)):
        lines = [*report[:at], "    ok 1 a", "    # start: b", *report[at:], "    ok 2 b"]
        [found] = complaints(lines)
        assert (found.kind, found.first, found.last) == (kind, 0, len(report) + 1), lines


def test_two_reports_in_a_row_are_two() -> None:
    """Each kind after each."""
    firsts = {kind: line for line, kind in reversed(LINES)}
    for (one, a), (line, kind) in product(firsts.items(), LINES):
        found = complaints([a, *DUMP, END, line, *DUMP, END])
        assert [complaint.kind for complaint in found] == [one, kind], (a, line)


@pytest.mark.parametrize(("line", "kind"), LINES)
def test_the_same_report_twice_is_two(line: str, kind: Kind) -> None:
    assert [one.kind for one in complaints([line, *DUMP, END, line, *DUMP, END])] == [kind] * 2


BUG = ("kernel BUG at lib/list_debug.c:56!", "invalid opcode: 0000 [#1] PREEMPT SMP")
NEWER = "WARNING: mm/slqb.c:412 at flush+0x4c/0x90, CPU#1: init/41"
OLDER = "WARNING: at mm/slqb.c:412 flush+0x4c/0x90()"


ORDERS: dict[str, Callable[[str, Sequence[str]], list[str]]] = {
    "before": lambda line, headline: [line, *headline],
    "before cut": lambda line, headline: [line, CUT, *headline],
    "after cut": lambda line, headline: [CUT, line, *headline],
    "after": lambda line, headline: [CUT, headline[0], line],
}


@pytest.mark.parametrize(("line", "kind"), SAID)
@pytest.mark.parametrize(
    ("order", "headline"),
    [
        *product(ORDERS, [(WARNING,), (NEWER,), (OLDER,)]),
        *product(list(ORDERS)[:3], [BUG]),  # after a BUG() nothing more is said
    ],
)
def test_what_is_said_of_an_event_is_one_with_it(
    line: str, kind: Kind, order: str, headline: Sequence[str]
) -> None:
    lines = ORDERS[order](line, headline)
    [found] = complaints([*lines, *DUMP, END])
    own = Kind.BUG if headline is BUG else Kind.WARNING
    assert found.kind in ((kind,) if kind is not Kind.BUG else (own, Kind.BUG))
    assert line in (found.headline, *found.heads)
    assert headline[0] in (found.headline, *found.heads)


@pytest.mark.parametrize("row", TABLE.notice, ids=lambda row: row.pattern)
def test_a_notice_is_no_complaint(row: Row) -> None:
    for line in row.examples:
        assert complaints([line]) == []


@pytest.mark.parametrize("row", TABLE.part, ids=lambda row: row.pattern[:30])
def test_a_part_has_its_role(row: Part) -> None:
    for line in row.examples:
        sight = reader().sight(line)
        assert (sight.kind, sight.role) == (None, row.role), line


ALONE = {
    Role.CUT: "cut off",
    Role.END: "the beginning is missing",
    Role.STACK: "a stack dump without a headline",
    Role.WHO: "the beginning is missing",
    Role.CONTEXT: "the beginning is missing",
    Role.EVIDENCE: "the beginning is missing",
}


@pytest.mark.parametrize("where", ["alone", "among others", "in a test"])
@pytest.mark.parametrize("row", TABLE.part, ids=lambda row: row.pattern[:30])
def test_a_part_alone_says_what_is_missing(row: Part, where: str) -> None:
    for line in row.examples:
        found = complaints(PLACES[where](line))
        if row.role not in ALONE:
            assert found == []
            continue
        [one] = found
        if row.role is Role.STACK and where == "among others":
            assert one.headline == OTHERS[0]
        else:
            assert ALONE[row.role] in one.headline
        assert one.kind is (Kind.STACK if row.role is Role.STACK else Kind.FRAGMENT)


@pytest.mark.parametrize("row", TABLE.sequel, ids=lambda row: row.pattern[:30])
def test_a_sequel_goes_on_with_the_report_before_it(row: Sequel) -> None:
    firsts = {kind: line for line, kind in LINES if "[#" not in line}
    firsts |= {Kind.STACK: "Call Trace:", Kind.FRAGMENT: "RIP: 0010:f+0x1/0x2"}
    for kind, line in product(row.after, row.examples):
        address = "Read of size 8 at addr 0000000000000008 by task init/1"
        [found] = complaints([firsts[kind], address, line, *DUMP, END])
        assert found.kind is kind
        assert line in found.heads


def test_another_address_is_another_event() -> None:
    kasan = ("BUG: KASAN: null-ptr-deref in f+0x1/0x2", "Read of size 8 at addr 0000000000000010")
    fault = "BUG: kernel NULL pointer dereference, address: 0000000000000008"
    assert len(complaints([*kasan, *DUMP, fault, *DUMP])) == 2


def test_a_second_oops_is_another_event() -> None:
    first = ["BUG: unable to handle page fault for address: x", "Oops: 0000 [#1] SMP", *DUMP]
    assert len(complaints([*first, "general protection fault: 0000 [#2] SMP", *DUMP])) == 2
    assert len(complaints([*first, END, "Oops: 0000 [#2] SMP", *DUMP])) == 2


@pytest.mark.parametrize("row", TABLE.panic, ids=lambda row: row.pattern[:30])
def test_a_panic_that_follows_from_another_complaint_is_known(row: Panic) -> None:
    [found] = complaints([row.example])
    assert found.kind is Kind.PANIC
    assert reader().causes(found.headline) == row.kinds


def test_nothing_of_a_report_is_kept_without_bound() -> None:
    long = "x" * 2 * WIDEST_HEADLINE
    lines = [f"BUG: {long}", *(f"RIP: {long}{number}" for number in range(2 * LONGEST))]
    [found] = complaints(lines)
    assert len(found.headline) == WIDEST_HEADLINE
    assert len(found.body) == LONGEST
    assert max(map(len, found.body)) <= WIDEST


def test_an_event_that_goes_on_and_on_is_kept_in_part() -> None:
    failed = "init: page allocation failure: order:0, mode:0x800"
    [found] = complaints([failed, *["SLUB: Unable to allocate memory on node 1"] * 1000])
    assert len(found.heads) < 100
    assert found.last == 1000


def test_a_report_of_many_processors_is_one() -> None:
    stall = "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:"
    others = [line for cpu in range(200) for line in (f"NMI backtrace for cpu {cpu}", *DUMP)]
    [found] = complaints([stall, *others])
    assert found.last == len(others)


@pytest.mark.parametrize("text", ["INFO: a ", "BUG ", "(((", "[#", "at WARNING: [x] ", "0x0 "])
def test_only_the_head_of_a_line_is_looked_at(text: str) -> None:
    line = text * 100_000
    assert reader().sight(line) == reader().sight(line[:LONGEST_HEAD])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "panic"', 'kind = "panik"', "headline.0.kind"),
        ("'^Kernel panic\\b'", "'^Kernel panic(?=x)'", "headline.0.pattern"),
        ('kind = "panic"', 'kind = "panic"\nkin = 1', "headline.0.kin"),
    ],
)
def test_a_fault_in_the_file_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "headlines.toml"
    source = Path("configs/headlines.toml").read_text()
    assert old in source
    path.write_text(source.replace(old, new, 1))
    with pytest.raises(UserError, match=said):
        table(path)


def test_each_line_that_begins_a_complaint_is_found_by_a_pattern() -> None:
    """Also where they are looked for in one piece of many lines, so without their anchors."""
    found = re2.compile("|".join(f"(?:{one})" for one in ANY))
    parts = [row.examples for row in TABLE.part if row.role in ALONE or row.role is Role.HARMLESS]
    for line in [*(line for line, _ in LINES), *(line for lines in parts for line in lines)]:
        assert found.search(f"{OTHERS[0]} {line}"), line


def test_a_complaint_tells_all_that_was_kept() -> None:
    complaint = Complaint(Kind.BUG, "a", 0, 2, ["b"], ["c"])
    assert list(complaint.lines()) == ["a", "b", "c"]


TAILS = [line for row in TABLE.part if row.role is Role.EVIDENCE for line in row.examples]


@pytest.mark.parametrize("line", TAILS)
@pytest.mark.parametrize("lines", ["begin", "end"])
def test_a_log_that_begins_or_ends_inside_a_report_is_told(line: str, lines: str) -> None:
    results = ["KTAP version 1", "1..1", "ok 1 a"]
    found = complaints([line, *results] if lines == "begin" else [*results, line])
    assert [one.kind for one in found] == [Kind.FRAGMENT]


@pytest.mark.parametrize("line", TAILS)
def test_a_tail_within_its_report_is_part_of_it(line: str) -> None:
    for headline in ("BUG: KASAN: x in f+0x1/0x2", "WARNING: possible recursive locking detected"):
        assert len(complaints([headline, line, *DUMP, line, END])) == 1


@pytest.mark.parametrize("word", ["Changing Loglevel", "HELP : loglevel(0-9)", "Emergency Sync"])
@pytest.mark.parametrize("said", ["sysrq: ", "SysRq : "])
def test_a_sysrq_that_dumps_nothing_hides_no_dump(said: str, word: str) -> None:
    assert [one.kind for one in complaints([said + word, "something bad", *DUMP])] == [Kind.STACK]
    assert complaints([f"{said}Show State", *DUMP]) == []
