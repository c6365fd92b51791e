# SPDX-License-Identifier: GPL-2.0
"""What tests with real kernels share: each is built once a session, in the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from harness.kernel import Kernel, KernelSpec, build_kernel
from harness.places import Places
from harness.progress import SilentProgress
from harness.tree import Tree
from harness.worktree import Rendered, render_into_worktree

Build = Callable[[KernelSpec], Kernel]


@pytest.fixture(scope="session")
def rendered(linux: Tree, real_places: Places) -> Rendered:
    """Linux 6.1 with our series in it."""
    return render_into_worktree(linux, real_places)


@pytest.fixture(scope="session")
def build(rendered: Rendered, real_places: Places) -> Build:
    """Builds a kernel from it; asking again costs nothing."""

    @cache
    def built(spec: KernelSpec) -> Kernel:
        quiet = SilentProgress()
        return build_kernel(rendered.source, spec, real_places, quiet, line_map=rendered.line_map)

    return built
