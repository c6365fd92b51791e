# SPDX-License-Identifier: GPL-2.0
"""Runs of the past on hosts of other sizes: what the scheduler would make of the times they took.

    python -m harness.replay --cores 8,16,32 RUN...

The records of several runs are taken together, as one matrix. A build of less than half a minute
counts as one step after the other, as an untouched kernel is; a longer one is shared by all cores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from harness.catalogue import read
from harness.errors import HarnessError
from harness.forecast import HERE, Load, Work, build_order, lower_bound, play
from harness.machine import Machine, in_turns, load_machine
from harness.outlook import task_of
from harness.packing import Room
from harness.places import Places
from harness.progress import span
from harness.record import MACHINE, TOPOLOGY, CellRecord, RunRecord, find_run, host_of
from harness.record import load as load_record
from harness.terminal import guard
from harness.topology import Topology, load_topology

WARM = 30.0
MEMORY_MIB_A_CORE = 2048


def loads_of(record: RunRecord, folder: Path) -> Iterator[Load]:
    """The kernels of a run with the times that builds and boots took."""
    for kernel in record.kernels:
        cells = [one for one in record.cells if one.kernel == kernel.name and one.seconds]
        tasks = (
            task_of(
                one.name,
                _topology(one, folder),
                one.asked,
                one.seconds,
                counted=False,
                in_turns=in_turns(_machine(one, folder), host_of(record, one).accelerator),
            )
            for one in cells
        )
        seconds = kernel.build_seconds
        spread = seconds > WARM
        work = Work(spread=seconds * record.host.cores) if spread else Work(steps=seconds)
        yield Load(kernel.name, work, tuple(tasks))


def _machine(cell: CellRecord, folder: Path) -> Machine:
    """As it was then."""
    kept = folder / cell.folder / MACHINE
    return read(kept, Machine) if kept.is_file() else load_machine(cell.machine)


def _topology(cell: CellRecord, folder: Path) -> Topology:
    """As it was then."""
    kept = folder / cell.folder / TOPOLOGY
    return read(kept, Topology) if kept.is_file() else load_topology(cell.topology)


def compare(loads: Iterable[Load], cores: int) -> tuple[float, float]:
    """When all is done on a host of so many cores, and when it could be at best."""
    every = build_order(loads)
    rooms = {HERE: Room(cores, cores * MEMORY_MIB_A_CORE)}
    return play(rooms, every).end, lower_bound(cores, every)


def table(loads: Iterable[Load], sizes: Iterable[int]) -> Iterator[str]:
    """A line for each host."""
    every = list(loads)
    boots = sum(len(load.tasks) for load in every)
    yield f"{boots} boots of {len(every)} kernels"
    for cores in sizes:
        end, bound = compare(every, cores)
        ratio = end / bound if bound else 1.0
        yield f"{cores:>4} cores: {span(end):>12}, at best {span(bound):>12}, ratio {ratio:.3f}"


@click.command(epilog="Example: python -m harness.replay --cores 8,16 20261123-094220")
@click.option("--cores", default="2,4,8,16,32,64", show_default=True, metavar="N,N")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
def command(cores: str, runs: tuple[str, ...]) -> None:
    """Play the times of stored runs on hosts of other sizes."""
    places = Places.from_environment()
    folders = [find_run(places, run) for run in runs]
    loads = [load for folder in folders for load in loads_of(load_record(folder), folder)]
    try:
        sizes = [int(word) for word in cores.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{cores!r} are no numbers", param_hint="--cores") from error
    if min(sizes) < 1:
        raise click.BadParameter("a host has a core at least", param_hint="--cores")
    click.echo("\n".join(table(loads, sizes)))


if __name__ == "__main__":
    guard()
    try:
        command()
    except HarnessError as error:
        click.echo(f"slqb: {error}", err=True)
        sys.exit(error.outcome.exit_code)
