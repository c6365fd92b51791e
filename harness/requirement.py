# SPDX-License-Identifier: GPL-2.0
"""What must hold before a kernel is compiled that is to be booted and tested.

Whatever the guest needs and the resolved .config, the compiler or this host cannot give is known
after Kconfig has answered, which takes seconds; a build takes minutes. NEEDS and TOOLS are the
whole list. `slqb build` is asked for a kernel and not for a boot, so only TOOLS count there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import child
from harness.arch import load_arch
from harness.borrow import borrowed, programs_of
from harness.errors import ConfigError, HostError
from harness.toolchain import Toolchain
from harness.topology import Topology

GIB = 1 << 30
ROOM = 1.0
"""GiB free on the disk, below which a build from nothing may not end."""
CONSOLES = {
    "x86_64": "SERIAL_8250_CONSOLE",
    "powerpc": "HVC_CONSOLE",
    "arm64": "SERIAL_AMBA_PL011_CONSOLE",
}
"""The console that QEMU's machine has, by make's ARCH."""
TESTS = "add a fragment that uses `guest`, as in --config lean+kunit, or ask only for --suite kunit"
Config = Mapping[str, str]


@dataclass(frozen=True)
class Use:
    """What a kernel is built for."""

    arch: str
    config: str
    init: bool = False
    """Whether our /init runs, and with it the test module."""
    kunit: bool = False
    """Whether nothing but KUnit's suites run."""
    topologies: tuple[Topology, ...] = ()

    @property
    def shapes(self) -> tuple[Topology, ...]:
        """Topologies that the guest finds or fails: without our /init nobody looks."""
        return self.topologies if self.init else ()

    @property
    def cpus(self) -> int:
        """The most CPUs of any boot, those that come later included."""
        return max((one.cpus + one.spare_cpus for one in self.shapes), default=0)

    @property
    def nodes(self) -> int:
        """The most nodes of any boot."""
        return max((len(one.nodes) for one in self.shapes), default=0)

    @property
    def memory_comes(self) -> bool:
        """Whether memory is put online in any boot."""
        return any(one.plugged_mib or one.spare_mib for one in self.shapes)

    @property
    def cpus_come(self) -> bool:
        """Whether CPUs come in any boot."""
        return any(one.spare_cpus for one in self.shapes)


@dataclass(frozen=True)
class Need:
    """Something of the .config that a use depends on."""

    symbol: Callable[[Use], str]
    """Which one, without CONFIG_; "" where this use does not depend on any."""
    why: str
    remedy: str
    least: Callable[[Use], int] | None = None
    """For a number: no less than that."""
    value: str = "y"
    """Else: exactly that."""

    def unmet(self, config: Config, use: Use) -> str:
        """What the symbol is and should be; "" if that is well."""
        symbol = self.symbol(use)
        got = config.get(symbol, "n")
        if not symbol or (self._enough(got, use) if self.least else got == self.value):
            return ""
        wanted = f"at least {self.least(use)}" if self.least else self.value
        return f"CONFIG_{symbol} is {got}, not {wanted}"

    def _enough(self, got: str, use: Use) -> bool:
        assert self.least is not None
        return got.isdecimal() and int(got) >= self.least(use)


def _if(symbol: str, asked: Callable[[Use], object]) -> Callable[[Use], str]:
    """The symbol, for uses of that kind."""
    return lambda use: symbol if asked(use) else ""


def _boots(use: Use) -> bool:
    return bool(use.topologies)


def _init(use: Use) -> bool:
    return use.init


def _bits(use: Use) -> int:
    """Bits of the number of a node."""
    return max(1, (use.nodes - 1).bit_length())


