# SPDX-License-Identifier: GPL-2.0
"""Nothing that we started lives on when we are killed, whatever it has started itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import guard
from tests.conftest import sealed
from tests.fakes import fake_kernel, fake_qemu

SLQB = Path(sys.executable).with_name("slqb")
SECONDS = 20.0
"""For the last one to be gone, on a slow host: none of them would end by itself."""

MAKEFILE = """\
all: one two three
one two three:
\t+$(MAKE) -f $(firstword $(MAKEFILE_LIST)) deep-$@
deep-%:
\ttouch $@; sleep 600
"""
MAKES = """
from pathlib import Path
from harness import child
child.run(("make", "-j3", "-f", "deep.mk"), cwd=Path.cwd())
"""
GETS_AWAY = """
from pathlib import Path
from harness import child
child.run(("sh", "-c", "setsid sleep 600 & (env -i sleep 601 &) ; touch deep-away; wait"),
          cwd=Path.cwd())
"""
IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from harness import child

def one(number):
    child.run(("sh", "-c", f"touch deep-{number}; sleep 600"), cwd=Path.cwd())

with ThreadPoolExecutor(1) as pool:  # the thread that starts a child may end long before it
    pool.submit(child.run, ("true",), cwd=Path.cwd()).result()
with ThreadPoolExecutor(3) as pool:
    for number in range(3):
        pool.submit(one, number)
"""
STARTS_ALL_THE_TIME = """
from pathlib import Path
from harness import child
Path("deep-start").touch()
while True:
    try:
        child.run(("sh", "-c", "sleep 600 & sleep 600"), cwd=Path.cwd(), timeout=0.004)
    except child.CommandError:
        pass
"""

Start = Callable[[Path], "subprocess.Popen[bytes]"]


