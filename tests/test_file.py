# SPDX-License-Identifier: GPL-2.0
"""Files that many write at a time, and files that the user names."""

import os
import pty
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.file import write_atomically, write_if_changed, write_output

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


def test_a_device_that_the_user_names_stays_one(tmp_path: Path) -> None:
    """As root, a file put in its place would break /dev/null for the whole host."""
    ours, theirs = pty.openpty()
    device = Path(os.ttyname(theirs))
    before = device.stat()
    write_output(device, b"told\n")
    assert os.read(ours, 100) == b"told\r\n"
    assert (device.stat().st_ino, device.stat().st_rdev) == (before.st_ino, before.st_rdev)
    os.close(ours)
    os.close(theirs)


def test_a_fifo_that_the_user_names_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_output(path, b"told")
    assert os.read(reader, 100) == b"told"
    assert path.is_fifo()
    os.close(reader)


def test_a_link_that_the_user_names_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    for text in (b"one", b"two"):
        write_output(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").read_bytes() == text
