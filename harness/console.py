# SPDX-License-Identifier: GPL-2.0
"""What the guest says, line by line, each with the host's time.

file: (seconds ' | ' text '\n')*        seconds since QEMU was started

The file is written as the lines come, so that whatever kills us leaves all that was said.
Reading goes through pexpect (its fdspawn, on the pipe from QEMU), which knows about
deadlines, ends of file and lines that come in pieces.
"""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from pexpect import EOF, TIMEOUT
from pexpect.fdpexpect import fdspawn

NEWLINE, END, NOTHING = range(3)
STAMP = re.compile(r"^ *(?P<at>\d{1,9}\.\d{3}) \| ?")
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|[()][0-9A-B]|c)")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

UNPRINTABLE_BUT_RETURNS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Line:
    """One line of the console."""

    text: str
    at: float | None = None

    def __str__(self) -> str:
        return self.text if self.at is None else f"{self.at:9.3f} | {self.text}"


class Console:
    """The live one."""

    def __init__(self, source: IO[bytes], began: float, log: IO[str]) -> None:
        self._spawn = fdspawn(source.fileno(), maxread=1 << 16, use_poll=True)
        self._began, self._log = began, log
        self.ended = False
        self._unfinished = b""

    def read(self, patience: float) -> Line | None:
        """The next line; None when none came in time or none will come (`ended`)."""
        found = self._spawn.expect_exact([b"\n", EOF, TIMEOUT], timeout=patience)
        raw: bytes = self._spawn.before or b""
        self._unfinished = raw if found == NOTHING else b""
        if found == NOTHING:
            return None
        self.ended = found == END
        return self._keep(clean(raw)) if raw or not self.ended else None

    def rest(self) -> Line | None:
        """What was said since the last line break, for when no more is waited for."""
        raw, self._unfinished = self._unfinished, b""
        return self._keep(clean(raw)) if raw else None

    def _keep(self, text: str) -> Line:
        line = Line(text, time.monotonic() - self._began)
        self._log.write(f"{line}\n")
        self._log.flush()
        return line


def clean(raw: bytes) -> str:
    """Text without carriage returns, terminal escapes and stray control characters."""
    text = raw.decode("utf-8", errors="replace")
    return UNPRINTABLE.sub("", ESCAPES.sub("", text)).rstrip()


def saved(texts: Iterable[str]) -> Iterator[Line]:
    """The lines of a saved log: one of ours, or any other."""
    for raw in texts:
        text = raw.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
        yield saved_line(UNPRINTABLE_BUT_RETURNS.sub("", ESCAPES.sub("", text)).rstrip())


def saved_line(text: str) -> Line:
    """A line of a saved log, cleaned; the time that we wrote before it becomes its own.

    Carriage returns in mid-line stay: they divide it (midline.py).
    """
    text = text.lstrip("\r")
    stamp = STAMP.match(text)
    return Line(text[stamp.end() :], float(stamp["at"])) if stamp else Line(text)
