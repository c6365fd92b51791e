# SPDX-License-Identifier: GPL-2.0
"""Whatever the bytes in an input: an exit code of the specification, and no traceback.

Commands are carried out in this process (`answer` is what the console script calls), so that there
can be many of them. What is drawn here are configs, environments, records, catalogues and logs.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.child import GRACE
from harness.cli import answer, slqb
from harness.errors import HarnessError, Outcome
from harness.machine import load_machine
from harness.matrixfile import load_matrix
from harness.parsing import parse_json, parse_toml
from harness.places import Places
from harness.record import RESULT, begin
from harness.topology import load_topology
from tests.accounts import LEFT_OUT, a_case, a_cell, a_complaint, a_run, flaky, stored
from tests.conftest import sealed
from tests.fakes import FAILS, PASSES, alive

CODES = {outcome.exit_code for outcome in Outcome}
MANY = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
FORMS = ("text", "json", "junit", "ktap", "kcidb", "html")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, cache and runs that are the test's own."""
    for name, value in sealed(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def calm(*words: str | Path) -> tuple[int, str]:
    """The exit code and what the command printed; fails where it raises or shows a traceback."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = answer([str(word) for word in words])
    assert code in CODES, (code, words)
    assert "Traceback" not in err.getvalue()
    return code, out.getvalue() + err.getvalue()


# ---- the config file and the environment ----

HARMLESS = {
    **{"tree list": [], "tree get": ["nowhere"], "tree describe": ["nowhere"], "parse": ["l.log"]},
    **{"report": ["list"], "send": ["out"], "series": ["--tree", "nowhere", "-o", "x"]},
    **{"check": ["--tree", "nowhere"], "build": ["--tree", "nowhere"]},
    **{"boot": ["--kernel", "l.log", "--dry-run"], "run": ["--tree", "nowhere", "--dry-run"]},
}
"""Each command with arguments with which it ends soon, whatever its options are."""
ODD = (
    *("1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "true", "inf", "nan", "1e400", "-1", "0"),
    *('""', '" "', r'"\u0000"', r'"a\u001b[31mb"', "[1, 2]", "[]", "[[1]]", "[{a = 1}]", "{a = 1}"),
    *('"/"', '"/dev/null"', '","', '[""]', "9" * 25, '"1/0"', f'"{"a" * 300}"', '"~"', '"a\\nb"'),
)
"""Values of TOML that no option expects, or some do not."""


def options(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every option, with the path of its command."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from options(inner, (*path, name))
    for one in command.params:
        if isinstance(one, click.Option) and one.name not in ("help", "version", "config"):
            yield path, one.opts[-1].lstrip("-")


EVERY = sorted(set(options(slqb, ())))


def commands_of(path: tuple[str, ...]) -> list[str]:
    """A harmless use of the command, or of some command for an option that all have."""
    name = " ".join(path) if " ".join(path) in HARMLESS else "tree list"
    return [*name.split(), *HARMLESS[name]]


@pytest.mark.parametrize("value", ODD)
def test_any_value_of_any_option_in_the_config_file(value: str, home: Path) -> None:
    (home / "l.log").write_text(PASSES)
    for path, option in EVERY:
        table = f"[{'.'.join(path)}]\n" if path else ""
        (home / "mine.toml").write_text(f"{table}{json.dumps(option)} = {value}\n")
        calm("--config", "mine.toml", *commands_of(path))


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "nan",
        "inf",
        "-1",
        "9" * 400,
        "/",
        "/dev/null",
        "a" * 300,
        "\x1b[31m",
        ",",
        "\udcff",
    ],
)
def test_any_value_of_any_variable(value: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "l.log").write_text(PASSES)
    for path, option in EVERY:
        name = "_".join(("SLQB", *path, option)).upper().replace("-", "_")
        with monkeypatch.context() as one:
            one.setenv(name, value)
            calm(*commands_of(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\ntree = 1979-05-27\n", "option 'tree' is a date or a time, which no option takes"),
        ("[run]\ntree = true\n", "option 'tree' is true or false, which no option takes"),
        ("[run]\ntree = {a = 1}\n", "option 'tree' is a table, which no option takes"),
        ("[run]\nappend = [[1]]\n", "option 'append' is a list in a list, which no option takes"),
        ('[run]\ntree = "a\\u0000b"\n', "a NUL byte is in no name and no path"),
        ("a = " + "[" * 9999, "is not TOML: it nests too deeply"),
    ],
)
def test_a_config_file_is_told_what_is_wrong_with_it(text: str, said: str, home: Path) -> None:
    (home / "mine.toml").write_text(text)
    code, told = calm("--config", "mine.toml", "run", "--tree", "nowhere", "--dry-run")
    assert (code, len(told.splitlines())) == (2, 1)
    assert said in told


@MANY
@given(st.binary(max_size=80) | st.text(max_size=60).map(lambda text: text.encode()))
@example(b"a = " + b"9" * 5000)
@example(b"\xef\xbb\xbfquiet = true")
def test_any_bytes_in_the_config_file(raw: bytes) -> None:
    Path("mine.toml").write_bytes(raw)
    assert calm("--config", "mine.toml", "tree", "list")[0] in (0, 2)


# ---- -q and -v ----


@pytest.mark.parametrize(
    "words",
    [
        ("-q", "-v", "tree", "list"),
        ("-v", "tree", "list", "-q"),
        ("tree", "-q", "list", "-v"),
        ("tree", "list", "-v", "-q"),
    ],
)
def test_quiet_and_verbose_exclude_each_other(words: tuple[str, ...]) -> None:
    code, told = calm(*words)
    assert code == 2
    assert "-q and -v exclude each other" in told


@pytest.mark.parametrize("words", [("-v", "tree", "list"), ("tree", "list", "-v")])
def test_a_flag_beats_a_habit(
    words: tuple[str, ...], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mine.toml").write_text("quiet = true\n")
    assert calm("--config", "mine.toml", *words)[0] == 0
    monkeypatch.setenv("SLQB_QUIET", "1")
    assert calm(*words)[0] == 0


# ---- records ----

WEIRD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e308, -1e308, float("inf"), float("nan"), 10**30, 2**64),
    *("", "\x00", "\u202e", "[/red]", "/etc/passwd", "../..", "x" * 9999, "\n\n", "nonsense"),
    *("2026-01-01T00:00:00", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00"),
    *([], {}, [[]], [1, 2], ["a"], {"a": 1}, "a.b..c", ".", "{{x}}", "#", "\\"),
)
BASE = json.loads(
    a_run(
        a_cell(
            "m-k-2n",
            "FAIL",
            cases=(
                a_case(status="fail", reason="x"),
                a_case("b.c", "skip"),
                a_case("d", "missing"),
            ),
            complaints=(a_complaint(path="slabtest.one"), a_complaint()),
            measures={"a": {"value": 1.0, "unit": "u"}},
            phases={"kernel": 1.0},
            limits={"deadline": 3.0},
        ),
        flaky("m-k-4n"),
        a_cell("m-k-uma", "HOST"),
        left_out=LEFT_OUT,
    ).model_dump_json(by_alias=True)
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each part of some JSON."""
    yield path
    listed = enumerate(value) if isinstance(value, list) else ()
    for key, one in value.items() if isinstance(value, dict) else listed:
        yield from paths(one, (*path, key))


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """The record with another value there."""
    if not path:
        return value
    made = deepcopy(BASE)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return made


@pytest.fixture
def two_runs(home: Path) -> Path:
    """Two runs with consoles; the first one's record is returned, to be spoilt."""
    console = ("Linux version 6", "    # start: one", "    not ok 1 one", "BUG: bad", "\x1b[2J")
    first = a_run(*map(a_cell, ("m-k-2n", "m-k-4n")))
    for name in ("20260101-000000", "20260102-000000"):
        stored(home / "runs", first.model_copy(update={"name": name}), console)
    return home / "runs" / "20260101-000000" / RESULT


@MANY
@given(st.sampled_from(sorted(paths(BASE), key=str)), st.sampled_from(WEIRD))
@example(("cells", 0, "cases", 0, "status"), "exploded")
@example(("cells", 0, "seconds"), float("inf"))
@example(("started",), "yesterday")
@example(("outcome",), "GREAT")
@example(("schema",), "slqb-run/99")
def test_any_value_in_a_record(two_runs: Path, path: tuple[Any, ...], value: Any) -> None:
    two_runs.write_text(json.dumps(changed(path, value)))
    name = two_runs.parent.name
    code, told = calm("report", name)
    assert code in (0, 2)
    if code == 2:  # whatever else is asked says the same
        assert len(told.splitlines()) == 1
    for form in FORMS[1:]:
        assert calm("report", name, "--format", form)[0] == code
    calm("report", "list")
    calm("report", "flakes")
    calm("report", "--against", name)
    calm("report", name, "--against", "20260102-000000")


@MANY
@given(
    st.binary(max_size=60) | st.integers(0, 400).map(lambda end: json.dumps(BASE)[:end].encode())
)
@example(b"[" * 100000)
@example(b'{"seed": ' + b"9" * 5000)
@example(b'{"schema": "\\ud800"}')
def test_any_bytes_in_a_record(two_runs: Path, raw: bytes) -> None:
    two_runs.write_bytes(raw)
    for words in ((), ("--against", "20260102-000000"), ("--format", "html")):
        code, told = calm("report", two_runs.parent.name, *words)
        assert (code, len(told.splitlines())) == (2, 1)
    assert "unreadable" in calm("report", "list")[1]
    assert calm("report", "flakes")[0] == 0


# ---- machines, topologies, matrices ----

LOADERS = {"machine": load_machine, "topology": load_topology, "matrix": load_matrix}
KEYS = {
    "machine": ("description", "arch", "emulator", "max_cpus", "cpu", "cmdline", "model"),
    "topology": ("description", "nodes", "distances", "spare_cpus", "name"),
    "matrix": ("description", "machines", "configs", "topologies", "exclude", "repeat"),
}


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("ending", ["toml", "json"])
@MANY
@given(data=st.data())
def test_any_content_of_a_catalogue_file(kind: str, ending: str, data: st.DataObject) -> None:
    path = Path(f"mine.{ending}")
    if ending == "json":
        leaves = st.sampled_from(WEIRD) | st.text(max_size=9) | st.integers()
        keys = st.sampled_from(KEYS[kind])
        tables = st.dictionaries(keys, st.recursive(leaves, st.lists, max_leaves=5))
        path.write_text(json.dumps(data.draw(tables)))
    else:
        lines = [f"{key} = {data.draw(st.sampled_from(ODD))}" for key in KEYS[kind]]
        path.write_text(
            "\n".join(data.draw(st.permutations(lines)))[: data.draw(st.integers(0, 300))]
        )
    with contextlib.suppress(HarnessError):
        LOADERS[kind](str(path))


@given(st.binary(max_size=50) | st.just(b"a=" + b"[" * 9999) | st.just(b"[" * 99999))
def test_the_decoders_raise_a_value_error_and_nothing_else(raw: bytes) -> None:
    for parse in (parse_toml, parse_json):
        with contextlib.suppress(ValueError):
            parse(raw)


# ---- logs ----

PIECES = [*PASSES.splitlines(), *FAILS.splitlines(), "[    1.0] ", "slqb-guest: taint ", "9" * 5000]


@MANY
@given(st.lists(st.binary(max_size=30) | st.sampled_from(PIECES).map(str.encode), max_size=30))
@example([b"slqb-guest: taint " + b"9" * 5000])
@example([b"[" + b"9" * 5000 + b".000000] Linux version 6.1"])
@example([b"9" * 400 + b".000 | ok 1 a"])
def test_any_bytes_in_a_log(lines: list[bytes]) -> None:
    for joint in (b"\n", b""):
        Path("l.log").write_bytes(joint.join(lines))
        calm("parse", "l.log")
        calm("parse", "--json", "--failed", "l.log")


# ---- paths ----

NAMES = (
    "a" * 300,
    "a" * 300 + ".toml",
    "/dev/null",
    "/",
    "..",
    "x\ny",
    "l.log/x.toml",
    "\udcff",
    "~",
)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_where_a_file_is_wanted(name: str, home: Path) -> None:
    (home / "l.log").write_text(PASSES)
    for words in (
        ("parse", name),
        ("report", name),
        ("report", "--against", name),
        ("report", "list", "--output", name),
        ("tree", "get", name),
        ("tree", "describe", name),
        ("boot", "--kernel", name),
        ("boot", "--kernel", "l.log", "--initramfs", name),
        ("boot", "--kernel", "l.log", "--topology", name),
        ("boot", "--kernel", "l.log", "--machine", name),
        ("run", "--matrix", name, "--dry-run"),
        ("run", "--config", name, "--dry-run", "--tree", "nowhere"),
        ("run", "--case", name, "--dry-run", "--tree", "nowhere"),
        ("run", "--append", name, "--dry-run", "--tree", "nowhere"),
        ("send", name),
        ("check", name, "--tree", "nowhere"),
        ("series", "-o", name, "--tree", "nowhere"),
        ("series", "--templates", name, "-o", "x", "--tree", "nowhere"),
        ("build", "--config", name, "--tree", "nowhere"),
        ("build", "--set", name, "--tree", "nowhere", "--dry-run"),
        ("--config", name, "tree", "list"),
        ("--runs", name, "report", "list"),
    ):
        calm(*words)


def test_a_name_that_is_no_utf8_works_or_is_refused(home: Path) -> None:
    """What is stored of it is written out; nothing else can be kept as JSON."""
    odd = os.fsdecode(b"li\xffnux")
    kernel = home / odd
    kernel.write_bytes(b"\x7fELF")
    assert calm("boot", "--kernel", kernel)[0] == 2
    code, told = calm("run", "--case", odd, "--dry-run", "--tree", "nowhere")
    assert (code, "is not UTF-8" in told) == (2, True)


def test_a_tree_whose_name_is_no_utf8_is_taken_in(toy_tree: Path) -> None:
    odd = toy_tree.rename(toy_tree.with_name(os.fsdecode(b"li\xffnux")))
    code, told = calm("-q", "tree", "get", odd)
    assert code == 0, told
    for words in (("tree", "describe", odd), ("tree", "list"), ("tree", "list", "--json")):
        code, told = calm(*words)
        assert code == 0, told
    assert "\\udcffnux" in told


def test_a_record_of_words_that_are_no_utf8_can_be_read(home: Path) -> None:
    """Whatever the command line held, and whatever was found out on the way."""
    recorder = begin(Places(home / "cache", home / "runs"), ("slqb", "li\udcffnux"), 1)
    recorder.add(a_cell("m-k-2n", reason="li\udcffnux"))
    recorder.cell("m-k-2n", reason="\udcff", argv=("\udcff",))
    recorder.update(reason="\udcff", outcome="FAIL", status="finished")
    for form in FORMS:
        code, told = calm("report", "--format", form)
        assert code == 0, told


# ---- Ctrl-C, and again ----


@contextlib.contextmanager
def unpacking(home: Path) -> Iterator[subprocess.Popen[str]]:
    """`slqb tree get` while tar unpacks, which takes no notice of SIGTERM."""
    (home / "bin").mkdir()
    slow = home / "bin/tar"
    slow.write_text("#!/bin/sh\ntrap '' TERM\necho $$ > ../../../pid\nwhile :; do sleep 1; done\n")
    slow.chmod(0o755)
    (home / "some.tar").touch()
    env = {**sealed(home), "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    command = (Path(sys.executable).with_name("slqb"), "-q", "tree", "get", "some.tar")
    process = subprocess.Popen(command, cwd=home, env=env, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 120
        while not (home / "pid").exists() or not (home / "pid").read_text():
            assert time.monotonic() < end
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("pause", [0.0, 0.3, 1.0])
def test_who_presses_ctrl_c_again_and_again_gets_no_traceback(pause: float, home: Path) -> None:
    with unpacking(home) as process:
        for _ in range(5):
            process.send_signal(signal.SIGINT)
            time.sleep(pause)
        assert process.communicate(timeout=60)[1] == "slqb: interrupted\n"
        assert process.returncode == 130
    assert not alive(int((home / "pid").read_text()))


def test_the_second_ctrl_c_does_not_wait(home: Path) -> None:
    """The first one gives children three seconds."""
    with unpacking(home) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert time.monotonic() - began < GRACE - 0.5
