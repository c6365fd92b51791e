# SPDX-License-Identifier: GPL-2.0
"""The product, run as its users run it: kernels built, booted and judged, and all is well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.cases import guest_cases
from tests.kernel.conftest import CHECKED

pytestmark = [pytest.mark.kernel, pytest.mark.long]

SHOWN = {
    "slabinfo_bytes", "slqbinfo_activity", "slqbinfo_options", "slqbinfo_report",
    "slqbinfo_totals", "sysfs_alias", "sysfs_attributes", "sysfs_lifecycle", "sysfs_marks",
    "sysfs_shrink", "sysfs_slab", "sysfs_validate",
}  # fmt: skip
"""Cases about what SLQB shows of itself."""
COUNTED = {"stats_format", "stats_identities", "sysfs_freebatch"}
"""Cases that need its counters."""
RUNS = {
    "lean": (("--config", "lean", "--topology", "4n,memoryless"), SHOWN),
    # each test that any topology will do for runs on one of the two
    "debug": (
        ("--config", CHECKED, "--topology", "2n,memoryless", "--scale", "brief"),
        SHOWN | COUNTED,
    ),
}
"""What is run, and the cases of user space that must not be skipped."""
OTHERS = ("slub", "slab", "slob")


def run(*words: str) -> tuple[int, dict[str, Any]]:
    """The exit status of `slqb run`, and its record. A trim period of its own saves waiting."""
    done = subprocess.run(
        [Path(sys.executable).with_name("slqb"), "run", "--json", "--trim-ms", "200", *words],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("name", RUNS)
def test_run_passes(name: str) -> None:
    record = see_it_pass(*RUNS[name])
    if "brief" in RUNS[name][0]:
        share_what_any_topology_will_do_for(record)


def share_what_any_topology_will_do_for(record: dict[str, Any]) -> None:
    """What any topology will do for ran in one of two boots, and the rest in both."""
    first, second = (
        {case["path"] for case in cell["cases"] if case["reason"] != "another topology's"}
        for cell in record["cells"]
    )
    assert first | second >= set(guest_cases())
    assert "user.oom" in first ^ second
    assert "slabtest.kmalloc_sizes" in first ^ second
    assert {"topology.shape", "user.queue_bound", "slabtest.node_local"} <= first & second


@pytest.mark.soak
@pytest.mark.parametrize("allocator", OTHERS)
def test_the_same_tests_pass_on_other_allocators(allocator: str) -> None:
    see_it_pass(("--allocator", allocator, "--topology", "2n"), set())


def see_it_pass(words: tuple[str, ...], needed: set[str]) -> dict[str, Any]:
    """Run SLQB with these words: all is well, and the cases of user space in `needed` passed.

    Returns the record.
    """
    status, record = run(*words)
    assert status == 0, record["reason"]
    assert record["outcome"] == "PASS"
    dealt = "brief" in words
    needed = {f"user.{case}" for case in needed} | {"slabtest.kmalloc_sizes"}
    everywhere = set[str]()
    for cell in record["cells"]:
        assert cell["outcome"] == "PASS"
        assert all(complaint["expected"] for complaint in cell["complaints"])
        assert {case["status"] for case in cell["cases"]} <= {"pass", "skip"}
        passed = {case["path"] for case in cell["cases"] if case["status"] == "pass"}
        assert dealt or passed >= needed
        everywhere |= passed
    assert everywhere >= needed
    return record


def test_a_boot_keeps_the_trim_period_of_the_allocator() -> None:
    status, record = run("--case", "user.trim_*", "--topology", "2n", "--trim-ms", "3000")
    assert status == 0, record["reason"]
