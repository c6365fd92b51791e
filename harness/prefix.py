# SPDX-License-Identifier: GPL-2.0
"""Find the text of a console line behind whatever was put before it.

A line of a log may wear several prefixes, one inside the other: quoted in a mail, written by a
logger with its clock, sent by syslog with a host name, and stamped by the kernel itself. The
formats are data (configs/prefixes.toml); this module applies them to one line at a time, since
loggers mix within a log. What no format knows stays part of the text.

Some formats may also be ordinary text ("> ", "c1 "). They are taken for a prefix only where most
lines nearby begin in the same way, or where a format follows that cannot be anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel, ConfigDict, field_validator

from harness.catalogue import Entry, read
from harness.ktap import in_grammar
from harness.places import PROJECT

TABLE = PROJECT / "configs" / "prefixes.toml"
DEEPEST = 8
"""Formats that one line may wear in each step."""
MOST = 0.6
"""The share of lines nearby that must begin alike."""
NEARBY = 8
"""How many lines before and after a line are near it."""
ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
DICTIONARY = re.compile(r" [A-Z][A-Z0-9_]{1,40}=")
"""How a line of a kmsg record goes on after its text: ' SUBSYSTEM=pci'."""
PLAIN = re.compile(r"(?:<\d{1,3}>)?\[ *\d{1,10}\.\d{1,9}\] (?= *[^\s\[(<c-](?!\S* kernel))")
"""The kernel's own time, and nothing behind it that could be a prefix, too: most lines."""
HINT = re.compile(
    r":(?:[\d\[<]|(?:emerg|alert|crit|err|warn|notice|info|debug) *:)|\||kernel(?:\[\d+\])?:"
    r"|^(?:c\d|tty|console|uart|serial|vm)"
)
"""What every prefix has that begins with a letter."""
WIDEST = 120
"""Characters in which it has it."""
Nearby = Callable[[], Sequence[str]]


class Format(BaseModel):
    """One kind of prefix; configs/prefixes.toml says what the fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pattern: str
    examples: tuple[str, ...]
    most: bool = False
    host: bool = False
    escaped: bool = False

    @field_validator("pattern")
    @classmethod
    def _has_a_length(cls, pattern: str) -> str:
        if not pattern:
            raise ValueError("a prefix must have a length")
        return pattern


class Prefixes(Entry):
    """All formats that are known, ready to be matched."""

    parts: dict[str, str]
    outer: tuple[Format, ...]
    time: tuple[Format, ...]
    vendor: tuple[Format, ...]

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        return {one.name: re.compile(self._filled(one.pattern)) for one in self.formats}

    def pattern(self, one: Format) -> re.Pattern[str]:
        """What a format matches."""
        return self._patterns[one.name]

    def outer_at(self, line: str, at: int) -> tuple[Format, int] | None:
        """The outer format that begins there, and where it ends."""
        return self._which(self.of_outer.match(line, at), self.outer)

    def vendor_at(self, line: str, at: int) -> tuple[Format, int] | None:
        """The vendor's format that begins there, and where it ends."""
        return self._which(self.of_vendor.match(line, at), self.vendor)

    def _which(
        self, found: re.Match[str] | None, formats: tuple[Format, ...]
    ) -> tuple[Format, int] | None:
        if found is None or found.lastgroup is None:
            return None
        return formats[int(found.lastgroup[1:])], found.end()

    @property
    def formats(self) -> tuple[Format, ...]:
        """Those of every step."""
        return (*self.outer, *self.time, *self.vendor)

    @cached_property
    def of_outer(self) -> re.Pattern[str]:
        """Any outer format; the group that matched has its position in the name."""
        return self._any(self.outer)

    @cached_property
    def of_time(self) -> re.Pattern[str]:
        """Any format of times and callers."""
        return self._any(self.time)

    @cached_property
    def of_vendor(self) -> re.Pattern[str]:
        """Any vendor's format."""
        return self._any(self.vendor)

    @cached_property
    def kernel_tag(self) -> re.Pattern[str]:
        """A host name and the kernel's tag, as syslog and the journal write them."""
        return re.compile(
            self._filled(
                r"(?:\S{1,255} )?(?:{facility}\.{level} )?(?:kernel|vmunix)(?:\[\d{1,9}\])?: ?"
                r"|\S{1,255} kernel(?: -){3} ?\ufeff?"
            )
        )

    @cached_property
    def any_tag(self) -> re.Pattern[str]:
        """A host name and the tag of some program."""
        return re.compile(
            self._filled(
                r"\S{1,255} (?:{facility}\.{level} )?[\w./@-]{1,64}(?:\[\d{1,9}\])?: ?"
                r"|\S{1,255} \S{1,64} \S{1,64} \S{1,64} - ?\ufeff?"
            )
        )

    def _any(self, formats: Sequence[Format]) -> re.Pattern[str]:
        either = (f"(?P<f{at}>{self._filled(one.pattern)})" for at, one in enumerate(formats))
        return re.compile("|".join(either))

    def _filled(self, pattern: str) -> str:
        for name, part in self.parts.items():
            pattern = pattern.replace(f"{{{name}}}", part)
        return pattern


