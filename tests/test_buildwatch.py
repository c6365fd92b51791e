# SPDX-License-Identifier: GPL-2.0
"""How far a build is, and what the next one may expect."""

from __future__ import annotations

from pathlib import Path

from harness.buildwatch import Past, Watch, read_past


class Said:
    """Remembers what a build's progress was told."""

    def __init__(self) -> None:
        self.expected: float | None = None
        self.steps: list[tuple[int, int | None, str]] = []

    def stage(self, name: str, expected: float | None = None) -> None:
        self.expected = expected

    def step(self, done: int, total: int | None = None, label: str = "") -> None:
        self.steps.append((done, total, label))

    def note(self, text: str) -> None: ...

    def done(self, result: str = "") -> None: ...


LINES = (
    "  SYNC    include/config/auto.conf",
    "  HOSTCC  scripts/kallsyms",
    "  CC      mm/slqb.o",
    "  CC [M]  mm/late.o",
    "  AS      arch/x86/entry/entry_64.o",
    "  AR      mm/built-in.a",
    "mm/slqb.c:1:1: warning: CC      nothing",
)


def watch(facts: Path, said: Said, *, fresh: bool = True, guess: int | None = None) -> Watch:
    one = Watch(said, facts, fresh=fresh, guess=guess, clock=iter(range(100, 200, 20)).__next__)
    one.start("build")
    for line in LINES:
        one.line(line)
    return one


def test_objects_are_counted_and_nothing_else(tmp_path: Path) -> None:
    said = Said()
    assert watch(tmp_path / "facts", said).objects == 4
    assert said.steps[1] == (2, None, "mm/slqb.o")


def test_first_build_goes_by_the_guess(tmp_path: Path) -> None:
    said = Said()
    watch(tmp_path / "facts", said, guess=890)
    assert (said.expected, said.steps[0][1]) == (None, 890)


def test_second_build_from_nothing_goes_by_the_first(tmp_path: Path) -> None:
    watch(tmp_path / "facts", Said()).remember()
    said = Said()
    watch(tmp_path / "facts", said, guess=890)
    assert (said.expected, said.steps[0][1]) == (20.0, 4)


def test_build_of_what_changed_promises_nothing_and_is_not_remembered(tmp_path: Path) -> None:
    said = Said()
    watch(tmp_path / "facts", said, fresh=False, guess=890).remember()
    assert said.steps[0][1] is None
    assert read_past(tmp_path / "facts") is None


def test_facts_of_another_version_are_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "facts").write_text('{"objects": 3, "colour": "red"}')
    assert read_past(tmp_path / "facts") is None
    (tmp_path / "facts").write_bytes(Past(objects=3, seconds=1).model_dump_json().encode())
    assert read_past(tmp_path / "facts") == Past(objects=3, seconds=1)
