# SPDX-License-Identifier: GPL-2.0
"""A verdict as people and as programs read it; what `parse`, `boot` and `run` print alike."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from harness.errors import Outcome
from harness.ktap import Status
from harness.results import BAD, Case
from harness.verdict import Charge, Verdict

PARTICULARS = re.compile(
    r"\bCPU(?:: |#)\d+|\bPID: \d+|\b(?:0x)?[0-9a-f]{8,16}\b|\bfor (?:more than )?\d+ ?s\w*"
    r"|(?<=\bcount = )\d+|\[#\d+\]|\[[^\s\[\]]+:\d+\]",
    re.IGNORECASE,
)
"""What differs between complaints that are equal: processors, processes, addresses, times."""
MARKS = {
    Status.PASS: "ok",
    Status.FAIL: "FAILED",
    Status.SKIP: "skipped",
    Status.KNOWN: "known to fail",
    Status.MISSING: "MISSING",
}
ORDER = (Status.PASS, Status.FAIL, Status.MISSING, Status.SKIP, Status.KNOWN)
WORDS = {
    Status.PASS: "passed",
    Status.FAIL: "failed",
    Status.MISSING: "missing",
    Status.SKIP: "skipped",
    Status.KNOWN: "known to fail",
}


def as_text(verdict: Verdict, *, every_case: bool = True) -> Iterator[str]:
    """The cases, the complaints, and the verdict last."""
    for case in verdict.cases:
        if every_case or case.status in BAD:
            yield _case_line(case)
    for charges in folded(verdict.complaints):
        yield _charge_line(*charges)
    yield verdict_line(verdict)


def folded(charges: Iterable[Charge]) -> Iterator[list[Charge]]:
    """Equal complaints together, in the order of the first of each: those of one kind, of one
    test, that say the same but for who, where and how long."""
    groups: dict[tuple[str, ...], list[Charge]] = {}
    for charge in charges:
        complaint = charge.complaint
        what = PARTICULARS.sub(" ", complaint.headline)
        key = (complaint.kind.value, charge.path, what, *complaint.heads[:1])
        groups.setdefault(key, []).append(charge)
    yield from groups.values()


def verdict_line(verdict: Verdict) -> str:
    """One line that says it all."""
    told = counts(verdict)
    return f"{verdict.outcome.name}: " + (
        told if verdict.outcome is Outcome.PASS else f"{verdict.reason} ({told})"
    )


def counts(verdict: Verdict) -> str:
    """How many cases came out how."""
    numbers = ((verdict.count(status), WORDS[status]) for status in ORDER)
    told = [f"{number} {word}" for number, word in numbers if number]
    if complaints := len(verdict.complaints):
        told.append(f"{complaints} complaint{'s' * (complaints > 1)}")
    return ", ".join(told) or "no tests"


def as_data(verdict: Verdict) -> dict[str, Any]:
    """The verdict for JSON; lines are counted from 1 there."""
    return {
        "outcome": verdict.outcome.name,
        "exit_code": verdict.outcome.exit_code,
        "reason": verdict.reason,
        "counts": {status.value: verdict.count(status) for status in Status},
        "cases": case_data(verdict),
        "complaints": complaint_data(verdict),
    }


def case_data(verdict: Verdict) -> list[dict[str, Any]]:
    """The cases for JSON."""
    return [_case_data(case) for case in verdict.cases]


def complaint_data(verdict: Verdict) -> list[dict[str, Any]]:
    """The complaints for JSON."""
    return [_charge_data(charge) for charge in verdict.charges]


def _case_line(case: Case) -> str:
    reason = f": {case.reason}" if case.reason else ""
    return f"{MARKS[case.status]:>13}  {case.path}{reason}"


def _charge_line(charge: Charge, *equal: Charge) -> str:
    complaint = charge.complaint
    where = f" in {charge.path}" if charge.path else ""
    times = f" ({1 + len(equal)} times)" if equal else ""
    at = f"line {complaint.first + 1}{where}"
    return f"{complaint.kind.value:>13}  {at}: {complaint.headline}{times}"


def _case_data(case: Case) -> dict[str, Any]:
    return {
        "path": case.path,
        "status": case.status.value,
        "reason": case.reason,
        "lines": [case.first + 1, case.last + 1],
    }


def _charge_data(charge: Charge) -> dict[str, Any]:
    complaint = charge.complaint
    return {
        "kind": complaint.kind.value,
        "headline": complaint.headline,
        "said": complaint.heads,
        "path": charge.path,
        "expected": charge.expected,
        "lines": [complaint.first + 1, complaint.last + 1],
    }
