# SPDX-License-Identifier: GPL-2.0
"""A kernel with a distribution's programs at work: a minute, and ten in a soak.

The guest judges (tests/guest/busy.c): nothing may be lost, and the books must agree. The minute is
spent on the kernel with all checks, which `make test` builds anyway. The ten are spent on a
kernel with the options of a distribution, with SLQB and with SLUB.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.kernel import KernelSpec
from tests.kernel.conftest import CHECKED, Pack

pytestmark = pytest.mark.kernel
CASE = "user.busy"
MOST = {"quick": 600, "soak": 3600}


def busy(spec: KernelSpec, scale: str, pack: Pack) -> dict[str, Any]:
    """Boot a kernel for this one case; the case passes. Returns the record."""
    images = pack(spec)
    files = ("--kernel", images.kernel, "--initramfs", images.initramfs)
    words = ("--suite", "guest", "--case", CASE, "--scale", scale, "--trim-ms", "200")
    done = subprocess.run(
        [Path(sys.executable).with_name("slqb"), "boot", *files, "--json", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST[scale],
        check=False,
    )
    assert done.stdout, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0, record["reason"]
    [cell] = record["cells"]
    assert {case["path"]: case["status"] for case in cell["cases"]}[CASE] == "pass"
    return record


@pytest.mark.long
def test_a_minute_of_work_leaves_nothing_behind(pack: Pack) -> None:
    busy(KernelSpec(config=CHECKED), "quick", pack)


@pytest.mark.soak
@pytest.mark.parametrize("allocator", ["slqb", "slub"])
def test_ten_minutes_of_work_leave_nothing_behind(allocator: str, pack: Pack) -> None:
    busy(KernelSpec(allocator=allocator, config="distro"), "soak", pack)
