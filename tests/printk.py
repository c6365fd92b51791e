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

NOT_THE_KERNEL = (":!tools", ":!scripts", ":!samples", ":!Documentation", ":!arch/*/boot/*")
C_SOURCES = ("*.c", "*.h", "*.S")
STRING = r'"(?:[^"\\\n]|\\.)*"'
LITERAL = re.compile(STRING)
JOINED = re.compile(rf"(?:{STRING}|\b[A-Z_]\w*\b|\\\n|\s)+")
"""Adjacent literals, with macros such as KERN_ERR or PRIx64 between them."""
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
CALL = re.compile(r"(?P<name>\w+)\s*$")
NEAR = 1500
"""How far back the call of a literal is looked for, in characters."""
DUMP = r"\bdump_stack\(\);"
CLOSE = 400
"""How far back the message before a dump_stack() is looked for."""
PRINTED = re.compile(r'\b(?P<name>(?:printk|pr_|netdev_|dev_)\w*)\([^;"]{0,40}(?P<string>")')
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
PR = re.compile(r"(?:pr|net)_[a-z_]+$|print_lockdep_off$")
"""Functions that pr_fmt() has a part in."""
PRINTS = re.compile(
    r"^(?:early_)?printk|_printk|^panic$|nmi_panic$|^die|orc_warn|lockdep_off|DATA_CORRUPTION|slab_err"
    r"|warn_alloc|^(?:pr|net)_(?!debug|devel|fmt|vlog)|kmemleak_|_(?:ERR|WARN|CRIT|BUG)$|WARN"
    r"|(?:^|_)(?:err|error|warn|warning|alert|crit|emerg|info|notice|message|msg)"
    r"(?:_(?:once|ratelimited|tag))*$|^$"
)
"""Functions and macros that print; no name at all stands for a table or a #define."""
WARN = (
    "------------[ cut here ]------------",
    "{}",
    "WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2",
    "CPU: 0 PID: 1 Comm: x Not tainted 6.1.0 #1",
    "Call Trace:",
    " <TASK>",
    " f+0x1/0x2",
    " </TASK>",
    "---[ end trace 0000000000000000 ]---",
)
BUG_AFTER = (
    "{}",
    "------------[ cut here ]------------",
    "kernel BUG at lib/list_debug.c:56!",
    "invalid opcode: 0000 [#1] SMP",
)
FRAMES = (
    (re.compile("^WARN"), WARN),
    (re.compile("panic$"), ("Kernel panic - not syncing: {}",)),
    (re.compile("^die|trap_error"), ("{}: 0000 [#1] SMP",)),
    (re.compile("DATA_CORRUPTION"), BUG_AFTER),
    (re.compile("warn_alloc"), ("init: {}, mode:0xcc0(GFP_KERNEL), nodemask=(null)",)),
    (re.compile("^slab_err"), ("BUG kmalloc-64 (Not tainted): {}",)),
    (re.compile("^(?:netdev|netif)_"), ("e1000 0000:00:01.0 eth0: {}",)),
    (re.compile("^(?:dev|sdev|ata|csio|xhci|usb|ep|efc)_"), ("ahci 0000:00:1f.2: {}",)),
)
"""What a function puts around the text, by its name; the text alone where nothing is said."""


@dataclass(frozen=True)
class Message:
    """A format string, where it stands, and who prints it."""

    file: str
    line: int
    call: str
    format: str
    prefix: str = ""
    """What the file's pr_fmt() puts before it, if `call` is one that uses it."""

    def console(self) -> list[str]:
        """The lines on a console, when it is printed."""
        text = self.prefix + said(self.format).strip("\n")
        frame = next((lines for name, lines in FRAMES if name.search(self.call)), ("{}",))
        return [line for one in frame for line in one.format(text).splitlines()]

    @property
    def framed(self) -> bool:
        """Whether it is the text of a WARN(), whatever it says."""
        return self.call.startswith("WARN")


def messages(source: Path, begins: str, *paths: str) -> Iterator[Message]:
    """Every string of the tree that begins with a match of the (Perl) pattern `begins`."""
    pattern = rf'"(?:\\n|\s)*(?:{begins})'
    argv = ("git", "grep", "--no-index", "-nIP", "-e", pattern, "--", *(paths or C_SOURCES))
    wanted = re.compile(pattern)
    for hit in child.run((*argv, *NOT_THE_KERNEL), cwd=source, outcome=Outcome.TREE).splitlines():
        file, number, line = hit.split(":", 2)
        for found in wanted.finditer(line):
            message = _message(source, file, int(number), found.start())
            if message.format:  # it stands in no comment
                yield message


def before_stacks(source: Path) -> Iterator[Message]:
    """What is printed last before each dump_stack(), as far as it stands in the lines before."""
    argv = ("git", "grep", "--no-index", "-nIP", "-e", DUMP, "--", "*.c", "*.h", *NOT_THE_KERNEL)
    for hit in child.run(argv, cwd=source, outcome=Outcome.TREE).splitlines():
        file, number, _ = hit.split(":", 2)
        text, starts = _text(source / file)
        end = starts[int(number) - 1]
        start = max(0, end - CLOSE, text.rfind("\n}", 0, end))
        calls = [one for one in PRINTED.finditer(text, start, end) if PRINTS.match(one["name"])]
        if calls:
            at = calls[-1].start("string")
            line = text.count("\n", 0, at)
            message = _message(source, file, line + 1, at - starts[line])
            if message.format.strip():
                yield message


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
    body = found["body"].replace("\\\n", " ")
    body = re.sub(r"KBUILD_(?:MODNAME|BASENAME)", f'"{name}"', body)
    body = re.sub(r"\b[A-Z_]{4,}\b(?=[^\"]*(?:\"[^\"]*\"[^\"]*)*$)", f'"{name}"', body)
    return said("".join(_plain(part) for part in LITERAL.findall(body)))


def said(format: str) -> str:
    """What printk() makes of a format, with plausible values."""
    return CONVERSION.sub(_value, format.replace("%s:%d:", "mm/x.c:1:"))


def _value(found: re.Match[str]) -> str:
    if found["pointer"] and found["pointer"][0] in SYMBOLS:
        return "some_function+0x1c/0x40"
    return VALUES[found["type"]]
