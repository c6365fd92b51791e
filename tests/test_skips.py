# SPDX-License-Identifier: GPL-2.0
"""Tests that lack a program are skipped, and a run that skips others than its list says fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.host import load_needs
from harness.places import PROJECT

from .skips import LIST, differences, lacks, read_list

Inner = Callable[..., "subprocess.CompletedProcess[str]"]
TESTS = """
import pytest
from tests.conftest import pytest_runtest_setup, pytest_sessionfinish

def pytest_configure(config): config.addinivalue_line("markers", "needs(program)")
"""
TWO = """
import pytest

@pytest.mark.needs("clang")
def test_with_clang(): pass

@pytest.mark.parametrize("name", [pytest.param("a", marks=pytest.mark.needs("sparse")), "b"])
def test_with_sparse(name): pass
"""
SKIPPED = ("test_two.py::test_with_clang", "test_two.py::test_with_sparse[a]")


@pytest.fixture(params=[(), ("-n", "2")], ids=["alone", "side by side"])
def inner(request: pytest.FixtureRequest, tmp_path: Path) -> Inner:
    """pytest on two tests that lack their programs, with a list of those that may be skipped."""
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
    (tmp_path / "conftest.py").write_text(TESTS)
    (tmp_path / "test_two.py").write_text(TWO)
    (tmp_path / "bin").mkdir()

    def run(*allowed: str, words: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "skipped.toml"
        path.write_text("skipped = [{}]".format(", ".join(f'"{name}"' for name in allowed)))
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *request.param, *words],
            cwd=tmp_path,
            env={
                "PATH": str(tmp_path / "bin"),
                "PYTHONPATH": str(PROJECT),
                "HOME": os.environ["HOME"],
                LIST: str(path),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_skipped_as_listed_passes(inner: Inner) -> None:
    done = inner(*SKIPPED)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 skipped" in done.stdout


def test_skipped_by_accident_fails(inner: Inner) -> None:
    done = inner(SKIPPED[0])
    assert done.returncode == 1
    assert f"skipped, and not in the list of skipped tests: {SKIPPED[1]}" in done.stdout


def test_listed_and_not_skipped_fails(inner: Inner) -> None:
    done = inner(*SKIPPED, "test_two.py::test_with_sparse[b]")
    assert done.returncode == 1
    assert "and not skipped: test_two.py::test_with_sparse[b]" in done.stdout


@pytest.mark.parametrize("words", [("test_two.py",), ("-k", "sparse")])
def test_a_run_of_some_tests_is_not_held_to_the_list(inner: Inner, words: tuple[str, ...]) -> None:
    assert inner(words=words).returncode == 0


def test_the_reason_names_the_program_and_its_package() -> None:
    installed = {"sparse": "/usr/bin/sparse"}
    assert lacks(["clang", "sparse"], installed.get) == "clang is not installed (package clang)"
    assert lacks(["chromedriver"], which=lambda _name: None).endswith("(package chromium-driver)")


def test_a_program_that_no_package_brings_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="nosuch"):
        lacks(["nosuch"], which=lambda _name: None)


def test_differences_are_told_in_both_directions() -> None:
    assert [line.rpartition(" ")[2] for line in differences(["a", "b"], ["b", "c"])] == ["a", "c"]


def test_the_list_of_ci_names_tests_that_there_are() -> None:
    """A test that a list names by another name would be missed only in a fresh root."""
    listed = read_list(PROJECT / "tests" / "skipped.toml")
    files = {name.partition("::")[0] for name in listed}
    assert listed
    assert all((PROJECT / file).is_file() for file in files)


def test_only_what_make_test_does_not_install_can_be_lacking_in_ci() -> None:
    late = {need.program for need in load_needs() if need.needed_by == "soak"}
    assert "qemu-system-aarch64" in late
