# SPDX-License-Identifier: GPL-2.0
"""/sys/kernel/slab, its counters and slqbinfo, on real kernels: what the guest says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.kernel import KernelSpec
from tests.kernel.conftest import Pack
from tests.kernel.images import Guest

pytestmark = pytest.mark.kernel

COUNTED = ("stats_format", "stats_identities", "sysfs_freebatch")
SHOWN = (
    "slabinfo_bytes", "slqbinfo_activity", "slqbinfo_options", "slqbinfo_report",
    "slqbinfo_totals", "sysfs_alias", "sysfs_attributes", "sysfs_lifecycle", "sysfs_marks",
    "sysfs_shrink", "sysfs_slab", "sysfs_validate",
)  # fmt: skip


@pytest.fixture
def guest(config: str, pack: Pack, tmp_path: Path) -> Guest:
    return Guest(pack(KernelSpec(config=config)), tmp_path)


@pytest.mark.parametrize("config", ["lean", pytest.param("debug", marks=pytest.mark.long)])
@pytest.mark.parametrize("topology", ["2n", "memoryless"])
def test_what_the_allocator_shows_of_itself(config: str, guest: Guest, topology: str) -> None:
    booted = guest.boot("--topology", topology, "--case", "user.s*")
    assert booted.status == 0, booted.record["reason"]
    came = {case["path"].removeprefix("user."): case["status"] for case in booted.cell["cases"]}
    assert {name: came[name] for name in SHOWN} == dict.fromkeys(SHOWN, "pass")
    counted = {name: came[name] for name in COUNTED}
    assert counted == dict.fromkeys(COUNTED, "pass" if config == "debug" else "skip")


@pytest.mark.parametrize("config", ["lean", "debug"])
def test_the_record_says_what_a_cache_costs(config: str, guest: Guest) -> None:
    measures = guest.boot("--suite", "none").cell["measures"]
    bounds = {
        name.removeprefix("bounds."): measure["value"]
        for name, measure in measures.items()
        if name.startswith("bounds.")
    }
    assert (bounds["cpus"], bounds["nodes"]) == (4, 2)
    assert bounds["caches"] > 50
    if config == "lean":
        assert (bounds["cpu"], bounds["node"]) == (256, 256)
    structures = bounds["cpus"] * bounds["cpu"] + bounds["nodes"] * bounds["node"]
    assert bounds["fixed"] >= bounds["caches"] * structures
    assert 0 < bounds["list"] <= 1 << 20
