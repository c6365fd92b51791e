# SPDX-License-Identifier: GPL-2.0
"""Stacks are looked up in the kernel that ran: file and line where it knows them."""

from pathlib import Path

import pytest

from harness import child
from harness.complaint import complaints
from harness.decode import Symbols, decoded
from harness.verdict import Charge

SOURCE = """\
int sink;
__attribute__((noinline)) void inner(int n)
{
	sink += n;
}
__attribute__((noinline)) void outer(int n)
{
	inner(n);
	inner(n + 1);
}
int main(void)
{
	outer(1);
	return 0;
}
"""


def built(folder: Path, *flags: str) -> Path:
    """A program that stands in for a kernel: its code lies where kernels' code lies."""
    (folder / "k.c").write_text(SOURCE)
    program = folder / "vmlinux"
    where = "-Wl,-Ttext=0xffffffff81000000,--defsym=_etext=0xffffffff81100000"
    flags = (*flags, "-O1", "-nostdlib", "-static", "-mcmodel=kernel", "-fno-pie", "-no-pie")
    child.run(["gcc", *flags, where, "-Wl,-emain", "-o", str(program), "k.c"], cwd=folder)
    return program


def charge(*lines: str, expected: bool = False) -> Charge:
    [complaint] = complaints(["BUG: something", *lines])
    return Charge(complaint, "", expected)


def address_of(program: Path, name: str) -> int:
    listing = child.run(["nm", str(program)], cwd=program.parent)
    return next(int(row.split()[0], 16) for row in listing.splitlines() if row.endswith(name))


def test_with_debug_information_a_frame_is_a_line(tmp_path: Path) -> None:
    program = built(tmp_path, "-g")
    [frame] = decoded(charge("Call Trace:", " outer+0x9/0x20", " gone+0x1/0x2"), program)
    assert frame.startswith("outer+0x9: outer")
    assert "k.c:" in frame


def test_a_bare_address_is_looked_up_too(tmp_path: Path) -> None:
    program = built(tmp_path, "-g")
    address = address_of(program, "inner") + 4
    [frame] = decoded(charge(f" [<{address:016x}>]"), program)
    assert "inner" in frame


def test_without_it_a_bare_address_still_has_a_function(tmp_path: Path) -> None:
    program = built(tmp_path)
    address = address_of(program, "inner") + 2
    assert decoded(charge(f"RIP: 0010:0x{address:x}"), program) == (f"{address:#x}: inner+0x2",)


def test_without_it_nothing_is_made_up(tmp_path: Path) -> None:
    assert decoded(charge(" outer+0x9/0x20", " R08: ffff888003a51e40"), built(tmp_path)) == ()


def test_frames_of_modules_are_left_alone(tmp_path: Path) -> None:
    assert decoded(charge(" outer+0x9/0x20 [slabtest]"), built(tmp_path, "-g")) == ()


def test_what_was_declared_is_not_decoded(tmp_path: Path) -> None:
    assert decoded(charge(" outer+0x9/0x20", expected=True), tmp_path / "gone") == ()


def test_what_cannot_be_decoded_says_so(tmp_path: Path) -> None:
    [told] = decoded(charge(" outer+0x9/0x20"), tmp_path / "gone")
    assert told.startswith("not decoded: ")


@pytest.mark.parametrize(
    ("address", "name"),
    [(0x1000, "a+0x0"), (0x1008, "a+0x8"), (0x1010, "b+0x0"), (0xFFF, None), (0x2000, None)],
)
def test_the_function_around_an_address(address: int, name: str | None) -> None:
    listing = "0000000000001000 T a\n0000000000001010 t b\n0000000000002000 T _etext\n"
    assert Symbols(listing).name(address) == name


def test_a_name_that_two_functions_have_is_no_address() -> None:
    listing = "0000000000001000 t a\n0000000000001010 t a\n0000000000002000 T _etext\n"
    assert Symbols(listing).address("a", 4) is None
