# SPDX-License-Identifier: GPL-2.0
"""What tests with real kernels share: each is built once a session, in the user's cache.

To ask make whether there is anything to do takes seconds: what one worker has built the others
take from it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from harness.file import write_atomically
from harness.kernel import Kernel, KernelSpec, build_kernel
from harness.places import Places
from harness.store import locked
from harness.tree import Tree
from harness.worktree import Rendered, render_into_worktree

from .faults import CATALOGUE
from .images import QUIET, Guest, Images, with_faults, with_guest

CHECKED = "debug+kunit-slqb"
"""The configuration of the one kernel with checks that `make test` builds: with the allocator's own
suites in it, it need not build a kernel for those."""

T = TypeVar("T")
Build = Callable[[KernelSpec], Kernel]
Pack = Callable[[KernelSpec], Images]
Planted = Callable[[KernelSpec], Images]


@pytest.fixture(scope="session")
def rendered(linux: Tree, real_places: Places) -> Rendered:
    """Linux 6.1 with our series in it."""
    return render_into_worktree(linux, real_places)


class Once(Protocol):
    """Makes what no worker of this session has made yet."""

    def __call__(self, name: str, make: Callable[[], T], /) -> T: ...


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """The others wait for it meanwhile."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def made(name: str, make: Callable[[], T], /) -> T:
        path = shared / f"{name}.pickle"
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                write_atomically(path, pickle.dumps(make()))
        result: T = pickle.loads(path.read_bytes())
        return result

    return made


@pytest.fixture(scope="session")
def build(rendered: Rendered, real_places: Places, once: Once) -> Build:
    """Builds a kernel from it; asking again costs nothing."""

    def build(spec: KernelSpec) -> Kernel:
        return build_kernel(rendered.source, spec, real_places, QUIET, line_map=rendered.line_map)

    @cache
    def built(spec: KernelSpec) -> Kernel:
        return once(f"kernel-{spec.name}", lambda: build(spec))

    return built


@pytest.fixture(scope="session")
def pack(build: Build, rendered: Rendered, real_places: Places, once: Once) -> Pack:
    """Such a kernel ready to boot, with the guest in it."""

    def pack(spec: KernelSpec) -> Images:
        return with_guest(build(spec), rendered.source, real_places)

    @cache
    def packed(spec: KernelSpec) -> Images:
        return once(f"images-{spec.name}", lambda: pack(spec))

    return packed


@pytest.fixture(scope="session")
def sound(pack: Pack) -> Images:
    """The lean kernel, as most boots want it."""
    return pack(KernelSpec())


@pytest.fixture
def guest(sound: Images, tmp_path: Path) -> Guest:
    """It, booted into records of the test's own."""
    return Guest(sound, tmp_path)


@pytest.fixture(scope="session")
def planted(linux: Tree, real_places: Places, once: Once) -> Planted:
    """The kernel with all the faults, of one configuration and machine or another."""

    def plant(spec: KernelSpec) -> Images:
        return with_faults(linux, real_places, "planted", *CATALOGUE.mutations(), spec=spec)

    @cache
    def built(spec: KernelSpec) -> Images:
        return once(f"planted-{spec.name}", lambda: plant(spec))

    return built
