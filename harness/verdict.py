# SPDX-License-Identifier: GPL-2.0
"""What a boot shows: two channels, one verdict.

The tests say how they came out (results.py), the kernel says what hurt it (complaint.py). A
complaint fails the test that was running, whatever that test says of itself, unless the
test declared it; a declared one that does not come fails the test, too.

Everything found becomes a Finding with an Outcome, and `worst` adds them up. The order is
that of SEVERITY: evidence against the kernel before a lack of evidence, and the
particular before the general:

    INTERRUPTED  nothing can be said any more
    CRASH        the kernel crashed or complained
    TIMEOUT      it went silent, or was not done in time; stall reports belong here
    BOOT         it ended (by a panic, too) before its first test, or no test ran
    FAIL         a test failed
    BUILD TREE   there was nothing to boot
    HOST         QEMU died, or the host starved the guest: nothing is known
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.boot import Ended
from harness.complaint import Complaint, Kind, complaints, root_cause
from harness.console import Line
from harness.errors import Outcome
from harness.ktap import Expectation, Status
from harness.results import DID_NOT_END, Case, Declared, Report, report
from harness.treetest import tree_tests

SEVERITY = (
    Outcome.PASS,
    Outcome.HOST,
    Outcome.USAGE,
    Outcome.TREE,
    Outcome.BUILD,
    Outcome.FAIL,
    Outcome.BOOT,
    Outcome.TIMEOUT,
    Outcome.CRASH,
    Outcome.INTERRUPTED,
)
SHAPE = "topology"
"""The group of tests that only asks whether the machine is the one asked for."""
TESTS_BEGIN = "slqb-guest: tests"
ENDINGS = {
    Ended.HANG: "the guest went silent",
    Ended.TIMEOUT: "the guest was not done in time",
    Ended.RESET: "the guest reset itself without a word",
    Ended.PANIC: "the kernel panicked",
}


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a boot from passing, or would."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Charge:
    """A complaint, the test that was running, and whether it was declared."""

    complaint: Complaint
    path: str
    expected: bool


@dataclass(frozen=True)
class Verdict:
    """What one boot showed."""

    outcome: Outcome
    reason: str
    cases: tuple[Case, ...] = ()
    charges: tuple[Charge, ...] = ()
    findings: tuple[Finding, ...] = ()

    def count(self, status: Status) -> int:
        """How many cases came out so."""
        return sum(case.status is status for case in self.cases)

    @property
    def complaints(self) -> tuple[Charge, ...]:
        """Those nobody declared."""
        return tuple(charge for charge in self.charges if not charge.expected)


@dataclass(frozen=True)
class Boot:
    """What is judged: a console, and what else is known about the boot."""

    lines: Sequence[Line]
    ended: Ended | None = None
    """None: a saved log, which only shows what it shows."""
    tests_wanted: bool = True
    """Whether tests were to run, beyond the look at the machine's shape."""
    starved: Callable[[float], bool] = lambda _at: False
    """Whether the host had starved the guest up to that second."""
    qemu_said: str = ""


def worst(outcomes: Collection[Outcome]) -> Outcome:
    """The one function that adds outcomes up; nothing at all is no pass."""
    return max(outcomes, key=SEVERITY.index, default=Outcome.BOOT)


def judge(boot: Boot, declared: Sequence[Declared] = ()) -> Verdict:
    """The verdict on a boot; `declared` are complaints expected beyond what tests declare."""
    texts = [line.text for line in boot.lines]
    tests, told = report(texts), complaints(texts)
    known = tree_tests().declared
    charges, unmet = _charge(tests, told, [*tests.declared, *declared, *known])
    cases = tuple(_judged(tests.cases, charges, unmet))
    ended = boot.ended or _seen_end(texts, told)
    found = [*_findings(boot, ended, tests, charges), *_broken_promises(unmet)]
    findings = tuple(found or _nothing(boot, cases))
    outcome = worst([Outcome.PASS, *(finding.outcome for finding in findings)])
    reason = next((found.reason for found in findings if found.outcome is outcome), "")
    return Verdict(outcome, reason, cases, tuple(charges), findings)


def _charge(
    tests: Report, told: list[Complaint], declared: list[Declared]
) -> tuple[list[Charge], list[tuple[Declared, int]]]:
    """Each complaint with its test; and the declarations that were not kept, with the count."""
    owners = [tests.owner(complaint.first) for complaint in told]
    expected = [False] * len(told)
    unmet = []
    for wish in declared:
        mine = [
            index
            for index, complaint in enumerate(told)
            if not expected[index]
            and _within(owners[index], wish.path)
            and complaint.matches(wish.expectation.regex)
        ]
        most = len(mine) if wish.expectation.most is None else wish.expectation.most
        for index in mine[:most]:
            expected[index] = True
        if len(mine) < wish.expectation.least:
            unmet.append((wish, len(mine)))
    charges = [Charge(*parts) for parts in zip(told, owners, expected, strict=True)]
    return charges, unmet


def _within(path: str, group: str) -> bool:
    return path == group or path.startswith(f"{group}.")


def _judged(
    cases: list[Case], charges: list[Charge], unmet: list[tuple[Declared, int]]
) -> Iterator[Case]:
    """The cases, failed where the kernel complained or did not complain as announced."""
    blame: dict[str, str] = {}
    for charge in charges:
        if not charge.expected:
            blame.setdefault(charge.path, f"the kernel complained: {charge.complaint.headline}")
    for wish, seen in unmet:
        blame.setdefault(wish.path, _absent(wish.expectation, seen))
    for case in cases:
        fault = blame.pop(case.path, "")
        if fault and case.status is not Status.MISSING:
            yield replace(case, status=Status.FAIL, reason=fault)
        else:
            yield replace(case, reason=f"{case.reason}; {fault}") if fault else case
    for path, fault in blame.items():  # charged to a group, or to no test at all
        if path:
            yield Case(path, Status.FAIL, fault)


