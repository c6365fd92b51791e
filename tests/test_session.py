# SPDX-License-Identifier: GPL-2.0
"""Boots side by side, and a record that is closed however the work ends."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pytest

from harness.accelerator import Accelerator
from harness.asked import Asked
from harness.dispatch import boot_all as dispatched
from harness.engine import Order
from harness.errors import BuildError, HostError, Outcome
from harness.limits import Limits
from harness.places import Places
from harness.progress import Progress, SilentProgress
from harness.record import CellRecord, Recorder, begin, load, runs
from harness.session import recorded
from harness.topology import load_topology
from harness.trial import Trial
from harness.verdict import Verdict
from tests.fakes import FAILS, PASSES, fake_machine, in_its_own_process

TCG = Accelerator("tcg", "a test")
QUIET = SilentProgress()
SLQB = Path("/nowhere/slqb")


def trial(folder: Path, recorder: Recorder, name: str, text: str, act: str = "exit 0") -> Trial:
    """A boot of its own fake QEMU."""
    home = folder / f"fake-{name}"
    home.mkdir()
    machine = fake_machine(home, text, act)
    recorder.add(CellRecord(name=name, kernel="k", machine=machine.name, topology="up"))
    return Trial(
        name=name,
        machine=machine,
        topology=load_topology("up"),
        kernel=Path("vmlinux"),
        initramfs=None,
        asked=Asked(),
        limits=Limits(deadline=60, silence=30),
        folder=recorder.folder / name,
    )


def boot_all(
    trials: list[tuple[Trial, Accelerator]], recorder: Recorder, progress: Progress, jobs: int
) -> Mapping[str, Verdict]:
    places = Places(recorder.folder.parent.parent / "cache", recorder.folder.parent)
    orders = [Order(*one) for one in trials]
    return dispatched(orders, recorder, progress, places, jobs=jobs)


@pytest.fixture
def recorder(places: Places) -> Recorder:
    return begin(places, ("slqb",), 1)


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_each_boot_has_its_own_verdict(tmp_path: Path, recorder: Recorder, jobs: int) -> None:
    texts = {"a": PASSES, "b": FAILS, "c": PASSES, "d": "", "e": FAILS}
    trials = [(trial(tmp_path, recorder, name, text), TCG) for name, text in texts.items()]
    verdicts = boot_all(trials, recorder, QUIET, jobs)
    wanted = {"a": "PASS", "b": "FAIL", "c": "PASS", "d": "BOOT", "e": "FAIL"}
    assert {name: verdict.outcome.name for name, verdict in verdicts.items()} == wanted
    cells = load(recorder.folder).cells
    assert {cell.name: cell.outcome for cell in cells} == wanted
    assert all((recorder.folder / name / "console.log").is_file() for name in texts)


def test_boots_run_side_by_side_but_no_more_than_asked(tmp_path: Path, recorder: Recorder) -> None:
    log = tmp_path / "running"
    act = f"echo 1 >> {log}; sleep 0.5; echo -1 >> {log}; exit 0"
    trials = [(trial(tmp_path, recorder, name, PASSES, act), TCG) for name in "abcd"]
    boot_all(trials, recorder, QUIET, 2)
    running = list(accumulate(int(line) for line in log.read_text().split()))
    assert len(running) == 8
    assert max(running) == 2


ONCE_SPOILT = "if mkdir ../../tried 2>/dev/null; then echo no memory >&2; exit 1; fi; exit 0"
ALWAYS_SPOILT = "echo no memory >&2; exit 1"


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("act", "end"), [(ONCE_SPOILT, "PASS"), (ALWAYS_SPOILT, "HOST")])
def test_a_boot_that_the_host_spoilt_is_repeated_once_and_kept(
    tmp_path: Path, recorder: Recorder, jobs: int, act: str, end: str
) -> None:
    trials = [(trial(tmp_path, recorder, "a", PASSES, act), TCG)]
    trials.append((trial(tmp_path, recorder, "b", PASSES), TCG))
    verdicts = boot_all(trials, recorder, QUIET, jobs)
    assert [verdicts[name].outcome.name for name in "ab"] == [end, "PASS"]
    first, second = load(recorder.folder).cells
    assert (first.outcome, first.host_failures) == (end, ("QEMU died: no memory",))
    assert not second.host_failures
    assert "no memory" in (recorder.folder / "a-spoilt" / "qemu.log").read_text()
    assert (recorder.folder / "a" / "console.log").is_file()


def begun(folder: Path) -> Recorder:
    return begin(Places(folder / "cache", folder / "runs"), ("slqb",), 1)


def outcomes(recorder: Recorder) -> dict[str, str | None]:
    return {cell.name: cell.outcome for cell in load(recorder.folder).cells}


def stop_all(folder: Path) -> None:
    recorder = begun(folder)
    slow = trial(folder, recorder, "slow", PASSES, "exec sleep 60")
    barred = trial(folder, recorder, "barred", PASSES)
    (recorder.folder / "barred" / "console.log").mkdir(parents=True)
    began = time.monotonic()
    with pytest.raises(IsADirectoryError):
        boot_all([(slow, TCG), (barred, TCG)], recorder, QUIET, 2)
    assert time.monotonic() - began < 20
    assert outcomes(recorder) == {"slow": None, "barred": None}  # cut off is not judged


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_boot_that_the_host_cannot_do_costs_the_others_nothing(
    tmp_path: Path, recorder: Recorder, jobs: int
) -> None:
    missing = trial(tmp_path, recorder, "missing", PASSES)
    (tmp_path / "fake-missing" / "fake-qemu").unlink()
    later = trial(tmp_path, recorder, "later", FAILS)
    boot_all([(missing, TCG), (later, TCG)], recorder, QUIET, jobs)
    assert outcomes(recorder) == {"missing": "HOST", "later": "FAIL"}
    [first, _] = load(recorder.folder).cells
    assert "is not installed" in first.reason
    assert len(first.host_failures) == 1


def test_what_stops_one_boot_stops_all(tmp_path: Path) -> None:
    in_its_own_process(stop_all, tmp_path)


@dataclass
class InterruptsOnce:
    """A progress that behaves as if Ctrl-C came when the first boot is done."""

    def stage(self, name: str, expected: float | None = None) -> None: ...
    def step(self, done: int, total: int | None = None, label: str = "") -> None: ...
    def done(self, result: str = "") -> None: ...

    def note(self, text: str) -> None:
        if "PASS" in text:
            raise KeyboardInterrupt


def interrupt(folder: Path) -> None:
    recorder = begun(folder)
    acts = {"quick": "exit 0", "slow": "exec sleep 60", "later": "exec sleep 60"}
    trials = [(trial(folder, recorder, n, PASSES, act), TCG) for n, act in acts.items()]
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        boot_all(trials, recorder, InterruptsOnce(), 2)
    assert time.monotonic() - began < 20
    assert threading.active_count() == 1
    assert outcomes(recorder) == {"quick": "PASS", "slow": None, "later": None}


def test_an_interrupt_ends_every_boot_and_judges_none_of_them(tmp_path: Path) -> None:
    in_its_own_process(interrupt, tmp_path)


def closed(places: Places, work: Callable[[Recorder], None]) -> tuple[str, str | None, str]:
    """How the record says the work ended."""
    try:
        with recorded(places, ("slqb",), 1, SLQB) as recorder:
            work(recorder)
    except (KeyboardInterrupt, HostError, BuildError):
        pass
    record = load(runs(places)[-1])
    return record.status, record.outcome, record.reason


def raising(error: BaseException) -> Callable[[Recorder], None]:
    def work(_recorder: Recorder) -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (KeyboardInterrupt(), ("interrupted", "INTERRUPTED", "interrupted")),
        (HostError("disk full\nmore"), ("finished", "HOST", "disk full")),
        (BuildError("no semicolon"), ("finished", "BUILD", "no semicolon")),
    ],
)
def test_a_record_says_how_the_work_ended(
    places: Places, error: BaseException, end: tuple[str, str, str]
) -> None:
    assert closed(places, raising(error)) == end


@pytest.mark.parametrize(
    ("cells", "end"), [((), "HOST"), (("PASS", None), "HOST"), (("PASS", "CRASH", "FAIL"), "CRASH")]
)
@pytest.mark.parametrize("error", [HostError("disk full"), OSError(28, "No space left")])
def test_what_was_found_before_the_host_gave_up_counts_for_more(
    places: Places, cells: tuple[str | None, ...], end: str, error: Exception
) -> None:
    def work(recorder: Recorder) -> None:
        for number, outcome in enumerate(cells):
            one = CellRecord(name=f"c{number}", kernel="k", machine="m", topology="up")
            recorder.add(one.model_copy(update={"outcome": outcome, "status": "running"}))
        raise error

    with pytest.raises(HostError) as raised, recorded(places, ("slqb",), 1, SLQB) as recorder:
        work(recorder)
    record = load(runs(places)[-1])
    assert (record.outcome, raised.value.outcome.name) == (end, end)
    assert record.exit_code == Outcome[end].exit_code
    assert {cell.status for cell in record.cells} <= {"stopped"}
    assert bool(getattr(raised.value, "__notes__", ())) == (end == "CRASH")


def test_work_that_was_done_keeps_its_outcome(places: Places) -> None:
    def work(recorder: Recorder) -> None:
        recorder.update(outcome=Outcome.FAIL.name, reason="one test")

    assert closed(places, work) == ("finished", "FAIL", "one test")
