# SPDX-License-Identifier: GPL-2.0
"""What to boot on: QEMU's machine for an arch, as a record in qemu/machines/.

A machine and a topology together make the QEMU command line; it is put together here and
nowhere else, so that what a dry run prints, what the record keeps and what runs are one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness import catalogue
from harness.errors import UserError
from harness.places import PROJECT
from harness.topology import Topology, qemu_arguments

MACHINES = PROJECT / "qemu" / "machines"
PROBES = PROJECT / "qemu" / "probes"
SOCKET = "qmp.sock"
QMP = f"unix:{SOCKET},server=on,wait=off"
"""QEMU's control socket, in the folder that it is started in."""


class Machine(catalogue.Entry):
    """One emulated machine."""

    arch: str
    emulator: str
    max_cpus: int = Field(ge=1)
    node_mib: int = Field(default=1, ge=1)
    """The memory of a node is a multiple of this."""
    plugs_memory: bool = False
    """Whether memory can be there that waits to be put online."""
    grows: bool = False
    """Whether CPUs and memory can come while it runs."""
    irqsoff: bool = False
    """Whether qemu/plugins/irqsoff.c knows how its CPU disables interrupts."""
    model: str
    """QEMU's -machine."""
    low_memory: str = ""
    """What is added to the model for so many `{mib}` of memory below 4 GiB, the rest above."""
    arguments: tuple[str, ...] = ()
    """What else QEMU is told."""
    flat_model: Mapping[str, str] = {}
    """A quicker one for topologies of a single node, for each accelerator that has one."""
    threads: Literal["multi", "single"] = "multi"
    """Under TCG: a host's thread for each CPU, or one that runs them in turns."""
    cpu: Mapping[str, str]
    """QEMU's -cpu for each accelerator it can be had with."""
    cmdline: tuple[str, ...] = ()
    """What the kernel must be told on this machine, the console above all."""
    probe: str = ""
    """The source of the accelerator's test payload, in qemu/probes/, where there is one."""


@dataclass(frozen=True)
class Payload:
    """What QEMU loads: a kernel, perhaps an initramfs, and the kernel's command line."""

    kernel: Path
    initramfs: Path | None = None
    cmdline: tuple[str, ...] = ()


def in_turns(machine: Machine, accelerator: str) -> bool:
    """Whether all its CPUs share one of the host's."""
    return accelerator == "tcg" and machine.threads == "single"


def machine_names() -> tuple[str, ...]:
    """The machines there are."""
    return catalogue.names(MACHINES)


def load_machine(name: str, folder: Path = MACHINES) -> Machine:
    """The machine of that name."""
    return catalogue.load("machine", folder, name, Machine)


def unfit(machine: Machine, topology: Topology) -> str:
    """Why the machine cannot have that shape; nothing if it can."""
    cpus = topology.cpus + topology.spare_cpus
    if cpus > machine.max_cpus:
        return (
            f"topology {topology.name!r} has {cpus} CPUs, "
            f"machine {machine.name!r} has at most {machine.max_cpus}"
        )
    if topology.plugged_mib and not machine.plugs_memory:
        return (
            f"topology {topology.name!r} has memory that waits to be put online, "
            f"which machine {machine.name!r} cannot have"
        )
    if topology.grows and not machine.grows:
        return (
            f"topology {topology.name!r} has parts that come while it runs, "
            f"which machine {machine.name!r} cannot have"
        )
    return ""


def uncountable(machine: Machine, topology: Topology) -> str:
    """Why instructions cannot be counted there (--icount); nothing if they can."""
    if (cpus := topology.cpus + topology.spare_cpus) > 1:
        return f"instructions are counted on one CPU, {topology.name} has {cpus}"
    if not machine.irqsoff:
        return f"how {machine.name} disables interrupts is not known to qemu/plugins/irqsoff.c"
    return ""


def fitted(machine: Machine, topology: Topology) -> Topology:
    """The shape in sizes that the machine can make: memory is rounded up."""
    step = machine.node_mib

    def up(mib: int) -> int:
        return -(-mib // step) * step

    sizes = ("memory_mib", "plugged_mib", "spare_mib")
    nodes = tuple(
        node.model_copy(update={name: up(getattr(node, name)) for name in sizes})
        for node in topology.nodes
    )
    return topology.model_copy(update={"nodes": nodes})


def qemu_command(
    machine: Machine,
    topology: Topology,
    accelerator: str,
    payload: Payload,
    *,
    icount: bool = False,
    plugin: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """The whole command; the console is on its standard output and nothing else is."""
    if icount and (reason := uncountable(machine, topology)):
        raise UserError(f"--icount: {reason}")
    if reason := unfit(machine, topology):
        raise UserError(reason)
    return (
        machine.emulator,
        *_machine_arguments(machine, topology, "tcg,thread=single" if icount else accelerator),
        *(("-icount", "shift=0,sleep=off") if icount else ()),
        *plugin,
        *qemu_arguments(topology),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *(("-qmp", QMP) if topology.grows else ()),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *_payload_arguments(payload),
    )


def _machine_arguments(machine: Machine, topology: Topology, accelerator: str) -> tuple[str, ...]:
    quicker = machine.flat_model if topology.flat else {}
    kind = accelerator.split(",")[0]
    model = quicker.get(kind, machine.model)
    if topology.low_mib and machine.low_memory:
        model += "," + machine.low_memory.format(mib=topology.low_mib)
    accel = f"tcg,thread={machine.threads}" if accelerator == "tcg" else accelerator
    return ("-machine", model, "-accel", accel, "-cpu", machine.cpu[kind], *machine.arguments)


def _payload_arguments(payload: Payload) -> tuple[str, ...]:
    words = ["-kernel", str(payload.kernel)]
    if payload.initramfs is not None:
        words += ["-initrd", str(payload.initramfs)]
    if payload.cmdline:
        words += ["-append", " ".join(payload.cmdline)]
    return tuple(words)
