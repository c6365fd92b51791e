# SPDX-License-Identifier: GPL-2.0
"""The real hunks on the real tree, and on what the tree might become.

A copy of the files that hunks and capabilities look at is changed as kernels change:
lines move, neighbours are renamed, allocators come and go. Every hunk must still find
its place, and leave all of the tree's own lines in their order; where the place itself
is gone, the render must stop and say so.
"""

import re
import shutil
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from harness.capability import load_capabilities
from harness.errors import TreeError
from harness.hunk import load_hunks
from harness.places import Places
from harness.series import Series, render
from harness.template import TEMPLATES
from harness.tree import Tree, pristine

pytestmark = pytest.mark.tree

Change = Callable[[Path], None]


@pytest.fixture
def source(linux: Tree, real_places: Places, tmp_path: Path) -> Path:
    """The files that matter, to change at will."""
    for file in sorted(files_that_matter()):
        origin = pristine(linux, real_places) / file
        if origin.is_file():
            (tmp_path / "linux" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, tmp_path / "linux" / file)
    return tmp_path / "linux"


def files_that_matter() -> set[str]:
    hunks = (hunk for file in load_hunks(TEMPLATES).values() for hunk in file.hunks.values())
    looked_at = (known.files for known in load_capabilities(TEMPLATES).values())
    return {file for hunk in hunks for file in hunk.files} | {f for fs in looked_at for f in fs}


def edit(source: Path, file: str, pattern: str, replacement: str, count: int = 1) -> None:
    """Change a file, and be sure that it changed."""
    before = (source / file).read_text()
    after, made = re.subn(pattern, replacement, before, flags=re.MULTILINE | re.DOTALL)
    assert made == count, f"{file}: /{pattern}/ {made} times"
    (source / file).write_text(after)


def mentions(series: Series) -> dict[str, int]:
    """How often each file names the new allocator."""
    return {
        path: sum(line.text.lower().count("slqb") for line in text)
        for path, text in series.files.items()
    }


def own_lines_are_kept(series: Series, source: Path) -> None:
    """All lines of the tree are there in their order, but for what hunks insert into them."""
    for path, text in series.files.items():
        if not (source / path).exists():
            continue
        ours = iter(line.text for line in text)
        for line in (source / path).read_text().splitlines():
            assert any(_same(line, other) for other in ours), f"{path} lost {line!r}"


def _same(line: str, other: str) -> bool:
    """Equal, or the line's own words are all in the other, which names SLQB besides."""
    words = re.findall(r"\w+", line.replace("#if ", "").replace("#elif ", ""))
    return line == other or (bool(words) and set(words) <= set(re.findall(r"\w+", other)))


def grow_every_file(source: Path) -> None:
    for file in (path for path in source.rglob("*") if path.is_file()):
        mark = "#" if file.name.startswith(("Kconfig", "Makefile")) else "//"
        head = "".join(f"{mark} {number}\n" for number in range(500))
        file.write_text(head + file.read_text())


def reorder_the_makefile(source: Path) -> None:
    lines = (source / "mm/Makefile").read_text().splitlines()
    moved = [line for line in lines if "slub" in line]
    rest = [line for line in lines if "slub" not in line]
    (source / "mm/Makefile").write_text("\n".join([*moved, *rest]) + "\n")


def align_the_makefile(source: Path) -> None:
    edit(
        source,
        "mm/Makefile",
        r"^obj-\$\(CONFIG_SLUB\) \+= slub.o",
        "obj-$(CONFIG_SLUB)\t\t+= slub.o",
    )


def add_another_allocator(source: Path) -> None:
    option = 'config SLFB\n\tbool "SLFB"\n\thelp\n\t  Another one.\n\n'
    edit(source, "mm/Kconfig", r"^config SLOB$", f"{option}config SLOB")
    edit(source, "mm/Kconfig", r"SLAB \|\| SLUB$", "SLAB || SLUB || SLFB", 3)
    edit(
        source,
        "mm/slab.h",
        r"^#elif defined\(CONFIG_SLUB\)$",
        "#elif defined(CONFIG_SLFB)\n\tint f;\n#elif defined(CONFIG_SLUB)",
        2,
    )


def rename_the_neighbours(source: Path) -> None:
    edit(source, "mm/slab.h", r"unsigned int __unused;", "unsigned int __spare;")
    edit(source, "mm/Kconfig", "SLUB \\(Unqueued Allocator\\)", "SLUB, the default")
    edit(source, "mm/Makefile", "page_poison", "page_venom", 1)
    edit(source, "include/linux/percpu.h", r"\(12 << 10\)", "(20 << 10)")
    edit(source, "include/linux/percpu.h", r"BITS_PER_LONG > 32", "BITS_PER_LONG >= 64")


def take_slob_away(source: Path) -> None:
    """As Linux 6.4 did."""
    edit(source, "mm/Kconfig", r"^config SLOB\n.*?^endchoice", "endchoice")
    edit(source, "mm/slab.h", r"^#elif defined\(CONFIG_SLOB\)\n.*?^#else$", "#else")
    edit(
        source,
        "include/linux/slab.h",
        r"^#ifdef CONFIG_SLOB\n/\*\n \* SLOB passes.*?^#endif\n^#endif\n",
        "",
    )
    edit(source, "mm/Makefile", r"^[^\n]*slob.o[^\n]*\n", "", 2)


def move_the_choice_to_init(source: Path) -> None:
    """As it was before 5.19."""
    text = (source / "mm/Kconfig").read_text()
    block = re.search(r"^menu \"SLAB allocator options\"\n.*?^endmenu[^\n]*\n", text, re.M | re.S)
    assert block
    (source / "mm/Kconfig").write_text(text.replace(block[0], ""))
    (source / "init").mkdir(exist_ok=True)
    (source / "init/Kconfig").write_text(
        f"config BEFORE\n\tbool\n\n{block[0]}\nconfig AFTER\n\tbool\n"
    )


