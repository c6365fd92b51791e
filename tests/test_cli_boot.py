# SPDX-License-Identifier: GPL-2.0
"""`slqb boot`, `parse` and `report` as people use them, with a script for QEMU."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.child import DISK_FULL
from harness.record import RESULT
from tests.conftest import Command, sealed
from tests.fakes import FAILS, GUEST, PASSES, alive, fake_kernel, fake_qemu

SLQB = Path(sys.executable).with_name("slqb")
HANGS = "echo $$ > {folder}/pid; exec sleep 300"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A file that is taken for a kernel."""
    return fake_kernel(tmp_path)


def words(kernel: Path, machine: Path, *more: str) -> list[str | Path]:
    files = ("--kernel", kernel, "--initramfs", kernel.with_name("initramfs"))
    return ["boot", *files, "--machine", machine, "--topology", "up", "--accel", "tcg", *more]


def last_record(home: Path) -> dict[str, Any]:
    path = max((home / "runs").glob(f"2*/{RESULT}"))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_boot_that_passes(slqb: Command, kernel: Path, tmp_path: Path) -> None:
    answer = slqb(*words(kernel, fake_qemu(tmp_path, PASSES), "--seed", "7"))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("PASS (1 boot, 3 passed; seed 7, ")
    assert "accelerator: tcg (asked for)" in answer.stderr
    record = last_record(tmp_path)
    assert (record["status"], record["outcome"], record["exit_code"]) == ("finished", "PASS", 0)
    assert record["seed"] == record["cells"][0]["asked"]["seed"] == 7
    assert record["cells"][0]["host"]["qemu"] == "QEMU emulator version 0 (fake)"
    assert "slqbtest.seed=7" in record["cells"][0]["cmdline"]
    assert record["cells"][0]["thresholds"]["watchdog_thresh"] > 0


@pytest.mark.parametrize(
    ("transcript", "act", "status", "name"),
    [
        (FAILS, "exit 0", 1, "FAIL"),
        ("Linux version 6.1.0\n", "exit 0", 5, "BOOT"),
        (GUEST + "Kernel panic - not syncing: x\n", "exit 0", 6, "CRASH"),
        (GUEST, "exec sleep 60", 7, "TIMEOUT"),
        (GUEST, "echo no memory >&2; exit 1", 8, "HOST"),
    ],
)
def test_the_exit_code_tells(
    slqb: Command, kernel: Path, tmp_path: Path, transcript: str, act: str, status: int, name: str
) -> None:
    machine = fake_qemu(tmp_path, transcript, act)
    answer = slqb(*words(kernel, machine, "--silence", "1"))
    assert answer.returncode == status, answer.stdout
    record = last_record(tmp_path)
    assert (record["outcome"], record["exit_code"]) == (name, status)
    assert record["reason"]
    assert f"{name}: {record['reason']}" in answer.stdout


def test_json_is_the_record_and_nothing_else(slqb: Command, kernel: Path, tmp_path: Path) -> None:
    answer = slqb(*words(kernel, fake_qemu(tmp_path, FAILS), "--json"))
    assert json.loads(answer.stdout) == last_record(tmp_path)


def test_every_boot_has_a_seed_of_its_own(slqb: Command, kernel: Path, tmp_path: Path) -> None:
    machine = fake_qemu(tmp_path, PASSES)
    seeds = {json.loads(slqb(*words(kernel, machine, "--json")).stdout)["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_a_dry_run_prints_the_command_and_leaves_nothing(
    slqb: Command, kernel: Path, tmp_path: Path
) -> None:
    machine = fake_qemu(tmp_path, PASSES)
    answer = slqb(*words(kernel, machine, "--dry-run", "--append", "a b"))
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"{tmp_path}/fake-qemu -machine none ")
    assert not (tmp_path / "qemu.calls").exists()
    assert not (tmp_path / "runs").exists()


