# SPDX-License-Identifier: GPL-2.0
"""Files that people hand to `slqb boot`, looked at before QEMU sees them.

QEMU's own words about a file that it cannot load come late, and it says them of a broken host in
the same way.
"""

import re
from pathlib import Path

from harness.arch import load_arch
from harness.errors import UserError
from harness.machine import Machine

ELF = b"\x7fELF"
BZIMAGE = (0x202, b"HdrS")
ARM64_IMAGE = (0x38, b"ARM\x64")
PVH = re.compile(rb"\x04\0\0\0[\x04\x08]\0\0\0\x12\0\0\0Xen\0")
"""The note by which QEMU enters an x86 ELF: name and size of Xen's, of type 18."""
ARCHIVES = (
    *(b"070701", b"070702", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"]\0\0", b"\x89LZO"),
    *(b"\x02\x21\x4c\x18", b"\x28\xb5\x2f\xfd"),
)
"""How cpio archives begin, plain or packed in a way that the kernel knows."""


def check_kernel(file: Path, machine: Machine) -> None:
    """A UserError if QEMU could not boot that on the machine."""
    content = _content("--kernel", file)
    if content.startswith(ELF):
        if machine.arch == "x86_64" and not PVH.search(content):
            raise UserError(
                f"--kernel {file}: an ELF file that QEMU cannot enter: it has no PVH note"
                " (CONFIG_PVH=y makes one)"
            )
    elif not any(content[at : at + len(sign)] == sign for at, sign in (BZIMAGE, ARM64_IMAGE)):
        wanted = load_arch(machine.arch).image
        raise UserError(f"--kernel {file}: not a kernel; give the {wanted} of a build")


def check_initramfs(file: Path) -> None:
    """A UserError if the kernel could not unpack that."""
    if not _content("--initramfs", file).startswith(ARCHIVES):
        raise UserError(f"--initramfs {file}: not a cpio archive, plain or packed")


def _content(option: str, file: Path) -> bytes:
    if not file.is_file():
        raise UserError(f"{option} {file}: not a file")
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{option} {file}: {error.strerror}") from error
