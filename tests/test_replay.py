# SPDX-License-Identifier: GPL-2.0
"""The scheduler played on recorded times: larger hosts are used well.

tests/data/recorded/default is the record of `slqb run --matrix default` on two cores, with kernels
that needed no compiling, without its consoles and cases. It has the cells of the matrix's lists,
and none of those beside them.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.forecast import HERE, Load, build_order, busiest, play
from harness.matrixfile import load_matrix
from harness.packing import Room
from harness.places import PROJECT
from harness.record import load
from harness.replay import compare, loads_of, table

RECORDED = Path(__file__).parent / "data" / "recorded" / "default"
ENOUGH = 1.15
SIZES = (8, 10, 12, 16, 20, 24, 32, 48, 64)


def default_matrix() -> list[Load]:
    """Its kernels, with the times that they took."""
    return list(loads_of(load(RECORDED), RECORDED))


def test_the_record_is_that_of_the_default_matrix() -> None:
    record, matrix = load(RECORDED), load_matrix("default")
    assert {cell.asked.scale for cell in record.cells} == {matrix.scale}
    assert {cell.name for cell in record.cells} == {
        f"{machine}-{allocator}-{config}-{topology}"
        for machine in matrix.machines
        for config in matrix.configs
        for allocator in matrix.allocators
        for topology in matrix.topologies
    }
    loads = default_matrix()
    assert [len(load.tasks) for load in loads] == [len(matrix.topologies)] * 8
    assert all(task.known and task.seconds > 1 for load in loads for task in load.tasks)
    assert all(0 < load.build.steps < 30 for load in loads)


@pytest.mark.parametrize("cores", SIZES)
def test_the_default_matrix_makes_good_use_of_large_hosts(cores: int) -> None:
    end, bound = compare(default_matrix(), cores)
    assert bound <= end <= ENOUGH * bound


def test_more_cores_are_never_slower_and_none_is_taken_twice() -> None:
    loads, ends = default_matrix(), []
    tasks = [task for load in loads for task in load.tasks]
    for cores in (2, 4, *SIZES):
        told = play({HERE: Room(cores, cores * 2048)}, build_order(loads))
        ends.append(told.end)
        for _, used, memory in busiest(told, tasks):
            assert used <= cores
            assert memory <= cores * 2048
    assert ends == sorted(ends, reverse=True)


def test_the_command_shows_a_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.replay", "--cores", "8,64", RECORDED],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    head, *rows = done.stdout.splitlines()
    assert head == "40 boots of 8 kernels"
    assert [row.split()[0] for row in rows] == ["8", "64"]
    assert rows == list(table(loads_of(load(RECORDED), RECORDED), (8, 64)))[1:]
    wrong = subprocess.run(
        [sys.executable, "-m", "harness.replay", "no-such-run"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
