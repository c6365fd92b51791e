# SPDX-License-Identifier: GPL-2.0
"""What the compiler cache's own log adds up to."""

from __future__ import annotations

from pathlib import Path

from harness.ccache import CacheUse, cache_use, read_cache_use

LOG = """\
# src/mm/slqb.c
direct_cache_miss
preprocessed_cache_miss
cache_miss
# /dev/null
cache_miss
# src/mm/util.c
direct_cache_hit
local_storage_hit
# src/mm/swap.c
preprocessed_cache_hit
"""


def test_objects_are_counted_and_option_trials_are_not() -> None:
    assert cache_use(LOG.splitlines()) == CacheUse(hits=2, misses=1)


def test_told_in_one_clause() -> None:
    assert str(CacheUse(2, 1)) == "2 of 3 from ccache"


def test_without_a_log_nothing_is_claimed(tmp_path: Path) -> None:
    assert read_cache_use(tmp_path / "none") is None
