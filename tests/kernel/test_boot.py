# SPDX-License-Identifier: GPL-2.0
"""Real boots: every shape of machine, every end, and the phases in between."""

from __future__ import annotations

import subprocess

import pytest

from harness.boot import Ended
from harness.topology import topology_names
from tests.conftest import sealed
from tests.kernel.images import Guest

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("topology", topology_names())
def test_the_guest_finds_the_shape_it_was_given(guest: Guest, topology: str) -> None:
    booted = guest.boot("--topology", topology, "--suite", "none")
    assert booted.status == 0, booted.record["reason"]
    assert [case["path"] for case in booted.cell["cases"]] == ["topology.shape"]
    assert not booted.cell["complaints"]
    assert booted.cell["ended"] == Ended.POWEROFF.value


def test_a_guest_of_another_shape_says_so_and_tests_nothing(guest: Guest) -> None:
    lie = "slqbtest.topology=1:128+3:384@10,20/20,10"
    booted = guest.boot("--topology", "2n", "--append", lie)
    assert booted.status == 5
    assert "Bail out!" in booted.record["reason"]
    assert {case["status"] for case in booted.cell["cases"]} <= {"fail", "missing"}


def test_the_phases_are_timed_and_add_up(guest: Guest) -> None:
    cell = guest.boot("--case", "slabtest.sizes_*").cell
    assert list(cell["phases"]) == ["firmware", "kernel", "init", "tests", "poweroff"]
    assert sum(cell["phases"].values()) == pytest.approx(cell["seconds"], abs=0.1)
    assert cell["guest_ran"] > 0


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        ("rdinit=/nowhere", "Kernel panic - not syncing: No working init found"),
        ("mem=8M", "kernel BUG at "),  # what the panic follows from
    ],
)
def test_a_kernel_that_panics_before_init_is_not_waited_for(
    guest: Guest, word: str, cause: str
) -> None:
    booted = guest.boot("--append", word)
    assert booted.status == 5
    assert f"before its first test: {cause}" in booted.record["reason"]
    assert booted.cell["ended"] == Ended.PANIC.value


def test_the_test_that_failed_is_repeated_from_the_record(guest: Guest) -> None:
    words = ("--append", "slqbtest.plant=fail", "--seed", "77")
    assert guest.boot(*words).status == 1
    _, folder = guest.last()
    script = [folder / "repro.sh"]
    again = subprocess.run(script, env=sealed(guest.home), capture_output=True, check=False)
    assert again.returncode == 1
    record, other = guest.last()
    assert other != folder
    assert record["seed"] == 77
    assert record["cells"][0]["asked"]["case"] == "slabtest.plant_fault"
    failed = [case["path"] for case in record["cells"][0]["cases"] if case["status"] == "fail"]
    assert failed == ["slabtest.plant_fault"]


def test_the_plain_qemu_command_works_too(guest: Guest) -> None:
    guest.boot("--suite", "none")
    _, folder = guest.last()
    said = subprocess.run(
        [folder / "repro.sh", "--qemu"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "slqb-guest: done" in said.stdout


def test_a_full_disk_is_the_hosts_fault(guest: Guest) -> None:
    full = guest.home / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", full], check=True)
    try:
        done = subprocess.run(
            guest.words("--suite", "none"),
            env={**sealed(guest.home), "SLQB_RUNS": str(full)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        subprocess.run(["umount", full], check=True)
    assert done.returncode == 8
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
