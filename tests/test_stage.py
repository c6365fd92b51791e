# SPDX-License-Identifier: GPL-2.0
"""A file on its way through the series, and the series of the real tree."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.errors import TreeError
from harness.places import Places
from harness.progress import SilentProgress
from harness.series import Series, render
from harness.stage import Stage
from harness.template import TEMPLATES, Line
from harness.tree import Tree, open_tree, pristine

WHOLE = """\
/* head */

int queue;

#ifdef CONFIG_TOY_DEBUG
int watched;
#else
#define watched 0
#endif

#if defined(CONFIG_TOY_STATS) && defined(CONFIG_DEBUG_FS)
int shown;
#endif

int tail;
"""


@dataclass(frozen=True)
class Brings:
    """A patch, as far as stages look at it."""

    parts: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


def text_of(source: str, template: str) -> tuple[Line, ...]:
    lines = source.removesuffix("\n").split("\n")
    return tuple(Line(text, f"templates/{template}:{n}") for n, text in enumerate(lines, start=1))


def staged(done: int, patches: list[Brings], text: tuple[Line, ...]) -> str:
    lines = Stage.after(patches[:done], patches).of(text, "templates")
    return "".join(f"{line.text}\n" for line in lines)


def test_the_last_stage_is_the_file() -> None:
    text = text_of(WHOLE, "a.j2")
    assert staged(1, [Brings(("a.j2",), ("TOY_DEBUG",))], text) == WHOLE


def test_a_symbol_that_is_not_there_yet_is_undefined() -> None:
    patches = [Brings(), Brings(symbols=("TOY_DEBUG",)), Brings(symbols=("TOY_STATS",))]
    text = text_of(WHOLE, "a.j2")
    assert staged(1, patches, text) == (
        "/* head */\n\nint queue;\n\n#define watched 0\n\nint tail;\n"
    )
    assert "int watched;" in staged(2, patches, text)
    assert "CONFIG_TOY_STATS" not in staged(2, patches, text)


def test_a_symbol_may_come_to_one_template_first() -> None:
    patches = [Brings(symbols=("b.j2#TOY_DEBUG",)), Brings(symbols=("TOY_DEBUG",))]
    text = (*text_of(WHOLE, "a.j2"), *text_of(WHOLE, "b.j2"))
    early = staged(1, patches, text)
    assert early.count("CONFIG_TOY_DEBUG") == 1
    assert early.index("#ifdef CONFIG_TOY_DEBUG") > early.index("int tail;")


def test_a_part_that_is_not_there_yet_leaves_no_gap() -> None:
    patches = [Brings(), Brings(parts=("b.j2",))]
    text = (
        *text_of("int a;\n", "a.j2"), Line(""), *text_of("int b;\n", "b.j2"), Line(""),
        *text_of("int c;\n", "a.j2"),
    )  # fmt: skip
    assert staged(1, patches, text) == "int a;\n\nint c;\n"
    assert staged(2, patches, text) == "int a;\n\nint b;\n\nint c;\n"


def test_lines_keep_their_origin() -> None:
    patches = [Brings(), Brings(symbols=("TOY_DEBUG", "TOY_STATS"))]
    for line in Stage.after(patches[:1], patches).of(text_of(WHOLE, "a.j2"), "templates"):
        number = int((line.origin or "").rpartition(":")[2])
        assert WHOLE.split("\n")[number - 1] == line.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ('parts = ["slqb/nothing.c.j2"]', "no file has lines of 'slqb/nothing.c.j2'"),
        ('symbols = ["SLQB_NOTHING"]', "nothing asks for 'SLQB_NOTHING'"),
        ('symbols = ["x.j2#SLQB_NOTHING"]', "no file has lines of 'x.j2'"),
    ],
)
def test_what_no_file_has_is_refused(
    words: str, message: str, toy_tree: Path, toy_templates: Path, places: Places
) -> None:
    series = toy_templates / "series.toml"
    series.write_text(f"{series.read_text()}\n{words}\n")
    tree = open_tree(str(toy_tree), places, SilentProgress())
    with pytest.raises(TreeError, match=re.escape(message)):
        render(tree, pristine(tree, places), toy_templates)


@pytest.fixture(scope="module")
def series(linux: Tree, real_places: Places) -> Series:
    """The series for the real tree."""
    return render(linux, pristine(linux, real_places), TEMPLATES)


@pytest.mark.tree
def test_a_part_that_no_patch_brings_is_missed(
    linux: Tree, real_places: Places, tmp_path: Path
) -> None:
    """It would come with the first patch of the file, unseen."""
    templates = Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))
    series = templates / "series.toml"
    series.write_text(series.read_text().replace('parts = ["slqb/free.c.j2"]\n', ""))
    with pytest.raises(TreeError, match=r"no patch brings 'slqb/free.c.j2', a part of mm/slqb.c"):
        render(linux, pristine(linux, real_places), templates)


@pytest.mark.tree
def test_no_patch_is_too_long_to_be_read(series: Series, linux: Tree, real_places: Places) -> None:
    """900 added lines, as far as new files go, are what a reviewer is asked for at a time."""
    before: dict[str, tuple[Line, ...]] = {}
    for commit in series.commits:
        ours = {path: text for path, text in commit.files.items() if "slqb" in path}
        added = sum(len(text) - len(before.get(path, ())) for path, text in ours.items())
        assert added <= 900, commit.message.splitlines()[0]
        before |= ours


@pytest.mark.tree
def test_nothing_of_a_later_patch_is_spoken_of(series: Series) -> None:
    """mm/slqb.c asks for a symbol from the patch on that tells Kconfig of it, or the one before."""
    for symbol in ("SLQB_DEBUG", "SLQB_SYSFS", "SLQB_STATS", "SLQB_KUNIT_TEST"):
        defined, asked = (
            min(
                number
                for number, commit in enumerate(series.commits)
                for path, text in commit.files.items()
                if matches(path) and any(re.search(pattern, line.text) for line in text)
            )
            for matches, pattern in (
                (lambda path: "Kconfig" in path, rf"^config {symbol}$"),
                (lambda path: path == "mm/slqb.c", rf"\bCONFIG_{symbol}\b"),
            )
        )
        assert defined - asked in (0, 1), symbol


@pytest.mark.tree
def test_each_patch_says_why_in_lines_that_fit(series: Series) -> None:
    for commit in series.commits:
        subject, blank, *body = commit.message.splitlines()
        assert len(subject) <= 70
        assert not blank
        assert len(" ".join(body).split()) > 15, subject
        assert all(len(line) <= 75 for line in body), subject
