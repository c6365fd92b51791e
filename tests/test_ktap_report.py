# SPDX-License-Identifier: GPL-2.0
"""A run as KTAP: our own reader finds the same tests with the same results in it."""

from pathlib import Path

import pytest

from harness.ktap import Status
from harness.record import CaseRecord
from harness.reports.account import Account
from harness.reports.ktap import ktap
from harness.results import Case, report
from tests.accounts import LEFT_OUT, a_case, a_cell, a_run, account, flaky, real

DIRECTIVES = ("skipped a page", "SKIP", "todo", "timeout after 3 s", "error: -12", "a # SKIP b")


def read(told: Account) -> list[Case]:
    found = report(ktap(told).splitlines())
    assert found.bail is None
    return found.cases


def expected(cell: str, case: CaseRecord) -> tuple[str, str]:
    status = "fail" if case.status == "missing" else case.status
    return f"{cell}.{case.path}", status


def test_a_real_run_is_read_back_as_it_was() -> None:
    told = real()
    wanted = [
        (*expected(cell.name, case), case.reason)
        for cell in told.record.cells
        for case in cell.cases
    ]
    assert [(case.path, case.status.value, case.reason) for case in read(told)] == wanted


@pytest.mark.parametrize("status", ["pass", "fail", "skip", "known", "missing"])
def test_each_status_with_a_reason(tmp_path: Path, status: str) -> None:
    outcome = "FAIL" if status in ("fail", "missing") else "PASS"
    case = a_case("a.b", status, "for 3 reasons")
    [found] = read(account(tmp_path, a_run(a_cell(outcome=outcome, cases=(case,)))))
    assert (found.path, found.status.value) == expected("m-k-2n", case)
    assert found.reason == "for 3 reasons"


@pytest.mark.parametrize("reason", DIRECTIVES)
@pytest.mark.parametrize("status", ["pass", "fail"])
def test_a_reason_is_not_taken_for_a_directive(tmp_path: Path, status: str, reason: str) -> None:
    cell = a_cell(outcome="FAIL", cases=(a_case("a.b", status, reason), a_case("c.d", "fail")))
    assert read(account(tmp_path, a_run(cell)))[0].status.value == status


def test_a_name_is_not_taken_for_a_directive(tmp_path: Path) -> None:
    cell = a_cell(outcome="FAIL", cases=(a_case("a.b # SKIP", "fail"),))
    [found] = read(account(tmp_path, a_run(cell)))
    assert found.status is Status.FAIL


def test_paths_nest_as_deep_as_they_are(tmp_path: Path) -> None:
    paths = ("a", "a.b.c", "a.b.d", "a.e", "f.g", "a.b.h", "a")
    cases = tuple(a_case(path, "fail" if path == "a.b.d" else "pass") for path in paths)
    told = account(tmp_path, a_run(a_cell(outcome="FAIL", cases=cases)))
    assert [case.path.removeprefix("m-k-2n.") for case in read(told)] == list(paths)
    assert "        ok 1 c" not in ktap(told)
    assert "      ok 1 c" in ktap(told)


def test_a_group_that_failed_as_such_stays_a_failure(tmp_path: Path) -> None:
    cases = (a_case("a.b"), a_case("a", "fail", "a second plan, for 3 tests"), a_case("a.c"))
    told = account(tmp_path, a_run(a_cell(outcome="FAIL", cases=cases)))
    assert [case.status.value for case in read(told)] == ["pass", "fail", "pass"]


@pytest.mark.parametrize("outcome", ["HOST", "BUILD", "BOOT", "TIMEOUT", None])
def test_a_boot_without_tests_is_not_ok(tmp_path: Path, outcome: str | None) -> None:
    told = account(tmp_path, a_run(a_cell(outcome=outcome, reason="so it is", cases=())))
    [found] = read(told)
    assert found.status is Status.FAIL
    assert "so it is" in found.reason
    assert ("# ERROR" in ktap(told)) == (outcome in ("HOST", None))


def test_a_boot_whose_tests_passed_and_that_did_not_is_not_ok(tmp_path: Path) -> None:
    found = read(account(tmp_path, a_run(a_cell(outcome="TIMEOUT", reason="silent"))))
    assert [(case.path, case.status.value) for case in found] == [
        ("m-k-2n.slabtest.one", "pass"),
        ("m-k-2n", "fail"),
    ]


def test_what_was_left_out_is_skipped_with_the_reason(tmp_path: Path) -> None:
    found = read(account(tmp_path, a_run(a_cell(), left_out=LEFT_OUT)))
    assert [(case.path, case.reason) for case in found if case.status is Status.SKIP] == [
        ("m-up-2n", "left out: one CPU"),
        ("m-k-altix", "left out: no room"),
        ("m-up-4n", "left out: one CPU"),
    ]


def test_a_flaky_boot_is_not_ok_and_says_why(tmp_path: Path) -> None:
    told = account(tmp_path, a_run(flaky()))
    assert [case.status.value for case in read(told)] == ["fail", "pass"]
    assert "\nnot ok 1 m-k-2n # FLAKY, passed only on repeat (FAIL, PASS)" in ktap(told)


def test_a_run_that_came_to_no_boot_is_not_ok(tmp_path: Path) -> None:
    [found] = read(account(tmp_path, a_run(outcome="TREE", reason="no place")))
    assert (found.status, found.reason) == (Status.FAIL, "TREE: no place")
