# SPDX-License-Identifier: GPL-2.0
"""The archive: what is in it, that the format holds, and that its bytes repeat."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.initramfs import IMAGE, Entry, archive, entries
from tests.conftest import Command, sealed


def listing(data: bytes) -> Iterator[tuple[str, int, bytes, list[int]]]:
    """Read a newc archive back: name, mode, content, all numbers."""
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        numbers = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = numbers[6], numbers[11]
        name = data[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        start = at + (110 + name_size + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            assert len(data) == start
            return
        yield name[:-1].decode(), numbers[1], data[start : start + size], numbers
        at = start + (size + 3) // 4 * 4


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    init, module = tmp_path / "init", tmp_path / "slabtest.ko"
    init.write_bytes(b"program")
    module.write_bytes(b"module!!")
    return init, module


def test_guest_finds_init_module_and_console(files: tuple[Path, Path]) -> None:
    found = {name: (mode, content) for name, mode, content, _ in listing(packed(files))}
    assert found["init"] == (stat.S_IFREG | 0o755, b"program")
    assert found["lib/slabtest.ko"][1] == b"module!!"
    assert stat.S_ISCHR(found["dev/console"][0])
    assert {"dev", "lib", "proc", "sys", "tmp"} <= found.keys()


def packed(files: tuple[Path, Path]) -> bytes:
    return archive(entries(files[0], [files[1]]))


def test_console_is_the_device_the_kernel_opens(files: tuple[Path, Path]) -> None:
    (numbers,) = [numbers for name, *_, numbers in listing(packed(files)) if name == "dev/console"]
    assert numbers[9:11] == [5, 1]


def test_folders_come_before_what_is_in_them(files: tuple[Path, Path]) -> None:
    names = [name for name, *_ in listing(packed(files))]
    assert all(
        names.index(name.rpartition("/")[0]) < names.index(name) for name in names if "/" in name
    )


def test_bytes_depend_on_content_alone(files: tuple[Path, Path]) -> None:
    before = packed(files)
    for file in files:
        os.utime(file, (1, 1))
        file.chmod(0o600)
    assert packed(files) == before


def test_root_owns_everything_since_1970(files: tuple[Path, Path]) -> None:
    for *_, numbers in listing(packed(files)):
        owner, group, _, date = numbers[2:6]
        assert (owner, group, date) == (0, 0, 0)


@pytest.mark.parametrize("size", range(5))
def test_any_length_is_padded(size: int) -> None:
    content = b"x" * size
    ((name, _, got, _),) = listing(archive([Entry("n" * (size + 1), 0o100644, content)]))
    assert (name, got) == ("n" * (size + 1), content)


def test_a_dry_run_prints_the_commands_that_make_it(
    slqb: Command, toy_tree: Path, tmp_path: Path
) -> None:
    words = ("--tree", toy_tree, "--pristine", "--allocator", "slub", "--accel", "tcg")
    shown = slqb("-q", "run", *words, "--dry-run").stdout.splitlines()
    [modules] = [line for line in shown if line.endswith("KCFLAGS=-Werror modules)")]
    [make] = [line for line in shown if " make -C " in line]
    [pack] = [line for line in shown if "harness.initramfs" in line]
    [boot] = [line for line in shown if line.startswith("qemu-system-")]
    order = [shown.index(line) for line in (modules, make, pack, boot)]
    assert order == sorted(order)
    build = Path(pack.rstrip(")").split()[-1])
    (build / "guest/slabtest").mkdir(parents=True)
    (build / "guest/slabtest/slabtest.ko").write_bytes(b"module!!")
    for line in (make, pack):
        subprocess.run(line, shell=True, check=True, capture_output=True, env=sealed(tmp_path))
    found = {name: content for name, _, content, _ in listing((build / IMAGE).read_bytes())}
    assert found["init"] == (build / "init/init").read_bytes()
    assert found["lib/slabtest.ko"] == b"module!!"
    assert f"-initrd {build / IMAGE}" in boot


def test_what_is_borrowed_keeps_its_place(files: tuple[Path, Path]) -> None:
    init, library = files
    names = {one.name: one for one in entries(init, (), (), {"lib64/ld.so.2": library})}
    assert {"init", "lib64", "lib64/ld.so.2"} <= names.keys()
    assert names["lib64/ld.so.2"].content == b"module!!"
    assert names["lib64/ld.so.2"].mode & 0o111
