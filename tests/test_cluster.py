# SPDX-License-Identifier: GPL-2.0
"""Boots on a real Dask cluster: two worker processes on this host, told apart by their work."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster

from harness.accelerator import Accelerator
from harness.asked import Asked
from harness.cluster import Cluster, same
from harness.digest import digest_of
from harness.dispatch import SPOILT, Dispatcher, Manner
from harness.engine import Order
from harness.errors import HostError, Outcome, UserError
from harness.limits import Limits
from harness.parcel import Content, Refusal, boot, packed, this_code
from harness.past import Past
from harness.places import PROJECT, Places
from harness.progress import SilentProgress
from harness.record import CellRecord, Recorder, begin, load
from harness.topology import load_topology
from harness.trial import Trial
from tests.conftest import Command
from tests.fakes import FAILS, PASSES, alive, fake_kernel, fake_machine

TCG = Accelerator("tcg", "a test")
WAITS = "exec sleep 60"


@contextmanager
def two_workers(folder: Path) -> Iterator[LocalCluster]:
    """A scheduler and two workers, each a process with a nanny that brings it back."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        processes=True,
        dashboard_address="127.0.0.1:0",
        local_directory=str(folder),
        silence_logs=logging.CRITICAL,
    ) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with two_workers(tmp_path_factory.mktemp("workers")) as made:
        yield made


@pytest.fixture
def recorder(places: Places) -> Recorder:
    return begin(places, ("slqb",), 1)


def order(folder: Path, recorder: Recorder, name: str, text: str, act: str = "exit 0") -> Order:
    """A boot with a kernel in a folder of its own, which only this process reads."""
    home = folder / f"fake-{name}"
    home.mkdir()
    kernel = fake_kernel(home)
    machine = fake_machine(home, text, act)
    recorder.add(CellRecord(name=name, kernel="k", machine=machine.name, topology="up"))
    trial = Trial(
        name=name,
        machine=machine,
        topology=load_topology("up"),
        kernel=kernel,
        initramfs=home / "initramfs",
        asked=Asked(),
        limits=Limits(deadline=60, silence=30),
        folder=recorder.folder / name,
    )
    return Order(trial, TCG, "tcg", deadline=50, silence=25)


def dispatcher(cluster: LocalCluster, recorder: Recorder, places: Places) -> Dispatcher:
    engine = Cluster(cluster.scheduler_address, places, recorder.record.name)
    return Dispatcher(engine, recorder, SilentProgress(), Past.of(places), Manner())


def test_boots_elsewhere_come_back_as_data(
    tmp_path: Path, places: Places, recorder: Recorder, cluster: LocalCluster
) -> None:
    where = f'echo "$PPID" >> {tmp_path}/workers; readlink -f . >> {tmp_path}/folders; sleep 0.3'
    texts = {"a": PASSES, "b": FAILS, "c": PASSES, "d": "", "e": PASSES}
    orders = [order(tmp_path, recorder, *one, f"{where}; exit 0") for one in texts.items()]
    work = dispatcher(cluster, recorder, places)
    work.carry_out(orders)
    outcomes = {name: verdict.outcome.name for name, verdict in work.verdicts.items()}
    assert outcomes == {"a": "PASS", "b": "FAIL", "c": "PASS", "d": "BOOT", "e": "PASS"}
    assert len(set((tmp_path / "workers").read_text().split())) == 2
    for cell in load(recorder.folder).cells:
        folder = recorder.folder / cell.name
        assert {"console.log", "qemu.log", "machine.json", "topology.json"} <= {
            one.name for one in folder.iterdir()
        }
        assert (cell.deadline, cell.silence) == (50, 25)
        assert f"{tmp_path}/fake-{cell.name}/vmlinux" in cell.argv
    assert "not ok 2 two" in (recorder.folder / "b" / "console.log").read_text()
    for left in (tmp_path / "folders").read_text().split():
        assert not Path(left).exists()


