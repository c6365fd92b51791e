# SPDX-License-Identifier: GPL-2.0
"""How often boots and tests come out differently though nothing changed, over the stored runs.

Nothing changed means: the same image, the same initramfs, the same cell (kernel and topology)
and the same things asked of the guest, but for the seed. Boots that always fail are failures and
no flakes, and those that the host spoilt say nothing; neither counts. The rate is that of
failures among the boots of kernels that passed as well.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.errors import Outcome
from harness.record import CellRecord, KernelRecord, RunRecord
from harness.reports.account import KNOWS_NOTHING, is_bad

Key = tuple[str, ...]


@dataclass
class Sum:
    """Boots of one kernel, or results of a test on it."""

    passed: int = 0
    failed: int = 0

    @property
    def flaky(self) -> bool:
        """Whether it came out both ways."""
        return bool(self.passed and self.failed)


@dataclass(frozen=True)
class Flake:
    """A cell, or a test of one, that came out both ways."""

    cell: str
    case: str
    """Empty for the boot."""
    failed: int
    boots: int
    kernels: int
    """How many kernels it came out both ways on."""
    runs: tuple[str, ...]
    """Where it failed, the last ones last."""

    @property
    def rate(self) -> float:
        """Failures among boots."""
        return self.failed / self.boots


@dataclass
class _Tally:
    order: list[str] = field(default_factory=list)
    """The runs as they came."""
    sums: dict[Key, Sum] = field(default_factory=dict)
    runs: dict[Key, list[str]] = field(default_factory=dict)

    def add(self, key: Key, run: str, passed: int, failed: int) -> None:
        """Some more results."""
        one = self.sums.setdefault(key, Sum())
        one.passed += passed
        one.failed += failed
        if failed:
            self.runs.setdefault(key, []).append(run)


@dataclass(frozen=True)
class Flakes:
    """What the stored runs say."""

    runs: int
    boots: int
    flakes: tuple[Flake, ...]


def flakes(records: Iterable[RunRecord]) -> Flakes:
    """All that came out both ways, the most frequent first."""
    tally, runs, boots = _Tally(), 0, 0
    for record in records:
        runs += 1
        tally.order.append(record.name)
        kernels = {kernel.name: kernel for kernel in record.kernels}
        for cell in record.cells:
            if cell.kernel in kernels:
                boots += _count(tally, record.name, cell, kernels[cell.kernel])
    found = sorted(_found(tally), key=lambda one: (-one.rate, one.cell, one.case))
    return Flakes(runs, boots, tuple(found))


def _count(tally: _Tally, run: str, cell: CellRecord, kernel: KernelRecord) -> int:
    """Take the boots of a cell into account; how many there were."""
    tries = [cell.outcome] if not cell.attempts else [one.outcome for one in cell.attempts]
    outcomes = Counter(one for one in tries if one not in KNOWS_NOTHING)
    passed = outcomes.pop(Outcome.PASS.name, 0)
    failed = outcomes.total()
    asked = cell.asked.model_copy(update={"seed": 0}).model_dump_json()
    same = (kernel.image_sha256, kernel.initramfs_sha256 or "", asked)
    if passed + failed:
        tally.add((cell.name, "", *same), run, passed, failed)
    if cell.outcome in KNOWS_NOTHING:
        return passed + failed
    repeats = passed if cell.flaky else 0  # of which no tests are recorded, but all passed
    for case in cell.cases:
        if case.status == "pass" or is_bad(case):
            bad = is_bad(case)
            tally.add((cell.name, case.path, *same), run, repeats + (not bad), int(bad))
    return passed + failed


def _found(tally: _Tally) -> Iterator[Flake]:
    by_name: dict[tuple[str, str], list[Key]] = {}
    for key, one in tally.sums.items():
        if one.flaky:
            by_name.setdefault((key[0], key[1]), []).append(key)
    for (cell, case), keys in by_name.items():
        failed = sum(tally.sums[key].failed for key in keys)
        boots = failed + sum(tally.sums[key].passed for key in keys)
        failing = {run for key in keys for run in tally.runs[key]}
        runs = tuple(run for run in tally.order if run in failing)
        yield Flake(cell, case, failed, boots, len(keys), runs)


def as_data(found: Flakes) -> dict[str, object]:
    """For programs."""
    told = [
        {
            "cell": one.cell,
            "case": one.case,
            "failed": one.failed,
            "boots": one.boots,
            "rate": round(one.rate, 4),
            "kernels": one.kernels,
            "runs": list(one.runs),
        }
        for one in found.flakes
    ]
    return {"runs": found.runs, "boots": found.boots, "flakes": told}
