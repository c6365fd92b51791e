# SPDX-License-Identifier: GPL-2.0
"""`slqb report` as people and CI systems use it, on stored runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.child import DISK_FULL
from harness.record import RESULT, load
from tests.accounts import REAL, a_cell, a_run, flaky, stored
from tests.conftest import Command, sealed

FORMS = {
    "text": "run 20261122-232950, ",
    "json": "{",
    "junit": '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ',
    "ktap": "KTAP version 1\n",
    "kcidb": "{",
    "html": "<!DOCTYPE html>\n",
}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Where the command looks for runs; the real one is there."""
    shutil.copytree(REAL, tmp_path / "runs" / REAL.name)
    return tmp_path / "runs"


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_printed_or_written(
    slqb: Command, runs: Path, tmp_path: Path, form: str
) -> None:
    shown = slqb("report", REAL.name, "--format", form)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(FORMS[form])
    (tmp_path / "out").write_text("old")
    answer = slqb("report", "--format", form, "--output", "out")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert (tmp_path / "out").read_text() == shown.stdout
    assert not list(tmp_path.glob(".out*"))


def test_a_record_may_be_named_by_its_folder(slqb: Command, tmp_path: Path) -> None:
    answer = slqb("report", REAL, "--format", "ktap")
    assert answer.stdout.startswith("KTAP")


def test_libraries_of_other_forms_are_not_waited_for(slqb: Command, runs: Path) -> None:
    def imported(form: str) -> str:
        answer = slqb("report", "--format", form, env={"PYTHONPROFILEIMPORTTIME": "1"})
        return answer.stderr

    assert not {"kcidb_io", "junitparser"} & set(imported("text").split())
    assert "junitparser" in imported("junit").split()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "xml"), "'xml' is not one of"),
        (("--output", "no/such/folder"), "cannot write no/such/folder: No such file"),
        (("--output", "."), "cannot write"),
        (("--against", "nosuch"), "no run 'nosuch' in"),
        (("--against", REAL.name), "that is the run itself"),
        (("--against", "x", "--format", "html"), "--against: --format html is for one run"),
        (("list", "--format", "junit"), "slqb report list: --format junit is for one run"),
        (("flakes", "--against", "x"), "compares nothing"),
        (("--format", "kcidb", "--origin", "My CI"), "small letters, digits and _"),
        (("--origin", "my_ci"), "--origin is a name for --format kcidb"),
    ],
)
def test_wrong_use_is_one_line_and_two(
    slqb: Command, runs: Path, words: tuple[str, ...], said: str
) -> None:
    answer = slqb("report", *words)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["text", "html"])
def test_a_record_of_another_version_is_refused(slqb: Command, runs: Path, form: str) -> None:
    result = runs / REAL.name / RESULT
    result.write_text(result.read_text().replace("slqb-run/1", "slqb-run/7"))
    answer = slqb("report", "--format", form)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert f"{REAL.name}/{RESULT} is not a record of this version of slqb" in answer.stderr


def test_a_full_disk_is_the_hosts_fault_and_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    script = (
        "mount -t tmpfs -o size=16k slqb-test disk && echo old > disk/out;"
        ' "$@"; echo $?; cat disk/out; ls -A disk'
    )
    slqb = Path(sys.executable).with_name("slqb")
    command = (slqb, "report", REAL, "--format", "html", "--output", "disk/out")
    done = subprocess.run(
        ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *command),
        env=sealed(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["8", "old", "out"]
    assert done.stderr == f"slqb: {DISK_FULL}\n"


def newer(runs: Path, *, name: str = "20270101-000000", outcome: str = "PASS") -> None:
    """The real run again, in which all is well, or all ends so."""
    record = load(runs / REAL.name)
    cells = tuple(
        cell.model_copy(update={"outcome": outcome, "cases": (), "complaints": ()})
        for cell in record.cells
    )
    stored(runs, record.model_copy(update={"name": name, "cells": cells, "outcome": outcome}))


@pytest.mark.parametrize(
    ("outcome", "status", "last"),
    [
        ("PASS", 0, "PASS: 1 newly passing, "),
        ("CRASH", 1, "FAIL: 2 newly failing, "),
        ("HOST", 8, "HOST: 3 not known"),
    ],
)
def test_the_exit_status_of_a_comparison(
    slqb: Command, runs: Path, outcome: str, status: int, last: str
) -> None:
    newer(runs, outcome=outcome)
    answer = slqb("report", "--against", REAL.name)
    assert answer.returncode == status
    assert answer.stdout.startswith(f"run 20270101-000000 against {REAL.name}\n")
    assert answer.stdout.splitlines()[-1].startswith(last)
    assert "slow: a boot by 2 times and 10 s of processor time" in answer.stdout


def test_a_comparison_as_json(slqb: Command, runs: Path) -> None:
    newer(runs, outcome="CRASH")
    answer = slqb("report", "--against", REAL.name, "--format", "json")
    data = json.loads(answer.stdout)
    assert (answer.returncode, data["exit_code"], data["counts"]["failing"]) == (1, 1, 2)
    assert {one["before"] for one in data["differences"] if not one["case"]} == {"PASS"}


def test_a_run_that_was_cut_off_is_not_the_kernels_fault(slqb: Command, tmp_path: Path) -> None:
    stored(tmp_path / "runs", a_run(a_cell(), name="a"))
    stored(tmp_path / "runs", a_run(a_cell(outcome=None), name="b", outcome="INTERRUPTED"))
    assert slqb("report", "b", "--against", "a").returncode == 8


def test_flakes(slqb: Command, tmp_path: Path) -> None:
    for name, cell in (("a", a_cell()), ("b", flaky()), ("c", a_cell())):
        stored(tmp_path / "runs", a_run(cell, name=name))
    other = stored(tmp_path / "runs", a_run(name="d")) / RESULT
    other.write_text("{}")
    answer = slqb("report", "flakes")
    lines = answer.stdout.splitlines()
    assert lines[1].split() == ["m-k-2n", "1", "4", "25.0%", "1", "b"]
    assert lines[2].split() == ["m-k-2n", "slabtest.one", "1", "4", "25.0%", "1", "b"]
    assert lines[-1].startswith("3 runs, 4 boots, 2 flakes; ")
    assert "not counted: 1 records of other versions" in answer.stderr
    data = json.loads(slqb("report", "flakes", "--format", "json").stdout)
    assert (data["unread"], data["flakes"][0]["rate"]) == (["d"], 0.25)


def test_no_flakes_at_all(slqb: Command) -> None:
    answer = slqb("report", "flakes")
    assert (answer.returncode, answer.stdout[:27]) == (0, "0 runs, 0 boots, 0 flakes; ")


def test_wide_lists_are_not_folded_into_a_pipe(slqb: Command, tmp_path: Path) -> None:
    cells = [a_cell(f"machine-kernel{number}-2n") for number in range(12)]
    stored(tmp_path / "runs", a_run(*cells))
    assert len(slqb("report", "list").stdout.splitlines()) == 2
