# SPDX-License-Identifier: GPL-2.0
"""slqb report: the stored runs."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.child import DISK_FULL, fault_of
from harness.cli import App, completion
from harness.cli.telling import lines, measure_lines
from harness.errors import HarnessError, Outcome, UserError
from harness.file import write_output
from harness.record import RunRecord, find_run, load, runs
from harness.terminal import visible

FORMATS = ("text", "json", "junit", "ktap", "kcidb", "html")
OF_MANY = FORMATS[:2]
"""The forms for what is not one run."""
NEWLINE = "\n"
COLUMNS = ("run", "state", "outcome", "boots", "seconds", "what")
WIDE = 1 << 16
"""Columns of what is no terminal: one line for a run, whatever is in it."""
FLAKE_COLUMNS = ("boot", "test", "failed", "of", "rate", "kernels", "last in")
FLAKE_RULE = (
    "a flake failed and passed with the same image, initramfs, boot and options; "
    "boots that the host spoilt do not count"
)


@click.command(
    epilog="Example: slqb report 20260101-120000 --format html --output run.html, "
    "or: slqb report --against 20260101-120000"
)
@click.argument("run", required=False, metavar="[RUN|list|flakes]", shell_complete=completion.RUN)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="JUnit XML, KTAP, KernelCI's JSON, or one HTML page with all in it.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Instead of standard output."
)
@click.option(
    "--against",
    metavar="RUN",
    shell_complete=completion.STORED_RUN,
    help="What changed since that run; 1 if something newly fails or is flaky.",
)
@click.option("--origin", metavar="NAME", help="The CI system's name in kcidb.  [default: slqb]")
@click.option("--all", is_flag=True, help="Every test, not only those that failed.")
@click.pass_obj
def command(app: App, /, run: str | None, **options: Any) -> Outcome:
    """Show a stored RUN (the last one if none is named), or compare it with another.

    Instead of RUN, `list` shows all of them, and `flakes` what came out differently on one kernel.
    """
    form = options["format"]
    outcome = Outcome.PASS
    _unless(options["origin"] and form != "kcidb", "--origin is a name for --format kcidb")
    if run in ("list", "flakes"):
        _only(OF_MANY, form, f"slqb report {run}")
        _unless(options["against"], f"slqb report {run} --against compares nothing; name a run")
        text = (_list if run == "list" else _flakes)(app, form)
    elif options["against"] is not None:
        _only(OF_MANY, form, "--against")
        text, outcome = _compare(app, run, options["against"], form)
    else:
        text = _report(find_run(app.places, run), options)
    _give(text, options["output"])
    return outcome


def _only(forms: Sequence[str], form: str, what: str) -> None:
    if form not in forms:
        raise UserError(f"{what}: --format {form} is for one run; here: {', '.join(forms)}")


def _unless(wrong: object, why: str) -> None:
    if wrong:
        raise UserError(why)


def _report(folder: Path, options: Mapping[str, Any]) -> str:
    """One run in one form."""
    form = options["format"]
    if form == "text":
        return "\n".join(_text(folder, load(folder), options["all"]))
    if form == "json":
        return load(folder).model_dump_json(indent=1, by_alias=True)
    return _maker(form, options["origin"])(folder)


def _maker(form: str, origin: str | None) -> Callable[[Path], str]:
    """What makes a form; its libraries are imported when it is asked for."""
    from harness.reports.account import account_of

    if form == "junit":
        from harness.reports.junit import junit

        return lambda folder: junit(account_of(folder))
    if form == "ktap":
        from harness.reports.ktap import ktap

        return lambda folder: ktap(account_of(folder))
    if form == "kcidb":
        from harness.reports.kcidb import ORIGIN, checked_origin, kcidb

        name = checked_origin(origin or ORIGIN)
        return lambda folder: kcidb(account_of(folder), name)
    from harness.reports.page import page

    return lambda folder: page(account_of(folder))


def _give(text: str, output: Path | None) -> None:
    """Print it, or write it so that nobody ever sees half of it."""
    if output is None:
        if text:
            click.echo(text.removesuffix("\n"))
        return
    if output.is_dir():
        raise UserError(f"cannot write {output}: it is a folder")
    try:
        write_output(output, f"{text.removesuffix(NEWLINE)}\n".encode(errors="backslashreplace"))
    except OSError as error:
        if fault_of(error) == DISK_FULL:
            raise
        raise UserError(f"cannot write {output}: {fault_of(error)}") from error


def _compare(app: App, run: str | None, against: str, form: str) -> tuple[str, Outcome]:
    from harness.reports.account import account_of
    from harness.reports.comparison import as_data, as_text, compare

    now, before = find_run(app.places, run), find_run(app.places, against)
    if now.resolve() == before.resolve():
        raise UserError(f"--against {against}: that is the run itself")
    found = compare(account_of(now), account_of(before))
    text = json.dumps(as_data(found), indent=1) if form == "json" else "\n".join(as_text(found))
    return text, found.outcome


def _text(folder: Path, record: RunRecord, every: bool) -> Iterator[str]:
    yield f"run {record.name}, {record.state}, started {record.started}"
    if record.tree is not None:
        yield f"tree {record.tree.name} from {record.tree.origin}"
    for kernel in record.kernels:
        yield f"kernel {kernel.name} {kernel.release}: {folder / kernel.image}"
    yield from (*lines(record, folder, every=every), *measure_lines(record, every=every))
    yield f"record: {folder}"


def _flakes(app: App, form: str) -> str:
    from harness.reports.flakes import as_data, flakes

    unread: list[str] = []
    found = flakes(_readable(app, unread))
    if unread:
        app.progress.note(f"not counted: {len(unread)} records of other versions of slqb")
    if form == "json":
        return json.dumps(as_data(found) | {"unread": unread}, indent=1)
    rows = [
        (one.cell, one.case, one.failed, one.boots, f"{one.rate:.1%}", one.kernels, one.runs[-1])
        for one in found.flakes
    ]
    told = f"{found.runs} runs, {found.boots} boots, {len(rows)} flakes; {FLAKE_RULE}"
    return "\n".join([*([_table(FLAKE_COLUMNS, rows)] if rows else []), told])


def _readable(app: App, unread: list[str]) -> Iterator[RunRecord]:
    """All records but those of other versions, whose names are collected."""
    for folder in runs(app.places):
        try:
            yield load(folder)
        except HarnessError:
            unread.append(folder.name)


def _list(app: App, form: str) -> str:
    rows = [_row(folder) for folder in runs(app.places)]
    if form == "json":
        return json.dumps(rows, indent=1)
    if not rows:
        click.echo(f"there are no runs in {app.places.runs}", err=True)
        return ""
    return _table(COLUMNS, [[row[column] for column in COLUMNS] for row in rows])


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*(Text(visible(str(cell))) for cell in row))
    sink = StringIO()
    width = Console().width if sys.stdout.isatty() else WIDE
    Console(file=sink, width=width).print(table)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines())


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
