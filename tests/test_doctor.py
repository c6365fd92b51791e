# SPDX-License-Identifier: GPL-2.0
"""The doctor: a lack is a finding, and only what the main job needs makes it exit 8."""

from __future__ import annotations

import json
from pathlib import Path

from harness.accelerator import Accelerator
from harness.cli.doctor import _told
from harness.doctor import Diagnosis, Disk
from harness.errors import Outcome
from harness.host import Need
from tests.conftest import Command

GCC = Need("gcc", "compiles", program="gcc")
CCACHE = Need("ccache", "remembers", program="ccache", without="it is slow")
TCG = Accelerator("tcg", "kvm does not work")


def found(*lacking: Need, free: float = 50.0, accelerator: Accelerator | None = TCG) -> Diagnosis:
    disk = Disk("cache", Path("/cache"), free)
    return Diagnosis((GCC, CCACHE), lacking, (disk,), accelerator, "no QEMU")


def test_healthy_host() -> None:
    assert found().outcome is Outcome.PASS
    assert found().remedy == ""


def test_missing_program_is_the_hosts_fault_and_has_a_remedy() -> None:
    lines = list(_told(found(GCC)))
    assert found(GCC).outcome is Outcome.HOST
    assert "MISSING  gcc: compiles" in lines
    assert lines[-1].endswith("--no-install-recommends gcc")


def test_missing_option_is_told_and_does_not_fail() -> None:
    assert found(CCACHE).outcome is Outcome.PASS
    assert "option   ccache: remembers; without it it is slow" in list(_told(found(CCACHE)))


def test_little_room_is_told_and_none_fails() -> None:
    assert found(free=3).outcome is Outcome.PASS
    assert "low      cache: 3.0 GiB free, 6 are wanted, /cache" in list(_told(found(free=3)))
    assert found(free=0.5).outcome is Outcome.HOST


def test_no_accelerator_at_all_fails() -> None:
    assert found(accelerator=None).outcome is Outcome.HOST
    assert "MISSING  accelerator: no QEMU" in list(_told(found(accelerator=None)))


def test_command_answers_in_json(slqb: Command) -> None:
    done = slqb("doctor", "--json")
    record = json.loads(done.stdout)
    assert done.returncode == 0, record
    assert record["accelerator"]["name"] in ("kvm", "tcg")
    needed = [need for need in record["needs"] if not need["option"]]
    assert len(needed) > 10
    assert all(need["present"] for need in needed)


def test_command_on_a_host_without_qemu_or_compiler(slqb: Command, tmp_path: Path) -> None:
    done = slqb("doctor", env={"PATH": str(tmp_path)})
    assert done.returncode == 8
    assert "MISSING  qemu-system-x86: boots the kernels" in done.stdout
    assert "MISSING  gcc" in done.stdout
    assert "Traceback" not in done.stderr
