# SPDX-License-Identifier: GPL-2.0
"""What changed between two runs, and how much of it the exit status tells."""

from pathlib import Path

import pytest

from harness.errors import Outcome
from harness.record import CaseRecord, CellRecord, RunRecord
from harness.reports.account import Account, account_of
from harness.reports.comparison import Change, Comparison, as_data, as_text, compare
from tests.accounts import a_case, a_cell, a_complaint, a_run, flaky, real


def changes(found: Comparison) -> list[tuple[Change, str, str]]:
    return [(one.change, one.cell, one.case) for one in found.differences]


def of(now: CellRecord | None, before: CellRecord | None) -> Comparison:
    runs = [
        a_run(*([cell] if cell else []), name=name) for cell, name in ((now, "b"), (before, "a"))
    ]
    return compare(*(Account(run, Path()) for run in runs))


def oops(*headlines: str) -> CellRecord:
    """A boot whose kernel complained of all that."""
    return a_cell(outcome="CRASH", complaints=tuple(map(a_complaint, headlines)))


GOOD, BAD = a_cell(), a_cell(outcome="CRASH", reason="oops")
FAILS = a_cell(outcome="FAIL")
HOST, FLAKY = a_cell(outcome="HOST"), flaky(cases=(a_case(),))


@pytest.mark.parametrize(
    ("before", "now", "change", "outcome"),
    [
        (GOOD, BAD, Change.FAILING, Outcome.FAIL),
        (FLAKY, BAD, Change.FAILING, Outcome.FAIL),
        (HOST, BAD, Change.FAILING, Outcome.FAIL),
        (None, BAD, Change.FAILING, Outcome.FAIL),
        (GOOD, FLAKY, Change.FLAKY, Outcome.FAIL),
        (BAD, FLAKY, Change.FLAKY, Outcome.FAIL),
        (BAD, GOOD, Change.PASSING, Outcome.PASS),
        (FLAKY, GOOD, Change.PASSING, Outcome.PASS),
        (GOOD, HOST, Change.UNKNOWN, Outcome.HOST),
        (GOOD, None, Change.GONE, Outcome.PASS),
        (None, GOOD, Change.NEW, Outcome.PASS),
        (GOOD, GOOD, None, Outcome.PASS),
        (BAD, BAD, None, Outcome.PASS),
        (FLAKY, FLAKY, None, Outcome.PASS),
        (HOST, HOST, Change.UNKNOWN, Outcome.HOST),
        (None, HOST, Change.UNKNOWN, Outcome.HOST),
        (HOST, GOOD, None, Outcome.PASS),
        (FAILS, BAD, Change.FAILING, Outcome.FAIL),
        (FAILS, a_cell(outcome="TIMEOUT"), Change.FAILING, Outcome.FAIL),
        (BAD, FAILS, None, Outcome.PASS),
        (oops("BUG: at 0x10"), oops("BUG: at 0x20"), None, Outcome.PASS),
        (oops("BUG: at 0x10"), oops("BUG: at 0x20", "WARNING: x"), Change.FAILING, Outcome.FAIL),
        (oops("BUG: a", "WARNING: x"), oops("WARNING: x"), None, Outcome.PASS),
        (FLAKY, flaky("m-k-2n", "CRASH", cases=(a_case(),)), Change.FLAKY, Outcome.FAIL),
    ],
)
def test_what_becomes_of_a_boot(
    before: CellRecord | None, now: CellRecord | None, change: Change | None, outcome: Outcome
) -> None:
    found = of(now, before)
    assert changes(found) == ([(change, "m-k-2n", "")] if change else [])
    assert found.outcome is outcome


def test_what_the_kernel_complains_of_anew_is_told() -> None:
    found = of(oops("BUG: a", "WARNING: x"), oops("WARNING: x"))
    assert any("; new: BUG: a" in line for line in as_text(found))


