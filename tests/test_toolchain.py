# SPDX-License-Identifier: GPL-2.0
"""Which compiler, and a build environment that holds nothing of the caller's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HostError, UserError
from harness.places import Places
from harness.toolchain import STABLE, STRAYS, Toolchain, Which, find_toolchain


def everything(program: str) -> str | None:
    return f"/usr/bin/{program}"


def without(*missing: str) -> Which:
    return lambda program: None if program in missing else everything(program)


def test_native_compiler_needs_no_prefix() -> None:
    assert find_toolchain("x86_64", everything, host="x86_64").prefix == ""


def test_unknown_arch_lists_the_known() -> None:
    with pytest.raises(UserError, match="'vax'; there are: x86_64"):
        find_toolchain("vax")


def test_all_that_is_missing_is_said_in_one_line() -> None:
    with pytest.raises(HostError, match="gcc, bison not installed; `slqb doctor`") as caught:
        find_toolchain("x86_64", without("gcc", "bison"), host="x86_64")
    assert "\n" not in str(caught.value)


def test_foreign_host_wants_the_cross_compiler() -> None:
    with pytest.raises(HostError, match="x86_64-linux-gnu-gcc"):
        find_toolchain("x86_64", without("x86_64-linux-gnu-gcc"), host="aarch64")


def test_ccache_is_used_when_present_only() -> None:
    assert "CC=ccache gcc" in find_toolchain("x86_64", everything, "x86_64").make_variables
    assert "CC=gcc" in find_toolchain("x86_64", without("ccache"), "x86_64").make_variables


def test_cross_prefix_stands_on_the_command_line() -> None:
    tools = Toolchain("x86_64", "x86_64-linux-gnu-", "gcc", None)
    assert "CROSS_COMPILE=x86_64-linux-gnu-" in tools.make_variables
    assert "CC=x86_64-linux-gnu-gcc" in tools.make_variables


def test_environment_takes_the_callers_variables_away(tmp_path: Path) -> None:
    env = Toolchain("x86_64", "", "gcc", "ccache").environment(Places(tmp_path, tmp_path))
    assert {name for name in STRAYS if env[name] is not None} == set()
    assert env["CCACHE_DIR"] == str(tmp_path / "ccache")


def test_release_does_not_depend_on_a_git_checkout() -> None:
    assert "LOCALVERSION=" in STABLE
