# SPDX-License-Identifier: GPL-2.0
"""`slqb send`: hand the mails of a series to `git send-email`."""

from pathlib import Path
from typing import Any

import click

from harness import child
from harness.author import Author, author_of
from harness.cli import App
from harness.cli.options import of_tree
from harness.cli.typed import TypedOption
from harness.errors import HostError, Outcome, UserError
from harness.mail import apply_mails, commit_mails, read_mails
from harness.posting import manifest_of
from harness.preflight import Departure, items
from harness.proved import recall
from harness.recipients import Recipients, distinct, recipients_of
from harness.sent import keep_sent, latest
from harness.store import open_store
from harness.tree import open_tree, pristine

# The mails are threaded as they are, and nobody is added to those who were shown, whatever
# sendemail.to, cc, bcc and toCmd are set to. `true` is a command that names nobody.
WORDS = (
    *("--no-thread", "--suppress-cc=all", "--confirm=never", "--no-annotate"),
    *("--no-to", "--no-cc", "--no-bcc", "--to-cmd=true", "--no-to-cover", "--no-cc-cover"),
)


@click.command(epilog="Example: slqb send outgoing, and when the list is green: --really")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@of_tree
@click.option("--to", multiple=True, metavar="ADDRESS", help="Somebody else to address.")
@click.option("--cc", multiple=True, metavar="ADDRESS", help="Somebody else who gets a copy.")
@click.option(
    "--really", is_flag=True, cls=TypedOption, help="Send it; else only show what would leave."
)
@click.option(
    "--reflect", is_flag=True, cls=TypedOption, help="Send it to yourself and to nobody else."
)
@click.pass_obj
def command(app: App, /, **options: Any) -> Outcome:
    """Look over the mails in DIR, show who gets them, and with --really send them.

    Nothing leaves while an item of the list is not good. The mail server is the one of your git
    config (sendemail.*).
    """
    mails = read_mails(options["folder"])
    author = author_of(Path.cwd())
    tree = open_tree(options["tree"], app.places, app.progress)
    store = open_store(app.places)
    steps = list(apply_mails(store, tree.base, mails))
    manifest = manifest_of(options["folder"])
    everybody = recipients_of(pristine(tree, app.places), mails)
    departure = Departure(
        mails=mails,
        author=author,
        manifest=manifest,
        tree=steps[-1].tree,
        checked=recall(app.places, mails),
        last_sent=latest(store, manifest.change_id) if manifest.change_id else 0,
        recipients=everybody.with_more(options["to"], options["cc"]),
    )
    looked_at = items(departure)
    recipients = _himself(author) if options["reflect"] else departure.recipients
    for line in (*looked_at, *_addresses(recipients)):
        click.echo(line)
    words = _words(author, recipients, [mail.path for mail in mails])
    if not options["really"] and not options["reflect"]:
        click.echo(f"nothing was sent; --really does: {child.command_line(words, Path.cwd())}")
        return Outcome.PASS
    if options["really"] and not all(item.good for item in looked_at):
        raise UserError("nothing was sent: see the items that say NO")
    _send(words)
    if options["really"] and not options["reflect"]:
        keep_sent(
            store, manifest.change_id, mails[0].version, commit_mails(store, tree.base, steps)
        )
    click.echo(f"sent {len(mails)} mails" + (f" to {author.email}" * options["reflect"]))
    return Outcome.PASS


def _himself(author: Author) -> Recipients:
    return distinct((author.email,), ())


def _addresses(recipients: Recipients) -> list[str]:
    return [*(f"To: {one}" for one in recipients.to), *(f"Cc: {one}" for one in recipients.cc)]


def _words(author: Author, recipients: Recipients, mails: list[Path]) -> tuple[str, ...]:
    people = (*(f"--to={one}" for one in recipients.to), *(f"--cc={one}" for one in recipients.cc))
    return (
        "git",
        "send-email",
        *WORDS,
        f"--from={author.address}",
        *people,
        *(str(mail.absolute()) for mail in mails),
    )


def _send(words: tuple[str, ...]) -> None:
    """With the user's own git settings, which name the server."""
    said = child.run(("git", "--exec-path"), cwd=Path.cwd(), only_stdout=True).strip()
    if not Path(said, "git-send-email").is_file():
        raise HostError("this host lacks git send-email: apt-get install git-email")
    child.run(words, cwd=Path.cwd())
