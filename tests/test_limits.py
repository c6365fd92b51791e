# SPDX-License-Identifier: GPL-2.0
"""Time limits: the kernel's own come first, all of them stretch together."""

import pytest

from harness.limits import STALLS, limits_for


def test_the_kernel_reports_a_stall_before_the_harness_gives_up() -> None:
    for slowness in (1.0, 2.0):
        for cpus in (1, 4, 8, 1000):
            limits = limits_for(slowness, cpus, 2)
            seconds = dict(limits.stalls)
            assert limits.stall < limits.silence < limits.deadline
            assert 2 * seconds["watchdog_thresh"] < limits.silence  # soft lockup is twice that


def test_slow_accelerators_and_shared_processors_get_more_time() -> None:
    quick, slow, shared = limits_for(1, 4, 2), limits_for(2, 4, 2), limits_for(2, 8, 2)
    assert quick.silence < slow.silence < shared.silence
    assert [b / a for (_, a), (_, b) in zip(quick.stalls, slow.stalls, strict=True)] == [2] * 4


def test_more_processors_than_virtual_cpus_give_no_less_time() -> None:
    assert limits_for(1, 1, 64) == limits_for(1, 4, 2)


def test_a_soak_may_take_longer() -> None:
    assert limits_for(1, 1, 1, scale="soak").deadline > limits_for(1, 1, 1).deadline
    assert limits_for(1, 1, 1, scale="soak").silence == limits_for(1, 1, 1).silence


def test_what_the_user_says_holds() -> None:
    limits = limits_for(2, 8, 2, deadline=7, silence=3)
    assert (limits.deadline, limits.silence) == (7, 3)


@pytest.mark.parametrize("name", STALLS)
def test_the_kernel_is_told(name: str) -> None:
    assert any(word.startswith(f"{name}=") for word in limits_for(1, 1, 1).cmdline)


def test_the_kernel_takes_no_more_than_300_seconds_for_rcu() -> None:
    assert dict(limits_for(2, 1000, 1).stalls)["rcupdate.rcu_cpu_stall_timeout"] <= 300
