# SPDX-License-Identifier: GPL-2.0
"""Whether a cell of a matrix can be at all, and why not.

Asked before anything is built: what a kernel's fragments take out (SMP, NUMA), what a machine
has, and what counting instructions needs, are all known from the records.
"""

from collections.abc import Collection, Iterator

from harness.asked import Asked
from harness.config import request
from harness.machine import Machine, uncountable, unfit
from harness.topology import Topology


def taken_out(machine: Machine, config: str, allocator: str) -> frozenset[str]:
    """The symbols that a kernel shall not have."""
    every = request(machine.arch, config, allocator)
    return frozenset(one.symbol for one in every if one.value == "n")


def misfits(
    machine: Machine, lacks: Collection[str], topology: Topology, asked: Asked
) -> Iterator[str]:
    """Why this kernel cannot be booted like that; nothing if it can."""
    cpus, nodes = topology.cpus + topology.spare_cpus, len(topology.nodes)
    if cpus > 1 and "SMP" in lacks:
        yield f"a kernel without SMP runs one CPU, {topology.name} has {cpus}"
    elif nodes > 1 and "NUMA" in lacks:
        yield f"a kernel without NUMA knows one node, {topology.name} has {nodes}"
    if asked.icount and (reason := uncountable(machine, topology)):
        yield reason
    if (topology.plugged_mib or topology.spare_mib) and "MEMORY_HOTPLUG" in lacks:
        yield f"{topology.name} has memory to be put online, the kernel cannot"
    if reason := unfit(machine, topology):
        yield reason
