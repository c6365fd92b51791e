# SPDX-License-Identifier: GPL-2.0
"""What this host can and cannot do for us: packages, disk, and the accelerator that works."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.accelerator import Accelerator, choose
from harness.errors import HarnessError, Outcome
from harness.host import Need, load_needs, missing, shown_command
from harness.machine import load_machine
from harness.places import Places, made
from harness.progress import Progress

GIB = 1 << 30
ROOM_WANTED = 6.0
"""GiB: a tree, its worktree, four kernels and a compiler cache."""
ROOM_NEEDED = 1.0
"""GiB: below this a build may not end."""


@dataclass(frozen=True)
class Disk:
    """A folder of ours, and the room on its disk."""

    what: str
    folder: Path
    free_gib: float

    @property
    def complaint(self) -> str:
        """What is wrong with it."""
        if self.free_gib >= ROOM_WANTED:
            return ""
        return f"{self.free_gib:.1f} GiB free, {ROOM_WANTED:.0f} are wanted"

    @property
    def is_full(self) -> bool:
        """Whether nothing can be built."""
        return self.free_gib < ROOM_NEEDED


@dataclass(frozen=True)
class Diagnosis:
    """Everything found."""

    needs: tuple[Need, ...]
    lacking: tuple[Need, ...]
    disks: tuple[Disk, ...]
    accelerator: Accelerator | None
    trouble: str

    @property
    def remedy(self) -> str:
        """The one command that installs what is missing."""
        return shown_command(self.lacking) if self.lacking else ""

    @property
    def outcome(self) -> Outcome:
        """HOST when the main job cannot be done here; a lost option does not count."""
        needed = any(not need.is_option for need in self.lacking)
        full = any(disk.is_full for disk in self.disks)
        return Outcome.HOST if needed or full or self.accelerator is None else Outcome.PASS


def diagnose(
    places: Places,
    progress: Progress,
    needs: Sequence[Need] | None = None,
    machine: str = "x86_64",
) -> Diagnosis:
    """Look at everything; a lack is a finding, not an error."""
    wanted = tuple(load_needs() if needs is None else needs)
    accelerator, trouble = _accelerator(machine, places, progress)
    return Diagnosis(wanted, missing(wanted), _disks(places), accelerator, trouble)


def _accelerator(
    machine: str, places: Places, progress: Progress
) -> tuple[Accelerator | None, str]:
    try:
        return choose("auto", load_machine(machine), places, progress), ""
    except HarnessError as error:
        return None, str(error).splitlines()[0]


def _disks(places: Places) -> tuple[Disk, ...]:
    folders = {"cache": places.cache, "runs": places.runs}
    return tuple(
        Disk(what, folder, shutil.disk_usage(made(folder)).free / GIB)
        for what, folder in folders.items()
    )
