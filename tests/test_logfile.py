# SPDX-License-Identifier: GPL-2.0
"""Logs in all kinds of packing; what is no log is one clear line."""

import bz2
import gzip
import lzma
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from harness import logfile
from harness.errors import UserError
from harness.logfile import is_binary, pieces
from harness.skim import heard_in
from tests.conftest import Command
from tests.test_prefix import PASSES

SLQB = Path(sys.executable).with_name("slqb")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("packing", PACKERS)
def test_a_packed_log_is_read_whatever_its_name(
    packing: str, tmp_path: Path, slqb: Command
) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(PACKERS[packing](PASSES.encode()))
    answer = slqb("parse", log)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines()[-1] == "PASS: 2 passed, 1 skipped"


@pytest.mark.parametrize("packing", ["plain", *PACKERS])
def test_a_log_comes_from_standard_input(packing: str, tmp_path: Path) -> None:
    given = PACKERS.get(packing, bytes)(PASSES.encode())
    answer = subprocess.run(
        [SLQB, "parse", "-"],
        input=given,
        capture_output=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout.splitlines()[-1] == b"PASS: 2 passed, 1 skipped"


@pytest.mark.parametrize("packing", PACKERS)
def test_packed_logs_one_after_the_other_are_one(packing: str, tmp_path: Path) -> None:
    log = tmp_path / "both"
    half = len(PASSES) // 2
    log.write_bytes(
        b"".join(PACKERS[packing](part.encode()) for part in (PASSES[:half], PASSES[half:]))
    )
    assert b"".join(pieces(str(log))).decode() == PASSES


@pytest.mark.parametrize("packing", PACKERS)
def test_a_packed_log_that_ends_too_early_is_one_line(
    packing: str, tmp_path: Path, slqb: Command
) -> None:
    log = tmp_path / "cut"
    text = random.Random(0).randbytes(50_000).hex().encode()
    log.write_bytes(PACKERS[packing](text)[:-20_000])
    answer = slqb("parse", log)
    assert answer.returncode == 2
    assert answer.stderr == f"slqb: cannot read {log}: the compressed data ends too early\n"


@pytest.mark.parametrize("packing", PACKERS)
def test_damage_is_one_line(packing: str, tmp_path: Path) -> None:
    log = tmp_path / "damaged"
    packed = bytearray(PACKERS[packing](random.Random(0).randbytes(50_000).hex().encode()))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    log.write_bytes(packed)
    with pytest.raises(UserError, match="cannot read") as told:
        list(pieces(str(log)))
    assert "\n" not in str(told.value)


BINARY = {
    "zeros": bytes(4096),
    "program": Path("/bin/true").read_bytes(),
    "noise": random.Random(0).randbytes(5000),
    "picture": b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(5000),
}


@pytest.mark.parametrize("kind", BINARY)
def test_binary_data_is_said_to_be_that(kind: str, tmp_path: Path, slqb: Command) -> None:
    (tmp_path / kind).write_bytes(BINARY[kind])
    answer = slqb("parse", kind)
    assert answer.returncode == 2
    assert answer.stderr == f"slqb: {kind} is binary data, not the text of a console\n"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        PASSES.encode(),
        b"\xff\x80\xfe\x90 noise of a wrong baud rate\n" + PASSES.encode(),
        bytes(8192) + PASSES.encode(),
        "Ядро 6.1 готово\n".encode() * 20,
        "Ядро 6.1 готово\n".encode("koi8-r") + PASSES.encode(),
        b"\x1b[2J\x1b[1;1H\x07" + PASSES.encode(),
    ],
)
def test_a_console_is_no_binary_data(text: bytes) -> None:
    assert not is_binary(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_marks_of_encodings_are_understood(encoding: str, tmp_path: Path) -> None:
    text = "[    1.000000] größe ☃\nKTAP version 1\n1..1\nok 1 a\n"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "log").write_bytes((mark + text).encode(encoding))
    assert b"".join(pieces(str(tmp_path / "log"))).decode() == text


@pytest.mark.parametrize("name", ["missing", ".", "nul\0byte"])
def test_what_cannot_be_read_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match="cannot read"):
        list(pieces(name))


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 50))
def test_pieces_are_whole_lines_and_nothing_is_lost(texts: list[bytes], longest: int) -> None:
    found = list(logfile._whole_lines(iter(texts)))
    assert b"".join(found) == b"".join(texts)
    assert all(piece.endswith(b"\n") for piece in found[:-1])


def test_lines_end_at_line_breaks_only(tmp_path: Path) -> None:
    odd = "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\rh"
    (tmp_path / "log").write_text(f"{odd}\nKTAP version 1\n1..1\nok 1 {odd}\n", newline="")
    heard = heard_in(str(tmp_path / "log"))
    assert heard.length == 4
    # a carriage return ends no line, but it divides one
    assert [case.path for case in heard.tests.cases] == ["abcd\x85e\u2028f\u2029g"]
