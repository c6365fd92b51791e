# SPDX-License-Identifier: GPL-2.0
"""Test results as the kernel says them: KTAP, read out of a console log.

stream:  version? block                    version: ('KTAP'|'TAP') 'version' N
block:   plan? (block* result)*            plan:    '1..' N
         (a nested block is indented)      result:  ['not '] 'ok' N ['-'] name ['#' directive]
anywhere: '# Subtest: ' name, 'Bail out!' reason, kernel messages, and our own
          '# start: ' name                 the test that runs from here on
          '# expect: ' COUNT REGEX         complaints it will cause (COUNT: 2, 1-3, 1+)
          '# ' name ': ' text              what a test says; its last word explains its failure

Lines come without the prefixes of printk and of loggers (prefix.py), so the indent counts from
behind these. A tab indents to the next multiple of 8. Nothing here trusts the log: it may end
anywhere, lose lines, repeat them, and hold results that contradict each other. What is wrong
with it becomes a failed case.

This module reads lines into nested blocks; results.py makes a flat list of cases of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice

from harness.linear import LinearError, linear

VERSION = re.compile(r"(?P<indent>[ \t]*)K?TAP version \d+$")
SUBTEST = re.compile(r"(?P<indent>[ \t]*)# Subtest: (?P<name>.*)$")
PLAN = re.compile(r"(?P<indent>[ \t]*)1\.\.(?P<count>\d{1,9})(?: *#.*)?$")
RESULT = re.compile(
    r"(?P<indent>[ \t]*)(?P<fails>not )?ok (?P<number>\d{1,9})(?: (?:- )?(?P<rest>.*))?$"
)
DIRECTIVE = re.compile(
    r"(?P<name>.*?)(?:^| )# *(?P<word>(?i:SKIP|TODO|XFAIL)|TIMEOUT|ERROR)(?=[\s:]|$):?"
    r" *(?P<why>.*)$"
)
"""A word and its reason. People write the first three in either case; the kernel's test runner
writes the others in capitals, and small letters are a remark ("# error count 0")."""
REMARK = re.compile(r"(?P<name>.*?)(?:^| )# (?P<why>.*)$")
BAIL = re.compile(r"\s*Bail out! *(?P<why>.*)$")
START = re.compile(r"\s*# start: (?P<name>\S.*)$")
EXPECT = re.compile(
    r"\s*# (?:\S+: )?expect: (?P<least>\d{1,9})(?:-(?P<most>\d{1,9})|(?P<more>\+))? (?P<regex>.+)$"
)
SAID = re.compile(r"\s*# (?P<name>[^\s:]+): (?P<what>.+)$")
SUMS = re.compile(r"\d+ ms$|pass:\d+ fail:\d+")  # said of every test, so no reason
TAB = 8
DEEPEST = 64
"""Blocks within one another that are told apart; no test needs as many."""
OK = re.compile(r"(?:not )?ok \d")
MOST_EXPECTED = 1000
"""Complaints that one test may announce."""
TOO_MANY = f"a test announced more than {MOST_EXPECTED} complaints"
MOST_GLUED = 4
"""Places in a line that are looked at for a result."""
INSIDE = re.compile(r"(?P<fails>not )?ok (?P<number>\d{1,9})(?: (?:- )?(?P<rest>.*))?$")
"""A result that begins in the middle of a line."""
OPENERS = frozenset(" \t1KTno#B")  # what a line of the grammar begins with


class Status(Enum):
    """How one test came out."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    KNOWN = "known"  # not ok, and announced as such (TODO, XFAIL)
    MISSING = "missing"  # planned or begun, and never heard of again


@dataclass(frozen=True)
class Expectation:
    """Complaints that a test causes on purpose."""

    regex: str
    least: int = 1
    most: int | None = 1
    line: int = 0


@dataclass
class Test:
    """A result, with the blocks it sums up; `first` to `last` are its lines."""

    name: str
    status: Status
    reason: str
    first: int
    last: int
    expects: list[Expectation]
    blocks: list["Block"]