def boot_with(status: str | None, *, flaky_boot: bool = False) -> CellRecord:
    cases = (a_case(status=status),) if status else ()
    return flaky(cases=cases) if flaky_boot else a_cell(outcome="FAIL", cases=cases)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ("pass", "fail", Change.FAILING),
        ("pass", "missing", Change.FAILING),
        ("skip", "fail", Change.FAILING),
        (None, "fail", Change.FAILING),
        ("fail", "pass", Change.PASSING),
        ("pass", "skip", Change.GONE),
        ("fail", "skip", Change.GONE),
        ("pass", None, Change.GONE),
        (None, "pass", Change.NEW),
        ("fail", "missing", None),
        ("skip", None, None),
        (None, "skip", None),
        ("skip", "pass", None),
        ("known", "known", None),
    ],
)
def test_what_becomes_of_a_test(before: str | None, now: str | None, change: Change | None) -> None:
    found = of(boot_with(now), boot_with(before))
    assert changes(found) == ([(change, "m-k-2n", "slabtest.one")] if change else [])


def test_a_test_that_failed_in_a_flaky_boot_is_flaky() -> None:
    found = of(boot_with("fail", flaky_boot=True), a_cell())
    assert changes(found) == [
        (Change.FLAKY, "m-k-2n", ""),
        (Change.FLAKY, "m-k-2n", "slabtest.one"),
    ]


def test_the_tests_of_a_boot_that_the_host_spoilt_did_not_vanish() -> None:
    assert changes(of(a_cell(outcome="HOST", cases=()), a_cell())) == [
        (Change.UNKNOWN, "m-k-2n", "")
    ]


def timed(tmp_path: Path, name: str, took: float, **more: object) -> Account:
    """A run with a boot whose test on lines 1 and 2 takes so long."""
    case = CaseRecord(path="slabtest.one", status="pass", lines=(1, 2))
    record = a_run(a_cell("m-k-2n", "PASS", cases=(case,), **more), name=name)
    folder = tmp_path / name / "m-k-2n"
    folder.mkdir(parents=True)
    (folder / "console.log").write_text(f"    0.000 | # start: one\n{took:9.3f} | ok 1 one\n")
    (folder.parent / "result.json").write_text(record.model_dump_json(by_alias=True))
    return account_of(folder.parent)


@pytest.mark.parametrize(
    ("before", "now", "slow"),
    [(1.0, 3.5, True), (1.0, 2.9, False), (0.01, 1.9, False), (10.0, 29.0, False), (10, 31, True)],
)
def test_a_slow_test_is_slower_by_a_factor_and_by_seconds(
    tmp_path: Path, before: float, now: float, slow: bool
) -> None:
    found = compare(timed(tmp_path, "b", now), timed(tmp_path, "a", before))
    assert bool(found.of(Change.SLOW)) == slow
    assert found.outcome is Outcome.PASS


def test_a_test_is_not_slow_where_the_guest_waited_for_the_host(tmp_path: Path) -> None:
    now = timed(tmp_path, "b", 9.0, guest_ran=10.0, guest_waited=10.0)
    before = timed(tmp_path, "a", 1.0, guest_ran=10.0, guest_waited=1.0)
    found = compare(now, before)
    assert (found.differences, found.crowded) == ((), ("m-k-2n",))
    assert any("the host was busier: m-k-2n" in line for line in as_text(found))


@pytest.mark.parametrize("what", ["accelerator", "qemu", "machine"])
def test_no_times_are_compared_of_hosts_that_differ(tmp_path: Path, what: str) -> None:
    now, before = timed(tmp_path, "b", 9.0), timed(tmp_path, "a", 1.0)
    host = now.record.host.model_copy(update={what: "other"})
    [cell] = now.record.cells
    elsewhere = {"cells": (cell.model_copy(update={"host": host}),)}
    for changes_of in ({"host": host}, elsewhere):  # of the run, in old records; of the boot
        moved = Account(now.record.model_copy(update=changes_of), now.folder, now.excerpts)
        found = compare(moved, before)
        assert not found.differences
        assert list(found.untimed.values()) == [("m-k-2n",)]
        assert any(line.startswith("times not compared: ") for line in as_text(found))


