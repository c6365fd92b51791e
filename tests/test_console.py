# SPDX-License-Identifier: GPL-2.0
"""The console: lines in pieces, host times, a log that can be read back."""

import io
import os
import time
from collections.abc import Iterator
from typing import IO

import pytest

from harness.console import Console, Line, clean, saved

Pipe = tuple[Console, IO[bytes], io.StringIO]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A console, the end QEMU writes to, and the log."""
    reading, writing = os.pipe()
    log = io.StringIO()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink:
        yield Console(source, time.monotonic(), log), sink, log


def texts(console: Console) -> list[str]:
    """All lines until the end."""
    found = []
    while not console.ended:
        if (line := console.read(1.0)) is not None:
            found.append(line.text)
    return found


def test_lines_come_with_the_time_of_the_host(pipe: Pipe) -> None:
    console, sink, _ = pipe
    sink.write(b"one\r\n")
    first = console.read(1.0)
    time.sleep(0.05)
    sink.write(b"two\r\n")
    second = console.read(1.0)
    assert first is not None
    assert second is not None
    assert (first.text, second.text) == ("one", "two")
    assert first.at is not None
    assert second.at is not None
    assert second.at - first.at >= 0.05


def test_a_line_in_pieces_is_one_line(pipe: Pipe) -> None:
    console, sink, _ = pipe
    sink.write(b"hel")
    assert console.read(0.05) is None
    sink.write(b"lo\n")
    line = console.read(1.0)
    assert line is not None
    assert line.text == "hello"
    assert console.rest() is None


def test_half_a_line_is_not_lost(pipe: Pipe) -> None:
    console, sink, log = pipe
    sink.write(b"hel")
    assert console.read(0.05) is None
    rest = console.rest()
    assert rest is not None
    assert rest.text == "hel"
    assert log.getvalue().endswith("| hel\n")
    assert console.rest() is None


def test_nothing_said_is_no_line_and_no_end(pipe: Pipe) -> None:
    console, _, _ = pipe
    assert console.read(0.02) is None
    assert not console.ended


def test_the_last_line_needs_no_line_break(pipe: Pipe) -> None:
    console, sink, log = pipe
    sink.write(b"one\n\ntwo")
    sink.close()
    assert texts(console) == ["one", "", "two"]
    assert log.getvalue().count("\n") == 3


def test_what_is_logged_can_be_read_back(pipe: Pipe) -> None:
    console, sink, log = pipe
    sink.write(b"[    0.1] a\n    ok 1 b\n9.999 | c\n")
    sink.close()
    said = texts(console)
    read = list(saved(log.getvalue().splitlines()))
    assert [line.text for line in read] == said
    assert all(line.at is not None for line in read)


def test_much_at_once_is_quick(pipe: Pipe) -> None:
    console, sink, _ = pipe
    began, lines = time.process_time(), 0
    for _ in range(50):
        sink.write(b"x" * 60 + b"\n" + b"y\n" * 200)
        for _ in range(201):
            lines += console.read(1.0) is not None
    assert lines == 50 * 201
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\r", "plain"),
        (b"\x1b[2J\x1b[1;31mred\x1b[0m", "red"),
        (b"a\x00b\x07c", "abc"),
        (b"tab\tstays", "tab\tstays"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        ("\N{BLACK STAR}".encode(), "\N{BLACK STAR}"),
        (b"    indent stays", "    indent stays"),
    ],
)
def test_what_a_terminal_would_eat_is_taken_out(raw: bytes, text: str) -> None:
    assert clean(raw) == text


def test_a_log_of_others_has_no_times() -> None:
    assert list(saved(["[    0.000000] Linux version 6.1"])) == [
        Line("[    0.000000] Linux version 6.1")
    ]


def test_an_empty_line_of_ours_stays_empty() -> None:
    assert list(saved(["    0.100 |"])) == [Line("", 0.1)]