@dataclass
class Block:
    """Results at one indent."""

    indent: int
    since: int
    """The line after the last thing that happened here."""
    announced: bool = False
    name: str = ""
    next_name: str = ""
    plan: int | None = None
    number: int = 0
    """Of the last result."""
    running: str = ""
    tests: list[Test] = field(default_factory=list)
    said: tuple[str, str] = ("", "")
    """The test that spoke last, and what it said."""
    expects: list[Expectation] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def fresh(self) -> bool:
        """Whether nothing but its version line was read."""
        return self.plan is None and not self.tests and not self.name

    def awaits(self, number: int) -> bool:
        """Whether the next result has this number."""
        return number == self.number + 1 and (self.plan is None or number <= self.plan)

    @property
    def awaited(self) -> str:
        """The test whose result comes next, as well as it can be named."""
        return self.running or f"test {self.number + 1}"


@dataclass
class Stream:
    """A whole log."""

    roots: list[Block]
    bail: str | None
    length: int


class Reader:
    """Takes lines in order."""

    def __init__(self) -> None:
        self._open: list[Block] = []
        self._roots: list[Block] = []
        self._bail: str | None = None
        self._line = 0

    def feed(self, line: str) -> None:
        """Read one line, without prefixes."""
        if not self._in_grammar(line) and self._open and "ok " in line:
            self._glued(line)
        self._line += 1

    def awaits(self, number: int) -> bool:
        """Whether an open block waits for a result of this number."""
        return any(block.awaits(number) for block in self._open)

    def skip(self, lines: int) -> None:
        """Count lines that have nothing to do with tests."""
        self._line += lines

    def end(self) -> Stream:
        """What was read; blocks that are open now were cut off."""
        self._close_down_to(0)
        return Stream(self._roots, self._bail, self._line)

    def _in_grammar(self, line: str) -> bool:
        """Take a line of the grammar."""
        if line[:1] not in OPENERS:
            return False
        for pattern, take in self._GRAMMAR:
            if found := pattern.match(line):
                take(self, found)
                return True
        return False

    def _glued(self, line: str) -> None:
        """Take a result behind a message that had no line break.

        Words of a message may look like one, so it must be the result that is due, directly
        behind another character.
        """
        begins = (found.start() for found in OK.finditer(line))
        for begin in islice((at for at in begins if _sticks(line, at)), MOST_GLUED):
            found = INSIDE.match(line, begin)
            due = self._due(found) if found else None
            if found and due is not None:
                self._result(found, due.indent)
                return

    def _due(self, found: re.Match[str]) -> Block | None:
        """The innermost open block that waits for a result of this number and name."""
        number, name = int(found["number"]), _verdict(found)[0]
        inner = ""
        for block in reversed(self._open):
            wanted = inner or block.running
            if block.awaits(number) and wanted in ("", name):
                return block
            inner = block.name
        return None

    def _version(self, found: re.Match[str]) -> None:
        self._begin(_width(found["indent"])).announced = True

    def _subtest(self, found: re.Match[str]) -> None:
        indent, name = _width(found["indent"]), found["name"].strip()
        block = self._at(indent)
        if block is not None and not block.fresh:
            block.next_name = name  # at the indent of the parent, as TAP 14 has it
        else:
            (block or self._begin(indent)).name = name

    def _plan(self, found: re.Match[str]) -> None:
        indent = _width(found["indent"])
        block = self._at(indent) or self._begin(indent)
        if block.plan is not None:
            block.faults.append(f"a second plan, for {int(found['count'])} tests")
            return
        block.plan = int(found["count"])
        if not block.tests:
            block.since = self._line

    def _result(self, found: re.Match[str], indent: int | None = None) -> None:
        block, nested = self._gather(_width(found["indent"]) if indent is None else indent)
        number = int(found["number"])
        if number != block.number + 1:
            block.faults.append(f"result {number} came where {block.number + 1} was due")
        name, status, reason = _verdict(found)
        name = name or block.running or f"test {number}"
        if status is Status.FAIL and block.said[0] == name:
            reason = reason or block.said[1]
        test = Test(name, status, reason, block.since, self._line, block.expects, nested)
        block.tests.append(test)
        block.number, block.since = number, self._line + 1
        block.running, block.next_name, block.expects = "", "", []

    def _bailed(self, found: re.Match[str]) -> None:
        if self._bail is None:
            self._bail = found["why"].strip() or "no reason given"

    def _start(self, found: re.Match[str]) -> None:
        if self._open:
            self._open[-1].running = found["name"].strip()

    def _expect(self, found: re.Match[str]) -> None:
        if not self._open:
            return
        block, regex = self._open[-1], found["regex"].strip()
        if len(block.expects) >= MOST_EXPECTED:
            if TOO_MANY not in block.faults:
                block.faults.append(TOO_MANY)
            return
        try:
            linear(regex)
        except LinearError as error:
            block.faults.append(f"`# expect:` has a bad pattern {regex!r}: {error}")
            return
        least = int(found["least"])
        most = None if found["more"] else int(found["most"] or least)
        block.expects.append(Expectation(regex, least, most, self._line))

    def _said(self, found: re.Match[str]) -> None:
        if self._open and not SUMS.match(found["what"]):
            self._open[-1].said = (found["name"], found["what"].strip())

    def _at(self, indent: int) -> Block | None:
        """The innermost open block, if it is at this indent."""
        return self._open[-1] if self._open and self._open[-1].indent == indent else None

    def _begin(self, indent: int) -> Block:
        """Open a block; those as deep or deeper got no result any more."""
        while self._open and self._open[-1].indent >= indent:
            self._close_down_to(len(self._open) - 1)
        if len(self._open) == DEEPEST:
            self._open[-1].faults.append(f"more than {DEEPEST} blocks within one another")
            self._close_down_to(len(self._open) - 1)
        name = self._open[-1].next_name if self._open else ""
        self._open.append(Block(indent, self._line, name=name))
        return self._open[-1]

    def _gather(self, indent: int) -> tuple[Block, list[Block]]:
        """The block that a result belongs to, and the blocks it sums up."""
        depth = len(self._open)
        while depth and self._open[depth - 1].indent > indent:
            depth -= 1
        while len(self._open) > depth + 1:
            self._close_down_to(len(self._open) - 1)
        nested = [self._open.pop()] if len(self._open) > depth else []
        block = self._at(indent)
        if block is None:
            block = self._begin(indent)
            block.since = nested[0].since if nested else self._line
        return block, nested

    def _close_down_to(self, depth: int) -> None:
        """Close blocks that have no result: each becomes an unfinished test of its parent."""
        while len(self._open) > depth:
            block = self._open.pop()
            if not self._open:
                self._roots.append(block)
                continue
            parent = self._open[-1]
            name = block.name or parent.awaited
            parent.tests.append(
                Test(
                    name,
                    Status.MISSING,
                    "did not end",
                    parent.since,
                    self._line,
                    parent.expects,
                    [block],
                )
            )
            parent.since, parent.running, parent.expects = self._line, "", []

    _GRAMMAR = (
        (RESULT, _result),
        (VERSION, _version),
        (PLAN, _plan),
        (SUBTEST, _subtest),
        (START, _start),
        (EXPECT, _expect),
        (BAIL, _bailed),
        (SAID, _said),
    )


