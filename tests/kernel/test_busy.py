# SPDX-License-Identifier: GPL-2.0
"""A kernel with a distribution's programs at work: a minute with all checks, and ten minutes.

The guest judges (tests/guest/busy.c): nothing may be lost, and the books must agree. `default` has
twenty seconds of it, on a kernel with the options of a distribution.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.kernel import KernelSpec
from tests.kernel.conftest import Pack

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.soak,
    pytest.mark.needs("stress-ng"),
    pytest.mark.needs("hackbench"),
]
CASE = "user.busy"
MOST = 3600
"""Seconds after which `slqb boot` is given up."""


def busy(spec: KernelSpec, scale: str, pack: Pack) -> None:
    """Boot a kernel for this one case; the case passes."""
    images = pack(spec)
    files = ("--kernel", images.kernel, "--initramfs", images.initramfs)
    words = ("--suite", "guest", "--case", CASE, "--scale", scale, "--trim-ms", "200")
    done = subprocess.run(
        [Path(sys.executable).with_name("slqb"), "boot", *files, "--json", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST,
        check=False,
    )
    assert done.stdout, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, record["reason"]
    [cell] = record["cells"]
    assert {case["path"]: case["status"] for case in cell["cases"]}[CASE] == "pass"


def test_a_minute_of_work_with_all_checks_leaves_nothing_behind(pack: Pack) -> None:
    busy(KernelSpec(config="debug+busy"), "quick", pack)


@pytest.mark.parametrize("allocator", ["slqb", "slub"])
def test_ten_minutes_of_work_leave_nothing_behind(allocator: str, pack: Pack) -> None:
    busy(KernelSpec(allocator=allocator, config="distro"), "soak", pack)
