# SPDX-License-Identifier: GPL-2.0
"""The benchmark's sums: same suites or no result, the middle of several times, clean starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HostError
from tests.bench import Row, Side, Time, compare


def side(name: str, source: Path, did: list[str], suites: frozenset[str]) -> Side:
    def run() -> set[str]:
        did.append(f"{name} {source.read_text().count('bench_')}")
        return set(suites)

    return Side(name, run, lambda: did.append(f"{name} clean"), source)


def pair(tmp_path: Path, did: list[str], *suites: frozenset[str]) -> tuple[Side, Side]:
    files = [tmp_path / name for name in ("ours.c", "peer.c")]
    for file in files:
        file.write_text("")
    ours, peer = (side(file.stem, file, did, has) for file, has in zip(files, suites, strict=True))
    return ours, peer


def test_both_start_clean_and_take_turns(tmp_path: Path) -> None:
    did: list[str] = []
    same = frozenset({"list", "hash"})
    rows = list(compare(*pair(tmp_path, did, same, same), rounds=2))
    assert did[:4] == ["ours clean", "peer clean", "peer 0", "ours 0"]
    assert did[-4:] == ["peer 1", "ours 1", "peer 2", "ours 2"]
    assert [row.what for row in rows] == ["cold", "nothing changed", "allocator changed"]


def test_different_suites_are_no_result(tmp_path: Path) -> None:
    two = pair(tmp_path, [], frozenset({"list"}), frozenset({"list", "slub_test"}))
    with pytest.raises(HostError, match=r"mean nothing: \['slub_test'\]"):
        list(compare(*two, rounds=1))


def test_no_suite_at_all_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="mean nothing"):
        list(compare(*pair(tmp_path, [], frozenset(), frozenset()), rounds=1))


def test_ratio_is_of_the_clock() -> None:
    assert Row("cold", Time(4, 100), Time(8, 1)).ratio == 0.5
