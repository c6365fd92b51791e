# SPDX-License-Identifier: GPL-2.0
"""One boot: QEMU started, its console watched, ended as soon as the end is known.

A boot ends by itself (the guest powers off, or resets, at which QEMU leaves), by a panic (the
rest of the report is waited for, briefly), by silence, by the overall deadline, or
because QEMU died. What that means is judged elsewhere (verdict.py); here it only gets its name.
"""

import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from subprocess import Popen

from harness import child
from harness.accelerator import Accelerator
from harness.complaint import is_stall, of_the_guest
from harness.console import Console, Line
from harness.errors import HarnessError, HostError, Outcome
from harness.heartbeat import Heartbeats
from harness.hostload import Sample, sample
from harness.limits import Limits
from harness.machine import Machine, Payload, qemu_command
from harness.plug import Plugger
from harness.progress import Progress
from harness.topology import Topology

CONSOLE_LOG = "console.log"
QEMU_LOG = "qemu.log"
TICK = 1.0
LAST_WORDS = 2.0
"""How long a panicking kernel may take to finish its report."""
PANIC = "Kernel panic - not syncing"
PANIC_END = "end Kernel panic"
POWER_OFF = (
    *("reboot: Power down", "reboot: power down", "Power off not available"),
    "reboot: Restarting system",  # -no-reboot makes it the end
)
HALTED = ("reboot: System halted", "System halted")
MARKS = (
    ("kernel", ("Linux version ", "Booting Linux")),
    ("init", ("slqb-guest: init",)),
    ("tests", ("slqb-guest: tests",)),
    ("ktap", ("KTAP version", "TAP version")),
    ("done", ("slqb-guest: done",)),
)


class Ended(Enum):
    """How a boot ended."""

    POWEROFF = "poweroff"
    RESET = "reset"
    PANIC = "panic"
    HANG = "hang"
    TIMEOUT = "timeout"
    QEMU_DIED = "qemu-died"


@dataclass(frozen=True)
class BootRequest:
    """What to boot, and how long it may take."""

    machine: Machine
    topology: Topology
    payload: Payload
    limits: Limits
    folder: Path
    icount: bool = False
    """Time counts instructions."""
    plugin: tuple[str, ...] = ()
    """QEMU's words for what watches them."""


@dataclass(frozen=True)
class BootResult:
    """What was said and how it ended."""

    argv: tuple[str, ...]
    lines: tuple[Line, ...]
    ended: Ended
    seconds: float
    phases: Mapping[str, float]
    samples: tuple[Sample, ...] = ()
    complaint: str = ""
    """What QEMU itself had to say, when it died."""


@dataclass
class Watch:
    """Follows a console and knows when to stop; the clock is handed in."""

    limits: Limits
    spoke: float = 0.0
    stalled: bool = False
    """A stall was reported: the kernel repeats that for ever, which is no sign of life."""
    panicked: float | None = None
    off: bool = False
    marks: dict[str, float] = field(default_factory=dict)
    beats: Heartbeats = field(default_factory=Heartbeats)

    def line(self, line: Line) -> None:
        """Take note of one line; a heartbeat of a test that got no further is no sign of life."""
        at, alive = line.at or 0.0, self.beats.alive(line.text)
        goes_on = alive and of_the_guest(line.text)
        self.stalled = is_stall(line.text) or (self.stalled and not goes_on)
        if alive and not self.stalled:
            self.spoke = at
        for name, signs in MARKS:
            if name not in self.marks and any(sign in line.text for sign in signs):
                self.marks[name] = at
        if PANIC in line.text and self.panicked is None and PANIC_END not in line.text:
            self.panicked = at
        elif PANIC_END in line.text:
            self.panicked = at - LAST_WORDS
        self.off = self.off or any(sign in line.text for sign in POWER_OFF + HALTED)

    def verdict(self, now: float) -> Ended | None:
        """Why to stop now, if there is a reason."""
        if self.panicked is not None and now - self.panicked >= LAST_WORDS:
            return Ended.PANIC
        if now >= self.limits.deadline:
            return Ended.TIMEOUT
        if self.off and now - self.spoke >= LAST_WORDS:
            return Ended.POWEROFF
        return Ended.HANG if now - self.spoke >= self.limits.silence else None

    def left(self, status: int) -> Ended:
        """What it means that QEMU has left with this status."""
        if self.panicked is not None:
            return Ended.PANIC
        if status != 0:
            return Ended.QEMU_DIED
        return Ended.POWEROFF if self.off else Ended.RESET

    def phases(self, end: float) -> dict[str, float]:
        """Seconds spent in firmware, kernel, init, tests, and on the way out."""
        marks = dict(self.marks)
        ktap = marks.pop("ktap", None)
        if ktap is not None and "init" not in marks:  # tests inside the kernel, before any init
            marks["tests"] = ktap
        edges = sorted(marks.items(), key=lambda mark: mark[1])
        names = ("firmware", *(name if name != "done" else "poweroff" for name, _ in edges))
        times = (0.0, *(at for _, at in edges), end)
        return {name: round(times[i + 1] - times[i], 3) for i, name in enumerate(names)}


