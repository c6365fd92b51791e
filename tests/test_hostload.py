# SPDX-License-Identifier: GPL-2.0
"""Whether the host starved a guest: seen from how long its threads stood in line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.hostload import Sample, sample, starved

BUSY = "while True: pass"


def even(ran: float, waited: float, seconds: int = 60) -> list[Sample]:
    """Samples of a process that got and waited so much in every second."""
    return [Sample(float(at), ran * at, waited * at) for at in range(seconds)]


def test_an_idle_guest_is_not_starved() -> None:
    assert not starved(even(0.0, 0.0), 0, 60, threads=4, cores=2)


def test_a_busy_guest_with_its_share_is_not_starved() -> None:
    assert not starved(even(1.0, 0.05), 0, 60, threads=1, cores=2)


def test_virtual_cpus_that_wait_for_each_other_are_not_starved() -> None:
    assert not starved(even(2.0, 2.0), 0, 60, threads=4, cores=2)
    assert not starved(even(2.0, 6.0), 0, 60, threads=8, cores=2)


def test_a_guest_that_stands_in_line_is_starved() -> None:
    assert starved(even(0.1, 0.9), 0, 60, threads=1, cores=2)
    assert starved(even(0.4, 3.6), 0, 60, threads=4, cores=2)


def test_only_the_time_asked_about_counts() -> None:
    good, bad = even(1.0, 0.0, 30), even(0.1, 0.9, 60)[30:]
    shifted = [Sample(one.at, 30 + one.ran, one.waited - 27) for one in bad]
    assert not starved([*good, *shifted], 0, 29, threads=1, cores=2)
    assert starved([*good, *shifted], 30, 60, threads=1, cores=2)


def test_a_moment_proves_nothing() -> None:
    assert not starved(even(0.0, 0.9, 2), 0, 60, threads=1, cores=2)
    assert not starved([], 0, 60, threads=1, cores=2)


def test_a_guest_that_was_stopped_is_starved() -> None:
    stopped = Sample(5.0, 0.0, 0.0, stopped=True)
    assert starved([stopped], 0, 60, threads=1, cores=2)
    assert not starved([stopped], 10, 60, threads=1, cores=2)


@contextmanager
def busy() -> Iterator[int]:
    """A process that does nothing but compute."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@pytest.mark.quiet
def test_a_real_process_is_measured() -> None:
    with busy() as pid:
        time.sleep(0.2)
        first = sample(pid, 0.0)
        time.sleep(0.5)
        second = sample(pid, 0.0)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        third = sample(pid, 0.0)
    assert first
    assert second
    assert third
    assert second.ran + second.waited - first.ran - first.waited > 0.2
    assert (first.stopped, third.stopped) == (False, True)


def test_a_process_that_is_gone_gives_no_sample() -> None:
    with busy() as pid:
        pass
    assert sample(pid, 0.0) is None
