# SPDX-License-Identifier: GPL-2.0
"""What kernels are built for, as a record in configs/archs/.

An arch here is what a kernel differs by when its CPUs do: instruction set, byte order, page size.
Beside each lie its fragments: configs/arch-NAME.config for every kernel, arch-NAME-FRAGMENT.config
for those that use that fragment.
"""

import platform

from pydantic import Field

from harness import catalogue
from harness.places import PROJECT

SYMBOLS = "vmlinux"
"""The ELF file that every build ends in, whatever is booted."""
ARCHS = PROJECT / "configs" / "archs"


class Arch(catalogue.Entry):
    """One kind of kernel."""

    kbuild: str
    """make's ARCH."""
    source: str = ""
    """The folder below the tree's arch/, where it has another name."""
    host: str
    """What such a machine calls itself (uname -m)."""
    prefix: str
    """Of the compiler's name, on a host of another kind."""
    packages: tuple[str, ...]
    """Debian's, with that compiler and its libc."""
    image: str
    """What of a build is booted."""
    page_kib: int = Field(ge=4)

    @property
    def folder(self) -> str:
        """Its folder below the tree's arch/."""
        return self.source or self.kbuild

    def prefix_on(self, host: str = platform.machine()) -> str:
        """What stands before the names of compiler and binutils on a host."""
        return "" if host == self.host else self.prefix


def arch_names() -> tuple[str, ...]:
    """The archs there are."""
    return catalogue.names(ARCHS)


def load_arch(name: str) -> Arch:
    """The arch of that name."""
    return catalogue.load("arch", ARCHS, name, Arch)
