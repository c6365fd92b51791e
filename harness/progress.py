# SPDX-License-Identifier: GPL-2.0
"""Telling the user what goes on while it goes on; library code never prints, it calls this.

progress: (stage step* done)*      note may stand anywhere

stage(name, expected)      something begins; expected seconds if an earlier run measured them
step(done, total, label)   how far it is; total None when nobody knows
note(text)                 a line worth keeping: what was picked and why
done(result)               the stage ended well, with what it made; a new stage also ends the old

Terminal is for a person (rich: a live line that turns into a kept one), Plain for logs and CI
(one line a stage, a step line now and then), Verbose for those who want to see each step, Silent
for tests and for use as a library.
All of them write to stderr: stdout belongs to the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from harness.terminal import unguarded, visible

STEP_LINE_EVERY = 15.0
"""Seconds between two step lines of one stage in a log: enough to see it move."""
LABEL = 60
"""Letters of a label that a line has room for."""
EARLY = 0.1
"""The share of the steps after which their pace says something."""


class Progress(Protocol):
    """What library code may say about its work."""

    def stage(self, name: str, expected: float | None = None) -> None: ...

    def step(self, done: int, total: int | None = None, label: str = "") -> None: ...

    def note(self, text: str) -> None: ...

    def done(self, result: str = "") -> None: ...


class SilentProgress:
    """Says nothing."""

    def stage(self, name: str, expected: float | None = None) -> None:
        """Nothing."""

    def step(self, done: int, total: int | None = None, label: str = "") -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def done(self, result: str = "") -> None:
        """Nothing."""


def span(seconds: float) -> str:
    """Seconds as people read them: 0.4 s, 12 s, 3 min 05 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02d} s"


def share(done: int, total: int | None) -> str:
    """How far: "12 of 900", or just "12" when the end is not known or was passed."""
    return f"{done} of {total}" if total is not None and done <= total else f"{done}"


def outlook(seconds: float, done: float, total: float | None, expected: float | None) -> str:
    """Seconds gone, and of about how many: as an earlier run took, else at the pace so far."""
    if expected is None and total and total * EARLY <= done <= total:
        expected = seconds * total / done
    told = f" of about {span(expected)}" if expected and expected > seconds else ""
    return span(seconds) + told


def closing(name: str, seconds: float, result: str) -> str:
    """The line that stays when a stage has ended."""
    return f"{name}: {result}, {span(seconds)}" if result else f"{name}: {span(seconds)}"


class PlainProgress:
    """Plain lines, for a log."""

    def __init__(
        self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._name = ""
        self._expected: float | None = None
        self._began = self._spoke = 0.0

    def stage(self, name: str, expected: float | None = None) -> None:
        self.done()
        self._name, self._expected = name, expected
        self._began = self._spoke = self._clock()
        self._line(f"{name} ..." + (f" (about {span(expected)})" if expected is not None else ""))

    def step(self, done: int, total: int | None = None, label: str = "") -> None:
        now = self._clock()
        if now - self._spoke < STEP_LINE_EVERY:
            return
        self._spoke = now
        what = f" {label[:LABEL]}" if label else ""
        gone = outlook(now - self._began, done, total, self._expected)
        self._line(f"{self._name}: {share(done, total)}{what}, {gone}")

    def note(self, text: str) -> None:
        self._line(text)

    def done(self, result: str = "") -> None:
        if self._name:
            self._line(closing(self._name, self._clock() - self._began, result))
        self._name = ""

    def _line(self, text: str) -> None:
        self._write(visible(text) + "\n")


class VerboseProgress(PlainProgress):
    """Every step, with all of its label."""

    def step(self, done: int, total: int | None = None, label: str = "") -> None:
        self._line(f"  {label}" if label else f"{self._name}: {share(done, total)}")


class _TimeColumn(bars.ProgressColumn):
    """Elapsed, and beside it what to expect."""

    def render(self, task: bars.Task) -> Text:
        elapsed, expected = task.elapsed or 0.0, task.fields["expected"]
        return Text(outlook(elapsed, task.completed, task.total, expected), style="cyan")


class _CountColumn(bars.ProgressColumn):
    """Steps done of steps expected, once there are any."""

    def render(self, task: bars.Task) -> Text:
        total = None if task.total is None else int(task.total)
        return Text(share(int(task.completed), total) if task.completed else "")


class DrawingConsole(Console):
    """Draws on the terminal; what is printed while a live line stands there comes this way, too."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich does, but text with control characters shows them and has no style."""
        super().print(*map(_shown, objects), **options)


def _shown(printed: object) -> object:
    """What is printed, or a plain text that is safe to print."""
    if isinstance(printed, Text | str):
        plain = str(printed)
        return printed if visible(plain) == plain else Text(visible(plain))
    return printed


class TerminalProgress:
    """One live line for the stage that runs; each ended stage leaves a line."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bars = bars.Progress(
            bars.SpinnerColumn(),
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=24),
            _CountColumn(),
            _TimeColumn(),
            bars.TextColumn("[dim]{task.fields[label]}"),
            console=console,
            transient=True,
        )
        self._task: bars.TaskID | None = None
        self._name = ""
        self._began = 0.0

    def stage(self, name: str, expected: float | None = None) -> None:
        self.done()
        self._name, self._began = name, self._clock()
        shown = escape(visible(name))
        self._task = self._bars.add_task(shown, total=None, expected=expected, label="")
        self._bars.start()

    def step(self, done: int, total: int | None = None, label: str = "") -> None:
        if self._task is not None:
            known = total if total is not None and done <= total else None
            shown = escape(visible(label[:LABEL]))
            self._bars.update(self._task, completed=done, total=known, label=shown)

    def note(self, text: str) -> None:
        self._bars.console.print(Text(text, style="dim"))

    def done(self, result: str = "") -> None:
        if self._task is None:
            return
        line = visible(closing(self._name, self._clock() - self._began, result))
        self.close()
        self._bars.console.print(Text.assemble(("✓ ", "green"), line))

    def close(self) -> None:
        """Take the live line away; an unfinished stage leaves nothing that looks finished."""
        if self._task is not None:
            self._bars.stop()
            self._bars.remove_task(self._task)
            self._task = None


@contextmanager
def shown_on(stream: TextIO) -> Iterator[Progress]:
    """The progress that suits the stream: live on a terminal, plain lines elsewhere."""
    if not stream.isatty():
        yield PlainProgress(lambda text: (stream.write(text), stream.flush()))
        return
    terminal = TerminalProgress(DrawingConsole(file=unguarded(stream)))
    try:
        yield terminal
    finally:
        terminal.close()