def _absent(expectation: Expectation, seen: int) -> str:
    wanted = f"{expectation.least} of {expectation.regex!r} announced"
    return f"an expected complaint did not come: {wanted}, {seen} seen"


def _seen_end(texts: list[str], told: list[Complaint]) -> Ended | None:
    """What a saved log says about its end."""
    if any(complaint.kind is Kind.PANIC for complaint in told):
        return Ended.PANIC
    off = any("reboot: Power down" in text for text in texts[-20:])
    return Ended.POWEROFF if off else None


def _findings(
    boot: Boot, ended: Ended | None, tests: Report, charges: list[Charge]
) -> Iterator[Finding]:
    """Everything that keeps this boot from passing; tests count as they said themselves."""
    reached = _reached(boot, tests)
    if tests.bail is not None:
        told = next((f" ({one.path}: {one.reason})" for one in tests.cases if _failed(one)), "")
        yield Finding(Outcome.FAIL if reached else Outcome.BOOT, f"Bail out! {tests.bail}{told}")
    yield from _end_findings(boot, ended, tests, reached, charges)
    yield from _complaint_findings(boot, ended, reached, charges)
    cut_short = ended in (Ended.QEMU_DIED, Ended.HANG, Ended.TIMEOUT)
    for case in tests.cases:
        if case.status is Status.FAIL or (case.status is Status.MISSING and not cut_short):
            yield Finding(Outcome.FAIL, f"{case.path}: {case.reason or 'not ok'}")


def _broken_promises(unmet: list[tuple[Declared, int]]) -> Iterator[Finding]:
    for wish, seen in unmet:
        yield Finding(Outcome.FAIL, f"{wish.path}: {_absent(wish.expectation, seen)}")


def _nothing(boot: Boot, cases: Sequence[Case]) -> Iterator[Finding]:
    """A boot against which nothing speaks, and nothing for it either."""
    if not any(_counts(case, boot.tests_wanted) for case in cases):
        yield Finding(Outcome.BOOT, "no test ran")


def _end_findings(
    boot: Boot, ended: Ended | None, tests: Report, reached: bool, charges: list[Charge]
) -> Iterator[Finding]:
    last = boot.lines[-1] if boot.lines else Line("")
    if ended is Ended.QEMU_DIED:
        yield Finding(Outcome.HOST, f"QEMU died: {boot.qemu_said or 'it was ended from outside'}")
    elif ended in (Ended.HANG, Ended.TIMEOUT):
        starved = boot.starved(last.at or 0.0)
        running = (f" in {one.path}" for one in tests.cases if one.reason == DID_NOT_END)
        why = f"{ENDINGS[ended]}{next(running, '')}, last: {last.text.strip()[:100]!r}"
        if starved:
            yield Finding(Outcome.HOST, f"the host starved the guest; {why}")
        else:
            yield Finding(Outcome.TIMEOUT, why)
    elif not reached and ended is not None:
        why = ENDINGS.get(ended, "the guest powered off")
        root = root_cause([charge.complaint for charge in charges])
        why += " before its first test"
        yield Finding(Outcome.BOOT, f"{why}: {root.headline}" if root else why)
    elif ended is Ended.RESET:
        yield Finding(Outcome.CRASH, ENDINGS[ended])


def _complaint_findings(
    boot: Boot, ended: Ended | None, reached: bool, charges: list[Charge]
) -> Iterator[Finding]:
    hung = ended in (Ended.HANG, Ended.TIMEOUT)
    for charge in _root_first(charges):
        complaint = charge.complaint
        where = charge.path or "outside of all tests"
        reason = f"{where}: {complaint.headline}"
        at = boot.lines[complaint.first].at
        if charge.expected:
            continue
        if complaint.stall and boot.starved(at or 0.0):
            yield Finding(Outcome.HOST, f"the host starved the guest; {reason}")
        elif complaint.stall and hung:
            yield Finding(Outcome.TIMEOUT, reason)
        else:
            yield Finding(Outcome.CRASH if reached or not _over(ended) else Outcome.BOOT, reason)


def _root_first(charges: list[Charge]) -> list[Charge]:
    """What a panic follows from before all others, the rest in order."""
    root = root_cause([charge.complaint for charge in charges])
    return sorted(charges, key=lambda charge: charge.complaint is not root)


def _over(ended: Ended | None) -> bool:
    """Whether the boot came to an end of the kernel's own making."""
    return ended in (Ended.PANIC, Ended.RESET, Ended.POWEROFF)


def _reached(boot: Boot, tests: Report) -> bool:
    """Whether the first test began; a bail out before any real one says it did not."""
    if tests.bail is not None:
        return any(_began(case) for case in tests.cases)
    begun = any(TESTS_BEGIN in line.text for line in boot.lines)
    return begun or bool(tests.cases)


def _failed(case: Case) -> bool:
    """Whether it failed and says why."""
    return case.status is Status.FAIL and bool(case.reason)


def _began(case: Case) -> bool:
    """Whether this is a test of a group, and was begun, though it may not have come to an end."""
    begun = case.status is not Status.SKIP and "." in case.path
    return begun and not _within(case.path, SHAPE)


def _counts(case: Case, tests_wanted: bool) -> bool:
    """Whether this case ran, and is one of those that were wanted."""
    ran = case.status in (Status.PASS, Status.FAIL, Status.KNOWN)
    return ran and not (tests_wanted and _within(case.path, SHAPE))
