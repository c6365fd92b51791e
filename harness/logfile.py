# SPDX-License-Identifier: GPL-2.0
"""Read a saved log piece by piece, whatever it is packed in.

A log is a file or a pipe of any length. It is read in pieces that end with a line break, so that it
never lies in memory as a whole. What it is packed in (gzip, xz, bzip2, Zstandard) is told by its
first bytes, not by its name. UTF-16 with its mark, as some terminals write it, becomes UTF-8.
"""

import bz2
import codecs
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard

from harness.errors import UserError

PIECE = 1 << 20
"""Bytes that are read at a time."""
LONGEST = 1 << 22
"""A line that has more bytes is divided there, so that memory has a limit."""
SAMPLE = 1 << 16
"""Bytes at the beginning that tell text from other data."""
HEAD = 8
"""Bytes that tell in what it is packed."""
ODD = 0.3
"""The share of bytes that no text has, above which it is none."""
ZSTD_STEP = 512
"""Compressed bytes that are unpacked at a time: even zeros do not become more than some MiB."""
UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\x07\x08\x0b\x0c\x1b")) + b"\x7f"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Bytes(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


def pieces(log: str) -> Iterator[bytes]:
    """The bytes of a log ("-": standard input) in pieces of whole lines.

    UserError if it cannot be read, is damaged, ends too early, or is no text.
    """
    with _opened(log) as source, _told(log):
        yield from _whole_lines(_text(log, _unpacked(source)))


@contextmanager
def _opened(log: str) -> Iterator[IO[bytes]]:
    if log == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(log).open("rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {log}: {getattr(error, 'strerror', error)}") from error
    with source:
        yield source


@contextmanager
def _told(log: str) -> Iterator[None]:
    """Errors of reading and unpacking as one line."""
    where = "standard input" if log == "-" else log
    try:
        yield
    except EOFError as error:
        raise UserError(f"cannot read {where}: the compressed data ends too early") from error
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise UserError(f"cannot read {where}: the compressed data is damaged: {error}") from error
    except OSError as error:
        raise UserError(f"cannot read {where}: {error.strerror or error}") from error


class _Again(io.RawIOBase):
    """A source whose first bytes were looked at and are given once more."""

    def __init__(self, head: bytes, source: Bytes) -> None:
        super().__init__()
        self._head, self._source = head, source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        given = self._head[: len(buffer)] or self._source.read(len(buffer))
        self._head = self._head[len(given) :]
        buffer[: len(given)] = given
        return len(given)


class _Zstandard:
    """Unpacks frames one after the other, and knows whether the last one is complete."""

    def __init__(self, source: Bytes) -> None:
        self._source = source
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._rest = b""

    def read(self, _size: int, /) -> bytes:
        """Some bytes; EOFError if the last frame has no end."""
        while True:
            packed = self._rest[:ZSTD_STEP] or self._source.read(ZSTD_STEP)
            self._rest = self._rest[len(packed) :] if self._rest else b""
            if not packed:
                if self._frame is not None:
                    raise EOFError
                return b""
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            text = self._frame.decompress(packed)
            if self._frame.eof:
                self._rest = self._frame.unused_data + self._rest
                self._frame = None
            if text:
                return text


PACKED: dict[bytes, Callable[[Any], Bytes]] = {
    b"\x1f\x8b": lambda source: gzip.GzipFile(fileobj=source),
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"BZh": bz2.BZ2File,
    b"\x28\xb5\x2f\xfd": _Zstandard,
}


def _unpacked(source: Bytes) -> Bytes:
    head = _first(source, HEAD)
    again = io.BufferedReader(_Again(head, source), PIECE)
    return next(
        (unpack(again) for magic, unpack in PACKED.items() if head.startswith(magic)), again
    )


def _first(source: Bytes, size: int) -> bytes:
    """The first bytes, so many if there are; a pipe gives them in pieces."""
    found = b""
    while len(found) < size and (more := source.read(size - len(found))):
        found += more
    return found


def _text(log: str, source: Bytes) -> Iterator[bytes]:
    """The text in pieces, as UTF-8 or whatever else it is; UserError if it is none."""
    head = _first(source, SAMPLE)
    encoding = UTF16.get(head[:2])
    if encoding:
        decode = codecs.getincrementaldecoder(encoding)(errors="replace").decode
        for piece in _read(head, source):
            yield decode(piece).lstrip("\ufeff").encode(errors="replace")
        return
    if is_binary(head):
        where = "standard input" if log == "-" else log
        raise UserError(f"{where} is binary data, not the text of a console")
    yield from _read(head.removeprefix(codecs.BOM_UTF8), source)


def _read(head: bytes, source: Bytes) -> Iterator[bytes]:
    yield head
    while piece := source.read(PIECE):
        yield piece


def is_binary(sample: bytes) -> bool:
    """Whether bytes are no text: nothing but zeros, or too much that no text has.

    Zeros alone do not tell: a log that survived a crash may have holes of them.
    """
    text = sample.replace(b"\0", b"")
    if not text:
        return bool(sample)
    odd = len(text) - len(text.translate(None, CONTROL))
    odd += text.decode(errors="replace").count(REPLACEMENT)
    return odd > ODD * len(text) or sample.startswith(b"\x7fELF")


def _whole_lines(texts: Iterator[bytes]) -> Iterator[bytes]:
    """The same divided behind line breaks."""
    rest: list[bytes] = []
    length = 0
    for text in texts:
        end = text.rfind(b"\n") + 1
        if end or length > LONGEST:
            end = end or len(text)
            yield b"".join((*rest, text[:end]))
            rest, length, text = [], 0, text[end:]
        if text:
            rest.append(text)
            length += len(text)
    if rest:
        yield b"".join(rest)
