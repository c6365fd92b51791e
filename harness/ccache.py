# SPDX-License-Identifier: GPL-2.0
"""What the compiler cache did for one build, from the log of results it can be told to keep.

log:     record*         record: '# ' input-file NEWLINE result*
result:  'direct_cache_hit' | 'preprocessed_cache_hit' | 'cache_miss' | other

kbuild tries compiler options by compiling /dev/null; these are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HITS = ("direct_cache_hit", "preprocessed_cache_hit")
MISS = "cache_miss"


@dataclass(frozen=True)
class CacheUse:
    """Objects taken from the cache, and objects compiled."""

    hits: int
    misses: int

    def __str__(self) -> str:
        return f"{self.hits} of {self.hits + self.misses} from ccache"


def cache_use(lines: Iterable[str]) -> CacheUse:
    """Count the results of the log's records."""
    hits = misses = 0
    counts = True
    for line in lines:
        word = line.strip()
        if word.startswith("#"):
            counts = not word.endswith("/dev/null")
        elif counts:
            hits += word in HITS
            misses += word == MISS
    return CacheUse(hits, misses)


def read_cache_use(log: Path) -> CacheUse | None:
    """The log's sum; None when no compiler cache wrote one."""
    return cache_use(log.read_text().splitlines()) if log.is_file() else None