def killed_in_the_middle(file: Path) -> None:
    """SIGKILL for the worker whose QEMU has just written down its parent."""
    for _ in range(300):
        if file.is_file() and (text := file.read_text().strip()):
            os.kill(int(text.split()[0]), signal.SIGKILL)
            return
        time.sleep(0.1)
    raise AssertionError("no boot began")


def test_a_worker_killed_in_the_middle_of_a_cell_loses_nothing(
    tmp_path: Path, places: Places, recorder: Recorder, cluster: LocalCluster
) -> None:
    worker = tmp_path / "worker"
    act = f"echo $PPID $$ >> {worker}.new; mv {worker}.new {worker} && {WAITS}; exit 0"
    first = f"if mkdir {tmp_path}/tried 2>/dev/null; then {act}; fi; exit 0"
    orders = [order(tmp_path, recorder, "doomed", FAILS, first)]
    orders += [order(tmp_path, recorder, name, PASSES) for name in "abc"]
    killer = threading.Thread(target=killed_in_the_middle, args=(worker,))
    killer.start()
    work = dispatcher(cluster, recorder, places)
    work.carry_out(orders)
    killer.join()
    outcomes = {name: verdict.outcome.name for name, verdict in work.verdicts.items()}
    assert outcomes == {"doomed": "FAIL", "a": "PASS", "b": "PASS", "c": "PASS"}
    assert not alive(int(worker.read_text().split()[1]))  # the first QEMU went with its worker
    [doomed] = [cell for cell in load(recorder.folder).cells if cell.name == "doomed"]
    assert (doomed.host_failures, doomed.attempts) == ((), ())
    calls = (tmp_path / "fake-doomed" / "qemu.calls").read_text()
    assert len(calls.splitlines()) == 2


def test_a_boot_that_kills_its_workers_is_the_hosts_fault_and_tried_once_more(
    tmp_path: Path, places: Places, recorder: Recorder
) -> None:
    kills = "sleep 2; kill -9 $PPID; exec sleep 60"  # not before its nanny takes it for started
    orders = [order(tmp_path, recorder, "bomb", "", kills)]
    orders += [order(tmp_path, recorder, "a", PASSES)]
    one_is_enough = {"distributed.scheduler.allowed-failures": 0}
    with dask.config.set(one_is_enough), two_workers(tmp_path / "workers") as cluster:
        work = dispatcher(cluster, recorder, places)
        work.carry_out(orders)
    cells = {cell.name: cell for cell in load(recorder.folder).cells}
    assert (cells["a"].outcome, cells["bomb"].outcome) == ("PASS", "HOST")
    assert "KilledWorker" in cells["bomb"].reason
    assert len(cells["bomb"].host_failures) == 1
    assert (recorder.folder / f"bomb{SPOILT}").is_dir()
    assert len((tmp_path / "fake-bomb" / "qemu.calls").read_text().splitlines()) == 2


