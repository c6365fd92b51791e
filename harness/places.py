# SPDX-License-Identifier: GPL-2.0
"""Where the project keeps what it makes, so that no other module invents a folder.

cache/   may be deleted at any time, costs only time: trees, worktrees, builds, ccache, images
runs/    records of runs, kept until somebody deletes them

SLQB_CACHE and SLQB_RUNS move them; else they are where the user's system wants them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from harness.errors import HostError
from harness.quota import DEFAULT, Quota

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Places:
    """The two roots, and the named folders below them (made when first asked for)."""

    cache: Path
    runs: Path
    quota: Quota = DEFAULT
    """What the cache may hold."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Places:
        """The places this process uses; an empty variable counts as unset."""
        env = os.environ if environment is None else environment
        cache = env.get("SLQB_CACHE") or platformdirs.user_cache_dir("slqb", appauthor=False)
        state = platformdirs.user_state_dir("slqb", appauthor=False)
        runs = env.get("SLQB_RUNS") or Path(state, "runs")
        return cls(Path(cache).expanduser().absolute(), Path(runs).expanduser().absolute())

    def folder(self, *parts: str) -> Path:
        """A folder of the cache, made if it is missing."""
        return made(self.cache.joinpath(*parts))

    @property
    def trees(self) -> Path:
        """The private stores that trees are unpacked into, once each."""
        return self.folder("trees")

    @property
    def worktrees(self) -> Path:
        """Rendered sources, one folder for each tree and label."""
        return self.folder("worktrees")

    @property
    def builds(self) -> Path:
        """Kernel build folders."""
        return self.folder("build")

    @property
    def ccache(self) -> Path:
        """The compiler cache, shared by every tree, config and allocator."""
        return self.folder("ccache")

    @property
    def facts(self) -> Path:
        """Small measured facts: which accelerator works, how many objects a build makes."""
        return self.folder("facts")

    def run_folder(self, name: str) -> Path:
        """A folder for one run's record; the caller picks a name not used before."""
        return made(self.runs / name)


def made(folder: Path) -> Path:
    """The folder, made with its parents; a HostError names what stands in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"cannot make the folder {folder}: {error.strerror}; "
            "set SLQB_CACHE and SLQB_RUNS to folders you can write to"
        ) from error
    return folder
