# SPDX-License-Identifier: GPL-2.0
"""What others wrote is shown and not obeyed: by no stream, in no command, on no terminal."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.places import Places
from harness.progress import (
    DrawingConsole,
    PlainProgress,
    Progress,
    TerminalProgress,
    VerboseProgress,
)
from harness.record import RunRecord
from harness.terminal import CONTROL, Guarded, Unguarded, visible
from tests.accounts import a_case, a_cell, a_complaint, a_run, flaky, stored
from tests.conftest import TOY, Command, git, sealed
from tests.fakes import PASSES

EVIL = "\x1b]0;owned\x07\x1b[2Ja\rb\x9b31m\u202egnp.exe[red][/nope]"
"""A title, a cleared screen, a line written over, a colour, text told backwards, rich's markup."""
AS_TEXT = st.text(st.characters(codec=None, categories=None), max_size=40)
Done = subprocess.CompletedProcess[str]


@given(AS_TEXT)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = visible(text)
    assert not CONTROL.search(shown)
    assert visible(shown) == shown
    shown.encode()


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert visible(f"\t{text}\n") == f"\t{text}\n"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_document_in_json_says_the_same(text: str) -> None:
    assert json.loads(visible(json.dumps([text], ensure_ascii=False))) == [text]


def test_what_is_written_out_can_be_told() -> None:
    assert visible("\x1b[31m \x9b \u202e \udcff \U000e0041") == (
        "\\u001b[31m \\u009b \\u202e \\udcff \\udb40\\udc41"
    )


def test_a_guarded_stream_writes_out_what_its_encoding_lacks() -> None:
    sink = io.BytesIO()
    stream = Guarded(sink, encoding="ascii", errors="backslashreplace")
    assert stream.write("\x1b\u00e4") == 2
    stream.flush()
    assert sink.getvalue() == b"\\u001b\\xe4"


def test_who_draws_on_a_terminal_writes_beside_the_guard() -> None:
    sink = io.BytesIO()
    stream = Guarded(sink, encoding="utf-8")
    Unguarded(stream).write("\x1b[2K")
    stream.flush()
    assert sink.getvalue() == b"\x1b[2K"


def all_said(answer: Done) -> str:
    """What a command printed, which a terminal may show."""
    said = answer.stdout + answer.stderr
    assert "Traceback" not in said, said
    assert not CONTROL.search(said), said
    return said


def an_evil_run(name: str, outcome: str = "FAIL") -> RunRecord:
    """A record in which each text is EVIL."""
    evil = {"reason": EVIL, "host_failures": (EVIL,), "argv": (EVIL,), "cmdline": (EVIL,)}
    cases = (a_case(f"a.{EVIL}", "fail", EVIL), a_case("b", "skip", EVIL))
    complaint = a_complaint(EVIL, f"a.{EVIL}").model_copy(update={"kind": EVIL, "decoded": (EVIL,)})
    measures = {EVIL: {"value": 1.0, "unit": EVIL, "where": EVIL}}
    cell = a_cell(
        f"{EVIL}-k-2n", outcome, folder="cell", cases=cases, complaints=(complaint,),
        measures=measures, ended=EVIL, **evil,
    )  # fmt: skip
    record = a_run(cell, flaky("m-k-4n", reason=EVIL), name=name, reason=EVIL, command=(EVIL,))
    tree = record.tree
    assert tree is not None
    left_out = ({"name": EVIL, "reason": EVIL},)
    made = record.model_copy(update={"tree": tree.model_copy(update={"name": EVIL})})
    return RunRecord.model_validate({**made.model_dump(by_alias=True), "left_out": left_out})


REPORTS = [
    (),
    ("--all",),
    *(("--format", form) for form in ("json", "junit", "ktap", "kcidb", "html")),
    ("--against", "20260101-000000"),
    ("--against", "20260101-000000", "--format", "json"),
]


