# SPDX-License-Identifier: GPL-2.0
"""The tree's own kunit_tool and `slqb parse` on the logs that the tree keeps for it.

Where the two differ, the decision is in tests/data/kunit_logs.toml.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.ktap import Status
from harness.places import Places
from harness.skim import heard_in
from harness.tree import Tree, pristine
from harness.verdict import Boot, judge_heard
from tests.conftest import DATA

pytestmark = pytest.mark.tree

DECIDED: dict[str, dict[str, Any]] = tomllib.loads((DATA / "kunit_logs.toml").read_text())
SAME = {
    "SUCCESS": "PASS",
    "FAILURE": "FAIL",
    "TEST_CRASHED": "CRASH",
    "NO_TESTS": "BOOT",
    "FAILURE_TO_PARSE_TESTS": "BOOT",
}
"""What kunit_tool calls an outcome, and what we call it."""
COUNTS = {"passed": "pass", "failed": "fail", "crashed": "missing", "skipped": "skip"}
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import kunit_parser
told = {}
for name in sys.argv[2:]:
    with open(name, encoding="utf-8") as log:
        test = kunit_parser.parse_run_tests(log.read().splitlines())
    told[name] = [test.status.name, vars(test.counts)]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def tool(linux: Tree, real_places: Places) -> Path:
    """The tree's kunit_tool."""
    return pristine(linux, real_places) / "tools" / "testing" / "kunit"


@pytest.fixture(scope="module")
def theirs(tool: Path) -> dict[str, tuple[str, dict[str, int]]]:
    """What kunit_tool says of each log: status and counts."""
    logs = sorted((tool / "test_data").glob("*.log"))
    said = subprocess.run(
        [sys.executable, "-B", "-c", ASK, tool, *logs],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()[-1]
    return {Path(log).stem: (status, counts) for log, (status, counts) in json.loads(said).items()}


def test_each_log_gets_the_same_verdict_or_one_that_was_decided(
    tool: Path, theirs: dict[str, tuple[str, dict[str, int]]]
) -> None:
    assert len(theirs) > 20
    for name, (status, counts) in theirs.items():
        verdict = judge_heard(heard_in(str(tool / "test_data" / f"{name}.log")), Boot(()))
        ours = {one.value: verdict.count(one) for one in Status if verdict.count(one)}
        same = {
            COUNTS[word]: number for word, number in counts.items() if word in COUNTS and number
        }
        decided = DECIDED.get(name, {})
        wanted = (decided.get("outcome", SAME.get(status)), decided.get("counts", same))
        assert (verdict.outcome.name, ours) == wanted, name


def test_every_decision_is_about_a_difference(
    theirs: dict[str, tuple[str, dict[str, int]]],
) -> None:
    for name, decided in DECIDED.items():
        assert decided["why"]
        assert decided["outcome"] != SAME.get(theirs[name][0]), name
