# SPDX-License-Identifier: GPL-2.0
"""Whether this host gave the guest its time.

A guest that is not run stalls by no fault of its kernel. What tells is not how much time
QEMU used (an idle guest uses none) but how long its threads stood in line for a processor
(the second number of /proc/PID/task/TID/schedstat), beside what they were entitled to:
with more virtual CPUs than processors they must wait for each other.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NANO = 1e-9
FAIR = 0.5
"""Below this part of what it was entitled to, a guest counts as starved."""
BRIEF = 2.0
"""Less than so many seconds in line prove nothing."""


@dataclass(frozen=True)
class Sample:
    """A process's threads together, at one moment (seconds)."""

    at: float
    ran: float
    waited: float
    stopped: bool = False


def sample(pid: int, began: float, proc: Path = Path("/proc")) -> Sample | None:
    """How much of the processor the process has had so far; None when it is gone."""
    ran = waited = 0.0
    try:
        for task in os.scandir(proc / str(pid) / "task"):
            numbers = Path(task.path, "schedstat").read_text().split()
            ran += int(numbers[0]) * NANO
            waited += int(numbers[1]) * NANO
        state = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None
    return Sample(time.monotonic() - began, ran, waited, stopped=state in "tT")


def starved(
    samples: Sequence[Sample], since: float, until: float, threads: int, cores: int
) -> bool:
    """Whether a guest whose CPUs are so many threads was short of processor between two moments."""
    span = [one for one in samples if since <= one.at <= until]
    if any(one.stopped for one in span):
        return True
    if len(span) < 2:
        return False
    ran, waited = span[-1].ran - span[0].ran, span[-1].waited - span[0].waited
    if waited < BRIEF:
        return False
    entitled = min(1.0, cores / threads)
    return ran / (ran + waited) < FAIR * entitled
