# SPDX-License-Identifier: GPL-2.0
"""JUnit XML, against the schema of Jenkins' own plugin, and read back by another parser."""

from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest
import xmlschema

from harness.record import CellRecord, RunRecord
from harness.reports.account import Account
from harness.reports.junit import junit
from tests.accounts import LEFT_OUT, NASTY, a_case, a_cell, a_complaint, a_run, account, flaky, real
from tests.conftest import DATA

CONSOLE = ("one", "two", "# start: one", "not ok 1 one", "BUG: bad", "Call Trace:", "end")


@cache
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(DATA / "junit-10.xsd")


def written(of: Account) -> Element:
    """The XML, which must agree with the schema."""
    text = junit(of)
    schema().validate(text)
    return fromstring(text)


def of(tmp_path: Path, *cells: CellRecord, **more: object) -> Element:
    return written(account(tmp_path, a_run(*cells, **more), CONSOLE))  # type: ignore[arg-type]


def test_a_real_run() -> None:
    told = real()
    root = written(told)
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == [cell.name for cell in told.record.cells]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("204", "1", "0")
    crashed = suites["x86_64-slqb-debug-4n"]
    assert [one.get("name") for one in crashed.iter("testcase") if len(one)].count("failslab") == 1
    [failure] = crashed.iter("failure")
    assert "dump_stack" in str(failure.text)
    assert float(crashed.get("time", "")) == 217.433
    properties = {one.get("name"): one.get("value", "") for one in crashed.iter("property")}
    assert properties["seed"] == "2245435115"
    assert properties["topology"] == "4n"
    assert properties["allocator"] == "slqb"
    assert properties["config"] == "debug"
    assert properties["accelerator"] == "tcg"
    assert properties["repeat"].endswith("--trim-ms 200 --case user.failslab")


def test_tests_have_a_class_and_a_time(tmp_path: Path) -> None:
    [case] = of(tmp_path, a_cell()).iter("testcase")
    told = (case.get("classname"), case.get("name"), case.get("time"))
    assert told == ("m-k-2n.slabtest", "one", "1.0")


@pytest.mark.parametrize(
    ("status", "tag", "message"),
    [
        ("fail", "failure", "why"),
        ("missing", "error", "why"),
        ("skip", "skipped", "why"),
        ("known", "skipped", "known to fail: why"),
    ],
)
def test_each_status_has_its_element(tmp_path: Path, status: str, tag: str, message: str) -> None:
    outcome = "PASS" if tag == "skipped" else "FAIL"
    cell = a_cell(outcome=outcome, cases=(a_case(status=status, reason="why"), a_case("a.b")))
    root = of(tmp_path, cell)
    [found] = root.iter(tag)
    assert found.get("message") == message
    assert root.get("tests") == "2"


@pytest.mark.parametrize(
    "outcome", ["HOST", "BOOT", "BUILD", "TREE", "TIMEOUT", "CRASH", "INTERRUPTED", None]
)
def test_a_boot_without_tests_is_an_error(tmp_path: Path, outcome: str | None) -> None:
    root = of(tmp_path, a_cell(outcome=outcome, reason="why it is so", cases=(), folder=""))
    [error] = root.iter("error")
    assert "why it is so" in error.get("message", "")
    assert (root.get("errors"), root.get("tests")) == ("1", "1")


def test_what_the_host_spoilt_is_an_error_whatever_its_tests_said(tmp_path: Path) -> None:
    cases = (a_case(status="missing"), a_case("a.b"), a_case("a.c", "fail", "stalled"))
    root = of(tmp_path, a_cell(outcome="HOST", cases=cases))
    assert [one.get("type") for one in root.iter("error")] == ["missing", "missing", "host"]
    assert not list(root.iter("failure"))
    assert "the host spoilt the boot, which said: stalled" in tostring(root).decode()


def test_a_boot_that_failed_with_no_failed_test_is_no_pass(tmp_path: Path) -> None:
    [error] = of(tmp_path, a_cell(outcome="TIMEOUT", reason="silent")).iter("error")
    assert (error.get("type"), error.get("message")) == ("timeout", "TIMEOUT: silent")


def test_a_complaint_is_charged_to_the_test_that_was_running(tmp_path: Path) -> None:
    case = a_case(status="fail", reason="the kernel complained: BUG: bad")
    cell = a_cell(outcome="CRASH", cases=(case,), complaints=(a_complaint(path="slabtest.one"),))
    root = of(tmp_path, cell)
    [failure] = root.iter("failure")
    assert "Call Trace" in str(failure.text)
    assert root.get("errors") == "0"


def test_a_complaint_between_the_tests_is_an_error_of_its_own(tmp_path: Path) -> None:
    [error] = of(tmp_path, a_cell(outcome="CRASH", complaints=(a_complaint(),))).iter("error")
    assert (error.get("type"), error.get("message")) == ("bug", "BUG: bad")
    assert "Call Trace" in str(error.text)


def test_a_flaky_boot_is_no_pass_and_says_so(tmp_path: Path) -> None:
    root = of(tmp_path, flaky())
    [failure] = root.iter("failure")
    assert failure.get("message", "").startswith("flaky, a repeat passed: ")
    assert {one.get("value") for one in root.iter("property") if one.get("name") == "flaky"} == {
        "true"
    }


def test_a_flaky_boot_whose_tests_all_passed_is_no_pass_either(tmp_path: Path) -> None:
    [error] = of(tmp_path, flaky(outcome="TIMEOUT", cases=(a_case(),))).iter("error")
    assert "FLAKY" in error.get("message", "")


def test_a_run_that_came_to_no_boot_is_an_error(tmp_path: Path) -> None:
    [error] = of(tmp_path, outcome="TREE", reason="no place").iter("error")
    assert error.get("message") == "TREE: no place"


def test_what_was_left_out_is_skipped_with_the_reason(tmp_path: Path) -> None:
    root = of(tmp_path, a_cell(), left_out=LEFT_OUT)
    assert [one.get("message") for one in root.iter("skipped")] == ["one CPU", "no room", "one CPU"]
    assert root.get("tests") == "4"


def test_what_xml_forbids_does_not_get_into_it(tmp_path: Path) -> None:
    bad = f"{NASTY}\x00\x01\x1b\ufffe\x0b"
    cell = a_cell("m-k-2n", "FAIL", cases=(a_case(f"a.{bad}", "fail", bad),), reason=bad)
    root = of(tmp_path, cell.model_copy(update={"cmdline": (bad,)}))
    [failure] = root.iter("failure")
    assert NASTY in failure.get("message", "")
    assert "\ufffd" in failure.get("message", "")


def test_a_console_of_megabytes_makes_no_xml_of_megabytes(tmp_path: Path) -> None:
    cases = tuple(a_case(f"a.{number}", "fail") for number in range(100))
    told = account(tmp_path, a_run(a_cell(outcome="FAIL", cases=cases)), ["x" * 1000] * 20_000)
    assert len(junit(told)) < 200_000


def test_a_run_that_still_goes_on_is_no_pass(tmp_path: Path) -> None:
    running = a_run(a_cell(outcome=None, status="running", cases=()), outcome=None)
    record = RunRecord.model_validate({**running.model_dump(by_alias=True), "status": "running"})
    [error] = written(account(tmp_path, record)).iter("error")
    assert error.get("message") == "RUNNING"
