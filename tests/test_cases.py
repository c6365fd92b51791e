# SPDX-License-Identifier: GPL-2.0
"""Which tests there are, and what is said of a pattern that picks none."""

from pathlib import Path

import pytest

from harness.asked import Asked, Suite
from harness.cases import guest_cases, kunit_cases, mentioned, picks, refuse
from harness.errors import UserError
from harness.matrix import Plan, wanted_kernels
from tests.conftest import Command
from tests.fakes import GUEST, fake_kernel, fake_qemu


def plan(case: str, config: str = "lean", suite: Suite = "all") -> Plan:
    asked = Asked(case=case, suite=suite)
    return Plan("debian:6.1", ("x86_64",), (config,), ("2n",), ("slqb",), asked)


def test_the_cases_of_all_groups_are_known() -> None:
    assert {"topology.shape", "slabtest.remote_pairs", "user.trim_returns"} < set(guest_cases())
    assert not [name for name in guest_cases() if "plant" in name]


@pytest.mark.parametrize("case", ["slabtest.remote_*", "*", "user.?????", "*.shape", "topology.*"])
def test_a_pattern_that_picks_something_is_taken(case: str) -> None:
    assert wanted_kernels(plan(case))


@pytest.mark.parametrize(
    ("case", "near"),
    [
        ("slabtest.remote_pair", "slabtest.remote_pairs"),
        ("slabtst.remote_pairs", "slabtest.remote_pairs"),
        ("remote_p", "slabtest.remote_pairs"),
        ("slabtest", "slabtest.bulk_counts"),
        ("nothing.like_it", "as in 'slabtest.remote_*'"),
        ("slabtest.[a-z]*", "as in 'slabtest.remote_*'"),
    ],
)
def test_a_misspelt_case_is_refused_with_what_is_near(case: str, near: str) -> None:
    with pytest.raises(UserError, match="no test has such a name") as found:
        wanted_kernels(plan(case))
    assert near in str(found.value)


def test_what_may_be_kunits_waits_for_the_tree() -> None:
    assert wanted_kernels(plan("kasan.*", config="kasan"))
    with pytest.raises(UserError):
        wanted_kernels(plan("kasan.*", config="kasan", suite="guest"))
    with pytest.raises(UserError):
        wanted_kernels(plan("slabtest.order_fifo", suite="kunit"))


def test_kunits_cases_are_found_in_a_tree(tmp_path: Path) -> None:
    text = "#include <kunit/test.h>\n\tKUNIT_CASE(one),\n\tKUNIT_CASE_PARAM(two, p),\n"
    (tmp_path / "some_test.c").write_text(text + 'struct kunit_suite s = {\n\t.name = "some",\n')
    (tmp_path / "main.c").write_text(text)
    assert list(kunit_cases(tmp_path)) == ["some.one", "some.two"]


def test_the_words_of_a_pattern_are_looked_for_in_the_files(tmp_path: Path) -> None:
    file = tmp_path / "vmlinux"
    file.write_bytes(b"\0kasan\0kmalloc_uaf\0")
    assert mentioned("kasan.kmalloc_*", file)
    assert not mentioned("kasan.vmalloc_*", file)


def test_a_question_mark_is_one_letter_and_a_dot_a_dot() -> None:
    assert picks("a.?", ["a.b"])
    assert not picks("a.?", ["axb", "a.bc"])


def test_few_near_ones_are_named() -> None:
    assert str(refuse("slabtest", guest_cases())).count("slabtest.") == 4


def test_a_misspelt_case_costs_no_boot(slqb: Command, tmp_path: Path) -> None:
    kernel = fake_kernel(tmp_path)
    boot = ("boot", "--kernel", kernel, "--machine", fake_qemu(tmp_path, GUEST))
    for words in (boot, ("run",)):
        answer = slqb(*words, "--case", "slabtest.remote_pair")
        assert answer.returncode == 2
        assert answer.stderr.splitlines() == [
            "slqb: --case 'slabtest.remote_pair': no test has such a name;"
            " near it: slabtest.remote_pairs"
        ]
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "qemu.calls").exists()


def test_the_shape_alone_may_be_asked_for(slqb: Command, tmp_path: Path) -> None:
    kernel = fake_kernel(tmp_path)
    shape = GUEST.partition("ok 1 topology\n")[0].replace("1..2", "1..1") + "ok 1 topology\n"
    end = "slqb-guest: taint 4096\nslqb-guest: done\nreboot: Power down\n"
    machine = fake_qemu(tmp_path, f"{shape}{end}")
    words = ("boot", "--kernel", kernel, "--machine", machine, "--topology", "up")
    asked = ("--initramfs", tmp_path / "initramfs", "--accel", "tcg", "--case", "topology.shape")
    answer = slqb(*words, *asked)
    assert answer.returncode == 0, answer.stdout
    assert "slqbtest.suite=none" in (tmp_path / "qemu.calls").read_text()
