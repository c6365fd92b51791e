# SPDX-License-Identifier: GPL-2.0
"""A long log is skimmed: what is found is what reading every line finds, in bounded resources."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import complaint
from harness.console import Line, saved
from harness.errors import Outcome
from harness.headline import table
from harness.heard import LONGEST, Listener
from harness.linear import linear, linear_bytes
from harness.prefix import PREFIXES, Nearby
from harness.show import as_text
from harness.skim import skim, telling
from harness.verdict import Boot, Verdict, judge, judge_heard
from tests.parse_bench import FILLER, filler
from tests.test_logs import EXPECTED, LOGS
from tests.test_prefix import told

NAMES = sorted(EXPECTED)


def skimmed(*texts: bytes) -> Verdict:
    return judge_heard(skim(texts), Boot(()))


@pytest.mark.parametrize("name", NAMES)
def test_skimming_finds_what_reading_finds(name: str) -> None:
    raw = (LOGS / f"{name}.log").read_bytes()
    whole = judge(Boot(tuple(saved(raw.decode(errors="replace").split("\n")[:-1]))))
    assert told(skimmed(raw)) == told(whole)


@pytest.mark.parametrize("name", NAMES)
def test_ordinary_lines_around_it_change_nothing(name: str) -> None:
    raw = (LOGS / f"{name}.log").read_bytes()
    lines = b"".join(filler(400))
    whole = judge(
        Boot(tuple(saved((lines + raw + lines).decode(errors="replace").split("\n")[:-1])))
    )
    assert told(skimmed(lines + raw + lines)) == told(whole)
    assert told(skimmed(lines, raw, lines)) == told(whole)


def test_ordinary_lines_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of a log costs no Python at all: count the lines that are looked at."""
    fed: list[Line] = []
    feed = Listener.feed

    def counted(listener: Listener, line: Line, nearby: Nearby | None = None) -> None:
        fed.append(line)
        feed(listener, line, nearby)

    monkeypatch.setattr(Listener, "feed", counted)
    heard = skim([b"".join(filler(50_000)), (LOGS / "kasan.log").read_bytes()])
    assert heard.length == 50_000 + (LOGS / "kasan.log").read_bytes().count(b"\n")
    assert len(fed) < 100


def test_the_filler_tells_nothing() -> None:
    assert all(telling().search(line) is None for line in filler(len(FILLER) * 3))


@pytest.mark.parametrize("pattern", sorted(complaint.patterns()))
def test_every_pattern_is_one_that_cannot_backtrack(pattern: str) -> None:
    assert linear(pattern)
    assert linear_bytes(pattern.encode())


LINES = st.sampled_from(
    [
        *(line for name in NAMES for line in (LOGS / f"{name}.log").read_bytes().split(b"\n")),
        *FILLER,
    ]
)
PREFIXED = st.builds(
    lambda prefix, line: prefix.encode() + line,
    st.sampled_from([example for one in PREFIXES.formats for example in one.examples]),
    LINES,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(LINES, PREFIXED, st.binary(max_size=60)), max_size=60))
def test_any_lines_get_the_same_verdict_skimmed(lines: list[bytes]) -> None:
    text = b"".join(line.replace(b"\n", b"") + b"\n" for line in lines)
    whole = judge(Boot(tuple(saved(text.decode(errors="replace").split("\n")[:-1]))))
    assert _said(skimmed(text)) == _said(whole)


def _said(verdict: Verdict) -> str:
    """All that is told, but for the number of lines without a prefix: that is an estimate."""
    nothing = (
        r"no known prefix in \d+ lines|no test ran|the guest powered off before its first test"
    )
    return re.sub(nothing, "nothing", "\n".join(as_text(verdict)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000), st.integers(1, 100))
def test_any_bytes_get_a_verdict(text: bytes, size: int) -> None:
    for verdict in (
        skimmed(text),
        skimmed(*(text[at : at + size] for at in range(0, len(text), size))),
    ):
        assert "\n".join(as_text(verdict))


