# SPDX-License-Identifier: GPL-2.0
"""A run against another: what newly fails, passes, is flaky or slow, and what no longer runs.

Boots are matched by name, tests by boot and path. A boot that failed before and now fails worse, or
with a complaint of the kernel that it did not have, newly fails as well. What the newer run does
not know (the host spoilt a boot, the run was cut off) is said, and is neither good nor bad,
whatever the older one knew.

Times are noisy, and more so under an emulator on a shared host. So a boot is compared by the
processor time of its guest, where both runs know it, and not by the clock; a test, for which there
is only the clock, not at all where the guest stood in line for a processor for longer than before.
Slow is what takes RATIO times as long and FLOOR seconds longer, both. Where host or emulator
differ, or what the guest was asked for, no times are compared. Between runs of the very same
kernel on a busy host of two cores, 34 of 12144 tests were still beyond that: so what is slow is
told, and is no failure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from harness.errors import Outcome
from harness.record import CaseRecord, CellRecord, HostRecord, host_of
from harness.reports.account import (
    Account,
    Standing,
    complaints,
    is_bad,
    kind_of,
    standing,
    why,
)
from harness.reports.excerpt import Excerpt
from harness.verdict import worst

BOOT_RATIO, BOOT_FLOOR = 2.0, 10.0
TEST_RATIO, TEST_FLOOR = 3.0, 2.0
CROWDED = 1.25
"""So much longer in line for a processor, relative to running, is another host."""
RULE = (
    f"slow: a boot by {BOOT_RATIO:g} times and {BOOT_FLOOR:g} s of processor time, "
    f"a test by {TEST_RATIO:g} times and {TEST_FLOOR:g} s of the clock; told, and no failure"
)
ABSENT = "not there"


class Change(Enum):
    """What became of a boot or a test."""

    FAILING = "newly failing"
    FLAKY = "newly flaky"
    PASSING = "newly passing"
    SLOW = "newly slow"
    UNKNOWN = "not known"
    GONE = "no longer run"
    NEW = "new"


FAILED = {Standing.BAD: Change.FAILING, Standing.FLAKY: Change.FLAKY}


@dataclass(frozen=True)
class Difference:
    """One boot, or one test of it, before and now."""

    change: Change
    cell: str
    case: str
    """Empty for the boot itself."""
    before: str
    now: str


@dataclass(frozen=True)
class Comparison:
    """Two runs."""

    run: str
    against: str
    differences: tuple[Difference, ...]
    untimed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Why no times were compared, and of which boots."""
    crowded: tuple[str, ...] = ()
    """Boots whose tests' times were not compared."""

    def of(self, change: Change) -> tuple[Difference, ...]:
        """Those of one kind."""
        return tuple(one for one in self.differences if one.change is change)

    @property
    def outcome(self) -> Outcome:
        """FAIL if something newly fails or is flaky; HOST if that cannot be told of a boot."""
        if self.of(Change.FAILING) or self.of(Change.FLAKY):
            return Outcome.FAIL
        return Outcome.HOST if self.of(Change.UNKNOWN) else Outcome.PASS


def compare(now: Account, before: Account) -> Comparison:
    """What changed from one run to the other."""
    olds = {cell.name: cell for cell in before.record.cells}
    news = {cell.name: cell for cell in now.record.cells}
    reasons = {one.name: one.reason for one in now.record.left_out}
    differences: list[Difference] = []
    untimed: dict[str, tuple[str, ...]] = {}
    crowded: list[str] = []
    for name in dict.fromkeys((*news, *olds)):
        old, new = olds.get(name), news.get(name)
        differences += _boots(name, old, new, reasons.get(name, ""))
        if old is None or new is None:
            continue
        differences += _tests(old, new)
        if reason := _untimed(host_of(before.record, old), host_of(now.record, new)):
            untimed[reason] = (*untimed.get(reason, ()), name)
            continue
        differences += _slow_boot(old, new)
        if _crowded(old, new):
            crowded.append(name)
        else:
            differences += _slow_tests(old, new, before.excerpt(old), now.excerpt(new))
    return Comparison(
        now.record.name, before.record.name, tuple(differences), untimed, tuple(crowded)
    )