@pytest.fixture
def evil_runs(places: Places) -> Places:
    """Two runs in which all texts are hostile, with consoles that are, too."""
    for name, outcome in (("20260101-000000", "PASS"), ("20260102-000000", "FAIL")):
        stored(places.runs, an_evil_run(name, outcome), (EVIL, f"    # start: {EVIL}", EVIL) * 3)
    return places


@pytest.mark.parametrize("words", [*REPORTS, ("list",), ("flakes",), ("list", "--format", "json")])
def test_a_record_is_shown(words: tuple[str, ...], slqb: Command, evil_runs: Places) -> None:
    said = all_said(slqb("report", *words))
    assert "owned" in said or words == ("flakes",)


def test_reports_in_files_are_well_formed_all_the_same(
    slqb: Command, evil_runs: Places, tmp_path: Path
) -> None:
    from xml.etree import ElementTree

    for form in ("junit", "html", "json", "kcidb", "ktap"):
        all_said(slqb("report", "--format", form, "--output", f"report.{form}"))
    ElementTree.parse(tmp_path / "report.junit")
    assert json.loads((tmp_path / "report.json").read_text())["reason"] == EVIL
    json.loads((tmp_path / "report.kcidb").read_text())
    assert "</html>" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.ktap").read_text().startswith("KTAP version 1\n")


@pytest.mark.parametrize("words", [(), ("--json",), ("--failed",)])
def test_a_console_is_shown(words: tuple[str, ...], slqb: Command, tmp_path: Path) -> None:
    evil = EVIL.replace("\r", "")
    log = PASSES.replace("ok 2 two", f"not ok 2 two{evil} # {evil}") + f"BUG: {evil}\n"
    (tmp_path / "console.log").write_text(log)
    assert "two" in all_said(slqb("parse", *words, "console.log"))


@pytest.fixture
def evil_tree(toy_tree: Path) -> Path:
    """A tree of which the name and the files are hostile."""
    slab = toy_tree / "mm/slab.h"
    slab.write_text(slab.read_text().replace("struct slab {", f"struct slab {{ /* {EVIL[:-12]} */"))
    return toy_tree.rename(toy_tree.with_name(f"linux{EVIL[:-6]}"))


TOY_SERIES = ("--templates", TOY / "templates")
TREE_COMMANDS: dict[str, tuple[str | Path, ...]] = {
    "get": ("tree", "get", "TREE"),
    "get as json": ("tree", "get", "--json", "TREE"),
    "describe": ("tree", "describe", "TREE"),
    "describe as json": ("tree", "describe", "--json", "TREE"),
    "series": ("-v", "series", "--tree", "TREE", "-o", f"out{EVIL[:-6]}", *TOY_SERIES),
    "series, dry": ("series", "--tree", "TREE", "-o", "out", "--dry-run", *TOY_SERIES),
    "check": ("-v", "check", "--tree", "TREE", "--no-build", *TOY_SERIES),
    "run": ("run", "--tree", "TREE", "--dry-run", "--pristine", "--allocator", "slub"),
    "build": ("build", "--tree", "TREE", "--dry-run", "--pristine", "--allocator", "slub"),
}


@pytest.mark.parametrize("name", TREE_COMMANDS)
def test_a_tree_is_shown(name: str, slqb: Command, evil_tree: Path) -> None:
    words = [evil_tree if word == "TREE" else word for word in TREE_COMMANDS[name]]
    all_said(slqb(*words))
    listed = all_said(slqb("tree", "list")) + all_said(slqb("tree", "list", "--json"))
    assert "owned" in listed


def test_a_commit_is_shown(slqb: Command, toy_tree: Path) -> None:
    """Tags may not have control characters, but overrides."""
    git(toy_tree, "init", "-q")
    git(toy_tree, "add", "--force", ".")
    git(toy_tree, "commit", "-qm", EVIL)
    git(toy_tree, "tag", "v6\u202e1")
    all_said(slqb("tree", "describe", toy_tree))
    all_said(slqb("tree", "describe", f"{toy_tree}@v6\u202e1"))


