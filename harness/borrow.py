# SPDX-License-Identifier: GPL-2.0
"""Programs of this host that a guest gets, with the libraries they are linked with.

A configuration names them (`#: programs`), Debian's packages bring them. Files keep the places
that the dynamic linker looks for them in, programs go to /bin, so nothing has to be set up in
the guest. The same packages give the same bytes.

ldd:   line*
line:  TAB NAME '=>' PATH ADDRESS | TAB PATH ADDRESS | TAB NAME '=>' 'not found' | TAB NAME ADDRESS
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness import child
from harness.errors import HostError
from harness.fragment import join

LIBRARY = re.compile(r"\t(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x[0-9a-f]+\)")
MISSING = re.compile(r"\t(?P<name>\S+) => not found")
Which = Callable[[str], str | None]


def programs_of(config: str) -> tuple[str, ...]:
    """What the fragments of a configuration want in the guest."""
    fragments = join(config.split("+"))
    return tuple(dict.fromkeys(name for one in fragments for name in one.programs))


def borrowed(names: Iterable[str], arch: str, which: Which = shutil.which) -> dict[str, Path]:
    """The files to take along, by their place in the guest."""
    found = dict[str, Path]()
    for name in names:
        path = which(name)
        if arch != platform.machine() or path is None:
            raise HostError(
                f"the guest needs {name} for {arch}, which this host has not; "
                "`slqb doctor` gives the command that installs what is missing"
            )
        found[f"bin/{name}"] = Path(path)
        found |= {str(one).lstrip("/"): one for one in libraries(Path(path))}
    return found


def libraries(program: Path) -> tuple[Path, ...]:
    """What it is linked with, the dynamic linker among it."""
    said = child.run(["ldd", program], cwd=program.parent, env={"LC_ALL": "C"}, timeout=60)
    return tuple(listed(said.splitlines(), program))


def listed(lines: Iterable[str], program: Path) -> Iterator[Path]:
    """The libraries that ldd lists."""
    for line in lines:
        if lost := MISSING.match(line):
            raise HostError(f"{program} lacks its library {lost['name']}; reinstall its package")
        if found := LIBRARY.match(line):
            yield Path(found["path"])
