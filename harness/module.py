# SPDX-License-Identifier: GPL-2.0
"""Building the guest's kernel modules, out of tree, against one kernel.

kbuild writes where a module's sources lie, so they are copied into the kernel's build folder
first, and only what differs is written: make then compiles only what changed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from harness import child
from harness.diagnostics import diagnostics, told
from harness.errors import BuildError, HarnessError, Outcome, UserError
from harness.file import write_if_changed
from harness.kbuild import Kbuild, held
from harness.kernel import Kernel
from harness.places import Places, made
from harness.progress import Progress

GUEST = "guest"
LOG = "modules.log"


def build_modules(
    kernel: Kernel, source: Path, guest: Path, places: Places, progress: Progress
) -> tuple[Path, ...]:
    """Each folder below `guest` whose Makefile names an obj-m, built; the .ko files."""
    folders = tuple(_module_folders(guest))
    if not folders:
        raise UserError(f"{guest} holds no kernel module: no Makefile below it says obj-m")
    with held(kernel.build, progress):
        return tuple(path for folder in folders for path in _build(kernel, folder, progress))


def commands(kbuild: Kbuild, guest: Path) -> Iterator[str]:
    """What builds them, for a dry run."""
    exported = kbuild.folder / "vmlinux.symvers"
    yield shlex.join(("cp", str(exported), str(exported.with_name("Module.symvers"))))
    for folder in _module_folders(guest):
        copy = kbuild.folder / GUEST / folder.name
        yield f"mkdir -p {copy} && cp -u {folder}/* {copy}"
        yield child.command_line(kbuild.argv(*_words(copy)), kbuild.folder)


def built_modules(build: Path) -> tuple[Path, ...]:
    """Those that were built in the folder of a kernel."""
    return tuple(sorted((build / GUEST).glob("*/*.ko")))


def _words(copy: Path) -> tuple[str, ...]:
    return (f"M={copy}", "W=1", "KCFLAGS=-Werror", "modules")


def _module_folders(guest: Path) -> Iterator[Path]:
    for makefile in sorted(guest.glob("*/Makefile")):
        if "obj-m" in makefile.read_text():
            yield makefile.parent


def _build(kernel: Kernel, folder: Path, progress: Progress) -> tuple[Path, ...]:
    copy = kernel.build / GUEST / folder.name
    copy_sources(folder, copy)
    log = kernel.build / LOG
    log.unlink(missing_ok=True)
    progress.stage(f"module {folder.name}")
    try:
        kernel.kbuild.make(*_words(copy), log=log, outcome=Outcome.BUILD)
    except child.CommandError as error:
        raise _failure(folder, copy, log, error) from error
    progress.done()
    order = (copy / "modules.order").read_text().split()
    return tuple(Path(line).with_suffix(".ko") for line in order)


def copy_sources(folder: Path, copy: Path) -> None:
    """Bring the copy in line with the sources: new content is written, what left is removed."""
    made(copy)
    wanted = {path.name for path in folder.iterdir() if path.is_file()}
    for name in wanted:
        write_if_changed(copy / name, (folder / name).read_bytes())
    for path in copy.glob("*.[chS]"):
        if path.name not in wanted and not path.name.endswith(".mod.c"):
            path.unlink()


def _failure(folder: Path, copy: Path, log: Path, error: child.CommandError) -> HarnessError:
    if error.outcome is not Outcome.BUILD:
        return error
    found = diagnostics(log.read_text(errors="replace").splitlines(), (f"{copy}/",))
    lines = [told(one, None) for one in found if one.kind == "error"] or [error.tail]
    repeat = child.command_line(error.argv, error.cwd)
    return BuildError(
        "\n".join(
            (
                f"cannot build module {folder.name}: {lines[0]}",
                *lines[1:5],
                f"log: {log}",
                f"repeat: {repeat}",
            )
        )
    )
