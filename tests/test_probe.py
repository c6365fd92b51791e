# SPDX-License-Identifier: GPL-2.0
"""Capabilities are seen, with the line that proves them."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from harness.capability import load_capabilities
from harness.errors import TreeError
from harness.probe import Evidence, probe
from harness.template import TEMPLATES


def test_what_is_there_is_proved(toy_tree: Path, toy_templates: Path) -> None:
    found = probe(toy_tree, toy_templates)
    assert found["struct_slab"] == Evidence("mm/slab.h", 1, "struct slab {")
    assert found["allocator_choice"] == Evidence("mm/Kconfig", 11, "choice")
    assert found["folio"] is None
    assert found.has("struct_slab")
    assert not found.has("folio")


def test_a_choice_of_something_else_is_no_allocator_choice(
    toy_tree: Path, toy_templates: Path
) -> None:
    kconfig = toy_tree / "mm/Kconfig"
    kconfig.write_text(kconfig.read_text().split('choice\n\tprompt "Allocator"')[0])
    assert probe(toy_tree, toy_templates)["allocator_choice"] is None


def test_the_choice_is_found_where_older_trees_keep_it(toy_tree: Path, toy_templates: Path) -> None:
    (toy_tree / "mm/Kconfig").rename(toy_tree / "init/Kconfig")
    found = probe(toy_tree, toy_templates)["allocator_choice"]
    assert found is not None
    assert found.file == "init/Kconfig"


def test_an_unknown_name_is_an_error_and_names_the_nearest(
    toy_tree: Path, toy_templates: Path
) -> None:
    with pytest.raises(UndefinedError, match="'struct_slap'; did you mean 'struct_slab'"):
        probe(toy_tree, toy_templates).has("struct_slap")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[a]\nmeans = 'm'\nfiles = ['f']\nline = '('\n", "a.line: .*no regular expression"),
        ("[a]\nmeans = 'm'\nfiles = ['f']\n", "a.line: Field required"),
        ("[a]\nmeens = 'm'\n", "a.means: Field required"),
        ("[a\n", "capabilities.toml: "),
    ],
)
def test_broken_records_are_one_clear_line(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "capabilities.toml").write_text(source)
    with pytest.raises(TreeError, match=message) as caught:
        load_capabilities(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_every_capability_says_what_it_means() -> None:
    for name, capability in load_capabilities(TEMPLATES).items():
        assert name.isidentifier(), name
        assert capability.means, name
        assert capability.means[-1] != ".", name