class StoppedError(HarnessError):
    """Somebody ended a boot that was under way."""

    outcome = Outcome.INTERRUPTED


def boot(
    request: BootRequest,
    accelerator: Accelerator,
    progress: Progress,
    stop: threading.Event | None = None,
) -> BootResult:
    """Boot and watch until the end; StoppedError soon after `stop` is set."""
    argv = command(request, accelerator)
    request.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        log = stack.enter_context((request.folder / CONSOLE_LOG).open("w"))
        errors = request.folder / QEMU_LOG
        began = time.monotonic()
        qemu = stack.enter_context(child.spawn(argv, cwd=request.folder, errors=errors))
        assert qemu.stdout is not None
        console = Console(qemu.stdout, began, log)
        watch = Watch(request.limits)
        plugger = Plugger(request.topology, request.folder) if request.topology.grows else None
        lines, samples, ended = _follow(console, watch, qemu, began, progress, plugger, stop)
        if ended is None:
            ended = watch.left(qemu.wait())
    seconds = time.monotonic() - began
    return BootResult(
        argv=argv,
        lines=tuple(lines),
        ended=ended,
        seconds=round(seconds, 3),
        phases=watch.phases(seconds),
        samples=tuple(samples),
        complaint=_complaint(errors),
    )


def command(request: BootRequest, accelerator: Accelerator) -> tuple[str, ...]:
    """The exact QEMU command of a request."""
    return qemu_command(
        request.machine,
        request.topology,
        accelerator.name,
        request.payload,
        icount=request.icount,
        plugin=request.plugin,
    )


def _follow(
    console: Console,
    watch: Watch,
    qemu: "Popen[bytes]",
    began: float,
    progress: Progress,
    plugger: Plugger | None,
    stop: threading.Event | None,
) -> tuple[list[Line], list[Sample], Ended | None]:
    """Until QEMU leaves (None) or there is a reason to end it."""
    lines: list[Line] = []
    samples: list[Sample] = []
    ended: Ended | None = None
    while not console.ended and ended is None:
        if stop is not None and stop.is_set():
            raise StoppedError("interrupted")
        if (line := console.read(TICK)) is not None:
            lines.append(line)
            watch.line(line)
            if plugger:
                _plug(plugger, line.text, qemu)
            progress.step(len(lines), None, line.text.rstrip())
        now = time.monotonic() - began
        if (not samples or now - samples[-1].at >= TICK) and (one := sample(qemu.pid, began)):
            samples.append(one)
        ended = None if console.ended else watch.verdict(now)
    if (rest := console.rest()) is not None:
        lines.append(rest)
    return lines, samples, ended


def _plug(plugger: Plugger, text: str, qemu: "Popen[bytes]") -> None:
    """Do what a line asks for; a guest that dies meanwhile is judged by its console."""
    try:
        plugger.heed(text)
    except HostError:
        if not child.ends_within(qemu, LAST_WORDS):
            raise


def _complaint(errors: Path) -> str:
    """QEMU's last words, without those it says because we ended it."""
    said = errors.read_text(errors="replace").splitlines()
    return "\n".join(line for line in said[-5:] if "terminating on signal 15" not in line)


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))