def read(lines: Iterable[str]) -> Stream:
    """The blocks of a whole log; its lines come without prefixes."""
    reader = Reader()
    for line in lines:
        reader.feed(line)
    return reader.end()


def _sticks(line: str, at: int) -> bool:
    """Whether what begins there sticks to the character before it, and is no end of a word.

    "took 3 tries" has "ok 3 tries" in it.
    """
    before = line[at - 1 : at]
    return bool(before) and not before.isspace() and not (before == "o" and line[at] == "o")


def in_grammar(line: str) -> bool:
    """Whether a (bare) line belongs to the tests, so is no kernel message."""
    return line.lstrip().startswith("# ") or any(
        pattern.match(line) for pattern in (RESULT, VERSION, PLAN, BAIL)
    )


def _width(indent: str) -> int:
    """The column where the text behind an indent begins."""
    return len(indent.expandtabs(TAB))


def _verdict(found: re.Match[str]) -> tuple[str, Status, str]:
    """Name, status and reason of a result line."""
    passed = found["fails"] is None
    rest = (found["rest"] or "").strip()
    directive = DIRECTIVE.match(rest)
    if directive is None:
        remark = REMARK.match(rest)
        name, why = (remark["name"], remark["why"]) if remark else (rest, "")
        return name.strip(), Status.PASS if passed else Status.FAIL, why.strip()
    word = directive["word"].upper()
    return directive["name"].strip(), _directed(word, passed), directive["why"].strip() or word


def _directed(word: str, passed: bool) -> Status:
    """What a directive makes of ok and not ok."""
    if word == "SKIP":
        return Status.SKIP
    if word in ("TIMEOUT", "ERROR"):
        return Status.FAIL
    return Status.PASS if passed else Status.KNOWN