def test_a_test_is_repeated_from_the_record_alone(
    slqb: Command, kernel: Path, tmp_path: Path
) -> None:
    machine = fake_qemu(tmp_path, FAILS)
    slqb(*words(kernel, machine, "--seed", "9", "--append", "quiet"))
    kernel.unlink()
    machine.unlink()
    [script] = (tmp_path / "runs").glob("2*/repro.sh")
    done = subprocess.run(
        [script], env=sealed(tmp_path), capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    record = last_record(tmp_path)
    asked = record["cells"][0]["asked"]
    assert (asked["seed"], asked["case"], asked["append"]) == (9, "slabtest.two", ["quiet"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--topology", "torus"), "unknown topology 'torus'; known: 2n, 4n"),
        (("--machine", "vax"), "unknown machine 'vax'; known: "),
        (("--kernel", "/nowhere"), "File '/nowhere' does not exist"),
        (("--kernel", "fake.toml"), "fake.toml: not a kernel; give the vmlinux of a build"),
        (("--kernel", "/bin/sh"), "an ELF file that QEMU cannot enter: it has no PVH note"),
        (("--kernel", "/dev/zero"), "--kernel /dev/zero: not a file"),
        (("--initramfs", "fake.toml"), "fake.toml: not a cpio archive"),
        (("--case", ""), "--case '': a pattern without blanks is needed"),
        (("--case", "a b"), "--case 'a b': a pattern without blanks is needed"),
        (("--silence", "0"), "'--silence': 0.0 is not in the range"),
        (
            ("--deadline", "nan"),
            "'--deadline': nan is no number of seconds. See `slqb boot --help`.",
        ),
        (("--deadline", "inf"), "'--deadline': inf is no number of seconds. See"),
        (("--suite", "soap"), "'soap' is not one of"),
        (("--seed", "-1"), "'--seed': -1 is not in the range"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_no_record(
    slqb: Command, kernel: Path, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    answer = slqb(*words(kernel, fake_qemu(tmp_path, PASSES), *more))
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    assert message in answer.stderr
    assert not (tmp_path / "runs").exists()


def test_qemu_that_is_missing_is_the_hosts_fault(
    slqb: Command, kernel: Path, tmp_path: Path
) -> None:
    machine = fake_qemu(tmp_path, PASSES)
    (tmp_path / "fake-qemu").unlink()
    answer = slqb(*words(kernel, machine))
    assert answer.returncode == 8
    assert "fake-qemu is not installed: `slqb doctor` says what to install" in answer.stderr


def test_an_accelerator_that_does_not_work_is_the_hosts_fault(
    slqb: Command, kernel: Path, tmp_path: Path
) -> None:
    answer = slqb(*words(kernel, fake_qemu(tmp_path, PASSES), "--accel", "kvm"))
    assert answer.returncode == 8
    assert "kvm does not work here: machine fake has no such mode" in answer.stderr


def wait_for(path: Path) -> None:
    """Until the file is there."""
    for _ in range(200):
        if path.exists() and path.read_text().strip():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


@contextmanager
def hanging(kernel: Path, home: Path) -> Iterator["subprocess.Popen[str]"]:
    """`slqb boot` while its guest hangs."""
    machine = fake_qemu(home, GUEST, HANGS.format(folder=home))
    process = subprocess.Popen(
        [Path(sys.executable).with_name("slqb"), *words(kernel, machine)],
        env=sealed(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        wait_for(home / "pid")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_qemu_and_closes_the_record(
    kernel: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with hanging(kernel, tmp_path) as process:
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
    assert errors.splitlines()[-1] == "slqb: interrupted"
    assert not alive(int((tmp_path / "pid").read_text()))
    record = last_record(tmp_path)
    assert (record["status"], record["outcome"]) == ("interrupted", "INTERRUPTED")
    assert record["exit_code"] == 130


def test_the_record_is_closed_however_often_it_is_interrupted(kernel: Path, tmp_path: Path) -> None:
    with hanging(kernel, tmp_path) as process:
        for _ in range(20):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
            time.sleep(0.01)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
    assert errors.splitlines()[-1] == "slqb: interrupted"
    assert "Traceback" not in errors
    assert last_record(tmp_path)["status"] == "interrupted"


def says_two(console: Path) -> bool:
    """Whether a console has all that the guest says before it hangs."""
    return console.read_text().endswith("# start: two\n")


def test_killed_it_leaves_a_record_that_can_be_read_and_no_qemu(
    kernel: Path, tmp_path: Path, slqb: Command
) -> None:
    with hanging(kernel, tmp_path) as process:
        for _ in range(600):  # until slqb has read what the guest said
            if any(map(says_two, tmp_path.glob("runs/2*/*/console.log"))):
                break
            time.sleep(0.05)
        process.kill()
        process.wait(timeout=60)
    for _ in range(600):
        if not alive(int((tmp_path / "pid").read_text())):
            break
        time.sleep(0.05)
    assert not alive(int((tmp_path / "pid").read_text()))
    assert last_record(tmp_path)["status"] == "running"
    assert "killed" in slqb("report", "list").stdout
    shown = slqb("report")
    assert shown.returncode == 0
    assert "KILLED (0 boots, no tests;" in shown.stdout
    [console] = (tmp_path / "runs").glob("2*/*/console.log")
    assert says_two(console)


def test_report_shows_and_lists(slqb: Command, kernel: Path, tmp_path: Path) -> None:
    assert slqb("report").returncode == 2
    assert "there are no runs" in slqb("report", "list").stderr
    slqb(*words(kernel, fake_qemu(tmp_path, FAILS)))
    shown = slqb("report")
    assert "fail  slabtest.two" in shown.stdout
    assert "slabtest.one" not in shown.stdout
    assert "pass  slabtest.one" in slqb("report", "--all").stdout
    assert json.loads(slqb("report", "--format", "json").stdout) == last_record(tmp_path)
    [row] = json.loads(slqb("report", "list", "--format", "json").stdout)
    assert (row["outcome"], row["boots"]) == ("FAIL", 1)


SMALL_DISK = (
    'mkdir "$SLQB_RUNS" && mount -t tmpfs -o size=1m slqb-test "$SLQB_RUNS" && "$@"; echo $?'
)


def test_a_full_disk_closes_the_record(slqb: Command, kernel: Path, tmp_path: Path) -> None:
    kernel.with_name("initramfs").write_bytes(b"070701" + bytes(3_000_000))
    command = words(kernel, fake_qemu(tmp_path, PASSES))
    script = f'{SMALL_DISK}; "$1" report list'
    done = subprocess.run(
        ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", SLQB, "-q", *command),
        env=sealed(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines() == [f"slqb: {DISK_FULL}"]
    status, _, row = done.stdout.splitlines()
    assert (status, row.split()[1:3]) == ("8", ["finished", "HOST"])


@pytest.mark.parametrize("content", [b"{}", b"", b"\xff\xfe", b'{"schema": "slqb-run/0"}', b"[1"])
def test_a_run_that_cannot_be_read_is_listed_too(
    slqb: Command, kernel: Path, tmp_path: Path, content: bytes
) -> None:
    slqb(*words(kernel, fake_qemu(tmp_path, PASSES)))
    old = tmp_path / "runs/20200101-000000"
    old.mkdir()
    (old / RESULT).write_bytes(content)
    _, unread, read = slqb("report", "list").stdout.splitlines()
    assert unread.split()[:2] == [old.name, "unreadable"]
    assert read.split()[1:3] == ["finished", "PASS"]
    answer = slqb("report", old.name)
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert f"{RESULT} is not a record of this version of slqb" in line


@pytest.mark.parametrize(("text", "status"), [(PASSES, 0), (FAILS, 1), ("", 5)])
def test_parse_judges_a_file_or_what_is_piped(
    slqb: Command, tmp_path: Path, text: str, status: int
) -> None:
    log = tmp_path / "a.log"
    log.write_text(text)
    assert slqb("parse", log).returncode == status
    piped = subprocess.run(
        [Path(sys.executable).with_name("slqb"), "parse", "--json", "-"],
        input=text,
        env=sealed(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert piped.returncode == status
    assert json.loads(piped.stdout)["exit_code"] == status


def test_parse_shows_only_what_failed(slqb: Command, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(FAILS)
    assert "slabtest.one" in slqb("parse", "a.log").stdout
    first, verdict = slqb("parse", "--failed", "a.log").stdout.splitlines()
    assert first.split() == ["FAILED", "slabtest.two"]
    assert verdict.startswith("FAIL: slabtest.two")


def test_verbose_shows_the_console(slqb: Command, kernel: Path, tmp_path: Path) -> None:
    answer = slqb(*words(kernel, fake_qemu(tmp_path, PASSES), "-v"))
    assert "  Run /init as init process\n" in answer.stderr


def test_parse_of_a_file_that_is_not_there_is_wrong_use(slqb: Command) -> None:
    answer = slqb("parse", "/nowhere")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
