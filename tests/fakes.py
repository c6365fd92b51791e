# SPDX-License-Identifier: GPL-2.0
"""Stands in for QEMU: a machine whose emulator is a script that says a transcript and then acts.

The seam is the machine record: it names its emulator, so nothing has to be patched.
"""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from harness.machine import Machine, load_machine

SCRIPT = """\
#!/bin/sh
case "$1" in --version) echo "QEMU emulator version 0 (fake)"; exit ;; esac
echo "$@" >> {folder}/qemu.calls
cat {folder}/transcript
{act}
"""
RECORD = """\
description = "a fake"
arch = "x86_64"
emulator = "{emulator}"
max_cpus = 64
plugs_memory = true
model = "none"
probe = "x86_64.S"
cpu = {{ tcg = "max" }}
"""
GUEST = """\
Linux version 6.1.0 (user@host)
Run /init as init process
slqb-guest: init
slqb-guest: tests
KTAP version 1
1..2
    KTAP version 1
    # Subtest: topology
    1..1
    ok 1 shape
ok 1 topology
    KTAP version 1
    # Subtest: slabtest
    1..2
    # start: one
    ok 1 one
    # start: two
"""
PASSES = f"""{GUEST}    ok 2 two
ok 2 slabtest
slqb-guest: taint 4096
slqb-guest: done
reboot: Power down
"""
FAILS = PASSES.replace("    ok 2 two\nok 2", "    not ok 2 two\nnot ok 2")


PVH_NOTE = b"\x04\0\0\0\x08\0\0\0\x12\0\0\0Xen\0"


def fake_kernel(folder: Path) -> Path:
    """A file that is taken for a kernel, with an archive `initramfs` beside it."""
    kernel = folder / "vmlinux"
    kernel.write_bytes(b"\x7fELF" + PVH_NOTE + b" slabtest: one, two")
    (folder / "initramfs").write_bytes(b"070701 and so on")
    return kernel


def fake_qemu(folder: Path, transcript: str, act: str = "exit 0") -> Path:
    """A machine record whose QEMU says the transcript and then does `act` (a line of shell)."""
    emulator = folder / "fake-qemu"
    emulator.write_text(SCRIPT.format(folder=folder, act=act))
    emulator.chmod(0o755)
    (folder / "transcript").write_text(transcript)
    record = folder / "fake.toml"
    record.write_text(RECORD.format(emulator=emulator))
    return record


def fake_machine(folder: Path, transcript: str, act: str = "exit 0") -> Machine:
    """The same as a machine."""
    return load_machine(str(fake_qemu(folder, transcript, act)))


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def in_its_own_process(work: Callable[[Path], None], folder: Path) -> None:
    """What ends all children starts none afterwards: it would end this test run, too."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(folder,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
