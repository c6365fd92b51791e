# SPDX-License-Identifier: GPL-2.0
"""Everything a report is made of: a run's record, what matters of its consoles, repeating it."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from harness.boot import CONSOLE_LOG
from harness.errors import Outcome
from harness.record import (
    CaseRecord,
    CellRecord,
    ComplaintRecord,
    KernelRecord,
    RunRecord,
    host_of,
    load,
)
from harness.reports.excerpt import BAD, Excerpt, excerpt_of
from harness.repro import repeat


class Standing(Enum):
    """What a boot says about its kernel."""

    GOOD = "good"
    FLAKY = "flaky"  # failed, and passed when it was repeated: no pass
    BAD = "bad"
    UNKNOWN = "unknown"  # the host's fault, or it never ended


KNOWS_NOTHING = (None, Outcome.HOST.name, Outcome.INTERRUPTED.name)


def standing(cell: CellRecord) -> Standing:
    """The one place that says so."""
    if cell.outcome in KNOWS_NOTHING:
        return Standing.UNKNOWN
    if cell.outcome == Outcome.PASS.name:
        return Standing.GOOD
    return Standing.FLAKY if cell.flaky else Standing.BAD


def is_bad(case: CaseRecord) -> bool:
    """Whether a test failed, or began and was never heard of again."""
    return case.status in BAD


def tests_of(cell: CellRecord) -> tuple[CaseRecord, ...]:
    """What came of its tests; one that failed in a boot that the host spoilt, nobody knows."""
    if standing(cell) is not Standing.UNKNOWN:
        return cell.cases
    return tuple(_unknown(case) if is_bad(case) else case for case in cell.cases)


def _unknown(case: CaseRecord) -> CaseRecord:
    said = f"the host spoilt the boot, which said: {case.reason or 'not ok'}"
    return (
        case
        if case.status == "missing"
        else case.model_copy(update={"status": "missing", "reason": said})
    )


@dataclass(frozen=True)
class Account:
    """A run."""

    record: RunRecord
    folder: Path
    excerpts: Mapping[str, Excerpt] = field(default_factory=dict)
    """By the name of the cell."""

    def excerpt(self, cell: CellRecord) -> Excerpt:
        """What is shown of a boot's console."""
        return self.excerpts.get(cell.name, Excerpt())

    def kernel(self, cell: CellRecord) -> KernelRecord | None:
        """What was booted; None if it could not be built."""
        return next((one for one in self.record.kernels if one.name == cell.kernel), None)

    def repeat(self, cell: CellRecord, case: str = "") -> str:
        """The command that boots this again, with the same seed."""
        kernel = self.kernel(cell)
        words = repeat(self.record, kernel, cell, case, self.folder) if kernel else ()
        return shlex.join(words or self.record.command)


def account_of(folder: Path) -> Account:
    """The account of a stored run."""
    record = load(folder)
    excerpts = {
        cell.name: excerpt_of(folder / cell.folder / CONSOLE_LOG, cell)
        for cell in record.cells
        if cell.folder
    }
    return Account(record, folder, excerpts)


def told(cell: CellRecord) -> str:
    """The outcome of a boot in a word: a flaky one is never called anything else."""
    if standing(cell) is Standing.FLAKY:
        return "FLAKY"
    return cell.outcome or {"finished": "UNKNOWN"}.get(cell.status, cell.status.upper())


def why(cell: CellRecord) -> str:
    """The outcome and its reason in a line."""
    if standing(cell) is not Standing.FLAKY:
        return f"{told(cell)}: {cell.reason}" if cell.reason else told(cell)
    tries = ", ".join(one.outcome for one in cell.attempts)
    first = f"{cell.outcome}: {cell.reason}" if cell.reason else str(cell.outcome)
    return f"FLAKY, passed only on repeat ({tries}); at first {first}"


def complaints(cell: CellRecord) -> Iterator[ComplaintRecord]:
    """Those that nobody declared."""
    return (one for one in cell.complaints if not one.expected)


def kind_of(complaint: ComplaintRecord) -> str:
    """What makes two complaints the same: numbers differ from boot to boot."""
    return f"{complaint.kind} {re.sub(r'0x[0-9a-f]+|[0-9a-f]{8,}|[0-9]+', 'N', complaint.headline)}"


def facts(account: Account, cell: CellRecord) -> Iterator[tuple[str, str]]:
    """What is worth to know about a boot, by name; what is not known is not there."""
    record, kernel = account.record, account.kernel(cell)
    host = host_of(record, cell)
    every = (
        ("kernel", cell.kernel),
        ("release", kernel.release if kernel else ""),
        ("machine", cell.machine),
        ("topology", cell.topology),
        ("allocator", kernel.allocator if kernel else ""),
        ("config", kernel.config_name if kernel else ""),
        ("compiler", kernel.compiler if kernel else ""),
        ("tree", record.tree.name if record.tree else ""),
        ("seed", str(cell.asked.seed)),
        ("scale", cell.asked.scale),
        ("accelerator", host.accelerator),
        ("qemu", host.qemu),
        ("host", f"{host.system} {host.machine}, {host.cores} cores"),
        ("ended", cell.ended),
        ("cmdline", " ".join(cell.cmdline)),
    )
    return ((name, value) for name, value in every if value)
