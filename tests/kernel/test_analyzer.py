# SPDX-License-Identifier: GPL-2.0
"""Others who read our files: clang, its analyzer, and Sphinx. None of them has a word to say.

clang compiles mm/slqb.c in a build folder configured for it, and its analyzer follows the paths
through it with the very words that kbuild compiles it with. Sphinx makes the pages of mm/.
"""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness import child
from harness.config import configure, is_configured
from harness.errors import Outcome
from harness.fragment import command_line
from harness.kbuild import Kbuild, held
from harness.kernel import KernelSpec, plan_kernel
from harness.places import Places
from harness.toolchain import Toolchain
from harness.worktree import Rendered
from tests.kernel.images import QUIET

pytestmark = [pytest.mark.kernel, pytest.mark.soak]
OBJECT = "mm/slqb.o"
COMMAND = re.compile(r"^cmd_mm/slqb\.o := (?P<words>.*)$", re.MULTILINE)
SHAPES = {
    "lean": ("lean", ()),
    "debug": ("debug", ()),
    "watched": ("lean", ("SLQB_DEBUG_ON=y", "SLQB_STATS=y")),
    "bare": ("lean+up", ("SLQB_SYSFS=n", "SLQB_DEBUG=n")),
}


class Clang(Toolchain):
    """clang in gcc's place."""

    @property
    def cc(self) -> str:
        return "clang"


def with_clang(shape: str, rendered: Rendered, places: Places) -> Kbuild:
    """A folder configured for clang."""
    config, settings = SHAPES[shape]
    extra = command_line(settings) if settings else None
    plan = plan_kernel(rendered.source, KernelSpec(config=config), places, extra=extra)
    old = plan.kbuild.tools
    tools = Clang(old.arch, old.prefix, "clang", None)
    folder = plan.kbuild.folder.with_name(f"{plan.kbuild.folder.name}-clang")
    kbuild = replace(plan.kbuild, folder=folder, tools=tools)
    kbuild.prepare()
    if not is_configured(kbuild, plan.wanted):
        configure(kbuild, plan.wanted, folder / "build.log")
    return kbuild


def compiled(kbuild: Kbuild) -> tuple[str, list[str]]:
    """What clang said of our object, and the words it was called with."""
    (kbuild.folder / OBJECT).unlink(missing_ok=True)
    said = kbuild.make("W=1", OBJECT, log=kbuild.folder / "build.log", outcome=Outcome.BUILD)
    command = COMMAND.search((kbuild.folder / "mm/.slqb.o.cmd").read_text())
    assert command
    return said, shlex.split(command["words"].partition(";")[0])


def analysed(kbuild: Kbuild, words: list[str]) -> list[str]:
    """What the analyzer found in our files; some headers of the tree it does not understand."""
    at = words.index("-c")
    argv = [*words[:at], "--analyze", "--analyzer-output", "text", words[-1]]
    said = child.run(argv, cwd=kbuild.folder, env=kbuild.environment, timeout=600)
    found = [line for line in said.splitlines() if "warning:" in line]
    return [line for line in found if "slqb" in Path(line.partition(":")[0]).name]


@pytest.mark.parametrize("shape", SHAPES)
def test_clang_and_its_analyzer_find_nothing(
    shape: str, rendered: Rendered, real_places: Places
) -> None:
    kbuild = with_clang(shape, rendered, real_places)
    said, words = compiled(kbuild)
    assert [line for line in said.splitlines() if "slqb" in line and "warning:" in line] == []
    assert analysed(kbuild, words) == []


def test_sphinx_makes_our_page_without_a_word(rendered: Rendered, real_places: Places) -> None:
    kbuild = plan_kernel(rendered.source, KernelSpec(), real_places).kbuild
    kbuild.prepare()
    # a page that was made before is not read again
    output = kbuild.folder / "Documentation/output"
    shutil.rmtree(output, ignore_errors=True)
    words = ("htmldocs", "SPHINXDIRS=mm", "SPHINXOPTS=")
    with held(kbuild.folder, QUIET):
        said = kbuild.make(*words, log=kbuild.folder / "docs.log", outcome=Outcome.BUILD)
    assert [line for line in said.splitlines() if "slqb.rst" in line] == []
    assert "queues of objects" in (output / "mm/slqb.html").read_text()