SMALLER = "choose a smaller --topology, or another --config"
NEEDS = (
    Need(
        _if("PVH", lambda use: _boots(use) and load_arch(use.arch).kbuild == "x86_64"),
        "QEMU enters vmlinux by its PVH note",
        "leave PVH on",
    ),
    Need(
        lambda use: CONSOLES[load_arch(use.arch).kbuild] if _boots(use) else "",
        "the guest talks on that console",
        "leave the fragment of the arch as it is",
    ),
    Need(_if("PRINTK", _boots), "nothing would be printed", "leave PRINTK on"),
    Need(_if("KUNIT", lambda use: use.kunit), "its suites shall run", "leave KUNIT on"),
    Need(_if("MODULES", _init), "the guest's tests are a module, slabtest.ko", TESTS),
    Need(_if("MODULE_UNLOAD", _init), "the tests load and unload it", TESTS),
    Need(
        _if("TRIM_UNUSED_KSYMS", _init),
        "symbols that slabtest.ko calls would not be exported",
        "leave it off",
        value="n",
    ),
    Need(
        _if("MODULE_SIG_FORCE", _init),
        "slabtest.ko is not signed, and would be refused",
        "leave it off",
        value="n",
    ),
    Need(_if("BLK_DEV_INITRD", _init), "/init comes in an initramfs", "leave it on"),
    Need(_if("BINFMT_ELF", _init), "/init is an ELF file", "leave it on"),
    Need(_if("PROC_FS", _init), "/init reads /proc", "leave it on"),
    Need(_if("SYSFS", _init), "/init compares the nodes in /sys with the topology", "leave it on"),
    Need(_if("DEVTMPFS", _init), "/init reads the kernel's log from /dev/kmsg", TESTS),
    Need(_if("SMP", lambda use: use.cpus > 1), "a topology has more CPUs than one", SMALLER),
    Need(
        _if("NR_CPUS", lambda use: use.cpus > 1),
        "a topology has so many CPUs",
        SMALLER,
        lambda use: use.cpus,
    ),
    Need(_if("NUMA", lambda use: use.nodes > 1), "a topology has more nodes than one", SMALLER),
    Need(
        _if("NODES_SHIFT", lambda use: use.nodes > 1),
        "a topology has so many nodes that their numbers take these bits",
        SMALLER,
        _bits,
    ),
    Need(
        _if("ACPI_NUMA", lambda use: use.nodes > 1 and load_arch(use.arch).kbuild == "x86_64"),
        "the nodes are told in ACPI's tables",
        SMALLER,
    ),
    Need(
        _if("MEMORY_HOTPLUG", lambda use: use.memory_comes),
        "a topology has memory that is put online",
        SMALLER,
    ),
    Need(
        _if("HOTPLUG_CPU", lambda use: use.cpus_come),
        "a topology has CPUs that come later",
        SMALLER,
    ),
)


@dataclass(frozen=True)
class Tool:
    """Something of the host that kbuild runs or reads when a symbol is on."""

    symbol: str
    package: str
    program: str = ""
    file: str = ""

    def is_there(self, root: Path = Path("/")) -> bool:
        """Whether it is installed."""
        if self.program:
            return shutil.which(self.program) is not None
        return next(root.glob(self.file.lstrip("/")), None) is not None


TOOLS = (
    Tool("OBJTOOL", "libelf-dev", file="/usr/include/gelf.h"),
    Tool("DEBUG_INFO_BTF", "dwarves", program="pahole"),
    Tool("MODULE_SIG", "libssl-dev", file="/usr/include/openssl/opensslv.h"),
    Tool("MODULE_SIG", "openssl", program="openssl"),
    Tool("SYSTEM_TRUSTED_KEYRING", "libssl-dev", file="/usr/include/openssl/opensslv.h"),
    Tool("IKHEADERS", "cpio", program="cpio"),
    Tool("IKHEADERS", "xz-utils", program="xz"),
)


def unmet(config: Config, use: Use) -> Iterator[tuple[str, Need]]:
    """What a resolved .config does not give to that use, the worst first."""
    return ((told, one) for one in NEEDS if (told := one.unmet(config, use)))


def refuse_unmet(config: Config, use: Use | None, what: str) -> None:
    """A ConfigError or HostError that says on one line what the kernel `what` lacks for its use."""
    if use and (found := tuple(unmet(config, use))):
        told, need = found[0]
        others = [other.symbol(use) for _, other in found[1:]]
        also = f"; also wrong: {', '.join(others)}" if others else ""
        raise ConfigError(
            f"{what} lacks what its boots need: {told}, and {need.why}{also}; {need.remedy}"
        )
    lacking = [one for one in TOOLS if config.get(one.symbol) == "y" and not one.is_there()]
    if lacking:
        names = ", ".join(f"{one.program or one.file} for {one.symbol}" for one in lacking)
        packages = " ".join(dict.fromkeys(one.package for one in lacking))
        raise HostError(
            f"this host cannot build {what}: it lacks {names}: apt-get install {packages}"
        )


def refuse_host(use: Use, tools: Toolchain) -> None:
    """A HostError for what this host cannot give to the guest, whatever the kernel."""
    if not use.init:
        return
    arch = load_arch(use.arch)
    said = child.run((f"{tools.prefix}gcc", "-print-file-name=libc.a"), cwd=Path("/")).strip()
    if not Path(said).is_absolute():
        package = arch.packages[-1] if tools.prefix else "libc6-dev"
        raise HostError(
            f"cannot link the guest's init for {arch.name}: there is no static C library "
            f"(libc.a): apt-get install {package}"
        )
    borrowed(programs_of(use.config), arch.host)


def refuse_full_disk(folder: Path) -> None:
    """A HostError if the disk that a new build goes to is nearly full."""
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    free = shutil.disk_usage(there).free / GIB
    if free < ROOM:
        raise HostError(
            f"{free:.1f} GiB are free where {folder} goes, a kernel needs {ROOM:.0f}: "
            "`slqb cache prune --to SIZE` frees some, or move the cache with SLQB_CACHE"
        )
