# SPDX-License-Identifier: GPL-2.0
"""Boots packed onto hosts, and the same code played on recorded times."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.forecast import HERE, Load, Work, build_order, busiest, lower_bound, play
from harness.packing import (
    OVERHEAD_MIB,
    SPARE_MIB,
    Need,
    Packing,
    Room,
    Task,
    memory_mib,
    need_of,
)
from harness.topology import load_topology


def task(name: str, seconds: float, cores: int = 1, memory: int = 100) -> Task:
    return Task(name, Need(cores, memory), seconds)


def started(packing: Packing) -> list[str]:
    return [one.name for one, _ in packing.start()]


def test_the_longest_first_and_what_fits_beside_it() -> None:
    packing = Packing({HERE: Room(4, 1000)})
    packing.add([task("short", 1), task("long", 9, 3), task("wide", 8, 2), task("later", 0.5)])
    assert started(packing) == ["long", "short"]
    assert started(packing) == []
    packing.end("long")
    assert started(packing) == ["wide", "later"]


def test_memory_is_packed_as_cores_are() -> None:
    packing = Packing({HERE: Room(8, 1000)})
    packing.add([task("a", 3, 1, 600), task("b", 2, 1, 600), task("c", 1, 1, 400)])
    assert started(packing) == ["a", "c"]


def test_what_is_larger_than_the_host_runs_alone() -> None:
    packing = Packing({HERE: Room(2, 1000)})
    packing.add([task("huge", 9, 16, 4000), task("small", 1)])
    assert started(packing) == ["huge"]
    assert started(packing) == []
    packing.end("huge")
    assert started(packing) == ["small"]


def test_a_build_has_a_core_but_does_not_stop_the_first_boot() -> None:
    packing = Packing({HERE: Room(2, 1000)}, taken={HERE: 1})
    packing.add([task("a", 2, 2), task("b", 1)])
    assert started(packing) == ["a"]
    packing.end("a")
    assert started(packing) == ["b"]


def test_hosts_are_filled_evenly_and_the_large_boot_goes_where_it_fits() -> None:
    packing = Packing({"small": Room(2, 1000), "large": Room(8, 9000)})
    packing.add([task("wide", 9, 4, 2000), task("a", 3), task("b", 2), task("c", 1, 2)])
    assert {one.name: host for one, host in packing.start()} == {
        "wide": "large",
        "a": "large",
        "b": "large",
        "c": "small",
    }
    packing = Packing({"small": Room(2, 1000), "large": Room(8, 9000)})
    packing.running["busy"] = (task("busy", 1, 8), "large")
    packing.add([task("wide", 9, 4)])
    assert started(packing) == []  # it waits for the host that has the cores


@pytest.mark.parametrize(
    ("name", "scale", "cores"), [("up", "quick", 1), ("2n", "quick", 1), ("2n", "soak", 2)]
)
def test_a_virtual_cpu_is_a_part_of_a_core(name: str, scale: str, cores: int) -> None:
    topology = load_topology(name)
    need = need_of(topology, "soak" if scale == "soak" else "quick")
    assert need == Need(cores, topology.memory_mib + OVERHEAD_MIB)
    assert need_of(load_topology("plugged"), "quick").memory_mib == 512 + OVERHEAD_MIB


def test_free_memory_is_what_host_and_control_group_have(tmp_path: Path) -> None:
    info = tmp_path / "meminfo"
    info.write_text("MemTotal:  9000000 kB\nMemAvailable:  8388608 kB\n")
    assert memory_mib(info, tmp_path) == 8192 - SPARE_MIB
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1\n")
    assert memory_mib(info, tmp_path) == 8192 - SPARE_MIB
    (tmp_path / "memory.max").write_text(f"{3 << 30}\n")
    (tmp_path / "memory.current").write_text(f"{1 << 30}\n")
    assert memory_mib(info, tmp_path) == 2048 - SPARE_MIB


def test_a_build_takes_what_boots_leave() -> None:
    rooms = {HERE: Room(4, 1000)}
    assert play(rooms, [Load("k", Work(2, 8), ())]).end == pytest.approx(4)
    loads = [
        Load("first", Work(1), (task("a", 10, 3),)),
        Load("second", Work(0, 5), (task("b", 1),)),
    ]
    told = play(rooms, loads)
    assert told.ended == {"first": 1, "second": 6, "a": 11, "b": 7}
    assert told.began == {"a": 1, "b": 6}


def test_kernels_with_most_to_boot_are_built_first_and_equals_keep_their_order() -> None:
    few, many, same = (
        Load("few", Work(9), (task("a", 1),)),
        Load("many", Work(1), (task("b", 9), task("c", 9))),
        Load("same", Work(1), (task("d", 1),)),
    )
    assert [one.name for one in build_order((few, many, same))] == ["many", "few", "same"]


def test_the_rest_of_a_run() -> None:
    rooms = {HERE: Room(1, 1000)}
    told = play(rooms, (), [task("next", 5)], [(task("now", 2), HERE)])
    assert told.end == 7


TASKS = st.lists(
    st.tuples(st.floats(0.1, 100), st.integers(1, 16), st.integers(64, 4096)), max_size=25
)


@given(TASKS, st.integers(1, 16), st.integers(512, 8192))
def test_no_times_make_it_take_more_than_there_is_or_be_lazy(
    drawn: Sequence[tuple[float, int, int]], cores: int, memory: int
) -> None:
    tasks = [task(str(index), *one) for index, one in enumerate(drawn)]
    room = Room(cores, memory)
    told = play({HERE: room}, (), tasks)
    assert set(told.ended) == {one.name for one in tasks}
    for moment, used, taken in busiest(told, tasks):
        alone = sum(told.began[o.name] <= moment < told.ended[o.name] for o in tasks) == 1
        assert alone or (used <= cores and taken <= memory), moment
    longest = max((one.seconds for one in tasks), default=0)
    shares = sum(
        one.seconds
        * (min(one.need.cores, cores) / cores + min(one.need.memory_mib, memory) / memory)
        for one in tasks
    )
    assert told.end <= 2 * max(longest, shares) * (1 + 1e-9)


@given(TASKS, st.lists(st.floats(0, 20), min_size=1, max_size=4), st.integers(2, 64))
def test_nothing_is_over_before_the_lower_bound(
    drawn: Sequence[tuple[float, int, int]], builds: Sequence[float], cores: int
) -> None:
    tasks = [task(str(index), *one[:2]) for index, one in enumerate(drawn)]
    loads = [
        Load(f"kernel-{index}", Work(steps), tuple(tasks[index :: len(builds)]))
        for index, steps in enumerate(builds)
    ]
    told = play({HERE: Room(cores, 1 << 20)}, build_order(loads))
    assert set(told.began) == {one.name for one in tasks}
    assert told.end >= lower_bound(cores, loads) * (1 - 1e-9)
    for load in loads:
        assert all(told.began[one.name] >= told.ended[load.name] for one in load.tasks)
