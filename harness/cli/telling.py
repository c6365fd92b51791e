# SPDX-License-Identifier: GPL-2.0
"""How a finished run is told: what went wrong, one line of verdict, where the record lies."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from harness.cli.options import slqb_path
from harness.errors import HarnessError, Outcome
from harness.measure import Measure
from harness.places import Places
from harness.record import CellRecord, Recorder, RunRecord, outcome_of
from harness.repro import SCRIPT
from harness.session import recorded

MANY = 8
UNBORN = (Outcome.TREE.name, Outcome.BUILD.name)
"""There was no kernel to boot."""


@contextmanager
def in_record(places: Places, seed: int, *, as_json: bool) -> Iterator[Recorder]:
    """A record of the block; with `--json` it is told however the block ends."""
    recorder: Recorder | None = None
    try:
        with recorded(places, tuple(sys.argv), seed, slqb_path()) as recorder:
            yield recorder
    except (HarnessError, KeyboardInterrupt):
        if as_json and recorder and recorder.folder.is_dir():
            click.echo(_json(recorder.record))
        raise


def tell(recorder: Recorder, *, as_json: bool) -> Outcome:
    """Print the result of a run that just ended."""
    record = recorder.record
    if as_json:
        click.echo(_json(record))
    else:
        click.echo("\n".join([*lines(record, recorder.folder), f"record: {recorder.folder}"]))
    return outcome_of(record)


def _json(record: RunRecord) -> str:
    return record.model_dump_json(indent=1, by_alias=True)


def lines(record: RunRecord, folder: Path, *, every: bool = False) -> Iterator[str]:
    """What went wrong, cell by cell, or all there is to tell, and the verdict."""
    told = [cell for cell in record.cells if every or cell.outcome != Outcome.PASS.name]
    for alike in _alike(told):
        yield from cell_lines(*alike, every=every)
    if record.outcome not in (None, Outcome.PASS.name) and (folder / SCRIPT).is_file():
        yield f"repeat it: {folder / SCRIPT}"
    yield verdict_line(record)


def measure_lines(record: RunRecord, *, every: bool = False) -> Iterator[str]:
    """What was measured, each number of all boots together; of many only the least and the most."""
    for name in dict.fromkeys(name for cell in record.cells for name in cell.measures):
        found = {cell.name: cell.measures[name] for cell in record.cells if name in cell.measures}
        yield f"{name}: {_many(found) if len(found) > MANY and not every else _side_by_side(found)}"


def _side_by_side(found: Mapping[str, Measure]) -> str:
    return "; ".join(f"{cell} {measure}" for cell, measure in found.items())


def _many(found: Mapping[str, Measure]) -> str:
    ordered = sorted(found, key=lambda cell: found[cell].value)
    least, most = ordered[0], ordered[-1]
    if found[least].value == found[most].value:
        return f"{found[least]} in {len(found)} boots"
    return f"{least} {found[least]} to {most} {found[most]} in {len(found)} boots"


def _alike(cells: Iterable[CellRecord]) -> Iterator[tuple[CellRecord, ...]]:
    """Cells that never came to boot share what kept them from it."""
    groups: dict[tuple[str, ...], list[CellRecord]] = {}
    for cell in cells:
        unborn = bool(cell.reason) and not cell.argv
        key = (cell.kernel, str(cell.outcome), cell.reason) if unborn else (cell.name,)
        groups.setdefault(key, []).append(cell)
    return (tuple(group) for group in groups.values())


def cell_lines(cell: CellRecord, *others: CellRecord, every: bool = False) -> Iterator[str]:
    """One boot, with the tests that failed, or with every test; or several that never were."""
    reason = f": {cell.reason}" if cell.reason else ""
    names = ", ".join(one.name for one in (cell, *others))
    yield f"{names}: {cell.outcome or cell.status}{repeats(cell)}{reason}"
    for case in cell.cases:
        if every or case.status in ("fail", "missing"):
            yield f"  {case.status:>8}  {case.path}" + (f": {case.reason}" if case.reason else "")
    for complaint in cell.complaints:
        if not complaint.expected:
            yield f"  {complaint.kind:>8}  {cell.folder}/console.log:{complaint.lines[0]}"
            yield from (f"            {frame}" for frame in complaint.decoded[:8])


def repeats(cell: CellRecord) -> str:
    """What came of boots that were repeated."""
    count = len(cell.attempts) - 1
    if count < 1:
        return ""
    if cell.flaky:
        return f" (flaky: passed on repeat {count})"
    return f" ({count} repeat{'s' * (count > 1)}, no pass)"


def verdict_line(record: RunRecord) -> str:
    """The one line."""
    done = [cell for cell in record.cells if cell.outcome is not None]
    sums = {
        word: sum(cell.counts.get(key, 0) for cell in done)
        for key, word in (("pass", "passed"), ("fail", "failed"), ("missing", "missing"),
                          ("skip", "skipped"), ("known", "known to fail"))
    }  # fmt: skip
    told = [f"{number} {word}" for word, number in sums.items() if number] or ["no tests"]
    if flaky := sum(cell.flaky for cell in done):
        told.append(f"{flaky} flaky")
    if record.left_out:
        told.append(f"{len(record.left_out)} left out")
    booted = sum(cell.outcome not in UNBORN or bool(cell.argv) for cell in done)
    boots = f"{booted} boot{'s' * (booted != 1)}"
    head = record.outcome or record.state.upper()
    if record.reason and head != Outcome.PASS.name:
        head += f": {record.reason}"
    return f"{head} ({boots}, {', '.join(told)}; seed {record.seed}, {record.seconds:.1f} s)"
