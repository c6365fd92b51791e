# SPDX-License-Identifier: GPL-2.0
"""Addresses of a stack, looked up in the kernel that ran.

A kernel built with debug information gives file and line (addr2line, inlined callers
included). Lean kernels have none; of them the symbol table still tells which function a
bare address lies in, and we say no more than that.

frame: ['? '] symbol '+0x' offset '/0x' size [' [' module ']']       or a bare address
"""

import bisect
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from harness import child
from harness.errors import HarnessError
from harness.verdict import Charge

FRAME = re.compile(
    r"(?P<symbol>[A-Za-z_][\w.$]*)\+0x(?P<offset>[0-9a-f]+)/0x[0-9a-f]+(?P<module> \[\w+\])?"
)
ADDRESS = re.compile(r"\b(?:0x)?(?P<address>(?:ffff|c000)[0-9a-f]{12})\b")
MOST = 64  # frames of one complaint


class Symbols:
    """A kernel's symbol table."""

    def __init__(self, listing: str) -> None:
        rows = [row for row in map(str.split, listing.splitlines()) if len(row) == 3]
        code = [row for row in rows if row[1] in "tTwW"]
        # big-endian Power: the code is at .name, and name is a descriptor
        self._sorted = sorted((int(row[0], 16), row[2].removeprefix(".")) for row in code)
        self._by_name: dict[str, list[int]] = {}
        for address, name in self._sorted:
            self._by_name.setdefault(name, []).append(address)
        self._end = next((int(row[0], 16) for row in rows if row[2] == "_etext"), 0)

    def address(self, symbol: str, offset: int) -> int | None:
        """Where a frame lies; None if the name is not known, or not unique."""
        found = self._by_name.get(symbol, [])
        return found[0] + offset if len(found) == 1 else None

    def name(self, address: int) -> str | None:
        """The function an address lies in."""
        index = bisect.bisect_right(self._sorted, (address, "\x7f")) - 1
        if index < 0 or address >= self._end:
            return None
        start, name = self._sorted[index]
        return f"{name}+{address - start:#x}"


def decoded(charge: Charge, kernel: Path, prefix: str = "") -> tuple[str, ...]:
    """The frames of a complaint as `frame: place`; nothing where nothing can be added.

    `prefix` is that of the binutils that read such a kernel.
    """
    if charge.expected:
        return ()
    lines = (charge.complaint.headline, *charge.complaint.body[: 4 * MOST])
    if not any(FRAME.search(line) or ADDRESS.search(line) for line in lines):
        return ()
    try:
        symbols = _symbols(kernel, prefix)
        return tuple(_decode(lines, symbols, kernel, prefix))[:MOST]
    except HarnessError as error:
        return (f"not decoded: {str(error).splitlines()[0]}",)


@functools.lru_cache(maxsize=4)
def _symbols(kernel: Path, prefix: str) -> Symbols:
    return Symbols(child.run([f"{prefix}nm", str(kernel)], cwd=kernel.parent, timeout=60))


@functools.lru_cache(maxsize=4)
def _has_lines(kernel: Path) -> bool:
    sections = child.run(
        ["readelf", "--section-headers", "--wide", str(kernel)], cwd=kernel.parent, timeout=60
    )
    return ".debug_line" in sections


def _decode(lines: tuple[str, ...], symbols: Symbols, kernel: Path, prefix: str) -> Iterator[str]:
    frames = dict(_frames(lines, symbols))
    if _has_lines(kernel):
        yield from _places(frames, kernel, prefix)
    else:
        yield from (
            f"{address:#x}: {symbols.name(address)}"
            for frame, address in frames.items()
            if frame == f"{address:x}" and symbols.name(address)
        )


def _frames(lines: tuple[str, ...], symbols: Symbols) -> Iterator[tuple[str, int]]:
    """What stands in the lines, with its address, as far as that is known."""
    for line in lines:
        for found in FRAME.finditer(line):
            address = symbols.address(found["symbol"], int(found["offset"], 16))
            if address is not None and not found["module"]:
                yield f"{found['symbol']}+0x{found['offset']}", address
        for found in ADDRESS.finditer(line):
            address = int(found["address"], 16)
            if symbols.name(address):
                yield f"{address:x}", address


def _places(frames: dict[str, int], kernel: Path, prefix: str) -> Iterator[str]:
    """File and line of each frame; a return address is that of the call before it."""
    argv = [f"{prefix}addr2line", "--exe", str(kernel), "--inlines", "--pretty-print"]
    wanted = "\n".join(f"{address - 1:#x}" for address in frames.values())
    said = child.run(
        [*argv, "--addresses", "--functions"], cwd=kernel.parent, input=wanted + "\n", timeout=120
    )
    blocks = re.split(r"^0x[0-9a-f]+: ", said, flags=re.MULTILINE)[1:]
    for frame, block in zip(frames, blocks, strict=False):
        place = " <- ".join(line.strip() for line in block.splitlines())
        if "??" not in place:
            yield f"{frame}: {place}"
