# SPDX-License-Identifier: GPL-2.0
"""Templates to text, each line knowing which template line it came from.

Jinja2 renders; what it does not do is tell the origin of a line. So every source line
gets a marker at its end that survives includes, loops and macros, and is taken out of
the result again. A marker is written in unusual blanks: whatever strips white space
('{%-', trim) strips it as well, so that a marked rendering has the same shape as an
unmarked one, and inside a tag it means nothing. A line that ends in a tag gets none, or
trim_blocks would not see the end.
"""

import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.ext import Extension

from harness.errors import TreeError

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
DIGITS = "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
OPEN, CLOSE = "\u2008", "\u2009"
MARKER = re.compile(f"{OPEN}([{DIGITS}]+){CLOSE}")


class Line(NamedTuple):
    """A line without its end, and the template line it came from, if from any."""

    text: str
    origin: str | None = None


@dataclass(frozen=True)
class LineMap:
    """From a line of a generated file to the template line that made it."""

    files: Mapping[str, tuple[str | None, ...]]

    def translate(self, path: str, line: int) -> str | None:
        """'templates/slqb/alloc.c.j2:45' for ("mm/slqb.c", 123); lines count from 1."""
        origins = self.files.get(path, ())
        return origins[line - 1] if 0 < line <= len(origins) else None


@dataclass(frozen=True)
class Snippet:
    """A template that stands inside another file, from some line on."""

    text: str
    path: str
    line: int


class Marks:
    """The numbers that markers carry, and what they stand for."""

    def __init__(self) -> None:
        self.places: list[tuple[str, int]] = []

    def mark(self, name: str, line: int) -> str:
        """A marker for a line of a template."""
        self.places.append((name, line))
        digits = "".join(DIGITS[int(digit)] for digit in f"{len(self.places) - 1:o}")
        return f"{OPEN}{digits}{CLOSE}"

    def place(self, digits: str) -> tuple[str, int]:
        """What a marker stands for."""
        return self.places[int("".join(str(DIGITS.index(digit)) for digit in digits), 8)]


class Marking(Extension):
    """Puts a marker at the end of every source line that may carry one."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        marks: Marks = self.environment.slqb_marks  # type: ignore[attr-defined]
        *lines, last = source.split("\n")
        marked = (
            line if line.endswith(("%}", "#}")) else line + marks.mark(name or "?", number)
            for number, line in enumerate(lines, start=1)
        )
        return "\n".join((*marked, last))


@dataclass
class Templates:
    """A folder of templates with what they may ask for: `has`, `variant` and the like."""

    root: Path
    names: Mapping[str, Any]
    snippets: Mapping[str, Snippet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = {name: snippet.text for name, snippet in self.snippets.items()}
        self._marks = Marks()
        self._environment = Environment(
            loader=ChoiceLoader([DictLoader(texts), FileSystemLoader(self.root)]),
            undefined=StrictUndefined,
            extensions=[Marking],
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
        )
        self._environment.extend(slqb_marks=self._marks)

    def render(self, name: str, /, **more: Any) -> tuple[Line, ...]:
        """The lines a template makes; a TreeError names the template and the line."""
        try:
            text = self._environment.get_template(name).render(**self.names, **more)
        except TemplateError as error:
            raise TreeError(self._explain(name, error)) from error
        except UnicodeDecodeError as error:
            raise TreeError(f"{self.root.name}/{name}, or what it includes: {error}") from error
        return tuple(self._unmarked(text))

    def text(self, name: str, /, **more: Any) -> str:
        """The same as one text, for what nobody compiles: messages, letters."""
        return "".join(f"{line.text}\n" for line in self.render(name, **more))

    def path(self, template: str) -> str:
        """The path of a file that lies in one place or another, after what the tree can do."""
        try:
            return self._environment.from_string(template).render(**self.names)
        except TemplateError as error:
            raise TreeError(f"the path {template!r}: {error}") from error

    def _unmarked(self, text: str) -> Iterator[Line]:
        """Lines without markers; one that bears none has the origin of the next that does."""
        lines = text.split("\n")
        if lines and not MARKER.sub("", lines[-1]):
            lines.pop()
        origins: list[str | None] = []
        later: str | None = None
        for line in reversed(lines):
            if found := MARKER.search(line):
                later = self._origin(*self._marks.place(found[1]))
            origins.append(later)
        for line, origin in zip(lines, reversed(origins), strict=True):
            yield Line(MARKER.sub("", line), origin)

    def _origin(self, name: str, line: int) -> str:
        if snippet := self.snippets.get(name):
            return f"{self.root.name}/{snippet.path}:{snippet.line + line - 1}"
        return f"{self.root.name}/{name}:{line}"

    def _explain(self, name: str, error: TemplateError) -> str:
        """Where and what, in one line."""
        if isinstance(error, TemplateNotFound):
            return f"{self.root.name}/{name}: there is no template {error.name!r}"
        if isinstance(error, TemplateSyntaxError):
            where = self._origin(error.name or name, error.lineno)
        else:
            where = self._where_raised(name, error)
        return f"{where}: {' '.join(str(error.message).split())}"

    def _where_raised(self, name: str, error: TemplateError) -> str:
        """The innermost template line on the stack: Jinja puts them there."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            path = Path(frame.filename)
            if path.is_relative_to(self.root):
                return self._origin(path.relative_to(self.root).as_posix(), frame.lineno or 0)
            if frame.filename == "<template>":
                return self._origin(name, frame.lineno or 0)
        return f"{self.root.name}/{name}"
