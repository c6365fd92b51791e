# SPDX-License-Identifier: GPL-2.0
"""Which compiler, and a build environment that holds nothing of the caller's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.arch import arch_names, load_arch
from harness.errors import HostError, UserError
from harness.fragment import CONFIGS
from harness.places import Places
from harness.toolchain import STABLE, STRAYS, Toolchain, Which, find_toolchain

X86 = load_arch("x86_64")


def everything(program: str) -> str | None:
    return f"/usr/bin/{program}"


def without(*missing: str) -> Which:
    return lambda program: None if program in missing else everything(program)


def test_native_compiler_needs_no_prefix() -> None:
    assert find_toolchain(X86, everything, host="x86_64").prefix == ""


def test_unknown_arch_lists_the_known() -> None:
    with pytest.raises(UserError, match=r"'vax'; known: .*x86_64"):
        load_arch("vax")


def test_every_arch_has_its_fragment() -> None:
    for name in arch_names():
        assert load_arch(name).name == name
        assert (CONFIGS / f"arch-{name}.config").is_file()


def test_all_that_is_missing_is_said_in_one_line() -> None:
    with pytest.raises(HostError, match="gcc, bison not installed; `slqb doctor`") as caught:
        find_toolchain(X86, without("gcc", "bison"), host="x86_64")
    assert "\n" not in str(caught.value)


def test_foreign_host_wants_the_cross_compiler() -> None:
    told = "x86_64-linux-gnu-gcc not installed; apt-get install gcc-x86-64-linux-gnu"
    with pytest.raises(HostError, match=told):
        find_toolchain(X86, without("x86_64-linux-gnu-gcc"), host="aarch64")


def test_ccache_is_used_when_present_only() -> None:
    assert "CC=ccache gcc" in find_toolchain(X86, everything, "x86_64").make_variables
    assert "CC=gcc" in find_toolchain(X86, without("ccache"), "x86_64").make_variables


def test_cross_prefix_stands_on_the_command_line() -> None:
    tools = Toolchain(X86, "x86_64-linux-gnu-", "gcc", None)
    assert "CROSS_COMPILE=x86_64-linux-gnu-" in tools.make_variables
    assert "CC=x86_64-linux-gnu-gcc" in tools.make_variables


def test_environment_takes_the_callers_variables_away(tmp_path: Path) -> None:
    env = Toolchain(X86, "", "gcc", "ccache").environment(Places(tmp_path, tmp_path))
    assert {name for name in STRAYS if env[name] is not None} == set()
    assert env["CCACHE_DIR"] == str(tmp_path / "ccache")
    assert env["CCACHE_DEPEND"] == "1"


def test_release_does_not_depend_on_a_git_checkout() -> None:
    assert "LOCALVERSION=" in STABLE
