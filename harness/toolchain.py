# SPDX-License-Identifier: GPL-2.0
"""Compilers for an arch, and the make variables and environment of every kernel build.

A build must depend on what we ask for and on nothing else: variables of the caller's shell
that kbuild would pick up are taken away (`make run` itself sets some), and time, user, host
and paths are fixed, so that the same source gives the same vmlinux and the compiler cache
hits whichever folder the source lies in.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness import child
from harness.arch import Arch
from harness.errors import HostError
from harness.places import PROJECT, Places

NEEDED = ("gcc", "ld", "make", "flex", "bison", "bc", "perl")
"""Programs of the host that a kernel build runs, besides the arch's own compiler."""

STRAYS = (
    *("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "GNUMAKEFLAGS", "MAKEFILES", "MAKEOVERRIDES"),
    *("ARCH", "SUBARCH", "CROSS_COMPILE", "LLVM", "LLVM_IAS", "CC", "LD", "HOSTCC", "HOSTCFLAGS"),
    *("KCFLAGS", "KCPPFLAGS", "KAFLAGS", "CFLAGS", "CPPFLAGS", "LDFLAGS", "EXTRA_CFLAGS"),
    *("KBUILD_OUTPUT", "KBUILD_EXTMOD", "KBUILD_VERBOSE", "KBUILD_EXTRA_WARN", "KBUILD_CHECKSRC"),
    *("KCONFIG_CONFIG", "KCONFIG_ALLCONFIG", "KCONFIG_SEED", "KERNELRELEASE", "LOCALVERSION"),
    *("O", "V", "W", "C", "M", "CF", "CHECK", "INSTALL_MOD_PATH", "GCC_COLORS", "CPATH"),
    *("C_INCLUDE_PATH", "LIBRARY_PATH", "SOURCE_DATE_EPOCH", "CCACHE_DISABLE", "CCACHE_PREFIX"),
)
"""What the caller's shell may hold and kbuild, gcc or ccache would listen to."""

STABLE = (
    "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER=slqb",
    "KBUILD_BUILD_HOST=slqb",
    "KBUILD_BUILD_VERSION=1",
    # empty, not unset: else the release depends on the state of a git checkout
    "LOCALVERSION=",
)

Which = Callable[[str], str | None]


@dataclass(frozen=True)
class Toolchain:
    """The compiler of an arch: its prefix, what it calls itself, and the cache before it."""

    arch: Arch
    prefix: str
    version: str
    ccache: str | None

    @property
    def cc(self) -> str:
        """The compiler as make takes it."""
        return self._cached(f"{self.prefix}gcc")

    def _cached(self, compiler: str) -> str:
        return f"ccache {compiler}" if self.ccache else compiler

    @property
    def make_variables(self) -> tuple[str, ...]:
        """The variables that stand on every make command line, so that it can be repeated."""
        cross = (f"CROSS_COMPILE={self.prefix}",) if self.prefix else ()
        host = self._cached("gcc")
        return (f"ARCH={self.arch.kbuild}", *cross, f"CC={self.cc}", f"HOSTCC={host}", *STABLE)

    def environment(self, places: Places) -> dict[str, str | None]:
        """What the environment of a build must and must not hold."""
        cleaned: dict[str, str | None] = dict.fromkeys(STRAYS)
        cleaned["LC_ALL"] = "C"
        if self.ccache:
            cleaned["CCACHE_DIR"] = str(places.ccache)
            cleaned["CCACHE_BASEDIR"] = str(places.cache)
            cleaned["CCACHE_MAXSIZE"] = "5G"
            # what an object depends on is what the compiler says: no second run of its preprocessor
            cleaned["CCACHE_DEPEND"] = "1"
        return cleaned


def find_toolchain(
    arch: Arch, which: Which = shutil.which, host: str = platform.machine()
) -> Toolchain:
    """The compiler for an arch; a HostError says in one line what is not installed."""
    prefix = arch.prefix_on(host)
    wanted = dict.fromkeys((f"{prefix}gcc", f"{prefix}ld", *NEEDED))
    if lacking := [program for program in wanted if which(program) is None]:
        raise HostError(
            f"cannot build a kernel for {arch.name}: {', '.join(lacking)} not installed; "
            + _remedy(arch, lacking, prefix)
        )
    return Toolchain(arch, prefix, compiler_version(f"{prefix}gcc"), which("ccache"))


def _remedy(arch: Arch, lacking: Sequence[str], prefix: str) -> str:
    """What installs it: the packages of a cross compiler, where nothing else is missing."""
    if prefix and all(program.startswith(prefix) for program in lacking):
        return f"apt-get install {' '.join(arch.packages)}"
    return "`slqb doctor` gives the command that installs what is missing"


def compiler_version(compiler: str) -> str:
    """What the compiler says it is, in one line."""
    return child.run([compiler, "--version"], cwd=PROJECT, env={"LC_ALL": "C"}).splitlines()[0]


def job_count() -> int:
    """As many jobs as this process may use CPUs."""
    return max(1, len(os.sched_getaffinity(0)))
