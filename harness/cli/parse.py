# SPDX-License-Identifier: GPL-2.0
"""slqb parse LOG: the verdict on a saved console log."""

from json import dumps

import click

from harness import show
from harness.errors import Outcome
from harness.skim import heard_in
from harness.verdict import Boot, judge_heard


@click.command(
    epilog="Example: slqb parse --failed console.log, or: dmesg | slqb parse -",
)
@click.argument("log", metavar="LOG")
@click.option("--failed", is_flag=True, help="Only the tests that failed, and complaints.")
@click.option("--json", is_flag=True, help="The verdict as JSON.")
def command(log: str, failed: bool, json: bool) -> Outcome:
    """Judge a saved console LOG (- for standard input), packed by gzip, xz, bzip2, zstd or not."""
    verdict = judge_heard(heard_in(log), Boot(()))
    if json:
        click.echo(dumps(show.as_data(verdict), indent=1))
    else:
        click.echo("\n".join(show.as_text(verdict, every_case=not failed)))
    return verdict.outcome
