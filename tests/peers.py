# SPDX-License-Identifier: GPL-2.0
"""From QEMU's start to power-off: our command line and those of peers, side by side.

    make bench-peers [ARGS='--machine ppc64le --rounds 5']

All boot the same kernel with the same initramfs, parameters, memory and number of CPUs, without KVM
and in turns; what differs is what the peer says to QEMU and which image it boots (peers.toml). A
boot counts if our init was reached and the machine was switched off.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from harness.asked import Asked
from harness.errors import HarnessError, HostError, Outcome
from harness.kernel import KernelSpec, build_kernel
from harness.machine import Machine, Payload, fitted, load_machine, qemu_command
from harness.places import Places
from harness.progress import SilentProgress
from harness.topology import Topology, load_topology
from harness.tree import open_tree
from harness.worktree import render_into_worktree
from tests.kernel.images import QUIET, Images, with_guest

RECORDS = Path(__file__).with_suffix(".toml")
OURS = "slqb"
REACHED = "slqb-guest: init"
PATIENCE = 300.0
Command = tuple[str, ...]


class Peer(BaseModel):
    """A tool on a machine: what it says to QEMU, and where that was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    machine: str
    source: str
    image: str
    options: tuple[str, ...]

    def command(self, machine: Machine, topology: Topology, build: Path, ours: Payload) -> Command:
        """Its command line with our payload."""
        files = ("-kernel", str(build / self.image), "-initrd", str(ours.initramfs))
        size = ("-m", f"{topology.memory_mib}M", "-smp", str(topology.cpus))
        words = ("-append", " ".join(ours.cmdline))
        return (machine.emulator, *self.options, *size, *files, *words)


@dataclass(frozen=True)
class Row:
    """One machine: median seconds of each tool that got there."""

    machine: str
    seconds: Mapping[str, float | None]

    @property
    def ahead(self) -> bool:
        """Whether nobody is quicker than we are."""
        ours = self.seconds[OURS]
        return ours is not None and all(ours <= one for one in self.seconds.values() if one)


def read_peers(path: Path = RECORDS) -> tuple[Peer, ...]:
    """The records, checked."""
    return tuple(Peer.model_validate(one) for one in tomllib.loads(path.read_text())["peer"])


def seconds_to_power_off(command: Command) -> float | None:
    """Of one boot; None if it did not get there."""
    with tempfile.TemporaryFile() as console:
        began = time.monotonic()
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
        ) as process:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                return None
        took = time.monotonic() - began
        console.seek(0)
        return took if REACHED.encode() in console.read() else None


def medians(commands: Mapping[str, Command], rounds: int) -> dict[str, float | None]:
    """In turns, so that what else the host does is shared."""
    took: dict[str, list[float | None]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            took[name].append(seconds_to_power_off(command))
    return {name: _median(found) for name, found in took.items()}


def _median(found: list[float | None]) -> float | None:
    there = [one for one in found if one is not None]
    return statistics.median(there) if len(there) == len(found) else None


def commands_for(
    machine: Machine, peers: tuple[Peer, ...], build: Path, images: Images
) -> Iterator[tuple[str, Command]]:
    """Ours first."""
    topology = fitted(machine, load_topology("uma"))
    words = (*machine.cmdline, "panic=-1", "rdinit=/init", *Asked(suite="none").words(topology))
    payload = Payload(images.kernel, images.initramfs, words)
    yield OURS, qemu_command(machine, topology, "tcg", payload)
    for peer in peers:
        if peer.machine == machine.name:
            yield peer.name, peer.command(machine, topology, build, payload)


def measure(
    machine: Machine, peers: tuple[Peer, ...], source: Path, places: Places, rounds: int
) -> Row:
    """Build what all of them boot, and time it."""
    kernel = build_kernel(source, KernelSpec(arch=machine.arch), places, QUIET)
    wanted = {Path(peer.image).name for peer in peers if peer.machine == machine.name}
    for image in sorted(wanted - {kernel.image.name}):
        kernel.kbuild.make(image, log=kernel.log, outcome=Outcome.BUILD)
    images = with_guest(kernel, source, places)
    commands = dict(commands_for(machine, peers, kernel.build, images))
    return Row(machine.name, medians(commands, rounds))


def table(rows: list[Row]) -> Table:
    """For a person, and for the README."""
    names = list(dict.fromkeys(name for row in rows for name in row.seconds))
    shown = Table("", *names, box=None)
    for row in rows:
        cells = (_shown(row.seconds, name) for name in names)
        shown.add_row(row.machine, *cells)
    return shown


def _shown(seconds: Mapping[str, float | None], name: str) -> str:
    if name not in seconds:
        return "-"
    took = seconds[name]
    return "no power-off" if took is None else f"{took:.2f} s"


@click.command()
@click.option("--tree", default="debian:6.1", show_default=True)
@click.option("--machine", "wanted", multiple=True, metavar="NAME")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def bench(tree: str, wanted: tuple[str, ...], rounds: int) -> None:
    """Time all; exit 1 if a peer is quicker anywhere."""
    places, peers = Places.from_environment(), read_peers()
    names = wanted or tuple(dict.fromkeys(peer.machine for peer in peers))
    linux = open_tree(tree, places, SilentProgress())
    source = render_into_worktree(linux, places).source
    progress: Callable[[str], None] = Console(stderr=True).print
    rows = []
    for name in names:
        progress(f"timing on {name}")
        rows.append(measure(load_machine(name), peers, source, places, rounds))
    if not any(OURS in row.seconds and row.seconds[OURS] for row in rows):
        raise HostError("nothing of ours was switched off")
    Console().print(table(rows))
    sys.exit(int(not all(row.ahead for row in rows)))


if __name__ == "__main__":
    try:
        bench()
    except HarnessError as error:
        click.echo(f"slqb: {error}", err=True)
        sys.exit(error.outcome.exit_code)
