# SPDX-License-Identifier: GPL-2.0
"""Orders, batches and watermarks of every size; what 4096 CPUs and 1024 nodes may hold."""

from __future__ import annotations

import re
import subprocess

import pytest

from harness.places import Places
from harness.worktree import Mutation
from tests.core.build import build

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def told(places: Places, variant: str) -> dict[str, int]:
    """What `core --arithmetic` says once it has checked every size."""
    argv = (str(build(places, variant) / "core"), "--arithmetic")
    words = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


@pytest.mark.parametrize("pages", ["4k", "16k", "64k"])
def test_what_a_cache_may_hold_is_bounded(pages: str, real_places: Places) -> None:
    said = told(real_places, f"{pages}-large")
    assert (said["cpus"], said["nodes"]) == (4096, 1024)
    assert said["page"] == int(pages[:-1]) * KIB
    # Of the two queues and the batch of a CPU: 1 MiB, 1 MiB, 256 KiB, and a piece more.
    assert said["queued_cpu"] <= 2 * MIB + 256 * KIB + 32 * said["page"]
    assert said["queued_node"] <= 2 * MIB + 32 * said["page"]
    bound = 4096 * said["queued_cpu"] + 1024 * said["queued_node"]
    assert said["queued_all"] == bound


def test_what_a_cache_costs(real_places: Places) -> None:
    said = told(real_places, "4k-large")
    assert said["cpu"] <= 512
    assert said["node"] <= 512
    # The pointers to the nodes' lists: no word that there is for each CPU and each node
    assert said["cache"] <= 256 + 8 * said["nodes"]


ONE_TOO_HIGH = {
    "for an object": (
        r"order < MAX_ORDER \? order : -E2BIG",
        "order <= MAX_ORDER ? order : -E2BIG",
    ),
    "at boot": (r"(\*order = min_t\(unsigned int, \*order, MAX_ORDER) - 1\)", r"\1)"),
}


@pytest.mark.parametrize("where", ONE_TOO_HIGH)
def test_a_largest_order_that_is_one_too_high_is_seen(where: str, real_places: Places) -> None:
    fault = Mutation("mm/slqb.c", *ONE_TOO_HIGH[where])
    program = build(real_places, "plain", (fault,)) / "core"
    done = subprocess.run(
        (str(program), "--arithmetic"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.search(r"^core: (an object of \d+ bytes has order 11|order 99 is taken)", done.stderr)
