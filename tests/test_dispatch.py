# SPDX-License-Identifier: GPL-2.0
"""Builds beside boots, boots that fail and are repeated: real processes, a QEMU that only talks."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import child
from harness.accelerator import Accelerator
from harness.asked import Asked
from harness.cli.telling import lines, verdict_line
from harness.dispatch import NICE, REPEAT, SPOILT, Build, Dispatcher, Manner
from harness.engine import Local, Order
from harness.errors import BuildError, HostError
from harness.forecast import Load, Work
from harness.limits import Limits
from harness.matrix import Plan, wanted_kernels
from harness.outlook import task_of
from harness.past import Past, boot_name, build_name
from harness.places import Places
from harness.record import CellRecord, Recorder, begin
from harness.run import Job, Source, Tools, announce, see_through
from harness.topology import load_topology
from harness.trial import Trial
from tests.fakes import FAILS, PASSES, fake_machine, in_its_own_process

TCG = Accelerator("tcg", "a test")
PLAN = Plan("debian:6.1", ("x86_64",), ("lean",), ("up",), ("slqb",), Asked())


@dataclass
class Told:
    """A progress that remembers."""

    notes: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def stage(self, name: str, expected: float | None = None) -> None:
        self.stages.append(name)

    def step(self, done: int, total: int | None = None, label: str = "") -> None: ...

    def done(self, result: str = "") -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def recorder(places: Places) -> Recorder:
    return begin(places, ("slqb",), 1)


def order(folder: Path, recorder: Recorder, name: str, act: str, kernel: str = "k") -> Order:
    """A boot; `act` says all there is to hear, in lines of shell."""
    home = folder / f"fake-{name}"
    home.mkdir()
    (home / "fails").write_text(FAILS)
    (home / "passes").write_text(PASSES)
    machine = fake_machine(home, "", f"cd {home}; {act}")
    recorder.add(CellRecord(name=name, kernel=kernel, machine=machine.name, topology="up"))
    return Order(
        Trial(
            name=name,
            machine=machine,
            topology=load_topology("up"),
            kernel=Path("vmlinux"),
            initramfs=None,
            asked=Asked(),
            limits=Limits(deadline=60, silence=30),
            folder=recorder.folder / name,
        ),
        TCG,
    )


def work(
    recorder: Recorder, places: Places, repeat: int = 2, told: Told | None = None
) -> Dispatcher:
    past = Past.of(places)
    return Dispatcher(Local(2), recorder, told or Told(), past, Manner(counted=True, repeat=repeat))


PASS, FAIL = "cat passes; exit 0", "cat fails; exit 0"
FLAKY = f"if mkdir once 2>/dev/null; then {FAIL}; fi; {PASS}"
LATE = f"if mkdir once 2>/dev/null; then {FAIL}; elif mkdir twice; then {FAIL}; fi; {PASS}"
SPOILS = "echo no memory >&2; exit 1"
SPOILT_THEN = f"if mkdir once 2>/dev/null; then {SPOILS}; fi; {PASS}"
SPOILT_AGAIN = f"if mkdir once; then {FAIL}; elif mkdir twice; then {SPOILS}; fi; {PASS}"

SPOILT_TWICE = (
    f"if mkdir once; then {FAIL}; elif mkdir twice || mkdir thrice; then {SPOILS}; fi; {PASS}"
)


@pytest.mark.parametrize(
    ("act", "repeat", "outcomes", "flaky", "spoilt"),
    [
        (PASS, 2, [], False, 0),
        (FAIL, 0, [], False, 0),
        (FAIL, 2, ["FAIL", "FAIL", "FAIL"], False, 0),
        (FLAKY, 0, [], False, 0),
        (FLAKY, 2, ["FAIL", "PASS"], True, 0),
        (LATE, 1, ["FAIL", "FAIL"], False, 0),
        (LATE, 3, ["FAIL", "FAIL", "PASS"], True, 0),
        (SPOILT_THEN, 2, [], False, 1),
        (SPOILS, 2, [], False, 1),
        (SPOILT_AGAIN, 2, ["FAIL", "PASS"], True, 1),
        (SPOILT_TWICE, 1, ["FAIL", "HOST"], False, 1),
        (SPOILT_TWICE, 3, ["FAIL", "HOST", "PASS"], True, 1),
    ],
)
def test_what_failed_is_repeated_and_a_late_pass_is_none(
    tmp_path: Path,
    places: Places,
    recorder: Recorder,
    act: str,
    repeat: int,
    outcomes: list[str],
    flaky: bool,
    spoilt: int,
) -> None:
    orders = [order(tmp_path, recorder, "a", act), order(tmp_path, recorder, "b", PASS)]
    work(recorder, places, repeat).carry_out(orders)
    cell, other = recorder.record.cells
    assert [one.outcome for one in cell.attempts] == outcomes
    assert (cell.flaky, len(cell.host_failures)) == (flaky, spoilt)
    first = "HOST" if act == SPOILS else "PASS" if act in (PASS, SPOILT_THEN) else "FAIL"
    assert (cell.outcome, other.outcome, other.attempts) == (first, "PASS", ())
    for one in cell.attempts:
        console = (recorder.folder / one.folder / "console.log").read_text()
        assert ("not ok 2 two" in console) == (one.outcome == "FAIL")
    assert [one.folder for one in cell.attempts][1:] == [
        f"a{REPEAT}{number}" for number in range(1, len(outcomes))
    ]
    assert len(list(recorder.folder.glob(f"a*{SPOILT}"))) == spoilt
    if not spoilt:
        assert {case.status for case in cell.cases} >= {"fail" if first == "FAIL" else "pass"}


def test_a_flake_is_told_as_one(tmp_path: Path, places: Places, recorder: Recorder) -> None:
    told = Told()
    orders = [order(tmp_path, recorder, "a", FLAKY), order(tmp_path, recorder, "b", FAIL)]
    work(recorder, places, 2, told).carry_out(orders)
    recorder.update(outcome="FAIL", reason="a: two: not ok")
    assert any("repeat 1 of 2: PASS" in note and note.endswith("; flaky") for note in told.notes)
    said = list(lines(recorder.record, recorder.folder))
    assert said[0].startswith("a: FAIL (flaky: passed on repeat 1): ")
    assert any(line.startswith("b: FAIL (2 repeats, no pass): ") for line in said)
    assert "2 failed, 1 flaky; seed" in verdict_line(recorder.record)


def test_times_are_remembered_and_told_the_next_time(
    tmp_path: Path, places: Places, recorder: Recorder
) -> None:
    told = Told()
    orders = [order(tmp_path, recorder, name, PASS) for name in ("a-up", "b-up")]
    work(recorder, places, 0, told).carry_out(orders)
    assert told.notes[0] == "to do: 2 boots, how long, no earlier run tells"
    past = Past.of(places)
    assert past.expect(boot_name("a", "up", Asked(), "tcg")) is not None
    again = begin(places, ("slqb",), 1)
    told = Told()
    (tmp_path / "more").mkdir()
    orders = [order(tmp_path / "more", again, name, PASS) for name in ("a-up", "b-up")]
    work(again, places, 0, told).carry_out(orders)
    assert told.notes[0].startswith("to do: 2 boots, about ")
    assert "[1 of 2, about " in told.notes[1]


def test_the_median_of_the_last_few_is_expected(places: Places) -> None:
    past, name = Past.of(places), build_name("k", fresh=True)
    assert past.expect(name) is None
    for seconds in (900, 10, 12, 500, 11, 13):
        past.remember(name, seconds)
    assert past.expect(name) == 12
    [file] = places.facts.glob("seconds-*")
    file.write_text("{}")
    assert past.expect(name) is None


def test_what_a_time_depends_on_is_in_its_name() -> None:
    names = {
        boot_name(*one)
        for one in (
            ("k", "2n", Asked(), "tcg"),
            ("k", "2n", Asked(), "kvm"),
            ("k", "4n", Asked(), "tcg"),
            ("k", "2n", Asked(scale="soak"), "tcg"),
            ("k", "2n", Asked(suite="kunit"), "tcg"),
            ("k", "2n", Asked(case="slabtest.*"), "tcg"),
            ("k", "2n", Asked(append=("slqb_debug",)), "tcg"),
        )
    }
    assert len(names) == 7
    assert boot_name("k", "2n", Asked(seed=7), "tcg") in names


def build(
    recorder: Recorder, name: str, orders: Callable[[], Iterable[Order]], *cells: str
) -> Build:
    topology = load_topology("up")
    tasks = (task_of(cell, topology, Asked(), 5, counted=True) for cell in cells)
    return Build(Load(name, Work(1), tuple(tasks)), orders)


def test_boots_begin_while_the_next_kernel_is_built(
    tmp_path: Path, places: Places, recorder: Recorder
) -> None:
    log = tmp_path / "log"
    until = f"for i in $(seq 200); do [ -e {tmp_path}/begun ] && break; sleep 0.1; done"
    first = order(tmp_path, recorder, "a", f"{until}; echo boot >> {log}; {PASS}")
    second = order(tmp_path, recorder, "b", PASS)
    nice: list[int] = []

    def quick() -> list[Order]:
        return [first]

    def slow() -> list[Order]:
        nice.append(int(child.run(["nice"], cwd=tmp_path)))
        (tmp_path / "begun").touch()
        deadline = time.monotonic() + 20
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with log.open("a") as out:
            out.write("built\n")
        return [second]

    builds = [build(recorder, "one", quick, "a"), build(recorder, "two", slow, "b")]
    dispatcher, began = work(recorder, places), time.monotonic()
    dispatcher.carry_out(builds=builds)
    assert time.monotonic() - began < 15
    assert log.read_text().split() == ["boot", "built"]
    assert sorted(dispatcher.verdicts) == ["a", "b"]
    assert nice == [min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE)]


def test_a_kernel_that_has_no_boots_costs_the_others_nothing(
    tmp_path: Path, places: Places, recorder: Recorder
) -> None:
    other = order(tmp_path, recorder, "b", PASS)
    builds = [
        build(recorder, "broken", lambda: [], "a1", "a2"),
        build(recorder, "good", lambda: [other], "b"),
    ]
    told = Told()
    dispatcher = work(recorder, places, told=told)
    dispatcher.carry_out(builds=builds)
    assert list(dispatcher.verdicts) == ["b"]
    assert not any("of 3" in note for note in told.notes)


def a_build_that_stops_it(folder: Path) -> None:
    places = Places(folder / "cache", folder / "runs")
    recorder = begin(places, ("slqb",), 1)
    lasts = order(folder, recorder, "a", "exec sleep 60")

    def full() -> list[Order]:
        raise HostError("disk full")

    builds = [build(recorder, "one", lambda: [lasts], "a"), build(recorder, "two", full, "b")]
    began = time.monotonic()
    with pytest.raises(HostError, match="disk full"):
        work(recorder, places).carry_out(builds=builds)
    assert time.monotonic() - began < 20
    assert threading.active_count() == 1
    assert recorder.record.cells[0].outcome is None


def test_a_host_that_cannot_build_stops_the_boots_as_well(tmp_path: Path) -> None:
    in_its_own_process(a_build_that_stops_it, tmp_path)


@dataclass
class Interrupts(Told):
    """Ctrl-C, when the first boot is over."""

    def note(self, text: str) -> None:
        if "PASS" in text:
            raise KeyboardInterrupt


def interrupted_build(folder: Path) -> None:
    places = Places(folder / "cache", folder / "runs")
    recorder = begin(places, ("slqb",), 1)
    quick = order(folder, recorder, "a", PASS)

    def lasts() -> list[Order]:
        child.run(["sleep", "60"], cwd=folder)
        return []

    builds = [build(recorder, "one", lambda: [quick], "a"), build(recorder, "two", lasts, "b")]
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        work(recorder, places, told=Interrupts()).carry_out(builds=builds)
    assert time.monotonic() - began < 20
    assert threading.active_count() == 1


def test_an_interrupt_ends_the_build_beside_the_boots(tmp_path: Path) -> None:
    in_its_own_process(interrupted_build, tmp_path)


def test_a_single_build_is_done_where_it_is_asked_for(
    tmp_path: Path, places: Places, recorder: Recorder
) -> None:
    """Its progress is all there is to see, and Ctrl-C comes out there."""
    where: list[str] = []
    only = order(tmp_path, recorder, "a", PASS)

    def carry_out() -> list[Order]:
        where.append(threading.current_thread().name)
        return [only]

    told = Told()
    work(recorder, places, told=told).carry_out(builds=[build(recorder, "one", carry_out, "a")])
    assert where == ["MainThread"]
    assert told.stages == ["boot a"]  # its console is shown


def cut_off(folder: Path) -> None:
    places = Places(folder / "cache", folder / "runs")
    recorder = begin(places, ("slqb",), 1)
    wanted = wanted_kernels(PLAN)[0]
    tools = Tools(places, Told(), recorder)
    job = Job(Source(PLAN, tools), wanted, TCG)
    announce((wanted,), PLAN, recorder)

    def fails(_job: Job) -> Job:
        raise BuildError("make was ended")

    assert see_through(job, (fails,)) is None
    assert recorder.record.cells[0].outcome == "BUILD"
    recorder.cell(recorder.record.cells[0].name, outcome=None)
    child.end_all()
    with pytest.raises(BuildError):
        see_through(job, (fails,))
    assert recorder.record.cells[0].outcome is None


def test_a_build_that_was_cut_off_is_not_judged(tmp_path: Path) -> None:
    in_its_own_process(cut_off, tmp_path)
