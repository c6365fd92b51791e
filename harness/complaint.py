# SPDX-License-Identifier: GPL-2.0
"""What a kernel complains of on its console.

A complaint is one event: its headline, what belongs to it (registers, stacks, dumps) and what
merely follows from it ("Oops" after "unable to handle", "FIX" after a slab report). What lines
look like is in configs/headlines.toml; here is how they make up reports:

- A report begins with a headline, or with the line "cut here" before it. It goes on while lines
  of a report come, with a few others between them, and ends with "end trace", with a headline
  that does not go on with it, or when too many other lines have come.
- Lines of the tests (ktap.py) are no kernel messages. They may fall into the middle of a report.
- Lines that only a report has, without one, are a complaint as well: a stack dump, which has the
  line before it as its title, or a report of which the beginning is missing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.headline import Kind, Role, Sight, reader, table
from harness.ktap import in_grammar
from harness.prefix import bare
from harness.splat import (
    AFTERMATH,
    DIED,
    INTERRUPTED,
    STALLS,
    WIDEST,
    WIDEST_HEADLINE,
    Complaint,
    Report,
)

__all__ = ["STALLS", "Complaint", "Kind", "complaints", "is_stall", "of_the_guest", "root_cause"]

CUT_LONGEST = 8
"""So many lines may stand between "cut here" and the headline."""
ALONE = frozenset({Role.STACK, Role.WHO, Role.CONTEXT, Role.EVIDENCE, Role.END})
"""What only a report has."""
BEGIN = ALONE | {Role.CUT, Role.HARMLESS}
BOUNDS = re.compile(r"\{\d+,\d+\}")
STANDS = frozenset(
    {Kind.PANIC, Kind.OOPS, Kind.UBSAN, Kind.KASAN, Kind.KFENCE, Kind.KCSAN, Kind.KMSAN}
)
"""What is a headline after "cut here", too; others are what the caller of WARN() says."""
MOST_HEADS = 64
"""So many further headlines of one event are kept."""
NEAR = 2
"""A title is at most so many lines before its stack dump."""
REACH = 8
"""... or so many, if details of a report stand between them."""
OUR_OWN = re.compile(r"^slqb-guest: ")


def complaints(lines: Iterable[str]) -> list[Complaint]:
    """Every complaint of a log, in order."""
    scan = Scan()
    for number, raw in enumerate(lines):
        scan.feed(number, bare(raw).rstrip())
    return scan.end()


def patterns() -> Iterator[str]:
    """RE2 patterns that find each line with which a complaint can begin, and more.

    Their repetitions have no bounds, so that an automaton of all of them stays small, also where
    it looks for them anywhere in a line.
    """
    rows = [*table().headline, *(one for one in table().part if one.role in BEGIN)]
    yield from (BOUNDS.sub("*", row.pattern) for row in rows)


def is_stall(line: str) -> bool:
    """Whether a line begins a complaint that says no more than that time passed."""
    return reader().sight(bare(line).lstrip()).kind in STALLS


def of_the_guest(line: str) -> bool:
    """Whether a line comes from the tests or our init, not from the kernel itself."""
    text = bare(line)
    return bool(OUR_OWN.match(text.lstrip())) or in_grammar(text)


def root_cause(found: list[Complaint]) -> Complaint | None:
    """What the first panic of a log follows from: the last complaint before it of a kind that
    leads to such a panic, or the panic itself; None without a panic."""
    for index, panic in enumerate(found):
        if panic.kind is Kind.PANIC:
            kinds = reader().causes(panic.headline)
            before = [one for one in found[:index] if one.kind in kinds]
            return before[-1] if before else panic
    return None


@dataclass
class _Cut:
    """What came since the line "cut here"."""

    first: int
    said: list[tuple[str, Sight]] = field(default_factory=list)
    tests: int = 0

    def told(self) -> tuple[str, Sight] | None:
        """The first line said that is the headline of something in particular."""
        return next((one for one in self.said if one[1].kind is not None), None)


class Scan:
    """The state of a scan: the report that is being told, if any."""

    def __init__(self) -> None:
        self._reader = reader()
        self._found: list[Complaint] = []
        self._open: Report | None = None
        self._last: Report | None = None  # the one before, which may go on
        self._closed = -AFTERMATH  # the line where that ended
        self._cut: _Cut | None = None
        self._before: tuple[int, str] | None = None  # a line that may be a title
        self._reach = 0  # the last line of what is said with it

    def feed(self, number: int, line: str) -> None:
        """One line without its printk prefix."""
        text = line.lstrip()
        if not text:
            return
        if of_the_guest(line):
            self._interrupt(number, text)
            return
        sight = self._reader.sight(text)
        if sight.role is Role.CUT:
            self._cut_off()
            self._cut = _Cut(number)
        elif self._cut is not None:
            self._after_cut(number, text, sight, self._cut)
        else:
            self._take(number, text, sight)

    def end(self) -> list[Complaint]:
        """All that was found."""
        self._cut_off()
        return self._found

    @property
    def idle(self) -> bool:
        """Whether no report is being told."""
        return self._open is None and self._cut is None

    def _interrupt(self, number: int, text: str) -> None:
        """A line of the tests or of our init, which may fall into a report."""
        self._before = None
        if self._open is not None and not self._open.interrupt():
            self._close(-AFTERMATH)
        elif self._open is None:
            self._closed = -AFTERMATH
        if self._cut is not None:
            self._cut.tests += 1
            if self._cut.tests > INTERRUPTED:
                self._cut_off()

    def _take(self, number: int, text: str, sight: Sight) -> None:
        """A line outside of what follows "cut here"."""
        if sight.kind is None:
            self._go_on(number, text, sight.role)
        elif self._one_event(number, text, sight):
            self._join(number, text, sight)
        else:
            self._begin(
                Report(Complaint(sight.kind, text, number, number), said=sight.said), number
            )

    def _one_event(self, number: int, text: str, sight: Sight) -> bool:
        """Whether a headline goes on with the report before it."""
        report = self._open
        if report is None:
            report = self._last if number - self._closed <= AFTERMATH else None
        if report is None or report.harmless:
            return False
        kind = report.complaint.kind
        if report.said and report.headed and sight.warns:
            return True  # what was printed before a WARN() or a BUG()
        if report is self._open and report.headed and kind is Kind.WARNING and sight.said:
            return True  # older kernels print the text after the headline
        complaint = report.complaint
        if DIED.search(text[:WIDEST]) and complaint.died:
            return False
        kinds = {kind, *report.also}
        return self._reader.goes_on(text, kinds, complaint.lines(), ended=report.ended)

    def _join(self, number: int, text: str, sight: Sight) -> None:
        """Add a headline to the event that it belongs to."""
        report = self._open or self._last
        assert report is not None
        self._open, self._before = report, None
        report.complaint.last = number
        if len(report.complaint.heads) < MOST_HEADS:
            report.complaint.heads.append(text[:WIDEST])
        report.said = report.ended = report.interrupted = report.met = False
        if sight.kind is not None:
            report.also.add(sight.kind)
        report.gap = report.tests = report.stacks = 0
        if report.complaint.kind is Kind.WARNING and sight.kind not in (None, Kind.BUG):
            report.complaint.kind = sight.kind

    def _after_cut(self, number: int, text: str, sight: Sight, cut: _Cut) -> None:
        """Between "cut here" and the headline stands what the caller of WARN() says."""
        if sight.warns or sight.kind in STANDS:
            self._cut = None
            self._headline(number, text, sight, cut)
        elif sight.role in ALONE:
            said = cut.said[0][0] if cut.said else text
            self._cut_off(f"the headline is missing: {said}")
            self._take(number, text, sight)
        elif len(cut.said) >= CUT_LONGEST:
            self._cut_off()
            self._take(number, text, sight)
        else:
            cut.said.append((text, sight))

    def _headline(self, number: int, text: str, sight: Sight, cut: _Cut) -> None:
        """The headline that "cut here" announced."""
        assert sight.kind is not None
        if self._one_event(number, text, sight):
            self._join(number, text, sight)
            return
        told = cut.told()
        kind = sight.kind
        if told is not None and told[1].kind not in (None, Kind.BUG):
            kind = told[1].kind or kind
        complaint = Complaint(kind, text, cut.first, number)
        complaint.heads = [said[:WIDEST] for said, _ in cut.said]
        self._begin(Report(complaint, also={sight.kind}), cut.first)

    def _cut_off(self, what: str = 'a report is cut off after "cut here"') -> None:
        """No headline came after "cut here"."""
        cut, self._cut = self._cut, None
        if cut is None or (not cut.said and self._open is not None and self._open.cut_off):
            return
        told = cut.told()
        if told is not None and told[1].kind is not None:
            complaint = Complaint(told[1].kind, f"{told[0]} (cut off)", cut.first, cut.first)
            complaint.last = cut.first + 1
        else:
            complaint = Complaint(Kind.FRAGMENT, what, cut.first, cut.first)
        self._begin(Report(complaint), cut.first)

    def _begin(self, report: Report, first: int) -> None:
        complaint = report.complaint
        complaint.headline = complaint.headline[:WIDEST_HEADLINE]
        if self._last is not None:
            self._last.yield_to(first)
        self._open = self._last = report
        self._before = None
        if not report.harmless:
            self._found.append(complaint)

    def _go_on(self, number: int, text: str, role: Role | None) -> None:
        """A line without a headline of its own."""
        if role is Role.HARMLESS:
            self._begin(Report(Complaint(Kind.STACK, text, number, number), harmless=True), number)
            return
        if self._open is not None and not self._open.belongs(role):
            self._close(number)
        if self._open is not None:
            self._open.absorb(number, text, role)
        elif role is not None and role in ALONE:
            self._headless(number, text, role)
        self._remember(number, text, role)

    def _headless(self, number: int, text: str, role: Role) -> None:
        """A line that only a report has, without one."""
        headline = f"the beginning is missing: {text}"
        report = Report(Complaint(Kind.FRAGMENT, headline, number, number))
        report.dump = role in (Role.STACK, Role.WHO, Role.CONTEXT)
        near = number - self._reach <= NEAR and self._since_title(number) <= REACH
        report.title = self._before if near else None
        self._begin(report, number if report.title is None else report.title[0])
        report.absorb(number, text, role)

    def _since_title(self, number: int) -> int:
        """How many lines ago the line was that may be a title."""
        return number - self._before[0] if self._before else 0

    def _remember(self, number: int, text: str, role: Role | None) -> None:
        """Keep a line that may be the title of a stack dump; details may come between them."""
        if role is None:
            self._before, self._reach = (number, text[:WIDEST]), number
        elif role is not Role.FILLER:
            self._before = None
        elif number - self._reach <= NEAR:
            self._reach = number

    def _close(self, number: int) -> None:
        if self._open is not None:
            self._open, self._closed = None, number
