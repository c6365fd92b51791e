# SPDX-License-Identifier: GPL-2.0
"""Removing large folders of the cache without making anybody wait.

A folder is first renamed to .trash-NUMBER beside where it was. From then on nobody takes it for
what it was, however far its removal came. A process of low priority removes it, which outlives
the command that started it; if it is killed, the next command starts another one.

    python -m harness.trash CACHE              what that process runs

Only real folders inside the cache are renamed or removed, and no symbolic link is followed.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from harness import child
from harness.places import PROJECT

PREFIX = ".trash-"
ROOTS = ("trees", "worktrees", "build", ".")
"""Folders of the cache in which something may have been thrown away, deep down last."""
LOCK = "trash.lock"


def throw(path: Path, cache: Path) -> Path | None:
    """Move a folder or a file of the cache out of the way; its new path, None if it is gone.

    A path outside the cache, or one that leads there by a symbolic link, is a ValueError.
    """
    home = cache.resolve()
    if path.parent.resolve() != home / path.parent.relative_to(cache):
        raise ValueError(f"{path} is reached through a symbolic link")
    if path.is_symlink():
        raise ValueError(f"{path} is a symbolic link")
    target = path.with_name(f"{PREFIX}{uuid.uuid4().hex}")
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    return target


def waiting(cache: Path) -> Iterator[Path]:
    """What was thrown away and is still there."""
    for root in ROOTS:
        yield from _thrown(cache / root)
    with suppress(OSError):
        for folder in os.scandir(cache / "build"):
            if folder.is_dir(follow_symlinks=False):
                yield from _thrown(Path(folder.path))


def _thrown(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        if folder.is_symlink():
            return
        for entry in sorted(os.scandir(folder), key=lambda one: one.name):
            if entry.name.startswith(PREFIX) and not entry.is_symlink():
                yield Path(entry.path)


def destroy(path: Path) -> None:
    """Remove what was thrown away; what cannot be removed stays."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def empty(cache: Path) -> bool:
    """Remove all that was thrown away; False if another process does that already."""
    if next(waiting(cache), None) is None:
        return True
    try:
        with FileLock(cache / LOCK, timeout=0):
            seen: set[Path] = set()
            while found := [path for path in waiting(cache) if path not in seen]:
                for path in found:
                    seen.add(path)
                    destroy(path)
    except Timeout:
        return False
    return True


def empty_later(cache: Path) -> None:
    """Have it removed by a process of its own, if there is anything."""
    if next(waiting(cache), None) is not None:
        child.detach((sys.executable, "-m", "harness.trash", cache), cwd=PROJECT)


def main(cache: str) -> None:
    """The process of low priority."""
    os.nice(19)
    with suppress(OSError):
        empty(Path(cache))


if __name__ == "__main__":
    main(*sys.argv[1:])
