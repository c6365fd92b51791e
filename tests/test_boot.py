# SPDX-License-Identifier: GPL-2.0
"""One boot, watched to its end, whatever that is; QEMU is a script here."""

import time
from pathlib import Path

import pytest

from harness.accelerator import Accelerator
from harness.boot import (
    CONSOLE_LOG,
    LAST_WORDS,
    BootRequest,
    BootResult,
    Ended,
    Watch,
    boot,
)
from harness.console import Line
from harness.errors import HostError
from harness.heartbeat import Heartbeats
from harness.limits import Limits
from harness.machine import Machine, Payload
from harness.progress import SilentProgress
from harness.topology import load_topology
from tests.fakes import GUEST, PASSES, alive, fake_machine

TCG = Accelerator("tcg", "a test")
QUIET = SilentProgress()
PATIENT = Limits(deadline=60, silence=30)
PANIC = "Kernel panic - not syncing: a test\n"


def booted(folder: Path, machine: Machine, limits: Limits = PATIENT) -> BootResult:
    payload = Payload(folder / "vmlinux", None, ("quiet",))
    request = BootRequest(machine, load_topology("up"), payload, limits, folder / "boot")
    return boot(request, TCG, QUIET)


def test_a_guest_that_powers_off(tmp_path: Path) -> None:
    result = booted(tmp_path, fake_machine(tmp_path, PASSES))
    assert result.ended is Ended.POWEROFF
    assert [line.text for line in result.lines] == PASSES.splitlines()
    assert result.argv[-2:] == ("-append", "quiet")
    log = (tmp_path / "boot" / CONSOLE_LOG).read_text()
    assert log == "".join(f"{line}\n" for line in result.lines)


def test_a_restart_is_an_end_too(tmp_path: Path) -> None:
    result = booted(tmp_path, fake_machine(tmp_path, GUEST + "reboot: Restarting system\n"))
    assert result.ended is Ended.POWEROFF


def test_a_guest_that_vanishes(tmp_path: Path) -> None:
    assert booted(tmp_path, fake_machine(tmp_path, GUEST)).ended is Ended.RESET


def test_a_qemu_that_refuses(tmp_path: Path) -> None:
    act = "echo 'fake: cannot set up guest memory' >&2; exit 1"
    result = booted(tmp_path, fake_machine(tmp_path, "", act))
    assert result.ended is Ended.QEMU_DIED
    assert result.complaint == "fake: cannot set up guest memory"


def test_a_qemu_that_is_killed(tmp_path: Path) -> None:
    result = booted(tmp_path, fake_machine(tmp_path, GUEST, "kill -KILL $$"))
    assert result.ended is Ended.QEMU_DIED


def test_a_qemu_that_is_missing(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path, "").model_copy(update={"emulator": "qemu-system-none"})
    with pytest.raises(HostError, match="qemu-system-none is not installed"):
        booted(tmp_path, machine)


def asks_for_a_part(folder: Path, act: str) -> BootResult:
    """A guest that wants a CPU of a QEMU that does not listen."""
    text = GUEST + "slqb-guest: plug cpu\n"
    machine = fake_machine(folder, text, act).model_copy(update={"grows": True})
    payload = Payload(folder / "vmlinux")
    shape = load_topology("hotplug")
    return boot(BootRequest(machine, shape, payload, PATIENT, folder / "boot"), TCG, QUIET)


def test_a_guest_that_dies_while_a_part_comes_is_judged_by_its_console(tmp_path: Path) -> None:
    assert asks_for_a_part(tmp_path, "exit 0").ended is Ended.RESET


def test_a_qemu_that_adds_no_part_is_the_hosts_fault(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="QEMU did not plug a cpu"):
        asks_for_a_part(tmp_path, "exec sleep 60")


@pytest.mark.quiet
def test_silence_is_a_hang(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path, GUEST, "exec sleep 60")
    began = time.monotonic()
    result = booted(tmp_path, machine, Limits(deadline=60, silence=1))
    assert result.ended is Ended.HANG
    assert time.monotonic() - began < 10
    assert result.lines[-1].text == "    # start: two"


def test_a_line_that_is_not_finished_is_no_life_but_is_shown(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path, GUEST, "printf half; exec sleep 60")
    result = booted(tmp_path, machine, Limits(deadline=60, silence=1))
    assert result.ended is Ended.HANG
    assert result.lines[-1].text == "half"
    assert (tmp_path / "boot" / CONSOLE_LOG).read_text().endswith("half\n")


@pytest.mark.quiet
def test_talk_without_end_is_cut_off(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path, GUEST, "while :; do echo talk; sleep 0.05; done")
    result = booted(tmp_path, machine, Limits(deadline=2, silence=1))
    assert result.ended is Ended.TIMEOUT
    assert result.seconds < 10


@pytest.mark.quiet
def test_a_panic_ends_the_boot_at_once(tmp_path: Path) -> None:
    end = "---[ end Kernel panic - not syncing: a test ]---\n"
    machine = fake_machine(tmp_path, GUEST + PANIC + "Call Trace:\n" + end, "exec sleep 60")
    result = booted(tmp_path, machine)
    assert result.ended is Ended.PANIC
    assert result.seconds < LAST_WORDS + 1
    assert result.lines[-1].text == end.strip()


