# SPDX-License-Identifier: GPL-2.0
"""Guests that hang, and hosts that stop them: who is to blame is told by the clock.

So none of these runs beside another boot, or a build: a host that is busy starves a guest.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest

from harness.boot import Ended
from harness.errors import Outcome
from harness.record import RESULT
from tests.conftest import sealed
from tests.fakes import alive
from tests.kernel.conftest import Planted
from tests.kernel.faults import Pair
from tests.kernel.images import Guest
from tests.kernel.test_planted import HANGING, name_of, see, spec_of

pytestmark = [pytest.mark.kernel, pytest.mark.quiet]


def test_a_silent_hang_is_cut_off(guest: Guest) -> None:
    booted = guest.boot("--append", "slqbtest.plant=hang", "--silence", "5")
    assert booted.status == 7
    assert "the guest went silent in slabtest.plant_fault, last: " in booted.record["reason"]
    assert booted.cell["ended"] == Ended.HANG.value
    assert booted.cell["silence"] == 5


def test_a_stall_is_reported_by_the_kernel_before_the_guest_is_given_up(guest: Guest) -> None:
    words = ("--append", "slqbtest.plant=hang", "--append", "rcupdate.rcu_cpu_stall_timeout=3")
    booted = guest.boot(*words, "--silence", "6")
    assert booted.status == 7
    assert {one["kind"] for one in booted.cell["complaints"]} == {"rcu-stall"}
    assert booted.cell["complaints"][0]["path"] == "slabtest.plant_fault"


@pytest.mark.soak
def test_a_hang_is_cut_off_although_another_cpu_says_that_it_waits(guest: Guest) -> None:
    """One CPU spins with interrupts off while another one waits for it."""
    words = ("--append", "slqbtest.plant=spin", "--silence", "20", "--deadline", "60")
    booted = guest.boot("--topology", "2n", *words)
    assert booted.status == Outcome.TIMEOUT.exit_code, booted.record["reason"]
    assert booted.cell["ended"] == Ended.HANG.value
    assert "the guest went silent in slabtest.plant_fault, last: " in booted.record["reason"]
    assert booted.cell["seconds"] < 40
    beats = [line for line in booted.console.splitlines() if ": still at it, " in line]
    assert beats
    for line in beats:
        assert re.search(r"# plant_fault: still at it, \d+ done on CPU \d+$", line)


def test_a_guest_with_a_wrong_clock_did_not_hang(guest: Guest) -> None:
    """The kernel is told a rate of its clock as it is measured on a host that is too busy."""
    words = ("--append", "slqbtest.plant=hang", "--append", "tsc_early_khz=50000")
    booted = guest.boot(*words, "--silence", "3")
    assert booted.status == Outcome.HOST.exit_code, booted.record["reason"]
    assert "times too fast: the host was too busy" in booted.record["reason"]


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
        for _ in range(50):  # the guard has to look through all processes, on a busy host
            if not alive(qemu):
                break
            time.sleep(0.1)
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


@pytest.mark.parametrize("pair", HANGING, ids=name_of)
def test_a_fault_in_the_allocator_that_hangs_is_caught(pair: Pair, planted: Planted) -> None:
    see(planted(spec_of(pair)), pair)
