# SPDX-License-Identifier: GPL-2.0
"""`slqb tree`: get, list and describe kernel trees."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from json import dumps
from shutil import get_terminal_size

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli import App, completion
from harness.probe import Capabilities, probe
from harness.terminal import visible
from harness.tree import Tree, open_tree, pristine, stored_trees

ALLOCATORS = ("slab", "slub", "slob", "slqb")
TREE_HELP = (
    "TREE is debian:6.1 (a Debian package), a directory, a tarball, a git checkout,"
    " REPOSITORY@REVISION, or a name that `slqb tree list` shows."
)


@click.group(
    name="tree",
    epilog="Example: slqb tree describe debian:6.1",
    help=f"Get, list and describe kernel trees.\n\n{TREE_HELP}",
)
def command() -> None:
    """The group."""


@command.command(epilog="Example: slqb tree get ~/linux@v6.1", help=f"Take TREE in.\n\n{TREE_HELP}")
@click.argument("tree", shell_complete=completion.TREE)
@click.option("--json", is_flag=True, help="The tree's record as JSON.")
@click.pass_obj
def get(app: App, tree: str, json: bool) -> None:
    """Take a tree into the cache; its origin is only read."""
    taken = open_tree(tree, app.places, app.progress)
    click.echo(dumps(_record(app, taken), indent=2) if json else taken.name)


@command.command(name="list", epilog="Example: slqb tree list --json")
@click.option("--json", is_flag=True, help="The records as JSON.")
@click.pass_obj
def list_(app: App, json: bool) -> None:
    """Show the trees in the cache."""
    trees = tuple(stored_trees(app.places))
    if json:
        click.echo(dumps([_record(app, tree) for tree in trees], indent=2))
    elif trees:
        show(_list(trees))
    else:
        click.echo("no trees yet: slqb tree get debian:6.1", err=True)


@command.command(
    epilog="Example: slqb tree describe debian:6.1 --json",
    help=f"Show what TREE can do, and the line that proves each capability.\n\n{TREE_HELP}",
)
@click.argument("tree", shell_complete=completion.TREE)
@click.option("--json", is_flag=True, help="The same as JSON.")
@click.pass_obj
def describe(app: App, tree: str, json: bool) -> None:
    """Version, allocators, capabilities."""
    taken = open_tree(tree, app.places, app.progress)
    found = probe(pristine(taken, app.places))
    if json:
        click.echo(dumps(_description(app, taken, found), indent=2))
        return
    for line in (*_heading(app, taken, found), "", *_capabilities(found), ""):
        click.echo(line)
    click.echo(f"not found   {', '.join(name for name, proof in found.items() if not proof)}")


def _record(app: App, tree: Tree) -> dict[str, object]:
    return {**tree.model_dump(mode="json"), "source": str(pristine(tree, app.places))}


def _description(app: App, tree: Tree, found: Capabilities) -> dict[str, object]:
    proofs = {name: asdict(proof) if proof else None for name, proof in found.items()}
    return {
        **_record(app, tree),
        "allocators": [name for name in ALLOCATORS if found.get(name)],
        "capabilities": proofs,
    }


def _heading(app: App, tree: Tree, found: Capabilities) -> Iterator[str]:
    yield f"tree        {tree.name}"
    yield f"version     {tree.release}"
    yield f"origin      {tree.title}"
    yield f"base        {tree.base}" + (f" ({tree.upstream})" if tree.upstream else "")
    yield f"source      {pristine(tree, app.places)}"
    if tree.dirty:
        yield "changes     uncommitted ones are in it, taken as they were"
    allocators = [name.upper() for name in ALLOCATORS if found.get(name)]
    yield f"allocators  {', '.join(allocators) or 'none found'}"


def _list(trees: Iterable[Tree]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("tree", "version", "origin", "base"):
        table.add_column(heading, overflow="fold")
    for tree in trees:
        dirty = ", uncommitted changes" if tree.dirty else ""
        row = (tree.name, tree.release, tree.title + dirty, tree.base[:12])
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table


def _capabilities(found: Capabilities) -> Iterator[str]:
    """Name, place, and of the line what the terminal has room for."""
    rows = [(name, f"{it.file}:{it.line}", it.text) for name, it in found.items() if it]
    names = max((len(name) for name, _, _ in rows), default=0)
    places = max((len(place) for _, place, _ in rows), default=0)
    room = get_terminal_size().columns if sys.stdout.isatty() else None
    for name, place, text in rows:
        yield f"{name:{names}}  {place:{places}}  {' '.join(text.split())}"[:room]


def show(table: Table) -> None:
    """As wide as the terminal; without one nothing is wrapped."""
    width = None if sys.stdout.isatty() else 240
    Console(highlight=False, width=width, color_system=None).print(table)
