# SPDX-License-Identifier: GPL-2.0
"""The series: ordered patches, rendered in memory against a tree.

templates/series.toml:

date = 2026-01-01T00:00:00Z       of the first patch; each next one is a second later
cover = { subject = "...", template = "messages/cover.j2" }
change-id = "YYYYMMDD-NAME-HASH"               the same for all versions, as b4 has it
[[patch]]
id = "..."
subject = "mm: ..."
message = "messages/NAME.j2"
files = { "mm/slqb.c" = "mm/slqb.c.j2" }       new files, by the template that makes each; a path is
                                               a template itself
hunks = ["build.toml", "slab.toml#cache flags"]     a whole file of hunks, or one of them
parts, symbols                                 what of the files comes later: harness/stage.py

Hunks are placed on what the patches before have left. The tree is only read. A tree in which one
of the files that the series reads or writes is a symbolic link, or lies behind one, is refused.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.errors import TreeError
from harness.hunk import Hunk, HunkFile, Text, load_hunks, place_hunk
from harness.inside import check_path
from harness.letter import Letter
from harness.probe import Capabilities, Has, probe
from harness.stage import Stage, template_of
from harness.table import read_table
from harness.template import TEMPLATES, Line, Templates
from harness.tree import Tree

OURS = re.compile(r"slqb", re.IGNORECASE)
OPTION = re.compile(r"^(?:menu)?config (?P<symbol>SLQB\w*)$")
BAD_BLANKS = re.compile(r"\s+$| \t|\r")


class Cover(BaseModel):
    """The letter in front."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    template: str


class Patch(BaseModel):
    """One patch of the series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    subject: str
    message: str
    files: dict[str, str] = {}
    hunks: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


class SeriesRecord(BaseModel):
    """templates/series.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: datetime
    change_id: str = Field(alias="change-id", pattern=r"^\d{8}-[a-z0-9-]+-[0-9a-f]{12}$")
    cover: Cover
    patch: tuple[Patch, ...]


@dataclass(frozen=True)
class Commit:
    """A patch, rendered: the message without trailers, and each file it touches as it is then."""

    id: str
    message: str
    files: Mapping[str, Text]


@dataclass(frozen=True)
class Series:
    """The whole, rendered."""

    date: datetime
    change_id: str
    cover_subject: str
    cover_template: str
    templates: Templates
    commits: tuple[Commit, ...]

    def cover(self, letter: Letter) -> str:
        """The text of the cover letter."""
        return self.templates.text(self.cover_template, letter=letter).strip("\n")

    @property
    def files(self) -> dict[str, Text]:
        """Every file touched, as the last patch leaves it."""
        return {path: text for commit in self.commits for path, text in commit.files.items()}


@dataclass
class Rendering:
    """A series in the making: the tree below, and what the patches made of it so far."""

    source: Path
    templates: Templates
    hunks: Mapping[str, HunkFile]
    capabilities: Capabilities
    whole: dict[str, Text] = field(default_factory=dict)
    files: dict[str, Text] = field(default_factory=dict)

    def read(self, path: str) -> Text | None:
        """A file as the patches so far have left it."""
        if path not in self.files:
            check_path(self.source, path)
            place = self.source / path
            if not place.is_file():
                return None
            self.files[path] = _own_lines(place, path)
        return self.files[path]

    def apply(self, patch: Patch, stage: Stage) -> dict[str, Text]:
        """The files a patch touches, as they are after it."""
        touched: dict[str, Text] = {}
        for where, template in patch.files.items():
            path = self.templates.path(where)
            check_path(self.source, path)
            if (self.source / path).exists():
                raise TreeError(f"the tree has SLQB already: {path} is there")
            self.whole[path] = self.templates.render(template)
        for path, whole in self.whole.items():
            text = stage.of(whole, self.templates.root.name)
            if text != self.files.get(path):
                touched[path] = self.files[path] = text
        for name, hunk in self._hunks_of(patch):
            if self._wanted(name, hunk):
                path, text = place_hunk(name, hunk, self.read, self.templates)
                touched[path] = self.files[path] = text
        for path, text in touched.items():
            _check_blanks(path, text)
        return touched

    def _hunks_of(self, patch: Patch) -> Iterator[tuple[str, Hunk]]:
        for reference in patch.hunks:
            file, _, one = f"hunks/{reference}".partition("#")
            known = self.hunks[file].hunks if file in self.hunks else {}
            if not known or (one and one not in known):
                raise TreeError(f"series.toml: patch {patch.id!r} names no hunks: {reference!r}")
            yield from ((file, hunk) for hunk in known.values() if not one or hunk.id == one)

    def _wanted(self, name: str, hunk: Hunk) -> bool:
        if not hunk.when:
            return True
        capability = hunk.when.removeprefix("!")
        if capability not in self.capabilities:
            raise TreeError(f"{name}: hunk {hunk.id!r} asks for {capability!r}: no such capability")
        return self.capabilities.has(capability) != hunk.when.startswith("!")


