# SPDX-License-Identifier: GPL-2.0
"""KernelCI's form: it agrees with the schema of kcidb-io, and says the same as the run."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kcidb_io.schema import LATEST

from harness.errors import UserError
from harness.record import CellRecord
from harness.reports.account import Account
from harness.reports.kcidb import EXCERPT, checked_origin, kcidb
from tests.accounts import NASTY, a_case, a_cell, a_complaint, a_run, account, flaky, real

CONSOLE = ("one", "two", "# start: one", "not ok 1 one", "BUG: bad", "Call Trace:", "end")

LONG = ["x" * 290] * 5000


def read(told: Account) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(kcidb(told))
    assert LATEST.is_valid_exactly(data)
    assert LATEST.is_valid(data)
    return data


def made(tmp_path: Path, *cells: CellRecord, **more: object) -> dict[str, Any]:
    return read(account(tmp_path, a_run(*cells, **more), CONSOLE))  # type: ignore[arg-type]


def boots(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [test for test in data["tests"] if test["path"] == "slqb.boot"]


def test_a_real_run() -> None:
    told = real()
    data = read(told)
    assert len(data["tests"]) == 3 + sum(len(cell.cases) for cell in told.record.cells)
    assert Counter(test["status"] for test in data["tests"]) == {"PASS": 193, "FAIL": 2, "SKIP": 12}
    assert [build["config_name"] for build in data["builds"]] == ["lean", "debug"]
    [issue], [incident] = data["issues"], data["incidents"]
    assert incident["issue_id"] == issue["id"]
    assert incident["test_id"].endswith("x86_64-slqb-debug-4n/user.failslab")
    assert issue["categories"] == ["runtime.stack"]


def test_everything_refers_to_something_that_is_there(tmp_path: Path) -> None:
    cell = a_cell(outcome="CRASH", complaints=(a_complaint(), a_complaint(path="slabtest.one")))
    data = made(tmp_path, cell, a_cell("m-x-2n"))
    checkouts, builds, tests, issues = (
        {one["id"] for one in data[kind]} for kind in ("checkouts", "builds", "tests", "issues")
    )
    assert {one["checkout_id"] for one in data["builds"]} <= checkouts
    assert {one["build_id"] for one in data["tests"]} <= builds
    assert {one["test_id"] for one in data["incidents"]} <= tests
    assert {one["issue_id"] for one in data["incidents"]} <= issues
    assert len(tests) == len(data["tests"])


def test_complaints_that_differ_in_numbers_only_are_one_issue(tmp_path: Path) -> None:
    complaints = (a_complaint("BUG: at 0xffff1234 by 12"), a_complaint("BUG: at 0xffff5678 by 99"))
    data = made(tmp_path, a_cell(outcome="CRASH", complaints=complaints))
    assert (len(data["issues"]), len(data["incidents"])) == (1, 2)


@pytest.mark.parametrize(
    ("status", "told"),
    [("pass", "PASS"), ("fail", "FAIL"), ("skip", "SKIP"), ("known", "DONE"), ("missing", "ERROR")],
)
def test_each_status(tmp_path: Path, status: str, told: str) -> None:
    data = made(tmp_path, a_cell(outcome="FAIL", cases=(a_case(status=status),)))
    assert [test["status"] for test in data["tests"]] == ["FAIL", told]


@pytest.mark.parametrize("outcome", ["HOST", "INTERRUPTED", None])
def test_what_nobody_knows_is_missing_and_nothing_else(tmp_path: Path, outcome: str | None) -> None:
    cases = (a_case(status="fail"), a_case("a.b"))
    cell = a_cell(outcome=outcome, cases=cases, complaints=(a_complaint(path="slabtest.one"),))
    data = made(tmp_path, cell)
    assert [test["status"] for test in data["tests"]] == ["MISS", "ERROR", "PASS"]
    assert "issues" not in data
    assert "incidents" not in data


def test_a_flaky_boot_failed(tmp_path: Path) -> None:
    [boot] = boots(made(tmp_path, flaky()))
    assert (boot["status"], boot["misc"]["flaky"]) == ("FAIL", True)
    assert [one["outcome"] for one in boot["misc"]["attempts"]] == ["FAIL", "PASS"]


def test_a_kernel_that_could_not_be_built_is_a_build_that_failed(tmp_path: Path) -> None:
    data = made(tmp_path, a_cell(outcome="BUILD", reason="error: x", cases=()), kernels=())
    [build] = data["builds"]
    assert (build["status"], build["comment"]) == ("FAIL", "BUILD: error: x")
    assert data["tests"] == []


def test_names_that_the_schema_does_not_take_are_made_to_fit(tmp_path: Path) -> None:
    cases = (a_case("a b.c/d", reason=f"{NASTY}\0"), a_case("e..f"))
    paths = [test["path"] for test in made(tmp_path, a_cell(cases=cases))["tests"]]
    assert paths == ["slqb.boot", "slqb.a_b.c_d", "slqb.e._.f"]


def test_every_test_has_an_id_of_its_own(tmp_path: Path) -> None:
    cases = (a_case("boot"), a_case("a.b"), a_case("a.b", "fail"))
    tests = made(tmp_path, a_cell(outcome="FAIL", cases=cases))["tests"]
    assert len({test["id"] for test in tests}) == len(tests) == 4


def test_no_excerpt_is_longer_than_allowed(tmp_path: Path) -> None:
    long = a_complaint().model_copy(update={"lines": (5, 500)})
    data = read(account(tmp_path, a_run(a_cell(outcome="CRASH", complaints=(long,))), LONG))
    assert len(boots(data)[0]["log_excerpt"]) == EXCERPT


def test_the_name_of_the_ci_system(tmp_path: Path) -> None:
    assert checked_origin("my_ci") == "my_ci"
    with pytest.raises(UserError, match="small letters"):
        checked_origin("My CI")
    data = json.loads(kcidb(account(tmp_path, a_run(a_cell())), "my_ci"))
    assert {test["origin"] for test in data["tests"]} == {"my_ci"}
    assert all(test["id"].startswith("my_ci:") for test in data["tests"])
