# SPDX-License-Identifier: GPL-2.0
"""What a kernel complains of on its console.

A complaint is one event: its headline, what belongs to it (registers, stacks, dumps) and
what merely follows from it ("Oops" after "unable to handle", "FIX" after a slab report).
HEADLINES is the list of what a complaint begins with, the particular before the general;
a stack dump that no headline explains is a complaint as well, so that a report nobody
thought of is not lost. Lines that belong to the tests (ktap.py) are no kernel messages.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from harness.ktap import in_grammar
from harness.linear import linear
from harness.prefix import bare


class Kind(Enum):
    """What sort of complaint; the value is its name in records."""

    PANIC = "panic"
    OOPS = "oops"
    BUG = "bug"
    WARNING = "warning"
    KASAN = "kasan"
    KFENCE = "kfence"
    KCSAN = "kcsan"
    KMSAN = "kmsan"
    UBSAN = "ubsan"
    LOCKDEP = "lockdep"
    ATOMIC = "atomic"
    RCU_STALL = "rcu-stall"
    SOFT_LOCKUP = "soft-lockup"
    HARD_LOCKUP = "hard-lockup"
    WORKQUEUE = "workqueue-lockup"
    HUNG_TASK = "hung-task"
    SLAB = "slab"
    LIST = "list-corruption"
    PAGE = "bad-page"
    REFCOUNT = "refcount"
    NO_PAGE = "page-allocation"
    LEAK = "leak"
    UNALIGNED = "unaligned"
    USER = "user-fault"
    TAINT = "taint"  # found by taint.py
    RESET = "reset"  # found by boots.py
    STACK = "stack"


STALLS = frozenset(
    {Kind.RCU_STALL, Kind.SOFT_LOCKUP, Kind.HARD_LOCKUP, Kind.WORKQUEUE, Kind.HUNG_TASK}
)
"""Complaints that only say that time passed."""

_LOCKDEP = (
    r"(?:possible (?:circular|recursive|irq lock inversion|deadlock)|inconsistent lock state"
    r"|(?:HARD|SOFT)IRQ-\S+ -> \S+ lock order|bad unlock balance|held lock freed"
    r"|lock held when returning|Nested lock was not taken|suspicious RCU usage"
    r"|Invalid wait context|bad contention|held lock|task \S+ still has locks"
    r"|irq lock inversion|lock order|chain_key|usage bit)"
)

_TABLE: tuple[tuple[Kind, str], ...] = (
    (Kind.PANIC, r"^Kernel panic - not syncing"),
    (Kind.KASAN, r"\bKASAN: "),
    (Kind.KFENCE, r"^BUG: KFENCE: "),
    (Kind.KCSAN, r"^BUG: KCSAN: "),
    (Kind.KMSAN, r"^BUG: KMSAN: "),
    (Kind.UBSAN, r"^UBSAN: "),
    (Kind.LOCKDEP, rf"^(?:\[ )?(?:WARNING|BUG|INFO): .*{_LOCKDEP}"),
    (Kind.LOCKDEP, r"^INFO: trying to register non-static key"),
    (Kind.LOCKDEP, r"^BUG: (?:MAX_\w+ too low|looking up invalid subclass|key \S+ )"),
    (Kind.LOCKDEP, r"^BUG: (?:spinlock|rwlock|\S*mutex)|\bDEBUG_LOCKS_WARN_ON"),
    (Kind.ATOMIC, r"^BUG: (?:sleeping function called|scheduling while atomic)"),
    (Kind.ATOMIC, r"^BUG: using \S+ in preemptible|^BUG: workqueue leaked (?:lock|atomic)"),
    (Kind.SOFT_LOCKUP, r"\bBUG: soft lockup - "),
    (Kind.HARD_LOCKUP, r"\bWatchdog detected hard LOCKUP|\bhard LOCKUP on cpu"),
    (Kind.WORKQUEUE, r"\bBUG: workqueue lockup"),
    (Kind.HUNG_TASK, r"^INFO: task .* blocked (?:for|in) "),
    (Kind.RCU_STALL, r"\bINFO: \S+ .*\bstall(?:s|ed)?\b"),
    (Kind.PAGE, r"^BUG: (?:Bad (?:page|rss)|non-zero pgtables)|^swap_\w+: Bad "),
    (Kind.SLAB, r"^BUG (?:\S+?(?: \([^)]*\))?|.+? \((?:Not tainted|Tainted: [^)]*)\)): "),
    (Kind.SLAB, r"^Slab corruption\b|^slab error in |^slab: double free"),
    (Kind.SLAB, r"Objects remaining in |Slab cache still has objects|Wrong slab cache"),
    (Kind.SLAB, r"(?:Poison|Redzone|[Pp]adding|Freepointer) (?:overwritten|corrupt)"),
    (Kind.LIST, r"^(?:h?list_\w+|slab|list) corruption\b"),
    (Kind.REFCOUNT, r"^refcount_t: "),
    (Kind.NO_PAGE, r"\bpage allocation (?:failure|stalls)|^SL[A-Z]B: Unable to allocate"),
    (Kind.LEAK, r"^kmemleak: (?:\d+ new suspected|Found object by alias)|^BUG: memory leak"),
    (Kind.OOPS, r"^BUG: (?:unable to handle|kernel NULL pointer|stack guard page|IRQ stack)"),
    (Kind.OOPS, r"^BUG: (?:TASK stack guard|Unable to handle|Kernel NULL pointer)"),
    (Kind.OOPS, r"^Unable to handle kernel |^(?:traps: )?PANIC: |^Internal error: "),
    (Kind.OOPS, r"^(?:traps: )?general protection fault|^double fault\b|^Oops\b"),
    (Kind.OOPS, r"^Kernel attempted to |: [0-9a-f]{4} \[#\d+\]|^Bad mode in "),
    (Kind.BUG, r"^kernel BUG at |^\[ BUG: |^(?:[\w.-]+: )?BUG: "),
    (Kind.WARNING, r"^WARNING: |^\[ WARNING: |^usercopy: Kernel memory "),
    (Kind.UNALIGNED, r"\b[Uu]naligned access|\b[Aa]lignment (?:fault|exception|trap)"),
    (Kind.USER, r"\[\d+\]:? segfault at |^traps: \S+\[\d+\] |^potentially unexpected fatal"),
)
HEADLINES = tuple((kind, linear(pattern)) for kind, pattern in _TABLE)
ANY_HEADLINE = linear("|".join(f"(?:{pattern})" for _, pattern in _TABLE))

CUT = re.compile(r"^-+\[ cut here \]-+$")
CUT_LONGEST = 8
END_TRACE = re.compile(r"^---\[ end (?:trace|Kernel panic)")
STACK = re.compile(r"^(?:Call Trace|Call trace|Backtrace|Stack):\s*$|^Call Trace:")
DIES = re.compile(
    r"^Oops: |: [0-9a-f]{4} \[#\d+\]|^KASAN: |^Internal error: |^BUG: Kernel NULL pointer"
)
"""How the report of a fault goes on after its headline."""
DEADLY = frozenset({Kind.OOPS, Kind.BUG, Kind.KASAN})
NO_SLAB = re.compile(r"^SL[A-Z]B: Unable to allocate")
"""How a failed page allocation goes on, if it was for a slab."""
AFTERMATH = 15
"""A line that follows from a complaint comes within so many lines of its end."""
NO_COMPLAINT = re.compile(r"\binvoked oom-killer: |^SysRq|^sysrq: |^FAULT_INJECTION: ")
"""What dumps a stack and is no complaint: a guest is driven out of memory on purpose."""
OUR_OWN = re.compile(r"^slqb-guest: ")
LONGEST = 500


@dataclass
class Complaint:
    """One event; lines are counted from 0."""

    kind: Kind
    headline: str
    first: int
    last: int
    heads: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)

    @property
    def stall(self) -> bool:
        """Whether it says no more than that time passed."""
        return self.kind in STALLS

    def matches(self, regex: str) -> bool:
        """Whether a declared pattern means this one."""
        return any(linear(regex).search(head) for head in (self.headline, *self.heads))


def complaints(lines: Iterable[str]) -> list[Complaint]:
    """Every complaint of a log, in order; its lines may have prefixes."""
    scan = Scan()
    for number, raw in enumerate(lines):
        scan.feed(number, bare(raw).rstrip())
    return scan.end()


def patterns() -> Iterator[str]:
    """RE2 patterns that find each line with which a complaint can begin."""
    yield from (pattern for _, pattern in _TABLE)
    yield from (CUT.pattern, END_TRACE.pattern, STACK.pattern, NO_COMPLAINT.pattern)


def is_stall(line: str) -> bool:
    """Whether a line begins a complaint that says no more than that time passed."""
    return _kind(bare(line).lstrip()) in STALLS


def of_the_guest(line: str) -> bool:
    """Whether a line comes from the tests or our init, not from the kernel itself."""
    text = bare(line)
    return bool(OUR_OWN.match(text.lstrip())) or in_grammar(text)


class Scan:
    """The state of a scan: the complaint that is being told, if any."""

    def __init__(self) -> None:
        self._found: list[Complaint] = []
        self._open: Complaint | None = None
        self._closed = -AFTERMATH  # the line where the last one ended
        self._cut: tuple[int, list[str]] | None = None
        self._silent = False  # inside a stack dump that is no complaint

    def feed(self, number: int, line: str) -> None:
        """One line without its printk prefix."""
        text = line.lstrip()
        if self._outside(number, line, text) or not text:
            return
        if CUT.match(text):
            self._close(number)
            self._cut = (number, [])
            return
        kind = _kind(text)
        if self._cut is not None:
            self._after_cut(number, text, kind)
        elif kind is not None and not self._follows(number, text):
            self._begin(kind, text, number)
        else:
            self._go_on(number, text)

    def end(self) -> list[Complaint]:
        """All that was found."""
        return self._found

    @property
    def idle(self) -> bool:
        """Whether no report is being told."""
        return self._open is None and self._cut is None and not self._silent

    def _outside(self, number: int, line: str, text: str) -> bool:
        """Lines of the tests and of our init end whatever was being told."""
        if not of_the_guest(line):
            return False
        self._close(number)
        self._closed, self._cut, self._silent = -AFTERMATH, None, False
        return True

    def _after_cut(self, number: int, text: str, kind: Kind | None) -> None:
        """Between "cut here" and the headline stands what the caller of WARN() says."""
        assert self._cut is not None
        first, said = self._cut
        if kind in (None, Kind.LIST, Kind.REFCOUNT, Kind.SLAB) and len(said) < CUT_LONGEST:
            said.append(text)
            return
        self._cut = None
        told = [_kind(one) for one in said]
        particular = next((one for one in told if one is not None), kind)
        self._begin(particular or Kind.WARNING, text, first)
        assert self._open is not None
        self._open.heads, self._open.last = said, number

    def _begin(self, kind: Kind, headline: str, number: int) -> None:
        self._close(number)
        self._silent = False
        self._open = Complaint(kind, headline, number, number)
        self._found.append(self._open)

    def _go_on(self, number: int, text: str) -> None:
        """A line without a headline of its own."""
        if NO_COMPLAINT.search(text):
            self._close(number)
            self._silent = True
        elif self._open is not None:
            self._open.last = number
            self._open.body.append(text)
            if END_TRACE.match(text) or len(self._open.body) >= LONGEST:
                self._close(number)
        elif STACK.match(text) and not self._silent and number - self._closed > AFTERMATH:
            self._begin(Kind.STACK, "a stack dump without a headline", number)
        elif text.startswith("Mem-Info:"):
            self._silent = False

    def _follows(self, number: int, text: str) -> bool:
        """Whether a headline only goes on with the complaint before it."""
        recent = self._open is not None or number - self._closed <= AFTERMATH
        if not recent or not self._found:
            return False
        last = self._found[-1].kind
        further = DIES if last in DEADLY else NO_SLAB if last is Kind.NO_PAGE else None
        return further is not None and bool(further.search(text))

    def _close(self, number: int) -> None:
        if self._open is not None:
            self._open, self._closed = None, number


def _kind(text: str) -> Kind | None:
    if ANY_HEADLINE.search(text) is None:
        return None
    return next((kind for kind, pattern in HEADLINES if pattern.search(text)), None)
