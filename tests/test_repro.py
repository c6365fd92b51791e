# SPDX-License-Identifier: GPL-2.0
"""How a boot is done again: the same in all that was said of it, and found out about it."""

import shlex
from pathlib import Path

import pytest

from harness.asked import Asked
from harness.cli.run import command
from harness.record import CellRecord, RunRecord, TreeRecord, this_host
from harness.reports.account import Account
from harness.repro import write_repro
from tests.accounts import a_cell, a_run

TREE = TreeRecord(name="t", origin="debian:6.1", release="6.1", base="b")


def cell(accelerator: str = "kvm", **more: object) -> CellRecord:
    """A boot that failed, on a host of its own."""
    host = this_host("QEMU 7.2", accelerator, "a test")
    known = {"host": host, "argv": ("qemu",), "asked": Asked(seed=7)}
    return a_cell("x86_64-slqb-lean-2n", "FAIL", **{**known, **more})


def words(record: RunRecord, one: CellRecord) -> list[str]:
    """What a report says repeats it."""
    return shlex.split(Account(record, Path()).repeat(one))


def option(said: list[str], name: str) -> str:
    return said[said.index(name) + 1]


def test_each_boot_is_repeated_as_it_was_booted() -> None:
    first, second = cell("kvm"), cell("tcg", topology="4n")
    record = a_run(first, second, tree=TREE)
    assert [option(words(record, one), "--accel") for one in (first, second)] == ["kvm", "tcg"]


def test_what_old_records_say_of_the_whole_run_holds_for_its_boots() -> None:
    old = cell(host=None)
    record = a_run(old, tree=TREE)
    host = record.host.model_copy(update={"accelerator": "tcg"})
    said = words(record.model_copy(update={"host": host}), old)
    assert option(said, "--accel") == "tcg"


@pytest.mark.parametrize("pristine", [False, True])
def test_without_our_series_is_repeated_without_it(pristine: bool) -> None:
    record = a_run(cell(), tree=TREE.model_copy(update={"pristine": pristine}))
    assert ("--pristine" in words(record, cell())) == pristine


@pytest.mark.parametrize("tree", [None, TREE])
def test_limits_are_repeated_where_the_user_said_them(tree: TreeRecord | None) -> None:
    said = words(a_run(cell(), tree=tree), cell(limits={"deadline": 5.0, "silence": 2.5}))
    assert (option(said, "--deadline"), option(said, "--silence")) == ("5", "2.5")
    assert "--deadline" not in words(a_run(cell(), tree=tree), cell())


def test_the_command_is_one_that_slqb_takes() -> None:
    one = cell(limits={"deadline": 5.0})
    _, run, *said = words(a_run(one, tree=TREE.model_copy(update={"pristine": True})), one)
    assert run == "run"
    params = command.make_context("run", said).params
    taken = {name: params[name] for name in ("accel", "deadline", "silence", "pristine", "seed")}
    assert taken == {
        "accel": "kvm", "deadline": 5.0, "silence": None, "pristine": True, "seed": 7
    }  # fmt: skip


def test_the_script_says_the_same(tmp_path: Path) -> None:
    one = cell(limits={"deadline": 5.0})
    write_repro(tmp_path, a_run(one, tree=TREE), Path("slqb"))
    lines = (tmp_path / "repro.sh").read_text().splitlines()
    doing = [line for line in lines if line.startswith(("saved)", "source)"))]
    assert len(doing) == 2
    assert all("--accel kvm --deadline 5 --suite" in line for line in doing)