def _boots(
    name: str, old: CellRecord | None, new: CellRecord | None, left_out: str
) -> Iterator[Difference]:
    before = ABSENT if old is None else why(old)
    now = why(new) if new is not None else f"left out: {left_out}" if left_out else ABSENT
    was, is_ = (None if one is None else standing(one) for one in (old, new))
    change = _change(was, is_)
    if old is not None and new is not None and change is None and is_ in FAILED:
        if fresh := _fresh(old, new):
            change, now = FAILED[is_], f"{now}; new: {', '.join(fresh)}"
        elif _worse(old, new):
            change = FAILED[is_]
    if change is not None:
        yield Difference(change, name, "", before, now)


def _fresh(old: CellRecord, new: CellRecord) -> list[str]:
    """What the kernel complained of that it did not complain of before."""
    known = {kind_of(one) for one in complaints(old)}
    found = {kind_of(one): one.headline for one in complaints(new)}
    return [headline for kind, headline in found.items() if kind not in known]


def _worse(old: CellRecord, new: CellRecord) -> bool:
    return worst((Outcome[str(old.outcome)], Outcome[str(new.outcome)])).name != old.outcome


def _change(was: Standing | None, is_: Standing | None) -> Change | None:
    """What it is that happened to a boot; None stands for one that is not there."""
    if is_ is Standing.UNKNOWN:
        return Change.UNKNOWN
    if was is is_:
        return None
    if is_ in FAILED:
        return FAILED[is_]
    if is_ is None:
        return Change.GONE
    if was is None:
        return Change.NEW
    return Change.PASSING if was in (Standing.BAD, Standing.FLAKY) else None


def _tests(old: CellRecord, new: CellRecord) -> Iterator[Difference]:
    """The tests of a boot, if both runs know something of it."""
    if Standing.UNKNOWN in (standing(old), standing(new)):
        return
    befores, nows = _by_path(old), _by_path(new)
    for path in dict.fromkeys((*nows, *befores)):
        before, now = befores.get(path), nows.get(path)
        change = _test_change(before, now, flaky=standing(new) is Standing.FLAKY)
        if change is not None:
            yield Difference(change, new.name, path, _said(before), _said(now))


def _by_path(cell: CellRecord) -> Mapping[str, CaseRecord]:
    """The worst result under each path."""
    found: dict[str, CaseRecord] = {}
    for case in cell.cases:
        if case.path not in found or is_bad(case):
            found[case.path] = case
    return found


def _test_change(
    before: CaseRecord | None, now: CaseRecord | None, *, flaky: bool
) -> Change | None:
    was_bad = before is not None and is_bad(before)
    if now is not None and is_bad(now):
        return None if was_bad else Change.FLAKY if flaky else Change.FAILING
    if not _ran(now):
        return Change.GONE if _ran(before) else None
    if before is None:
        return Change.NEW
    return Change.PASSING if was_bad else None


def _ran(case: CaseRecord | None) -> bool:
    return case is not None and case.status != "skip"


def _said(case: CaseRecord | None) -> str:
    if case is None:
        return ABSENT
    return f"{case.status}: {case.reason}" if case.reason else case.status


def _untimed(before: HostRecord, now: HostRecord) -> str:
    """Why the times of a boot cannot be compared at all."""
    pairs = {
        "accelerator": (before.accelerator, now.accelerator),
        "QEMU": (before.qemu, now.qemu),
        "processors": (before.cores, now.cores),
        "host": (before.machine, now.machine),
    }
    told = (f"{name} {old} and {new}" for name, (old, new) in pairs.items() if old != new)
    return ", ".join(told)


def _slow_boot(old: CellRecord, new: CellRecord) -> Iterator[Difference]:
    if not (standing(old) is standing(new) is Standing.GOOD and _alike(old, new)):
        return
    if {case.path for case in old.cases if _ran(case)} != {
        case.path for case in new.cases if _ran(case)
    }:
        return  # there was more to do, or less
    kind = "of processor time" if old.guest_ran and new.guest_ran else "by the clock"
    took = (old.guest_ran, new.guest_ran) if old.guest_ran and new.guest_ran else None
    before, now = took or (old.seconds, new.seconds)
    if now > BOOT_RATIO * before and now - before > BOOT_FLOOR:
        yield Difference(Change.SLOW, new.name, "", f"{before:.1f} s", f"{now:.1f} s {kind}")


