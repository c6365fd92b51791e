# SPDX-License-Identifier: GPL-2.0
"""Saved console logs, each with the verdict it must get (tests/data/logs/expected.toml)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.complaint import complaints
from harness.ktap import Status
from harness.results import BAD
from harness.skim import heard_in
from harness.verdict import Boot, Verdict, judge_heard

LOGS = Path(__file__).parent / "data" / "logs"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((LOGS / "expected.toml").read_text())


def verdict_on(name: str) -> Verdict:
    """As `slqb parse` gives it."""
    return judge_heard(heard_in(str(LOGS / f"{name}.log")), Boot(()))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_log_gets_its_verdict(name: str) -> None:
    expected, verdict = EXPECTED[name], verdict_on(name)
    counts = {status.value: verdict.count(status) for status in Status}
    assert verdict.outcome.name == expected["outcome"], verdict.reason
    assert {word: number for word, number in counts.items() if number} == expected["counts"]
    bad = [case.path for case in verdict.cases if case.status in BAD]
    assert bad == expected.get("bad", [])
    told = [
        f"{charge.complaint.kind.value} {charge.path or '-'}{' +' * charge.expected}"
        for charge in verdict.charges
    ]
    assert told == expected.get("complaints", [])


def test_every_log_has_an_expected_verdict() -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == set(EXPECTED)


def test_a_verdict_that_is_no_pass_has_a_reason() -> None:
    for name, expected in EXPECTED.items():
        assert bool(verdict_on(name).reason) == (expected["outcome"] != "PASS"), name


def told_in(name: str) -> list[str]:
    """What the kernel says in the second test of a log."""
    lines = (LOGS / f"{name}.log").read_text().splitlines()
    begin, end = "    # start: two", "    ok 2 two"
    if begin not in lines or end not in lines:
        return []
    return lines[lines.index(begin) + 1 : lines.index(end)]


def kinds(lines: list[str]) -> list[str]:
    return [complaint.kind.value for complaint in complaints(lines)]


REPORTS = sorted(name for name in EXPECTED if len(kinds(told_in(name))) == 1)
"""Logs whose second test is one report."""


def test_most_logs_with_a_complaint_are_reports() -> None:
    assert len(REPORTS) > 70


@pytest.mark.parametrize("name", [name for name in REPORTS if kinds(told_in(name)) != ["fragment"]])
def test_a_report_twice_is_two_complaints(name: str) -> None:
    report = told_in(name)
    assert kinds([*report, *report]) == kinds(report) * 2
    between = ["    ok 2 two", "    # start: three"]
    assert kinds([*report, *between, *report]) == kinds(report) * 2


@pytest.mark.parametrize("name", REPORTS)
def test_results_in_a_report_make_no_more_of_it(name: str) -> None:
    """Whatever comes after them belongs to the test that ran when it began."""
    report = told_in(name)
    for at in range(1, len(report)):
        lines = [*report[:at], "    ok 2 two", "    # start: three", *report[at:], "    ok 3 three"]
        assert kinds(lines) == kinds(report), report[at]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_cut_off_anywhere_is_one_complaint(name: str) -> None:
    report = told_in(name)
    first = next(at for at in range(1, len(report) + 1) if kinds(report[:at]))
    for at in range(first, len(report)):
        assert len(kinds(report[:at])) == 1, report[at - 1]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_without_its_beginning_is_one_complaint_at_most(name: str) -> None:
    """Or one for each of its headlines, as what joins them may be lost."""
    report = told_in(name)
    [whole] = complaints(report)
    for at in range(1, len(report)):
        assert len(kinds(report[at:])) <= 1 + len(whole.heads), report[at]
