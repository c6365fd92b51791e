# SPDX-License-Identifier: GPL-2.0
"""How long the allocator keeps interrupts disabled, in the guest's own time.

A tracer in the guest would measure itself, and under plain TCG the host. So the guest is left
alone and the emulator counts: with `-icount shift=0` an instruction takes a nanosecond of
virtual time, and a plugin (qemu/plugins/irqsoff.c) counts those between the CLI and the STI of
one file's functions. With one CPU that is exact, and the same boot gives the same numbers.

listing: what `readelf -sW` prints     report: ('irqsoff' longest count from to | other)*
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import child
from harness.errors import UserError
from harness.measure import Measure
from harness.places import PROJECT

SOURCE = PROJECT / "qemu" / "plugins" / "irqsoff.c"
COMPILE = ("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden")
ALLOCATORS = ("slqb.c", "slub.c", "slab.c", "slob.c")
LOCKS = ("__lock_text_start", "__lock_text_end")
REPORT, PLUGIN = "irqsoff.txt", "irqsoff.so"
LONGEST = "irqs_off_longest"
OURS = re.compile("slab|kmem|k[mz]?alloc|kfree|ksize|cache_free")
"""What the functions of an allocator that others may call are named after."""


@dataclass(frozen=True, order=True)
class Symbol:
    """A function; `file` only if nobody else may call it."""

    address: int
    size: int
    name: str
    file: str = ""


@dataclass(frozen=True)
class Range:
    """Addresses from `start` up to, and without, `end`."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.start:x}:{self.end:x}"


@dataclass(frozen=True, order=True)
class Stretch:
    """The longest there was between two places, and how many there were."""

    longest: int
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class Text:
    """The kernel's functions, as far as the plugin needs to know them."""

    functions: tuple[Symbol, ...]
    locks: Range

    def part(self) -> Range:
        """The allocator's functions, which lie together: the file's own, then the exported."""
        own = [index for index, one in enumerate(self.functions) if one.file in ALLOCATORS]
        if not own:
            raise UserError("this kernel's symbols do not say where its allocator is")
        start = self.functions[own[0]]
        together = list(itertools.takewhile(_may_belong, self.functions[own[0] :]))
        while not _belongs(together[-1]):
            together.pop()
        return Range(start.address, together[-1].address + together[-1].size)

    def place(self, address: int) -> str:
        """The function an address lies in."""
        names = (
            f"{one.name}+{address - one.address:#x}"
            for one in self.functions
            if one.address <= address < one.address + one.size
        )
        return next(names, f"{address:#x}")


def _may_belong(function: Symbol) -> bool:
    """Whether a function behind the allocator's is not known to be another file's."""
    return function.file in ("", *ALLOCATORS)


def _belongs(function: Symbol) -> bool:
    """Whether it is the allocator's, by its file or its name."""
    return function.file in ALLOCATORS or OURS.search(function.name) is not None


def text_of(listing: Iterable[str]) -> Text:
    """The functions of a kernel, from its symbol table."""
    functions, marks, file = [], dict[str, int](), ""
    for row in map(str.split, listing):
        if len(row) != 8 or not row[0].endswith(":"):
            continue
        _, address, size, kind, binding, _, _, name = row
        if kind == "FILE":
            file = name
        elif kind == "FUNC":
            local = file if binding == "LOCAL" else ""
            functions.append(Symbol(int(address, 16), int(size, 0), name, local))
        elif name in LOCKS:
            marks[name] = int(address, 16)
    if len(marks) != len(LOCKS):
        raise UserError("this kernel's symbols do not say where its spin locks are")
    return Text(tuple(sorted(functions)), Range(*(marks[name] for name in LOCKS)))


def stretches(report: Iterable[str]) -> Iterator[Stretch]:
    """What the plugin found."""
    for row in map(str.split, report):
        if row[:1] == ["irqsoff"]:
            _, longest, count, start, end = row
            yield Stretch(int(longest), int(count), int(start, 16), int(end, 16))


def prepare(kernel: Path, folder: Path) -> tuple[str, ...]:
    """Build the plugin into a boot's folder; QEMU's words for it."""
    plugin, report = folder / PLUGIN, folder / REPORT
    text = _text(kernel, folder)
    child.run([*COMPILE, "-o", str(plugin), str(SOURCE)], cwd=folder, timeout=60)
    return ("-plugin", f"{plugin},out={report},part={text.part()},locks={text.locks}")


def measured(kernel: Path, folder: Path) -> dict[str, Measure]:
    """What is kept of the plugin's report; nothing if QEMU was ended before it wrote one."""
    report = folder / REPORT
    found = list(stretches(report.read_text().splitlines())) if report.is_file() else []
    if not found:
        return {}
    text, most = _text(kernel, folder), max(found)
    where = f"{text.place(most.start)} to {text.place(most.end)}"
    return {LONGEST: Measure(value=most.longest, unit="ns", where=where)}


def _text(kernel: Path, folder: Path) -> Text:
    return text_of(child.run(["readelf", "-sW", str(kernel)], cwd=folder, timeout=60).splitlines())
