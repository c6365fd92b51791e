# SPDX-License-Identifier: GPL-2.0
"""What a run is made of: kernels, and for each the topologies it boots on.

A kernel is an arch, a config and an allocator; all topologies share it. Pairs that cannot
be (a kernel without SMP on several CPUs) are left out, and said to be.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.asked import Asked
from harness.cases import guest_cases, refuse
from harness.config import request
from harness.errors import UserError
from harness.fragment import check_config
from harness.kernel import ALLOCATORS
from harness.machine import Machine, fitted, load_machine
from harness.topology import Topology, load_topology

OURS = "slqb"
ONE_CPU = "up"
"""The fragment that takes SMP out, and the topology that suits it."""
QUICK_TRIM = 200
"""Milliseconds; tests that wait for the trim need not wait long."""


@dataclass(frozen=True)
class Plan:
    """What a run was asked for."""

    tree: str
    archs: tuple[str, ...]
    configs: tuple[str, ...]
    topologies: tuple[str, ...]
    allocators: tuple[str, ...]
    asked: Asked
    accel: str = "auto"
    jobs: int = 1
    deadline: float | None = None
    silence: float | None = None
    pristine: bool = False
    """The tree as it is, without our series."""


@dataclass(frozen=True)
class Wanted:
    """A kernel to build, and where to boot it."""

    machine: Machine
    config: str
    allocator: str
    cells: tuple["Cell", ...] = ()
    prefix: str = ""
    """Tells kernels apart that differ in their source alone."""

    @property
    def name(self) -> str:
        """Its name in the record."""
        return f"{self.prefix}{self.machine.name}-{self.allocator}-{self.config}"


@dataclass(frozen=True)
class Cell:
    """One boot."""

    name: str
    topology: Topology
    asked: Asked


def wanted_kernels(plan: Plan) -> tuple[Wanted, ...]:
    """The kernels of a plan with their cells; those that fit nowhere are left out."""
    machines = [load_machine(name) for name in plan.archs]
    topologies = [load_topology(name) for name in plan.topologies]
    _check(plan)
    every = [
        Wanted(machine, config, allocator)
        for machine in machines
        for config in plan.configs
        for allocator in plan.allocators
    ]
    first = next((one.name for one in every if one.allocator == OURS), "")
    found = tuple(
        Wanted(one.machine, one.config, one.allocator, cells)
        for one in every
        if (cells := tuple(_cells(plan, one, topologies, keeps_trim=one.name == first)))
    )
    if not found:
        raise UserError(
            f"no topology of {', '.join(plan.topologies)} has one CPU, which this needs "
            f"({'--icount' if plan.asked.icount else ', '.join(plan.configs)}); {ONE_CPU} does"
        )
    return found


def left_out(plan: Plan) -> Iterator[str]:
    """What was asked for and cannot be."""
    for config in plan.configs:
        for name in plan.topologies:
            topology = load_topology(name)
            if not _fits(config, topology):
                yield f"left out: config {config} on topology {name} (a kernel for one CPU)"
            elif not _counts(plan, topology):
                yield f"left out: topology {name} (instructions are counted on one CPU)"


def _check(plan: Plan) -> None:
    for config in plan.configs:
        check_config(config)
    for allocator in plan.allocators:
        if allocator not in ALLOCATORS:
            raise UserError(f"unknown allocator {allocator!r}; known: {', '.join(ALLOCATORS)}")
        if allocator == OURS and plan.pristine:
            raise UserError("the tree as it is (--pristine) has no slqb; name another --allocator")
    if not plan.asked.in_guest and not any(_suites(plan)):
        raise refuse(plan.asked.case, guest_cases())


def _suites(plan: Plan) -> Iterator[str]:
    """The symbols of KUnit's suites that the kernels shall have and the guest is asked for."""
    if plan.asked.suite not in ("all", "kunit"):
        return
    for arch in plan.archs:
        for config in plan.configs:
            for allocator in plan.allocators:
                for one in request(load_machine(arch).arch, config, allocator):
                    if one.value == "y" and "KUNIT_" in one.symbol:
                        yield one.symbol


def _cells(
    plan: Plan, wanted: Wanted, topologies: list[Topology], *, keeps_trim: bool
) -> Iterator[Cell]:
    """One for each topology; the first of our own allocator keeps its trim period."""
    for topology in topologies:
        if not _fits(wanted.config, topology) or not _counts(plan, topology):
            continue
        asked = plan.asked
        short = wanted.allocator == OURS and asked.scale == "quick" and not keeps_trim
        if short and asked.trim_ms is None:
            asked = asked.model_copy(update={"trim_ms": QUICK_TRIM})
        shape = fitted(wanted.machine, topology)
        yield Cell(f"{wanted.name}-{topology.name}", shape, asked)
        keeps_trim = False


def _counts(plan: Plan, topology: Topology) -> bool:
    """Instructions make the time of one CPU only."""
    return not plan.asked.icount or topology.cpus == 1


def _fits(config: str, topology: Topology) -> bool:
    """A kernel without SMP runs one CPU, one without NUMA one node."""
    return ONE_CPU not in config.split("+") or topology.cpus == 1
