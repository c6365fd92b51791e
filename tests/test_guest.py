# SPDX-License-Identifier: GPL-2.0
"""What runs in the guest is checked here as far as a host can: it builds, and its cases are told.

A case is a row of a table in C, a function whose comment says what it guards, and a row of the
README that says how it was seen red. The three must name the same cases.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import child
from harness.cases import GUEST, rows

TOLD = re.compile(r"^\| `(?P<case>\w+)` \| (?P<guards>[^|]+) \| (?P<red>[^|]+) \|$", re.MULTILINE)


CASES = [*rows(GUEST), *rows(GUEST / "slabtest")]


def comment_of(function: str, folder: Path) -> str:
    """The comment right above the function's definition."""
    pattern = re.compile(rf"/\*((?:(?!\*/).)*)\*/\n(?:static )?void {function}\(", re.DOTALL)
    for file in sorted(folder.glob("*.c")):
        if found := pattern.search(file.read_text()):
            return found[1]
    return ""


@pytest.mark.parametrize(("file", "case", "function"), CASES, ids=[case for _, case, _ in CASES])
def test_case_says_what_it_guards(file: Path, case: str, function: str) -> None:
    assert "Guards:" in comment_of(function, file.parent), f"{file.name}: {case}"


def test_readme_tells_every_case_and_how_it_was_seen_red() -> None:
    told = [found["case"] for found in TOLD.finditer((GUEST / "README.md").read_text())]
    assert sorted(told) == sorted([*(case for _, case, _ in CASES), "shape"])


def test_init_builds_without_a_warning_and_needs_no_library(tmp_path: Path) -> None:
    child.run(["make", "-s", f"OUT={tmp_path}"], cwd=GUEST, timeout=120)
    segments = child.run(["readelf", "--program-headers", "init"], cwd=tmp_path, timeout=60)
    assert "LOAD" in segments
    assert "INTERP" not in segments


def test_every_source_names_its_licence() -> None:
    files = [file for file in GUEST.rglob("*") if file.suffix in {".c", ".h"}]
    assert files
    assert [
        file
        for file in files
        if "SPDX-License-Identifier: GPL-2.0" not in file.read_text().partition("\n")[0]
    ] == []
