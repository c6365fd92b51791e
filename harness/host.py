# SPDX-License-Identifier: GPL-2.0
"""What this host needs, from configs/host.toml: what is missing, and installing it.

    python3 harness/host.py                       say what `make run` lacks; exit 8 if anything
    python3 harness/host.py --install             install that, as root or through sudo
    python3 harness/host.py --install --for test  install what `make test` needs; run, test or soak

Uses Python's own library only and nothing else of the package, because it runs before there
is a virtual environment. With nothing missing it says nothing and takes a blink.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

NEEDS = Path(__file__).resolve().parent.parent / "configs" / "host.toml"
OLDEST_PYTHON = (3, 11)
HOST_FAULT = 8
STAGES = ("run", "test", "soak")
"""The make targets that install packages; each needs what those before it need as well."""
USAGE = f"usage: python3 harness/host.py [--install] [--for {'|'.join(STAGES)}]"
Which = Callable[[str], str | None]


@dataclass(frozen=True)
class Need:
    """A package, what it is for, and the one sign by which it is known to be there."""

    package: str
    why: str
    program: str = ""
    file: str = ""
    module: str = ""
    without: str = ""
    needed_by: str = STAGES[0]
    """The first of STAGES that installs it."""

    @property
    def is_option(self) -> bool:
        """Whether things work without it."""
        return bool(self.without)

    def is_met(self, which: Which = shutil.which, root: Path = Path("/")) -> bool:
        """Whether the sign is there."""
        if self.program:
            return which(self.program) is not None
        if self.file:
            return next(root.glob(self.file.lstrip("/")), None) is not None
        return importlib.util.find_spec(self.module) is not None


def load_needs(path: Path = NEEDS) -> tuple[Need, ...]:
    """Read the records of `path`.

    Raises TypeError for an unknown key, and ValueError for a record that has not exactly one
    of program, file and module, or an unknown stage.
    """
    needs = tuple(Need(**table) for table in tomllib.loads(path.read_text())["need"])
    for need in needs:
        if [bool(need.program), bool(need.file), bool(need.module)].count(True) != 1:
            raise ValueError(f"{path}: {need.package} needs one of program, file, module")
        if need.needed_by not in STAGES:
            raise ValueError(f"{path}: {need.package}: needed_by is one of {', '.join(STAGES)}")
    return needs


def needs_of(stage: str, needs: Iterable[Need]) -> tuple[Need, ...]:
    """Those of `needs` that a stage installs: its own and those of the stages before it."""
    return tuple(need for need in needs if STAGES.index(need.needed_by) <= STAGES.index(stage))


def missing(
    needs: Iterable[Need], which: Which = shutil.which, root: Path = Path("/")
) -> tuple[Need, ...]:
    """Those that are not met."""
    return tuple(need for need in needs if not need.is_met(which, root))


def install_command(needs: Sequence[Need]) -> tuple[str, ...]:
    """The one command that installs them, without what gets root for it."""
    packages = dict.fromkeys(need.package for need in needs)
    return ("apt-get", "install", "--yes", "--no-install-recommends", *packages)


def shown_command(needs: Sequence[Need]) -> str:
    """The same for a person to type."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}{' '.join(install_command(needs))}"


def install(needs: Sequence[Need], which: Which = shutil.which) -> str:
    """Install them; what went wrong in one line, or nothing."""
    if which("apt-get") is None:
        packages = " ".join(need.package for need in needs)
        return f"no apt-get here: install what Debian calls {packages}"
    become_root = () if os.geteuid() == 0 else ("sudo",)
    if become_root and which("sudo") is None:
        return f"not root, and no sudo: let root run: {shown_command(needs)}"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("apt-get", "update"), install_command(needs)):
        argv = (*become_root, *command)
        print(f"running: {' '.join(argv)}", flush=True)
        done = subprocess.run(
            argv,
            env=environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            last = done.stdout.strip().rpartition("\n")[2]
            return f"exit {done.returncode} from: {' '.join(argv)}: {last}"
    return ""


def main(arguments: Sequence[str]) -> int:
    """The script's exit status."""
    words = list(arguments)
    installs = words[:1] == ["--install"]
    match words[installs:]:
        case []:
            stage = STAGES[0]
        case ["--for", stage] if stage in STAGES:
            pass
        case _:
            return _refuse(USAGE, 2)
    if sys.version_info < OLDEST_PYTHON:
        return _refuse(f"Python {'.'.join(map(str, OLDEST_PYTHON))} or later is needed")
    lacking = missing(needs_of(stage, load_needs()))
    for need in lacking:
        print(f"missing: {need.package} ({need.why})", flush=True)
    if not lacking:
        return 0
    if not installs:
        return _refuse(f"install it with: {shown_command(lacking)}")
    if problem := install(lacking):
        return _refuse(problem)
    if still := missing(lacking):
        return _refuse(f"installed, but still not found: {' '.join(one.package for one in still)}")
    return 0


def _refuse(text: str, status: int = HOST_FAULT) -> int:
    print(f"host: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
