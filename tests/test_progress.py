# SPDX-License-Identifier: GPL-2.0
"""What a person and what a log are told about work under way."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.progress import PlainProgress, TerminalProgress, outlook, shown_on, span


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain() -> tuple[PlainProgress, Clock, list[str]]:
    clock, lines = Clock(), list[str]()
    return PlainProgress(lines.append, clock), clock, lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (9.96, "10 s"), (119.4, "119 s"), (185, "3 min 05 s")]
)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_plain_tells_start_and_end_with_the_expected_time() -> None:
    progress, clock, lines = plain()
    progress.stage("build", expected=30)
    clock.now += 12
    progress.done("vmlinux")
    assert lines == ["build ... (about 30 s)\n", "build: vmlinux, 12 s\n"]


def test_plain_does_not_flood_a_log() -> None:
    progress, clock, lines = plain()
    progress.stage("build")
    for count in range(1, 101):
        clock.now += 1
        progress.step(count, 100, "mm/slqb.o")
    assert len(lines) == 1 + 100 // 15
    assert lines[1] == "build: 15 of 100 mm/slqb.o, 15 s of about 100 s\n"


@pytest.mark.parametrize(
    ("seconds", "done", "total", "expected", "text"),
    [
        (10, 5, 100, 60, "10 s of about 60 s"),
        (10, 5, 100, None, "10 s"),
        (10, 20, 100, None, "10 s of about 50 s"),
        (70, 20, 100, 60, "70 s"),
        (10, 20, None, None, "10 s"),
        (10, 120, 100, None, "10 s"),
    ],
)
def test_outlook(
    seconds: float, done: int, total: int | None, expected: float | None, text: str
) -> None:
    assert outlook(seconds, done, total, expected) == text


def test_total_that_was_passed_is_not_shown() -> None:
    progress, clock, lines = plain()
    progress.stage("build")
    clock.now += 20
    progress.step(120, 100)
    assert lines[-1] == "build: 120, 20 s\n"


def test_new_stage_ends_the_old_one() -> None:
    progress, _, lines = plain()
    progress.stage("configure")
    progress.stage("build")
    assert lines == ["configure ...\n", "configure: 0.0 s\n", "build ...\n"]


def test_done_without_a_stage_is_silent() -> None:
    progress, _, lines = plain()
    progress.done("nothing")
    assert lines == []


def terminal() -> tuple[TerminalProgress, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    return TerminalProgress(console, Clock()), stream


def test_terminal_keeps_one_line_for_each_ended_stage() -> None:
    progress, stream = terminal()
    for name in ("configure", "build [x86_64]"):
        progress.stage(name, expected=3)
        progress.step(1, 2, "mm/[slqb].o")
        progress.done("well")
    kept = [line for line in stream.getvalue().splitlines() if "✓" in line]
    assert [line.split("✓ ")[1] for line in kept] == [
        "configure: well, 0.0 s",
        "build [x86_64]: well, 0.0 s",
    ]


def test_terminal_shows_how_far_it_is_and_what_to_expect() -> None:
    progress, stream = terminal()
    progress.stage("build", expected=30)
    progress.step(12, 900, "CC mm/slqb.o")
    progress.close()
    shown = stream.getvalue()
    assert "12 of 900" in shown
    assert "of about 30 s" in shown
    assert "CC mm/slqb.o" in shown


def test_unfinished_stage_leaves_nothing_that_looks_finished() -> None:
    progress, stream = terminal()
    progress.stage("build")
    progress.close()
    assert "✓" not in stream.getvalue()


def test_no_terminal_gets_plain_lines() -> None:
    stream = io.StringIO()
    with shown_on(stream) as progress:
        progress.note("accelerator: tcg")
    assert stream.getvalue() == "accelerator: tcg\n"
