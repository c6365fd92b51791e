# SPDX-License-Identifier: GPL-2.0
"""What the host needs: the records, what is missing, and that the script stands alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import host
from harness.host import (
    NEEDS,
    STAGES,
    Need,
    install_command,
    load_needs,
    missing,
    needs_of,
    shown_command,
)
from harness.toolchain import NEEDED

GCC = Need("gcc", "compiles", program="gcc")
LIBC = Need("libc6-dev", "is linked", file="/usr/lib/*/libc.a")


def nothing(_program: str) -> None:
    return None


def test_shipped_records_are_well_formed() -> None:
    needs = load_needs()
    assert len({need.package for need in needs}) == len(needs) > 10
    assert all(need.why for need in needs)


def test_needs_without_a_kernel_build_tool_would_be_noticed() -> None:
    known = {need.program for need in load_needs()} | {"ld"}  # gcc brings the linker along
    assert set(NEEDED) <= known


def test_program_is_looked_for_in_the_path() -> None:
    assert missing([GCC], which=nothing) == (GCC,)
    assert missing([GCC], which=lambda program: f"/usr/bin/{program}") == ()


def test_file_may_be_a_pattern(tmp_path: Path) -> None:
    assert missing([LIBC], root=tmp_path) == (LIBC,)
    library = tmp_path / "usr/lib/x86_64-linux-gnu/libc.a"
    library.parent.mkdir(parents=True)
    library.touch()
    assert missing([LIBC], root=tmp_path) == ()


def test_module_is_one_of_this_python() -> None:
    assert not missing([Need("python3", "runs", module="json")])
    assert missing([Need("python3", "runs", module="no_such_module")])


def test_one_command_installs_everything_and_no_more() -> None:
    command = install_command([GCC, LIBC, GCC])
    assert command[-3:] == ("--no-install-recommends", "gcc", "libc6-dev")


def test_command_shown_is_one_a_person_can_type() -> None:
    assert "apt-get update && " in shown_command([GCC])
    assert shown_command([GCC]).endswith("--no-install-recommends gcc")


def test_host_without_apt_is_told_the_names() -> None:
    assert host.install([GCC, LIBC], which=nothing) == (
        "no apt-get here: install what Debian calls gcc libc6-dev"
    )


def test_what_the_package_manager_said_last_is_passed_on(tmp_path: Path) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho much\necho E: no such package >&2\nexit 100\n")
    apt.chmod(0o755)
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    done = script("--install", path=str(tmp_path))
    assert done.returncode == 8
    assert "much" not in done.stdout
    assert done.stderr.endswith("apt-get update: E: no such package\n")


@pytest.mark.parametrize("signs", ["", 'program = "a"\nfile = "/b"\n'])
def test_record_needs_exactly_one_sign(tmp_path: Path, signs: str) -> None:
    path = tmp_path / "host.toml"
    path.write_text(f'[[need]]\npackage = "a"\nwhy = "b"\n{signs}')
    with pytest.raises(ValueError, match="one of program, file, module"):
        load_needs(path)


def script(*words: str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    """The script as make calls it: no package, no virtual environment."""
    argv = [sys.executable, "-S", "-E", str(NEEDS.parent.parent / "harness/host.py"), *words]
    return subprocess.run(argv, env={"PATH": path}, capture_output=True, text=True, check=False)


def test_script_says_nothing_when_nothing_is_missing() -> None:
    done = script()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_script_names_each_package_and_the_command(tmp_path: Path) -> None:
    done = script(path=str(tmp_path))
    assert done.returncode == 8
    assert "missing: gcc (compiles the kernel" in done.stdout
    assert "apt-get install --yes --no-install-recommends gcc make flex" in done.stderr


def test_script_refuses_what_it_does_not_know() -> None:
    assert script("--instal").returncode == 2


def test_what_only_tests_need_is_optional_for_who_uses_the_program() -> None:
    later = [need for need in load_needs() if need not in needs_of("run", load_needs())]
    assert {"sparse", "clang", "qemu-system-aarch64"} <= {need.program for need in later}
    assert all(need.is_option for need in later)


def test_each_stage_installs_what_the_one_before_it_does_and_more() -> None:
    run, test, soak = (set(needs_of(stage, load_needs())) for stage in STAGES)
    assert run < test < soak == set(load_needs())


def test_a_stage_that_there_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "host.toml"
    path.write_text('[[need]]\npackage = "a"\nwhy = "b"\nprogram = "a"\nneeded_by = "tests"\n')
    with pytest.raises(ValueError, match="a: needed_by is one of run, test, soak"):
        load_needs(path)
    assert script("--install", "--for", "tests").returncode == 2


def test_a_stage_is_asked_for_what_it_alone_needs(tmp_path: Path) -> None:
    lacking = {stage: script("--for", stage, path=str(tmp_path)).stdout for stage in STAGES}
    assert {stage for stage in STAGES if "missing: sparse " in lacking[stage]} == {"test", "soak"}
    assert {stage for stage in STAGES if "missing: clang " in lacking[stage]} == {"soak"}
