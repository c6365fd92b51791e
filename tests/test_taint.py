# SPDX-License-Identifier: GPL-2.0
"""What the kernel counted of its own troubles, against what the console shows of them."""

import pytest

from harness.boots import boots
from harness.complaint import Complaint, complaints
from harness.taint import LETTERS, unexplained

WARN = (
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 1 at mm/slqb.c:1 f+0x1/0x2",
    "Call Trace:",
    "---[ end trace 0000000000000000 ]---",
)
SLUB = "BUG kmalloc-64 (Not tainted): Poison overwritten"
BITS = {letter: 1 << bit for bit, letter in enumerate(LETTERS)}


def odd(*lines: str) -> list[str]:
    """The headlines of what the console does not explain."""
    found: list[Complaint] = complaints(lines)
    return [one.headline for one in unexplained(found, boots(lines))]


def tainted(letters: str) -> str:
    """What the guest says of a kernel with these letters."""
    return f"slqb-guest: taint {sum(BITS[letter] for letter in letters)}"


@pytest.mark.parametrize(
    ("bits", "letters"),
    [
        (0, ""),
        (1 << 12, ""),
        (1 << 12 | 1 << 13 | 1 << 18, ""),
        (1 << 9, "W"),
        (1 << 5 | 1 << 7, "B, D"),
        (1 << 14, "L"),
        (1 << 4 | 1 << 1, "F, M"),
        (1 << 40, "bit 40"),
        (1 << 40 | 1 << 9 | 1 << 45, "W, bit 40, bit 45"),
        (1 << 17 | 1 << 10, ""),
        (1 << 11, "I"),
    ],
)
def test_taint_that_nothing_explains(bits: int, letters: str) -> None:
    told = f"the kernel is tainted ({letters}), and the console does not say why"
    assert odd(f"slqb-guest: taint {bits}") == ([told] if letters else [])


EXPLAINED = [
    ("W", WARN),
    ("W", ("BUG: sleeping function called from invalid context at mm/slqb.c:7",)),
    ("W", ("BUG: scheduling while atomic: init/1/0x00000002",)),
    ("D", ("BUG: unable to handle page fault for address: 0000000000001000",)),
    ("D", ("kernel BUG at mm/slqb.c:12!",)),
    ("D", ("Internal error: Oops - BUG: 00000000f2000800 [#1] SMP",)),
    ("B", (SLUB,)),
    ("B", ("slab error in check_poison_obj(): cache `kmalloc-64': corrupted",)),
    ("B", ("BUG: KASAN: use-after-free in f+0x1/0x2",)),
    ("B", ("BUG: KFENCE: out-of-bounds read in f+0x1/0x2",)),
    ("B", ("BUG: Bad page state in process init  pfn:00001",)),
    ("L", ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [init:1]",)),
]


@pytest.mark.parametrize(("letter", "lines"), EXPLAINED)
def test_taint_that_a_complaint_explains(letter: str, lines: tuple[str, ...]) -> None:
    assert odd(*lines, tainted(letter)) == []


@pytest.mark.parametrize(
    ("letter", "line"),
    [
        ("W", SLUB),
        ("W", "WARNING: possible circular locking dependency detected"),
        ("W", "UBSAN: array-index-out-of-bounds in mm/slqb.c:1:2"),
        ("W", "BUG: using smp_processor_id() in preemptible [00000000] code: init/1"),
        ("B", WARN[1]),
        ("B", "BUG: Bad rss-counter state mm:0 type:MM_ANONPAGES val:1"),
        ("D", "BUG: Bad page state in process init  pfn:00001"),
        ("D", WARN[1]),
        ("L", "rcu: INFO: rcu_sched self-detected stall on CPU"),
    ],
)
def test_a_complaint_explains_only_the_letters_that_it_sets(letter: str, line: str) -> None:
    assert complaints([line])
    assert len(odd(line, tainted(letter))) == 1


def test_each_boot_explains_its_own_taint() -> None:
    begin = ("Linux version 6.1.0 (user@host)", "slqb-guest: init")
    first, second = (*begin, *WARN, tainted("W"), "reboot: Power down"), (*begin, tainted("W"))
    assert odd(*first) == []
    assert len(odd(*first, *second)) == 1
    assert len(odd(*second, "reboot: Power down", *first)) == 1


@pytest.mark.parametrize(
    ("counted", "shown", "told"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (1, 2, ""),
        (1, 0, "the kernel warned once, and the console shows none of it"),
        (3, 1, "the kernel warned 3 times, and the console shows 1 of it"),
    ],
)
def test_warnings_that_the_console_does_not_show(counted: int, shown: int, told: str) -> None:
    words = (f"slqb-guest: warnings {counted}", tainted("W") if counted else tainted("O"))
    assert odd(*WARN * shown, *words) == ([told] if told else [])


@pytest.mark.parametrize(
    "line", ["[Firmware Bug]: TSC not synchronous", "ACPI: [Firmware Warn]: x"]
)
def test_a_line_that_blames_the_firmware_explains_its_letter(line: str) -> None:
    assert complaints([line]) == []
    assert odd(line, tainted("I")) == []
    assert len(odd(tainted("I"))) == 1


def test_a_conditional_warning_counts() -> None:
    newer = "WARNING: [object == list->head] mm/slqb.c:12 at f+0x1/0x2, CPU#1: init/1"
    words = ("slqb-guest: warnings 1", tainted("W"))
    assert odd(WARN[0], newer, *WARN[2:], *words) == []
