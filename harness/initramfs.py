# SPDX-License-Identifier: GPL-2.0
"""The guest's initramfs: a static /init, the tool of the series, the tree's own test programs,
the test modules, and what the configuration borrows from the host, in a cpio archive.

archive:  entry* trailer       entry: header name padding content padding
header:   '070701' and 13 numbers of 8 hexadecimal digits

The same content gives the same bytes: entries sorted, owned by root, dated 1970, inodes
counted. The writer is our own because the format is this small, cpio(1) takes neither
owners nor times from anywhere but the file system, and usr/gen_init_cpio would have to be
built from each tree.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness import child
from harness.arch import load_arch
from harness.borrow import borrowed, programs_of
from harness.diagnostics import diagnostics, told
from harness.errors import BuildError, HarnessError, Outcome
from harness.file import write_if_changed
from harness.kbuild import Kbuild, held
from harness.kernel import Kernel
from harness.module import built_modules
from harness.places import PROJECT, Places
from harness.progress import Progress

FOLDERS = ("dev", "proc", "sys", "tmp")
TRAILER = "TRAILER!!!"
IMAGE = "initramfs.cpio"
LOG = "init.log"
TOOL = "slqbinfo"
PROGRAMS = "init"


@dataclass(frozen=True)
class Entry:
    """A folder, a file or a device node of the archive."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


CONSOLE = Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
"""The kernel opens it for /init before anything is mounted."""


def build_initramfs(
    kernel: Kernel, modules: Sequence[Path], guest: Path, places: Places, progress: Progress
) -> Path:
    """Compile /init from `guest`, and pack it with programs in /bin and modules in /lib."""
    with held(kernel.build, progress):
        init, tools = _build_programs(kernel, guest)
        image = kernel.build / IMAGE
        more = borrowed(programs_of(kernel.spec.config), load_arch(kernel.spec.arch).host)
        write_if_changed(image, archive(entries(init, modules, tools, more)))
    return image


def commands(kbuild: Kbuild, guest: Path) -> tuple[str, ...]:
    """What makes it, for a dry run; the modules are built before."""
    pack = (sys.executable, "-m", "harness.initramfs", kbuild.folder)
    return (
        child.command_line(_make_programs(kbuild, guest), kbuild.folder),
        child.command_line(pack, PROJECT),
    )


def _make_programs(kbuild: Kbuild, guest: Path) -> tuple[str, ...]:
    """The command; make finds the source of slqbinfo where the tree under test has it."""
    out, tool = kbuild.folder / PROGRAMS, kbuild.source / f"tools/*/{TOOL}.c"
    tree = (f"LINUX={kbuild.source}", f"CONFIG={kbuild.config}", f"TOOL=$(wildcard {tool})")
    return ("make", "-C", str(guest), f"OUT={out}", f"CC={kbuild.tools.cc}", *tree)


def _build_programs(kernel: Kernel, guest: Path) -> tuple[Path, tuple[Path, ...]]:
    """/init, and the tools there are."""
    log = kernel.build / LOG
    log.unlink(missing_ok=True)
    argv, environment = _make_programs(kernel.kbuild, guest), kernel.kbuild.environment
    try:
        child.run(argv, cwd=kernel.build, log=log, env=environment, outcome=Outcome.BUILD)
    except child.CommandError as error:
        raise _failure(log, error) from error
    return _programs(kernel.build)


def _programs(build: Path) -> tuple[Path, tuple[Path, ...]]:
    folder = build / PROGRAMS
    return folder / "init", tuple(sorted((*folder.glob(TOOL), *folder.glob("test_*"))))


def _failure(log: Path, error: child.CommandError) -> HarnessError:
    if error.outcome is not Outcome.BUILD:
        return error
    found = diagnostics(log.read_text(errors="replace").splitlines())
    lines = [told(one, None) for one in found if one.kind == "error"] or [error.tail]
    repeat = child.command_line(error.argv, error.cwd)
    return BuildError(f"cannot build the guest's init: {lines[0]}\nlog: {log}\nrepeat: {repeat}")


def entries(
    init: Path,
    modules: Iterable[Path],
    tools: Iterable[Path] = (),
    borrowed: Mapping[str, Path] = MappingProxyType({}),
) -> tuple[Entry, ...]:
    """What the guest finds when it starts."""
    files = [Entry("init", stat.S_IFREG | 0o755, init.read_bytes()), CONSOLE]
    for tool in tools:
        files.append(Entry(f"bin/{tool.name}", stat.S_IFREG | 0o755, tool.read_bytes()))
    for module in modules:
        files.append(Entry(f"lib/{module.name}", stat.S_IFREG | 0o644, module.read_bytes()))
    for name, path in borrowed.items():
        files.append(Entry(name, stat.S_IFREG | 0o755, path.read_bytes()))
    names = {*FOLDERS, *(str(parent) for one in files for parent in Path(one.name).parents)} - {"."}
    folders = (Entry(name, stat.S_IFDIR | 0o755) for name in names)
    return tuple(sorted((*folders, *files), key=lambda one: one.name))


def archive(content: Iterable[Entry]) -> bytes:
    """The entries as a newc archive."""
    return b"".join(_records((*content, Entry(TRAILER, 0))))


def _records(content: Iterable[Entry]) -> Iterator[bytes]:
    for inode, entry in enumerate(content, start=1):
        name = entry.name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        numbers = (inode, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0)
        header = "070701" + "".join(f"{one:08X}" for one in (*numbers, *entry.device, len(name), 0))
        yield _padded(header.encode() + name)
        yield _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _main(folder: str) -> None:
    """Pack what was built there, as the command of a dry run does."""
    build = Path(folder)
    init, tools = _programs(build)
    write_if_changed(build / IMAGE, archive(entries(init, built_modules(build), tools)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