def test_the_mails_of_a_series_are_shown(slqb: Command, toy_tree: Path, tmp_path: Path) -> None:
    slqb("-q", "series", "--tree", toy_tree, "-o", "out", *TOY_SERIES)
    mail = sorted((tmp_path / "out").glob("*.patch"))[-1]
    mail.write_text(mail.read_text().replace("Subject: ", f"Subject: {EVIL.replace(chr(13), '')} "))
    for words in (("check", "out", "--no-build"), ("send", "out")):
        all_said(slqb("-v", *words, "--tree", toy_tree))


@pytest.mark.parametrize(
    "words",
    [
        ("parse", EVIL),
        ("report", EVIL),
        ("tree", "get", EVIL),
        (EVIL,),
        ("run", f"--{EVIL}"),
        ("run", "--topology", EVIL),
        ("run", "--arch", EVIL),
        ("run", "--config", EVIL),
        ("run", "--matrix", EVIL),
        ("run", "--case", EVIL),
        ("--config", EVIL, "tree", "list"),
        ("boot", "--kernel", EVIL),
        ("report", "--output", f"/nowhere/{EVIL}", "list"),
        ("series", "-o", "out", "--in-reply-to", EVIL, "--tree", "TREE", *TOY_SERIES),
    ],
)
def test_an_error_is_shown(words: tuple[str, ...], slqb: Command, toy_tree: Path) -> None:
    answer = slqb(*(toy_tree if word == "TREE" else word for word in words))
    assert answer.returncode in (2, 8)
    all_said(answer)


def on_terminal(home: Path, *words: str | Path) -> bytes:
    """What a command writes to a terminal, which is its standard output and standard error."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("slqb"), *words],
        cwd=home,
        env={**sealed(home), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    process.wait(60)
    return said


RICHS_OWN = re.compile(rb"\x1b\[(?:\?25[lh]|[0-9;]*m|[012]K|[0-9]*A)")
"""Cursor off and on, colours, a line erased, a line up."""


def tell_all(progress: Progress) -> None:
    """Everything that can be told of a stage, in hostile words."""
    progress.stage(f"build {EVIL}")
    progress.step(1, 2, EVIL)
    progress.note(EVIL)
    progress.done(EVIL)


def test_a_progress_line_shows_what_it_is_told() -> None:
    sink = io.StringIO()
    terminal = TerminalProgress(DrawingConsole(file=sink, force_terminal=True, width=200))
    tell_all(terminal)
    terminal.stage("build")
    print(EVIL)  # rich has put itself in the place of standard output meanwhile
    terminal.close()
    said = RICHS_OWN.sub(b"", sink.getvalue().encode()).decode().replace("\r", "")
    assert said.count("owned") > 2
    assert not CONTROL.search(said)


@pytest.mark.parametrize("kind", [PlainProgress, VerboseProgress])
def test_plain_lines_show_what_they_are_told(kind: type[PlainProgress]) -> None:
    said: list[str] = []
    tell_all(kind(said.append))
    assert not CONTROL.search("".join(said))


@pytest.mark.parametrize(
    "words", [("tree", "describe"), ("-v", "tree", "get"), ("tree", "get", "--json")]
)
def test_a_terminal_gets_no_sequences_but_those_of_the_progress_line(
    words: tuple[str, ...], evil_tree: Path, tmp_path: Path
) -> None:
    commands: tuple[tuple[str | Path, ...], ...]
    commands = ((*words, evil_tree), ("tree", "list"), ("parse", EVIL))
    for asked in commands:
        said = RICHS_OWN.sub(b"", on_terminal(tmp_path, *asked)).replace(b"\r", b"")
        assert said
        assert not CONTROL.search(said.decode()), said


def test_reports_on_a_terminal(evil_runs: Places, tmp_path: Path) -> None:
    for words in (("report",), ("report", "list"), ("report", "flakes"), ("report", "--all")):
        said = RICHS_OWN.sub(b"", on_terminal(tmp_path, *words)).replace(b"\r", b"")
        assert not CONTROL.search(said.decode()), said
