# SPDX-License-Identifier: GPL-2.0
"""Parts that come to a machine: QEMU itself is told, on a machine whose CPUs stand still."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.machine import SOCKET, Payload, load_machine, qemu_command
from harness.plug import Plugger, control
from harness.topology import load_topology

HOTPLUG = load_topology("hotplug")
HERE = "slqb-guest: plug "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Longer than the name of a socket may be."""
    deep = tmp_path / ("deep" * 20) / ("deeper" * 10)
    deep.mkdir(parents=True)
    return deep


@pytest.fixture
def machine(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    argv = list(qemu_command(load_machine("x86_64"), HOTPLUG, "tcg", Payload(Path("/dev/null"))))
    del argv[argv.index("-kernel") : argv.index("-kernel") + 2]
    process = subprocess.Popen(
        [*argv, "-S"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(200):
            if (folder / SOCKET).exists() or process.poll() is not None:
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


async def asked(folder: Path, command: str) -> object:

    async with control(folder) as qmp:
        return await qmp.execute(command)


def present(folder: Path) -> list[tuple[int, bool]]:
    """Nodes of CPUs, and whether they are there."""

    slots = asyncio.run(asked(folder, "query-hotpluggable-cpus"))
    assert isinstance(slots, list)
    return sorted((slot["props"]["node-id"], "qom-path" in slot) for slot in slots)


def test_cpus_come_one_by_one(machine: "subprocess.Popen[str]", folder: Path) -> None:
    plugger = Plugger(HOTPLUG, folder)
    assert present(folder) == [(0, False), (0, True), (0, True), (1, False), (1, True)]
    plugger.heed(HERE + "cpu")
    assert present(folder) == [(0, True), (0, True), (0, True), (1, False), (1, True)]
    plugger.heed(HERE + "cpu")
    plugger.heed(HERE + "cpu")  # there is none left, which the guest will notice
    assert all(there for _, there in present(folder))


def test_memory_comes_to_its_node(machine: "subprocess.Popen[str]", folder: Path) -> None:

    plugger = Plugger(HOTPLUG, folder)
    for _ in range(3):
        plugger.heed(HERE + "memory")
    found = asyncio.run(asked(folder, "query-memory-devices"))
    assert isinstance(found, list)
    dimms = [one["data"] for one in found]
    assert [(one["node"], one["size"] >> 20) for one in dimms] == [(1, 128), (2, 128)]


def test_other_lines_are_none_of_its_business(tmp_path: Path) -> None:
    Plugger(HOTPLUG, tmp_path).heed("[    1.0] slqb-guest: plugged")
    Plugger(HOTPLUG, tmp_path).heed(HERE + "toaster")


def test_a_qemu_that_is_gone_is_the_hosts_fault(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="QEMU did not plug a cpu: "):
        Plugger(HOTPLUG, tmp_path).heed(HERE + "cpu")