@pytest.mark.quiet
def test_a_panic_without_an_end_is_not_waited_for_long(tmp_path: Path) -> None:
    act = "while :; do echo still dumping; sleep 0.1; done"
    result = booted(tmp_path, fake_machine(tmp_path, GUEST + PANIC, act))
    assert result.ended is Ended.PANIC
    assert LAST_WORDS <= result.seconds < LAST_WORDS + 3


def test_a_panic_at_which_qemu_leaves(tmp_path: Path) -> None:
    assert booted(tmp_path, fake_machine(tmp_path, GUEST + PANIC)).ended is Ended.PANIC


@pytest.mark.quiet
def test_a_guest_that_halts_is_not_waited_for(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path, GUEST + "reboot: System halted\n", "exec sleep 60")
    result = booted(tmp_path, machine)
    assert result.ended is Ended.POWEROFF
    assert result.seconds < LAST_WORDS + 3


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    act = f"sleep 60 & echo $! > {tmp_path}/pid; exec sleep 60"
    booted(tmp_path, fake_machine(tmp_path, GUEST, act), Limits(deadline=60, silence=1))
    pid, soon = int((tmp_path / "pid").read_text()), time.monotonic() + 10
    while alive(pid):  # it was sent SIGKILL, which a busy host may need a moment for
        assert time.monotonic() < soon
        time.sleep(0.01)


def watched(*lines: tuple[float, str], limits: Limits = PATIENT) -> Watch:
    watch = Watch(limits)
    for at, text in lines:
        watch.line(Line(text, at))
    return watch


def test_the_phases_of_a_boot() -> None:
    watch = watched(
        (0.5, "Linux version 6.1"),
        (2.0, "slqb-guest: init"),
        (2.25, "slqb-guest: tests"),
        (2.25, "KTAP version 1"),
        (9.0, "slqb-guest: done"),
    )
    assert watch.phases(9.5) == {
        "firmware": 0.5,
        "kernel": 1.5,
        "init": 0.25,
        "tests": 6.75,
        "poweroff": 0.5,
    }


def test_the_phases_of_a_boot_without_init() -> None:
    watch = watched((0.5, "[    0.0] Linux version 6.1"), (2.0, "[    1.0] KTAP version 1"))
    assert watch.phases(3.0) == {"firmware": 0.5, "kernel": 1.5, "tests": 1.0}


def test_the_kernels_own_empty_list_of_tests_is_no_phase() -> None:
    watch = watched((0.5, "Linux version 6"), (1.0, "KTAP version 1"), (2.0, "slqb-guest: init"))
    assert watch.phases(3.0) == {"firmware": 0.5, "kernel": 1.5, "init": 1.0}


def test_the_phases_of_a_guest_that_said_nothing() -> None:
    assert Watch(PATIENT).phases(3.0) == {"firmware": 3.0}


def test_every_line_starts_the_silence_anew() -> None:
    watch = watched((29.0, "still there"))
    assert watch.verdict(58.9) is None
    assert watch.verdict(59.1) is Ended.HANG


STALL = "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:"


def test_reports_of_a_stall_are_no_sign_of_life() -> None:
    watch = watched((1.0, "ok 1 a"), (10.0, STALL), (20.0, "Call Trace:"), (25.0, STALL))
    assert watch.verdict(30.9) is None
    assert watch.verdict(31.1) is Ended.HANG


def test_a_test_that_goes_on_after_a_stall_is() -> None:
    watch = watched((1.0, "ok 1 a"), (10.0, STALL), (20.0, "    # b: still at 7 of 9"))
    assert watch.verdict(49.9) is None
    assert watch.verdict(50.1) is Ended.HANG


def test_a_test_that_waits_for_ever_is_not_alive_because_it_says_so() -> None:
    idle = "    # spin: still at it, 70 done on CPU 3"
    beats = [(float(at), idle) for at in range(10, 70, 10)]
    watch = watched((1.0, "    # start: spin"), *beats)
    assert watch.verdict(39.9) is None  # the first one may have got somewhere
    assert watch.verdict(40.1) is Ended.HANG


def test_a_test_that_gets_on_is_alive() -> None:
    lines = [(at * 10.0, f"    # storm: still at it, {at} done") for at in range(1, 20)]
    assert watched(*lines, limits=Limits(deadline=600, silence=30)).verdict(219.9) is None


def test_a_heartbeat_without_progress_does_not_end_a_stall() -> None:
    idle = "# spin: still at it, 70 done on CPU 3"
    watch = watched((1.0, idle), (10.0, STALL), (20.0, idle), (25.0, "Call Trace:"))
    assert watch.verdict(31.1) is Ended.HANG


@pytest.mark.parametrize(
    ("lines", "alive"),
    [
        (("a: still at it, 0 done",), [False]),
        (("a: still at it",), [False]),
        (("a: still at it, 5 done", "a: still at it, 5 done"), [True, False]),
        (("a: still at it, 5 done", "b: still at it, 5 done"), [True, True]),
        (("a: still at it, 5 done on CPU 1", "a: still at it, 4 done on CPU 2"), [True, True]),
        (("a: still at it, 5 done", "a: still at it, 4 done"), [True, False]),
        (("a: still at it, whatever that is",), [True]),
        (("a: 3 of 9 rounds", "a: 3 of 9 rounds"), [True, True]),
    ],
)
def test_which_heartbeats_show_progress(lines: tuple[str, ...], alive: list[bool]) -> None:
    beats = Heartbeats()
    assert [beats.alive(f"    # {line}") for line in lines] == alive
