# SPDX-License-Identifier: GPL-2.0
"""Text that is shown to a person, whoever wrote it.

Names of trees, messages of compilers, records and consoles are written by others, and may hold what
a terminal obeys: escape sequences that overwrite lines or set the title, directional overrides that
show text in another order than it has. `visible` writes such characters out (`\\u001b`), and
`guard` has everything that goes to standard output and standard error pass through it. Only the
live progress line draws with escape sequences of its own: it writes to `unguarded`, and passes what
it shows through `visible` itself.
"""

import io
import re
import sys
from typing import TextIO, cast

CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, delete, C1
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # direction, odd line ends
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"  # annotations, tags, halves of pairs
)
"""What a terminal may obey, or cannot show."""


def visible(text: str) -> str:
    """The text with each control character written out.

    The escapes are those of JSON, so that a JSON document stays one and says the same.
    """
    return CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


class Guarded(io.TextIOWrapper):
    """A stream that shows what is written to it, and obeys none of it."""

    def write(self, text: str) -> int:
        """Write the text as `visible` has it; returns the length of what was handed in."""
        super().write(visible(text))
        return len(text)


class Unguarded:
    """Writes to a guarded stream what its owner vouches for, escape sequences included."""

    def __init__(self, stream: Guarded) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As it is."""
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def guard() -> None:
    """From now on all that this process prints is shown and not obeyed.

    A character that the encoding of the stream lacks is written out, too. A process that was
    started with a closed stream has None in its place, and nothing to guard.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, Guarded):
            setattr(sys, name, _guarded(stream))


def _guarded(stream: io.TextIOWrapper) -> Guarded:
    encoding, by_line = stream.encoding, stream.line_buffering
    through = stream.write_through
    return Guarded(
        stream.detach(),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=by_line,
        write_through=through,
    )


def unguarded(stream: TextIO) -> TextIO:
    """The same stream for one who draws on a terminal, and takes care of what others wrote."""
    return cast(TextIO, Unguarded(stream)) if isinstance(stream, Guarded) else stream
