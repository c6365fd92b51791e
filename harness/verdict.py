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
    BOOT         it ended (by a panic, too) before its first test, no test ran, or none passed
    FAIL         a test failed, or the guest's last words are missing
    BUILD TREE   there was nothing to boot
    HOST         QEMU died, or the host starved the guest: nothing is known

A guest whose clock is wrong (pace.py) is no evidence for what depends on time: its failed tests
and stalls count as HOST.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.boot import Ended
from harness.complaint import Complaint, Kind, root_cause
from harness.console import Line
from harness.errors import Outcome
from harness.heard import Heard, hear
from harness.ktap import Expectation, Status
from harness.results import DID_NOT_END, Case, Declared, Report
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
LAST_WORDS_MISSING = (
    "the guest's init did not finish: its last lines (`slqb-guest: taint N`, `slqb-guest: done`) "
    "are missing"
)
NEVER_EXPECTED = frozenset({Kind.PANIC, Kind.RESET, Kind.TAINT})
"""No test can announce these: nothing that comes after them can be trusted."""
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
    pace: float | None = None
    """Seconds that the guest's clock counted in one of the host's, if that is wrong."""
    qemu_said: str = ""


def worst(outcomes: Collection[Outcome]) -> Outcome:
    """The one function that adds outcomes up; nothing at all is no pass."""
    return max(outcomes, key=SEVERITY.index, default=Outcome.BOOT)


def judge(boot: Boot, declared: Sequence[Declared] = ()) -> Verdict:
    """The verdict on a boot; `declared` are complaints expected beyond what tests declare."""
    return judge_heard(hear(boot.lines), boot, declared)


def judge_heard(heard: Heard, boot: Boot, declared: Sequence[Declared] = ()) -> Verdict:
    """The verdict on what was heard; of `boot` everything but its lines counts."""
    tests, told = heard.tests, heard.complaints
    known = tree_tests().declared
    charges, unmet = _charge(tests, told, [*tests.declared, *declared, *known])
    cases = tuple(_judged(tests.cases, charges, unmet))
    ended = boot.ended or _seen_end(heard)
    found = [*_findings(boot, heard, ended, charges), *_broken_promises(unmet)]
    if boot.pace is not None:
        found = [_by_a_wrong_clock(one, boot.pace) for one in found]
    findings = tuple(found or _nothing(boot, heard, cases))
    outcome = worst([Outcome.PASS, *(finding.outcome for finding in findings)])
    reason = next((found.reason for found in findings if found.outcome is outcome), "")
    return Verdict(outcome, reason, *_in_lines(heard, cases, charges), findings)


def _in_lines(
    heard: Heard, cases: tuple[Case, ...], charges: list[Charge]
) -> tuple[tuple[Case, ...], tuple[Charge, ...]]:
    """Cases and charges with the lines of the log instead of positions."""
    if heard.divided:
        cases = tuple(
            replace(case, first=heard.line(case.first), last=heard.line(case.last))
            for case in cases
        )
        for charge in charges:
            complaint = charge.complaint
            complaint.first, complaint.last = map(heard.line, (complaint.first, complaint.last))
    return cases, tuple(charges)


def _charge(
    tests: Report, told: list[Complaint], declared: list[Declared]
) -> tuple[list[Charge], list[tuple[Declared, int]]]:
    """Each complaint with its test; and the declarations that were not kept, with the count."""
    owners = [tests.owner(complaint.first) for complaint in told]
    expected = [False] * len(told)
    unmet = []
    own = [one.kind not in NEVER_EXPECTED for one in told]
    within = _by_group([owner if may else "" for owner, may in zip(owners, own, strict=True)])
    waiting: dict[tuple[str, str], deque[int]] = {}
    for wish in declared:
        path, hope = wish.path, wish.expectation
        if (path, hope.regex) not in waiting:
            matching = (one for one in within.get(path, ()) if told[one].matches(hope.regex))
            waiting[path, hope.regex] = deque(matching)
        queue = waiting[path, hope.regex]
        most = len(queue) if hope.most is None else hope.most
        mine = _taken(queue, expected, max(most, hope.least))
        queue.extendleft(reversed(mine[most:]))
        for index in mine[:most]:
            expected[index] = True
        if len(mine) < hope.least:
            unmet.append((wish, len(mine)))
    charges = [Charge(*parts) for parts in zip(told, owners, expected, strict=True)]
    return charges, unmet


def _taken(queue: deque[int], expected: list[bool], most: int) -> list[int]:
    """The first complaints of a queue that are not expected yet, at most so many."""
    mine: list[int] = []
    while queue and len(mine) < most:
        index = queue.popleft()
        if not expected[index]:
            mine.append(index)
    return mine


def _by_group(owners: list[str]) -> dict[str, list[int]]:
    """The complaints of each test and each group, by their place in the list."""
    within: dict[str, list[int]] = {}
    for index, owner in enumerate(owners):
        names = owner.split(".")
        for depth in range(1, len(names) + 1):
            within.setdefault(".".join(names[:depth]), []).append(index)
    return within


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


def _seen_end(heard: Heard) -> Ended | None:
    """What a saved log says about its end."""
    if any(complaint.kind is Kind.PANIC for complaint in heard.complaints):
        return Ended.PANIC
    return Ended.POWEROFF if heard.off else None


