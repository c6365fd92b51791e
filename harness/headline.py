# SPDX-License-Identifier: GPL-2.0
"""What one line of a kernel log is, as far as complaints go: configs/headlines.toml.

All patterns of the file are compiled into one automaton (RE2's set), so a line is read once
however many patterns there are, in time that is linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict

from harness.catalogue import Entry, read
from harness.places import PROJECT

HEADLINES = PROJECT / "configs" / "headlines.toml"
LONGEST_HEAD = 400
"""Only so many characters of a line are looked at."""
MEMORY = 32 << 20
"""What the automaton may take, in bytes; it starts over when that is used up."""


class Kind(Enum):
    """What sort of complaint; the value is its name in records."""

    PANIC = "panic"
    OOPS = "oops"
    BUG = "bug"
    WARNING = "warning"
    KASAN = "kasan"
    KFENCE = "kfence"
    KCSAN = "kcsan"
    KMSAN = "kmsan"
    UBSAN = "ubsan"
    CFI = "cfi"
    LOCKDEP = "lockdep"
    ATOMIC = "atomic"
    RCU_STALL = "rcu-stall"
    SOFT_LOCKUP = "soft-lockup"
    HARD_LOCKUP = "hard-lockup"
    WORKQUEUE = "workqueue-lockup"
    HUNG_TASK = "hung-task"
    SLAB = "slab"
    LIST = "list-corruption"
    DEBUG_OBJECTS = "debugobjects"
    PAGE = "bad-page"
    REFCOUNT = "refcount"
    NO_PAGE = "page-allocation"
    LEAK = "leak"
    IRQ = "irq"
    UNALIGNED = "unaligned"
    USER = "user-fault"
    TAINT = "taint"  # found by taint.py
    RESET = "reset"  # found by boots.py
    STACK = "stack"
    FRAGMENT = "fragment"
    """A report of which the beginning, or all but the beginning, is missing."""


class Role(Enum):
    """What a line without a headline is to a report."""

    CUT = "cut"
    END = "end"
    STACK = "stack"
    WHO = "who"
    CONTEXT = "context"
    EVIDENCE = "evidence"
    APART = "apart"
    FILLER = "filler"
    HARMLESS = "harmless"


def _compiles(pattern: str) -> str:
    try:
        re2.compile(pattern)
    except re2.error as error:
        raise ValueError(f"not a regular expression of RE2: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class Row(BaseModel):
    """A pattern, and lines that it must find."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: Pattern
    examples: tuple[str, ...]
    why: str


class Headline(Row):
    """What a complaint begins with."""

    kind: Kind
    said: bool = False


class Part(Row):
    """What a report is made of."""

    role: Role


class Sequel(Row):
    """A headline that goes on with the report before it."""

    after: frozenset[Kind]
    late: bool = False


class Panic(BaseModel):
    """A panic that follows from another complaint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: Pattern
    kinds: frozenset[Kind]
    example: str
    why: str


class Headlines(Entry):
    """The whole file."""

    headline: tuple[Headline, ...]
    notice: tuple[Row, ...]
    part: tuple[Part, ...]
    sequel: tuple[Sequel, ...]
    panic: tuple[Panic, ...]


@dataclass(frozen=True)
class Sight:
    """What a line is."""

    kind: Kind | None = None
    """Of the complaint that begins here, if it is a headline."""
    said: bool = False
    """Whether it may also be the text of a WARN() or before a BUG()."""
    role: Role | None = None
    warns: bool = False
    """Whether it is the headline of WARN() or BUG() itself."""


PLAIN = Sight()
_WARNS = ("WARNING: CPU: ", "WARNING: at ", "kernel BUG at ", "Kernel BUG at ")
_NEWER = re.compile(r"WARNING: (?:\[.{1,200}\] )?\S+:\d+ at ")


class Reader:
    """Reads lines by the patterns of one file."""

    def __init__(self, table: Headlines) -> None:
        self._table = table
        rows: list[Row] = [*table.notice, *table.headline, *table.part]
        self._automaton = _automaton(row.pattern for row in rows)
        self._first = len(table.notice)
        self._parts = self._first + len(table.headline)
        self._sequels = tuple((one, re2.compile(one.pattern)) for one in table.sequel)
        self._panics = tuple((re2.compile(one.pattern), one.kinds) for one in table.panic)

    def sight(self, text: str) -> Sight:
        """What a line (without its prefix and leading blanks) is."""
        head = text[:LONGEST_HEAD].encode(errors="replace")
        found = self._automaton.Match(head)
        return self._sight(sorted(found), text) if found else PLAIN

    def _sight(self, found: list[int], text: str) -> Sight:
        part = next((index - self._parts for index in found if index >= self._parts), None)
        role = None if part is None else self._table.part[part].role
        if found[0] < self._first:  # a notice
            return Sight(role=role)
        head = found[0] - self._first
        if head >= len(self._table.headline):
            return Sight(role=role)
        row = self._table.headline[head]
        warns = text.startswith(_WARNS) or bool(_NEWER.match(text[:LONGEST_HEAD]))
        return Sight(row.kind, row.said, role, warns)

    def goes_on(
        self, text: str, kinds: Collection[Kind], said: Iterable[str], *, ended: bool
    ) -> bool:
        """Whether this headline goes on with a report.

        The report is of these kinds, has said that, and has ended or not.
        """
        head = text[:LONGEST_HEAD]
        for sequel, pattern in self._sequels:
            if sequel.after.isdisjoint(kinds) or (ended and not sequel.late):
                continue
            if found := pattern.search(head):
                same = found.groupdict().get("same")
                return same is None or any(same in line for line in said if "[ end" not in line)
        return False

    def causes(self, panic: str) -> frozenset[Kind]:
        """The kinds of complaint that such a panic follows from; none: it stands for itself."""
        head = panic[:LONGEST_HEAD]
        return next((kinds for pattern, kinds in self._panics if pattern.search(head)), frozenset())


def _automaton(patterns: Iterable[str]) -> re2.Set:
    options = re2.Options()
    options.max_mem = MEMORY
    automaton = re2.Set.SearchSet(options)
    for pattern in patterns:
        automaton.Add(pattern)
    automaton.Compile()
    return automaton


@cache
def table(path: Path = HEADLINES) -> Headlines:
    """What the file says; a UserError names the fault in it."""
    return read(path, Headlines)


@cache
def reader(path: Path = HEADLINES) -> Reader:
    """The reader for that file."""
    return Reader(table(path))
