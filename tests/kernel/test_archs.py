# SPDX-License-Identifier: GPL-2.0
"""Other CPUs than the host's: large pages, the other byte order, wide alignment."""

from __future__ import annotations

import pytest

from harness.kernel import KernelSpec
from tests.kernel.conftest import Pack

pytestmark = [pytest.mark.kernel, pytest.mark.soak]
TOPOLOGIES = ("uma", "4n", "memoryless", "cpuless", "altix")


def passes(pack: Pack, arch: str, topology: str, config: str = "lean") -> None:
    images = pack(KernelSpec(arch=arch, config=config))
    status, record = images.boot("--machine", arch, "--topology", topology, "--trim-ms", "200")
    assert status == 0, record["reason"]
    statuses = [case["status"] for case in record["cells"][0]["cases"]]
    assert statuses.count("pass") > 70


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("config", ["lean", "debug"])
@pytest.mark.parametrize("arch", ["ppc64le", "ppc64", "arm64-16k"])
def test_every_case_passes_on_every_machine(
    pack: Pack, arch: str, config: str, topology: str
) -> None:
    passes(pack, arch, topology, config)
