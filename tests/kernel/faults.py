# SPDX-License-Identifier: GPL-2.0
"""The faults of faults.toml, as mutations of the rendered tree.

All of them go into one kernel; which of them shows is said on its command line. What is planted
is C of its own, kept here and never among the templates.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from jinja2 import Environment, StrictUndefined
from pydantic import BaseModel, ConfigDict

from harness.worktree import Mutation

FAULTS = Path(__file__).with_suffix(".toml")
ASKED = re.compile(r"\bplanted(?:_each|_in|_by|_others|_always)?\((\w+)")


class Entry(BaseModel):
    """A piece of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Red(Entry):
    """A case that must see the fault, and what the boot must come to."""

    case: str
    outcomes: tuple[Literal["FAIL", "CRASH", "TIMEOUT"], ...] = ("FAIL",)
    topology: str = "2n"
    config: str = "lean"
    machine: str = "x86_64"
    words: tuple[str, ...] = ()
    quick: bool = False


class Fault(Entry):
    """What is broken, in a name for the command line and in words for people."""

    name: str
    says: str
    red: tuple[Red, ...]


class Edit(Entry):
    """Text that the file holds exactly once, and what takes its place."""

    file: str
    old: str
    new: str

    def asked(self) -> frozenset[str]:
        """The faults that the new text asks for."""
        return frozenset(ASKED.findall(self.new)) - {"fault"}


class Catalogue(Entry):
    """All of it."""

    fault: tuple[Fault, ...]
    edit: tuple[Edit, ...]

    def mutations(self) -> Iterator[Mutation]:
        """Every edit, as the worktree takes it."""
        c = Environment(undefined=StrictUndefined)
        for edit in self.edit:
            new = c.from_string(edit.new.removesuffix("\n")).render(faults=self.fault)
            old = re.escape(edit.old.removesuffix("\n"))
            yield Mutation(edit.file, old, new.replace("\\", r"\\"))


def read_faults(path: Path = FAULTS) -> Catalogue:
    """The catalogue, checked."""
    return Catalogue.model_validate(tomllib.loads(path.read_text()))


class Pair(NamedTuple):
    """A fault, and one of the cases that must see it."""

    fault: Fault
    red: Red

    @property
    def name(self) -> str:
        where = "" if self.red.machine == "x86_64" else f"-{self.red.machine}"
        return f"{self.fault.name}-{self.red.case}{where}"


def pairs(catalogue: Catalogue, *, quick: bool) -> tuple[Pair, ...]:
    """Those for `make test`, or the others."""
    return tuple(
        Pair(fault, red) for fault in catalogue.fault for red in fault.red if red.quick == quick
    )


CATALOGUE = read_faults()
