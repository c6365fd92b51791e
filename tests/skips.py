# SPDX-License-Identifier: GPL-2.0
"""Tests that are skipped: each says which program it needs, and a list says which may be.

    @pytest.mark.needs("qemu-system-aarch64")

skips a test where a program is not installed; configs/host.toml knows its package. `.ci/run` sets
SLQB_SKIPPED to tests/skipped.toml, which names every test that is skipped on a host with just the
packages that `make test` installs:

    skipped = ["tests/test_machine.py::test_every_machine...[2n-arm64-16k]"]

A test that is skipped and not in the list fails the run, and so does one in the list that was not
skipped. Otherwise a package that the project forgets to install would go unnoticed.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest

from harness.host import Which, load_needs

LIST = "SLQB_SKIPPED"
"""The environment variable that names the list."""


def lacks(programs: Iterable[str], which: Which = shutil.which) -> str:
    """The reason to skip a test that needs these programs; "" if all are installed.

    Raises KeyError for a program that configs/host.toml does not know.
    """
    packages = {need.program: need.package for need in load_needs() if need.program}
    missing = [(name, packages[name]) for name in programs if which(name) is None]
    return ", ".join(f"{name} is not installed (package {package})" for name, package in missing)


def skip_what_lacks(item: pytest.Item) -> None:
    """Skip a test if a program that its markers name is not installed."""
    programs = [name for marker in item.iter_markers("needs") for name in marker.args]
    if reason := lacks(programs):
        pytest.skip(reason)


def runs_all(config: pytest.Config) -> bool:
    """Whether this process reports on a run of all tests: no worker, no file or name chosen."""
    chosen = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.option.keyword
    return not chosen and not hasattr(config, "workerinput")


def read_list(path: Path) -> frozenset[str]:
    """The tests that a file allows to be skipped, by their pytest node IDs."""
    return frozenset(tomllib.loads(path.read_text())["skipped"])


def differences(skipped: Collection[str], allowed: Collection[str]) -> Iterator[str]:
    """One line for each test that was skipped and is not allowed to be, or the reverse."""
    for test in sorted(set(skipped) - set(allowed)):
        yield f"skipped, and not in the list of skipped tests: {test}"
    for test in sorted(set(allowed) - set(skipped)):
        yield f"in the list of skipped tests, and not skipped: {test}"
