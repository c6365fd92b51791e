# SPDX-License-Identifier: GPL-2.0
"""A matrix as a record in configs/matrix/: what is built, what it is booted on, what is left out.

A matrix is every machine with every config, allocator and topology, but for what `exclude` names,
and the cells that `also` adds. An exclusion has a reason, which is printed and recorded; one that
fits no cell is a fault, and so is a cell that cannot be and is not excluded (matrix.py).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from harness import catalogue
from harness.asked import Scale
from harness.errors import HarnessError
from harness.fragment import check_config
from harness.kernel import ALLOCATORS
from harness.machine import load_machine
from harness.places import PROJECT
from harness.topology import load_topology

MATRICES = PROJECT / "configs" / "matrix"
MOST_REPEATS = 20


def _known(check: Callable[[str], object]) -> AfterValidator:
    """A name that something loads by; what that has to say is the fault."""

    def validate(name: str) -> str:
        try:
            check(name)
        except HarnessError as error:
            raise ValueError(str(error)) from error
        return name

    return AfterValidator(validate)


def _check_allocator(name: str) -> str:
    if name not in ALLOCATORS:
        raise ValueError(f"unknown allocator {name!r}; known: {', '.join(ALLOCATORS)}")
    return name


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice!r} stands there twice")
    return names


def _own_name(machine: str) -> str:
    """What a record is called, named by its file or not."""
    return Path(machine).stem if machine.endswith((".toml", ".json")) else machine


MachineName = Annotated[str, _known(load_machine)]
ConfigName = Annotated[str, _known(check_config)]
TopologyName = Annotated[str, _known(load_topology)]
AllocatorName = Annotated[str, AfterValidator(_check_allocator)]
Once = AfterValidator(_once)
Some = Field(min_length=1)
CellName = tuple[str, str, str, str]
"""Machine, config, allocator, topology."""


class Exclusion(BaseModel):
    """Cells that are left out; a list that is not there stands for all there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machines: tuple[MachineName, ...] = ()
    configs: tuple[ConfigName, ...] = ()
    allocators: tuple[AllocatorName, ...] = ()
    topologies: tuple[TopologyName, ...] = ()
    reason: str = Field(pattern=r"^\S[^\n]*$")

    def covers(self, machine: str, config: str, allocator: str, topology: str) -> bool:
        """Whether that cell is left out."""
        machines = tuple(_own_name(name) for name in self.machines)
        return all(
            not names or name in names
            for names, name in (
                (machines, _own_name(machine)),
                (self.configs, config),
                (self.allocators, allocator),
                (self.topologies, topology),
            )
        )


class Further(BaseModel):
    """Cells beside those of the lists: what is to be booted once, and not on everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machines: Annotated[tuple[MachineName, ...], Some, Once]
    configs: Annotated[tuple[ConfigName, ...], Some, Once]
    topologies: Annotated[tuple[TopologyName, ...], Some, Once]
    allocators: Annotated[tuple[AllocatorName, ...], Some, Once] = ("slqb",)

    def cells(self) -> Iterator[CellName]:
        """Machine, config, allocator and topology of each."""
        yield from product(self.machines, self.configs, self.allocators, self.topologies)

    def only(self, **lists: Collection[str]) -> "Further | None":
        """Those cells that the lists name; None if there are none."""
        kept = {
            key: tuple(name for name in getattr(self, key) if name in names)
            for key, names in lists.items()
        }
        return self.model_copy(update=kept) if all(kept.values()) else None


class Matrix(catalogue.Entry):
    """One file."""

    machines: Annotated[tuple[MachineName, ...], Some, Once]
    configs: Annotated[tuple[ConfigName, ...], Some, Once]
    topologies: Annotated[tuple[TopologyName, ...], Some, Once]
    allocators: Annotated[tuple[AllocatorName, ...], Some, Once] = ("slqb",)
    allocators_of: Mapping[str, Annotated[tuple[AllocatorName, ...], Some, Once]] = {}
    """Those of a config that is to be had with others than `allocators`."""
    scale: Scale = "quick"
    repeat: int = Field(default=0, ge=0, le=MOST_REPEATS)
    """How often a failed boot is repeated, to tell the flaky ones."""
    exclude: tuple[Exclusion, ...] = ()
    also: tuple[Further, ...] = ()
    """Cells beside those of the lists, which no exclusion concerns."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Matrix":
        if fault := next(self._faults(), None):
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        for config in self.allocators_of:
            if config not in self.configs:
                yield f"allocators_of.{config}: no such config in this matrix"
        cells = list(self.cells())
        for number, one in enumerate(self.exclude):
            if not any(one.covers(*cell) for cell in cells):
                yield f"exclude.{number}: no cell of this matrix is that"
        known = {cell for cell in cells if not any(one.covers(*cell) for one in self.exclude)}
        for number, more in enumerate(self.also):
            if twice := next((cell for cell in more.cells() if cell in known), None):
                yield f"also.{number}: {', '.join(twice)} is in this matrix already"
            known.update(more.cells())

    def cells(self) -> Iterator[CellName]:
        """Those of the lists, exclusions or not."""
        for machine in self.machines:
            for config in self.configs:
                for allocator in self.allocators_of.get(config, self.allocators):
                    for topology in self.topologies:
                        yield machine, config, allocator, topology


def matrix_names() -> tuple[str, ...]:
    """The matrices there are."""
    return catalogue.names(MATRICES)


def load_matrix(name: str, folder: Path = MATRICES) -> Matrix:
    """The matrix of that name, or in that file."""
    return catalogue.load("matrix", folder, name, Matrix)
