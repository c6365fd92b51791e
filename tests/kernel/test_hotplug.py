# SPDX-License-Identifier: GPL-2.0
"""CPUs and memory that come and go, CPUs that are left alone; and what is caught if they are not.

The faults put back what the first posting got wrong: a CPU that keeps what it had when it goes, a
node that keeps its structures, a worker that runs where nobody wants it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.places import Places
from harness.tree import Tree
from harness.worktree import Mutation
from tests.kernel.test_planted import SLQB, Images, images

pytestmark = pytest.mark.kernel
MEMORY = ("--topology", "plugged", "--case", "user.memory_*", "--trim-ms", "200")
CPUS = ("--topology", "2n", "--case", "user.offline_*", "--trim-ms", "200")
ISOLATED = (
    *("--topology", "2n", "--case", "user.trim_isolated", "--trim-ms", "200"),
    *("--append", "isolcpus=2", "--append", "nohz_full=3"),
)


@pytest.fixture(scope="module")
def sound(linux: Tree, real_places: Places) -> Images:
    """The kernel without a fault."""
    return images(linux, real_places, "slqb")


@pytest.mark.parametrize(
    ("words", "cases"),
    [
        (MEMORY, {"memory_returns", "memory_offline", "memory_home"}),
        (CPUS, {"offline_drains", "offline_trim", "offline_load", "offline_frees"}),
        (ISOLATED, {"trim_isolated"}),
    ],
)
def test_what_comes_may_go(sound: Images, words: tuple[str, ...], cases: set[str]) -> None:
    status, record = sound.boot(*words)
    assert status == 0, record["reason"]
    passed = {case["path"] for case in record["cells"][0]["cases"] if case["status"] == "pass"}
    assert passed == {"topology.shape", *(f"user.{case}" for case in cases)}


@dataclass(frozen=True)
class Fault:
    """A fault, and the case that must fail of it."""

    pattern: str
    replacement: str
    case: str
    words: tuple[str, ...]


FAULTS = {
    "a CPU that keeps what it had": Fault(
        r"^\tmutex_lock\(&slab_mutex\);\n\tevacuate_cpu\(cpu\);",
        "\tmutex_lock(&slab_mutex);",
        "user.offline_trim",
        CPUS,
    ),
    "a node that keeps its lists": Fault(
        r"if \(!n \|\| WARN_ON_ONCE\(n->list\.nr_slabs\)\)",
        "if (1)",
        "user.memory_offline",
        MEMORY,
    ),
    "a list in memory that is to go": Fault(
        r"return node_isset\(node, slqb_boot_nodes\) \? node :\n\t\tfirst_node\(slqb_boot_nodes\);",
        "return node;",
        "user.memory_offline",
        MEMORY,
    ),
    "a CPU whose home never moves": Fault(
        r"^\tupdate_node_homes\(\);\n\tmutex_lock\(&slqb_drain_mutex\);",
        "\tmutex_lock(&slqb_drain_mutex);",
        "user.memory_home",
        MEMORY,
    ),
    "a worker on isolated CPUs": Fault(
        r"^\treturn housekeeping_cpu\(cpu, HK_TYPE_DOMAIN\) &&\n"
        r"\t       housekeeping_cpu\(cpu, HK_TYPE_TICK\);",
        "\treturn true;",
        "user.trim_isolated",
        ISOLATED,
    ),
}


@pytest.mark.soak  # each is a kernel of its own
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught(name: str, linux: Tree, real_places: Places) -> None:
    fault = FAULTS[name]
    mutation = Mutation(SLQB, fault.pattern, fault.replacement)
    _, record = images(linux, real_places, "planted", mutation).boot(*fault.words)
    failed = {case["path"] for case in record["cells"][0]["cases"] if case["status"] == "fail"}
    assert fault.case in failed, record["reason"]
