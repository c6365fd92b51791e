# SPDX-License-Identifier: GPL-2.0
"""The shape of a guest: which CPUs and how much memory on which node, and how far apart.

A topology says nothing about QEMU or an arch; it is compiled to QEMU's arguments for a
machine, and to one word for the guest, which checks what it found against it before a
test counts.

shape: node ('+' node)* ['@' row ('/' row)*]
node: cpus ':' MiB
row: distance (',' distance)*

The guest may number the nodes otherwise; "up to renumbering" is its business.

Memory can also be plugged: it is on its node from the start, but belongs to nobody before the
guest puts it online. Spare CPUs and memory are not there at all before the guest asks for them
(plug.py). The shape is what is there without either.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness import catalogue
from harness.places import PROJECT

TOPOLOGIES = PROJECT / "qemu" / "topologies"
LOCAL = 10  # the distance of a node to itself, by ACPI

Distance = Annotated[int, Field(ge=LOCAL, le=254)]


class Node(BaseModel):
    """One node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: int = Field(ge=0)
    memory_mib: int = Field(ge=0)
    plugged_mib: int = Field(default=0, ge=0)
    """Memory that waits to be put online."""
    spare_cpus: int = Field(default=0, ge=0)
    """CPUs that come when the guest asks for them."""
    spare_mib: int = Field(default=0, ge=0)
    """Memory that comes when the guest asks for it."""

    @property
    def begins(self) -> bool:
        """Whether anything is there from the start."""
        return bool(self.cpus or self.memory_mib or self.plugged_mib)


class Topology(catalogue.Entry):
    """Nodes and the distances between them (none are given for a single node)."""

    nodes: tuple[Node, ...] = Field(min_length=1)
    distances: tuple[tuple[Distance, ...], ...] = ()
    low_mib: int = Field(default=0, ge=0)
    """How much memory lies below 4 GiB on machines that can put the rest above; 0 is all of it."""

    @model_validator(mode="after")
    def _fits(self) -> "Topology":
        if fault := next(_faults(self), None):
            raise ValueError(fault)
        return self

    @property
    def cpus(self) -> int:
        """CPUs of all nodes."""
        return sum(node.cpus for node in self.nodes)

    @property
    def memory_mib(self) -> int:
        """Memory of all nodes."""
        return sum(node.memory_mib for node in self.nodes)

    @property
    def plugged_mib(self) -> int:
        """Memory of all nodes that waits to be put online."""
        return sum(node.plugged_mib for node in self.nodes)

    @property
    def spare_cpus(self) -> int:
        """CPUs of all nodes that can come."""
        return sum(node.spare_cpus for node in self.nodes)

    @property
    def spare_mib(self) -> tuple[int, ...]:
        """Memory of each node that can come, where there is any."""
        return tuple(node.spare_mib for node in self.nodes if node.spare_mib)

    @property
    def grows(self) -> bool:
        """Whether parts can come."""
        return bool(self.spare_cpus or self.spare_mib)

    @property
    def flat(self) -> bool:
        """Whether there is only one node, so that nothing about NUMA need be said."""
        return len(self.nodes) == 1

    @property
    def shape(self) -> str:
        """The word for the guest."""
        there = [number for number, node in enumerate(self.nodes) if node.begins]
        nodes = "+".join(f"{self.nodes[one].cpus}:{self.nodes[one].memory_mib}" for one in there)
        rows = "/".join(
            ",".join(str(row[other]) for other in there)
            for row in (self.distances[one] for one in there if self.distances)
        )
        return f"{nodes}@{rows}" if rows else nodes


def topology_names() -> tuple[str, ...]:
    """The topologies there are."""
    return catalogue.names(TOPOLOGIES)


def load_topology(name: str, folder: Path = TOPOLOGIES) -> Topology:
    """The topology of that name."""
    return catalogue.load("topology", folder, name, Topology)


