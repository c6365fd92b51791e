# SPDX-License-Identifier: GPL-2.0
"""Files that many write at a time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.file import write_atomically, write_if_changed

WRITERS = 8


def test_any_number_of_writers_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "facts" / "seconds.json"
    contents = [bytes([48 + number]) * 100_000 for number in range(WRITERS)]

    def write(content: bytes) -> None:
        for _ in range(50):
            write_atomically(path, content)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, contents))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_is_there_already_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_if_changed(path, b"one")
    before = path.stat().st_ino
    assert not write_if_changed(path, b"one")
    assert path.stat().st_ino == before
    assert write_if_changed(path, b"two")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, None)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
