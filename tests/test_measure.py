# SPDX-License-Identifier: GPL-2.0
"""Numbers out of a log: which lines are measures, and how they are told."""

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


def test_boots_stand_side_by_side() -> None:
    cells = tuple(
        CellRecord(name=name, kernel="k", machine="m", topology="up", measures=found)
        for name, found in (
            ("ours", {"off": Measure(value=2717, unit="ns", where="f to g")}),
            ("none", {}),
            ("theirs", {"off": Measure(value=2281.5, unit="ns")}),
        )
    )
    host = HostRecord(system="s", machine="m", cores=1, memory_mib=1, python="3", slqb="0")
    record = RunRecord(
        name="r", started="now", command=(), seed=1, pid=1, born=1, host=host, cells=cells
    )
    assert list(measure_lines(record)) == ["off: ours 2,717 ns (f to g); theirs 2,281.5 ns"]
    assert RunRecord.model_validate_json(record.model_dump_json(by_alias=True)) == record
