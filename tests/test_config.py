# SPDX-License-Identifier: GPL-2.0
"""What was asked of Kconfig against what came out, on a toy tree with a real Kconfig."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.config import (
    STAMP,
    configure,
    confirm,
    dropped,
    is_configured,
    request,
    resolved,
)
from harness.errors import ConfigError, UserError
from harness.fragment import Setting, merge, parse
from harness.kbuild import Kbuild


def asked(*lines: str) -> tuple[Setting, ...]:
    return merge([parse("mine", "mine.config", lines)])


def ask(kbuild: Kbuild, *lines: str) -> dict[str, str]:
    """Configure, and return what came out."""
    configure(kbuild, asked(*lines), kbuild.folder / "log")
    return resolved(kbuild.config.read_text().splitlines())


def refusal(kbuild: Kbuild, *lines: str) -> str:
    with pytest.raises(ConfigError) as caught:
        ask(kbuild, *lines)
    return str(caught.value)


def test_everything_not_asked_for_is_off(toy_kbuild: Kbuild) -> None:
    got = ask(toy_kbuild, "CONFIG_SMP=y")
    assert got["SMP"] == "y"
    assert not {"NUMA", "MODULES", "TINY"} & got.keys()


def test_unmet_dependency_is_named_with_its_value(toy_kbuild: Kbuild) -> None:
    assert refusal(toy_kbuild, "# nodes", "CONFIG_NUMA=y") == (
        "mine.config:2: 'CONFIG_NUMA=y' did not survive: it is not set; unmet: SMP (SMP=n)"
    )


def test_only_the_terms_that_fail_are_named(toy_kbuild: Kbuild) -> None:
    text = refusal(toy_kbuild, "CONFIG_SMP=y", "CONFIG_TINY=y", "CONFIG_NUMA=y")
    assert text.endswith("unmet: !TINY (TINY=y)")


def test_unknown_symbol_names_the_nearest(toy_kbuild: Kbuild) -> None:
    text = refusal(toy_kbuild, "CONFIG_NUMAA=y")
    assert text.endswith("this tree has no such symbol (nearest: NUMA)")


def test_symbol_without_a_prompt_is_explained(toy_kbuild: Kbuild) -> None:
    assert "it has no prompt" in refusal(toy_kbuild, "CONFIG_HIDDEN=y")
    assert refusal(toy_kbuild, "CONFIG_HIDDEN_NODES=y").endswith("unmet: NUMA (NUMA=n)")


def test_what_selects_a_symbol_is_named(toy_kbuild: Kbuild) -> None:
    text = refusal(toy_kbuild, "CONFIG_DRAGS=y", "CONFIG_DRAGGED=n")
    assert text.endswith("it is y; selected by DRAGS")


def test_value_out_of_range_is_explained(toy_kbuild: Kbuild) -> None:
    text = refusal(toy_kbuild, "CONFIG_NR_CPUS=4096")
    assert "mine.config:1: 'CONFIG_NR_CPUS=4096' did not survive" in text
    assert text.endswith("Kconfig accepts 2 to 64")


def test_what_a_choice_took_instead_is_named(toy_kbuild: Kbuild) -> None:
    text = refusal(toy_kbuild, "CONFIG_SLAB=y", "CONFIG_SLQB=y")
    assert "its choice has SL" in text


def test_each_lost_symbol_has_a_line(toy_kbuild: Kbuild) -> None:
    assert len(refusal(toy_kbuild, "CONFIG_NUMA=y", "CONFIG_HIDDEN=y").splitlines()) == 2


def test_hexadecimal_is_compared_by_value() -> None:
    assert not dropped(asked("CONFIG_START=0x00FF"), {"START": "0xff"})
    assert dropped(asked("CONFIG_START=0xFE"), {"START": "0xff"})


def test_absent_counts_as_n() -> None:
    assert not dropped(asked("CONFIG_SMP=n"), {})
    assert dropped(asked("CONFIG_SMP=y"), {})[0].got == "n"


def test_text_with_blanks_is_compared_whole() -> None:
    got = resolved(['CONFIG_CMDLINE="a b=c"'])
    assert not dropped(asked('CONFIG_CMDLINE="a b=c"'), got)


def test_same_request_is_not_configured_again(toy_kbuild: Kbuild) -> None:
    ask(toy_kbuild, "CONFIG_SMP=y")
    assert is_configured(toy_kbuild, asked("CONFIG_SMP=y"))


def test_changed_request_is_configured_again(toy_kbuild: Kbuild) -> None:
    ask(toy_kbuild, "CONFIG_SMP=y", "CONFIG_TINY=y")
    assert not is_configured(toy_kbuild, asked("CONFIG_SMP=y"))
    assert "TINY" not in ask(toy_kbuild, "CONFIG_SMP=y")


def test_config_changed_behind_our_back_is_configured_again(toy_kbuild: Kbuild) -> None:
    ask(toy_kbuild, "CONFIG_SMP=y")
    with toy_kbuild.config.open("a") as file:
        file.write("CONFIG_TINY=y\n")
    assert not is_configured(toy_kbuild, asked("CONFIG_SMP=y"))


def test_refused_request_leaves_no_stamp(toy_kbuild: Kbuild) -> None:
    refusal(toy_kbuild, "CONFIG_NUMA=y")
    assert not (toy_kbuild.folder / STAMP).exists()
    assert not is_configured(toy_kbuild, asked("CONFIG_NUMA=y"))


@pytest.mark.parametrize("change", ["edited", "gone"])
def test_kconfig_file_that_moved_is_noticed(toy_kbuild: Kbuild, change: str) -> None:
    ask(toy_kbuild, "CONFIG_SMP=y")
    toy_kbuild.make("vmlinux", log=toy_kbuild.folder / "log", outcome=ConfigError.outcome)
    confirm(toy_kbuild, asked("CONFIG_SMP=y"))
    assert is_configured(toy_kbuild, asked("CONFIG_SMP=y"))
    kconfig = toy_kbuild.source / "Kconfig"
    if change == "edited":
        os.utime(kconfig, ns=(1, 1))
    else:
        kconfig.unlink()
    assert not is_configured(toy_kbuild, asked("CONFIG_SMP=y"))


@pytest.mark.parametrize("name", ["two words", "a:b"])
def test_folder_that_kbuild_cannot_stand_is_refused(toy_kbuild: Kbuild, name: str) -> None:
    folder = toy_kbuild.folder.with_name(name)
    with pytest.raises(UserError, match=f"{name}; move the cache with SLQB_CACHE"):
        Kbuild(toy_kbuild.source, folder, toy_kbuild.tools).prepare()


def test_not_a_kernel_tree(toy_kbuild: Kbuild, tmp_path: Path) -> None:
    empty = Kbuild(tmp_path, toy_kbuild.folder, toy_kbuild.tools)
    with pytest.raises(ConfigError, match="not a kernel tree"):
        empty.prepare()


def test_an_allocator_may_add_to_a_configuration(tmp_path: Path) -> None:
    for name in ("base", "arch-toy", "lean", "debug", "allocator-one", "allocator-two"):
        (tmp_path / f"{name}.config").write_text("")
    (tmp_path / "allocator-one-debug.config").write_text("CONFIG_COUNTERS=y\n")

    def symbols(config: str, allocator: str) -> list[str]:
        return [one.symbol for one in request("toy", config, allocator, folder=tmp_path)]

    assert symbols("debug", "one") == ["COUNTERS"]
    assert symbols("lean+debug", "one") == ["COUNTERS"]
    assert symbols("lean", "one") == []
    assert symbols("debug", "two") == []


def test_an_arch_may_add_to_a_fragment_that_is_used(tmp_path: Path) -> None:
    for name in ("base", "arch-toy", "arch-other", "guest", "bare", "allocator-one"):
        (tmp_path / f"{name}.config").write_text("")
    (tmp_path / "lean.config").write_text("#: uses guest\n")
    (tmp_path / "arch-toy-guest.config").write_text("CONFIG_CLOCK=y\n")

    def symbols(arch: str, config: str) -> list[str]:
        return [one.symbol for one in request(arch, config, "one", folder=tmp_path)]

    assert symbols("toy", "lean") == ["CLOCK"]
    assert symbols("other", "lean") == []
    assert symbols("toy", "bare") == []
