# SPDX-License-Identifier: GPL-2.0
"""Kconfig fragments: read, join, merge. Every setting remembers the line it comes from.

fragment:   line*
line:       directive | setting | comment | ''
directive:  '#:' ('uses' NAME* | 'overrides' NAME* | 'programs' NAME* | 'objects' NUMBER)
setting:    'CONFIG_' SYMBOL '=' value | '# CONFIG_' SYMBOL ' is not set'
value:      'y' | 'm' | 'n' | NUMBER | '"' text '"'
comment:    '#' anything else

`uses` brings other fragments along. Fragments that disagree are an error naming both lines,
whatever their order, unless one of the two declares that it `overrides` the other's file
(`*`: any). So the result never depends on the order in which fragments are named. `programs`
are those of the host that the guest gets (borrow.py). `objects` is about how many a build from
nothing compiles: the first build has no other to go by.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from harness.errors import ConfigError, UserError
from harness.places import PROJECT

CONFIGS = PROJECT / "configs"
ANY = "*"
SET = "--set"
PARTS = re.compile(r"base|guest|(arch|allocator)-.*")
"""Fragments that others are made of, and that make no kernel by themselves."""

SETTING = re.compile(r'CONFIG_(?P<symbol>\w+)=(?P<value>[ymn]|-?\d+|0[xX][\da-fA-F]+|"[^"]*")')
UNSET = re.compile(r"# CONFIG_(?P<symbol>\w+) is not set")
DIRECTIVE = re.compile(r"#:\s*(?P<verb>\w+)(?P<words>.*)")


@dataclass(frozen=True)
class Setting:
    """One symbol, the value wanted (without CONFIG_; "n" for not set), and who wants it."""

    symbol: str
    value: str
    fragment: str
    file: str
    line: int

    @property
    def where(self) -> str:
        """The place to mend: a line of a file, or what was typed."""
        typed = self.file == SET
        return f"{SET} {self.symbol}={self.value}" if typed else f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """The line as Kconfig reads it."""
        return config_line(self.symbol, self.value)


@dataclass(frozen=True)
class Fragment:
    """One file's settings, what it brings along, and whom it may contradict."""

    name: str
    settings: tuple[Setting, ...]
    uses: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    objects: int = 0

    @property
    def digest(self) -> str:
        """A short name for what it asks, whoever asks it."""
        text = "\n".join(setting.text for setting in self.settings)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def may_override(self, other: str) -> bool:
        """Whether this fragment declared that it wins over the other (never over itself)."""
        return other != self.name and (ANY in self.overrides or other in self.overrides)


def config_line(symbol: str, value: str) -> str:
    """How Kconfig writes it."""
    return f"# CONFIG_{symbol} is not set" if value == "n" else f"CONFIG_{symbol}={value}"


def parse(name: str, file: str, lines: Iterable[str]) -> Fragment:
    """Read the lines of one fragment."""
    settings: list[Setting] = []
    said: dict[str, list[str]] = {"uses": [], "overrides": [], "programs": [], "objects": []}
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if found := SETTING.fullmatch(line) or UNSET.fullmatch(line):
            value = found.groupdict().get("value", "n")
            settings.append(Setting(found["symbol"], value, name, file, number))
        elif found := DIRECTIVE.fullmatch(line):
            _direct(said, found["verb"], found["words"].split(), f"{file}:{number}")
        elif line and not line.startswith("#"):
            raise ConfigError(
                f"{file}:{number}: not a Kconfig setting: {line!r}; write CONFIG_NAME=value"
            )
    objects = int(said["objects"][-1]) if said["objects"] else 0
    uses, overrides, programs = (tuple(said[one]) for one in ("uses", "overrides", "programs"))
    return Fragment(name, tuple(settings), uses, overrides, programs, objects)


def _direct(said: dict[str, list[str]], verb: str, words: list[str], where: str) -> None:
    """Take a directive in, or say what is wrong with it."""
    if verb not in said:
        raise ConfigError(f"{where}: unknown directive `#: {verb}`; there are: {', '.join(said)}")
    if verb == "objects" and not (len(words) == 1 and words[0].isdecimal()):
        raise ConfigError(f"{where}: `#: objects` wants one number")
    said[verb].extend(words)


def command_line(words: Sequence[str]) -> Fragment:
    """The settings given as SYMBOL=VALUE on a command line; they win over every file."""
    lines = [word if word.startswith("CONFIG_") else f"CONFIG_{word}" for word in words]
    for word, line in zip(words, lines, strict=True):
        if not SETTING.fullmatch(line):
            raise UserError(f"--set {word}: write SYMBOL=VALUE, as in --set HZ_100=y")
    return Fragment(SET, parse(SET, SET, lines).settings, overrides=(ANY,))


def load(name: str, folder: Path = CONFIGS) -> Fragment:
    """The fragment of that name; a UserError lists those there are."""
    path = folder / f"{name}.config"
    if not re.fullmatch(r"[\w-]+", name) or not path.is_file():
        raise _unknown(name, folder)
    return parse(name, shown(path), path.read_text().splitlines())


def config_names(folder: Path = CONFIGS) -> tuple[str, ...]:
    """What `--config` takes: the fragments that a kernel can be made of."""
    every = sorted(file.stem for file in folder.glob("*.config"))
    return tuple(name for name in every if not PARTS.fullmatch(name))


def check_config(config: str, folder: Path = CONFIGS) -> None:
    """A UserError if a value of `--config` names what is none, or only a part of others."""
    known = config_names(folder)
    for name in config.split("+"):
        if name not in known:
            raise _unknown(name, folder)


def _unknown(name: str, folder: Path) -> UserError:
    return UserError(f"no Kconfig fragment {name!r}; there are: {', '.join(config_names(folder))}")


def shown(path: Path) -> str:
    """The path as messages show it: inside the project from its root."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def join(names: Iterable[str], folder: Path = CONFIGS) -> tuple[Fragment, ...]:
    """The named fragments with all they use, each once, used ones first."""
    found: dict[str, Fragment] = {}

    def visit(name: str) -> None:
        if name not in found:
            fragment = load(name, folder)
            for used in fragment.uses:
                visit(used)
            found[name] = fragment

    for name in names:
        visit(name)
    return tuple(found.values())


def merge(fragments: Sequence[Fragment]) -> tuple[Setting, ...]:
    """One setting for each symbol, sorted; a ConfigError where two disagree."""
    by_name = {fragment.name: fragment for fragment in fragments}
    rivals: dict[str, list[Setting]] = {}
    for fragment in fragments:
        for setting in fragment.settings:
            rivals.setdefault(setting.symbol, []).append(setting)
    return tuple(_winner(rivals[symbol], by_name) for symbol in sorted(rivals))


def _winner(rivals: Sequence[Setting], by_name: dict[str, Fragment]) -> Setting:
    """The setting that no rival overrides; every other must be overridden by it."""

    def beats(one: Setting, other: Setting) -> bool:
        return one.value == other.value or by_name[one.fragment].may_override(other.fragment)

    for one in rivals:
        if all(beats(one, other) for other in rivals):
            return one
    old, new = next(
        (one, other)
        for one, other in combinations(rivals, 2)
        if beats(one, other) == beats(other, one) and one.value != other.value
    )
    raise ConfigError(
        f"{old.where} asks for {old.text!r}, {new.where} for {new.text!r}; drop one, "
        "or let one file say `#: overrides` and the other's name"
    )
