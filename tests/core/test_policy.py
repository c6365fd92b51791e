# SPDX-License-Identifier: GPL-2.0
"""Tasks that say which nodes their memory comes from: they fill a slab before they take the next.

N allocations use at most N / (objects in a slab) slabs and one for each node, whatever the policy
names and whichever nodes have no memory left.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest

from harness.places import Places
from harness.worktree import Mutation
from tests.core.build import build
from tests.core.test_model import Core

OBJECTS = 40  # of 64 bytes: they fit into one slab
ANY_NODE = Mutation(
    "mm/slqb.c",
    r"^\treturn try_new_slab\(s, gfp, node_home\(mempolicy_slab_node\(\)\)\);",
    "\treturn take_from_new_slab(s, gfp, NUMA_NO_NODE);",
)
"""A new slab from wherever the page allocator finds one, for a task with a policy."""


def dry_nodes(nodes: int) -> Iterator[tuple[int, ...]]:
    """Each choice of nodes that have no memory left; one at least has some."""
    return chain.from_iterable(combinations(range(nodes), count) for count in range(nodes))


def slabs_taken(program: Path, nodes: int, dry: tuple[int, ...], policy: int) -> int:
    """Slabs that OBJECTS allocations take on CPU 0, with the nodes of a mask as its policy."""
    with Core(program) as core:
        core("boot", 1, nodes, nodes)
        core("create", 0, 4096, 0, 0, 0)
        core("create", 1, 64, 0, 0, 0)
        for node in dry:
            while core("alloc", node, 0, node, "t")[:1] != ["none"]:
                pass
        core("policy", policy)
        for _ in range(OBJECTS):
            core("alloc", 0, 1, -1, "-")
        return int(core("info", 1)[2])


def excesses(program: Path, nodes: int) -> list[tuple[tuple[int, ...], int, int]]:
    """Dry nodes, policy and slabs of each case that took more than one slab and one a node."""
    cases = ((dry, policy) for dry in dry_nodes(nodes) for policy in range(1 << nodes))
    taken = ((dry, policy, slabs_taken(program, nodes, dry, policy)) for dry, policy in cases)
    return [one for one in taken if one[2] > 1 + nodes]


@pytest.mark.tree
@pytest.mark.parametrize("nodes", [2, 3])
def test_a_task_with_a_policy_fills_its_slabs(nodes: int, real_places: Places) -> None:
    assert excesses(build(real_places, "plain") / "core", nodes) == []


@pytest.mark.tree
def test_a_slab_for_each_object_is_noticed(real_places: Places) -> None:
    assert excesses(build(real_places, "plain", (ANY_NODE,)) / "core", 2)
