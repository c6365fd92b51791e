# SPDX-License-Identifier: GPL-2.0
"""What the cache holds, thing by thing: kind, size, last use, and whether somebody uses it.

cache/trees/NAME           kind tree       with NAME.json; NAME.lock is the lease (lease.py)
cache/worktrees/TREE-LABEL kind worktree   with .json and .lock
cache/build/SOURCE/KERNEL  kind build      SOURCE names a worktree or a tree
cache/ccache               kind ccache
cache/trees/store.git, trees/packages, facts, ...   kind kept: small, or not to be had again
.trash-*                   kind trash      thrown away, not removed yet (trash.py)

Anything else is foreign: shown, and never touched. So is whatever is a symbolic link.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import lease, trash
from harness.places import Places

TREE, WORKTREE, BUILD, CCACHE = "tree", "worktree", "build", "ccache"
KEPT, TRASH, FOREIGN = "kept", "trash", "foreign"
GROUPS = ("trees", "worktrees", "build")
OURS = frozenset({"facts", "probe", "core", "bench", "tests.door", "tests.lock", "tidied"})
OURS_OF_TREES = frozenset({"store.git", "packages", "seen", "scan"})
PASSING = ("tmp-", "apply-", "mails-")
"""How names of what a command needs only while it runs begin."""
BLOCK = 512
SIGNS = ("requested.config", "src", ".config", "build.log")
"""Any of these shows that a folder is one that we build a kernel in."""


@dataclass(frozen=True)
class Holding:
    """One thing in the cache."""

    kind: str
    name: str
    path: Path
    used: float
    """When it was last used: seconds since 1970."""
    owner: str = ""
    """The tree whose lease stands for its use."""
    size: int = 0
    """Bytes on the disk, as far as they were counted."""
    in_use: bool = False

    @property
    def evictable(self) -> bool:
        """Whether it is ours to remove, and can be made again."""
        return self.kind in (TREE, WORKTREE, BUILD)

    def holds(self, other: "Holding") -> bool:
        """Whether the other one is good for nothing without this one."""
        if self.kind == TREE:
            return other.owner == self.name and other.kind in (WORKTREE, BUILD)
        return self.kind == WORKTREE and other.kind == BUILD and _source(other) == self.name


def holdings(places: Places) -> tuple[Holding, ...]:
    """All of it, sizes not counted."""
    if not places.cache.is_dir():
        return ()
    trees = tuple(sorted(path.stem for path in (places.cache / "trees").glob("*.json")))
    known = tuple(sorted(path.stem for path in (places.cache / "trees").glob("*.lock")))
    owners = tuple({*trees, *known})
    return (
        *_trees(places.cache / "trees", trees, owners),
        *_worktrees(places.cache / "worktrees", owners),
        *_builds(places.cache / "build", owners),
        *_others(places.cache),
    )


def sized(holding: Holding) -> Holding:
    """The same with its size counted."""
    return replace(holding, size=size_of(holding.path))


def size_of(path: Path) -> int:
    """Bytes on the disk of a file or of a folder with all in it, links not followed."""
    seen: set[tuple[int, int]] = set()
    waiting, total = [path], 0
    while waiting:
        place = waiting.pop()
        try:
            status = place.lstat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            if status.st_nlink > 1:
                seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * BLOCK
            if place.is_dir() and not place.is_symlink():
                total += _size_inside(place, waiting, seen)
        except OSError:
            continue
    return total


def _size_inside(folder: Path, waiting: list[Path], seen: set[tuple[int, int]]) -> int:
    """The files of a folder; folders in it go on the list."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
                continue
            status = entry.stat(follow_symlinks=False)
            key = (status.st_dev, status.st_ino)
            if status.st_nlink > 1 and key in seen:
                continue
            if status.st_nlink > 1:
                seen.add(key)
            total += status.st_blocks * BLOCK
    return total


def files_of(holding: Holding) -> tuple[Path, ...]:
    """What goes with it: the record first, for without it the thing is not there.

    Lock files stay: a lock on a file that somebody removed guards nothing.
    """
    if holding.kind in (TREE, WORKTREE):
        return (holding.path.with_name(f"{holding.path.name}.json"), holding.path)
    return (holding.path,)


def is_in_use(holding: Holding, places: Places) -> bool:
    """Whether a process, perhaps this one, uses it, or the tree it belongs to."""
    if not holding.owner:
        return False
    file = places.cache / "trees" / f"{holding.owner}.lock"
    return file.is_file() and lease.is_in_use(file)


