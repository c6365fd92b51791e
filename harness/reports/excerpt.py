# SPDX-License-Identifier: GPL-2.0
"""What of a console a report shows: around complaints and failed tests, and the end.

A console may have megabytes. It is read once, line by line, and what is kept has a limit in
lines and in the length of each, so that a page of forty boots can still be mailed. What is left
out is counted. The time of a test is that between the lines of its own, by the host's clock.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from harness.console import Line, saved
from harness.ktap import START
from harness.prefix import bare
from harness.record import CellRecord

BEFORE, AFTER = 3, 2
"""Lines shown around a complaint."""
LONGEST = 80
"""Lines of one complaint, or of one test."""
LAST = 25
"""Lines shown of the end."""
MOST = 500
"""Lines shown of one boot."""
WIDEST = 300
"""Characters shown of a line."""
BAD = ("fail", "missing")


@dataclass(frozen=True)
class Passage:
    """Lines that follow one another; the first one has the number `first`, counted from 1."""

    first: int
    lines: tuple[Line, ...]

    @property
    def numbered(self) -> Iterator[tuple[int, Line]]:
        """Each line with its number."""
        return enumerate(self.lines, self.first)

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + len(self.lines) - 1


@dataclass(frozen=True)
class Excerpt:
    """What is kept of one console."""

    length: int = 0
    """Lines there are."""
    kept: Mapping[int, Line] = field(default_factory=dict)
    begun: Mapping[int, float] = field(default_factory=dict)
    """When the tests began, by the number of their first line ..."""
    done: Mapping[int, float] = field(default_factory=dict)
    """... and when they ended, by that of their last."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The lines kept, in order."""
        return tuple(_passages(self.kept))

    @property
    def left_out(self) -> int:
        """How many lines are not shown."""
        return self.length - len(self.kept)

    def between(self, lines: tuple[int, int]) -> tuple[Passage, ...]:
        """What is kept of a stretch."""
        first, last = lines
        return tuple(_passages({at: self.kept[at] for at in self.kept if first <= at <= last}))

    def seconds(self, lines: tuple[int, int]) -> float | None:
        """How long a test took; None where no clock was kept."""
        began, ended = self.begun.get(lines[0]), self.done.get(lines[1])
        return None if began is None or ended is None else round(max(0.0, ended - began), 3)

    def text(self, passages: Iterable[Passage] | None = None) -> str:
        """For a form without markup; what is missing in between is said."""
        parts: list[str] = []
        at = 1
        for passage in self.passages if passages is None else passages:
            if passages is None and passage.first > at:
                parts.append(f"[... {passage.first - at} lines left out ...]")
            parts += (str(line) for line in passage.lines)
            at = passage.last + 1
        return "\n".join(parts)


def excerpt_of(log: Path, cell: CellRecord) -> Excerpt:
    """What of a log belongs into a report on its boot; without a log, nothing."""
    try:
        with log.open(errors="surrogateescape") as texts:
            return excerpt(saved(texts), cell)
    except FileNotFoundError:
        return Excerpt()


def excerpt(lines: Iterable[Line], cell: CellRecord) -> Excerpt:
    """The same of lines."""
    wanted = frozenset(islice(dict.fromkeys(_wanted(cell)), MOST - LAST))
    firsts = {case.lines[0] for case in cell.cases}
    lasts = {case.lines[1] for case in cell.cases}
    kept: dict[int, Line] = {}
    begun: dict[int, float] = {}
    done: dict[int, float] = {}
    end: deque[tuple[int, Line]] = deque(maxlen=LAST)
    number, before = 0, None
    for number, line in enumerate(lines, 1):
        if number in wanted:
            kept[number] = _shortened(line)
        if number in firsts and (at := _beginning(line, before)) is not None:
            begun[number] = at
        if number in lasts and line.at is not None:
            done[number] = line.at
        end.append((number, line))
        before = line.at
    kept |= {at: _shortened(line) for at, line in end}
    return Excerpt(number, dict(sorted(kept.items())), begun, done)


def _beginning(line: Line, before: float | None) -> float | None:
    """A test that says when it starts did so then, any other when the one before was done."""
    return line.at if before is None or START.match(bare(line.text)) else before


def _wanted(cell: CellRecord) -> Iterator[int]:
    """The numbers of the lines to be shown, the most telling first."""
    for complaint in cell.complaints:
        if not complaint.expected:
            first, last = complaint.lines
            yield from range(max(1, first - BEFORE), min(last, first + LONGEST) + AFTER + 1)
    for case in cell.cases:
        if case.status in BAD:
            first, last = case.lines
            yield from range(max(first, last - LONGEST), last + 1)


def _shortened(line: Line) -> Line:
    cut = len(line.text) - WIDEST
    return line if cut <= 0 else Line(f"{line.text[:WIDEST]} [... {cut} characters]", line.at)


def _passages(kept: Mapping[int, Line]) -> Iterator[Passage]:
    lines: list[Line] = []
    first = 0
    for number in sorted(kept):
        if lines and number != first + len(lines):
            yield Passage(first, tuple(lines))
            lines = []
        first = first if lines else number
        lines.append(kept[number])
    if lines:
        yield Passage(first, tuple(lines))
