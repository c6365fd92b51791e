# SPDX-License-Identifier: GPL-2.0
"""One complaint, and the report that tells of it while its lines come in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.headline import Kind, Role
from harness.linear import linear

STALLS = frozenset(
    {Kind.RCU_STALL, Kind.SOFT_LOCKUP, Kind.HARD_LOCKUP, Kind.WORKQUEUE, Kind.HUNG_TASK}
)
"""Complaints that only say that time passed."""
MANY_STACKS = STALLS | {Kind.LOCKDEP, Kind.PANIC}
"""Reports with any number of stacks, and any lines between them."""
LONGEST = 500
"""So many lines of a report are kept."""
WIDEST = 1000
"""So many characters of a line are kept."""
WIDEST_HEADLINE = 5000
"""So many of a headline: more than what readers of long lines leave of one, and say so."""
AFTERMATH = 15
"""Lines that belong to a report have at most so many others between them."""
INTERRUPTED = 8
"""At most so many lines of the tests fall into a report, one after the other."""
OWED = 3
"""So many others may come between "end trace" and the registers that some machines repeat, or,
after lines of the tests, before the stack of a report that had none yet."""
DIED = re.compile(r"\[#\d+\]")
"""Each oops is counted, once."""


@dataclass
class Complaint:
    """One event; lines are counted from 0."""

    kind: Kind
    headline: str
    first: int
    last: int
    heads: list[str] = field(default_factory=list)
    """What else was said at its head: the text of a WARN(), the BUG() that followed."""
    body: list[str] = field(default_factory=list)

    @property
    def stall(self) -> bool:
        """Whether it says no more than that time passed."""
        return self.kind in STALLS

    def matches(self, regex: str) -> bool:
        """Whether a declared pattern means this one."""
        return any(linear(regex).search(head) for head in (self.headline, *self.heads))

    @property
    def died(self) -> bool:
        """Whether an oops was counted."""
        return any(DIED.search(head) for head in (self.headline, *self.heads))

    def lines(self) -> Iterator[str]:
        """All that was kept of it."""
        yield self.headline
        yield from self.heads
        yield from self.body


@dataclass
class Report:
    """A complaint whose lines are coming in."""

    complaint: Complaint
    harmless: bool = False
    """It is no complaint, but its lines belong together as those of one do."""
    said: bool = False
    """Its headline is what the kernel prints before a WARN() or a BUG()."""
    also: set[Kind] = field(default_factory=set)
    """The kinds of further headlines of the same event."""
    met: bool = False
    """The line came that says which processor and process it is about."""
    stacks: int = 0
    gap: int = 0
    """Lines that belong to no report, since the last that does."""
    tests: int = 0
    """Lines of the tests, since the last of the kernel."""
    interrupted: bool = False
    """Lines of the tests came since the last line that only a report has."""
    announced: bool = False
    """One more stack was announced."""
    ended: bool = False
    dump: bool = False
    """It began without a headline, as dump_stack() begins."""
    title: tuple[int, str] | None = None
    """The line before it, in that case."""

    def belongs(self, role: Role | None) -> bool:
        """Whether a line of this role is one of the report's."""
        if role is None:
            return self.gap < self._patience
        if role in (Role.STACK, Role.WHO):
            return self._expects_stack(role)
        return not (self.ended and role in (Role.CONTEXT, Role.END))

    @property
    def _many(self) -> bool:
        return self.complaint.kind in MANY_STACKS

    @property
    def _patience(self) -> int:
        """How many lines that are none of the report's may come before one that is."""
        if self.ended:
            return OWED
        if self.interrupted:
            return 0 if self.stacks and not self._many else OWED
        return AFTERMATH

    def _expects_stack(self, role: Role) -> bool:
        if self.ended:
            return False
        if self.announced or self._many:
            return True
        if role is Role.WHO:
            return not self.met and not self.stacks
        return not self.stacks or not (self.gap or self.interrupted)

    def absorb(self, number: int, text: str, role: Role | None) -> None:
        """Take one line."""
        complaint = self.complaint
        complaint.last = number
        if len(complaint.body) < LONGEST:
            complaint.body.append(text[:WIDEST])
        self.tests = 0
        if role is None:
            self.gap += 1
            return
        self.gap, self.interrupted = 0, False
        self.stacks += role is Role.STACK
        self.met = self.met or role is Role.WHO
        if role is Role.APART:
            self.announced = True
        elif role is Role.STACK:
            self.announced = False
        self.ended = self.ended or role is Role.END
        if self.dump:
            self._recognize(role)

    def _recognize(self, role: Role) -> None:
        """Tell a stack dump from a report whose beginning is missing: only the latter shows
        registers before the stack."""
        if role is Role.STACK:
            self.complaint.kind = Kind.STACK
            self.complaint.headline = "a stack dump without a headline"
            if self.title is not None:
                self.complaint.first, self.complaint.headline = self.title
        self.dump = role in (Role.WHO, Role.CONTEXT, Role.FILLER)

    def interrupt(self) -> bool:
        """A line of the tests came; whether the report may still go on."""
        self.tests += 1
        self.interrupted = True
        return self.tests <= INTERRUPTED

    @property
    def headed(self) -> bool:
        """Whether nothing but its headline came yet."""
        return not self.complaint.body

    @property
    def cut_off(self) -> bool:
        """Whether a "cut here" without more may be this report's own."""
        return (self.said and self.headed) or self.complaint.kind is Kind.SLAB

    def yield_to(self, first: int) -> None:
        """Give up the last line, if another report begins there."""
        if self.complaint.last >= first and self.complaint.body:
            self.complaint.body.pop()
            self.complaint.last = max(self.complaint.first, first - 1)
