# SPDX-License-Identifier: GPL-2.0
"""A guest whose clock is wrong, told from the durations that its tests give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.console import Line
from harness.pace import ENOUGH, WRONG, pace


def console(*tests: tuple[float, float]) -> list[Line]:
    """Tests that took so many seconds by the host's clock, and by the guest's."""
    lines, now = [], 1.0
    for number, (host, guest) in enumerate(tests):
        name = f"test_{number}"
        lines += [Line(f"    # start: {name}\n", now), Line("    # note: 500 ms or so\n", now)]
        now += host
        lines += [Line(f"    # {name}: {guest * 1000:.0f} ms\n", now), Line(f"ok {name}\n", now)]
    return lines


@pytest.mark.parametrize("told", [3.0, 100.0])
def test_a_clock_that_is_right_is_not_told(told: float) -> None:
    assert pace(console((told, told), (told, told * 1.2))) is None


def test_a_clock_that_is_too_fast_or_too_slow_is_told() -> None:
    assert pace(console((0.1, 5.8), (0.2, 11.6))) == pytest.approx(58, rel=0.01)
    assert pace(console((30.0, 1.0), (30.0, 1.0))) == pytest.approx(1 / 30, rel=0.01)


def test_short_tests_tell_nothing() -> None:
    assert pace(console((0.01, 0.5), (0.01, 0.9))) is None
    assert pace([]) is None


def test_a_test_that_did_not_end_or_begin_does_not_count() -> None:
    assert pace([Line("    # start: a\n", 1.0), Line("    # b: 90000 ms\n", 2.0)]) is None


@pytest.mark.parametrize(("at", "ms", "off"), [(1.2, 60000, 50), (1.2, 900, None), (9, 900, None)])
def test_a_boot_that_took_longer_for_the_guest_than_for_the_host_is_told(
    at: float, ms: int, off: int | None
) -> None:
    told = pace([Line(f"slqb-guest: clock {ms}\n", at)])
    assert told == (None if off is None else pytest.approx(off))


def test_a_saved_log_without_times_tells_nothing() -> None:
    assert pace([Line(line.text, None) for line in console((0.1, 60.0))]) is None


SECONDS = st.floats(0.0, 1000.0)


@given(st.lists(st.tuples(SECONDS, SECONDS), max_size=5))
def test_what_is_told_is_wrong_by_the_bound_at_least(tests: list[tuple[float, float]]) -> None:
    told = pace(console(*tests))
    host, guest = (sum(times) for times in zip(*tests, strict=True)) if tests else (0.0, 0.0)
    if told is None:
        assert max(host, guest) < ENOUGH + 0.01 or max(host, guest) < WRONG * min(host, guest) + 0.1
    else:
        assert told > WRONG * 0.99 or told < 1 / WRONG * 1.01
