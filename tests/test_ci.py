# SPDX-License-Identifier: GPL-2.0
"""The definitions for CI systems: what the linters say, and the script that they call.

A linter that finds nothing wrong with a broken definition would go unnoticed, so each is
shown one.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.machine import machine_names
from harness.matrixfile import load_matrix, matrix_names
from harness.places import PROJECT

WORKFLOW = PROJECT / ".github" / "workflows" / "matrix.yml"
GITLAB = PROJECT / ".gitlab-ci.yml"
SCHEMAS = {
    "vendor.github-workflows": WORKFLOW,
    "custom.github-workflows-require-timeout": WORKFLOW,
    "vendor.gitlab-ci": GITLAB,
}
MATRICES = matrix_names()
REPORTS = ("run.html", "junit.xml", "kcidb.json", "run.txt")
SLQB = """\
#!/bin/sh
echo "$@" >> calls
case "$1" in
run) [ -z "{run}" ] || echo '{{"name": "{run}"}}'; exit {status} ;;
report) echo told > "$6"; exit {told} ;;
esac
"""


def linted(program: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """A linter of our virtual environment; none of them asks the network."""
    argv = (Path(sys.executable).with_name(program), *words)
    return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)


def against(schema: str, file: Path) -> "subprocess.CompletedProcess[str]":
    """A file and a schema that check-jsonschema brings."""
    return linted(
        "check-jsonschema", "--builtin-schema", schema, file, "--data-transform", "gitlab-ci"
    )


def zizmor(file: Path) -> "subprocess.CompletedProcess[str]":
    """What is unsafe in a workflow."""
    return linted("zizmor", "--offline", "--persona", "pedantic", file)


def changed(tmp_path: Path, file: Path, old: str, new: str) -> Path:
    """A definition with a mistake in it."""
    text = file.read_text()
    assert old in text
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / file.name).write_text(text.replace(old, new))
    return folder / file.name


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_definitions_agree_with_their_schemas(schema: str) -> None:
    done = against(schema, SCHEMAS[schema])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("schema", "old", "new"),
    [
        ("vendor.github-workflows", "runs-on:", "runson:"),
        ("custom.github-workflows-require-timeout", "timeout-minutes: 120", "# none"),
        ("vendor.gitlab-ci", "interruptible: true", "interruptible: perhaps"),
    ],
)
def test_a_schema_finds_a_mistake(tmp_path: Path, schema: str, old: str, new: str) -> None:
    assert against(schema, changed(tmp_path, SCHEMAS[schema], old, new)).returncode == 1


def test_the_workflow_is_safe() -> None:
    done = zizmor(WORKFLOW)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "checkout@main"),
        ("permissions: {}", "permissions: write-all"),
        ('.ci/matrix "$MATRIX"', ".ci/matrix ${{ inputs.matrix }}"),
        ("persist-credentials: false", "fetch-depth: 1"),
    ],
)
def test_what_is_unsafe_is_found(tmp_path: Path, old: str, new: str) -> None:
    assert zizmor(changed(tmp_path, WORKFLOW, old, new)).returncode > 10


def test_the_yaml_is_tidy(tmp_path: Path) -> None:
    files = (WORKFLOW, GITLAB, PROJECT / ".yamllint")
    done = linted("yamllint", "--strict", *files)
    assert done.returncode == 0, done.stdout
    assert linted("yamllint", "--strict", changed(tmp_path, GITLAB, "  rules", " rules")).returncode


def steps(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from job["steps"]


def test_every_action_is_pinned_and_says_which_release_that_is() -> None:
    uses = re.findall(r"uses: (\S+)@(\S+)  # (\S+)", WORKFLOW.read_text())
    assert len(uses) == WORKFLOW.read_text().count("uses: ")
    for _, commit, release in uses:
        assert re.fullmatch(r"[0-9a-f]{40}", commit)
        assert re.fullmatch(r"v\d+\.\d+\.\d+", release)
    assert {action.split("/")[0] for action, *_ in uses} == {"actions"}


def test_a_push_is_smoke_and_the_night_is_nightly() -> None:
    text = WORKFLOW.read_text()
    workflow = yaml.safe_load(text)
    options = workflow["on"]["workflow_dispatch"]["inputs"]["matrix"]["options"]
    assert sorted(options) == sorted(MATRICES)
    assert "github.event_name == 'schedule' && 'nightly') || 'smoke'" in text
    gitlab = yaml.safe_load(GITLAB.read_text())
    named = {name: job["variables"]["MATRIX"] for name, job in gitlab.items()
             if name in ("smoke", "nightly")}  # fmt: skip
    assert named == {"smoke": "smoke", "nightly": "nightly"}
    assert set(named) <= set(MATRICES)


def test_every_machine_has_a_job_but_smoke_needs_one() -> None:
    machines = set(machine_names())
    text = yaml.safe_load(WORKFLOW.read_text())["jobs"]["matrix"]["strategy"]["matrix"]["machine"]
    every, one = (json.loads(found) for found in re.findall(r"'(\[.*?\])'", text))
    assert set(every) == machines
    gitlab = yaml.safe_load(GITLAB.read_text())
    for name in ("nightly", "chosen"):
        assert set(gitlab[name]["parallel"]["matrix"][0]["MACHINE"]) == machines
    assert list(load_matrix("smoke").machines) == one == [gitlab["smoke"]["variables"]["MACHINE"]]


def test_both_keep_what_the_script_leaves() -> None:
    workflow, gitlab = (yaml.safe_load(file.read_text()) for file in (WORKFLOW, GITLAB))
    kept = [
        one["with"] for one in steps(workflow["jobs"]["matrix"]) if "upload" in one.get("uses", "")
    ]
    assert kept[0]["path"] == "report"
    artifacts = gitlab[".matrix"]["artifacts"]
    assert (artifacts["when"], artifacts["paths"]) == ("always", ["report"])
    assert artifacts["reports"]["junit"] == "report/junit.xml"
    assert gitlab["variables"]["SLQB_CACHE"].endswith("/.cache/slqb")
    for job in workflow["jobs"].values():
        said = [one["run"] for one in steps(job) if "GITHUB_ENV" in one.get("run", "")]
        assert "SLQB_CACHE=$GITHUB_WORKSPACE/.cache/slqb" in said[0]
    assert "/.cache/" in (PROJECT / ".gitignore").read_text().split()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project just large enough for the script."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci" / "matrix", tmp_path / ".ci")
    (tmp_path / "Makefile").write_text("setup:\n\t@echo set up >> calls\n")
    return tmp_path


def run_matrix(
    project: Path, *words: str, status: int = 0, told: int = 0, run: str = "20260101-000000"
) -> int:
    slqb = project / ".venv" / "bin" / "slqb"
    slqb.parent.mkdir(parents=True)
    slqb.write_text(SLQB.format(status=status, told=told, run=run))
    slqb.with_name("python").symlink_to(sys.executable)
    slqb.chmod(0o755)
    argv = (str(project / ".ci" / "matrix"), *words)
    return subprocess.run(argv, cwd="/", check=False, capture_output=True).returncode


@pytest.mark.parametrize("status", [0, 1, 6, 8, 130])
def test_the_script_reports_whatever_came_of_the_run(project: Path, status: int) -> None:
    (project / "report").mkdir()
    (project / "report" / "old").touch()
    assert run_matrix(project, "smoke", "--jobs", "2", status=status) == status
    found = sorted(one.name for one in (project / "report").iterdir())
    assert found == sorted((*REPORTS, "result.json"))
    calls = (project / "calls").read_text().splitlines()
    assert calls[:2] == ["set up", "run --json --matrix smoke --jobs 2"]
    assert all(call.startswith("report 20260101-000000 --format ") for call in calls[2:])


@pytest.mark.parametrize(("status", "end"), [(2, 2), (8, 8), (0, 8)])
def test_a_run_that_did_not_begin_does_not_report_the_one_before(
    project: Path, status: int, end: int
) -> None:
    assert run_matrix(project, "nosuch", status=status, run="") == end
    assert not list((project / "report").iterdir())


def test_a_report_that_fails_does_not_pass(project: Path) -> None:
    assert run_matrix(project, "smoke", told=8) == 8


def test_a_report_that_fails_does_not_hide_the_verdict(project: Path) -> None:
    assert run_matrix(project, "smoke", status=6, told=8) == 6


def test_without_a_matrix_the_script_says_what_it_wants(project: Path) -> None:
    assert run_matrix(project) != 0
    assert not (project / "calls").exists()
