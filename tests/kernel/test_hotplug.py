# SPDX-License-Identifier: GPL-2.0
"""CPUs and memory that come and go, and CPUs that are left alone. The faults are in faults.toml."""

from __future__ import annotations

import pytest

from tests.kernel.images import Images

pytestmark = pytest.mark.kernel
MEMORY = ("--topology", "plugged", "--case", "user.memory_*", "--trim-ms", "200")
CPUS = ("--topology", "2n", "--case", "user.offline_*", "--trim-ms", "200")
ISOLATED = (
    *("--topology", "2n", "--case", "user.trim_isolated", "--trim-ms", "200"),
    *("--append", "isolcpus=2", "--append", "nohz_full=3"),
)


@pytest.mark.parametrize(
    ("words", "cases"),
    [
        (MEMORY, {"memory_returns", "memory_offline", "memory_home"}),
        (CPUS, {"offline_drains", "offline_trim", "offline_load", "offline_frees"}),
        (ISOLATED, {"trim_isolated"}),
    ],
)
def test_what_comes_may_go(sound: Images, words: tuple[str, ...], cases: set[str]) -> None:
    status, record = sound.boot(*words)
    assert status == 0, record["reason"]
    passed = {case["path"] for case in record["cells"][0]["cases"] if case["status"] == "pass"}
    assert passed == {"topology.shape", *(f"user.{case}" for case in cases)}
