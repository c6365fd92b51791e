# SPDX-License-Identifier: GPL-2.0
"""One HTML page that needs nothing else: no network, no script, no font.

The matrix is a grid; a cell of it leads to its boot, which opens (a link into a closed `details`
opens it, without any script). What consoles and records say is text and nothing else: Jinja2
escapes everything, and the page forbids itself every script and every request, so that markup
which got through would be dead.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.errors import Outcome
from harness.record import CaseRecord, CellRecord, ComplaintRecord, RunRecord
from harness.reports.account import (
    Account,
    Standing,
    complaints,
    facts,
    is_bad,
    standing,
    tests_of,
    told,
    why,
)
from harness.reports.excerpt import Excerpt, Passage
from harness.repro import failing

TEMPLATE = "page.html.j2"
SIGNS = {
    Standing.GOOD: "\N{CHECK MARK}",
    Standing.FLAKY: "\N{ALMOST EQUAL TO}",
    Standing.BAD: "\N{MULTIPLICATION X}",
    Standing.UNKNOWN: "?",
}
WORDS = {
    "pass": "passed",
    "fail": "failed",
    "missing": "missing",
    "skip": "skipped",
    "known": "known to fail",
}
MINUTES = 100
"""Seconds from which on there are minutes."""
FEW = 3
"""So many boots that went wrong are open from the start."""


@dataclass(frozen=True)
class Group:
    """Tests that belong together."""

    name: str
    cases: tuple[CaseRecord, ...]

    @property
    def sums(self) -> str:
        """How many came out how."""
        return sums(self.cases)

    @property
    def bad(self) -> bool:
        """Whether one of them failed."""
        return any(is_bad(case) for case in self.cases)


@dataclass(frozen=True)
class Boot:
    """A cell as the template wants it."""

    account: Account
    cell: CellRecord
    id: str
    open: bool

    @property
    def standing(self) -> Standing:
        """What it says about its kernel."""
        return standing(self.cell)

    @property
    def sign(self) -> str:
        """One character, so that colour is not all there is."""
        return SIGNS[self.standing]

    @property
    def word(self) -> str:
        """The outcome."""
        return told(self.cell)

    @property
    def why(self) -> str:
        """The outcome with its reason."""
        return why(self.cell)

    @property
    def sums(self) -> str:
        """How many tests came out how."""
        return sums(tests_of(self.cell))

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What there is to know."""
        return tuple(facts(self.account, self.cell))

    @property
    def repeat(self) -> str:
        """The command that boots this again."""
        return self.account.repeat(self.cell, failing(self.cell))

    @property
    def phases(self) -> tuple[tuple[str, float, float], ...]:
        """Name, seconds, and the share of the whole in percent."""
        whole = sum(self.cell.phases.values()) or 1.0
        return tuple((name, took, 100 * took / whole) for name, took in self.cell.phases.items())

    @property
    def groups(self) -> tuple[Group, ...]:
        """The tests by group, those with failures first."""
        by_group = groupby(tests_of(self.cell), key=lambda case: case.path.partition(".")[0])
        found = [Group(name, _worst_first(cases)) for name, cases in by_group]
        return tuple(sorted(found, key=lambda group: not group.bad))

    @cached_property
    def excerpt(self) -> Excerpt:
        """What is shown of the console."""
        return self.account.excerpt(self.cell)

    @property
    def complaints(self) -> tuple[ComplaintRecord, ...]:
        """Those that nobody declared."""
        return tuple(complaints(self.cell))

    @cached_property
    def loud(self) -> frozenset[int]:
        """The lines of complaints and of failed tests' results."""
        lines = [range(one.lines[0], one.lines[1] + 1) for one in self.complaints]
        results = [case.lines[1] for case in self.cell.cases if is_bad(case)]
        return frozenset(number for stretch in lines for number in stretch) | set(results)

    @property
    def console(self) -> Iterator[tuple[int, Passage]]:
        """Passages, each with the number of lines left out before it."""
        at = 1
        for passage in self.excerpt.passages:
            yield passage.first - at, passage
            at = passage.last + 1

    def name(self, case: CaseRecord) -> str:
        """A test's name within its group."""
        return case.path.partition(".")[2] or case.path

    def took(self, case: CaseRecord) -> str:
        """How long a test ran."""
        seconds = self.excerpt.seconds(case.lines)
        return "" if seconds is None else f"{seconds:.2f} s"

    def line(self, lines: tuple[int, int], *, end: bool = False) -> int | None:
        """The line to lead to, if it is shown."""
        number = lines[1] if end else lines[0]
        return number if number in self.excerpt.kept else None


