# SPDX-License-Identifier: GPL-2.0
"""Saved console logs, each with the verdict it must get (tests/data/logs/expected.toml)."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

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
