# SPDX-License-Identifier: GPL-2.0
"""How a run that ended is told."""

from pathlib import Path

import pytest

from harness import record
from harness.accelerator import TCG, Accelerator
from harness.cli.telling import lines
from harness.errors import HostError, TreeError, UserError
from harness.places import Places
from harness.record import CellRecord, Recorder
from harness.session import recorded
from tests.conftest import Command

SLQB = Path("slqb")


@pytest.fixture
def recorder(places: Places) -> Recorder:
    """A run that failed."""
    recorder = record.begin(places, ("slqb",), 1)
    recorder.add(CellRecord(name="a", kernel="k", machine="m", topology="t", outcome="FAIL"))
    recorder.update(outcome="FAIL")
    return recorder


def test_a_script_is_promised_only_where_it_is(recorder: Recorder) -> None:
    script = recorder.folder / "repro.sh"
    assert "repro" not in "\n".join(lines(recorder.record, recorder.folder))
    script.touch()
    assert f"repeat it: {script}" in list(lines(recorder.record, recorder.folder))


def test_wrong_use_leaves_no_record(places: Places) -> None:
    with pytest.raises(UserError), recorded(places, ("slqb",), 1, SLQB):
        raise UserError("no such thing")
    assert record.runs(places) == ()


def test_what_is_wrong_with_a_tree_leaves_one(places: Places) -> None:
    with pytest.raises(TreeError), recorded(places, ("slqb",), 1, SLQB):
        raise TreeError("no place")
    assert [record.load(folder).outcome for folder in record.runs(places)] == ["TREE"]


def test_a_fault_of_the_host_closes_the_record(places: Places) -> None:
    with pytest.raises(HostError, match="boom"), recorded(places, ("slqb",), 1, SLQB):
        raise OSError("boom")
    [found] = [record.load(folder) for folder in record.runs(places)]
    assert (found.status, found.outcome, found.reason) == ("finished", "HOST", "boom")


def test_a_tree_that_is_not_there_costs_nothing(slqb: Command, tmp_path: Path) -> None:
    answer = slqb("run", "--tree", "nowhere")
    assert answer.returncode == 2
    assert answer.stderr.startswith("slqb: no tree 'nowhere': give a directory")
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_one_failure_that_cells_share_is_told_once(places: Places) -> None:
    recorder = record.begin(places, ("slqb",), 1)
    why = "cannot build k: a.c:1: error\nlog: l"
    for name in ("k-2n", "k-4n"):
        cell = CellRecord(name=name, kernel="k", machine="m", topology="t")
        recorder.add(cell.model_copy(update={"outcome": "BUILD", "reason": why}))
    recorder.add(CellRecord(name="o-2n", kernel="o", machine="m", topology="t", outcome="FAIL"))
    told = "\n".join(lines(recorder.record, recorder.folder))
    assert told.count("log: l") == 1
    assert f"k-2n, k-4n: BUILD: {why}\no-2n: FAIL\n" in told


def test_the_accelerator_is_said_in_a_short_line() -> None:
    long = Accelerator(TCG, "kvm does not work here: " + "x" * 200, "kvm does not work here")
    assert str(long) == "accelerator: tcg (kvm does not work here)"
