# SPDX-License-Identifier: GPL-2.0
"""How long things may take, in the harness and in the guest's kernel.

One factor stretches them all: how slow the accelerator is, and how many virtual CPUs share a
processor. The kernel's own detectors are set by boot parameters and lie below the
silence deadline, so that a stall is reported by the kernel, with its stacks, before the
harness gives up.
"""

from dataclasses import dataclass

SILENCE = 30.0
MOST = 10.0
"""The factor grows no further: the kernel takes no RCU threshold beyond 300 seconds."""
DEADLINE = {"brief": 300.0, "quick": 300.0, "soak": 3600.0}
STALLS = {
    "rcupdate.rcu_cpu_stall_timeout": 18,
    "watchdog_thresh": 9,  # soft lockup: twice this
    "sysctl.kernel.hung_task_timeout_secs": 22,
    "workqueue.watchdog_thresh": 22,
}


@dataclass(frozen=True)
class Limits:
    """Seconds; what the guest is told in `cmdline`."""

    deadline: float
    silence: float
    stalls: tuple[tuple[str, int], ...] = ()

    @property
    def cmdline(self) -> tuple[str, ...]:
        """The kernel's thresholds as boot parameters."""
        return tuple(f"{name}={seconds}" for name, seconds in self.stalls)

    @property
    def stall(self) -> float:
        """The longest of the kernel's thresholds."""
        return float(max((seconds for _, seconds in self.stalls), default=0))


def said(deadline: float | None, silence: float | None) -> dict[str, float]:
    """Those of the two that the user chose, by name."""
    both = {"deadline": deadline, "silence": silence}
    return {name: seconds for name, seconds in both.items() if seconds is not None}


def limits_for(
    slowness: float,
    cpus: int,
    cores: int,
    *,
    scale: str = "quick",
    deadline: float | None = None,
    silence: float | None = None,
) -> Limits:
    """The limits of one boot; those given by the user are taken as they are."""
    factor = min(MOST, slowness * max(1.0, cpus / (2 * cores)))
    return Limits(
        deadline=deadline if deadline is not None else DEADLINE[scale] * factor,
        silence=silence if silence is not None else SILENCE * factor,
        stalls=tuple((name, round(seconds * factor)) for name, seconds in STALLS.items()),
    )
