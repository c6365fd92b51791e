# SPDX-License-Identifier: GPL-2.0
"""Runs to report on: a real one, stored below tests/data, and what one makes of its models."""

from collections.abc import Iterable
from pathlib import Path

from harness.boot import CONSOLE_LOG
from harness.record import (
    RESULT,
    AttemptRecord,
    CaseRecord,
    CellRecord,
    ComplaintRecord,
    HostRecord,
    KernelRecord,
    RunRecord,
    TreeRecord,
)
from harness.reports.account import Account, account_of
from tests.conftest import DATA

REAL = DATA / "runs" / "20261122-232950"
"""A boot that passed, one that crashed, one without a console."""
LEFT_OUT = (
    {"name": "m-up-2n", "reason": "one CPU"},
    {"name": "m-k-altix", "reason": "no room"},
    {"name": "m-up-4n", "reason": "one CPU"},
)
NASTY = "</pre><script>window.owned=1</script><img src=x onerror=window.owned=1>&lt;b> ]]> \"'"
"""What a console could say to a page or to XML."""


def real() -> Account:
    """The account of the stored run."""
    return account_of(REAL)


def a_case(path: str = "slabtest.one", status: str = "pass", reason: str = "") -> CaseRecord:
    """A test on lines 3 and 4."""
    return CaseRecord(path=path, status=status, reason=reason, lines=(3, 4))


def a_complaint(headline: str = "BUG: bad", path: str = "") -> ComplaintRecord:
    """A complaint on lines 5 and 6."""
    return ComplaintRecord(kind="bug", headline=headline, path=path, lines=(5, 6))


def a_cell(name: str = "m-k-2n", outcome: str | None = "PASS", **more: object) -> CellRecord:
    """A boot that is over."""
    machine, _, topology = name.partition("-")[0], "", name.rpartition("-")[2]
    kernel = name.removesuffix(f"-{topology}")
    known = {"status": "finished", "folder": name, "seconds": 10.0, "cases": (a_case(),)}
    given = {"name": name, "kernel": kernel, "machine": machine, "topology": topology}
    return CellRecord.model_validate({**given, **known, "outcome": outcome, **more})


def flaky(name: str = "m-k-2n", outcome: str = "FAIL", **more: object) -> CellRecord:
    """A boot that failed and passed when it was repeated."""
    tries = (
        AttemptRecord(outcome=outcome, reason="first", seconds=9.0, folder=name),
        AttemptRecord(outcome="PASS", seconds=10.0, folder=f"{name}-again"),
    )
    given = {"attempts": tries, "reason": "first", "cases": (a_case(status="fail"), a_case("x.y"))}
    return a_cell(name, outcome, **{**given, **more})


def a_run(*cells: CellRecord, name: str = "20260101-000000", **more: object) -> RunRecord:
    """A run of these."""
    worst = next((cell for cell in cells if cell.outcome != "PASS"), None)
    kernels = tuple(
        KernelRecord(
            name=kernel, image=f"{kernel}/vmlinux", image_sha256="0" * 64, arch="x86_64",
            allocator="slqb", config_name="lean", compiler="gcc 12",
        )
        for kernel in dict.fromkeys(cell.kernel for cell in cells)
    )  # fmt: skip
    given: dict[str, object] = {
        "status": "finished",
        "outcome": worst.outcome if worst else "PASS",
        "reason": worst.reason if worst else "",
        "exit_code": 0,
        "seconds": 20.0,
        "kernels": kernels,
        "tree": TreeRecord(name="toy", origin="debian:6.1", release="6.1.192", base="b"),
    }
    host = HostRecord(
        system="Linux 6", machine="x86_64", cores=2, memory_mib=1, python="3", slqb="0",
        qemu="QEMU 7", accelerator="tcg",
    )  # fmt: skip
    return RunRecord.model_validate(
        {
            "name": name, "started": "2026-01-01T00:00:00+00:00", "command": ("slqb", "run"),
            "seed": 7, "pid": 1, "born": 1, "host": host, "cells": cells, **given, **more,
        }
    )  # fmt: skip


def stored(runs: Path, record: RunRecord, console: Iterable[str] = ()) -> Path:
    """A run's folder; every boot said the same."""
    folder = runs / record.name
    text = "".join(f"{at:9.3f} | {line}\n" for at, line in enumerate(console))
    for cell in record.cells:
        if cell.folder and text:
            (folder / cell.folder).mkdir(parents=True)
            (folder / cell.folder / CONSOLE_LOG).write_text(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(record.model_dump_json(by_alias=True))
    return folder


def account(tmp_path: Path, record: RunRecord, console: Iterable[str] = ()) -> Account:
    """The same as an account."""
    return account_of(stored(tmp_path, record, console))