def _trees(root: Path, trees: Sequence[str], owners: Sequence[str]) -> Iterator[Holding]:
    for path in _entries(root):
        if path.name in OURS_OF_TREES and not path.is_symlink():
            yield Holding(KEPT, f"trees/{path.name}", path, _time(path))
        elif path.is_dir() and not path.is_symlink() and path.name in owners:
            used = _latest(root / f"{path.name}.lock", path if path.name not in trees else None)
            yield Holding(TREE, path.name, path, used, path.name)
        elif not _is_beside(path, owners) and not path.name.startswith(
            ("tmp-", "apply-", "mails-")
        ):
            yield from _strange(path, f"trees/{path.name}", {"import.lock", "store.lock"})


def _worktrees(root: Path, owners: Sequence[str]) -> Iterator[Holding]:
    names = [path.name for path in _entries(root) if path.is_dir() and not path.is_symlink()]
    for path in _entries(root):
        owner = owner_of(path.name, owners)
        if path.name in names and owner and owner != path.name:
            beside = [root / f"{path.name}.{end}" for end in ("lock", "json")]
            yield Holding(WORKTREE, path.name, path, _latest(*beside, path), owner)
        elif not _is_beside(path, names) and not (owner and path.suffix in (".lock", ".json")):
            yield from _strange(path, f"worktrees/{path.name}", ())


def _builds(root: Path, owners: Sequence[str]) -> Iterator[Holding]:
    for source in _entries(root):
        owner = owner_of(source.name, owners)
        if not owner or not source.is_dir() or source.is_symlink():
            yield from _strange(source, f"build/{source.name}", ())
            continue
        names = [path.name for path in _entries(source) if path.is_dir()]
        for path in _entries(source):
            name = f"{source.name}/{path.name}"
            if path.is_dir() and not path.is_symlink() and _is_build(path):
                used = _latest(path.with_name(f"{path.name}.lock"), path)
                yield Holding(BUILD, name, path, used, owner)
            elif not _is_beside(path, names) and path.suffix != ".lock":
                yield from _strange(path, f"build/{name}", ())


def _others(cache: Path) -> Iterator[Holding]:
    for path in _entries(cache):
        if path.name in GROUPS and path.is_dir() and not path.is_symlink():
            continue
        if path.name == "ccache" and not path.is_symlink():
            newest = max((_time(one) for one in _entries(path)), default=_time(path))
            yield Holding(CCACHE, path.name, path, newest)
        elif path.name in OURS and not path.is_symlink():
            yield Holding(KEPT, path.name, path, _time(path))
        else:
            yield from _strange(path, path.name, {trash.LOCK})


def _strange(path: Path, name: str, known: Sequence[str] | set[str]) -> Iterator[Holding]:
    """What is trash, or not ours."""
    if path.name in known:
        return
    ours = path.name.startswith(trash.PREFIX) and not path.is_symlink()
    yield Holding(TRASH if ours else FOREIGN, name, path, _time(path))


def _entries(folder: Path) -> list[Path]:
    """What is in a folder of the cache, by name; nothing, if it is a link to elsewhere."""
    if folder.is_symlink():
        return []
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def owner_of(name: str, trees: Sequence[str]) -> str:
    """The tree that a worktree or the folder of its builds is named after; "" if there is none."""
    fitting = (tree for tree in trees if name == tree or name.startswith(f"{tree}-"))
    return max(fitting, key=len, default="")


def _is_beside(path: Path, names: Sequence[str]) -> bool:
    """Whether it is the record or the lock of one of these."""
    return path.suffix in (".json", ".lock") and path.stem in names and not path.is_symlink()


def _is_build(folder: Path) -> bool:
    if folder.name.startswith(trash.PREFIX):
        return False
    return any(os.path.lexists(folder / sign) for sign in SIGNS) or not any(folder.iterdir())


def _source(build: Holding) -> str:
    return build.name.partition("/")[0]


def _latest(*paths: Path | None) -> float:
    return max((_time(path) for path in paths if path is not None), default=0.0)


def _time(path: Path) -> float:
    """When it changed last; one that lies in the future is a clock's mistake and counts as now."""
    try:
        return min(path.lstat().st_mtime, time.time())
    except OSError:
        return 0.0
