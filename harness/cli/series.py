# SPDX-License-Identifier: GPL-2.0
"""`slqb series`: render the templates against a tree into a mailable series."""

from pathlib import Path

import click

from harness.cli import App
from harness.cli.tree import TREE_HELP
from harness.errors import UserError
from harness.posting import commit_series, refuse_foreign, set_branch, write_mails
from harness.series import render
from harness.store import open_store
from harness.template import TEMPLATES
from harness.tree import open_tree, pristine


@click.command(
    name="series",
    epilog="Example: slqb series -o outgoing && git am --empty=drop outgoing/*.patch",
    help=f"Render SLQB against a tree into patches that `git am` takes.\n\n{TREE_HELP}",
)
@click.option("--tree", default="debian:6.1", show_default=True, metavar="TREE")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Where the mails go."
)
@click.option("--branch", metavar="NAME", help="Keep the commits under a name, to fetch them.")
@click.option(
    "--templates",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=TEMPLATES,
    metavar="DIR",
    help="Other templates than the project's.",
)
@click.option("--dry-run", is_flag=True, help="Render, but only show what would be run.")
@click.pass_obj
def command(
    app: App, tree: str, output: Path | None, branch: str | None, templates: Path, dry_run: bool
) -> None:
    """Render, commit in the private store, write."""
    if output is None and branch is None:
        raise UserError("say where the series goes: --output DIR, --branch NAME, or both")
    if output is not None:
        refuse_foreign(output)
    taken = open_tree(tree, app.places, app.progress)
    source = pristine(taken, app.places)
    series = render(taken, source, templates.absolute())
    posting = commit_series(open_store(app.places), taken, source, series)
    if dry_run:
        click.echo(posting.shell_line(output or Path("outgoing")))
        return
    if branch:
        set_branch(posting, branch)
        click.echo(f"git fetch {posting.store.path} {branch}")
    if output:
        for mail in write_mails(posting, output, app.progress):
            click.echo(mail)