PREFIXES = read(TABLE, Prefixes)


@dataclass(frozen=True)
class Peeled:
    """Where the text of a line begins, and whether it is escaped as /dev/kmsg does it."""

    at: int
    escaped: bool = False


NOTHING = Peeled(0)


def bare(line: str, nearby: Nearby | None = None) -> str:
    """A line without its prefixes.

    Arguments:
        line: the text, without its line break
        nearby: gives the lines around this one (with or without it), for formats that only their
            neighbours can confirm; without it such formats stay part of the text

    The text of a kmsg record stays escaped; `texts` reads it.
    """
    return line[peel(line, nearby).at :]


def texts(line: str, nearby: Nearby | None = None) -> list[str]:
    """The text of a line; a record of /dev/kmsg may hold several lines of text."""
    found = peel(line, nearby)
    text = line[found.at :]
    return unescaped(text).split("\n") if found.escaped else [text]


def unescaped(text: str) -> str:
    """A kmsg record's text as it was before the kernel escaped it."""
    if "\\x" not in text:
        return text
    raw = ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    try:  # each escape stands for one byte of UTF-8
        return raw.encode("latin-1").decode("utf-8", errors="replace")
    except UnicodeEncodeError:
        return raw


def peel(line: str, nearby: Nearby | None = None) -> Peeled:
    """Find where the text begins."""
    if found := PLAIN.match(line):
        return Peeled(found.end())
    if not _may_have_prefix(line):
        return NOTHING
    sure, at, escaped = _outer(line, nearby)
    inner = _inner(line, at, nearby)
    at = inner if inner > at else sure  # a doubtful format counts only before another one
    return Peeled(at, escaped) if at or escaped else NOTHING


def _may_have_prefix(line: str) -> bool:
    """Whether it is worth while to try all formats; most lines of most logs have none."""
    first = line[:1]
    if first.isalpha():
        return HINT.search(line, 0, WIDEST) is not None
    if first.isspace():
        return "[" in line or "\t" in line or "<" in line
    return first not in "#"


def _outer(line: str, nearby: Nearby | None) -> tuple[int, int, bool]:
    """Where the outer formats end: those that are sure, and all; and whether text is escaped."""
    sure = at = 0
    for _ in range(DEEPEST):
        found = PREFIXES.outer_at(line, at)
        if found is None:
            break
        one, end = found
        if one.most and not _common(line, at, one, nearby):
            at = end
            continue
        sure = at = _host(line, end) if one.host else end
        if one.escaped:
            return sure, at, True
    return sure, at, False


def _host(line: str, at: int) -> int:
    """Where host name and tag end.

    What a program logged is a message of the kernel or a result only if it looks like one of
    these; otherwise the tag stays, so that nobody takes the program's words for the kernel's.
    """
    if found := PREFIXES.kernel_tag.match(line, at):
        return found.end()
    found = PREFIXES.any_tag.match(line, at)
    if found is None:
        return at
    rest = line[found.end() :]
    tells = PREFIXES.of_time.match(rest) or rest[:1] == "<" or in_grammar(rest)
    return found.end() if tells else at


def _inner(line: str, at: int, nearby: Nearby | None) -> int:
    """Where times, callers and a vendor's words end."""
    begin = at
    for _ in range(DEEPEST):
        gap = line.startswith(" [", at) and at > begin
        found = PREFIXES.of_time.match(line, at + gap)
        if found is None:
            break
        at = found.end()
    if at == begin:
        return begin
    at += line.startswith(" ", at)
    for _ in range(DEEPEST):
        vendor = PREFIXES.vendor_at(line, at)
        if vendor is None or (vendor[0].most and not _common(line, at, vendor[0], nearby)):
            break
        at = vendor[1]
    return at


def _common(line: str, at: int, one: Format, nearby: Nearby | None) -> bool:
    """Whether most lines nearby have this format where the line has it."""
    if nearby is None:
        return False
    pattern = PREFIXES.pattern(one)
    alike = [
        pattern.match(other, peel(other).at if at else 0) is not None
        for other in (line, *nearby())
        if other.strip()
    ]
    return sum(alike) >= MOST * len(alike)
