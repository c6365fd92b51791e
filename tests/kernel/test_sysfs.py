# SPDX-License-Identifier: GPL-2.0
"""/sys/kernel/slab, its counters and slqbinfo, on real kernels: what the guest says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.initramfs import build_initramfs
from harness.kernel import KernelSpec
from harness.module import build_modules
from harness.places import Places
from harness.progress import SilentProgress
from harness.worktree import Rendered
from tests.kernel.conftest import Build
from tests.kernel.test_boot import GUEST, Guest

pytestmark = pytest.mark.kernel

COUNTED = ("stats_format", "stats_identities", "sysfs_freebatch")
SHOWN = (
    "slabinfo_bytes", "slqbinfo_activity", "slqbinfo_options", "slqbinfo_report",
    "slqbinfo_totals", "sysfs_alias", "sysfs_attributes", "sysfs_lifecycle", "sysfs_marks",
    "sysfs_shrink", "sysfs_slab", "sysfs_validate",
)  # fmt: skip


@pytest.fixture(scope="module", params=["lean", "debug"])
def config(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def images(config: str, build: Build, rendered: Rendered, real_places: Places) -> tuple[Path, Path]:
    quiet, kernel = SilentProgress(), build(KernelSpec(config=config))
    modules = build_modules(kernel, rendered.source, GUEST, real_places, quiet)
    return kernel.image, build_initramfs(kernel, modules, GUEST, real_places, quiet)


@pytest.mark.parametrize("topology", ["2n", "memoryless"])
def test_what_the_allocator_shows_of_itself(
    config: str, images: tuple[Path, Path], topology: str, tmp_path: Path
) -> None:
    booted = Guest(*images, tmp_path).boot("--topology", topology, "--case", "user.s*")
    assert booted.status == 0, booted.record["reason"]
    came = {case["path"].removeprefix("user."): case["status"] for case in booted.cell["cases"]}
    assert {name: came[name] for name in SHOWN} == dict.fromkeys(SHOWN, "pass")
    counted = {name: came[name] for name in COUNTED}
    assert counted == dict.fromkeys(COUNTED, "pass" if config == "debug" else "skip")


def test_the_record_says_what_a_cache_costs(
    config: str, images: tuple[Path, Path], tmp_path: Path
) -> None:
    measures = Guest(*images, tmp_path).boot("--suite", "none").cell["measures"]
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
