# SPDX-License-Identifier: GPL-2.0
"""slqb parse LOG: the verdict on a saved console log."""

import sys
from json import dumps
from pathlib import Path

import click

from harness import show
from harness.console import saved
from harness.errors import Outcome, UserError
from harness.verdict import Boot, judge


@click.command(
    epilog="Example: slqb parse --failed console.log, or: dmesg | slqb parse -",
)
@click.argument("log", metavar="LOG")
@click.option("--failed", is_flag=True, help="Only the tests that failed, and complaints.")
@click.option("--json", is_flag=True, help="The verdict as JSON.")
def command(log: str, failed: bool, json: bool) -> Outcome:
    """Judge a saved console LOG (- for standard input)."""
    lines = tuple(saved(_read(log)))
    verdict = judge(Boot(lines))
    if json:
        click.echo(dumps(show.as_data(verdict), indent=1))
    else:
        click.echo("\n".join(show.as_text(verdict, every_case=not failed)))
    return verdict.outcome


def _read(log: str) -> list[str]:
    if log == "-":
        return sys.stdin.buffer.read().decode(errors="replace").splitlines()
    try:
        return Path(log).read_bytes().decode(errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"cannot read {log}: {error.strerror}") from error
