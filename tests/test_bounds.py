# SPDX-License-Identifier: GPL-2.0
"""The line in which a guest says what its allocator costs."""

from harness.bounds import bounds, told

LINE = "slqb-guest: bounds cpu_bytes=256 node_bytes=192 caches=97"


def test_numbers_by_name() -> None:
    assert bounds(["noise", LINE, "more"]) == {"cpu_bytes": 256, "node_bytes": 192, "caches": 97}


def test_last_line_counts() -> None:
    assert bounds([LINE, "slqb-guest: bounds caches=5"]) == {"caches": 5}


def test_other_lines_say_nothing() -> None:
    lines = ["slqb-guest: bounds", "slqb-guest: bounds caches=many", f"# {LINE}", "bounds a=1"]
    assert bounds(lines) == {}


def test_report_line() -> None:
    assert told(bounds([LINE])) == "bounds: cpu bytes 256, node bytes 192, caches 97"
    assert told({}) == ""
