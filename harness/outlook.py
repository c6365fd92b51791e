# SPDX-License-Identifier: GPL-2.0
"""What a run has before it: kernels and boots with the times that earlier runs took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.accelerator import Accelerator
from harness.asked import Asked, Scale
from harness.boot import cores
from harness.forecast import A_BUILD, Load, Work, play
from harness.machine import in_turns
from harness.matrix import Wanted
from harness.packing import Room, Task, need_of
from harness.past import Past, boot_name, build_name
from harness.progress import span
from harness.topology import Topology

GUESS: Mapping[Scale, float] = {"brief": 30.0, "quick": 60.0, "soak": 1200.0}
"""Seconds of a boot that nobody has seen yet."""
BUILD_GUESS = {True: 300.0, False: 10.0}
"""Seconds for a kernel that was never built from nothing, or never again."""


def load_of(
    wanted: Wanted, accelerator: Accelerator, past: Past, folder: Path, *, counted: bool
) -> Load:
    """One kernel, to be built in that folder."""
    tasks = []
    for cell in wanted.cells:
        name = boot_name(wanted.name, cell.topology.name, cell.asked, accelerator.name)
        known = past.expect(name)
        turns = in_turns(wanted.machine, accelerator.name)
        tasks.append(
            task_of(cell.name, cell.topology, cell.asked, known, counted=counted, in_turns=turns)
        )
    return Load(wanted.name, _work(wanted.name, past, fresh=not folder.is_dir()), tuple(tasks))


def _work(kernel: str, past: Past, *, fresh: bool) -> Work:
    """What a build takes: from nothing it fills all cores, another one goes step by step."""
    known = past.expect(build_name(kernel, fresh=fresh))
    seconds = BUILD_GUESS[fresh] if known is None else known
    return Work(spread=seconds * cores()) if fresh else Work(steps=seconds)


def task_of(
    name: str,
    topology: Topology,
    asked: Asked,
    seconds: float | None,
    *,
    counted: bool,
    in_turns: bool = False,
) -> Task:
    """What is packed for a boot that took so many seconds before, if any did.

    `counted`: the user said how many run at a time, and each is one of them. `in_turns`: its CPUs
    share one of the host's.
    """
    need = need_of(topology, asked.scale, icount=asked.icount or in_turns)
    guess = GUESS[asked.scale] if seconds is None else seconds
    needed = 1 if counted else need.cores
    return Task(name, replace(need, cores=needed), guess, known=seconds is not None)


def rest(
    rooms: Mapping[str, Room],
    loads: Sequence[Load],
    waiting: Sequence[Task] = (),
    underway: Iterable[tuple[Task, str]] = (),
    *,
    shared: bool = True,
) -> float | None:
    """Seconds to the end; None if too little is known. `shared`: builds have one of the cores."""
    every = [*waiting, *(task for load in loads for task in load.tasks)]
    if sum(task.known for task in every) * 2 < len(every):
        return None
    return play(rooms, loads, waiting, underway, A_BUILD if shared else 0).end


def sentence(boots: int, kernels: int, end: float | None) -> str:
    """What there is to do, and how long it takes."""
    what = f"{boots} boot{'s' * (boots > 1)}"
    of = f" of {kernels} kernel{'s' * (kernels > 1)}" if kernels else ""
    known = f"about {span(end)}" if end is not None else "how long, no earlier run tells"
    return f"to do: {what}{of}, {known}"
