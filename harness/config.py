# SPDX-License-Identifier: GPL-2.0
"""A kernel's configuration: asked for in fragments, answered by Kconfig, compared.

The base is allnoconfig: what no fragment asks for is off, unless Kconfig offers no choice.
Kconfig drops a symbol whose dependencies are not met without a word; here that is an error
which names what asked for it and which dependency failed (unmet.py).

Beside .config lie, in the build folder:
    requested.config   the merged request, as Kconfig was given it
    configured         the state that was verified; gone while anything is in doubt
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import unmet
from harness.errors import ConfigError, Outcome
from harness.file import write_if_changed
from harness.fragment import CONFIGS, Fragment, Setting, join, merge
from harness.kbuild import SOURCE_LINK, Kbuild

REQUEST = "requested.config"
STAMP = "configured"
ANSWER = re.compile(r"CONFIG_(?P<symbol>\w+)=(?P<value>.*)")


@dataclass(frozen=True)
class Dropped:
    """A symbol that came out of Kconfig with another value."""

    wanted: Setting
    got: str

    @property
    def text(self) -> str:
        """Who wanted what, and what there is."""
        got = "is not set" if self.got == "n" else f"is {self.got}"
        return f"{self.wanted.where}: {self.wanted.text!r} did not survive: it {got}"


def request(
    arch: str,
    config: str,
    allocator: str,
    extra: Fragment | None = None,
    folder: Path = CONFIGS,
) -> tuple[Setting, ...]:
    """Everything asked of Kconfig for one kernel; `config` joins fragments with '+'."""
    parts = config.split("+")
    general = join(("base", f"arch-{arch}", *parts, f"allocator-{allocator}"), folder)
    own = [f"arch-{arch}-{one.name}" for one in general]
    own += [f"allocator-{allocator}-{part}" for part in parts]
    every = join((*(one.name for one in general), *_there(own, folder)), folder)
    return merge(every + (() if extra is None else (extra,)))


def _there(names: Iterable[str], folder: Path) -> Iterator[str]:
    """Those of the names that a fragment has: what an arch adds to a fragment, or an allocator to
    a configuration."""
    return (name for name in names if (folder / f"{name}.config").is_file())


def expected_objects(config: str, folder: Path = CONFIGS) -> int | None:
    """About how many objects such a kernel has, as the largest of its fragments says."""
    return max((one.objects for one in join(config.split("+"), folder)), default=0) or None


def resolved(lines: Iterable[str]) -> dict[str, str]:
    """The symbols of a .config that are set."""
    found = (ANSWER.fullmatch(line.rstrip()) for line in lines)
    return {one["symbol"]: one["value"] for one in found if one}


def dropped(wanted: Iterable[Setting], got: Mapping[str, str]) -> tuple[Dropped, ...]:
    """Every setting that is not what was asked for; a symbol that is absent counts as n."""
    return tuple(
        Dropped(setting, answer)
        for setting in wanted
        if not _same(setting.value, answer := got.get(setting.symbol, "n"))
    )


def _same(wanted: str, got: str) -> bool:
    """Hexadecimal is compared by value: Kconfig keeps the spelling it was given."""
    if wanted.lower().startswith("0x") and got.lower().startswith("0x"):
        return int(wanted, 16) == int(got, 16)
    return wanted == got


def is_configured(kbuild: Kbuild, wanted: Sequence[Setting]) -> bool:
    """Whether .config is the verified answer to this request, and no Kconfig file moved."""
    stamp = kbuild.folder / STAMP
    if not (stamp.is_file() and kbuild.config.is_file()):
        return False
    return stamp.read_text() == _state(kbuild, wanted)


def configure(kbuild: Kbuild, wanted: Sequence[Setting], log: Path) -> None:
    """Ask Kconfig, and compare its answer with the request."""
    stamp = kbuild.folder / STAMP
    stamp.unlink(missing_ok=True)
    (kbuild.folder / REQUEST).write_text(_text(wanted))
    kbuild.make(*arguments(kbuild), log=log, outcome=Outcome.TREE)
    confirm(kbuild, wanted)


def confirm(kbuild: Kbuild, wanted: Sequence[Setting]) -> None:
    """Verify .config and remember on what it depends; done again after a build, which may have
    changed it and which tells what Kconfig files there are."""
    verify(kbuild, wanted)
    write_if_changed(kbuild.folder / STAMP, _state(kbuild, wanted).encode())


def _text(wanted: Iterable[Setting]) -> str:
    return "".join(setting.text + "\n" for setting in wanted)


def arguments(kbuild: Kbuild) -> tuple[str, ...]:
    """The target and variable that configure."""
    return f"KCONFIG_ALLCONFIG={kbuild.folder / REQUEST}", "allnoconfig"


def verify(kbuild: Kbuild, wanted: Sequence[Setting]) -> None:
    """A ConfigError that says of every lost symbol who asked, what came out, and why."""
    in_order = sorted(wanted, key=lambda one: (one.file, one.line))
    lost = dropped(in_order, resolved(kbuild.config.read_text().splitlines()))
    if not lost:
        return
    reasons = unmet.explain(kbuild, [one.wanted.symbol for one in lost])
    raise ConfigError("\n".join(f"{one.text}; {reasons[one.wanted.symbol]}" for one in lost))


def _state(kbuild: Kbuild, wanted: Sequence[Setting]) -> str:
    """All that the answer depends on, and the answer."""
    state = {
        "request": _text(wanted),
        "make": kbuild.tools.make_variables,
        "compiler": kbuild.tools.version,
        "source": str(kbuild.source),
        "kconfig": _kconfig_files(kbuild),
        "answer": hashlib.sha256(kbuild.config.read_bytes()).hexdigest(),
    }
    return json.dumps(state, indent=1)


def _kconfig_files(kbuild: Kbuild) -> str:
    """A digest over the Kconfig files that the last build read: their names, sizes and times.

    Before the first build nobody knows which these are.
    """
    listing = kbuild.folder / "include/config/auto.conf.cmd"
    if not listing.is_file():
        return "not known yet"
    digest = hashlib.sha256()
    for name in _listed(listing.read_text().splitlines()):
        digest.update(f"{name} {_shape(kbuild.folder / SOURCE_LINK / name)}\n".encode())
    return digest.hexdigest()


def _listed(lines: Iterable[str]) -> Iterator[str]:
    """The names in `deps_config := \\ NAME \\ NAME ...`, which ends at an empty line."""
    for line in lines:
        if not line.strip():
            return
        if not line.startswith("deps_config"):
            yield line.strip().removesuffix("\\").strip()


def _shape(path: Path) -> str:
    try:
        status = path.stat()
    except FileNotFoundError:
        return "gone"
    return f"{status.st_size} {status.st_mtime_ns}"
