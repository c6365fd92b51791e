# SPDX-License-Identifier: GPL-2.0
"""Which boot is started next, and where: greedy, the longest first.

A boot declares the cores and the memory it needs, a host how much of both it has. Whenever there is
room, the longest boot that fits is started; nothing that fits waits. The dispatcher (dispatch.py)
asks here, and so does the forecast (forecast.py), which plays the same on recorded times.

For such a rule the end is never later than twice the longest boot, or than twice the sum of the two
shares (all cores x seconds of all the host's cores, memory likewise), whichever is later: what
starts last did not fit beside what ran a whole boot's time before.

A virtual CPU is a thread of QEMU, busy for a part of the time: a boot with four of them that had
the machine to itself used 10 seconds of processor in 8. So each counts as a quarter of a core in
the quick tests and as half of one in a soak, and a boot as one core at least. Brief tests keep one
CPU busy, or two, of however many: a boot with 16 of them used 51 seconds of processor in 41, and
two such boots took 53 seconds side by side that took 62 in turn. A boot that is larger than the
host is started where nothing else runs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from harness.asked import Scale
from harness.topology import Topology

BUSY: Mapping[Scale, float] = {"brief": 0.0625, "quick": 0.25, "soak": 0.5}
"""The part of a core that a virtual CPU keeps busy."""
OVERHEAD_MIB = 256
"""What QEMU needs beside the guest's memory: translated code above all."""
SPARE_MIB = 512
"""Memory of the host that is left alone."""


@dataclass(frozen=True)
class Need:
    """What a boot takes of a host."""

    cores: int
    memory_mib: int


@dataclass(frozen=True)
class Room:
    """What a host has."""

    cores: int
    memory_mib: int


@dataclass(frozen=True)
class Task:
    """Something to be started once there is room."""

    name: str
    need: Need
    seconds: float = 0.0
    """What it is expected to take ..."""
    known: bool = True
    """... and whether that is more than a guess."""


@dataclass
class Packing:
    """What waits and what runs, on hosts by their names."""

    rooms: Mapping[str, Room]
    waiting: list[Task] = field(default_factory=list)
    running: dict[str, tuple[Task, str]] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)
    """Cores of hosts that other work has."""

    def add(self, tasks: Iterable[Task]) -> None:
        """More to do; of two that take as long, the first one is first."""
        self.waiting = sorted((*self.waiting, *tasks), key=lambda task: -task.seconds)

    def start(self) -> Iterator[tuple[Task, str]]:
        """What starts now, with its host; from here on it counts as running."""
        for task in tuple(self.waiting):
            if (host := self._place(task.need)) is not None:
                self.waiting.remove(task)
                self.running[task.name] = (task, host)
                yield task, host

    def end(self, name: str) -> None:
        """It runs no more."""
        del self.running[name]

    def used(self, host: str) -> Need:
        """What those that run there need together."""
        needs = [task.need for task, at in self.running.values() if at == host]
        cores = sum(need.cores for need in needs) + self.taken.get(host, 0)
        return Need(cores, sum(need.memory_mib for need in needs))

    def _place(self, need: Need) -> str | None:
        """The host with room for it that has most cores left."""
        fitting = [host for host in self.rooms if self._fits(need, host)]
        return max(fitting, key=self._free, default=None)

    def _free(self, host: str) -> int:
        return self.rooms[host].cores - self.used(host).cores

    def _fits(self, need: Need, host: str) -> bool:
        room, used = self.rooms[host], self.used(host)
        if not any(
            at == host for _, at in self.running.values()
        ):  # nothing beside it: larger than the host is allowed
            return not self._larger_everywhere_but(need, host)
        cores = used.cores + need.cores <= room.cores
        return cores and used.memory_mib + need.memory_mib <= room.memory_mib

    def _larger_everywhere_but(self, need: Need, host: str) -> bool:
        """Whether this host is too small for it and another one is not."""
        return not within(need, self.rooms[host]) and any(
            within(need, room) for room in self.rooms.values()
        )


def within(need: Need, room: Room) -> bool:
    """Whether a host can have it at all."""
    return need.cores <= room.cores and need.memory_mib <= room.memory_mib


def need_of(topology: Topology, scale: Scale, *, icount: bool = False) -> Need:
    """What a boot on this shape declares."""
    cpus = topology.cpus + topology.spare_cpus
    cores = 1 if icount else max(1, ceil(cpus * BUSY[scale]))
    memory = topology.memory_mib + topology.plugged_mib + sum(topology.spare_mib)
    return Need(cores, memory + OVERHEAD_MIB)


def memory_mib(info: Path = Path("/proc/meminfo"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory of this host that is free for boots, within what our control group may have."""
    rows = dict(line.split(":", 1) for line in info.read_text().splitlines())
    free = int(rows["MemAvailable"].split()[0]) >> 10
    return max(0, min(free, _allowance(groups, free)) - SPARE_MIB)


def _allowance(groups: Path, otherwise: int) -> int:
    """What the control group has left, if it has a limit (version 2)."""
    try:
        most = (groups / "memory.max").read_text().strip()
        used = (groups / "memory.current").read_text()
    except OSError:
        return otherwise
    return otherwise if most == "max" else (int(most) - int(used)) >> 20
