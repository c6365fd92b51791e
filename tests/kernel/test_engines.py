# SPDX-License-Identifier: GPL-2.0
"""A real kernel booted by two workers of a cluster, and one that fails only sometimes."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from distributed import LocalCluster

from harness.accelerator import TCG, Accelerator
from harness.asked import Asked
from harness.boot import cores
from harness.cluster import Cluster
from harness.dispatch import Dispatcher, Manner, boot_all
from harness.engine import Local, Order
from harness.kernel import KernelSpec
from harness.limits import limits_for
from harness.machine import Machine, load_machine
from harness.past import Past
from harness.places import Places
from harness.progress import SilentProgress
from harness.record import CellRecord, Recorder, begin
from harness.topology import load_topology
from harness.trial import Trial

from .conftest import Pack
from .images import Images

pytestmark = pytest.mark.kernel

QUIET = SilentProgress()
PICKED = Accelerator(TCG, "a test")
CASES = "slabtest.kmalloc_*"
SHAPES = ("2n", "memoryless", "up")
WRAPPER = """\
#!/bin/bash
# QEMU, whose guest fails a test the first time
if [ "$1" != --version ] && mkdir {folder}/once 2>/dev/null; then
\twords=() last=
\tfor word in "$@"; do
\t\t[ "$last" = -append ] && word="$word slqbtest.plant=fail"
\t\twords+=("$word") last=$word
\tdone
\tset -- "${{words[@]}}"
fi
exec {qemu} "$@"
"""


def orders(images: Images, recorder: Recorder, machine: Machine, *names: str) -> list[Order]:
    made = []
    for name in names:
        topology = load_topology(name)
        recorder.add(CellRecord(name=name, kernel="k", machine=machine.name, topology=name))
        trial = Trial(
            name=name,
            machine=machine,
            topology=topology,
            kernel=images.kernel,
            initramfs=images.initramfs,
            asked=Asked(case=CASES, seed=1),
            limits=limits_for(PICKED.slowness, topology.cpus, cores()),
            folder=recorder.folder / name,
        )
        made.append(Order(trial, PICKED, TCG))
    return made


def seen(recorder: Recorder) -> dict[str, object]:
    """What the record holds that a boot elsewhere must not change."""
    return {
        cell.name: (cell.outcome, cell.counts, [(case.path, case.status) for case in cell.cases])
        for cell in recorder.record.cells
    }


def kill_a_worker(pids: list[int], killed: list[int]) -> None:
    """The first one that has a QEMU whose guest has come to its tests."""
    for _ in range(600):
        for pid in pids:
            if any("qemu-system" in name for name in children(pid)):
                time.sleep(1)
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
        time.sleep(0.1)


def children(pid: int) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found.append(Path(f"/proc/{child}/cmdline").read_text().split("\0")[0])
    return found


def test_a_cluster_gives_the_same_verdict_though_a_worker_is_killed(
    tmp_path: Path, pack: Pack
) -> None:
    images, places = pack(KernelSpec()), Places(tmp_path / "cache", tmp_path / "runs")
    machine = load_machine("x86_64")
    here = begin(places, ("slqb",), 1)
    boot_all(orders(images, here, machine, *SHAPES), here, QUIET, places)
    there, killed = begin(places, ("slqb",), 1), list[int]()
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
        local_directory=str(tmp_path / "workers"),
    ) as cluster:
        pids = [nanny.process.pid for nanny in cluster.workers.values()]
        killer = threading.Thread(target=kill_a_worker, args=(pids, killed))
        killer.start()
        engine = Cluster(cluster.scheduler_address, places, there.record.name)
        work = Dispatcher(engine, there, QUIET, Past.of(places), Manner())
        work.carry_out(orders(images, there, machine, *SHAPES))
        killer.join()
    assert len(killed) == 1
    assert {cell.outcome for cell in here.record.cells} == {"PASS"}
    assert seen(there) == seen(here)
    assert not any(cell.host_failures or cell.attempts for cell in there.record.cells)


def sometimes(folder: Path) -> Machine:
    """A machine whose guest fails a test when it is booted for the first time."""
    machine = load_machine("x86_64")
    wrapper = folder / "qemu"
    wrapper.write_text(WRAPPER.format(folder=folder, qemu=machine.emulator))
    wrapper.chmod(0o755)
    return machine.model_copy(update={"emulator": str(wrapper)})


def test_a_kernel_that_fails_only_sometimes_is_flaky(tmp_path: Path, pack: Pack) -> None:
    images, places = pack(KernelSpec()), Places(tmp_path / "cache", tmp_path / "runs")
    recorder = begin(places, ("slqb",), 1)
    work = Dispatcher(Local(1), recorder, QUIET, Past.of(places), Manner(repeat=2))
    work.carry_out(orders(images, recorder, sometimes(tmp_path), "up"))
    [cell] = recorder.record.cells
    assert (cell.outcome, cell.flaky) == ("FAIL", True)
    assert [one.outcome for one in cell.attempts] == ["FAIL", "PASS"]
    assert "plant_fault" in cell.reason
    for one in cell.attempts:
        assert (recorder.folder / one.folder / "console.log").is_file()
