# SPDX-License-Identifier: GPL-2.0
"""One build folder of one kernel, and how make is called in it.

BUILD/src -> the source; make runs in BUILD with -f src/Makefile, which kbuild supports and
which saves the extra make that O= costs. `abs_srctree` names the source by that link, so that
every compiler command is the same, relative to the build folder, whichever folder the source
lies in: ccache then hits across trees, labels and bisect steps.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from harness import child
from harness.errors import ConfigError, Outcome, UserError
from harness.places import made
from harness.progress import Progress
from harness.toolchain import Toolchain, job_count

SOURCE_LINK = "src"
FULL = 1 << 20
"""Bytes free that count as none."""


@dataclass(frozen=True)
class Kbuild:
    """Where a kernel is built from what, with which tools and environment."""

    source: Path
    folder: Path
    tools: Toolchain
    environment: Mapping[str, str | None] = field(default_factory=dict)
    jobs: int = field(default_factory=job_count)

    @property
    def config(self) -> Path:
        """Kconfig's answer."""
        return self.folder / ".config"

    def argv(self, *words: str) -> tuple[str, ...]:
        """The make command line for these targets and variables, to be run in the folder."""
        where = ("-f", f"{SOURCE_LINK}/Makefile", f"abs_srctree={self.folder / SOURCE_LINK}")
        return ("make", *where, *self.tools.make_variables, f"-j{self.jobs}", *words)

    def prepare(self) -> None:
        """Make the folder, and point its link at the source."""
        if found := set(f"{self.source}{self.folder}") & set(" :%"):
            raise UserError(
                f"kbuild cannot work in a folder with {sorted(found)[0]!r} in its name: "
                f"{self.folder}; move the cache with SLQB_CACHE"
            )
        if not (self.source / "Kconfig").is_file():
            raise ConfigError(f"{self.source} is not a kernel tree: it has no Kconfig")
        made(self.folder)
        link = self.folder / SOURCE_LINK
        if link.is_symlink() and link.readlink() == self.source:
            return
        link.unlink(missing_ok=True)
        link.symlink_to(self.source)

    def make(
        self,
        *words: str,
        log: Path,
        outcome: Outcome,
        on_line: Callable[[str], None] | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> str:
        """Run make; what it printed, or a CommandError."""
        argv = self.argv(*words)
        try:
            return child.run(
                argv,
                cwd=self.folder,
                log=log,
                env={**self.environment, **(environment or {})},
                on_line=on_line,
                outcome=outcome,
            )
        except child.CommandError as error:
            if error.outcome is outcome and is_full(self.folder):
                raise child.CommandError(argv, self.folder, child.DISK_FULL) from error
            raise


def is_full(folder: Path) -> bool:
    """Whether nothing fits on the folder's disk: not every program says why it failed."""
    return shutil.disk_usage(folder).free < FULL


@contextmanager
def held(folder: Path, progress: Progress) -> Iterator[None]:
    """The folder is ours alone; whoever comes second says so and waits."""
    made(folder.parent)
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"waiting: another slqb works in {folder}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
