# SPDX-License-Identifier: GPL-2.0
"""Looking into a tree for its capabilities, with the file and line that prove each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from jinja2 import UndefinedError

from harness.capability import Capability, load_capabilities
from harness.place import anywhere, matches
from harness.template import TEMPLATES


@dataclass(frozen=True)
class Evidence:
    """The line that proves a capability."""

    file: str
    line: int
    text: str


class Capabilities(Mapping[str, Evidence | None]):
    """What was found, and None for what was not; templates ask `has.struct_slab`."""

    def __init__(self, found: Mapping[str, Evidence | None]) -> None:
        self._found = dict(found)

    def __getitem__(self, name: str) -> Evidence | None:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def has(self, name: str) -> bool:
        """Whether the tree has it; a name that nobody knows is an error, not a no."""
        if name not in self._found:
            near = get_close_matches(name, self._found, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UndefinedError(f"no capability is called {name!r}{hint}")
        return self._found[name] is not None


class Has:
    """The templates' view: `has.name` is true or false."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities

    def __getattr__(self, name: str) -> bool:
        return self._capabilities.has(name)


def probe(source: Path, templates: Path = TEMPLATES) -> Capabilities:
    """Look for every capability the templates know of."""

    @cache
    def lines(file: str) -> tuple[str, ...]:
        path = source / file
        return tuple(path.read_text(errors="replace").split("\n")) if path.is_file() else ()

    def look(capability: Capability) -> Evidence | None:
        seen = (_evidence(file, lines(file), capability) for file in capability.files)
        return next((evidence for evidence in seen if evidence), None)

    known = load_capabilities(templates)
    return Capabilities({name: look(capability) for name, capability in known.items()})


def _evidence(file: str, lines: tuple[str, ...], capability: Capability) -> Evidence | None:
    for part in anywhere(lines, capability.within, range(len(lines))):
        if found := matches(lines, capability.line, part):
            return Evidence(file, found[0] + 1, lines[found[0]].strip())
    return None
