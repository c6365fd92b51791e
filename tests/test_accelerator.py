# SPDX-License-Identifier: GPL-2.0
"""The accelerator is tried, the finding kept, and said in one line."""

import json
from pathlib import Path

import pytest

from harness import accelerator
from harness.accelerator import assemble, boot_payload, choose, find
from harness.errors import HostError, UserError
from harness.machine import Machine, load_machine
from harness.places import Places
from harness.progress import SilentProgress

X86 = load_machine("x86_64")
QUIET = SilentProgress()
FAKE = """#!/bin/sh
echo run >> {log}
case "$1" in --version) echo "QEMU emulator version 9"; exit ;; esac
{act}
"""


def emulator(folder: Path, act: str) -> Machine:
    """The machine with a QEMU of our own."""
    program, log = folder / "qemu", folder / "calls"
    program.write_text(FAKE.format(log=log, act=act))
    program.chmod(0o755)
    return X86.model_copy(update={"emulator": str(program)})


def finding(machine: Machine, places: Places, *, afresh: bool = False) -> accelerator.Finding:
    return find(machine, places, QUIET, afresh=afresh)


def test_the_payload_runs_where_kernels_run(tmp_path: Path) -> None:
    payload = tmp_path / "probe.elf"
    assemble(X86, payload)
    assert boot_payload(X86, "tcg", payload, tmp_path) == accelerator.Finding(
        True, "booted its test payload"
    )


def test_an_emulator_that_says_all_letters_works(tmp_path: Path, places: Places) -> None:
    assert finding(emulator(tmp_path, "echo abcdeok"), places).works


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("printf ab; exit 0", "its test payload stopped after 'ab'"),
        ("printf ab; echo 'KVM internal error. Suberror: 1'; exit 1", "KVM internal error"),
        ("exit 0", "its test payload stopped after ''"),
        ("kill -ABRT $$", "was ended by SIGABRT"),
    ],
)
def test_one_that_stops_early_does_not(
    tmp_path: Path, places: Places, act: str, reason: str
) -> None:
    found = finding(emulator(tmp_path, act), places)
    assert not found.works
    assert reason in found.reason


def test_one_that_hangs_does_not(tmp_path: Path) -> None:
    machine = emulator(tmp_path, "printf ab; exec sleep 30")
    found = boot_payload(machine, "kvm", tmp_path / "probe.elf", tmp_path, patience=0.5)
    assert (found.works, found.reason) == (False, "it hung")


def test_the_finding_is_kept(tmp_path: Path, places: Places) -> None:
    machine = emulator(tmp_path, "echo abcdeok")
    assert finding(machine, places) == finding(machine, places)
    assert (tmp_path / "calls").read_text().count("run") == 3  # two versions, one try


def test_a_damaged_finding_is_found_again(tmp_path: Path, places: Places) -> None:
    machine = emulator(tmp_path, "echo abcdeok")
    finding(machine, places)
    [memory] = places.facts.glob("accelerator-*.json")
    for damage in ("", "{", "[]", '{"works": 1}', json.dumps({"works": True, "mood": "good"})):
        memory.write_text(damage)
        assert finding(machine, places).works


def test_another_qemu_is_tried_anew(tmp_path: Path, places: Places) -> None:
    assert finding(emulator(tmp_path, "echo abcdeok"), places).works
    program = tmp_path / "qemu"
    program.write_text(program.read_text().replace("version 9", "version 10").replace("deok", ""))
    assert not finding(X86.model_copy(update={"emulator": str(program)}), places).works


def test_tcg_needs_no_proof(places: Places) -> None:
    assert str(choose("tcg", X86, places, QUIET)) == "accelerator: tcg (asked for)"


def test_a_foreign_machine_has_no_kvm_here(places: Places) -> None:
    foreign = X86.model_copy(update={"arch": "ppc64le"})
    picked = choose("auto", foreign, places, QUIET)
    assert picked.name == "tcg"
    assert "not ppc64le" in picked.reason
    with pytest.raises(HostError, match=r"kvm does not work here: .*; use --accel tcg"):
        choose("kvm", foreign, places, QUIET)


def test_an_unknown_accelerator_is_wrong_use(places: Places) -> None:
    with pytest.raises(UserError, match="unknown accelerator 'hvf'; known: auto, kvm, tcg"):
        choose("hvf", X86, places, QUIET)
