# SPDX-License-Identifier: GPL-2.0
"""What of a console is shown: enough to see what happened, and no more however much was said."""

from pathlib import Path

from harness.console import Line
from harness.record import CaseRecord, CellRecord, ComplaintRecord
from harness.reports.excerpt import LAST, MOST, WIDEST, excerpt, excerpt_of
from tests.accounts import a_case, a_cell, real


def lines(count: int) -> list[Line]:
    return [Line(f"line {number}", number / 10) for number in range(1, count + 1)]


def complaint(first: int, last: int, *, expected: bool = False) -> ComplaintRecord:
    return ComplaintRecord(kind="bug", headline="BUG", lines=(first, last), expected=expected)


def failed(first: int, last: int) -> CaseRecord:
    return CaseRecord(path="a.b", status="fail", lines=(first, last))


def boot(**more: object) -> CellRecord:
    return a_cell(**{"cases": (), **more})  # type: ignore[arg-type]  # names of fields


def test_of_a_boot_that_passed_only_the_end_is_kept() -> None:
    found = excerpt(lines(1000), boot())
    assert list(found.kept) == list(range(1001 - LAST, 1001))
    assert (found.length, found.left_out) == (1000, 1000 - LAST)


def test_a_complaint_is_kept_with_what_is_around_it() -> None:
    found = excerpt(lines(1000), boot(complaints=(complaint(100, 110),)))
    assert (found.passages[0].first, found.passages[0].last) == (97, 112)
    assert found.passages[0].lines[3].text == "line 100"


def test_an_expected_complaint_is_not_shown() -> None:
    found = excerpt(lines(1000), boot(complaints=(complaint(100, 110, expected=True),)))
    assert len(found.passages) == 1


def test_the_lines_of_a_failed_test_are_kept_and_those_of_the_others_are_not() -> None:
    found = excerpt(lines(1000), boot(cases=(failed(200, 210), a_case())))
    assert found.between((200, 210))[0].lines[-1].text == "line 210"
    assert 3 not in found.kept


def test_however_much_was_said_no_more_than_so_much_is_kept() -> None:
    many = tuple(complaint(at, at + 50) for at in range(1, 100_000, 60))
    found = excerpt((Line("x" * 100_000, 1.0) for _ in range(100_100)), boot(complaints=many))
    assert len(found.kept) <= MOST
    assert {1, 100_100} <= found.kept.keys()
    assert max(len(line.text) for line in found.kept.values()) < WIDEST + 40
    assert "99700 characters" in found.kept[1].text


def test_what_is_left_out_is_said() -> None:
    text = excerpt(lines(1000), boot(complaints=(complaint(100, 100),))).text()
    assert text.startswith("[... 96 lines left out ...]\n")
    assert f"[... {1000 - LAST - 102} lines left out ...]" in text


def test_a_test_that_says_when_it_starts_is_timed_from_there() -> None:
    said = [Line("plan", 1.0), Line("# start: b", 5.0), Line("ok 1 b", 7.5)]
    case = CaseRecord(path="a.b", status="pass", lines=(2, 3))
    assert excerpt(said, boot(cases=(case,))).seconds(case.lines) == 2.5


def test_a_test_that_only_says_its_result_is_timed_from_the_one_before() -> None:
    said = [Line("ok 1 a", 1.0), Line("ok 2 b", 7.5)]
    case = CaseRecord(path="a.b", status="pass", lines=(2, 2))
    assert excerpt(said, boot(cases=(case,))).seconds(case.lines) == 6.5


def test_without_a_clock_there_are_no_times() -> None:
    case = CaseRecord(path="a.b", status="pass", lines=(1, 2))
    assert excerpt([Line("a"), Line("b")], boot(cases=(case,))).seconds((1, 2)) is None


def test_a_console_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    assert excerpt_of(tmp_path / "console.log", boot()).length == 0


def test_a_real_console() -> None:
    account = real()
    [crashed] = [cell for cell in account.record.cells if cell.outcome == "CRASH"]
    found = account.excerpt(crashed)
    assert "dump_stack" in found.text(found.between(crashed.complaints[0].lines))
    times = [found.seconds(case.lines) for case in crashed.cases]
    assert None not in times
    assert 0.9 < sum(filter(None, times)) / crashed.phases["tests"] < 1.01
