# SPDX-License-Identifier: GPL-2.0
"""What the kernel remembers of its own troubles, compared with what the console shows.

Our guest's init says two numbers before it powers off:

slqb-guest: warnings N    /sys/kernel/warn_count: how often the kernel warned (Linux 6.2 and later,
                          and the stable releases since 6.1.5)
slqb-guest: taint N       /proc/sys/kernel/tainted: a bit for each sort of trouble, never cleared

A warning that was counted and is not on the console was kept from it (by `quiet`, by a log level),
and is a complaint. So is a letter of the taint that no complaint on the console explains. A
complaint explains a letter only if kernels set that letter when they print it: a slab report marks
the kernel as B, and says nothing of a W.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.boots import WARNING, SeenBoot
from harness.complaint import Complaint, Kind

LETTERS = "PFSRMBUDAWCIOELKXTNJ"
"""The letter of each bit, the lowest first."""
EXPECTED = frozenset("OENTC")
"""Our module lies outside the tree and is not signed; tests ran; the kernel was built with its
structures in random order (T), or loaded a driver from staging (C)."""


@dataclass(frozen=True)
class Cause:
    """What sets a letter: complaints of these kinds, or such a line in a complaint of any kind."""

    kinds: frozenset[Kind] = frozenset()
    line: re.Pattern[str] = re.compile(r"(?!)")

    def of(self, complaint: Complaint) -> bool:
        """Whether this complaint set the letter."""
        said = (complaint.headline, *complaint.heads, *complaint.body)
        return complaint.kind in self.kinds or any(map(self.line.search, said))


CAUSES = {
    "W": Cause(
        line=re.compile(
            rf"{WARNING}|\bBUG: (?:sleeping function called|scheduling"
            r" (?:while atomic|in a non-blocking)|assuming (?:atomic|non migratable) context)"
        )
    ),
    "D": Cause(
        frozenset({Kind.OOPS}),
        re.compile(r"\b[Kk]ernel BUG at |\[#\d+\]|^Internal error: |^Oops\b"),
    ),
    "B": Cause(
        frozenset({Kind.KASAN, Kind.KFENCE, Kind.KMSAN}),
        re.compile(r"^BUG (?!at )\S.*: |^slab error in |^Slab corruption\b|^BUG: Bad page"),
    ),
    "L": Cause(frozenset({Kind.SOFT_LOCKUP})),
    "M": Cause(
        line=re.compile(r"[Mm]achine [Cc]heck|\[Hardware Error\]|\bSError\b|external abort")
    ),
    "I": Cause(line=re.compile(r"\[Firmware (?:Bug|Warn)\]")),
}
"""Letters that are not here (a forced module, an overridden ACPI table) have no complaint that
explains them: where they appear they are one."""


def unexplained(found: Iterable[Complaint], seen: Iterable[SeenBoot]) -> Iterator[Complaint]:
    """Complaints for what the kernel of each boot counted and did not show on the console.

    `found` are the complaints of the whole log, declared ones among them.
    """
    known = tuple(found)
    for boot in seen:
        if boot.taint is None:
            continue
        line, bits = boot.taint
        mine = [one for one in known if boot.first <= one.first < line]
        kept = _kept_from_console(boot)
        fine = EXPECTED | {"I"} if boot.firmware else EXPECTED
        odd = {letter for letter in _letters(bits) - fine if not _explained(letter, mine)}
        if kept is not None:
            odd -= {"W"}
            yield kept
        if odd:
            marks = ", ".join(sorted(odd))
            headline = f"the kernel is tainted ({marks}), and the console does not say why"
            yield Complaint(Kind.TAINT, headline, line, line)


def _letters(bits: int) -> set[str]:
    """The letters of a taint; bits that have none yet go by their number."""
    numbers = (bit for bit in range(bits.bit_length()) if bits >> bit & 1)
    return {LETTERS[bit] if bit < len(LETTERS) else f"bit {bit}" for bit in numbers}


def _explained(letter: str, found: Iterable[Complaint]) -> bool:
    cause = CAUSES.get(letter)
    return cause is not None and any(map(cause.of, found))


def _kept_from_console(boot: SeenBoot) -> Complaint | None:
    """The complaint about warnings that were counted and not shown."""
    if boot.warnings is None:
        return None
    line, counted = boot.warnings
    if counted <= boot.warned:
        return None
    times = "once" if counted == 1 else f"{counted} times"
    headline = f"the kernel warned {times}, and the console shows {boot.warned or 'none'} of it"
    return Complaint(Kind.TAINT, headline, line, line)
