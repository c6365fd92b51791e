# SPDX-License-Identifier: GPL-2.0
"""What a cover letter tells beyond its template: versions, and figures of stored runs.

templates/changes.toml has the change log:

[[version]]
number = 2
changes = ["what changed since the version before, a sentence each"]

Figures are never typed in. They come from runs whose record says that exactly this series was
tested: the digest of the rendered files is in both.
"""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.errors import UserError
from harness.record import CellRecord, RunRecord
from harness.table import read_table

CHANGES = "changes.toml"
WIDTH = 72


class Version(BaseModel):
    """What one version changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=2)
    changes: tuple[str, ...] = Field(min_length=1)


class ChangeLog(BaseModel):
    """templates/changes.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: tuple[Version, ...] = ()


@dataclass(frozen=True)
class Letter:
    """What the template may ask for, as `letter`."""

    version: int = 1
    changes: tuple[Version, ...] = ()
    """The newest first."""
    range_diff: str = ""
    runs: tuple[str, ...] = ()
    """Names of the runs it tells of."""
    tests: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()

    @property
    def log(self) -> tuple[str, ...]:
        """The change log, in lines."""
        return tuple(_log(self.changes))


def changes_until(templates: Path, version: int) -> tuple[Version, ...]:
    """The change log of a version, which must tell of each one since the first."""
    if version == 1:
        return ()
    known = {one.number: one for one in _read(templates).version}
    for number in range(2, version + 1):
        if number not in known:
            raise UserError(f"templates/{CHANGES} does not say what v{number} changed")
    return tuple(known[number] for number in range(version, 1, -1))


def stale(record: RunRecord, digest: str) -> str | None:
    """Why a run says nothing of the series with that digest, if so."""
    if record.tree is None or not record.tree.digest:
        return f"run {record.name} is not one of a rendered series"
    if record.tree.digest != digest:
        return f"run {record.name} tested another state of the series; repeat it"
    if record.state != "finished":
        return f"run {record.name} did not end"
    return None


def tests_told(records: Iterable[RunRecord]) -> tuple[str, ...]:
    """A table of what was booted and what came of it."""
    rows = [
        (cell.machine, *_of_kernel(cell, record), cell.topology, _result(cell))
        for record in records
        for cell in record.cells
    ]
    if not rows:
        return ()
    table = [("machine", "allocator", "config", "topology", "result"), *dict.fromkeys(rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return tuple(
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def measures_told(records: Iterable[RunRecord]) -> tuple[str, ...]:
    """What was measured, the allocators beside each other."""
    found: dict[str, list[str]] = {}
    for record in records:
        for cell in record.cells:
            allocator, _ = _of_kernel(cell, record)
            for name, measure in cell.measures.items():
                found.setdefault(name, []).append(f"{allocator} {measure}")
    compared = {name: told for name, told in found.items() if len({t.split()[0] for t in told}) > 1}
    return tuple(f"{name}: {', '.join(dict.fromkeys(told))}" for name, told in compared.items())


def _read(templates: Path) -> ChangeLog:
    path = templates / CHANGES
    return read_table(path, TypeAdapter(ChangeLog)) if path.is_file() else ChangeLog()


def _log(versions: Iterable[Version]) -> Iterator[str]:
    for version in versions:
        yield f"Changes in v{version.number}:"
        for change in version.changes:
            yield from textwrap.wrap(
                change, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
            )
        yield ""


def _of_kernel(cell: CellRecord, record: RunRecord) -> tuple[str, str]:
    kernel = next(one for one in record.kernels if one.name == cell.kernel)
    return kernel.allocator, kernel.config_name


def _result(cell: CellRecord) -> str:
    counts = [
        f"{cell.counts[key]} {word}"
        for key, word in (("pass", "passed"), ("fail", "failed"), ("skip", "skipped"))
        if cell.counts.get(key)
    ]
    return f"{cell.outcome}: {', '.join(counts)}" if counts else str(cell.outcome)
