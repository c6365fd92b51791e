# SPDX-License-Identifier: GPL-2.0
"""Folders come from the environment or the user's system, and are made when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HostError
from harness.places import Places


def test_environment_moves_both_roots(tmp_path: Path) -> None:
    places = Places.from_environment(
        {"SLQB_CACHE": str(tmp_path / "c"), "SLQB_RUNS": str(tmp_path / "r")}
    )
    assert (places.cache, places.runs) == (tmp_path / "c", tmp_path / "r")


def test_empty_variable_counts_as_unset() -> None:
    assert Places.from_environment({"SLQB_CACHE": ""}) == Places.from_environment({})


def test_relative_root_becomes_absolute() -> None:
    assert Places.from_environment({"SLQB_CACHE": "here"}).cache == Path.cwd() / "here"


def test_runs_do_not_lie_in_the_cache() -> None:
    places = Places.from_environment({})
    assert not places.runs.is_relative_to(places.cache)


def test_folders_are_made_on_asking(tmp_path: Path) -> None:
    places = Places(tmp_path / "cache", tmp_path / "runs")
    assert places.ccache.is_dir()
    assert places.run_folder("one").parent == tmp_path / "runs"


def test_file_in_the_way_is_the_hosts_fault_and_named(tmp_path: Path) -> None:
    blocker = tmp_path / "cache"
    blocker.write_text("")
    with pytest.raises(HostError, match=rf"{blocker}.*SLQB_CACHE"):
        Places(blocker, tmp_path).folder("trees")
