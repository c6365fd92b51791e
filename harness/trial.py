# SPDX-License-Identifier: GPL-2.0
"""One kernel on one topology: booted, judged, recorded.

A trial is a cell of a run's matrix once its kernel exists. The kernel's command line is put
together here: what the machine needs, the kernel's stall thresholds, what the guest is
asked for (asked.py), and the user's own words last, so that they win.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness import boot as booting
from harness import hostload, irqsoff, show
from harness.accelerator import Accelerator, qemu_version
from harness.arch import SYMBOLS, load_arch
from harness.asked import Asked
from harness.boot import BootRequest, BootResult, cores
from harness.catalogue import save
from harness.decode import decoded
from harness.ktap import Status
from harness.limits import Limits, limits_for
from harness.machine import Machine, Payload, in_turns
from harness.measure import Measure, measures
from harness.pace import pace
from harness.places import made
from harness.progress import Progress
from harness.record import (
    MACHINE,
    TOPOLOGY,
    CaseRecord,
    ComplaintRecord,
    HostRecord,
    this_host,
)
from harness.topology import Topology
from harness.verdict import Boot, Verdict, judge


def limits_on(
    machine: Machine,
    topology: Topology,
    accelerator: Accelerator,
    asked: Asked,
    *,
    deadline: float | None,
    silence: float | None,
) -> Limits:
    """What a boot may take on this host."""
    return limits_for(
        accelerator.slowness,
        topology.cpus,
        1 if in_turns(machine, accelerator.name) else cores(),
        scale=asked.scale,
        deadline=deadline,
        silence=silence,
    )


@dataclass(frozen=True)
class Trial:
    """One boot to be done."""

    name: str
    machine: Machine
    topology: Topology
    kernel: Path
    initramfs: Path | None
    asked: Asked
    limits: Limits
    folder: Path

    @property
    def cmdline(self) -> tuple[str, ...]:
        """The kernel's command line."""
        init = ("rdinit=/init",) if self.initramfs and self.asked.init else ()
        return (
            *self.machine.cmdline,
            *("printk.devkmsg=on", "panic=-1", *init),
            *self.limits.cmdline,
            *self.asked.words(self.topology),
            *self.asked.append,
        )

    @property
    def symbols(self) -> Path:
        """The ELF file of the kernel, where it is known."""
        beside = self.kernel.with_name(SYMBOLS)
        return beside if beside.is_file() else self.kernel

    def moved(self, kernel: Path, initramfs: Path | None, folder: Path) -> "Trial":
        """The same with files elsewhere."""
        return replace(self, kernel=kernel, initramfs=initramfs, folder=folder)

    @property
    def request(self) -> BootRequest:
        """What is handed to QEMU."""
        payload = Payload(self.kernel, self.initramfs, self.cmdline)
        return BootRequest(
            self.machine,
            self.topology,
            payload,
            self.limits,
            self.folder,
            icount=self.asked.icount,
        )


@dataclass(frozen=True)
class Booted:
    """What a boot gave, wherever it was: all that a verdict needs, as data."""

    result: BootResult
    limits: Limits
    host: HostRecord


def carry(
    trial: Trial,
    accelerator: Accelerator,
    progress: Progress,
    stop: threading.Event | None = None,
) -> Booted:
    """Boot it on this host; the trial's folder has the console then."""
    made(trial.folder)
    request, version = trial.request, qemu_version(trial.machine.emulator)
    if trial.asked.icount:
        request = replace(request, plugin=irqsoff.prepare(trial.kernel, trial.folder))
    result = booting.boot(request, accelerator, progress, stop)
    host = this_host(version, accelerator.name, accelerator.reason)
    return Booted(result, trial.limits, host)


def announce(trial: Trial, accelerator: Accelerator) -> dict[str, object]:
    """What the record says of a boot that begins; machine and topology are put beside it."""
    made(trial.folder)
    save(trial.machine, trial.folder / MACHINE)
    save(trial.topology, trial.folder / TOPOLOGY)
    argv = booting.command(trial.request, accelerator)
    return {"status": "running", "argv": argv, "cmdline": trial.cmdline}


def conclude(trial: Trial, booted: Booted) -> tuple[Verdict, dict[str, object]]:
    """The verdict on a boot whose console lies in the trial's folder, and all the record says."""
    used = replace(trial, limits=booted.limits)
    verdict = judge(_boot(used, booted))
    return verdict, {**_told(used, booted.result, verdict), "host": booted.host}


def _boot(trial: Trial, booted: Booted) -> Boot:
    """What is judged."""
    result, host = booted.result, booted.host
    threads = 1 if in_turns(trial.machine, host.accelerator) else trial.topology.cpus

    def starved(at: float) -> bool:
        window = max(trial.limits.silence, trial.limits.stall)
        return hostload.starved(result.samples, at - window, at + window, threads, host.cores)

    return Boot(
        lines=result.lines,
        ended=result.ended,
        tests_wanted=trial.asked.tests,
        starved=starved,
        pace=None if trial.asked.icount else pace(result.lines),
        qemu_said=result.complaint,
    )


def _measures(trial: Trial, result: BootResult) -> Mapping[str, Measure]:
    """What the guest measured, and what was measured of it."""
    told = measures(line.text for line in result.lines)
    if not trial.asked.icount:
        return told
    return {**told, **irqsoff.measured(trial.kernel, trial.folder)}


def _told(trial: Trial, result: BootResult, verdict: Verdict) -> dict[str, object]:
    """What the record keeps of a boot."""
    prefix = load_arch(trial.machine.arch).prefix_on()
    load = result.samples[-1] if result.samples else hostload.Sample(0, 0, 0)
    return {
        "status": "finished",
        "argv": result.argv,
        "cmdline": trial.cmdline,
        "outcome": verdict.outcome.name,
        "reason": verdict.reason,
        "ended": result.ended.value,
        "seconds": result.seconds,
        "phases": result.phases,
        "deadline": trial.limits.deadline,
        "silence": trial.limits.silence,
        "thresholds": dict(trial.limits.stalls),
        "guest_ran": round(load.ran, 3),
        "guest_waited": round(load.waited, 3),
        "measures": _measures(trial, result),
        "counts": {status.value: verdict.count(status) for status in Status},
        "cases": tuple(CaseRecord(**data) for data in show.case_data(verdict)),
        "complaints": tuple(
            ComplaintRecord(**data, decoded=decoded(charge, trial.symbols, prefix))
            for charge, data in zip(verdict.charges, show.complaint_data(verdict), strict=True)
        ),
    }
