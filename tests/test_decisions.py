# SPDX-License-Identifier: GPL-2.0
"""Every mention of an allocator in the tree has been looked at (templates/decisions.toml).

A mention is a Kconfig line, a preprocessor condition, an IS_ENABLED() or a Makefile line that
names SLAB, SLUB or SLOB, outside the allocators' own sources.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from harness import child
from harness.errors import Outcome
from harness.places import Places
from harness.series import content, render
from harness.template import TEMPLATES
from harness.tree import Tree, pristine

pytestmark = pytest.mark.tree

ALLOCATOR = r"(SLAB|SLUB|SLOB|DEBUG_SLAB|SLUB_[A-Z_]+)"
KCONFIG = rf"^[ \t]*(config|depends on|select|default|if|imply)\b.*\b{ALLOCATOR}\b"
IFS = rf"^[ \t]*#.*\bif.*\bCONFIG_{ALLOCATOR}\b"
CALLS = rf"(\bIS_ENABLED|NEEDS_CONFIG\w*)\(.*\bCONFIG_{ALLOCATOR}\b"
CONTINUED = rf"^[ \t]+\(?!?defined\(CONFIG_{ALLOCATOR}\)"
MAKEFILE = rf"\$\(CONFIG_{ALLOCATOR}\)"
OWN = (":!mm/sl?b.c", ":!tools", ":!arch/*/configs", ":!lib/slub_kunit.c")


@dataclass(frozen=True)
class Mention:
    file: str
    number: int
    line: str


@dataclass(frozen=True)
class Decision:
    at: str
    line: str
    decision: str
    why: str

    def covers(self, mention: Mention) -> bool:
        return any(fnmatchcase(mention.file, at) for at in braces(self.at)) and bool(
            re.search(self.line, mention.line)
        )


def braces(pattern: str) -> Iterator[str]:
    """The files that a/{b,c}/d stands for."""
    if found := re.search(r"\{([^}]*)\}", pattern):
        for word in found[1].split(","):
            yield pattern[: found.start()] + word + pattern[found.end() :]
    else:
        yield pattern


PATTERNS = {
    re.compile(r"Kconfig"): re.compile(KCONFIG),
    re.compile(r"\.[chS]$"): re.compile(f"{IFS}|{CALLS}|{CONTINUED}"),
    re.compile(r"(Makefile|Kbuild)$"): re.compile(MAKEFILE),
}
"""What a mention looks like in files with such names."""


def mentions(source: Path) -> Iterator[Mention]:
    """All of a tree: git finds the files that name an allocator at all, quicker than a pattern."""
    words = [word for name in ("SLAB", "SLUB", "SLOB") for word in ("-e", name)]
    argv = ("git", "grep", "--no-index", "-lIF", *words, "--", ".", *OWN)
    for file in child.run(argv, cwd=source, outcome=Outcome.TREE).splitlines():
        for kind, pattern in PATTERNS.items():
            if kind.search(Path(file).name):
                text = (source / file).read_text(errors="replace")
                for number, line in enumerate(text.split("\n"), start=1):
                    if pattern.search(line):
                        yield Mention(file, number, line)


@pytest.fixture(scope="module")
def decisions() -> tuple[Decision, ...]:
    table = tomllib.loads((TEMPLATES / "decisions.toml").read_text())
    return tuple(Decision(**row) for row in table["decision"])


@pytest.fixture(scope="module")
def found(linux: Tree, real_places: Places) -> tuple[Mention, ...]:
    return tuple(mentions(pristine(linux, real_places)))


def test_every_mention_is_decided(
    found: tuple[Mention, ...], decisions: tuple[Decision, ...]
) -> None:
    assert len(found) > 60
    open_ones = [m for m in found if not any(d.covers(m) for d in decisions)]
    assert not open_ones


def test_every_decision_is_about_something(
    found: tuple[Mention, ...], decisions: tuple[Decision, ...]
) -> None:
    assert not [d for d in decisions if not any(d.covers(m) for m in found)]
    assert {d.decision for d in decisions} == {"joined", "left"}
    assert all(d.why for d in decisions)


def test_files_of_joined_mentions_name_slqb_when_rendered(
    linux: Tree, real_places: Places, decisions: tuple[Decision, ...]
) -> None:
    source = pristine(linux, real_places)
    texts = changed_texts(linux, source)
    joined = {at for d in decisions if d.decision == "joined" for at in braces(d.at)}
    assert not [at for at in joined if "SLQB" not in texts.get(at, "")]


def changed_texts(linux: Tree, source: Path) -> Mapping[str, str]:
    files = render(linux, source, TEMPLATES).files
    return {file: content(text).decode() for file, text in files.items()}
