# SPDX-License-Identifier: GPL-2.0
"""The real tree, built for real: what make test builds anyway, looked at closely."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.fragment import command_line
from harness.initramfs import build_initramfs
from harness.kernel import Kernel, KernelSpec, build_kernel
from harness.module import build_modules
from harness.places import Places
from harness.worktree import Rendered
from tests.kernel.conftest import Build
from tests.kernel.images import GUEST, QUIET

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(build: Build) -> Kernel:
    return build(KernelSpec())


def test_image_is_an_elf_file_of_this_release(kernel: Kernel) -> None:
    assert kernel.image.read_bytes()[:4] == b"\x7fELF"
    assert kernel.release.startswith("6.1.")
    assert not kernel.release.endswith("+")


def test_nothing_changed_builds_nothing(
    kernel: Kernel, rendered: Rendered, real_places: Places
) -> None:
    before = kernel.image.stat().st_mtime_ns
    again = build_kernel(
        rendered.source, KernelSpec(), real_places, QUIET, line_map=rendered.line_map
    )
    assert again.objects == 0
    assert kernel.image.stat().st_mtime_ns == before


def test_module_and_archive_repeat_byte_for_byte(
    kernel: Kernel, rendered: Rendered, real_places: Places
) -> None:
    def pack() -> tuple[str, ...]:
        modules = build_modules(kernel, rendered.source, GUEST, real_places, QUIET)
        image = build_initramfs(kernel, modules, GUEST, real_places, QUIET)
        return tuple(map(digest, (*modules, image)))

    assert pack() == pack()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_symbol_that_cannot_be_is_explained(rendered: Rendered, real_places: Places) -> None:
    with pytest.raises(ConfigError) as caught:
        build_kernel(
            rendered.source,
            KernelSpec(),
            real_places,
            QUIET,
            extra=command_line(["X86_PAE=y", "KASAN=y", "KASAN_HW_TAGS=y"]),
        )
    pae, tags = str(caught.value).splitlines()
    assert pae.startswith(
        "--set X86_PAE=y: 'CONFIG_X86_PAE=y' did not survive: it is not set; unmet: "
    )
    assert "X86_32" in pae
    assert "KASAN_HW_TAGS" in tags