def _findings(
    boot: Boot, heard: Heard, ended: Ended | None, charges: list[Charge]
) -> Iterator[Finding]:
    """Everything that keeps this boot from passing; tests count as they said themselves."""
    tests, reached = heard.tests, _reached(heard)
    if tests.bail is not None:
        told = next((f" ({one.path}: {one.reason})" for one in tests.cases if _failed(one)), "")
        yield Finding(Outcome.FAIL if reached else Outcome.BOOT, f"Bail out! {tests.bail}{told}")
    yield from _end_findings(boot, heard, ended, reached)
    yield from _complaint_findings(boot, heard, ended, reached, charges)
    cut_short = ended in (Ended.QEMU_DIED, Ended.HANG, Ended.TIMEOUT)
    for case in tests.cases:
        if case.status is Status.FAIL or (case.status is Status.MISSING and not cut_short):
            yield Finding(Outcome.FAIL, f"{case.path}: {case.reason or 'not ok'}")


def _broken_promises(unmet: list[tuple[Declared, int]]) -> Iterator[Finding]:
    for wish, seen in unmet:
        yield Finding(Outcome.FAIL, f"{wish.path}: {_absent(wish.expectation, seen)}")


def _by_a_wrong_clock(finding: Finding, pace: float) -> Finding:
    """What a finding says of a guest whose clock was wrong."""
    if finding.outcome not in (Outcome.FAIL, Outcome.TIMEOUT):
        return finding
    rate = f"{pace:.0f} times too fast" if pace > 1 else f"{1 / max(pace, 1e-3):.0f} times too slow"
    why = f"the guest's clock ran {rate}: the host was too busy when the kernel measured its rate"
    return Finding(Outcome.HOST, f"{why}; {finding.reason}")


def _nothing(boot: Boot, heard: Heard, cases: Sequence[Case]) -> Iterator[Finding]:
    """A boot against which nothing speaks, and nothing for it either.

    Tests that failed as they were expected to do not make a pass: at least one has to pass. A log
    of our guest has to show that its init came to its end, and what it found there.
    """
    wanted = [case for case in cases if _counts(case, boot.tests_wanted)]
    if not wanted:
        yield Finding(Outcome.BOOT, _unread(heard) if heard.unknown else "no test ran")
    elif all(case.status is Status.KNOWN for case in wanted):
        yield Finding(Outcome.BOOT, "no test passed: each that ran is known to fail")
    elif any(one.cut_short for one in heard.boots):
        yield Finding(Outcome.FAIL, LAST_WORDS_MISSING)


def _unread(heard: Heard) -> str:
    """Why nothing was found in a log whose prefix nobody knows."""
    return f"no known prefix in {heard.unknown} lines"


def _veiled(heard: Heard) -> str:
    """Why the kernel's lines cannot be read though those of the tests can."""
    return f"no known prefix in the kernel's lines, such as {heard.veiled.strip()[:100]!r}"


def _end_findings(
    boot: Boot, heard: Heard, ended: Ended | None, reached: bool
) -> Iterator[Finding]:
    tests, last = heard.tests, heard.last
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
    elif not reached and boot.ended is None and heard.unknown:
        yield Finding(Outcome.BOOT, _unread(heard))
    elif reached and boot.ended is None and heard.veiled:
        yield Finding(Outcome.BOOT, _veiled(heard))
    elif not reached and ended is not None:
        why = ENDINGS.get(ended, "the guest powered off")
        why += " before its first test"
        root = root_cause(heard.complaints)
        told = root.headline if root else heard.panic
        yield Finding(Outcome.BOOT, f"{why}: {told}" if told else why)
    elif ended is Ended.RESET:
        yield Finding(Outcome.CRASH, ENDINGS[ended])


def _complaint_findings(
    boot: Boot, heard: Heard, ended: Ended | None, reached: bool, charges: list[Charge]
) -> Iterator[Finding]:
    hung = ended in (Ended.HANG, Ended.TIMEOUT)
    for charge in _root_first(charges):
        complaint = charge.complaint
        where = charge.path or "outside of all tests"
        reason = f"{where}: {complaint.headline}"
        if charge.expected:
            continue
        if complaint.stall and boot.starved(heard.times.get(complaint.first, 0.0)):
            yield Finding(Outcome.HOST, f"the host starved the guest; {reason}")
        elif complaint.stall and (hung or boot.pace is not None):
            yield Finding(Outcome.TIMEOUT, reason)
        else:
            unborn = not reached and boot.ended is not None and _over(ended)
            yield Finding(Outcome.BOOT if unborn else Outcome.CRASH, reason)


def _root_first(charges: list[Charge]) -> list[Charge]:
    """What a panic follows from before all others, the rest in order."""
    root = root_cause([charge.complaint for charge in charges])
    return sorted(charges, key=lambda charge: charge.complaint is not root)


def _over(ended: Ended | None) -> bool:
    """Whether the boot came to an end of the kernel's own making."""
    return ended in (Ended.PANIC, Ended.RESET, Ended.POWEROFF)


def _reached(heard: Heard) -> bool:
    """Whether the first test began; a bail out before any real one says it did not."""
    tests = heard.tests
    if tests.bail is not None:
        return any(_began(case) for case in tests.cases)
    return heard.begun or bool(tests.cases)


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