@dataclass(frozen=True)
class Row:
    """A kernel's boots, by topology."""

    label: str
    boots: tuple[tuple[str, tuple[Boot, ...]], ...]


@dataclass(frozen=True)
class Machine:
    """Its kernels."""

    name: str
    rows: tuple[Row, ...]


def page(account: Account) -> str:
    """The run as one HTML page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    record, boots = account.record, _boots(account)
    topologies = tuple(dict.fromkeys(cell.topology for cell in record.cells))
    return environment.get_template(TEMPLATE).render(
        account=account,
        record=record,
        standing=_standing(record),
        headline=record.outcome or record.state.upper(),
        boots=boots,
        topologies=topologies,
        left_out=_left_out(record),
        machines=tuple(_machines(boots, topologies)),
        command=shlex.join(record.command),
        sums=sums([case for cell in record.cells for case in tests_of(cell)]),
        standings=Counter(boot.standing for boot in boots),
        signs=SIGNS,
        words=WORDS,
        standing_names=Standing,
    )


def _worst_first(cases: Iterable[CaseRecord]) -> tuple[CaseRecord, ...]:
    return tuple(sorted(cases, key=lambda case: not is_bad(case)))


def sums(cases: Sequence[CaseRecord]) -> str:
    """How many tests came out how."""
    counted = Counter(case.status for case in cases)
    return ", ".join(f"{counted[key]} {word}" for key, word in WORDS.items() if counted[key])


def duration(seconds: float) -> str:
    """For people."""
    if seconds < MINUTES:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60:02} s"


def _standing(record: RunRecord) -> Standing:
    """What the whole run says."""
    if record.outcome == Outcome.PASS.name:
        return Standing.GOOD
    known = record.outcome not in (None, Outcome.HOST.name, Outcome.INTERRUPTED.name)
    return Standing.BAD if known else Standing.UNKNOWN


def _boots(account: Account) -> tuple[Boot, ...]:
    cells = account.record.cells
    few = sum(standing(cell) is not Standing.GOOD for cell in cells) <= FEW
    return tuple(
        Boot(account, cell, f"c{number}", few and standing(cell) is not Standing.GOOD)
        for number, cell in enumerate(cells, 1)
    )


def _left_out(record: RunRecord) -> Mapping[str, tuple[str, ...]]:
    """By the reason."""
    reasons = dict.fromkeys(one.reason for one in record.left_out)
    return {
        reason: tuple(one.name for one in record.left_out if one.reason == reason)
        for reason in reasons
    }


def _machines(boots: Sequence[Boot], topologies: Sequence[str]) -> Iterator[Machine]:
    for machine in dict.fromkeys(boot.cell.machine for boot in boots):
        mine = [boot for boot in boots if boot.cell.machine == machine]
        rows = []
        for kernel in dict.fromkeys(boot.cell.kernel for boot in mine):
            of_kernel = [boot for boot in mine if boot.cell.kernel == kernel]
            by_shape = tuple(
                (name, tuple(boot for boot in of_kernel if boot.cell.topology == name))
                for name in topologies
            )
            rows.append(Row(kernel.removeprefix(f"{machine}-"), by_shape))
        yield Machine(machine, tuple(rows))
