# SPDX-License-Identifier: GPL-2.0
"""The record of a run: a folder that says what was done, with what, and what came of it.

RUN/result.json      all of it; its form has a version (SCHEMA)
RUN/repro.sh         repeats a failing test (repro.py)
RUN/CELL/            one boot: console.log, qemu.log, the machine and topology as they were then
RUN/KERNEL/          vmlinux, config, build.log, initramfs: hard links into the store
store/               content, named by its digest: one copy however many runs used it

result.json is there from the first moment, with the status `running`, and is only ever
replaced as a whole: whatever kills us, it can be read. A run whose process is gone and
that still says `running` was killed; `state` tells.
"""

import os
import platform
import shutil
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from harness import __version__
from harness.asked import Asked
from harness.catalogue import faults
from harness.digest import digest_of
from harness.errors import HostError, Outcome, UserError
from harness.ktap import Status
from harness.measure import Measure
from harness.places import Places, made
from harness.storable import Storable, storable

SCHEMA: Literal["slqb-run/1"] = "slqb-run/1"
RESULT = "result.json"
STORE = "store"
MACHINE, TOPOLOGY = "machine.json", "topology.json"


LATEST_YEAR = 9000
"""A moment and the longest boot together are still a date."""


def _outcome_known(name: str) -> str:
    if name not in Outcome.__members__:
        raise ValueError(f"unknown outcome {name!r}; known: {', '.join(Outcome.__members__)}")
    return name


def _status_known(name: str) -> str:
    return Status(name).value  # whose ValueError names it


def _is_moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment.year > LATEST_YEAR:
        raise ValueError(f"{text!r} is no moment with a time zone")
    return text


def _is_inside(path: str) -> str:
    if "\0" in path or Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(f"{path!r} does not lie in the folder of the run")
    return path


OutcomeName = Annotated[str, AfterValidator(_outcome_known)]
Moment = Annotated[str, AfterValidator(_is_moment)]
"""In ISO 8601, as `datetime.isoformat` writes it."""
Inside = Annotated[str, AfterValidator(_is_inside)]
"""A path relative to the run's folder."""
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Lines = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
"""The first and the last, counted from 1."""
StatusName = Annotated[str, AfterValidator(_status_known)]


class Part(Storable):
    """A piece of the record, checked in full when it is read: anybody may have written the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HostRecord(Part):
    """Where a run was, or one of its boots."""

    system: str
    machine: str
    cores: int
    memory_mib: int
    python: str
    slqb: str
    qemu: str = ""
    accelerator: str = ""
    accelerator_reason: str = ""
    """These three are of a boot: machines differ. Old records say them of the whole run."""


class TreeRecord(Part):
    """What was built from."""

    name: str
    origin: str
    release: str
    base: str
    upstream: str | None = None
    dirty: bool = False
    pristine: bool = False
    """Without our series."""
    commits: tuple[str, ...] = ()
    digest: str = ""
    """Of what the templates made of it."""


class KernelRecord(Part):
    """One kernel; paths are relative to the run's folder."""

    name: str
    arch: str = ""
    allocator: str = ""
    config_name: str = ""
    release: str = ""
    compiler: str = ""
    image: Inside
    image_sha256: str
    config: Inside | None = None
    config_sha256: str | None = None
    initramfs: Inside | None = None
    initramfs_sha256: str | None = None
    symbols: Inside | None = None
    """The ELF file, where something else is booted."""
    symbols_sha256: str | None = None
    build: str = ""
    build_seconds: Seconds = 0.0
    argv: tuple[str, ...] = ()


class CaseRecord(Part):
    """One test; lines are counted from 1."""

    path: str
    status: StatusName
    reason: str = ""
    lines: Lines


class ComplaintRecord(Part):
    """One complaint of the kernel."""

    kind: str
    headline: str
    said: tuple[str, ...] = ()
    path: str = ""
    expected: bool = False
    lines: Lines
    decoded: tuple[str, ...] = ()


class AttemptRecord(Part):
    """One of several boots of a cell that did not pass at first."""

    outcome: OutcomeName
    reason: str = ""
    seconds: Seconds = 0.0
    folder: Inside = ""


class CellRecord(Part):
    """One boot of one kernel on one topology."""

    name: str
    kernel: str
    machine: str
    topology: str
    status: Literal["waiting", "running", "finished", "stopped"] = "waiting"
    outcome: OutcomeName | None = None
    reason: str = ""
    folder: Inside = ""
    asked: Asked = Asked()
    limits: Mapping[str, Seconds] = {}
    """Deadline and silence in seconds, where the user said them."""
    host: HostRecord | None = None
    """Who booted it."""
    argv: tuple[str, ...] = ()
    cmdline: tuple[str, ...] = ()
    ended: str = ""
    seconds: Seconds = 0.0
    deadline: Seconds = 0.0
    silence: Seconds = 0.0
    phases: Mapping[str, float] = {}
    thresholds: Mapping[str, int] = {}
    guest_ran: Seconds = 0.0
    """Seconds of processor the guest's threads had ..."""
    guest_waited: Seconds = 0.0
    """... and stood in line for."""
    host_failures: tuple[str, ...] = ()
    """Why earlier boots of this cell say nothing of the kernel; each is kept beside its folder."""
    attempts: tuple[AttemptRecord, ...] = ()
    """All boots of a cell that failed and was repeated, the first one first. The cell's own
    outcome stays that of the first: what passes only on repeat is no pass."""
    measures: Mapping[str, Measure] = {}
    counts: Mapping[str, int] = {}
    cases: tuple[CaseRecord, ...] = ()
    complaints: tuple[ComplaintRecord, ...] = ()

    @property
    def flaky(self) -> bool:
        """Whether it failed and passed when it was repeated."""
        return any(one.outcome == Outcome.PASS.name for one in self.attempts)


