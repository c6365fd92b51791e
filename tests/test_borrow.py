# SPDX-License-Identifier: GPL-2.0
"""Programs that a guest borrows: who wants them, what they need, and what is said if they lack."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from harness.borrow import borrowed, libraries, listed, programs_of
from harness.errors import HostError

HERE = platform.machine()
SAID = """\
\tlinux-vdso.so.1 (0x00007ffd4b5c3000)
\tlibEGL.so.1 => /lib/x86_64-linux-gnu/libEGL.so.1 (0x00007fbf0b2aa000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fbf0a3f3000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007fbf0c4f5000)
"""


def test_a_configuration_says_which() -> None:
    assert programs_of("distro") == ("stress-ng", "hackbench")
    assert programs_of("lean+up") == ()


def test_libraries_are_those_that_lie_somewhere() -> None:
    assert list(listed(SAID.splitlines(), Path("/bin/x"))) == [
        Path("/lib/x86_64-linux-gnu/libEGL.so.1"),
        Path("/lib/x86_64-linux-gnu/libc.so.6"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    ]


def test_a_library_that_is_lost_is_named() -> None:
    with pytest.raises(HostError, match=r"/bin/x lacks its library libJudy\.so\.1"):
        list(listed(["\tlibJudy.so.1 => not found"], Path("/bin/x")))


def test_what_a_program_is_linked_with_comes_along() -> None:
    shell = Path("/bin/sh").resolve()
    found = borrowed(["sh"], HERE, which=lambda _: str(shell))
    assert found["bin/sh"] == shell
    assert set(found) - {"bin/sh"} == {str(one).lstrip("/") for one in libraries(shell)}
    assert any("libc.so" in name for name in found)
    assert all(path.is_file() for path in found.values())


@pytest.mark.parametrize(("arch", "there"), [(HERE, None), ("riscv", "/bin/sh")])
def test_a_program_that_cannot_be_had_is_named(arch: str, there: str | None) -> None:
    with pytest.raises(HostError, match="the guest needs frob for"):
        borrowed(["frob"], arch, which=lambda _: there)