def in_its_own_process(act: str, scheduler: str, folder: Path) -> "subprocess.Popen[str]":
    """What stops a run starts no child afterwards: it would spoil other tests."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cluster_stopped", act, scheduler, folder],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_a_worker_cannot_do_costs_its_cell_only(
    tmp_path: Path, places: Places, recorder: Recorder, cluster: LocalCluster
) -> None:
    orders = [order(tmp_path, recorder, name, PASSES) for name in ("lacks", "damaged", "good")]
    (tmp_path / "fake-lacks" / "fake-qemu").unlink()
    work = dispatcher(cluster, recorder, places)
    damaged = tmp_path / "fake-damaged" / "vmlinux"
    damaged.write_bytes(damaged.read_bytes() + b" of its own")
    digest = digest_of(damaged, places)
    engine = work._engine  # the way there is what breaks
    assert isinstance(engine, Cluster)
    engine._contents[digest] = engine._client.submit(same, b"other", key="damaged")
    work.carry_out(orders)
    cells = {cell.name: cell for cell in load(recorder.folder).cells}
    assert {name: cell.outcome for name, cell in cells.items()} == {
        "lacks": "HOST",
        "damaged": "HOST",
        "good": "PASS",
    }
    assert "fake-qemu is not installed" in cells["lacks"].reason
    assert "vmlinux arrived damaged" in cells["damaged"].reason
    assert [len(cells[name].host_failures) for name in ("lacks", "damaged")] == [1, 1]


def test_what_cannot_be_kept_stops_the_run_in_one_line(
    tmp_path: Path, cluster: LocalCluster
) -> None:
    process = in_its_own_process("bars", cluster.scheduler_address, tmp_path)
    said = process.communicate(timeout=60)
    assert process.returncode == Outcome.HOST.exit_code
    assert "Is a directory" in said[0]
    assert (said[0].count("\n"), said[1]) == (1, "")


def test_another_slqb_refuses_what_it_may_not_understand(
    tmp_path: Path, recorder: Recorder
) -> None:
    one = order(tmp_path, recorder, "a", PASSES)
    parcel = packed(one, "run", Content("vmlinux", ""), None)
    refusal = boot(replace(parcel, code="0.0.9 (abc)"), (b"",), tmp_path)
    assert isinstance(refusal, Refusal)
    assert refusal.outcome == "HOST"
    assert f"slqb is {this_code()} there, and 0.0.9 (abc) here" in refusal.text


def test_a_cluster_without_workers_is_given_up(
    places: Places, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Cluster(cluster.scheduler_address, places, "run")
    gone: dict[str, object] = {"workers": {}}
    client = engine._client
    with monkeypatch.context() as patched:
        patched.setattr(client, "scheduler_info", lambda **_: gone)
        patched.setattr("harness.cluster.ALONE", 0.2)
        assert engine.rooms() == {}  # however long it is since anybody asked
        time.sleep(0.3)
        with pytest.raises(HostError, match="has had no worker for long"):
            engine.rooms()
    assert len(engine.rooms()) == 2
    engine.close()


def test_an_interrupt_ends_the_boots_of_the_workers(tmp_path: Path, cluster: LocalCluster) -> None:
    process = in_its_own_process("lasts", cluster.scheduler_address, tmp_path)
    pids = tmp_path / "qemus"
    for _ in range(300):
        if pids.is_file() and len(pids.read_text().split()) == 2:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    soon = time.monotonic() + 15  # sooner than their silence would end them
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == Outcome.INTERRUPTED.exit_code
    while any(alive(int(pid)) for pid in pids.read_text().split()):
        time.sleep(0.1)
    assert time.monotonic() < soon
    [result] = (tmp_path / "runs").glob("*/result.json")
    record = json.loads(result.read_text())
    assert (record["status"], record["outcome"]) == ("interrupted", "INTERRUPTED")
    assert [cell["outcome"] for cell in record["cells"]] == [None, None]


def test_a_cluster_that_is_not_there_is_wrong_use(places: Places) -> None:
    with pytest.raises(UserError, match=r"^no Dask scheduler answers at tcp://127.0.0.1:9 \("):
        Cluster("tcp://127.0.0.1:9", places, "run")
    with pytest.raises(UserError, match=r"^no Dask scheduler answers at nonsense://x"):
        Cluster("nonsense://x", places, "run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--engine", "dask"), "--engine dask needs --scheduler ADDRESS"),
        (("--scheduler", "tcp://x:1"), "--scheduler is for --engine dask"),
        (("--engine", "dask", "--scheduler", "x", "--jobs", "2"), "--jobs is for this host"),
        (("--engine", "slurm"), "'slurm' is not one of 'local', 'dask'"),
    ],
)
def test_engines_that_cannot_be_asked_for(
    slqb: Command, words: tuple[str, ...], message: str
) -> None:
    answer = slqb("run", *words)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert message in answer.stderr
