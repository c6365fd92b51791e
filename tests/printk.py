# SPDX-License-Identifier: GPL-2.0
"""The messages a kernel tree can print, taken from its C sources.

`git grep` names the lines on which a string literal begins like a headline; the text around each
is then read just far enough to join the literals that C joins, and to name the function or macro
that gets them. A C parser would say no more: half of these strings stand in macros, which a parser
leaves as raw text.

`said()` turns a format into what the console would show: every conversion replaced by a plausible
value, and the prefix in front that the file's pr_fmt() or the printing function puts there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness import child
from harness.errors import Outcome

NOT_THE_KERNEL = (":!tools", ":!scripts", ":!samples", ":!Documentation", ":!arch/*/boot")
STRING = r'"(?:[^"\\\n]|\\.)*"'
LITERAL = re.compile(STRING)
JOINED = re.compile(rf"(?:{STRING}|\b[A-Z_]\w*\b|\\\n|\s)+")
"""Adjacent literals, with macros such as KERN_ERR or PRIx64 between them."""
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
CALL = re.compile(r"(?P<name>\w+)\s*$")
NEAR = 1500
"""How far back the call of a literal is looked for, in characters."""
LEVEL = re.compile(r"KERN_[A-Z]+$")
CONVERSION = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|L|z|t|j)?"
    r"(?P<type>[diouxXcsp%])(?P<pointer>(?<=p)[A-Za-z]\w*)?"
)
VALUES = {
    "d": "1", "i": "1", "u": "1", "o": "7", "x": "c0de", "X": "C0DE", "c": "c", "s": "word",
    "p": "00000000b1ab1ab1", "%": "%",
}  # fmt: skip
SYMBOLS = frozenset("SsBbFf")
"""Pointer conversions (%pS and its like) that print a symbol."""
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "a": "", "r": ""}
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
PR_FMT = re.compile(r"^#\s*define\s+pr_fmt\(\w+\)\s+(?P<body>[^\n]*(?:\\\n[^\n]*)*)", re.MULTILINE)
PR = re.compile(r"(?:pr|net)_[a-z_]+(?:_once|_ratelimited)?$|printk_once$")


@dataclass(frozen=True)
class Message:
    """A format string, where it stands, and who prints it."""

    file: str
    line: int
    call: str
    format: str
    prefix: str = ""
    """What the file's pr_fmt() puts before it, if `call` is one that uses it."""

    @property
    def text(self) -> str:
        """The format as one line with single spaces, for lists and comparisons."""
        return " ".join(self.format.split())


def messages(source: Path, begins: str) -> Iterator[Message]:
    """Every string of the tree that begins with a match of the (Perl) pattern `begins`."""
    pattern = rf'"(?:\\n|\s)*(?:{begins})'
    argv = ("git", "grep", "--no-index", "-nIP", "-e", pattern, "--", "*.c", "*.h", "*.S")
    wanted = re.compile(pattern)
    for hit in child.run((*argv, *NOT_THE_KERNEL), cwd=source, outcome=Outcome.TREE).splitlines():
        file, number, line = hit.split(":", 2)
        for found in wanted.finditer(line):
            yield _message(source, file, int(number), found.start())


@cache
def _text(path: Path) -> tuple[str, tuple[int, ...]]:
    """A file without comments, and where its lines begin."""
    raw = path.read_text(errors="replace")
    text = COMMENT.sub(_blank, raw)
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    return text, tuple(starts)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _message(source: Path, file: str, number: int, column: int) -> Message:
    text, starts = _text(source / file)
    at = starts[number - 1] + column
    joined = JOINED.match(text, at)
    parts = LITERAL.findall(joined[0]) if joined else []
    call = _call(text[max(0, at - NEAR) : at])
    prefix = _pr_fmt(text, file) if PR.match(call) else ""
    return Message(file, number, call, "".join(_plain(part) for part in parts), prefix)


def _call(before: str) -> str:
    """The function whose argument list is open at the end of this text."""
    bare, depth = LITERAL.sub(lambda found: " " * len(found[0]), before), 0
    for at in range(len(bare) - 1, -1, -1):
        letter = bare[at]
        if letter == ")":
            depth += 1
        elif letter == "(" and depth:
            depth -= 1
        elif letter == "(":
            found = CALL.search(bare[:at])
            return found["name"] if found else ""
        elif letter in ";{}" and not depth:
            break
    return ""


def _plain(literal: str) -> str:
    return ESCAPE.sub(_unescaped, literal[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    return ESCAPES.get(code, "" if code[0] in "x01234567" else code)


def _pr_fmt(text: str, file: str) -> str:
    """The prefix that a file's own pr_fmt() makes; nothing where it does not say."""
    found = PR_FMT.search(text)
    if found is None:
        return ""
    name = Path(file).stem
    body = re.sub(r"KBUILD_(?:MODNAME|BASENAME)", f'"{name}"', found["body"].replace("\\\n", " "))
    return said("".join(_plain(part) for part in LITERAL.findall(body)))


def said(format: str) -> str:
    """What printk() makes of a format, with plausible values."""
    return CONVERSION.sub(_value, format)


def _value(found: re.Match[str]) -> str:
    if found["pointer"] and found["pointer"][0] in SYMBOLS:
        return "some_function+0x1c/0x40"
    return VALUES[found["type"]]
