# SPDX-License-Identifier: GPL-2.0
"""Templates: the same text as plain Jinja2, every line knowing its origin."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment, TemplateError

from harness.errors import TreeError
from harness.template import LineMap, Snippet, Templates

PIECES = (
    "plain",
    "  indented",
    "",
    "\ttab \\",
    "{{ x }}",
    "a {{ x }} b",
    "{% if yes %}",
    "{% endif %}",
    "{% if yes -%}",
    "{%- endif %}",
    "  {% if not yes %}",
    "  {% endif +%}",
    "{# a comment #}",
    "{#- a comment",
    "of two lines -#}",
    "{% for i in [1, 2] %}",
    "{% endfor %}",
    "word {% set y = 3 %}",
    "{{ x |\n  upper }}",
    "{{ ' trimmed  ' | trim }}",
    "{% raw %}{{ not this }}",
    "{% endraw %}",
)


def templates(tmp_path: Path, **files: str) -> Templates:
    root = tmp_path / "templates"
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Templates(root, {"x": "ex", "yes": True, "ab": (1, 2)})


def origins(made: Templates, name: str) -> list[tuple[str, str | None]]:
    return [(line.text, line.origin) for line in made.render(name)]


def test_lines_know_where_they_came_from_through_includes_and_loops(tmp_path: Path) -> None:
    made = templates(
        tmp_path,
        top="first\n{% include 'parts/inner' %}\n{% for i in ab %}\nloop {{ i }}\n{% endfor %}\n",
        parts__inner="in {{ x }}\n{% if yes %}\nchosen\n{% endif %}\n",
    )
    assert origins(made, "top") == [
        ("first", "templates/top:1"),
        ("in ex", "templates/parts/inner:1"),
        ("chosen", "templates/parts/inner:3"),
        ("loop 1", "templates/top:4"),
        ("loop 2", "templates/top:4"),
    ]


def test_macros_and_tags_over_several_lines(tmp_path: Path) -> None:
    text = "{% macro m(a) %}\nint {{ a }};\n{% endmacro %}\n{{ m('i') }}\nlast {{\n  x }}\nend\n"
    assert origins(templates(tmp_path, top=text), "top") == [
        ("int i;", "templates/top:2"),
        ("", "templates/top:4"),
        ("last ex", "templates/top:6"),
        ("end", "templates/top:7"),
    ]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_marking_changes_nothing_that_one_can_see(pieces: list[str]) -> None:
    """Whatever Jinja2 makes of a text, we make of it too, or both refuse it."""
    text = "\n".join(pieces) + "\n"
    plain = Environment(
        loader=DictLoader({"t": text}),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made = Templates(Path("templates"), {"x": "ex", "yes": True}, {"t": Snippet(text, "t", 1)})
    try:
        wanted = plain.get_template("t").render(x="ex", yes=True)
    except TemplateError:
        with pytest.raises(TreeError):
            made.render("t")
        return
    got = made.text("t")
    assert got.removesuffix("\n") == wanted.removesuffix("\n")
    assert all(line.text.isascii() for line in made.render("t"))


def test_an_undefined_name_is_named_with_template_and_line(tmp_path: Path) -> None:
    made = templates(tmp_path, top="one\n{% include 'part' %}\n", part="a\nb {{ nothing }}\n")
    with pytest.raises(TreeError, match=re.escape("templates/part:2: 'nothing' is undefined")):
        made.render("top")


def test_a_syntax_error_is_named_with_template_and_line(tmp_path: Path) -> None:
    made = templates(tmp_path, top="{% include 'part' %}\n", part="a\n\n{% if %}\n{% endif %}\n")
    with pytest.raises(TreeError, match=r"^templates/part:3: Expected an expression"):
        made.render("top")


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    made = templates(tmp_path, top="{% include 'gone' %}\n")
    with pytest.raises(TreeError, match="there is no template 'gone'"):
        made.render("top")


def test_a_snippet_counts_lines_from_where_it_stands(tmp_path: Path) -> None:
    snippet = Snippet("one\ntwo {{ nothing }}\n", "hunks/some.toml", 40)
    made = Templates(tmp_path / "templates", {}, {"hunks/some.toml#id": snippet})
    with pytest.raises(TreeError, match=r"^templates/hunks/some.toml:41: "):
        made.render("hunks/some.toml#id")


def test_line_map_knows_its_bounds() -> None:
    lines = LineMap({"mm/slqb.c": ("templates/a:1", None)})
    assert lines.translate("mm/slqb.c", 1) == "templates/a:1"
    assert lines.translate("mm/slqb.c", 2) is None
    assert lines.translate("mm/slqb.c", 0) is None
    assert lines.translate("mm/slqb.c", 3) is None
    assert lines.translate("mm/slub.c", 1) is None