def swap_the_kfence_branches(source: Path) -> None:
    edit(
        source,
        "mm/kfence/core.c",
        r"#if defined\(CONFIG_SLUB\)\n(\tslab->objects = 1;)\n"
        r"#elif defined\(CONFIG_SLAB\)\n(\tslab->s_mem = addr;)",
        r"#if defined(CONFIG_SLAB)\n\2\n#elif defined(CONFIG_SLUB)\n\1",
    )


def document_another_allocator(source: Path) -> None:
    parameters = "Documentation/admin-guide/kernel-parameters.txt"
    edit(source, parameters, r"^(\tslram=)", r"\tslfb_debug\t[MM]\n\t\t\tMore.\n\n\1")
    edit(source, "Documentation/mm/index.rst", r"^   slub$", "   slfb\n   slub\n   slzb")
    abi = "Documentation/ABI/testing/sysfs-kernel-slab"
    more = "What:\t\t/sys/kernel/slab/<cache>/aleph\nDate:\t\tMay 2031\n\n"
    edit(source, abi, r"^(What:\t\t/sys/kernel/slab/<cache>/aliases)$", rf"{more}\1")
    edit(source, "MAINTAINERS", r"^(F:\tmm/sl\?b\*)$", r"F:\tmm/kfree/\n\1\nF:\tmm/slzb/")
    edit(source, "tools/vm/Makefile", "slabinfo page_owner_sort", "other slabinfo", 2)


DRIFTS: tuple[Change, ...] = (
    grow_every_file,
    reorder_the_makefile,
    align_the_makefile,
    add_another_allocator,
    rename_the_neighbours,
    take_slob_away,
    move_the_choice_to_init,
    swap_the_kfence_branches,
    document_another_allocator,
)


@pytest.mark.parametrize("drift", DRIFTS)
def test_every_hunk_finds_its_place_after(drift: Change, linux: Tree, source: Path) -> None:
    wanted = mentions(render(linux, source))
    drift(source)
    series = render(linux, source)
    got = mentions(series)
    if drift is move_the_choice_to_init:
        wanted["init/Kconfig"] = wanted.pop("mm/Kconfig")
    assert got == wanted
    own_lines_are_kept(series, source)


def with_strangers(before: list[str], after: list[str]) -> list[str]:
    """The tree's lines, with one of somebody else's above and below each place of ours."""
    places = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for kind, first, last, *_ in reversed(places):
        if kind != "equal":
            before = [
                *before[:first], "above", *before[first:last], "below", *before[last:]
            ]  # fmt: skip
    return before


def test_strangers_next_to_every_place_hide_none(linux: Tree, source: Path) -> None:
    series = render(linux, source)
    for path, text in series.files.items():
        if (source / path).exists():
            lines = (source / path).read_text().splitlines()
            moved = with_strangers(lines, [line.text for line in text])
            assert len(moved) > len(lines)
            (source / path).write_text("\n".join(moved) + "\n")
    again = render(linux, source)
    assert mentions(again) == mentions(series)
    own_lines_are_kept(again, source)


def test_the_option_stands_among_the_allocators(linux: Tree, source: Path) -> None:
    add_another_allocator(source)
    text = "\n".join(line.text for line in render(linux, source).files["mm/Kconfig"])
    choice = re.search(r"^choice\n\tprompt \"Choose SLAB.*?^endchoice", text, re.M | re.S)
    assert choice
    assert re.findall(r"^config (\w+)", choice[0], re.M) == ["SLAB", "SLUB", "SLQB", "SLFB", "SLOB"]
    assert text.count("depends on SLAB || SLUB || SLQB || SLFB") == 3


def rename_slub(source: Path) -> None:
    edit(
        source,
        "mm/Makefile",
        r"^obj-\$\(CONFIG_SLUB\) \+= slub.o",
        "obj-$(CONFIG_SLUBBER) += slubber.o",
    )


def two_choices(source: Path) -> None:
    text = (source / "mm/Kconfig").read_text()
    block = re.search(r"^choice\n\tprompt \"Choose SLAB.*?^endchoice\n", text, re.M | re.S)
    assert block
    (source / "mm/Kconfig").write_text(text + block[0])


def flags_by_function(source: Path) -> None:
    edit(source, "mm/slab.h", r"#define SLAB_CACHE_FLAGS ", "#define CACHE_FLAGS_OF_SLAB ", 3)


def no_percpu_chain(source: Path) -> None:
    edit(source, "include/linux/percpu.h", r"^#if BITS_PER_LONG > 32$", "#ifdef CONFIG_64BIT")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            rename_slub,
            r"^mm/Makefile: no place for hunk 'object'.*nearest is line \d+: 'obj-\$\(CONFIG_SL",
        ),
        (two_choices, r"^mm/Kconfig: no place for hunk 'choice'.*from /\^choice.*there are 2"),
        (
            flags_by_function,
            r"^mm/slab.h: no place for hunk 'cache flags'.*SLAB_CACHE_FLAGS.*there is none",
        ),
        (
            no_percpu_chain,
            r"^include/linux/percpu.h: no place for hunk 'reserve'.*/\^#if \(\?P<others>",
        ),
    ],
)
def test_a_place_that_is_gone_stops_the_render(
    change: Change, message: str, linux: Tree, source: Path
) -> None:
    change(source)
    with pytest.raises(TreeError, match=message) as caught:
        render(linux, source)
    assert len(str(caught.value).splitlines()) == 1