def qemu_arguments(topology: Topology) -> tuple[str, ...]:
    """CPUs, memory, nodes and distances."""
    most = topology.cpus + topology.spare_cpus
    sockets = _sockets(topology)
    smp = f"{topology.cpus},sockets={sockets},cores={most // sockets},threads=1"
    if topology.spare_cpus:
        smp += f",maxcpus={most}"
    general = ("-smp", smp, "-m", _memory(topology))
    if topology.flat:
        return general
    return (
        *general,
        *_node_arguments(topology),
        *_distance_arguments(topology),
        *_plug_arguments(topology),
    )


def _sockets(topology: Topology) -> int:
    """One for each node that has CPUs, where they have as many each, or else one for each CPU.

    CPUs of different nodes in one socket would make the guest's scheduler warn; a PC's kernel
    calibrates its delay loop once for each socket, for a tenth of a second.
    """
    counts = [node.cpus for node in topology.nodes if node.cpus]
    even = len(set(counts)) == 1 and not topology.spare_cpus
    return len(counts) if even else topology.cpus + topology.spare_cpus


def _memory(topology: Topology) -> str:
    """What is there from the start, and room for what is plugged."""
    plugged = [one for node in topology.nodes for one in (node.plugged_mib, node.spare_mib) if one]
    if not plugged:
        return f"{topology.memory_mib}M"
    slots, most = len(plugged), topology.memory_mib + sum(plugged)
    return f"{topology.memory_mib}M,slots={slots},maxmem={most}M"


def _node_arguments(topology: Topology) -> Iterator[str]:
    first, spare = 0, topology.cpus
    for number, node in enumerate(topology.nodes):
        words = ["node", f"nodeid={number}"]
        if node.memory_mib:
            yield from ("-object", f"memory-backend-ram,id=ram{number},size={node.memory_mib}M")
            words.append(f"memdev=ram{number}")
        if node.cpus:
            words.append(f"cpus={first}-{first + node.cpus - 1}")
            first += node.cpus
        if node.spare_cpus:
            words.append(f"cpus={spare}-{spare + node.spare_cpus - 1}")
            spare += node.spare_cpus
        yield from ("-numa", ",".join(words))


def _plug_arguments(topology: Topology) -> Iterator[str]:
    for number, node in enumerate(topology.nodes):
        if node.plugged_mib:
            backend = f"memory-backend-ram,id=plug{number},size={node.plugged_mib}M"
            yield from ("-object", backend)
            yield from ("-device", f"pc-dimm,id=dimm{number},memdev=plug{number},node={number}")


def _distance_arguments(topology: Topology) -> Iterator[str]:
    for source, row in enumerate(topology.distances):
        for target, distance in enumerate(row):
            if source != target:
                yield from ("-numa", f"dist,src={source},dst={target},val={distance}")


def _faults(topology: Topology) -> Iterator[str]:
    """What does not fit together."""
    if not topology.cpus:
        yield "no node has a CPU"
    if not topology.memory_mib:
        yield "no node has memory"
    if topology.flat and (topology.plugged_mib or topology.grows):
        yield "parts can be plugged where there are several nodes"
    if topology.low_mib and (topology.flat or topology.low_mib >= topology.memory_mib):
        yield "low_mib is for several nodes, and less than their memory"
    for number, node in enumerate(topology.nodes):
        if not (node.begins or node.spare_cpus or node.spare_mib):
            yield f"node {number} has neither CPUs nor memory"
    yield from _distance_faults(topology)


def _distance_faults(topology: Topology) -> Iterator[str]:
    count = len(topology.nodes)
    if not topology.distances:
        if not topology.flat:
            yield f"{count} nodes need distances"
        return
    if len(topology.distances) != count or any(len(row) != count for row in topology.distances):
        yield f"distances must be {count} rows of {count}"
        return
    for source, row in enumerate(topology.distances):
        for target, distance in enumerate(row):
            if (distance == LOCAL) != (source == target):
                yield f"distance {source}-{target} is {distance}; {LOCAL} is for a node to itself"