@pytest.mark.parametrize(
    ("before", "now", "slow"), [(15.0, 40.0, True), (15.0, 29.0, False), (2.0, 11.0, False)]
)
def test_a_boot_is_slow_by_processor_time_not_by_the_clock(
    before: float, now: float, slow: bool
) -> None:
    old = a_cell(guest_ran=before, guest_waited=1.0, seconds=10.0)
    new = a_cell(guest_ran=now, guest_waited=1.0, seconds=100.0)
    found = of(new, old)
    assert [one.now for one in found.of(Change.SLOW)] == (
        [f"{now:.1f} s of processor time"] if slow else []
    )


def test_a_boot_with_more_tests_is_not_slow() -> None:
    more = a_cell(guest_ran=90.0, cases=(a_case(), a_case("a.b")))
    assert not of(more, a_cell(guest_ran=15.0)).of(Change.SLOW)


def many(status: str, name: str) -> RunRecord:
    cases = tuple(a_case(f"a.t{number}", status, "why") for number in range(20))
    cells = (a_cell(f"m-k-{at}n", outcome="FAIL", cases=cases) for at in range(9))
    return a_run(*cells, name=name)


def test_a_test_that_fails_everywhere_is_one_line() -> None:
    now, before = (Account(many(status, status), Path()) for status in ("fail", "pass"))
    told = list(as_text(compare(now, before)))
    assert len(told) == 1 + 1 + 20 + 2
    assert "a.t0: pass: why -> fail: why (on m-k-0n, m-k-1n, m-k-2n, m-k-3n and 5 more)" in told[2]
    assert told[-1] == "FAIL: 180 newly failing"


def test_tests_that_went_together_are_one_line() -> None:
    now, before = (Account(many(status, status), Path()) for status in ("skip", "pass"))
    told = list(as_text(compare(now, before)))
    assert len(told) == 1 + 1 + 1 + 2
    assert "a.t0, a.t1, a.t2, a.t3 and 16 more (on m-k-0n" in told[2]


def test_a_boot_that_is_left_out_now_says_why() -> None:
    now = a_run(left_out=({"name": "m-k-2n", "reason": "one CPU"},))
    found = compare(Account(now, Path()), Account(a_run(GOOD), Path()))
    assert "  m-k-2n: PASS -> left out: one CPU" in list(as_text(found))


def test_what_a_compiler_said_at_length_is_one_line() -> None:
    told = list(as_text(of(a_cell(outcome="BUILD", reason="cannot build k\nlog: l"), GOOD)))
    assert "  m-k-2n: PASS -> BUILD: cannot build k" in told


def test_a_real_run_against_itself_is_the_same() -> None:
    found = compare(real(), real())
    assert not found.differences
    assert list(as_text(found))[-1] == "PASS: nothing changed"


def test_a_real_crash_against_the_same_without_it() -> None:
    now = real()
    [crashed] = [cell for cell in now.record.cells if cell.outcome == "CRASH"]
    cases = tuple(
        case.model_copy(update={"status": "pass", "reason": ""}) if case.status == "fail" else case
        for case in crashed.cases
    )
    healed = crashed.model_copy(update={"outcome": "PASS", "cases": cases, "complaints": ()})
    cells = tuple(healed if cell is crashed else cell for cell in now.record.cells)
    before = Account(now.record.model_copy(update={"cells": cells}), now.folder, now.excerpts)
    assert changes(compare(now, before)) == [
        (Change.FAILING, crashed.name, ""),
        (Change.FAILING, crashed.name, "user.failslab"),
    ]
    assert [change for change, *_ in changes(compare(before, now))] == [Change.PASSING] * 2


def test_as_data() -> None:
    data = as_data(of(BAD, GOOD))
    assert (data["outcome"], data["exit_code"]) == ("FAIL", 1)
    assert data["differences"] == [
        {
            "change": "failing",
            "cell": "m-k-2n",
            "case": "",
            "before": "PASS",
            "now": "CRASH: oops",
        }
    ]
