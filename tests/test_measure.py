# SPDX-License-Identifier: GPL-2.0
"""Numbers out of a log: which lines are measures, and how they are told."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.telling import measure_lines
from harness.measure import Measure, measures
from harness.record import CellRecord, HostRecord, RunRecord

WORDS = st.text("abcxyz_0189.", min_size=1)


@given(WORDS, st.integers(-(10**15), 10**15), st.sampled_from(["ns", "bytes", "objects/s"]))
def test_a_measure_comes_back_as_it_was_printed(name: str, value: int, unit: str) -> None:
    found = measures([f"[    3.141592]     # measure: {name} {value} {unit}\r"])
    assert found == {name: Measure(value=value, unit=unit)}


def test_the_last_of_a_name_counts_and_may_say_where() -> None:
    found = measures(["# measure: a 1 ns", "noise", "# measure: a 2.5 ns kmem_cache_free+0x3 to x"])
    assert found == {"a": Measure(value=2.5, unit="ns", where="kmem_cache_free+0x3 to x")}


@pytest.mark.parametrize(
    "line", ["", "# measure: a", "# measure: a b ns", "measure: a 1 ns", "# measure: a 1"]
)
def test_other_lines_are_none(line: str) -> None:
    assert not measures([line])


def record_of(boots: Mapping[str, Mapping[str, Measure]]) -> RunRecord:
    cells = tuple(
        CellRecord(name=name, kernel="k", machine="m", topology="up", measures=found)
        for name, found in boots.items()
    )
    host = HostRecord(system="s", machine="m", cores=1, memory_mib=1, python="3", slqb="0")
    return RunRecord(
        name="r",
        started="2026-01-01T00:00:00+00:00",
        command=(),
        seed=1,
        pid=1,
        born=1,
        host=host,
        cells=cells,
    )


def test_boots_stand_side_by_side() -> None:
    record = record_of(
        {
            "ours": {"off": Measure(value=2717, unit="ns", where="f to g")},
            "none": {},
            "theirs": {"off": Measure(value=2281.5, unit="ns")},
        }
    )
    assert list(measure_lines(record)) == ["off: ours 2,717 ns (f to g); theirs 2,281.5 ns"]
    assert RunRecord.model_validate_json(record.model_dump_json(by_alias=True)) == record


def test_of_many_boots_the_ends_are_told() -> None:
    boots = {f"b{n}": {"size": Measure(value=n % 7, unit="B")} for n in range(20)}
    told = "size: b0 0 B to b13 6 B in 20 boots"
    assert list(measure_lines(record_of(boots))) == [told]
    [every] = measure_lines(record_of(boots), every=True)
    assert every.count(";") == 19
    alike = {f"b{n}": {"size": Measure(value=1, unit="B")} for n in range(20)}
    assert list(measure_lines(record_of(alike))) == ["size: 1 B in 20 boots"]