class LeftOutRecord(Part):
    """A cell of the matrix that was not to be, and why."""

    name: str
    reason: str


class RunRecord(Part):
    """The whole run."""

    model_config = ConfigDict(populate_by_name=True)

    form: Literal["slqb-run/1"] = Field(default=SCHEMA, alias="schema")
    name: str
    status: Literal["running", "finished", "interrupted"] = "running"
    outcome: OutcomeName | None = None
    exit_code: int | None = None
    reason: str = ""
    started: Moment
    seconds: Seconds = 0.0
    command: tuple[str, ...]
    seed: int
    pid: int
    born: int
    """When that process started, in the kernel's ticks: a process id can be given again."""
    host: HostRecord
    tree: TreeRecord | None = None
    kernels: tuple[KernelRecord, ...] = ()
    cells: tuple[CellRecord, ...] = ()
    left_out: tuple[LeftOutRecord, ...] = ()

    @property
    def state(self) -> str:
        """The status, or `killed` if its process went away without a word."""
        gone = self.status == "running" and _born(self.pid) != self.born
        return "killed" if gone else self.status


class Recorder:
    """Writes the record of the run that goes on; threads may share it."""

    def __init__(self, folder: Path, record: RunRecord) -> None:
        self.folder = folder
        self._record = record
        self._lock = threading.Lock()
        self.update()

    @property
    def record(self) -> RunRecord:
        """As it is now."""
        return self._record

    def update(self, **changes: object) -> None:
        """Change parts of the record and write it."""
        with self._lock:
            self._record = self._record.model_copy(update=storable(changes))
            self._write()

    def add(self, part: KernelRecord | CellRecord) -> None:
        """One more kernel, or one more cell."""
        name = "kernels" if isinstance(part, KernelRecord) else "cells"
        with self._lock:
            parts = (*getattr(self._record, name), part)
            self._record = self._record.model_copy(update={name: parts})
            self._write()

    def cell(self, name: str, **changes: object) -> None:
        """Change one cell and write the record."""
        with self._lock:
            cells = tuple(
                cell.model_copy(update=storable(changes)) if cell.name == name else cell
                for cell in self._record.cells
            )
            self._record = self._record.model_copy(update={"cells": cells})
            self._write()

    def _write(self) -> None:
        fresh = self.folder / f".{RESULT}.{os.getpid()}"
        fresh.write_text(self._record.model_dump_json(indent=1, by_alias=True) + "\n")
        fresh.replace(self.folder / RESULT)


def begin(places: Places, command: tuple[str, ...], seed: int) -> Recorder:
    """A new run, recorded from now on."""
    folder = _new_folder(places)
    record = RunRecord(
        name=folder.name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        seed=seed,
        pid=os.getpid(),
        born=_born(os.getpid()) or 0,
        host=this_host(),
    )
    return Recorder(folder, record)


def _new_folder(places: Places) -> Path:
    """Named by the time; a second run in the same second gets a number."""
    made(places.runs)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        folder = places.runs / (stamp if number == 1 else f"{stamp}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise HostError(f"{places.runs} holds a thousand runs of this second")


def this_host(qemu: str = "", accelerator: str = "", accelerator_reason: str = "") -> HostRecord:
    """The host that this process runs on, and what it boots with."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return HostRecord(
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=pages >> 20,
        python=sys.version.split()[0],
        slqb=__version__,
        qemu=qemu,
        accelerator=accelerator,
        accelerator_reason=accelerator_reason,
    )


def _born(pid: int) -> int | None:
    """When a process started, in ticks since the host did; None if there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def keep(file: Path, folder: Path, name: str, places: Places) -> str:
    """Put a file into a run's folder by way of the store, and return its digest."""
    digest = digest_of(file, places)
    stored = made(places.runs / STORE) / digest
    if not stored.exists():
        fresh = stored.with_name(f".{digest}.{os.getpid()}.{threading.get_ident()}")
        try:
            shutil.copyfile(file, fresh)
            fresh.chmod(0o444)
            fresh.replace(stored)
        finally:
            fresh.unlink(missing_ok=True)
    kept = made(folder) / name
    kept.unlink(missing_ok=True)
    try:
        kept.hardlink_to(stored)
    except OSError:  # a file system without links
        shutil.copyfile(stored, kept)
    return digest


def runs(places: Places) -> tuple[Path, ...]:
    """The folders of all runs, the oldest first."""
    if not places.runs.exists():
        return ()
    return tuple(one for one in sorted(places.runs.iterdir()) if (one / RESULT).is_file())


def find_run(places: Places, name: str | None) -> Path:
    """The folder of a run: by name, by path, or the last one."""
    known = runs(places)
    if name is None:
        if not known:
            raise UserError(f"there are no runs in {places.runs}")
        return known[-1]
    for folder in (places.runs / name, Path(name), Path(name).parent):
        if (folder / RESULT).is_file():
            return folder
    last = ", ".join(folder.name for folder in known[-3:]) or "none"
    raise UserError(f"no run {name!r} in {places.runs}; the last ones: {last}")


def load(folder: Path) -> RunRecord:
    """The record in a folder."""
    path = folder / RESULT
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        told = faults(error).split("; ", 1)[0]
        raise UserError(
            f"{path} is not a record of this version of slqb ({SCHEMA}): {told}"
        ) from error


def host_of(record: RunRecord, cell: CellRecord) -> HostRecord:
    """Who booted a cell, or was to."""
    return cell.host or record.host


def outcome_of(record: RunRecord) -> Outcome:
    """What a record stands for; one that never ended is no pass."""
    if record.outcome is None:
        return Outcome.INTERRUPTED
    return Outcome[record.outcome]
