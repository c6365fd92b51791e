# SPDX-License-Identifier: GPL-2.0
"""A boot that is done on another host: what goes there, what comes back.

There goes all that the boot depends on: machine, topology, what is asked, how long it may take, and
kernel and initramfs by the digest of their content, each sent to a host once. Accelerator and
limits depend on the host that boots and are chosen there, as if the user sat at it. Back comes what
QEMU said and did, as data, with the files of the boot's folder. No disk is shared, and what is left
over there is deleted.
"""

from __future__ import annotations

import hashlib
import platform
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import __version__, child
from harness.accelerator import choose
from harness.asked import Asked
from harness.engine import LostError, Order
from harness.errors import HarnessError, Outcome
from harness.machine import Machine
from harness.places import PROJECT, Places, made
from harness.progress import SilentProgress
from harness.topology import Topology
from harness.trial import Booted, Trial, carry, limits_on

CELL, KERNEL, INITRAMFS = "cell", "kernel", "initramfs"

_stops: dict[str, threading.Event] = {}
"""In a worker: what ends the boots of a run."""


@dataclass(frozen=True)
class Content:
    """A file, by what is in it."""

    name: str
    sha256: str

    def write(self, folder: Path, data: bytes) -> Path:
        """As a file again, if it is what was meant."""
        if (digest := hashlib.sha256(data).hexdigest()) != self.sha256:
            raise LostError(f"{self.name} arrived damaged: {digest}, not {self.sha256}")
        path = made(folder) / self.name
        path.write_bytes(data)
        return path


@dataclass(frozen=True)
class Parcel:
    """What goes there."""

    run: str
    code: str
    """What sent it: data of ours is understood by the same code only."""
    name: str
    machine: Machine
    topology: Topology
    asked: Asked
    accel: str
    deadline: float | None
    silence: float | None
    kernel: Content
    initramfs: Content | None

    @property
    def contents(self) -> tuple[Content, ...]:
        """The files, in the order in which their bytes are handed over."""
        return (self.kernel,) if self.initramfs is None else (self.kernel, self.initramfs)


@dataclass(frozen=True)
class Delivery:
    """What comes back."""

    booted: Booted
    files: Mapping[str, bytes]
    work: str
    """Where it was done: in the command of QEMU."""


@dataclass(frozen=True)
class Refusal:
    """Why nothing does: an error of ours, which may not survive the way as one."""

    outcome: str
    text: str


class ElsewhereError(HarnessError):
    """What another host could not do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.outcome = Outcome[refusal.outcome]


@cache
def this_code() -> str:
    """Which slqb this is: its version, and a digest of its modules."""
    digest, home = hashlib.sha256(), PROJECT / "harness"
    for file in sorted(home.rglob("*.py")):
        digest.update(f"{file.relative_to(home)}\0".encode() + file.read_bytes())
    return f"{__version__} ({digest.hexdigest()[:12]})"


def packed(order: Order, run: str, kernel: Content, initramfs: Content | None) -> Parcel:
    """An order, to be sent."""
    one = order.trial
    return Parcel(
        run=run,
        code=this_code(),
        name=order.name,
        machine=one.machine,
        topology=one.topology,
        asked=one.asked,
        accel=order.wish,
        deadline=order.deadline,
        silence=order.silence,
        kernel=kernel,
        initramfs=initramfs,
    )


def boot(parcel: Parcel, data: tuple[bytes, ...], folder: Path) -> Delivery | Refusal:
    """Boot it here, below a folder of which nothing is left."""
    stop = _stops.setdefault(parcel.run, threading.Event())
    if parcel.code != this_code():
        return _refusal(f"slqb is {this_code()} there, and {parcel.code} here")
    try:
        with TemporaryDirectory(dir=made(folder), ignore_cleanup_errors=True) as work:
            return _boot(parcel, data, Path(work), stop)
    except HarnessError as error:
        return Refusal(error.outcome.name, str(error))
    except OSError as error:
        return _refusal(child.fault_of(error))


def _refusal(reason: str) -> Refusal:
    """The fault of this host."""
    return Refusal(Outcome.HOST.name, f"worker on {platform.node()}: {reason}")


def stop_run(run: str) -> None:
    """In a worker: end the boots of a run, and begin none."""
    _stops.setdefault(run, threading.Event()).set()


def _boot(parcel: Parcel, data: tuple[bytes, ...], work: Path, stop: threading.Event) -> Delivery:
    wish, topology = parcel.accel, parcel.topology
    accelerator = choose(wish, parcel.machine, Places.from_environment(), SilentProgress())
    limits = limits_on(
        parcel.machine,
        topology,
        accelerator,
        parcel.asked,
        deadline=parcel.deadline,
        silence=parcel.silence,
    )
    files = [
        content.write(work / KERNEL, each)
        for content, each in zip(parcel.contents, data, strict=True)
    ]
    trial = Trial(
        name=parcel.name,
        machine=parcel.machine,
        topology=topology,
        kernel=files[0],
        initramfs=files[1] if parcel.initramfs else None,
        asked=parcel.asked,
        limits=limits,
        folder=work / CELL,
    )
    booted = carry(trial, accelerator, SilentProgress(), stop)
    return Delivery(booted, _files(work / CELL), str(work))


def _files(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def unpacked(order: Order, delivery: Delivery | Refusal) -> Booted:
    """As if it had been booted here: the files in their folder, the command with our paths."""
    if isinstance(delivery, Refusal):
        raise ElsewhereError(delivery)
    one = order.trial
    for name, data in delivery.files.items():
        (made(one.folder) / Path(name).name).write_bytes(data)
    paths = {
        f"{delivery.work}/{CELL}": str(one.folder),
        f"{delivery.work}/{KERNEL}": str(one.kernel.parent),
    }
    result = delivery.booted.result
    argv = tuple(_with_paths(word, paths) for word in result.argv)
    return replace(delivery.booted, result=replace(result, argv=argv))


def _with_paths(word: str, paths: Mapping[str, str]) -> str:
    for theirs, ours in paths.items():
        word = word.replace(theirs, ours)
    return word
