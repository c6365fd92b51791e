# SPDX-License-Identifier: GPL-2.0
"""What tests share: a toy kernel tree with toy templates, a sealed cache, the real command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness import child
from harness.kbuild import Kbuild
from harness.places import Places
from harness.progress import SilentProgress
from harness.store import HERMETIC, STRAYS, identity
from harness.toolchain import Toolchain
from harness.tree import Tree, open_tree

DATA = Path(__file__).parent / "data"
TOY = DATA / "toy"
CORE = Path(__file__).parent / "core"
HIDES_EVERYTHING = "*.o\n/*\n!/debian/\n"  # what Debian's .gitignore ends in

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The allocator's core goes first: it says in seconds what kernels say in minutes."""
    items.sort(key=lambda item: CORE not in item.path.parents)


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
    env = {**STRAYS, **HERMETIC, **identity("2021-01-01T00:00:00+00:00")}
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
    tools = Toolchain("x86_64", "", "toy", None)
    kbuild = Kbuild(toy_source, places.builds / "toy", tools, tools.environment(places))
    kbuild.prepare()
    return kbuild
