# SPDX-License-Identifier: GPL-2.0
"""Real boots: every shape of machine, every end, and the phases in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.initramfs import build_initramfs
from harness.kernel import KernelSpec
from harness.module import build_modules
from harness.places import PROJECT, Places
from harness.progress import SilentProgress
from harness.record import RESULT
from harness.session import SPOILT
from harness.topology import topology_names
from harness.worktree import Rendered
from tests.conftest import sealed
from tests.fakes import alive
from tests.kernel.conftest import Build

pytestmark = pytest.mark.kernel
SLQB = Path(sys.executable).with_name("slqb")
GUEST = PROJECT / "tests" / "guest"


@dataclass(frozen=True)
class Booted:
    """What came of a boot."""

    status: int
    record: dict[str, Any]
    folder: Path

    @property
    def cell(self) -> dict[str, Any]:
        """The only boot."""
        [cell] = self.record["cells"]
        assert isinstance(cell, dict)
        return cell


@dataclass(frozen=True)
class Guest:
    """A kernel and its initramfs, booted into records below `home`."""

    kernel: Path
    initramfs: Path
    home: Path

    def words(self, *more: str) -> list[str | Path]:
        files = ("--kernel", self.kernel, "--initramfs", self.initramfs)
        return [SLQB, "boot", *files, *more]

    def boot(self, *more: str) -> Booted:
        done = subprocess.run(
            self.words(*more),
            env=sealed(self.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Booted(done.returncode, *self.last())

    def last(self) -> tuple[dict[str, Any], Path]:
        """The last record, and where it lies."""
        path = max(self.home.glob(f"runs/2*/{RESULT}"), key=lambda one: one.stat().st_mtime_ns)
        return json.loads(path.read_text()), path.parent

    @contextmanager
    def hanging(self) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """`slqb boot` and its QEMU once the guest hangs."""
        process = subprocess.Popen(
            self.words("--append", "slqbtest.plant=hang"),
            env=sealed(self.home),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process, self.qemu_of(process.pid)
        finally:
            process.kill()
            process.communicate()

    def qemu_of(self, pid: int, boot: int = 1) -> int:
        """The child of `slqb`, once the guest of its nth boot has come to the test that hangs."""
        for _ in range(300):
            logs = list(self.home.glob("runs/2*/*/console.log"))
            now = [log for log in logs if not log.parent.name.endswith(SPOILT)]
            came = [log for log in now if "# start: plant_fault" in log.read_text()]
            if len(logs) == boot and came:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                return int(children[0])
            time.sleep(0.1)
        raise AssertionError("the guest never came to its test")


@pytest.fixture(scope="module")
def images(build: Build, rendered: Rendered, real_places: Places) -> tuple[Path, Path]:
    """The lean kernel and its initramfs."""
    quiet, kernel = SilentProgress(), build(KernelSpec())
    modules = build_modules(kernel, rendered.source, GUEST, real_places, quiet)
    return kernel.image, build_initramfs(kernel, modules, GUEST, real_places, quiet)


@pytest.fixture
def guest(images: tuple[Path, Path], tmp_path: Path) -> Guest:
    return Guest(*images, tmp_path)


@pytest.mark.parametrize("topology", topology_names())
def test_the_guest_finds_the_shape_it_was_given(guest: Guest, topology: str) -> None:
    booted = guest.boot("--topology", topology, "--suite", "none")
    assert booted.status == 0, booted.record["reason"]
    assert [case["path"] for case in booted.cell["cases"]] == ["topology.shape"]
    assert not booted.cell["complaints"]
    assert booted.cell["seconds"] < 20


def test_a_guest_of_another_shape_says_so_and_tests_nothing(guest: Guest) -> None:
    lie = "slqbtest.topology=1:128+3:384@10,20/20,10"
    booted = guest.boot("--topology", "2n", "--append", lie)
    assert booted.status == 5
    assert "Bail out!" in booted.record["reason"]
    assert {case["status"] for case in booted.cell["cases"]} <= {"fail", "missing"}


def test_the_phases_are_timed_and_add_up(guest: Guest) -> None:
    cell = guest.boot("--case", "slabtest.sizes_*").cell
    assert list(cell["phases"]) == ["firmware", "kernel", "init", "tests", "poweroff"]
    assert sum(cell["phases"].values()) == pytest.approx(cell["seconds"], abs=0.1)
    assert cell["guest_ran"] > 0


def test_a_silent_hang_is_cut_off(guest: Guest) -> None:
    booted = guest.boot("--append", "slqbtest.plant=hang", "--silence", "5")
    assert booted.status == 7
    assert "last: '# start: plant_fault'" in booted.record["reason"]
    assert booted.cell["seconds"] < 30


def test_a_stall_is_reported_by_the_kernel_before_the_guest_is_given_up(guest: Guest) -> None:
    words = ("--append", "slqbtest.plant=hang", "--append", "rcupdate.rcu_cpu_stall_timeout=3")
    booted = guest.boot(*words, "--silence", "10")
    assert booted.status == 7
    assert {one["kind"] for one in booted.cell["complaints"]} == {"rcu-stall"}
    assert booted.cell["complaints"][0]["path"] == "slabtest.plant_fault"


@pytest.mark.parametrize("word", ["rdinit=/nowhere", "mem=8M"])
def test_a_kernel_that_panics_before_init_is_not_waited_for(guest: Guest, word: str) -> None:
    booted = guest.boot("--append", word)
    assert booted.status == 5
    assert "before its first test: Kernel panic - not syncing" in booted.record["reason"]
    assert booted.cell["seconds"] < 20


def test_the_test_that_failed_is_repeated_from_the_record(guest: Guest) -> None:
    words = ("--append", "slqbtest.plant=fail", "--seed", "77")
    assert guest.boot(*words).status == 1
    _, folder = guest.last()
    script = [folder / "repro.sh"]
    again = subprocess.run(script, env=sealed(guest.home), capture_output=True, check=False)
    assert again.returncode == 1
    record, other = guest.last()
    assert other != folder
    assert record["seed"] == 77
    assert record["cells"][0]["asked"]["case"] == "slabtest.plant_fault"
    failed = [case["path"] for case in record["cells"][0]["cases"] if case["status"] == "fail"]
    assert failed == ["slabtest.plant_fault"]


def test_the_plain_qemu_command_works_too(guest: Guest) -> None:
    guest.boot("--suite", "none")
    _, folder = guest.last()
    said = subprocess.run(
        [folder / "repro.sh", "--qemu"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "slqb-guest: done" in said.stdout


def test_an_interrupt_ends_the_emulator(guest: Guest) -> None:
    with guest.hanging() as (process, qemu):
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert not alive(qemu)
    assert guest.last()[0]["status"] == "interrupted"


def test_the_emulator_does_not_outlive_a_killed_harness(guest: Guest) -> None:
    with guest.hanging() as (process, qemu):
        process.kill()
        process.wait(timeout=60)
        time.sleep(1)
        assert not alive(qemu)
    assert guest.last()[0]["status"] == "running"


def test_an_emulator_that_is_killed_is_the_hosts_fault(guest: Guest) -> None:
    with guest.hanging() as (process, qemu):
        os.kill(qemu, signal.SIGKILL)
        os.kill(guest.qemu_of(process.pid, boot=2), signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == 8
    assert "QEMU died" in guest.last()[0]["reason"]
    [failure] = guest.last()[0]["cells"][0]["host_failures"]
    assert "QEMU died" in failure


def test_a_guest_that_the_host_stopped_did_not_hang(guest: Guest) -> None:
    process = subprocess.Popen(
        guest.words("--append", "slqbtest.plant=hang", "--silence", "6"),
        env=sealed(guest.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    both = []
    for boot in (1, 2):
        both.append(guest.qemu_of(process.pid, boot))
        os.kill(both[-1], signal.SIGSTOP)
    assert process.wait(timeout=60) == 8
    assert "the host starved the guest" in guest.last()[0]["reason"]
    assert not any(alive(qemu) for qemu in both)


def test_any_number_of_boots_at_a_time(guest: Guest) -> None:
    words = guest.words("--suite", "none", "--topology", "up")
    many = [
        subprocess.Popen(
            words, env=sealed(guest.home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(6)
    ]
    assert [process.wait(timeout=120) for process in many] == [0] * 6
    assert len(list(guest.home.glob(f"runs/2*/{RESULT}"))) == 6


def test_a_full_disk_is_the_hosts_fault(guest: Guest) -> None:
    full = guest.home / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", full], check=True)
    try:
        done = subprocess.run(
            guest.words("--suite", "none"),
            env={**sealed(guest.home), "SLQB_RUNS": str(full)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        subprocess.run(["umount", full], check=True)
    assert done.returncode == 8
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