WORDS = st.sampled_from(
    [
        *(b"ok ", b"not ok ", b"1..", b"9" * 5000, b"1", b" - ", b" # SKIP ", b"KTAP version "),
        *(b"# expect: 1 ", b"(a+)+$", b"(" * 3000, b"a{999}{999}", b"# Subtest: ", b"# start: "),
        *(b"slqb-guest: taint ", b"[    1.000000] ", b"\x1b[31m", b"\\x0a", b"4,1,1,-;", b"> "),
        *(
            b"BUG: ",
            b"WARNING: ",
            b"INFO: a ",
            b"------------[ cut here ]------------",
            b"\n",
            b"\t",
        ),
        *(b" " * 2000, b"\xff", b"\0", b"\r", b"999999999.999 | ", b"Bail out!", b"Call Trace:"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=40))
def test_words_of_the_grammar_in_any_order_get_a_verdict(words: list[bytes]) -> None:
    assert "\n".join(as_text(skimmed(b"".join(words))))


def test_blocks_that_are_nested_without_end_are_a_failure() -> None:
    lines = [f"{' ' * depth}KTAP version 1\n{' ' * depth}1..1\n" for depth in range(3000)]
    verdict = skimmed("".join(lines).encode())
    assert verdict.outcome is Outcome.FAIL
    assert any("blocks within one another" in case.reason for case in verdict.cases)


@pytest.mark.parametrize(
    "piece",
    [
        *("INFO: a ", "INFO: task ", "BUG: a", "WARNING: ", "ok 1 ", "xok 1 ", "not ", "# a: "),
        *("[    1.000000] ", "x[    1.000000] ", "> ", "<4>", "((", "\\x0a", "1..1 ", '"', "a.b/"),
        *("BUG a (Not tainted", "stall ", "0000 [#1] ", "11:22:33 ", "KASAN: ", "login: ", " | "),
    ],
)
def test_one_endless_line_is_done_at_once(piece: str) -> None:
    for head in ("", "[    1.000000] ", "    ok 1 ", "4,1,1,-;", "# ", "BUG: "):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        skim([(head + piece * (350_000 // len(piece)) + "\n").encode()])
        assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 10


def test_a_line_that_was_cut_says_so() -> None:
    verdict = skimmed(b"KTAP version 1\n1..1\nok 1 " + b"y" * 10_000 + b"\n")
    [case] = verdict.cases
    assert case.path.endswith(f"yyy [... {10_005 - LONGEST} characters cut]")


def test_nothing_is_lost_behind_the_place_where_a_line_is_cut() -> None:
    heard = skim([b"x" * 9000 + b"[    1.000000] BUG: KASAN: x\n"])
    assert [one.headline for one in heard.complaints] == ["BUG: KASAN: x"]


MEASURE = """
import resource, sys
from harness.skim import heard_in
from harness.verdict import Boot, judge_heard
before = resource.getrusage(resource.RUSAGE_SELF)
judge_heard(heard_in(sys.argv[1]), Boot(()))
after = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(after.ru_utime - before.ru_utime, peak.split()[1])
"""


def measured(log: Path) -> tuple[float, int]:
    """Seconds of user time, and KiB at most."""
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, log],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout.split()
    return float(said[0]), int(said[1])


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    lines = b"".join(filler(20_000))
    sizes = []
    for times in (1, 40):
        with (tmp_path / "log").open("wb") as log:
            for _ in range(times):
                log.write(lines)
            log.write((LOGS / "pass.log").read_bytes())
        sizes.append(measured(tmp_path / "log")[1])
    assert sizes[1] - sizes[0] < 16 << 10
    assert sizes[1] < 150 << 10


def test_one_line_of_many_megabytes_needs_little_memory(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        for _ in range(64):
            log.write(b"x" * (1 << 20))
        log.write(b"\n" + (LOGS / "pass.log").read_bytes())
    assert measured(tmp_path / "log")[1] < 150 << 10


def _same(lines: list[str]) -> None:
    whole = judge(Boot(tuple(saved(lines))))
    assert told(skimmed("\n".join([*lines, ""]).encode())) == told(whole)


@pytest.mark.parametrize("between", range(12))
@pytest.mark.parametrize("quiet", [0, 40])
def test_a_title_is_found_as_far_as_it_reaches(between: int, quiet: int) -> None:
    fillers = [f"RSP: 0018:{at:016x}" for at in range(between)]
    dump = ["mm: odd thing seen", *fillers, "Call Trace:", " f+0x1/0x2"]
    _same(["KTAP version 1", "1..1", *["plain"] * quiet, *dump, *["plain"] * quiet, "ok 1 a"])


@pytest.mark.parametrize("pattern", sorted({row.pattern for row in table().headline}))
def test_a_line_in_a_kmsg_record_is_found_skimmed(pattern: str) -> None:
    row = next(row for row in table().headline if row.pattern == pattern)
    for line in row.examples:
        record = f"4,1,2,-;one\\x0a{line}"
        _same(["4,1,1,-;KTAP version 1", "4,1,1,-;1..1", *["4,1,1,-;plain"] * 20, record])


@pytest.mark.parametrize("alike", range(18))
def test_as_many_lines_nearby_tell_of_a_prefix_skimmed(alike: int) -> None:
    around = ["> plain"] * alike + ["plain"] * (17 - alike)
    for lines in (around, around[::-1]):
        _same(["KTAP version 1", "1..1", *lines[:8], "> BUG: KASAN: x in f", *lines[8:], "ok 1 a"])