def render(
    tree: Tree,
    source: Path,
    templates: Path = TEMPLATES,
    variant: Mapping[str, Any] | None = None,
) -> Series:
    """Render every patch against the tree's files in source."""
    record = read_table(templates / "series.toml", TypeAdapter(SeriesRecord))
    found = probe(source, templates)
    refuse_unfit(tree, found)
    hunks = load_hunks(templates)
    names = {"has": Has(found), "variant": variant or {}, "tree": tree}
    snippets = {name: text for file in hunks.values() for name, text in file.snippets()}
    made = Rendering(source, Templates(templates, names, snippets), hunks, found)
    commits = tuple(_commits(made, record.patch))
    cover = record.cover
    return Series(
        record.date, record.change_id, cover.subject, cover.template, made.templates, commits
    )


def refuse_unfit(tree: Tree, found: Capabilities) -> None:
    """A tree that has SLQB, or no choice of allocators, has no place for ours."""
    if proof := found.get("slqb"):
        raise TreeError(f"{tree.name} has SLQB already: {proof.file}:{proof.line}: {proof.text}")
    if found.get("allocator_choice") is None:
        raise TreeError(
            f"{tree.name} has no choice of allocators in its Kconfig:"
            " looked for a `choice` with SLAB, SLUB or SLOB in mm/Kconfig and init/Kconfig"
        )


def options_of(files: Mapping[str, Text]) -> frozenset[str]:
    """The symbols of ours that these files have Kconfig know."""
    found = (OPTION.match(line.text) for text in files.values() for line in text)
    return frozenset(one["symbol"] for one in found if one)


def content(text: Text) -> bytes:
    """A file's bytes."""
    return "".join(f"{line.text}\n" for line in text).encode(errors="surrogateescape")


def _commits(made: Rendering, patches: tuple[Patch, ...]) -> Iterator[Commit]:
    for number, patch in enumerate(patches, start=1):
        body = made.templates.text(patch.message).strip("\n")
        message = f"{patch.subject}\n\n{body}\n"
        yield Commit(patch.id, message, made.apply(patch, Stage.after(patches[:number], patches)))
    _refuse_unknown_parts(made, patches)
    _refuse_lost_parts(made, patches)


def _refuse_lost_parts(made: Rendering, patches: tuple[Patch, ...]) -> None:
    """A part that nobody names would come with the first patch of its file, unseen."""
    root = made.templates.root.name
    own = {template for patch in patches for template in patch.files.values()}
    brought = {part for patch in patches for part in patch.parts}
    for path, whole in made.whole.items():
        parts = {template_of(line, root) for line in whole} - own
        if parts & brought and (lost := min(parts - brought, default="")):
            raise TreeError(f"series.toml: no patch brings {lost!r}, a part of {path}")


def _refuse_unknown_parts(made: Rendering, patches: tuple[Patch, ...]) -> None:
    """A name that means nothing would leave its lines in an earlier patch, unseen."""
    root = made.templates.root.name
    lines = [line for whole in made.whole.values() for line in whole]
    templates = {template_of(line, root) for line in lines}
    conditions = "\n".join(line.text for line in lines if line.text.startswith("#"))
    for patch in patches:
        for part in (*patch.parts, *(one.partition("#")[0] for one in patch.symbols if "#" in one)):
            if part not in templates:
                raise TreeError(f"series.toml: patch {patch.id!r}: no file has lines of {part!r}")
        for symbol in patch.symbols:
            if not re.search(rf"\bCONFIG_{symbol.rpartition('#')[2]}\b", conditions):
                raise TreeError(f"series.toml: patch {patch.id!r}: nothing asks for {symbol!r}")


def _own_lines(place: Path, path: str) -> Text:
    """A file of the tree; one that speaks of SLQB already is not touched again."""
    text = place.read_bytes().decode(errors="surrogateescape")
    for number, line in enumerate(text.split("\n"), start=1):
        if OURS.search(line):
            raise TreeError(f"the tree has SLQB already: {path}:{number}: {line.strip()}")
    lines = text.removesuffix("\n").split("\n")
    return tuple(Line(line) for line in lines)


def _check_blanks(path: str, text: Text) -> None:
    """What `git am` and checkpatch would complain of is an error of the template."""
    for line in text:
        if line.origin and BAD_BLANKS.search(line.text):
            raise TreeError(f"{line.origin}: blanks at the end or before a tab, in {path}")
    if text and not text[-1].text and text[-1].origin:
        raise TreeError(f"{text[-1].origin}: an empty line ends {path}")
