# SPDX-License-Identifier: GPL-2.0
"""`slqb series`: render the templates against a tree into a mailable series."""

from pathlib import Path
from typing import Any

import click

from harness.author import author_of
from harness.cli import App
from harness.cli.options import of_templates, of_tree
from harness.errors import UserError
from harness.letter import Letter, changes_until, measures_told, stale, tests_told
from harness.places import Places
from harness.posting import Posting, commit_series, refuse_foreign, set_branch, write_mails
from harness.record import RunRecord, find_run, load
from harness.sent import latest, range_diff
from harness.series import render
from harness.store import open_store
from harness.tree import open_tree, pristine
from harness.worktree import digest_of_files

NEXT = "next"


@click.command(
    name="series",
    epilog="Example: slqb series -o outgoing && git am --empty=drop outgoing/*.patch",
    help="Render SLQB against a tree into patches that `git am` takes.",
)
@of_tree
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Where the mails go."
)
@click.option("--branch", metavar="NAME", help="Keep the commits under a name, to fetch them.")
@click.option(
    "--reroll",
    is_flag=False,
    flag_value=NEXT,
    metavar="[N]",
    help="A later version: the one after the last that was sent, or version N.",
)
@click.option(
    "--run",
    "stored",
    multiple=True,
    metavar="RUN",
    help="Tell of a stored run of this very series in the cover letter; may be repeated.",
)
@click.option("--in-reply-to", default="", metavar="ID", help="The message to answer.")
@of_templates
@click.option("--dry-run", is_flag=True, help="Render, but only show what would be run.")
@click.pass_obj
def command(app: App, /, **options: Any) -> None:
    """Render, commit in the private store, write."""
    output, branch = options["output"], options["branch"]
    if output is None and branch is None:
        raise UserError("say where the series goes: --output DIR, --branch NAME, or both")
    if output is not None:
        refuse_foreign(output)
    author = author_of(Path.cwd())
    taken = open_tree(options["tree"], app.places, app.progress)
    source = pristine(taken, app.places)
    templates = options["templates"].absolute()
    series = render(taken, source, templates)
    posting = commit_series(open_store(app.places), taken, source, series, author)
    letter = _letter(posting, templates, options["reroll"], options["stored"], app.places)
    if options["dry_run"]:
        click.echo(posting.shell_line((output or Path("outgoing")).absolute(), letter.version))
        return
    if branch:
        set_branch(posting, branch)
        click.echo(f"git fetch {posting.store.path} {branch}")
    if output:
        reply_to = bracketed(options["in_reply_to"])
        for mail in write_mails(posting, output, app.progress, letter, reply_to):
            click.echo(mail)


def bracketed(text: str) -> str:
    """<ID> however it was given; an empty one stays so."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    if not bare:
        return ""
    if "@" not in bare or bare.split() != [bare]:
        raise UserError(f"--in-reply-to {text!r} is no Message-ID, as in <1234@host.example>")
    return f"<{bare}>"


def _letter(
    posting: Posting, templates: Path, reroll: str | None, stored: tuple[str, ...], places: Places
) -> Letter:
    version = _version(posting, reroll)
    records = [_fresh(name, posting, places) for name in stored]
    return Letter(
        version=version,
        changes=changes_until(templates, version),
        range_diff=range_diff(posting, version - 1) if version > 1 else "",
        runs=tuple(record.name for record in records),
        tests=tests_told(records),
        measures=measures_told(records),
    )


def _version(posting: Posting, reroll: str | None) -> int:
    if reroll is None:
        return 1
    last = latest(posting.store, posting.series.change_id)
    if reroll == NEXT:
        if not last:
            raise UserError("--reroll: no version of this series was sent yet, so the next is v1")
        return last + 1
    if not reroll.isdigit() or int(reroll) < 2:
        raise UserError(f"--reroll {reroll}: a version is a number from 2 on")
    if int(reroll) > last + 1:
        raise UserError(f"--reroll {reroll}: v{int(reroll) - 1} was not sent")
    return int(reroll)


def _fresh(name: str, posting: Posting, places: Places) -> RunRecord:
    record = load(find_run(places, name))
    if why := stale(record, digest_of_files(posting.tree, posting.series.files)):
        raise UserError(f"--run {name}: {why}")
    return record
