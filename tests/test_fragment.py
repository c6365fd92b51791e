# SPDX-License-Identifier: GPL-2.0
"""Fragments: the grammar, who may contradict whom, and that order never matters."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from harness.errors import ConfigError, UserError
from harness.fragment import (
    CONFIGS,
    Fragment,
    check_config,
    command_line,
    config_names,
    join,
    load,
    merge,
    parse,
)


def fragment(name: str, *lines: str) -> Fragment:
    return parse(name, f"{name}.config", lines)


def values(*fragments: Fragment) -> dict[str, str]:
    return {setting.symbol: setting.value for setting in merge(fragments)}


def test_settings_remember_their_line() -> None:
    (numa,) = fragment("base", "# nodes", "", "CONFIG_NUMA=y").settings
    assert (numa.symbol, numa.value, numa.where) == ("NUMA", "y", "base.config:3")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("CONFIG_A=y", "y"),
        ("CONFIG_A=n", "n"),
        ("# CONFIG_A is not set", "n"),
        ("CONFIG_A=32", "32"),
        ("CONFIG_A=0x1F", "0x1F"),
        ('CONFIG_A="a b"', '"a b"'),
    ],
)
def test_every_kind_of_value(line: str, value: str) -> None:
    assert fragment("one", line).settings[0].value == value


@pytest.mark.parametrize("line", ["CONFIG_A=Y", "A=y", "CONFIG_A=", "CONFIG_A = y", "hello"])
def test_a_line_that_is_no_setting_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=r"one\.config:2: not a Kconfig setting"):
        fragment("one", "# first", line)


def test_parts_of_configs_are_not_offered_and_not_taken() -> None:
    assert {"lean", "debug", "up"} < set(config_names())
    assert not [name for name in config_names() if name.startswith(("base", "guest", "al", "ar"))]
    for part in ("base", "guest", "allocator-slqb", "lean+guest"):
        with pytest.raises(
            UserError, match=r"no Kconfig fragment '[a-z-]+'; there are: busy, debug, distro, hooks"
        ):
            check_config(part)


def test_a_setting_of_the_command_line_is_shown_as_typed() -> None:
    with pytest.raises(ConfigError, match=r"--set A=y asks for .* --set A=n for "):
        merge((command_line(["A=y", "CONFIG_A=n"]),))


def test_unknown_directive_is_named() -> None:
    with pytest.raises(ConfigError, match=r"one\.config:1: .*override`; there are: uses"):
        fragment("one", "#: override base")


@pytest.mark.parametrize("words", ["", "many", "1 2"])
def test_objects_is_one_number(words: str) -> None:
    assert fragment("one", "#: objects 890").objects == 890
    with pytest.raises(ConfigError, match=r"one\.config:1: .*one number"):
        fragment("one", f"#: objects {words}")


def test_two_that_disagree_name_both_lines() -> None:
    with pytest.raises(ConfigError, match=r"a\.config:1 .*CONFIG_SMP=y.*b\.config:2 .*not set"):
        merge([fragment("a", "CONFIG_SMP=y"), fragment("b", "#", "CONFIG_SMP=n")])


def test_one_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a\.config:1 .*a\.config:2"):
        merge([fragment("a", "CONFIG_SMP=y", "CONFIG_SMP=n")])


def test_two_that_agree_are_fine() -> None:
    both = fragment("a", "CONFIG_SMP=y"), fragment("b", "CONFIG_SMP=y")
    assert values(*both) == {"SMP": "y"}


def test_declared_override_wins_in_any_order() -> None:
    trio = (
        fragment("guest", "CONFIG_SMP=y"),
        fragment("lean", "CONFIG_HZ=250"),
        fragment("up", "#: overrides guest", "CONFIG_SMP=n"),
    )
    results = {tuple(values(*order).items()) for order in permutations(trio)}
    assert results == {(("HZ", "250"), ("SMP", "n"))}


def test_override_of_one_file_is_none_of_another() -> None:
    trio = (
        fragment("guest", "CONFIG_SMP=y"),
        fragment("lean", "CONFIG_SMP=y"),
        fragment("up", "#: overrides lean", "CONFIG_SMP=n"),
    )
    for order in permutations(trio):
        with pytest.raises(ConfigError, match=r"asks for .*CONFIG_SMP"):
            merge(order)


def test_command_line_wins_over_everything() -> None:
    base = fragment("a", "CONFIG_SMP=y"), fragment("up", "#: overrides a", "CONFIG_SMP=n")
    assert values(command_line(["SMP=y", "CONFIG_HZ=100"]), *base) == {"SMP": "y", "HZ": "100"}


def test_command_line_may_not_contradict_itself() -> None:
    with pytest.raises(ConfigError, match=r"--set SMP=y .*--set SMP=n"):
        merge([command_line(["SMP=y", "SMP=n"])])


def test_the_pair_that_disagrees_is_the_pair_named() -> None:
    trio = (
        fragment("a", "CONFIG_SMP=y"),
        fragment("up", "#: overrides a", "CONFIG_SMP=n"),
        fragment("b", "CONFIG_SMP=y"),
    )
    with pytest.raises(ConfigError, match=r"up\.config:2 .*b\.config:1"):
        merge(trio)


def test_bad_word_on_the_command_line_is_refused() -> None:
    with pytest.raises(UserError, match="--set SMP: write SYMBOL=VALUE"):
        command_line(["HZ=100", "SMP"])


def test_uses_brings_fragments_along_once(tmp_path: Path) -> None:
    (tmp_path / "guest.config").write_text("CONFIG_SMP=y\n")
    (tmp_path / "lean.config").write_text("#: uses guest\nCONFIG_A=y\n")
    (tmp_path / "debug.config").write_text("#: uses guest\nCONFIG_B=y\n")
    assert [one.name for one in join(["debug", "lean"], tmp_path)] == ["guest", "debug", "lean"]


@pytest.mark.parametrize("name", ["nosuch", "../lean", ""])
def test_unknown_fragment_lists_the_known(name: str) -> None:
    with pytest.raises(UserError, match=r"there are: .*lean"):
        load(name)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.config")), ids=lambda path: path.stem)
def test_shipped_fragments_are_well_formed(path: Path) -> None:
    one = load(path.stem)
    assert one.settings
    assert {*one.uses, *one.overrides} <= {other.stem for other in CONFIGS.glob("*.config")}


@pytest.mark.parametrize("names", ["lean", "debug", "lean+up", "debug+up", "kunit", "lean+kunit"])
@pytest.mark.parametrize("allocator", ["slqb", "slub", "slab", "slob"])
def test_shipped_fragments_agree(names: str, allocator: str) -> None:
    merge(join(["base", "arch-x86_64", *names.split("+"), f"allocator-{allocator}"]))
