# SPDX-License-Identifier: GPL-2.0
"""Hunks: insertions into a tree's own files, placed by what the files say.

templates/hunks/*.toml hold [[hunk]] tables:

id = "unique in its file"
files = ["candidates", "the first that has the place is it"]
when = "capability" or "!capability"             optional
within = [{ from = '...', to = '...', holding = '...' }]    optional: harness/place.py
one verb, a regular expression that one line must match (with every = true: at least one)
    before = '...'     above that line
    after = '...'      below it; with until = '...' below all that follows up to that line
    branch = '...'     at the end of the branch of an #if chain with that condition
    chain = '...'      below the #endif of the chain that has a branch with that condition
    inside = '...(?P<here>...)...'    in the line, right behind the part called here
    around = '...'     in the line's stead
text = 'what is inserted', itself a template: it may ask `has.capability`, and repeat the
        line as {{ found }} or the part (?P<name>...) of it as {{ name }}

No line numbers and no fuzz: a place is there once, or the render stops and says what it
looked for and the nearest thing there is.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from harness.errors import TreeError
from harness.place import NoPlaceError, Region, matches, narrow, nearest, only, only_branch
from harness.table import read_table
from harness.template import Line, Snippet, Templates

VERBS = ("before", "after", "branch", "chain", "inside", "around")

BELOW = ("after", "chain")
CONDITIONS = ("branch", "chain")  # their patterns are for conditions, not for lines

Text = tuple[Line, ...]
Reader = Callable[[str], Text | None]


class Hunk(BaseModel):
    """One insertion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    files: tuple[str, ...]
    text: str
    when: str = ""
    within: tuple[Region, ...] = ()
    before: str | None = None
    after: str | None = None
    until: str | None = None
    branch: str | None = None
    chain: str | None = None
    inside: str | None = None
    around: str | None = None
    every: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self._verbs()) != 1:
            raise ValueError(f"hunk {self.id!r} needs one of {', '.join(VERBS)}")
        if self.until and not self.after:
            raise ValueError(f"hunk {self.id!r}: until goes with after")
        if self.inside and "(?P<here>" not in self.inside:
            raise ValueError(f"hunk {self.id!r}: inside needs a group (?P<here>...)")
        for pattern in filter(None, (*self._verbs().values(), self.until)):
            _check(self.id, pattern)
        return self

    def _verbs(self) -> dict[str, str]:
        given = {verb: getattr(self, verb) for verb in VERBS}
        return {verb: pattern for verb, pattern in given.items() if pattern is not None}

    @property
    def verb(self) -> str:
        """How it is placed."""
        return next(iter(self._verbs()))

    @property
    def pattern(self) -> str:
        """What it is placed at."""
        return next(iter(self._verbs().values()))


@dataclass(frozen=True)
class HunkFile:
    """The hunks of one file, by id, and where their texts begin in it."""

    name: str
    hunks: Mapping[str, Hunk]
    lines: Mapping[str, int]

    def snippets(self) -> Iterator[tuple[str, Snippet]]:
        """Their texts as templates."""
        for hunk in self.hunks.values():
            yield f"{self.name}#{hunk.id}", Snippet(hunk.text, self.name, self.lines[hunk.id])


def load_hunks(templates: Path) -> Mapping[str, HunkFile]:
    """Every hunk file, by its name below templates/."""
    found = sorted((templates / "hunks").glob("*.toml"))
    return {f"hunks/{path.name}": _load(path, f"hunks/{path.name}") for path in found}


def place_hunk(name: str, hunk: Hunk, read: Reader, templates: Templates) -> tuple[str, Text]:
    """The file a hunk belongs into, and its text with the hunk in it."""
    refusals = []
    for file in hunk.files:
        text = read(file)
        if text is None:
            continue
        try:
            return file, _insert(f"{name}#{hunk.id}", hunk, text, templates)
        except NoPlaceError as error:
            refusals.append(f"{file}: no place for hunk {hunk.id!r} of {name}: {error}")
    if refusals:
        raise TreeError(" | ".join(refusals))
    raise TreeError(f"{' or '.join(hunk.files)}: no such file, for hunk {hunk.id!r} of {name}")


def _insert(name: str, hunk: Hunk, text: Text, templates: Templates) -> Text:
    lines = [line.text for line in text]
    within = narrow(lines, hunk.within, range(len(lines)))
    result = list(text)
    for index in sorted(_indexes(hunk, lines, within), reverse=True):
        found = lines[index]
        groups = _groups(hunk, found)
        if hunk.verb == "inside":
            result[index : index + 1] = _inside(hunk, found, templates.render(name, **groups))
        elif hunk.verb == "around":
            result[index : index + 1] = _around(found, templates.render(name, **groups))
        else:
            place = _below(hunk, lines, index, within) if hunk.verb in BELOW else index
            result[place:place] = templates.render(name, **groups)
    return tuple(result)


def _indexes(hunk: Hunk, lines: Sequence[str], within: range) -> list[int]:
    """The lines it is placed at; of a branch or chain the line that ends it."""
    if hunk.verb == "branch":
        return [only_branch(lines, hunk.pattern, within).end]
    if hunk.verb == "chain":
        return [only_branch(lines, hunk.pattern, within).endif]
    if hunk.every and (found := matches(lines, hunk.pattern, within)):
        return found
    return [only(lines, hunk.pattern, within)]


def _groups(hunk: Hunk, line: str) -> dict[str, str]:
    """What the text may repeat: the line, and the parts of it that have names."""
    match = None if hunk.verb in CONDITIONS else re.search(hunk.pattern, line)
    parts = match.groupdict(default="") if match else {}
    return {**parts, "found": line}


def _below(hunk: Hunk, lines: Sequence[str], index: int, within: range) -> int:
    if hunk.until is None:
        return index + 1
    rest = range(index + 1, within.stop)
    if found := matches(lines, hunk.until, rest):
        return found[0]
    wanted = f"a line /{hunk.until}/ below {lines[index].strip()!r}"
    raise NoPlaceError(wanted, "there is none", nearest(lines, hunk.until, rest))


def _inside(hunk: Hunk, line: str, insertion: Text) -> Text:
    found = re.search(hunk.pattern, line)
    assert found is not None
    end = found.end("here")
    whole = line[:end] + "\n".join(piece.text for piece in insertion) + line[end:]
    return tuple(Line(part, insertion[0].origin) for part in whole.split("\n"))


def _around(found: str, replacement: Text) -> Text:
    """The tree's own line stays the tree's own: it has no origin in a template."""
    return tuple(Line(line.text) if line.text == found else line for line in replacement)


class _Hunks(BaseModel):
    """A file of hunks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hunk: tuple[Hunk, ...] = ()


def _load(path: Path, name: str) -> HunkFile:
    hunks = read_table(path, TypeAdapter(_Hunks)).hunk
    named = {hunk.id: hunk for hunk in hunks}
    if len(named) != len(hunks):
        raise TreeError(f"{path}: two hunks have the same id")
    starts = _text_lines(path.read_text())
    return HunkFile(name, named, dict(zip(named, starts, strict=True)))


def _text_lines(source: str) -> list[int]:
    """The line each hunk's text begins on; behind opening quotes it is the next one."""
    found = re.finditer(r"^text\s*=\s*(?:'''\n|\"\"\"\n)?", source, re.MULTILINE)
    return [source.count("\n", 0, match.end()) + 1 for match in found]


def _check(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"hunk {name!r}: no regular expression /{pattern}/: {error}") from error
