# SPDX-License-Identifier: GPL-2.0
"""A file of ours while the series is on its way: what later patches bring is not there yet.

Templates make each file once, whole. A patch of series.toml may bring

parts = ["slqb/free.c.j2"]                   all lines that this template makes
symbols = ["SLQB_STATS"]                     what the file says under CONFIG_SLQB_STATS
symbols = ["slqb/debug.c.j2#SLQB_DEBUG"]     the same, in the lines of one template

and before that patch the lines are missing; a symbol that is not there yet is undefined. Conditions
are resolved by unifdef, which the kernel uses for its own headers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Protocol

from harness import child
from harness.template import Line

Text = tuple[Line, ...]


class Bringing(Protocol):
    """A patch, as far as it matters here."""

    @property
    def parts(self) -> tuple[str, ...]: ...

    @property
    def symbols(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Stage:
    """What is not there yet."""

    parts: frozenset[str]
    symbols: frozenset[str]
    early: frozenset[str]  # symbols of one template that is ahead of the others

    @classmethod
    def after(cls, done: Iterable[Bringing], patches: Iterable[Bringing]) -> "Stage":
        """What those patches of the series that are not done will bring."""
        here, whole = tuple(done), tuple(patches)
        symbols = _symbols(whole) - _symbols(here)
        return cls(
            _parts(whole) - _parts(here),
            frozenset(symbol for symbol in symbols if "#" not in symbol),
            frozenset(symbol for symbol in _symbols(here) if "#" in symbol),
        )

    def of(self, text: Text, templates: str) -> Text:
        """The file at this stage; `templates` is the folder's name, as it is in origins."""
        if not self.parts and not self.symbols:
            return text
        return tuple(_no_gaps(self._left(text, templates)))

    def _left(self, text: Text, templates: str) -> Iterator[Line]:
        for template, lines in groupby(text, lambda line: template_of(line, templates)):
            if template in self.parts:
                continue
            undefined = {name for name in self.symbols if f"{template}#{name}" not in self.early}
            yield from _resolved(tuple(lines), undefined)


def template_of(line: Line, templates: str) -> str:
    """'slqb/free.c.j2' for a line that came from 'templates/slqb/free.c.j2:12'."""
    return (line.origin or "").removeprefix(f"{templates}/").rpartition(":")[0]


def _parts(patches: Iterable[Bringing]) -> frozenset[str]:
    return frozenset(part for patch in patches for part in patch.parts)


def _symbols(patches: Iterable[Bringing]) -> frozenset[str]:
    return frozenset(symbol for patch in patches for symbol in patch.symbols)


def _resolved(lines: Text, undefined: Iterable[str]) -> Iterator[Line]:
    names = [
        name for name in sorted(undefined) if any(f"CONFIG_{name}" in line for line, _ in lines)
    ]
    if not names:
        yield from lines
        return
    left = _unifdef("".join(f"{line}\n" for line, _ in lines), tuple(names)).split("\n")
    for line, text in zip(lines, left, strict=False):
        if text or not line.text:
            yield Line(text, line.origin)


@cache
def _unifdef(text: str, names: tuple[str, ...]) -> str:
    """As many lines as before: -b leaves an empty one for each that goes."""
    words = ("unifdef", "-b", "-x2", *(f"-UCONFIG_{name}" for name in names))
    return child.run(words, cwd=Path("/"), input=text, only_stdout=True)


def _no_gaps(lines: Iterable[Line]) -> Iterator[Line]:
    """No empty line at either end, and never two together."""
    gap: Line | None = None
    begun = False
    for line in lines:
        if not line.text:
            gap = line if begun else None
            continue
        if gap is not None:
            yield gap
            gap = None
        begun = True
        yield line
