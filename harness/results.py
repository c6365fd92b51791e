# SPDX-License-Identifier: GPL-2.0
"""A flat list of test cases, made from the nested blocks of a log (ktap.py).

Each case has its full path (names joined by '.'), and the lines that are its own: what the
kernel complains of there is its affair. Whatever is wrong with the blocks themselves (a
plan that was not kept, a group that failed without a failed test) is a case, too, so that
there is one list to judge.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush

from harness.ktap import Block, Expectation, Status, Stream, Test, read
from harness.prefix import bare

BAD = frozenset({Status.FAIL, Status.MISSING})
DID_NOT_END = "did not end"
"""The reason of a test that was running when the guest was heard for the last time."""
EXPLAINS = BAD | {Status.KNOWN}
"""A group may be not ok because of a test in it that is."""


@dataclass(frozen=True)
class Case:
    """One test; the lines from `first` to `last` are its own."""

    path: str
    status: Status
    reason: str = ""
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Group:
    """The lines that belong to a group of tests."""

    path: str
    first: int
    last: int


@dataclass(frozen=True)
class Declared:
    """What a test said it would cause."""

    path: str
    expectation: Expectation


@dataclass
class Report:
    """All that a log says about tests."""

    cases: list[Case] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    declared: list[Declared] = field(default_factory=list)
    bail: str | None = None

    def owner(self, line: int) -> str:
        """The test that was running at that line, or its group; "" outside of all."""
        begins, paths = self._owners
        at = bisect_right(begins, line)
        return paths[at - 1] if at else ""

    @cached_property
    def _owners(self) -> tuple[list[int], list[str]]:
        """Where another owner begins, and which; asked for when the report is complete."""
        return _stretches([*self.groups, *self.cases])


def _stretches(spans: list[Case | Group]) -> tuple[list[int], list[str]]:
    """Lines where another span becomes the shortest one around them, and its path ("" for none)."""
    inside: list[tuple[int, int, int, str]] = []  # a heap: length, place in the list, last, path
    rising = sorted(enumerate(spans), key=lambda item: item[1].first, reverse=True)
    begins, paths = [], []
    for line in sorted({edge for one in spans for edge in (one.first, one.last + 1)}):
        while rising and rising[-1][1].first <= line:
            place, one = rising.pop()
            heappush(inside, (one.last - one.first, place, one.last, one.path))
        while inside and inside[0][2] < line:
            heappop(inside)
        begins.append(line)
        paths.append(inside[0][3] if inside else "")
    return begins, paths


def report(lines: Iterable[str]) -> Report:
    """What a log says about tests; its lines may have prefixes."""
    return flatten(read(map(bare, lines)))


def flatten(stream: Stream) -> Report:
    """The list made of the blocks."""
    found = Report(bail=stream.bail)
    for root in stream.roots:
        if root.announced and root.plan is None and root.indent == 0:
            root.faults.append("there is no plan")
        _take_block(found, root, root.name, stream.length)
    return found


def _take_block(found: Report, block: Block, path: str, end: int) -> None:
    for test in block.tests:
        _take_test(found, test, path)
    found.cases += _missing(block, path, end)
    where = path or "the list of tests"
    found.cases += [
        Case(where, Status.FAIL, fault, block.since, block.since) for fault in _faults(block)
    ]
    awaited = _join(path, block.awaited)
    found.declared += [Declared(awaited, expectation) for expectation in block.expects]


def _take_test(found: Report, test: Test, above: str) -> None:
    path = _join(above, test.name)
    found.declared += [Declared(path, expectation) for expectation in test.expects]
    inside = [block for block in test.blocks if block.tests or block.plan or block.faults]
    if not inside:
        found.cases.append(_leaf(test, path))
        return
    found.groups.append(Group(path, test.first, test.last))
    before = len(found.cases)
    for block in inside:
        _take_block(found, block, path, test.last)
    # that a group has no end is told by what has none in it, not by a test that failed
    why = (Status.MISSING,) if test.status is Status.MISSING else EXPLAINS
    explained = any(case.status in why for case in found.cases[before:])
    if test.status in BAD and not explained:
        reason = test.reason or "not ok, although every test in it passed"
        found.cases.append(Case(path, test.status, reason, test.first, test.last))


def _leaf(test: Test, path: str) -> Case:
    status, reason = test.status, test.reason
    if test.blocks and status is Status.PASS:
        status, reason = Status.SKIP, "there are no tests in it"
    return Case(path, status, reason, test.first, test.last)


def _missing(block: Block, path: str, end: int) -> Iterator[Case]:
    """Cases for what was planned, or begun, and gave no result."""
    unfinished = sum(test.status is Status.MISSING for test in block.tests)
    heard = block.number + unfinished
    planned = block.plan or 0
    if block.running:
        name, heard = block.running, heard + 1
        yield Case(_join(path, name), Status.MISSING, DID_NOT_END, block.since, end)
    elif heard < planned and not unfinished:
        heard += 1
        name = f"test {heard} of {planned}"
        yield Case(_join(path, name), Status.MISSING, "no result", block.since, end)
    if heard < planned:
        rest = f"test {planned}" if heard + 1 == planned else f"tests {heard + 1} to {planned}"
        yield Case(_join(path, f"{rest} of {planned}"), Status.MISSING, "no result", end, end)


def _faults(block: Block) -> Iterator[str]:
    """What is wrong with the list itself."""
    yield from block.faults
    if block.plan is not None and len(block.tests) > block.plan:
        yield f"{len(block.tests)} results, {block.plan} were planned"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
