# SPDX-License-Identifier: GPL-2.0
"""When a run will be over: the scheduler played on times that earlier runs took.

The boots are started by the very code that starts the real ones (packing.py), on a clock that jumps
from one end to the next. Kernels are built one at a time, in the order given; a build takes the
cores that boots leave it, one at least.
harness/replay.py plays records of runs on hosts of other sizes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.packing import Packing, Room, Task

HERE = "here"
"""The host that builds, and boots unless an engine has others."""
A_BUILD = 1
"""The cores that are kept free for a build; it takes what else is idle."""


@dataclass(frozen=True)
class Work:
    """What a build has to do: some of it one step after the other, the rest at once."""

    steps: float = 0.0
    spread: float = 0.0
    """Seconds of one core."""

    def seconds(self, cores: int) -> float:
        """On so many."""
        return self.steps + self.spread / cores

    def after(self, seconds: float, cores: int) -> Work:
        """What is left of it."""
        stepped = min(self.steps, seconds)
        return Work(self.steps - stepped, max(0.0, self.spread - (seconds - stepped) * cores))


@dataclass(frozen=True)
class Load:
    """A kernel: its build, and its boots."""

    name: str
    build: Work
    tasks: tuple[Task, ...]

    @property
    def area(self) -> float:
        """Seconds of one core that its boots take."""
        return sum(task.seconds * task.need.cores for task in self.tasks)


@dataclass
class Timeline:
    """What started when, where, and ended when."""

    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    host: dict[str, str] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """When all is done."""
        return max(self.ended.values(), default=0.0)


def build_order(loads: Iterable[Load]) -> list[Load]:
    """Those with most to boot first, so that the last build is not followed by much."""
    return sorted(loads, key=lambda load: -load.area)


def play(
    rooms: Mapping[str, Room],
    loads: Sequence[Load],
    waiting: Iterable[Task] = (),
    underway: Iterable[tuple[Task, str]] = (),
    a_build: int = A_BUILD,
) -> Timeline:
    """The rest of a run: `underway` are boots that run, with what they still take."""
    packing, told = Packing(rooms), Timeline()
    packing.add(waiting)
    ends: list[tuple[float, str]] = []
    for task, host in underway:
        packing.running[task.name] = (task, host)
        heapq.heappush(ends, (task.seconds, task.name))
    todo, now = list(loads), 0.0
    work = todo[0].build if todo else Work()
    while True:
        packing.taken = {HERE: a_build} if todo else {}
        for task, host in packing.start():
            told.began[task.name], told.host[task.name] = now, host
            heapq.heappush(ends, (now + task.seconds, task.name))
        if not ends and not todo:
            return told
        cores = _left(packing)
        built = now + work.seconds(cores) if todo else float("inf")
        if ends and ends[0][0] <= built:
            at, name = heapq.heappop(ends)
            packing.end(name)
            told.ended[name] = at
            work = work.after(at - now, cores)
        else:
            at, load = built, todo.pop(0)
            told.ended[load.name] = at
            packing.add(load.tasks)
            work = todo[0].build if todo else Work()
        now = at


def _left(packing: Packing) -> int:
    """What a build has of the cores here."""
    if HERE not in packing.rooms:
        return A_BUILD
    boots = packing.used(HERE).cores - packing.taken.get(HERE, 0)
    return max(A_BUILD, packing.rooms[HERE].cores - boots)


def lower_bound(cores: int, loads: Iterable[Load]) -> float:
    """No order of the work is done sooner: the longest boot, or all of it on all cores.

    Boots that fill the host come one after the other, but a build goes on beside them.
    """
    every = list(loads)
    tasks = [task for load in every for task in load.tasks]
    longest = max((task.seconds for task in tasks), default=0.0)
    filling = sum(task.seconds for task in tasks if task.need.cores >= cores)
    boots = sum(task.seconds * min(task.need.cores, cores - 1) for task in tasks)
    builds = sum(load.build.seconds(1) for load in every)
    return max(longest, filling, (boots + builds) / cores)


def busiest(told: Timeline, tasks: Iterable[Task]) -> Iterator[tuple[float, int, int]]:
    """Cores and memory in use from each moment on at which something starts."""
    every = list(tasks)
    for moment in sorted(set(told.began.values())):
        now = [task for task in every if told.began[task.name] <= moment < told.ended[task.name]]
        cores = sum(task.need.cores for task in now)
        yield moment, cores, sum(task.need.memory_mib for task in now)
