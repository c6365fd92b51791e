# SPDX-License-Identifier: GPL-2.0
"""A finished build is sealed: make has nothing to do until something that it would look at changes.

BUILD/sealed holds a digest of all of that: the command line and its environment, the programs that
it starts, every file of the source by size and times, .config, and what came out. make takes four
seconds of processor to find as much; to walk the source takes a tenth of it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.arch import SYMBOLS
from harness.kbuild import Kbuild

SEAL = "sealed"
MADE = (
    *(SYMBOLS, "vmlinux.symvers", "Module.symvers", "System.map"),
    *("include/config/kernel.release", "include/generated/autoconf.h"),
)
"""What a build leaves for others, beside .config and the image."""


def sources(kbuild: Kbuild, argv: Iterable[str]) -> str:
    """All that goes into a build; taken before make runs, so that what changes meanwhile counts."""
    digest = hashlib.sha256()
    settings = (f"{name}={value}" for name, value in sorted(kbuild.environment.items()))
    for word in (*argv, *settings, os.environ.get("PATH", ""), kbuild.tools.version):
        digest.update(f"{word}\n".encode())
    for line in (*map(_stamp, _programs(kbuild)), *_walk(kbuild.source)):
        digest.update(line.encode())
    return digest.hexdigest()


def is_sealed(kbuild: Kbuild, made_from: str, image: Path) -> bool:
    """Whether the last build was made from that, and all of it is still there."""
    try:
        return (kbuild.folder / SEAL).read_text() == _seal(kbuild, made_from, image)
    except FileNotFoundError:
        return False


def seal(kbuild: Kbuild, made_from: str, image: Path) -> None:
    """A build went well."""
    (kbuild.folder / SEAL).write_text(_seal(kbuild, made_from, image))


def unseal(kbuild: Kbuild) -> None:
    """It is in doubt."""
    (kbuild.folder / SEAL).unlink(missing_ok=True)


def _seal(kbuild: Kbuild, made_from: str, image: Path) -> str:
    made = (kbuild.folder / name for name in MADE)
    stamps = map(_stamp, (kbuild.config, image, *(file for file in made if file.is_file())))
    return f"{made_from}\n{''.join(stamps)}"


def _programs(kbuild: Kbuild) -> Iterator[Path]:
    """The compilers and binary tools, of the target and of the host."""
    prefixes = dict.fromkeys((kbuild.tools.prefix, ""))
    names = (f"{prefix}{name}" for prefix in prefixes for name in ("gcc", "ld", "as", "objcopy"))
    for name in (*names, "make"):
        if found := shutil.which(name):
            yield Path(found).resolve()


def _stamp(file: Path) -> str:
    return _line(str(file), file.stat())


def _walk(folder: Path) -> Iterator[str]:
    """Every file below it, in an order of its own."""
    waiting = [str(folder)]
    while waiting:
        at = waiting.pop()
        # another process may render meanwhile: what it takes away is no reason to stop
        try:
            with os.scandir(at) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except FileNotFoundError:
            yield f"{at} is gone\n"
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                yield _there(entry)


def _there(entry: os.DirEntry[str]) -> str:
    try:
        return _line(entry.path, entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return f"{entry.path} is gone\n"


def _line(name: str, status: os.stat_result) -> str:
    return f"{name} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}\n"
