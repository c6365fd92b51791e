# SPDX-License-Identifier: GPL-2.0
"""Guest modules: built from a copy, warnings are errors, the sources stay clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BuildError, UserError
from harness.fragment import merge, parse
from harness.kbuild import Kbuild
from harness.kernel import Kernel, KernelSpec, Plan, build_plan
from harness.module import build_modules, copy_sources
from harness.places import Places
from harness.progress import SilentProgress


@pytest.fixture
def kernel(toy_kbuild: Kbuild, places: Places) -> Kernel:
    wanted = merge([parse("mine", "mine.config", ["CONFIG_MODULES=y"])])
    return build_plan(Plan(KernelSpec(), toy_kbuild, wanted), places, SilentProgress())


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    folder = tmp_path / "guest" / "toy"
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text("obj-m := toy.o\n")
    (folder / "toy.c").write_text("int toy(void);\nint toy(void) { return 1; }\n")
    return folder.parent


def build(kernel: Kernel, guest: Path, places: Places) -> tuple[Path, ...]:
    return build_modules(kernel, kernel.kbuild.source, guest, places, SilentProgress())


def test_module_is_built_in_the_kernels_folder(kernel: Kernel, guest: Path, places: Places) -> None:
    (module,) = build(kernel, guest, places)
    assert module.is_relative_to(kernel.build)
    assert module.name == "toy.ko"
    assert module.is_file()


def test_sources_stay_clean(kernel: Kernel, guest: Path, places: Places) -> None:
    build(kernel, guest, places)
    assert sorted(path.name for path in (guest / "toy").iterdir()) == ["Makefile", "toy.c"]


def test_warning_is_an_error_with_its_line(kernel: Kernel, guest: Path, places: Places) -> None:
    (guest / "toy" / "toy.c").write_text("static int unused(void) { return 1; }\n")
    with pytest.raises(BuildError) as caught:
        build(kernel, guest, places)
    assert str(caught.value).startswith("cannot build module toy: toy.c:1: error: ")
    assert "repeat: (cd " in str(caught.value)


def test_no_module_at_all_is_the_callers_mistake(
    kernel: Kernel, tmp_path: Path, places: Places
) -> None:
    with pytest.raises(UserError, match="holds no kernel module"):
        build(kernel, tmp_path / "nothing", places)


def test_copy_is_touched_only_where_it_differs(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    for name in ("same.c", "changed.c", "gone.c"):
        (source / name).write_text(name)
    copy_sources(source, copy)
    before = (copy / "same.c").stat().st_ino
    (copy / "made.mod.c").write_text("kbuild's own")
    (source / "changed.c").write_text("new")
    (source / "gone.c").unlink()
    copy_sources(source, copy)
    assert (copy / "same.c").stat().st_ino == before
    assert (copy / "changed.c").read_text() == "new"
    assert sorted(path.name for path in copy.iterdir()) == ["changed.c", "made.mod.c", "same.c"]
