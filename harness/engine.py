# SPDX-License-Identifier: GPL-2.0
"""Who boots: this host, or others.

An engine is an Executor of concurrent.futures for each host it has. The dispatcher chooses host and
moment; what comes back is data (trial.py, Booted), and verdict and record are made here, from
that, whoever booted.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from harness.accelerator import Accelerator
from harness.boot import cores
from harness.errors import HarnessError, HostError
from harness.forecast import HERE
from harness.packing import Room, memory_mib
from harness.progress import Progress, SilentProgress
from harness.trial import Booted, Trial, carry

Words = ParamSpec("Words")
Result = TypeVar("Result")


class LostError(HostError):
    """A boot that its host took with it."""


@dataclass(frozen=True)
class Order:
    """A boot to be done, with what another host needs to choose its own accelerator and limits."""

    trial: Trial
    accelerator: Accelerator
    wish: str = "auto"
    deadline: float | None = None
    silence: float | None = None
    number: int = 0
    """0 for the first boot of a cell, then its repeats."""

    @property
    def name(self) -> str:
        """Its own among all boots of a run."""
        return f"{self.trial.name}#{self.number}" if self.number else self.trial.name

    def moved(self, folder: Path, number: int) -> "Order":
        """The same once more."""
        return replace(self, trial=replace(self.trial, folder=folder), number=number)


class Engine(Protocol):
    """Boots somewhere."""

    here: bool
    """Whether boots share this host with builds."""

    def rooms(self) -> Mapping[str, Room]:
        """The hosts there are now."""

    def submit(self, order: Order, host: str) -> "Future[Booted]":
        """Start a boot there."""

    def show(self, order: Order, host: str, progress: Progress) -> "Future[Booted]":
        """Start the only boot there is to see, telling of its console, if that can be."""

    def stop(self) -> None:
        """End every boot at once."""

    def close(self) -> None:
        """No more boots."""


class Inline(Executor):
    """Does it at once, in the thread that asks: what is interrupted then is interrupted there."""

    def submit(
        self, work: Callable[Words, Result], /, *args: Words.args, **kwargs: Words.kwargs
    ) -> "Future[Result]":
        """Done when this returns."""
        future: Future[Result] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except (HarnessError, OSError) as error:
            future.set_exception(error)
        return future


class Local:
    """This host: a thread for each boot, which listens to its QEMU."""

    here = True

    def __init__(self, jobs: int | None = None, memory: int | None = None) -> None:
        free = memory_mib() if memory is None else memory
        self._room = Room(jobs or cores(), free)
        self._stop = threading.Event()
        self._inline = Inline()
        self._pool = ThreadPoolExecutor(max_workers=self._room.cores)

    def rooms(self) -> Mapping[str, Room]:
        """Only one."""
        return {HERE: self._room}

    def submit(self, order: Order, host: str) -> "Future[Booted]":
        """In a thread of its own."""
        assert host == HERE
        return self._pool.submit(
            carry, order.trial, order.accelerator, SilentProgress(), self._stop
        )

    def show(self, order: Order, host: str, progress: Progress) -> "Future[Booted]":
        """In this thread."""
        return self._inline.submit(carry, order.trial, order.accelerator, progress)

    def stop(self) -> None:
        """The threads that listen end their QEMU."""
        self._stop.set()

    def close(self) -> None:
        """What has not begun does not begin."""
        self._pool.shutdown(wait=True, cancel_futures=True)
