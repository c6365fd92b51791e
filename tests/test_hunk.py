# SPDX-License-Identifier: GPL-2.0
"""Hunks: each verb, each refusal."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.errors import TreeError
from harness.hunk import Hunk, load_hunks, place_hunk
from harness.template import Line, Snippet, Templates


def hunk(**fields: Any) -> Hunk:
    return Hunk.model_validate({"id": "it", "files": ("file",), "text": "new\n", **fields})


def place(given: Hunk, source: str) -> list[str]:
    text = tuple(Line(line) for line in source.splitlines())
    snippet = Snippet(given.text, "hunks/h.toml", 7)
    templates = Templates(Path("templates"), {}, {"hunks/h.toml#it": snippet})
    files = {"file": text}
    _, result = place_hunk("hunks/h.toml", given, files.get, templates)
    for line in set(result) - set(text):
        assert line.origin is None or line.origin.startswith("templates/hunks/h.toml:")
    return [line.text for line in result]


def test_before_and_after() -> None:
    assert place(hunk(before="^b$"), "a\nb\nc") == ["a", "new", "b", "c"]
    assert place(hunk(after="^b$"), "a\nb\nc") == ["a", "b", "new", "c"]


def test_after_the_last_line() -> None:
    assert place(hunk(after="^b$"), "a\nb") == ["a", "b", "new"]


def test_after_until() -> None:
    source = "config A\n\thelp\n\t  text\n\nconfig B"
    wanted = ["config A", "\thelp", "\t  text", "", "new", "config B"]
    assert place(hunk(after="^config A$", until="^config"), source) == wanted


def test_branch_goes_to_the_end_of_the_branch() -> None:
    source = "#if A\na\n#elif B\n#if X\nx\n#endif\nb\n#elif C\nc\n#endif"
    given = hunk(branch="^B$", text="#elif NEW\n")
    assert place(given, source)[6:9] == ["b", "#elif NEW", "#elif C"]


def test_branch_works_at_the_end_of_the_chain_too() -> None:
    assert place(hunk(branch="^A$", text="#else\n"), "#ifdef A\n#endif") == [
        "#ifdef A",
        "#else",
        "#endif",
    ]


def test_chain_goes_below_the_endif() -> None:
    source = "#if A\n#ifndef X\n#endif\n#elif B\n#else\n#endif\nafter"
    assert place(hunk(chain="^B$"), source)[5:] == ["#endif", "new", "after"]


def test_inside_goes_behind_the_named_part() -> None:
    given = hunk(inside=r"on \(?(?P<here>X \|\| Y)\b", text=" || NEW")
    assert place(given, "on (X || Y) && Z") == ["on (X || Y || NEW) && Z"]
    assert place(given, "on X || Y # why") == ["on X || Y || NEW # why"]


def test_inside_may_break_the_line() -> None:
    given = hunk(inside=r"(?P<here>B\))", text=" || \\\n\tC")
    assert place(given, "#if A(B) && D") == ["#if A(B) || \\", "\tC && D"]


def test_every() -> None:
    given = hunk(after=r"^(?P<tool>\w+)_slub", every=True, text="{{ tool }}_slqb\n")
    assert place(given, "KASAN_slub\nother\nKCOV_slub") == [
        "KASAN_slub",
        "KASAN_slqb",
        "other",
        "KCOV_slub",
        "KCOV_slqb",
    ]


def test_around_keeps_the_line() -> None:
    given = hunk(
        around="^#define (?P<name>N)",
        text="#ifdef Q\n#define {{ name }} 2\n#else\n{{ found }}\n#endif\n",
    )
    assert place(given, "#define N 1") == [
        "#ifdef Q",
        "#define N 2",
        "#else",
        "#define N 1",
        "#endif",
    ]


def test_two_places_are_none() -> None:
    with pytest.raises(TreeError, match=r"file: no place for hunk 'it' .*/\^a\$/: there are 2"):
        place(hunk(before="^a$"), "a\na")


def test_every_still_needs_one() -> None:
    with pytest.raises(TreeError, match="there is none; nearest is line 1: 'depends on SLAB'"):
        place(hunk(before="^depends on SLUB$", every=True), "depends on SLAB")


def test_until_must_come() -> None:
    with pytest.raises(TreeError, match=r"a line /\^end/ below 'a': there is none"):
        place(hunk(after="^a$", until="^end"), "a\nb")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TreeError, match=r"mm/Kconfig or init/Kconfig: no such file, for hunk 'it'"):
        place(hunk(before="x", files=("mm/Kconfig", "init/Kconfig")), "a")


def test_the_first_file_with_the_place_is_taken() -> None:
    files = {"one": (Line("nothing"),), "two": (Line("here"),)}
    given = hunk(before="here", files=("none", "one", "two"))
    templates = Templates(Path("templates"), {}, {"h#it": Snippet("new\n", "h", 1)})
    path, text = place_hunk("h", given, files.get, templates)
    assert (path, [line.text for line in text]) == ("two", ["new", "here"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs one of"),
        ({"before": "a", "after": "b"}, "needs one of"),
        ({"before": "a", "until": "b"}, "until goes with after"),
        ({"inside": "a"}, "needs a group"),
        ({"before": "("}, "no regular expression"),
        ({"after": "a", "until": "["}, "no regular expression"),
        ({"befor": "a"}, "Extra inputs"),
        ({"before": "a", "within": ({"from": "a"},)}, "Field required"),
    ],
)
def test_records_are_strict(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        hunk(**fields)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[[hunk]\n", "h.toml: "),
        ("[[hunks]]\nid = 'a'\n", "hunks: Extra inputs are not permitted"),
        ("[[hunk]]\nid = 'a'\nfiles = ['f']\nbefore = 'x'\n", "text: Field required"),
        (2 * "[[hunk]]\nid = 'a'\nfiles = ['f']\nbefore = 'x'\ntext = 't'\n", "the same id"),
    ],
)
def test_broken_files_are_one_clear_line(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "hunks").mkdir()
    (tmp_path / "hunks/h.toml").write_text(source)
    with pytest.raises(TreeError) as caught:
        load_hunks(tmp_path)
    assert message in str(caught.value)
    assert "h.toml" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_snippets_know_their_lines(tmp_path: Path) -> None:
    (tmp_path / "hunks").mkdir()
    (tmp_path / "hunks/h.toml").write_text(
        "[[hunk]]\nid = 'a'\nfiles = ['f']\nbefore = 'x'\ntext = 'one line'\n\n"
        "[[hunk]]\nid = 'b'\nfiles = ['f']\nbefore = 'x'\ntext = '''\nfirst\nsecond\n'''\n"
    )
    snippets = dict(load_hunks(tmp_path)["hunks/h.toml"].snippets())
    assert snippets["hunks/h.toml#a"].line == 5
    assert snippets["hunks/h.toml#b"].line == 12
