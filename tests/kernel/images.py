# SPDX-License-Identifier: GPL-2.0
"""What QEMU boots in these tests: a kernel, with our guest packed for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.boot import CONSOLE_LOG
from harness.dispatch import SPOILT
from harness.initramfs import build_initramfs
from harness.kernel import Kernel, KernelSpec, build_kernel
from harness.module import build_modules
from harness.places import PROJECT, Places
from harness.progress import SilentProgress
from harness.record import RESULT
from harness.tree import Tree
from harness.worktree import Mutation, render_into_worktree
from tests.conftest import sealed

GUEST = PROJECT / "tests" / "guest"
QUIET = SilentProgress()


@dataclass(frozen=True)
class Images:
    """A kernel and its initramfs."""

    kernel: Path
    initramfs: Path

    def words(self, *more: str) -> list[str | Path]:
        """The command that boots them."""
        files = ("--kernel", self.kernel, "--initramfs", self.initramfs)
        return [Path(sys.executable).with_name("slqb"), "boot", *files, *more]

    def boot(self, *more: str) -> tuple[int, dict[str, Any]]:
        """The exit status and the record of one boot on two nodes."""
        done = subprocess.run(
            self.words("--json", *more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


def with_guest(kernel: Kernel, source: Path, places: Places) -> Images:
    """The kernel, with the guest's modules and programs built for it."""
    modules = build_modules(kernel, source, GUEST, places, QUIET)
    return Images(kernel.image, build_initramfs(kernel, modules, GUEST, places, QUIET))


def with_faults(
    linux: Tree,
    places: Places,
    label: str,
    *faults: Mutation,
    spec: KernelSpec | None = None,
) -> Images:
    """A kernel of a worktree of its own."""
    rendered = render_into_worktree(linux, places, label=label, mutations=faults)
    spec = spec or KernelSpec()
    kernel = build_kernel(rendered.source, spec, places, QUIET, line_map=rendered.line_map)
    return with_guest(kernel, rendered.source, places)


@dataclass(frozen=True)
class Booted:
    """What came of a boot."""

    status: int
    record: dict[str, Any]
    folder: Path

    @property
    def cell(self) -> dict[str, Any]:
        """The only boot."""
        [cell] = self.record["cells"]
        assert isinstance(cell, dict)
        return cell

    @property
    def console(self) -> str:
        """What the guest said in it."""
        return Path(self.folder, self.cell["folder"], CONSOLE_LOG).read_text()


@dataclass(frozen=True)
class Guest:
    """Such images, booted into records below `home`."""

    images: Images
    home: Path

    def words(self, *more: str) -> list[str | Path]:
        return self.images.words(*more)

    def boot(self, *more: str) -> Booted:
        done = subprocess.run(
            self.words(*more),
            env=sealed(self.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Booted(done.returncode, *self.last())

    def last(self) -> tuple[dict[str, Any], Path]:
        """The last record, and where it lies."""
        path = max(self.home.glob(f"runs/2*/{RESULT}"), key=lambda one: one.stat().st_mtime_ns)
        return json.loads(path.read_text()), path.parent

    @contextmanager
    def hanging(self) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """`slqb boot` and its QEMU once the guest hangs."""
        process = subprocess.Popen(
            self.words("--append", "slqbtest.plant=hang"),
            env=sealed(self.home),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process, self.qemu_of(process.pid)
        finally:
            process.kill()
            process.communicate()

    def qemu_of(self, pid: int, boot: int = 1) -> int:
        """The child of `slqb`, once the guest of its nth boot has come to the test that hangs."""
        for _ in range(300):
            logs = list(self.home.glob("runs/2*/*/console.log"))
            now = [log for log in logs if not log.parent.name.endswith(SPOILT)]
            came = [log for log in now if "# start: plant_fault" in log.read_text()]
            if len(logs) == boot and came:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                names = {child: Path(f"/proc/{child}/comm").read_text() for child in children}
                return next(int(child) for child in children if names[child].startswith("qemu"))
            time.sleep(0.1)
        raise AssertionError("the guest never came to its test")
