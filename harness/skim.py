# SPDX-License-Identifier: GPL-2.0
"""Judge a long log quickly: look closely only where something is said.

Most lines of a log are neither a result nor part of a complaint. One automaton (RE2, in one pass
over each piece of the log) finds the lines that may be; these, a few before each, and all until
nothing is being told any more go to the listener (heard.py). The others are counted.

The automaton may find too much, never too little: it is made of all headlines, without their
anchors, and of what the grammar of tests begins with.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from harness import complaint, console
from harness.console import saved_line
from harness.heard import LONGEST, Heard, Listener
from harness.linear import linear_bytes
from harness.logfile import pieces
from harness.prefix import NEARBY

BEFORE = complaint.REACH
"""Lines before a found one that are looked at: one may be the title of what comes."""
ANCHOR = re.compile(r"(?<![\[\\])[\^$]")
TESTS = (r"ok \d", r"TAP version", r"\d\.\.\d", r"# ", "Bail out!", "slqb-guest: ")
TORN = (
    r"\b(?:no?|not(?: ok?)?|ok?) ?(?:<\d|\[(?: {0,6}[\dTC<+]|[^\s\]]{1,6}[\d ]))",
    r"(?m:^[ \t]*not[ \t\r]*$)",
)
"""A result in which a message begins."""
BOOTS = (
    *("Linux version ", "Booting Linux", "[Cc]ommand line: ", "Run /", "Kernel panic", "reboot: "),
    *("Restarting system", "System halted", "[Pp]ower down", "Power off not available"),
    *("Starting new kernel", "Rebooting in ", ": Resetting", r"console \[", "-- Reboot --"),
    *(r"-- Boot [0-9a-f]", r"systemd-shutdown\[", r"\[Firmware (?:Bug|Warn)\]"),
)
"""How a boot begins and ends."""
REPORTS = (
    *(r"\+0x[0-9a-f]+/0x", r"RIP: ", r"---\[ ", "Mem-Info:", "<TASK>", "Modules linked in"),
    *(r"FIX \S+: ", r"CPU: \d+ (?:UID: \d+ )?PID: ", "Hardware name:", "cut here"),
)
"""What else only a report has."""
CONTROLS = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"
ESCAPES = re.compile(console.ESCAPES.pattern.encode())
BLANK, FIRST_BLANK = re.compile(rb"\n(?=[ \t]*\n)"), re.compile(rb"[ \t]*\n")
SAMPLE, SAMPLED = 16, 2000
"""Of lines that are passed over, so many are looked at for a prefix; fewer after so many lines."""


@cache
def telling() -> Any:
    """Finds the lines that may tell something."""
    words = (*TESTS, *TORN, *BOOTS, *REPORTS)
    # without \b, too: "\x0a" of a kmsg record may stand before a word
    loose = (ANCHOR.sub("", pattern).replace(r"\b", "") for pattern in complaint.patterns())
    found = [*words, *loose]
    return linear_bytes("|".join(f"(?:{one})" for one in found).encode())


def heard_in(log: str) -> Heard:
    """What a saved log says ("-": standard input); UserError if it cannot be read."""
    return skim(pieces(log))


def skim(texts: Iterable[bytes]) -> Heard:
    """What a log says that comes in pieces of whole lines."""
    listener = Listener()
    for text in texts:
        _Piece(listener, text).skim()
    return listener.end()


class _Piece:
    """Some lines of a log, and the place in them that was reached."""

    def __init__(self, listener: Listener, text: bytes) -> None:
        if b"\x1b" in text:
            text = ESCAPES.sub(b"", text)
        text = text.translate(None, CONTROLS)
        self._listener = listener
        self._text = text if text.endswith(b"\n") else text + b"\n"
        self._at = 0

    def skim(self) -> None:
        """Feed what tells something, count the rest."""
        search = telling().search
        while self._at < len(self._text):
            found = search(self._text, self._at) if self._listener.idle else None
            if found is not None:
                self._pass(self._before(found.start()))
                self._feed(found.start())
            elif self._listener.idle:
                self._pass(len(self._text))
            else:
                self._feed(self._at)

    def _before(self, place: int) -> int:
        """Where the lines begin that are looked at before the one at a place."""
        begin = place
        for _ in range(BEFORE + 1):
            begin = self._text.rfind(b"\n", self._at, begin)
            if begin < 0:
                return self._at
        return begin + 1

    def _feed(self, place: int) -> None:
        """Feed all lines up to the one at a place."""
        while self._at <= place:
            end = self._text.index(b"\n", self._at)
            line = self._text[self._at : end].decode(errors="replace").rstrip()
            begin = self._at
            self._listener.feed(saved_line(line), lambda begin=begin: self._nearby(begin))  # type: ignore[misc]
            self._at = end + 1

    def _nearby(self, place: int) -> list[str]:
        """The lines around a place."""
        first = last = place
        for _ in range(NEARBY + 1):  # its own line break is the first one after it
            first = self._text.rfind(b"\n", 0, max(first, 0))
            last = self._text.find(b"\n", last) + 1 or len(self._text)
        around = self._text[first + 1 : last].decode(errors="replace")
        return [saved_line(line.rstrip()).text for line in around.split("\n")[:-1]]

    def _pass(self, end: int) -> None:
        """Count lines up to a place, and look at the prefixes of some."""
        if end == self._at:
            return
        lines = self._text.count(b"\n", self._at, end)
        blank = len(BLANK.findall(self._text, max(0, self._at - 1), end))
        blank += self._at == 0 and FIRST_BLANK.match(self._text) is not None
        sample = SAMPLE if self._listener.sampled < SAMPLED else 1
        texts = self._text[self._at : min(end, self._at + SAMPLE * LONGEST)].split(b"\n", sample)
        seen = [line.decode(errors="replace") for line in texts[: min(sample, lines)]]
        self._listener.skip(lines, lines - blank, [saved_line(one).text for one in seen])
        self._at = end
