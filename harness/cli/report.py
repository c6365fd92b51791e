# SPDX-License-Identifier: GPL-2.0
"""slqb report: the stored runs."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from harness.cli import App, completion
from harness.cli.telling import lines, measure_lines
from harness.errors import HarnessError, Outcome
from harness.record import RunRecord, find_run, load, runs

FORMATS = ("text", "json")
COLUMNS = ("run", "state", "outcome", "boots", "seconds", "what")


@click.command(epilog="Example: slqb report list, or: slqb report 20260101-120000 --format json")
@click.argument("run", required=False, metavar="[RUN|list]", shell_complete=completion.RUN)
@click.option("--format", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--all", is_flag=True, help="Every test, not only those that failed.")
@click.pass_obj
def command(app: App, /, run: str | None, **options: Any) -> Outcome:
    """Show a stored RUN (the last one if none is named), or list them all."""
    form, every = options["format"], options["all"]
    if run == "list":
        _list(app, form)
        return Outcome.PASS
    folder = find_run(app.places, run)
    record = load(folder)
    if form == "json":
        click.echo(record.model_dump_json(indent=1, by_alias=True))
    else:
        _show(folder, record, every)
    return Outcome.PASS


def _show(folder: Path, record: RunRecord, every: bool) -> None:
    click.echo(f"run {record.name}, {record.state}, started {record.started}")
    if record.tree is not None:
        click.echo(f"tree {record.tree.name} from {record.tree.origin}")
    for kernel in record.kernels:
        click.echo(f"kernel {kernel.name} {kernel.release}: {folder / kernel.image}")
    told = (*lines(record, folder, every=every), *measure_lines(record))
    click.echo("\n".join([*told, f"record: {folder}"]))


def _list(app: App, form: str) -> None:
    rows = [_row(folder) for folder in runs(app.places)]
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        click.echo(f"there are no runs in {app.places.runs}", err=True)
        return
    table = Table(*COLUMNS, box=None)
    for row in rows:
        table.add_row(*(str(row[column]) for column in COLUMNS))
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def _row(folder: Path) -> dict[str, Any]:
    """One run in a list; one that cannot be read is listed, too."""
    try:
        record = load(folder)
    except HarnessError:
        unread = {"run": folder.name, "state": "unreadable"}
        return (
            dict.fromkeys(COLUMNS, "") | unread | {"what": f"`slqb report {folder.name}` says why"}
        )
    return {
        "run": record.name,
        "state": record.state,
        "outcome": record.outcome or "",
        "boots": sum(cell.outcome is not None for cell in record.cells),
        "seconds": record.seconds,
        "what": ", ".join(dict.fromkeys(cell.kernel for cell in record.cells)),
    }
