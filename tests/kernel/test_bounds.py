# SPDX-License-Identifier: GPL-2.0
"""What the record says of a cache's costs, measured in a guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.kernel import KernelSpec
from tests.kernel.conftest import CHECKED, Pack
from tests.kernel.images import Guest

pytestmark = pytest.mark.kernel


@pytest.fixture
def guest(config: str, pack: Pack, tmp_path: Path) -> Guest:
    return Guest(pack(KernelSpec(config=config)), tmp_path)


@pytest.mark.parametrize("config", ["lean", CHECKED])
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
