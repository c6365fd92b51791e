# SPDX-License-Identifier: GPL-2.0
"""KTAP, nested by boot and by the parts of a test's path.

What harness/ktap.py reads of it are the tests of the run again, their statuses and reasons; but
a test that was never heard of again is `not ok ... # ERROR`, because KTAP has no word for it.
In names and reasons a `#` is written `\\#`, as TAP 14 has it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from harness.ktap import DIRECTIVE
from harness.record import CaseRecord, CellRecord
from harness.reports.account import Account, Standing, facts, is_bad, standing, tests_of, why

INDENT = "  "
DIRECTED = {"skip": "SKIP", "known": "XFAIL", "missing": "ERROR"}
Item = tuple[tuple[str, ...], CaseRecord]


def ktap(account: Account) -> str:
    """The run as KTAP."""
    return "\n".join(_lines(account)) + "\n"


def _lines(account: Account) -> Iterator[str]:
    record = account.record
    yield "KTAP version 1"
    yield f"# run {record.name}, seed {record.seed}"
    if not record.cells:
        yield "1..1"
        yield f"not ok 1 run # {_safe(f'{record.outcome or record.state}: {record.reason}')}"
        return
    yield f"1..{len(record.cells) + len(record.left_out)}"
    for number, cell in enumerate(record.cells, 1):
        yield from _cell(account, cell, number)
    for number, one in enumerate(record.left_out, len(record.cells) + 1):
        yield f"ok {number} {_flat(one.name)} # SKIP left out: {_flat(one.reason)}"


def _cell(account: Account, cell: CellRecord, number: int) -> Iterator[str]:
    if cases := tests_of(cell):
        for line in _block(cell.name, [(_parts(case.path), case) for case in cases]):
            yield INDENT + line
        yield from (f"{INDENT}# {name} {_flat(value)}" for name, value in facts(account, cell))
    head = f"{number} {_flat(cell.name)}"
    state = standing(cell)
    if state is Standing.GOOD:
        yield f"ok {head}"
    elif state is Standing.UNKNOWN:
        yield f"not ok {head} # ERROR {_safe(why(cell))}"
    else:
        yield f"not ok {head} # {_safe(why(cell))}"


def _block(name: str, items: Sequence[Item]) -> Iterator[str]:
    """The tests of a group, those of the groups in it below it."""
    entries = [
        (first, list(alike))
        for (first, _), alike in groupby(items, key=lambda item: (item[0][0], len(item[0]) > 1))
    ]
    results: list[tuple[str, list[Item]]] = []
    for first, alike in entries:
        nested = len(alike[0][0]) > 1
        results += [(first, alike)] if nested else [(first, [item]) for item in alike]
    yield "KTAP version 1"
    yield f"# Subtest: {_flat(name)}"
    yield f"1..{len(results)}"
    for number, (first, alike) in enumerate(results, 1):
        if len(alike[0][0]) == 1:
            yield _result(number, first, alike[0][1])
            continue
        inner = [(parts[1:], case) for parts, case in alike]
        yield from (INDENT + line for line in _block(first, inner))
        bad = any(is_bad(case) for _, case in alike)
        yield f"{'not ' * bad}ok {number} {_flat(first)}"


def _result(number: int, name: str, case: CaseRecord) -> str:
    bad = is_bad(case) or case.status == "known"
    line = f"{'not ' * bad}ok {number} {_flat(name)}"
    if word := DIRECTED.get(case.status):
        return f"{line} # {word} {_flat(case.reason)}".rstrip()
    return f"{line} # {_safe(case.reason)}" if case.reason else line


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _flat(text: str) -> str:
    """In one line, and without what begins a directive."""
    return re.sub(r"(?<!\\)#", r"\\#", " ".join(text.split()))


def _safe(reason: str) -> str:
    """A reason that is not taken for a directive, as `skipped a page` would be."""
    flat = _flat(reason)
    return f"because: {flat}" if DIRECTIVE.match(f"# {flat}") else flat
