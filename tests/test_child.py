# SPDX-License-Identifier: GPL-2.0
"""The one door to child processes, against real children."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import child
from harness.child import CommandError
from harness.errors import HostError, Outcome

HERE = Path(__file__).parent


def test_output_is_returned_and_told_line_by_line(tmp_path: Path) -> None:
    lines: list[str] = []
    text = child.run(("sh", "-c", "echo one; echo two >&2"), cwd=tmp_path, on_line=lines.append)
    assert text == "one\ntwo\n"
    assert lines == ["one", "two"]


def test_the_child_runs_where_it_is_told_to(tmp_path: Path) -> None:
    before = Path.cwd()
    assert child.run(("pwd",), cwd=tmp_path) == f"{tmp_path}\n"
    assert Path.cwd() == before


def test_logs_gather_the_command_and_its_output(tmp_path: Path) -> None:
    log = tmp_path / "logs/build.log"
    child.run(("echo", "a b"), cwd=tmp_path, log=log)
    child.run(("echo", "c"), cwd=tmp_path, log=log)
    assert (
        log.read_text() == f"$ (cd {tmp_path} && echo 'a b')\na b\n$ (cd {tmp_path} && echo c)\nc\n"
    )


def test_failure_carries_the_command_and_the_last_lines(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        child.run(("sh", "-c", "seq 50; exit 3"), cwd=tmp_path, outcome=Outcome.BUILD)
    assert caught.value.outcome is Outcome.BUILD
    assert str(caught.value).startswith(f"sh failed with exit 3: (cd {tmp_path} && sh -c 'seq 50")
    assert caught.value.tail.splitlines() == [str(number) for number in range(31, 51)]


def test_a_killed_child_is_told_by_its_signal(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="sh was ended by SIGSEGV"):
        child.run(("sh", "-c", "kill -SEGV $$"), cwd=tmp_path)


def test_a_missing_program_is_the_hosts_fault(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no-such-program is not installed"):
        child.run(("no-such-program",), cwd=tmp_path, outcome=Outcome.BUILD)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"no such directory: .*/nowhere"):
        child.run(("true",), cwd=tmp_path / "nowhere")


@pytest.mark.parametrize("sign", child.HOST_SIGNS)
def test_signs_of_a_worn_out_host_overrule_the_caller(tmp_path: Path, sign: str) -> None:
    with pytest.raises(CommandError) as caught:
        child.run(("sh", "-c", f"echo 'cc1: {sign}'; exit 1"), cwd=tmp_path, outcome=Outcome.BUILD)
    assert caught.value.outcome is Outcome.HOST
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.quiet
def test_a_deadline_ends_the_child_and_what_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(CommandError) as caught:
        child.run(("sh", "-c", "sleep 60 & sleep 60"), cwd=tmp_path, timeout=0.2)
    assert caught.value.outcome is Outcome.TIMEOUT
    assert time.monotonic() - began < 2


THREADS = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from harness import child
from harness.child import CommandError

def one(number):
    try:
        child.run(("sh", "-c", f"echo $$ > pid{number}; exec sleep 60"), cwd=Path.cwd())
    except CommandError as error:
        return error.reason

with ThreadPoolExecutor(2) as pool:
    running = [pool.submit(one, number) for number in range(3)]
    while not all(Path(f"pid{number}").exists() for number in range(2)):
        sleep(0.01)
    child.end_all()
    print(*sorted(it.result() for it in running), sep=", ")
"""


def test_children_of_other_threads_are_ended_and_the_next_is_not_started(tmp_path: Path) -> None:
    """An interrupt reaches the main thread alone; the command calls end_all() then."""
    began = time.monotonic()
    said = child.run((sys.executable, "-c", THREADS), cwd=tmp_path, timeout=60)
    assert said == "interrupted, sh was ended by SIGTERM, sh was ended by SIGTERM\n"
    assert time.monotonic() - began < 10
    assert not (tmp_path / "pid2").exists()


@pytest.mark.quiet
def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(CommandError, match=r"took longer than 0\.2 seconds"):
        child.run(("sh", "-c", "trap '' TERM; sleep 60"), cwd=tmp_path, timeout=0.2)
    assert time.monotonic() - began < 2 * child.GRACE


def test_only_stdout_keeps_warnings_apart_and_bytes_whole(tmp_path: Path) -> None:
    script = r"printf 'name-\377'; echo warning >&2"
    text = child.run(("sh", "-c", script), cwd=tmp_path, only_stdout=True)
    assert text.encode(errors="surrogateescape") == b"name-\xff"


def test_only_stdout_still_tells_what_stderr_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="the reason"):
        child.run(("sh", "-c", "echo the reason >&2; exit 1"), cwd=tmp_path, only_stdout=True)


def test_input_larger_than_a_pipe_is_no_deadlock(tmp_path: Path) -> None:
    text = "x" * 1_000_000
    assert child.run(("cat",), cwd=tmp_path, input=text) == text


def test_environment_is_laid_over_ours(tmp_path: Path) -> None:
    env = {"SLQB_ADDED": "yes", "HOME": None}
    script = 'echo "$SLQB_ADDED ${HOME-unset} ${PATH:+path}"'
    assert child.run(("sh", "-c", script), cwd=tmp_path, env=env) == "yes unset path\n"


def test_a_dry_run_only_tells(tmp_path: Path) -> None:
    lines: list[str] = []
    words = ("touch", "a file")
    assert child.run(words, cwd=tmp_path, dry=True, on_line=lines.append) == ""
    assert lines == [f"(cd {tmp_path} && touch 'a file')"]
    assert not (tmp_path / "a file").exists()


@pytest.mark.quiet
def test_an_interrupt_ends_grandchildren_too(tmp_path: Path) -> None:
    """What Ctrl-C does: SIGINT reaches us alone, for children have groups of their own."""
    script = (
        "from pathlib import Path; from harness import child\n"
        "child.run(('sh', '-c', 'sleep 77 & echo $! > pid; wait'), cwd=Path.cwd())\n"
    )
    ours = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stderr=subprocess.PIPE)
    pid = int(_wait_for(tmp_path / "pid"))
    ours.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in ours.communicate(timeout=60)[1]
    _wait_until_gone(pid)


def _wait_for(path: Path) -> str:
    end = time.monotonic() + 10
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < end, f"{path} never appeared"
        time.sleep(0.02)
    return path.read_text()


def _wait_until_gone(pid: int) -> None:
    """Killed already; on a busy machine it may take a moment to die."""
    end = time.monotonic() + 2
    while _alive(pid):
        assert time.monotonic() < end, f"{pid} lives on"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    """Running, not a zombie that somebody has yet to reap."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
