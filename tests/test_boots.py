# SPDX-License-Identifier: GPL-2.0
"""How many boots a log holds, and which of them nobody asked for."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.boots import END, WARNED, boots, may_end, may_warn, resets
from harness.complaint import Kind
from harness.console import Line
from harness.heard import hear
from harness.skim import skim

BANNER = "Linux version 6.1.0 (user@host) (gcc 12.2.0) #1 SMP"
TESTS = ("KTAP version 1", "1..2", "ok 1 a", "# start: b")
ENDS = (
    "reboot: Power down",
    "reboot: power down",
    "reboot: Restarting system",
    "reboot: Restarting system with command 'now'",
    "Restarting system.",
    "reboot: System halted",
    "Power down.",
    "kexec_core: Starting new kernel",
    "Kernel panic - not syncing: a test",
    "Rebooting in 5 seconds..",
    "sysrq: Resetting",
    "-- Boot 0123456789abcdef0123456789abcdef --",
    "-- Reboot --",
    "systemd-shutdown[1]: Rebooting.",
    "box systemd-shutdown[1]: Powering off.",
)


def count(*lines: str) -> tuple[int, int]:
    """How many boots the log holds, and how many of them were resets."""
    seen = boots(lines)
    return len(seen), len(resets(seen))


def timed(*lines: str, start: float = 0.0) -> list[str]:
    return [f"[{start + number / 10:12.6f}] {line}" for number, line in enumerate(lines)]


def plain(*lines: str) -> list[str]:
    return list(lines)


with_and_without_times = pytest.mark.parametrize("wear", [plain, timed])
Wear = Callable[..., list[str]]


@with_and_without_times
def test_one_boot(wear: Wear) -> None:
    assert count(*wear(BANNER, *TESTS)) == (1, 0)
    assert count(*wear("a line of before", BANNER, *TESTS)) == (1, 0)


@with_and_without_times
def test_a_second_boot_that_nobody_asked_for(wear: Wear) -> None:
    again = wear(BANNER, "Command line: quiet")
    assert count(*wear(BANNER, *TESTS), *again) == (2, 1)
    assert count(*wear(BANNER), *wear(BANNER)) == (2, 1)
    assert count(*wear(BANNER), *wear(BANNER), *wear(BANNER)) == (3, 2)
    assert count(*wear(*TESTS), *again) == (2, 1)


@with_and_without_times
@pytest.mark.parametrize("end", ENDS)
def test_a_second_boot_after_an_end(wear: Wear, end: str) -> None:
    assert count(*wear(BANNER, *TESTS, end), *wear(BANNER, *TESTS)) == (2, 0)
    assert count(*wear("a", end), *wear(BANNER, *TESTS)) == (2, 0)


def test_a_reset_is_told_where_the_kernel_begins_anew() -> None:
    [found] = resets(boots([BANNER, *TESTS, BANNER, "Command line: quiet"]))
    assert found.first == 1 + len(TESTS)


def test_our_init_comes_once_a_boot_where_the_banner_is_not_shown() -> None:
    guest = ("slqb-guest: init", "slqb-guest: tests", *TESTS)
    assert count(*guest, *guest) == (2, 1)
    assert count(*guest, "reboot: Power down", *guest) == (2, 0)


@pytest.mark.parametrize("next_line", ["    ok 2 b", "# b: what /proc/version says", "# start: c"])
def test_a_program_may_print_the_banner(next_line: str) -> None:
    assert count(BANNER, *TESTS, BANNER, "", next_line) == (1, 0)
    assert count(*timed(BANNER, *TESTS), BANNER, next_line) == (1, 0)
    assert count(*timed(BANNER, *TESTS), *timed(BANNER, next_line, start=7)) == (1, 0)


def test_a_console_that_was_just_enabled_prints_the_log_again() -> None:
    early = timed(BANNER, "printk: console [ttyS0] enabled")
    assert count(*early, *early, *timed(*TESTS, start=1)) == (1, 0)


def test_what_our_guest_says_is_told_boot_by_boot() -> None:
    words = ("slqb-guest: init", "slqb-guest: warnings 2", "slqb-guest: taint 512")
    first, second = boots([BANNER, *words, "slqb-guest: done", ENDS[0], BANNER, *words])
    assert (first.taint, first.warnings, first.done, first.cut_short) == (
        (3, 512),
        (2, 2),
        True,
        False,
    )
    assert (second.taint, second.done, second.cut_short) == ((9, 512), False, True)


@given(st.from_regex(END))
def test_the_quick_look_for_an_end_misses_none(line: str) -> None:
    assert may_end(line)


@given(st.from_regex(WARNED))
def test_the_quick_look_for_a_warning_misses_none(line: str) -> None:
    assert may_warn(line)


@given(st.lists(st.sampled_from([BANNER, *TESTS, *ENDS, "slqb-guest: init"]) | st.text()))
def test_any_log_has_a_boot_at_least(lines: list[str]) -> None:
    seen = boots(lines)
    assert seen[0].first == 0
    assert [one.first for one in seen] == sorted({one.first for one in seen})
    assert all(0 < one.first < len(lines) for one in resets(seen))


def test_several_words_of_taint_add_up() -> None:
    [boot] = boots(["slqb-guest: init", "slqb-guest: taint 512", "slqb-guest: taint 4096"])
    assert boot.taint == (2, 512 | 4096)


@pytest.mark.parametrize("end", ENDS)
def test_an_end_in_order_is_found_in_a_long_log_as_well(end: str) -> None:
    lines = timed(BANNER, *TESTS[:-1], "ok 2 b", *["usb 1-1: new device"] * 50, end)
    lines += timed(*["usb 1-1: new device"] * 50, BANNER, "Command line: x")
    whole, skimmed = hear(map(Line, lines)), skim(["\n".join(lines).encode()])
    for heard in (whole, skimmed):
        assert not [one for one in heard.complaints if one.kind is Kind.RESET]


@pytest.mark.parametrize(
    "stamp", ["", "Nov 30 17:41:19 box kernel: ", "kern  :notice: ", "2026-11-30T17:41:19+0100 "]
)
def test_a_banner_of_a_later_time_is_printed_by_a_program(stamp: str) -> None:
    first = [stamp + line for line in timed(BANNER, *TESTS)]
    again = [stamp + line for line in timed(BANNER, "ok 2 b", start=5)]
    assert count(*first, *again) == (1, 0)
    assert count(*first, *(stamp + line for line in timed(BANNER, "Command line: x"))) == (2, 1)
