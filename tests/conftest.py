# SPDX-License-Identifier: GPL-2.0
"""What tests share: a toy kernel tree with toy templates, a sealed cache, the real command.

`make test` runs them in several processes. A session's fixtures are then made in each of them:
what they make lies in the user's cache, under locks, and the second finds it there.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from harness import child
from harness.arch import load_arch
from harness.kbuild import Kbuild
from harness.places import Places
from harness.progress import SilentProgress
from harness.store import HERMETIC, identity, strays
from harness.toolchain import Toolchain
from harness.tree import Tree, open_tree

from . import skips

DATA = Path(__file__).parent / "data"
TOY = DATA / "toy"
CORE = Path(__file__).parent / "core"
TOGETHER = (
    "test_decisions.py",  # reads the whole tree first
    "test_hang.py",  # none beside another
    "test_posted.py",  # what any of them has sent is forgotten at the end
    "test_stages.py",  # all in one worktree
    "test_variants.py",  # all in one build folder
    "test_verdict.py",  # `slqb run` boots as many at a time as there are processors
)
"""Files whose tests one worker has, one after the other."""
HIDES_EVERYTHING = "*.o\n/*\n!/debian/\n"  # what Debian's .gitignore ends in

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_configure() -> None:
    """Whatever we start can be interrupted, though a shell has put us in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a program this host has not."""
    skips.skip_what_lacks(item)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run of all tests that skipped others than the list in SLQB_SKIPPED says."""
    path = os.environ.get(skips.LIST)
    told = session.config.pluginmanager.get_plugin("terminalreporter")
    if not path or told is None or not skips.runs_all(session.config):
        return
    skipped = [report.nodeid for report in told.stats.get("skipped", ())]
    lines = list(skips.differences(skipped, skips.read_list(Path(path))))
    for line in lines:
        told.write_line(line, red=True)
    if lines and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The allocator's core goes first: it says in seconds what kernels say in minutes.

    Then what takes longest, so that no worker is left alone with it. What needs quiet is for one
    worker, and the others have the rest meanwhile, which boots nothing.
    """
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """Lower ones first."""
    kernel, quiet, long = (item.get_closest_marker(name) for name in ("kernel", "quiet", "long"))
    if CORE in item.path.parents:
        return 0
    if kernel:
        return 3 if quiet else 1 if long else 2
    return 4 if item.path.name in TOGETHER else 5


class Turns(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands tests out one by one in their order, but for files whose tests stay together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if Path(file).name in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Turns:
    """With `pytest -n`. The groups of pytest-xdist go by names that pytest 9.2 does not let it
    change any more, and nobody notices."""
    config.option.loadscopereorder = False
    return Turns(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """No kernel is built or booted beside a test that needs quiet, in whichever process."""
    quiet = item.get_closest_marker("quiet")
    if not quiet and not item.get_closest_marker("kernel"):
        return (yield)
    folder = Places.from_environment().folder()
    with (folder / "tests.door").open("w") as door, (folder / "tests.lock").open("w") as lock:
        # who waits for the lock stands in the door: the next is not the one who just had it
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if quiet else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        return (yield)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A cache and runs of the test's own."""
    return Places(tmp_path / "cache", tmp_path / "runs")


@pytest.fixture
def toy_tree(tmp_path: Path) -> Path:
    """Sources just large enough to be taken for a kernel tree, to change at will."""
    tree = Path(shutil.copytree(TOY / "linux", tmp_path / "linux"))
    (tree / ".gitignore").write_text(HIDES_EVERYTHING)
    return tree


@pytest.fixture
def toy_templates(tmp_path: Path) -> Path:
    """Templates that fit the toy tree."""
    return Path(shutil.copytree(TOY / "templates", tmp_path / "templates"))


@pytest.fixture
def slqb(tmp_path: Path) -> Command:
    """The real command in a process of its own, its cache and home below tmp_path."""

    def run(
        *words: str | Path, env: Mapping[str, str] | None = None, cwd: Path = tmp_path
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [Path(sys.executable).with_name("slqb"), *words],
            cwd=cwd,
            env={**sealed(tmp_path), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def sealed(home: Path) -> dict[str, str]:
    """Our environment without what could lead out of the test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLQB_")}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "SLQB_CACHE": str(home / "cache"),
        "SLQB_RUNS": str(home / "runs"),
        "GIT_AUTHOR_NAME": "A U Thor",
        "GIT_AUTHOR_EMAIL": "author@toy.example",
    }


def git(folder: Path, *words: str) -> str:
    """Git as some user runs it, with nobody's settings."""
    env = {**strays(), **HERMETIC, **identity("2021-01-01T00:00:00+00:00")}
    return child.run(("git", *words), cwd=folder, env=env).strip()


@pytest.fixture(scope="session")
def real_places() -> Places:
    """The cache that the environment names: what is unpacked stays for the next time."""
    return Places.from_environment()


@pytest.fixture(scope="session")
def linux(real_places: Places) -> Tree:
    """The real Linux 6.1, from Debian's package."""
    return open_tree("debian:6.1", real_places, SilentProgress())


@pytest.fixture
def toy_source(tmp_path: Path) -> Path:
    """A source that configures and builds in a second; toy.mk says where Python is."""
    source = Path(shutil.copytree(DATA / "kbuild", tmp_path / "toy-source"))
    (source / "toy.mk").write_text(f"PYTHON := {sys.executable}\n")
    return source


@pytest.fixture
def toy_kbuild(toy_source: Path, places: Places) -> Kbuild:
    """A build folder for it."""
    tools = Toolchain(load_arch("x86_64"), "", "toy", None)
    kbuild = Kbuild(toy_source, places.builds / "toy", tools, tools.environment(places))
    kbuild.prepare()
    return kbuild
