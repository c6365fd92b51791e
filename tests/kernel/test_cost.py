# SPDX-License-Identifier: GPL-2.0
"""What debugging costs while nobody asks for it: the NOPs of its static keys, and nothing else.

Instructions are counted by the emulator, so the number is exact and the same every time. Branches
are patched in these kernels (fragment `keys`), as they are in those of distributions.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import child
from harness.fragment import command_line
from harness.irqsoff import text_of
from harness.kernel import Kernel, KernelSpec, build_kernel
from harness.places import Places
from harness.worktree import Rendered
from tests.kernel.images import QUIET, with_guest

pytestmark = [pytest.mark.kernel, pytest.mark.soak]
WORDS = ("--topology", "up", "--icount", "--suite", "guest", "--case", "slabtest.pair_*")
PAIR = re.compile(r"kmem_cache_(alloc|free)(\.part\.\d+)?\+")
KEY = "slqb_debug_enabled"
ENTRY = struct.Struct("<iiq")
"""struct jump_entry: where the branch is, where it leads, its key; each relative to itself."""


def kernel_with(settings: tuple[str, ...], rendered: Rendered, places: Places) -> Kernel:
    return build_kernel(
        rendered.source,
        KernelSpec(config="lean+keys"),
        places,
        QUIET,
        line_map=rendered.line_map,
        extra=command_line(settings) if settings else None,
    )


def pair_of(kernel: Kernel, rendered: Rendered, places: Places) -> int:
    """Instructions of an allocation and its free."""
    status, record = with_guest(kernel, rendered.source, places).boot(*WORDS)
    assert status == 0, record["reason"]
    measure = record["cells"][0]["measures"]["pair.64"]
    assert measure["unit"] == "instructions"
    return int(measure["value"])


def readelf(what: str, image: Path) -> list[str]:
    return child.run(["readelf", what, image], cwd=image.parent).splitlines()


def addresses(image: Path) -> dict[str, int]:
    """Symbols by name."""
    rows = (line.split() for line in readelf("-sW", image))
    return {row[7]: int(row[1], 16) for row in rows if len(row) == 8 and row[0] != "Num:"}


def at(image: Path, start: int, end: int) -> bytes:
    """The bytes between two addresses, from the section they lie in."""
    for line in readelf("-SW", image):
        row = line.partition("]")[2].split()
        if len(row) < 5 or row[1] != "PROGBITS":
            continue
        address, offset, size = (int(one, 16) for one in row[2:5])
        if address <= start <= end <= address + size:
            place = offset + start - address
            return image.read_bytes()[place : place + end - start]
    raise AssertionError(f"no section holds {start:#x}")


def branches(image: Path, key: str) -> Iterator[int]:
    """Where the kernel has branches of a static key."""
    known = addresses(image)
    table, wanted = known["__start___jump_table"], known[key]
    for index, entry in enumerate(
        ENTRY.iter_unpack(at(image, table, known["__stop___jump_table"]))
    ):
        here = table + index * ENTRY.size
        if (here + 8 + entry[2]) & ~3 == wanted:
            yield here + entry[0]


MOST = 2
"""Two NOPs: one for the allocation, one for the free."""


def test_debugging_that_is_off_costs_its_nops(rendered: Rendered, real_places: Places) -> None:
    """Other branches of the key are off the way: they are for objects that are charged for."""
    able = kernel_with((), rendered, real_places)
    bare = kernel_with(("SLQB_DEBUG=n",), rendered, real_places)
    text = text_of(readelf("-sW", able.image))
    nops = [place for place in map(text.place, branches(able.image, KEY)) if PAIR.match(place)]
    more = pair_of(able, rendered, real_places) - pair_of(bare, rendered, real_places)
    assert len(nops) >= 2, nops
    assert more <= MOST, f"{more} instructions more; NOPs: {', '.join(nops)}"
