# SPDX-License-Identifier: GPL-2.0
"""JUnit's XML, as GitLab, GitHub's actions and Jenkins read it.

A boot is a testsuite, a test a testcase: failed is a failure, begun and never ended an error.
What concerns no test (the kernel complained between tests, the boot came to no test, the host
spoilt it) is an error in a testcase of its own, so that it counts wherever only testcases do. A
flaky boot keeps its failures; their messages say that a repeat passed.

Written with junitparser, which knows the elements, their order and their attributes.
"""

import re

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.errors import Outcome
from harness.record import CaseRecord, CellRecord
from harness.reports.account import (
    Account,
    Standing,
    complaints,
    facts,
    is_bad,
    standing,
    tests_of,
    why,
)
from harness.repro import failing

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What cannot stand in XML, not even escaped."""
NOWHERE, BOOT = "between the tests", "boot"
"""Names of testcases for what is nobody's."""


def junit(account: Account) -> str:
    """The run as JUnit XML."""
    xml = JUnitXml(_legal(f"slqb {account.record.name}"))
    for cell in account.record.cells:
        xml.append(_suite(account, cell))
    if not account.record.cells:
        xml.append(_empty(account))
    if account.record.left_out:
        xml.append(_left_out(account))
    suites = list(xml)
    xml.tests = sum(suite.tests for suite in suites)
    xml.failures = sum(suite.failures for suite in suites)
    xml.errors = sum(suite.errors for suite in suites)
    xml.time = account.record.seconds
    written: bytes = xml.tostring()
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{written.decode()}\n'


def _suite(account: Account, cell: CellRecord) -> TestSuite:
    suite = TestSuite(_legal(cell.name))
    for name, value in facts(account, cell):
        suite.add_property(_legal(name), _legal(value))
    suite.add_property("outcome", cell.outcome or cell.status)
    suite.add_property("flaky", "true" if cell.flaky else "false")
    suite.add_property("repeat", _legal(account.repeat(cell, failing(cell))))
    cases = [_case(account, cell, case) for case in tests_of(cell)]
    cases += _nobodys(account, cell)
    told = any(one.is_error or one.is_failure for one in cases)
    if standing(cell) is Standing.UNKNOWN or (standing(cell) is not Standing.GOOD and not told):
        cases.append(_boot(account, cell))
    suite.add_testcases(cases)
    suite.time, suite.timestamp = cell.seconds, _legal(account.record.started)
    suite.hostname = _legal(account.record.host.machine)
    return suite


def _case(account: Account, cell: CellRecord, case: CaseRecord) -> TestCase:
    found = account.excerpt(cell)
    group, _, name = case.path.rpartition(".")
    one = _named(cell, name, group)
    if (seconds := found.seconds(case.lines)) is not None:
        one.time = seconds
    message = _legal(_flaky(cell) + (case.reason or "not ok"))
    if case.status in ("skip", "known"):
        reason = case.reason if case.status == "skip" else f"known to fail: {case.reason}"
        one.result = [Skipped(_legal(reason))]
    elif is_bad(case):
        result = Failure(message, "fail") if case.status == "fail" else Error(message, "missing")
        result.text = _legal(found.text(found.between(_span(cell, case))))
        one.result = [result]
    return one


def _span(cell: CellRecord, case: CaseRecord) -> tuple[int, int]:
    """The lines of a test, and of the complaints that it is charged with."""
    mine = [one.lines for one in complaints(cell) if one.path == case.path]
    firsts, lasts = zip(case.lines, *mine, strict=True)
    return min(firsts), max(lasts)


def _nobodys(account: Account, cell: CellRecord) -> list[TestCase]:
    """The complaints that no test is charged with."""
    known = {case.path for case in cell.cases}
    found = account.excerpt(cell)
    cases = []
    for number, complaint in enumerate(complaints(cell), 1):
        if complaint.path in known:
            continue
        one = _named(cell, f"complaint {number} ({complaint.kind})", complaint.path or NOWHERE)
        result = Error(_legal(_flaky(cell) + complaint.headline), _legal(complaint.kind))
        said = (*complaint.decoded, found.text(found.between(complaint.lines)))
        result.text = _legal("\n".join(said))
        one.result = [result]
        cases.append(one)
    return cases


def _boot(account: Account, cell: CellRecord) -> TestCase:
    """What there is to say of a boot that no test says."""
    one = _named(cell, BOOT, "")
    kind = (cell.outcome or Outcome.INTERRUPTED.name).lower()
    result = Error(_legal(why(cell)), kind)
    result.text = _legal(account.excerpt(cell).text())
    one.result, one.time = [result], cell.seconds
    return one


def _empty(account: Account) -> TestSuite:
    """A run that came to no boot is no pass."""
    record = account.record
    suite = TestSuite(_legal(record.name))
    one = TestCase("run", _legal(record.name), record.seconds)
    head = record.outcome or record.state
    one.result = [Error(_legal(f"{head}: {record.reason or 'no boot'}"), head.lower())]
    suite.add_testcase(one)
    return suite


def _left_out(account: Account) -> TestSuite:
    """What was asked for and cannot be."""
    suite = TestSuite("left out")
    for left_out in account.record.left_out:
        one = TestCase(_legal(left_out.name), "left out", 0.0)
        one.result = [Skipped(_legal(left_out.reason))]
        suite.add_testcase(one)
    return suite


def _named(cell: CellRecord, name: str, group: str) -> TestCase:
    return TestCase(_legal(name), _legal(f"{cell.name}.{group}" if group else cell.name))


def _flaky(cell: CellRecord) -> str:
    return "flaky, a repeat passed: " if cell.flaky else ""


def _legal(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