def of_home(home: Path) -> dict[int, str]:
    """The processes with that home in their environment, or which run in it, with their names."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
            at = (process / "cwd").readlink()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            name = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ProcessLookupError):
            continue
        if (f"HOME={home}".encode() in variables or at.is_relative_to(home)) and state != "Z":
            found[int(process.name)] = name
    return found


def python(script: str) -> Start:
    """A process of ours that runs the script."""

    def start(home: Path) -> "subprocess.Popen[bytes]":
        (home / "deep.mk").write_text(MAKEFILE)
        return subprocess.Popen([sys.executable, "-c", script], cwd=home, env=sealed(home))

    return start


def boot(home: Path) -> "subprocess.Popen[bytes]":
    """`slqb boot`, with an emulator that has helpers."""
    machine = fake_qemu(home, "Linux version 6\n", f"touch {home}/deep-boot; sleep 600 & sleep 601")
    words = ("boot", "--kernel", fake_kernel(home), "--initramfs", home / "initramfs")
    argv = (SLQB, "-q", *words, "--machine", machine, "--topology", "uma", "--accel", "tcg")
    return subprocess.Popen(argv, cwd=home, env=sealed(home), stdout=subprocess.DEVNULL)


def unpack(home: Path) -> "subprocess.Popen[bytes]":
    """`slqb tree get`, with a tar that does not end."""
    (home / "bin").mkdir()
    (home / "bin/tar").write_text(f"#!/bin/sh\ntouch {home}/deep-tar\nsleep 600 | cat\n")
    (home / "bin/tar").chmod(0o755)
    (home / "some.tar").touch()
    env = {**sealed(home), "PATH": f"{home}/bin:{os.environ['PATH']}"}
    return subprocess.Popen((SLQB, "-q", "tree", "get", "some.tar"), cwd=home, env=env)


def seen(home: Path, count: int) -> None:
    """Wait until that many of the started processes are at work."""
    end = time.monotonic() + 60
    while len(list(home.glob("deep-*"))) < count:
        assert time.monotonic() < end, "the children never came"
        time.sleep(0.01)


def all_gone(home: Path, seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while left := of_home(home):
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("start", "count"),
    [
        pytest.param(python(MAKES), 3, id="make with sub-makes"),
        pytest.param(python(GETS_AWAY), 1, id="a session of its own, and no environment"),
        pytest.param(python(IN_THREADS), 3, id="from threads"),
        pytest.param(boot, 1, id="an emulator"),
        pytest.param(unpack, 1, id="a pipeline below tar"),
    ],
)
def test_sigkill_leaves_nobody(start: Start, count: int, tmp_path: Path) -> None:
    process = start(tmp_path)
    seen(tmp_path, count)
    assert len(of_home(tmp_path)) > count
    process.kill()
    process.wait()
    all_gone(tmp_path)


@pytest.mark.quiet
def test_it_takes_less_than_two_seconds(tmp_path: Path) -> None:
    """A tenth of a second, if nothing else runs."""
    process = python(MAKES)(tmp_path)
    seen(tmp_path, 3)
    process.kill()
    all_gone(tmp_path, 2.0)
    process.wait()


@pytest.mark.parametrize("moment", range(12))
def test_sigkill_while_a_child_is_being_started(moment: int, tmp_path: Path) -> None:
    process = python(STARTS_ALL_THE_TIME)(tmp_path)
    seen(tmp_path, 1)
    time.sleep(moment * 0.0037)
    process.kill()
    process.wait()
    all_gone(tmp_path)
    time.sleep(0.3)
    assert of_home(tmp_path) == {}


@pytest.mark.parametrize("delay", [0.25, 0.3, 0.35, 0.4, 0.5, 0.7])
def test_sigkill_while_git_takes_in_a_tree(delay: float, toy_tree: Path, tmp_path: Path) -> None:
    """And the next command goes on where it is."""
    for number in range(400):
        (toy_tree / f"mm/part{number}.c").write_text(f"int part{number};\n" * 100)
    argv = (SLQB, "-q", "tree", "get", toy_tree)
    process = subprocess.Popen(argv, cwd=tmp_path, env=sealed(tmp_path), stdout=subprocess.DEVNULL)
    time.sleep(delay)
    process.kill()
    process.wait()
    all_gone(tmp_path)
    again = subprocess.run(argv, cwd=tmp_path, env=sealed(tmp_path), capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (0, "")


def guards() -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{guard.VARIABLE}=".encode() in process.read_bytes():
                found.add(int(process.parent.name))
        except OSError:
            continue
    return found


ONE_CHILD = """
import os, sys
from pathlib import Path
from harness import child, guard
child.run(("true",), cwd=Path("/"))
print(guard._guard._shell.pid, flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("killed", [False, True])
def test_the_guard_itself_does_not_stay(killed: bool, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ONE_CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=sealed(tmp_path),
        text=True,
    ) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        assert number in guards()
        if killed:
            process.kill()
        process.communicate()
    end = time.monotonic() + 60
    while number in guards():
        assert time.monotonic() < end
        time.sleep(0.05)


FORKS = """
import os, time
from pathlib import Path
from harness import child
child.run(("true",), cwd=Path("/"))
if os.fork() == 0:
    child.run(("sh", "-c", "touch deep-fork; sleep 2; touch lived"), cwd=Path.cwd())
    os._exit(0)
child.run(("sh", "-c", "touch deep-here; sleep 600"), cwd=Path.cwd())
"""


def test_a_fork_is_a_process_with_children_of_its_own(tmp_path: Path) -> None:
    """The end of the parent is noticed though a fork lives on, and does not end the fork's."""
    process = python(FORKS)(tmp_path)
    seen(tmp_path, 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    end = time.monotonic() + SECONDS
    while any("deep-here" in name for name in of_home(tmp_path).values()):
        assert time.monotonic() < end
        time.sleep(0.05)
    end = time.monotonic() + 60
    while not (tmp_path / "lived").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    all_gone(tmp_path)
