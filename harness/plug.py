# SPDX-License-Identifier: GPL-2.0
"""CPUs and memory that come to a machine while it runs, when its guest asks for them.

line:  ... 'slqb-guest: plug ' ('cpu' | 'memory')

QEMU is told by QMP, through the package qemu.qmp, which QEMU's own developers keep.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from qemu.qmp import QMPClient, QMPError

from harness.errors import HostError
from harness.machine import SOCKET
from harness.topology import Topology

SIGN = re.compile(r"slqb-guest: plug (?P<part>cpu|memory)$")
PATIENCE = 20.0


class Plugger:
    """Adds the spare parts of a topology one by one, in the order of its nodes."""

    def __init__(self, topology: Topology, folder: Path) -> None:
        self._folder = folder
        self._dimms = [(n, node.spare_mib) for n, node in enumerate(topology.nodes)]
        self._dimms = [one for one in self._dimms if one[1]]

    def heed(self, text: str) -> None:
        """Do what a line of the console asks for; a HostError if QEMU does not."""
        if (asked := SIGN.search(text)) is None:
            return
        part = asked["part"]
        try:
            asyncio.run(asyncio.wait_for(self._plug(part), PATIENCE))
        except (QMPError, TimeoutError, OSError) as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise HostError(f"QEMU did not plug a {part}: {told}") from error

    async def _plug(self, part: str) -> None:
        async with control(self._folder) as qmp:
            if part == "cpu":
                await self._plug_cpu(qmp)
            elif self._dimms:
                await self._plug_memory(qmp, *self._dimms.pop(0))

    async def _plug_cpu(self, qmp: QMPClient) -> None:
        slots: Any = await qmp.execute("query-hotpluggable-cpus")
        free = sorted((_place(slot), slot) for slot in slots if "qom-path" not in slot)
        if free:
            place, slot = free[0]
            name = "cpu-" + "-".join(map(str, place))
            await qmp.execute("device_add", {"driver": slot["type"], "id": name, **slot["props"]})

    async def _plug_memory(self, qmp: QMPClient, node: int, mib: int) -> None:
        backend = {"qom-type": "memory-backend-ram", "id": f"spare{node}", "size": mib << 20}
        await qmp.execute("object-add", backend)
        device = {"driver": "pc-dimm", "id": f"come{node}", "memdev": f"spare{node}", "node": node}
        await qmp.execute("device_add", device)


def _place(slot: Mapping[str, Any]) -> tuple[int, ...]:
    """Where a CPU sits: its node first, then what numbers it there."""
    props = dict(slot["props"])
    return (props.pop("node-id", 0), *props.values())


@asynccontextmanager
async def control(folder: Path) -> AsyncIterator[QMPClient]:
    """QEMU's control socket; by way of a descriptor, since the names of sockets must be short."""
    qmp, place = QMPClient("slqb"), os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        await qmp.connect(f"/proc/self/fd/{place}/{SOCKET}")
        yield qmp
    finally:
        await qmp.disconnect()
        os.close(place)
