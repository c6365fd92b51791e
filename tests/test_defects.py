# SPDX-License-Identifier: GPL-2.0
"""The tables of defects and of machines name tests, cases and faults that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.cases import GUEST
from tests.core.test_histories import FAULTS
from tests.kernel.faults import read_faults
from tests.test_guest import CASES

TESTS = Path(__file__).parent
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`tests/([\w/]+\.py)::(\w+)`")
CASE = re.compile(r"`((?:slabtest|user)\.\w+)`")
FAULT = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
QUOTED = re.compile(r'"([^"]+)"')
CASES_THERE = {
    f"{'user' if file.parent == GUEST else 'slabtest'}.{case}" for file, case, _ in CASES
}
PLANTED = {fault.name: fault for fault in read_faults().fault}


class Row(NamedTuple):
    """A defect: its number, what it was, who sees it, and what puts it back."""

    number: int
    defect: str
    seen_by: str
    put_back: str


def rows() -> Iterator[Row]:
    for number, *words in ROW.findall((TESTS / "DEFECTS.md").read_text()):
        yield Row(int(number), *words)


ROWS = tuple(rows())


def test_all_eighteen_are_there() -> None:
    assert [row.number for row in ROWS] == list(range(1, 19))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_what_a_row_names_is_there(row: Row) -> None:
    both = row.seen_by + row.put_back
    for file, name in TEST.findall(both):
        assert re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE), name
    assert set(CASE.findall(both)) <= CASES_THERE
    assert set(FAULT.findall(row.put_back)) <= set(PLANTED)
    assert set(QUOTED.findall(row.put_back)) <= set(FAULTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_whoever_sees_a_defect_was_seen_red(row: Row) -> None:
    """A case by one of the row's faults, a fault by one of the row's cases, the rest by a test."""
    cases = set(CASE.findall(row.seen_by))
    faults = [PLANTED[name] for name in FAULT.findall(row.put_back)]
    assert cases or TEST.search(row.seen_by)
    assert faults or TEST.search(row.put_back) or QUOTED.search(row.put_back)
    for fault in faults:
        assert cases & {red.case for red in fault.red}, fault.name
    shown = {red.case for fault in faults for red in fault.red}
    assert not faults or cases <= shown


MACHINE_ROW = re.compile(
    r"^\| \d+ \| [^|]+ \| `([^`]+)` \| `([^`]+)`[^|]* \| `([^`]+)` \|$", re.MULTILINE
)


def test_what_depends_on_a_machine_is_planted_there() -> None:
    page = (TESTS / "MACHINES.md").read_text()
    listed = MACHINE_ROW.findall(page)
    planted = [
        (red.case, red.machine, fault.name)
        for fault in PLANTED.values()
        for red in fault.red
        if red.machine != "x86_64"
    ]
    assert sorted(listed) == sorted(planted)
    assert set(CASE.findall(page)) <= CASES_THERE
