# SPDX-License-Identifier: GPL-2.0
"""What a run is made of: kernels, and for each the topologies it boots on.

A kernel is an arch, a config and an allocator; all topologies share it. A cell that cannot be (a
kernel without SMP on several CPUs) is an error that says why, before anything is done. It is left
out, and said to be, where a matrix file excludes it or the user asks for what can be of the rest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, product

from harness.asked import EVERY_CASE, Asked
from harness.cases import guest_cases, refuse
from harness.config import request
from harness.errors import UserError
from harness.fitting import misfits, taken_out
from harness.fragment import check_config
from harness.kernel import ALLOCATORS
from harness.machine import Machine, fitted, load_machine
from harness.matrixfile import Exclusion, Further
from harness.topology import Topology, load_topology

OURS = "slqb"
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
    jobs: int | None = None
    """Boots at a time; None: as many as there is room for."""
    deadline: float | None = None
    silence: float | None = None
    pristine: bool = False
    """The tree as it is, without our series."""
    allocators_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For a config that is to be had with others."""
    exclude: tuple[Exclusion, ...] = ()
    also: tuple[Further, ...] = ()
    """Cells beside those of the lists; no exclusion concerns them."""
    matrix: str = ""
    """Where the exclusions stand."""
    only_possible: bool = False
    """Leave out what cannot be, and say so, rather than refuse it all."""
    repeat: int = 0
    """How often a boot that failed is repeated."""


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


@dataclass(frozen=True)
class LeftOut:
    """A cell that is none."""

    name: str
    reason: str


@dataclass(frozen=True)
class Layout:
    """A plan made into kernels with their cells, and what is left out of it."""

    kernels: tuple[Wanted, ...]
    left_out: tuple[LeftOut, ...]


def wanted_kernels(plan: Plan) -> tuple[Wanted, ...]:
    """The kernels of a plan with their cells."""
    return lay_out(plan).kernels


def lay_out(plan: Plan) -> Layout:
    """Every cell, or the reason why there is none; a UserError names those that cannot be."""
    _check(plan)
    left_out: list[LeftOut] = []
    impossible: list[LeftOut] = []
    kernels = []
    for bare in _kernels(plan):
        fitting, lacks = [], taken_out(bare.machine, bare.config, bare.allocator)
        for topology, reason in _wished(plan, bare):
            name = f"{bare.name}-{topology.name}"
            if reason:
                left_out.append(LeftOut(name, reason))
            elif reason := next(misfits(bare.machine, lacks, topology, plan.asked), ""):
                impossible.append(LeftOut(name, reason))
            else:
                fitting.append(topology)
        if fitting:
            kernels.append((bare, fitting))
    if impossible and not (plan.only_possible and kernels):
        raise _refused(plan, impossible, some=bool(kernels))
    if not kernels:
        raise UserError("nothing is left of this matrix: every cell of it is excluded")
    return Layout(tuple(_with_cells(plan, kernels)), (*left_out, *impossible))


def _kernels(plan: Plan) -> Iterator[Wanted]:
    """Every kernel of the plan once, as yet without cells: those of the lists come first."""
    known = set()
    for bare in chain(_listed(plan), *map(_further, plan.also)):
        if bare.name not in known:
            known.add(bare.name)
            yield bare


def _listed(plan: Plan) -> Iterator[Wanted]:
    """The kernels of the lists."""
    for machine in map(load_machine, plan.archs):
        for config in plan.configs:
            for allocator in plan.allocators_of.get(config, plan.allocators):
                yield Wanted(machine, config, allocator)


def _further(also: Further) -> Iterator[Wanted]:
    """The kernels of cells beside the lists."""
    for machine, config, allocator in product(also.machines, also.configs, also.allocators):
        yield Wanted(load_machine(machine), config, allocator)


def _wished(plan: Plan, wanted: Wanted) -> Iterator[tuple[Topology, str]]:
    """The topologies that a kernel is to be booted on, each with the reason why not, or ""."""
    listed = any(one.name == wanted.name for one in _listed(plan))
    mine = (one for one in plan.also if wanted.name in {bare.name for bare in _further(one)})
    further = dict.fromkeys(chain.from_iterable(one.topologies for one in mine))
    names = dict.fromkeys((*(plan.topologies if listed else ()), *further))
    for topology in map(load_topology, names):
        reason = "" if topology.name in further else _excluded(plan, wanted, topology)
        yield topology, reason


def _with_cells(plan: Plan, kernels: list[tuple[Wanted, list[Topology]]]) -> Iterator[Wanted]:
    """The kernels with their boots; the very first of our own allocator keeps its trim period."""
    keeps_trim = True
    for turn, (bare, topologies) in enumerate(kernels):
        cells = tuple(_cells(plan, bare, topologies, turn, keeps_trim=keeps_trim))
        yield Wanted(bare.machine, bare.config, bare.allocator, cells)
        keeps_trim = keeps_trim and bare.allocator != OURS


def _excluded(plan: Plan, wanted: Wanted, topology: Topology) -> str:
    """The reason for which the matrix leaves a cell out."""
    cell = (wanted.machine.name, wanted.config, wanted.allocator, topology.name)
    return next((one.reason for one in plan.exclude if one.covers(*cell)), "")


def _refused(plan: Plan, impossible: list[LeftOut], *, some: bool) -> UserError:
    """All that cannot be, cells of one reason together, on one line."""
    cells: dict[str, list[str]] = {}
    for one in impossible:
        cells.setdefault(one.reason, []).append(one.name)
    told = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in cells.items())
    remedy = "; --only-possible runs the rest" if some else ""
    remedy += f", or exclude it in matrix {plan.matrix}" if some and plan.matrix else ""
    return UserError(f"cannot be: {told}{remedy}")


def _check(plan: Plan) -> None:
    for config in plan.configs:
        check_config(config)
    every = chain(*plan.allocators_of.values(), *(one.allocators for one in plan.also))
    for allocator in {*plan.allocators, *every}:
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
    for wanted in _kernels(plan):
        for one in request(wanted.machine.arch, wanted.config, wanted.allocator):
            if one.value == "y" and "KUNIT_" in one.symbol:
                yield one.symbol


def _cells(
    plan: Plan, wanted: Wanted, topologies: list[Topology], turn: int, *, keeps_trim: bool
) -> Iterator[Cell]:
    """One for each topology; at each turn, each has the share that the one before it had."""
    every = plan.asked.case == EVERY_CASE and plan.asked.share is None
    dealt = plan.asked.scale == "brief" and every and len(topologies) > 1
    for number, topology in enumerate(topologies):
        asked = plan.asked
        if dealt:
            share = (number + turn) % len(topologies)
            asked = asked.model_copy(update={"share": f"{share}/{len(topologies)}"})
        short = wanted.allocator == OURS and asked.scale != "soak" and not keeps_trim
        if short and asked.trim_ms is None:
            asked = asked.model_copy(update={"trim_ms": QUICK_TRIM})
        shape = fitted(wanted.machine, topology)
        yield Cell(f"{wanted.name}-{topology.name}", shape, asked)
        keeps_trim = False
