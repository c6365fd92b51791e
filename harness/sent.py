# SPDX-License-Identifier: GPL-2.0
"""Versions of a series that were sent: tags in the private store, refs/tags/sent/CHANGE-ID-vN.

A tag stands on the last commit of that version. It holds the commits for good, which is what a
range-diff of the next version needs.
"""

import re

from harness.posting import Posting
from harness.store import Store


def tag_of(change_id: str, version: int) -> str:
    """The ref of a version."""
    return f"refs/tags/sent/{change_id}-v{version}"


def latest(store: Store, change_id: str) -> int:
    """The number of the last version that was sent; 0 if none was."""
    refs = store.git("for-each-ref", "--format=%(refname)", f"refs/tags/sent/{change_id}-v*")
    numbers = (re.fullmatch(rf"{tag_of(change_id, 0)[:-1]}(\d+)", ref) for ref in refs.split())
    return max((int(found[1]) for found in numbers if found), default=0)


def keep_sent(store: Store, change_id: str, version: int, tip: str) -> None:
    """Remember what was sent."""
    store.point(tag_of(change_id, version), tip)


def range_diff(posting: Posting, before: int) -> str:
    """What changed since a version that was sent, as `git range-diff` tells it in brief."""
    store, tag = posting.store, tag_of(posting.series.change_id, before)
    first = store.git(
        "rev-list", "--max-parents=1", "--reverse", tag, "--not", "--glob=refs/bases/*"
    )
    old = first.split()
    base = store.git("rev-parse", f"{old[0]}^").strip()
    spans = (f"{base}..{tag}", f"{posting.tree.base}..{posting.tip}")
    return store.git("range-diff", "--no-color", "--creation-factor=80", *spans).strip("\n")
