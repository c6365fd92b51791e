# SPDX-License-Identifier: GPL-2.0
"""Finding places in source text by what the text says.

place:  region* line        region: a stretch of lines, found inside the one before it
region: from 'to' to ['holding' text]

`from` opens a stretch, the first line after it that matches `to` closes it. Of several
stretches only those count that hold `holding`, and of nested ones the innermost. All
three are regular expressions searched for in single lines. Everything here works on
lines and returns indexes; nobody is told a line number to go to.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pydantic import BaseModel, ConfigDict, Field

DIRECTIVE = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)")


class Region(BaseModel):
    """A stretch of lines, told by how it begins, how it ends and what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: str = Field(alias="from")
    end: str = Field(alias="to")
    holding: str = ""

    def __str__(self) -> str:
        held = f" that holds /{self.holding}/" if self.holding else ""
        return f"the part from /{self.start}/ to /{self.end}/{held}"


class NoPlaceError(ValueError):
    """What was looked for is not there, or is there more than once."""

    def __init__(self, wanted: str, problem: str, near: tuple[int, str] | None) -> None:
        super().__init__(wanted)
        self.wanted, self.problem, self.near = wanted, problem, near

    def __str__(self) -> str:
        if self.near is None:
            return f"{self.wanted}: {self.problem}"
        number, text = self.near
        return f"{self.wanted}: {self.problem}; nearest is line {number + 1}: {text.strip()!r}"


@dataclass(frozen=True)
class Branch:
    """One branch of an #if chain: its directive's index, the next one's, the #endif's."""

    start: int
    end: int
    endif: int
    condition: str


def narrow(lines: Sequence[str], regions: Sequence[Region], within: range) -> range:
    """The lines inside the last of the regions, each looked for in the one before."""
    for region in regions:
        found = _innermost(list(_stretches(lines, region, within)))
        if len(found) != 1:
            problem = f"there are {len(found)}" if found else "there is none"
            near = None if found else nearest(lines, region.holding or region.start, within)
            raise NoPlaceError(str(region), problem, near)
        within = found[0]
    return within


def anywhere(lines: Sequence[str], regions: Sequence[Region], within: range) -> Iterator[range]:
    """Every stretch the regions fit, for who only asks whether something is there."""
    if not regions:
        yield within
        return
    for part in _stretches(lines, regions[0], within):
        yield from anywhere(lines, regions[1:], part)


def matches(lines: Sequence[str], pattern: str, within: range) -> list[int]:
    """Indexes of the lines that match."""
    wanted = re.compile(pattern)
    return [index for index in within if wanted.search(lines[index])]


def only(lines: Sequence[str], pattern: str, within: range) -> int:
    """The one line that matches."""
    found = matches(lines, pattern, within)
    if len(found) != 1:
        problem = f"there are {len(found)}" if found else "there is none"
        near = None if found else nearest(lines, pattern, within)
        raise NoPlaceError(f"a line /{pattern}/", problem, near)
    return found[0]


def only_branch(lines: Sequence[str], condition: str, within: range) -> Branch:
    """The one branch whose condition matches."""
    wanted = re.compile(condition)
    found = [branch for branch in branches(lines, within) if wanted.search(branch.condition)]
    if len(found) != 1:
        problem = f"there are {len(found)}" if found else "there is none"
        near = None if found else nearest(lines, f"#if {condition}", within)
        raise NoPlaceError(f"a branch of an #if chain on /{condition}/", problem, near)
    return found[0]


def branches(lines: Sequence[str], within: range) -> Iterator[Branch]:
    """Every branch of each chain that lies in the range, inner chains before outer ones."""
    chains: list[list[tuple[int, str]]] = []
    for index in within:
        found = DIRECTIVE.match(lines[index])
        if not found:
            continue
        word, rest = found.groups()
        if word.startswith("if"):
            chains.append([])
        if word != "endif" and chains:
            chains[-1].append((index, _condition(lines, index, rest)))
        elif chains:
            yield from _closed(chains.pop(), index)


def _closed(chain: Sequence[tuple[int, str]], endif: int) -> Iterator[Branch]:
    ends = [*(start for start, _ in chain[1:]), endif]
    for (start, condition), end in zip(chain, ends, strict=True):
        yield Branch(start, end, endif, condition)


def nearest(lines: Sequence[str], pattern: str, within: range) -> tuple[int, str] | None:
    """The line most like what was looked for, if any is like it at all."""
    wanted = _plain(pattern)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    best, score = None, 0.5
    for index in within:
        matcher.set_seq1(lines[index].strip())
        if matcher.real_quick_ratio() > score and matcher.ratio() > score:
            best, score = (index, lines[index]), matcher.ratio()
    return best


def _stretches(lines: Sequence[str], region: Region, within: range) -> Iterator[range]:
    held = re.compile(region.holding)
    end = re.compile(region.end)
    for start in matches(lines, region.start, within):
        stop = next((i for i in range(start + 1, within.stop) if end.search(lines[i])), None)
        if stop is None:
            continue
        stretch = range(start, stop + 1)
        if any(held.search(lines[index]) for index in stretch):
            yield stretch


def _innermost(stretches: list[range]) -> list[range]:
    """Without those that contain another."""
    return [
        outer
        for outer in stretches
        if not any(
            inner != outer and outer.start <= inner.start and inner.stop <= outer.stop
            for inner in stretches
        )
    ]


def _condition(lines: Sequence[str], index: int, rest: str) -> str:
    """A directive's condition, with the lines it goes on to."""
    text = rest
    while text.endswith("\\") and index + 1 < len(lines):
        index += 1
        text = text[:-1] + lines[index]
    return text.strip()


def _plain(pattern: str) -> str:
    """A regular expression read as the text it is most likely meant for."""
    text = re.sub(r"\\[sbt][*+?]?", " ", pattern.strip("^$"))
    return re.sub(r"\(\?P<\w+>|(?<!\\)[()]|\\(?=\W)", "", text).strip()