def _alike(old: CellRecord, new: CellRecord) -> bool:
    """Whether both were asked for the same, but for the seed."""
    return old.asked == new.asked.model_copy(update={"seed": old.asked.seed})


def _crowded(old: CellRecord, new: CellRecord) -> bool:
    """Whether the guest had to wait for processors much more than it had before."""
    if not (old.guest_ran and new.guest_ran):
        return False
    before, now = (1 + one.guest_waited / one.guest_ran for one in (old, new))
    return now > CROWDED * before


def _slow_tests(
    old: CellRecord, new: CellRecord, before: Excerpt, now: Excerpt
) -> Iterator[Difference]:
    if not _alike(old, new):
        return
    olds = _by_path(old)
    for path, case in _by_path(new).items():
        was = olds.get(path)
        if was is None or (was.status, case.status) != ("pass", "pass"):
            continue
        took, takes = before.seconds(was.lines), now.seconds(case.lines)
        if took is None or takes is None:
            continue
        if takes > TEST_RATIO * took and takes - took > TEST_FLOOR:
            yield Difference(Change.SLOW, new.name, path, f"{took:.1f} s", f"{takes:.1f} s")


FEW = 4
"""Names in one line of text."""


def as_text(comparison: Comparison) -> Iterator[str]:
    """For people: one line for a boot, one for a test however many boots it concerns."""
    yield f"run {comparison.run} against {comparison.against}"
    for change in Change:
        if found := comparison.of(change):
            yield f"{change.value}:"
            yield from _lines(found)
    yield RULE
    for reason, cells in comparison.untimed.items():
        yield f"times not compared: {reason} (of {_some(cells)})"
    if comparison.crowded:
        yield f"tests' times not compared, the host was busier: {_some(comparison.crowded)}"
    yield _sums(comparison)


def _lines(found: Sequence[Difference]) -> Iterator[str]:
    by_case: dict[str, list[Difference]] = {}
    for one in found:
        if one.case:
            by_case.setdefault(one.case, []).append(one)
        else:
            yield f"  {one.cell}: {_change_of(one)}"
    if found[0].change in (Change.GONE, Change.NEW):
        yield from _names(by_case)
        return
    for case, alike in by_case.items():
        yield f"  {case}: {_change_of(alike[0])} (on {_some([one.cell for one in alike])})"


def _change_of(one: Difference) -> str:
    """In one line, whatever a compiler had to say."""
    before, now = (text.partition("\n")[0] for text in (one.before, one.now))
    return f"{before} -> {now}"


def _names(by_case: Mapping[str, Sequence[Difference]]) -> Iterator[str]:
    """Of tests that came or went there may be many; those of the same boots share a line."""
    by_cells: dict[tuple[str, ...], list[str]] = {}
    for case, alike in by_case.items():
        by_cells.setdefault(tuple(one.cell for one in alike), []).append(case)
    for cells, cases in by_cells.items():
        yield f"  {_some(cases)} (on {_some(cells)})"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _sums(comparison: Comparison) -> str:
    told = [f"{len(found)} {change.value}" for change in Change if (found := comparison.of(change))]
    return f"{comparison.outcome.name}: {', '.join(told) or 'nothing changed'}"


def as_data(comparison: Comparison) -> dict[str, object]:
    """For programs."""
    return {
        "run": comparison.run,
        "against": comparison.against,
        "outcome": comparison.outcome.name,
        "exit_code": comparison.outcome.exit_code,
        "rule": RULE,
        "untimed": {reason: list(cells) for reason, cells in comparison.untimed.items()},
        "crowded": list(comparison.crowded),
        "counts": {change.name.lower(): len(comparison.of(change)) for change in Change},
        "differences": [
            {
                "change": one.change.name.lower(),
                "cell": one.cell,
                "case": one.case,
                "before": one.before,
                "now": one.now,
            }
            for one in comparison.differences
        ],
    }
