# SPDX-License-Identifier: GPL-2.0
"""The cache does not grow with everything that was ever looked at or built.

What was not used for longer than the quota's age goes, and then, least recently used first, what
exceeds its size. What somebody uses stays, whatever the quota says, and so does what was used
within the last hour. All that goes can be made again.

    python -m harness.eviction CACHE LIMIT AGE          what the background process runs

That process is started after a tree was taken in, and by other commands at most once an hour. It
outlives them, works with the lowest priority, and may be killed at any moment (trash.py).
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from harness import child, lease, trash
from harness.holding import (
    BUILD,
    FOREIGN,
    TRASH,
    TREE,
    WORKTREE,
    Holding,
    files_of,
    holdings,
    is_in_use,
    sized,
)
from harness.places import PROJECT, Places
from harness.quota import Quota

RECENT = 3600.0
"""Seconds after its last use in which nothing goes by itself."""
OFTEN = 3600.0
"""Seconds between two looks at the cache."""
STAMP = "tidied"
FIRST = (BUILD, WORKTREE, TREE)
"""Of things used at the same time, what costs least to make again goes first."""


def lease_of(name: str, places: Places) -> Path:
    """The file that stands for the use of a tree."""
    return places.trees / f"{name}.lock"


def too_old(held: Iterable[Holding], age: float | None, now: float) -> tuple[Holding, ...]:
    """What was not used for `age` seconds."""
    if age is None:
        return ()
    return tuple(one for one in _in_order(held) if now - one.used > age)


def too_much(
    held: Sequence[Holding], limit: int | None, now: float, recent: float = RECENT
) -> tuple[Holding, ...]:
    """What must go for the rest of what is ours to take `limit` bytes at most.

    Trash does not count: it goes anyway.
    """
    total = sum(one.size for one in held if one.kind not in (TRASH, FOREIGN))
    going: list[Holding] = []
    for one in _in_order(held):
        if limit is None or total <= limit:
            break
        if one in going or now - one.used < recent:
            continue
        gone = [one, *(other for other in held if one.holds(other) and other not in going)]
        total -= sum(each.size for each in gone)
        going += gone
    return tuple(going)


def _in_order(held: Iterable[Holding]) -> list[Holding]:
    """Those that may go, the first to go first."""
    able = [one for one in held if one.evictable and not one.in_use]
    return sorted(able, key=lambda one: (one.used, FIRST.index(one.kind), one.name))


def look(places: Places) -> tuple[Holding, ...]:
    """All that the cache holds, with sizes, and whether it is in use."""
    return tuple(replace(sized(one), in_use=is_in_use(one, places)) for one in holdings(places))


def remove(going: Iterable[Holding], places: Places) -> Iterator[Holding]:
    """Throw things away that nobody uses, with what is good for nothing without them.

    Yields what went; the space is free when the trash is emptied.
    """
    held = holdings(places)
    used = {one.path: one.used for one in held}
    for one in going:
        if used.get(one.path, 0.0) > one.used:
            continue  # somebody used it meanwhile
        for each in (*(other for other in held if one.holds(other)), one):
            if each.path.is_dir() and _remove(each, places):
                yield each


def _remove(holding: Holding, places: Places) -> bool:
    """One thing, alone; False if somebody uses it."""
    file = lease_of(holding.owner, places) if holding.owner else None
    if file and (lease.is_held(file) or not lease.claim(file)):
        return False
    try:
        return _thrown(holding, places)
    finally:
        if file:
            lease.release(file)


def _thrown(holding: Holding, places: Places) -> bool:
    lock = holding.path.with_name(f"{holding.path.name}.lock")
    if holding.kind not in (BUILD, WORKTREE):
        return _thrown_alone(holding, places)
    try:
        with FileLock(lock, timeout=0):
            return _thrown_alone(holding, places)
    except Timeout:
        return False


def _thrown_alone(holding: Holding, places: Places) -> bool:
    """The record first: without it the thing is not there."""
    *records, path = files_of(holding)
    for record in records:
        record.unlink(missing_ok=True)
    return trash.throw(path, places.cache) is not None


def evict(places: Places, quota: Quota, now: float | None = None) -> tuple[Holding, ...]:
    """Keep the quota; returns what went. The caller empties the trash."""
    now = time.time() if now is None else now
    held = look(places)
    old = too_old(held, None if quota.age is None else max(quota.age, RECENT), now)
    gone = list(remove(old, places))
    left = [one for one in held if one.name not in {each.name for each in gone}]
    much = too_much(left, quota.limit, now)
    return (*gone, *remove(much, places))


def evict_later(places: Places, *, grown: bool = False) -> None:
    """Have the quota kept by a process of its own, if it is time for that.

    `grown` says that something large was put into the cache just now.
    """
    with suppress(OSError):
        if grown or _is_due(places.cache):
            _touch(places.cache)
            words = (str(places.quota.limit), str(places.quota.age))
            argv = (sys.executable, "-m", "harness.eviction", places.cache, *words)
            child.detach(argv, cwd=PROJECT)
        else:
            trash.empty_later(places.cache)


def _is_due(cache: Path) -> bool:
    """Whether nobody looked for a while; a cache that is new can wait."""
    if not (cache / "trees").is_dir():
        return False
    try:
        return time.time() - (cache / STAMP).stat().st_mtime > OFTEN
    except FileNotFoundError:
        _touch(cache)
        return False


def _touch(cache: Path) -> None:
    (cache / STAMP).touch()


def main(cache: str, limit: str, age: str) -> None:
    """The process of low priority."""
    os.nice(19)
    none = str(None)
    quota = Quota(None if limit == none else int(limit), None if age == none else float(age))
    places = Places(Path(cache), Path(cache) / "runs")
    with suppress(OSError):
        evict(places, quota)
        trash.empty(places.cache)


if __name__ == "__main__":
    main(*sys.argv[1:])
