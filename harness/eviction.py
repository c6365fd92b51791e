# SPDX-License-Identifier: GPL-2.0
"""The cache does not grow with every tree that was ever looked at.

Of trees that people work on, checkouts and directories, those used last are kept; the others go,
with their worktrees and builds, unless somebody uses them now. All of it can be made again.
"""

from pathlib import Path

from harness import lease
from harness.places import Places
from harness.progress import Progress
from harness.store import discard

KEPT = 4
KINDS = ("git-", "dir-")


def lease_of(name: str, places: Places) -> Path:
    """The file that stands for the use of a tree."""
    return places.trees / f"{name}.lock"


def evict(places: Places, progress: Progress, kept: int = KEPT) -> None:
    """Make room; the caller holds the lock on imports."""
    records = [path for path in places.trees.glob("*.json") if path.name.startswith(KINDS)]
    records.sort(key=lambda path: _last_used(path, places), reverse=True)
    for record in records[kept:]:
        file = lease_of(record.stem, places)
        if not lease.is_held(file) and lease.claim(file):
            _remove(record, places, progress)
            lease.release(file)


def _last_used(record: Path, places: Places) -> float:
    file = lease_of(record.stem, places)
    return (file if file.exists() else record).stat().st_mtime


def _remove(record: Path, places: Places, progress: Progress) -> None:
    """The record first: without it the tree is not there."""
    name = record.stem
    progress.stage(f"remove {name}, not used any more")
    record.unlink()
    discard(record.with_name(name))
    for root in (places.worktrees, places.builds):
        for path in (*root.glob(name), *root.glob(f"{name}-*")):
            discard(path) if path.is_dir() else path.unlink(missing_ok=True)
    progress.done()
