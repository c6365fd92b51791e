# SPDX-License-Identifier: GPL-2.0
"""What a build printed, read: errors and warnings, and which of them are in our files.

diagnostic:  FILE ':' LINE [':' COLUMN] ':' ['fatal '] ('error' | 'warning') ':' text
          |  OBJECT ': warning: objtool: ' text
          |  linker, modpost and make complaints, which name no line

The generated line is what the compiler knows; the template line beside it is what a person
can mend. A line is ours when the line map knows where it was made, be it in a file of ours
or inserted into one of the tree's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.template import LineMap

COMPILER = re.compile(
    r"(?P<file>[^\s:]+):(?P<line>\d+)(?::\d+)?: (?:fatal )?(?P<kind>error|warning): (?P<text>.*)"
)
OBJTOOL = re.compile(r"(?P<file>\S+\.o): (?P<kind>error|warning): (?P<text>objtool: .*)")
OTHER = re.compile(
    r".*(?:undefined reference to |multiple definition of |relocation truncated )"
    r"|ld: .*(?:error|cannot|not found).*"
    r"|(?:ERROR|FATAL): modpost: .*"
    r"|(?:[\w/.-]+: )?\*\*\* (?:No rule|missing|multiple|recursive).*"
    r"|.*\*\*\* .*No rule to make target.*"
    r"|\S+\.(?:S|s):\d+: Error: .*"
)
MISSING_ON_HOST = re.compile(
    r"(?P<program>[\w./+-]+): (?:command )?not found$"
    r"|fatal error: (?P<header>(?:gelf|libelf|elf|openssl/\w+)\.h): No such file"
)


@dataclass(frozen=True)
class Diagnostic:
    """One complaint; `file` is relative to the source, "" where none was named."""

    kind: str
    text: str
    file: str = ""
    line: int = 0


def diagnostics(lines: Iterable[str], source_prefixes: Iterable[str] = ()) -> list[Diagnostic]:
    """All complaints in the order they came, each once."""
    prefixes = tuple(source_prefixes)
    found = (_read(line.strip(), prefixes) for line in lines)
    return list(dict.fromkeys(one for one in found if one is not None))


def _read(line: str, prefixes: tuple[str, ...]) -> Diagnostic | None:
    if match := COMPILER.match(line):
        file = _relative(match["file"], prefixes)
        return Diagnostic(match["kind"], match["text"], file, int(match["line"]))
    if match := OBJTOOL.match(line):
        return Diagnostic(match["kind"], match["text"], _relative(match["file"], prefixes))
    return Diagnostic("error", line) if OTHER.match(line) else None


def _relative(file: str, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        if file.startswith(prefix):
            return file[len(prefix) :].lstrip("/")
    return file.removeprefix("./")


def own_files(line_map: LineMap | None) -> tuple[str, ...]:
    """The files that are ours from the first line on."""
    files = line_map.files if line_map else {}
    return tuple(path for path, origins in files.items() if origins and origins[0])


def is_ours(one: Diagnostic, line_map: LineMap | None) -> bool:
    """Whether a line of ours, or an object made of our file, is complained about."""
    if line_map is None:
        return False
    if one.line:
        return line_map.translate(one.file, one.line) is not None
    return one.file.removesuffix(".o") + ".c" in own_files(line_map)


def told(one: Diagnostic, line_map: LineMap | None) -> str:
    """For people: the generated line, beside it the template's, then the complaint."""
    if not one.file:
        return one.text
    origin = line_map.translate(one.file, one.line) if line_map else None
    where = f"{one.file}:{one.line}" if one.line else one.file
    beside = f" ({origin})" if origin else ""
    return f"{where}{beside}: {one.kind}: {one.text}"


def missing_on_host(lines: Iterable[str]) -> Iterator[str]:
    """Programs and headers that the build wanted of this host and did not find."""
    for line in lines:
        if match := MISSING_ON_HOST.search(line.strip()):
            yield match["program"] or match["header"]
