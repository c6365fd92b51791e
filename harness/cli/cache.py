# SPDX-License-Identifier: GPL-2.0
"""`slqb cache`: what the cache holds, and making room in it."""

import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from harness import trash
from harness.cli import App
from harness.cli.typed import Amount, TypedOption, amount
from harness.eviction import look, remove, too_much, too_old
from harness.holding import CCACHE, FOREIGN, KEPT, TRASH, Holding
from harness.quota import age_from, shown_age, shown_size, size_from

LITTLE = 10**6
"""Bytes; of what is always kept, what takes no more is not worth a line."""
STATES = {FOREIGN: "not ours", KEPT: "kept", TRASH: "being removed"}


@click.group(
    name="cache", invoke_without_command=True, epilog="Example: slqb cache prune --older 14d"
)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool) -> None:
    """Show what the cache holds; `slqb cache prune` frees some of it.

    What was not used for --cache-age goes by itself, and what exceeds --cache-limit, least
    recently used first; never what is in use or was used within the last hour.
    """
    if ctx.invoked_subcommand is not None:
        return
    app = ctx.find_object(App)
    assert app is not None
    held = _look(app)
    if as_json:
        click.echo(json.dumps(_record(app, held), indent=2))
        return
    _print(_table(held))
    for line in _sum(app, held):
        click.echo(line)


@command.command(epilog="Example: slqb cache prune --to '20 GB' --dry-run")
@click.option(
    "--older",
    callback=amount(age_from),
    cls=TypedOption,
    metavar="AGE",
    help="What was not used for so long.",
)
@click.option(
    "--to",
    callback=amount(size_from),
    cls=TypedOption,
    metavar="SIZE",
    help="Until it takes no more.",
)
@click.option("--all", is_flag=True, cls=TypedOption, help="All that is not in use.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="What went, as JSON.")
@click.pass_obj
def prune(app: App, /, **options: Any) -> None:
    """Remove trees, worktrees and builds, least recently used first.

    Without options it removes what exceeds --cache-age and --cache-limit. What is in use stays, as
    do files that slqb did not make, and the store with the series that were sent. With --all the
    compiler cache goes, too. All that is removed is made again when it is needed.
    """
    held = _look(app)
    going = _chosen(app, held, options)
    if not options["dry_run"]:
        going = _remove(app, going, held)
    if options["as_json"]:
        click.echo(json.dumps([_one(each) for each in going], indent=2))
        return
    did = "would remove" if options["dry_run"] else "removed"
    for each in going:
        click.echo(f"{did} {each.kind} {each.name}, {shown_size(each.size)}")
    freed = shown_size(sum(each.size for each in going))
    click.echo(f"{'would free' if options['dry_run'] else 'freed'} {freed}")
    left = _total(held) - sum(each.size for each in going)
    if (limit := options["to"]) and limit.number is not None and left > limit.number:
        why = "the rest is in use, was used within the last hour, or is kept"
        click.echo(f"still {shown_size(left)}: {why}")


def _look(app: App) -> tuple[Holding, ...]:
    app.progress.stage(f"look at {app.places.cache}")
    held = look(app.places)
    app.progress.done(f"{len(held)} things")
    return held


def _chosen(app: App, held: Sequence[Holding], options: dict[str, Any]) -> tuple[Holding, ...]:
    """What shall go, with what is good for nothing without it."""
    now, quota = time.time(), app.places.quota
    if options["all"]:
        return tuple(
            each for each in held if (each.evictable or each.kind == CCACHE) and not each.in_use
        )
    age, limit = options["older"], options["to"]
    if age is None and limit is None:
        age, limit = Amount(quota.age), Amount(quota.limit)
    old = _with_dependents(too_old(held, age.number if age else None, now), held)
    left = [each for each in held if each not in old]
    much = too_much(left, int(limit.number) if limit and limit.number is not None else None, now)
    return (*old, *much)


def _with_dependents(going: Iterable[Holding], held: Sequence[Holding]) -> tuple[Holding, ...]:
    found: dict[str, Holding] = {}
    for one in going:
        for each in (*(other for other in held if one.holds(other)), one):
            found.setdefault(f"{each.kind} {each.name}", each)
    return tuple(found.values())


def _remove(app: App, going: Sequence[Holding], held: Sequence[Holding]) -> tuple[Holding, ...]:
    """Throw away and remove, now: whoever asks for room wants to see it."""
    sizes = {each.path: each.size for each in held}
    app.progress.stage("remove")
    gone = tuple(replace(each, size=sizes.get(each.path, 0)) for each in remove(going, app.places))
    trash.empty(app.places.cache)
    app.progress.done(f"{len(gone)} things")
    return gone


def _table(held: Iterable[Holding]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("kind", "name"):
        table.add_column(heading, overflow="fold")
    for heading in ("size", "last used"):
        table.add_column(heading, justify="right")
    table.add_column("")
    now = time.time()
    shown = [each for each in held if each.kind != KEPT or each.size > LITTLE]
    for each in sorted(shown, key=lambda one: (one.kind, -one.used)):
        row = (each.kind, each.name, shown_size(each.size), f"{shown_age(now - each.used)} ago")
        table.add_row(*map(_safe, row), _state(each))
    return table


def _safe(text: str) -> str:
    """A file may have any name; what is not printable is shown escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _print(table: Table) -> None:
    from harness.cli.tree import show

    show(table)


def _state(each: Holding) -> str:
    return "in use" if each.in_use else STATES.get(each.kind, "")


def _sum(app: App, held: Iterable[Holding]) -> list[str]:
    total = _total(held)
    quota, free = app.places.quota, _free(app)
    limit = "no limit" if quota.limit is None else f"limit {shown_size(quota.limit)}"
    age = "no age" if quota.age is None else f"age {shown_age(quota.age)}"
    room = f"{shown_size(free)} free on its disk"
    return [f"{app.places.cache}: {shown_size(total)} ({limit}, {age}); {room}"]


def _total(held: Iterable[Holding]) -> int:
    """Bytes of what is ours and stays."""
    return sum(each.size for each in held if each.kind not in (FOREIGN, TRASH))


def _free(app: App) -> int:
    folder = next(one for one in (app.places.cache, *app.places.cache.parents) if one.is_dir())
    return shutil.disk_usage(folder).free


def _record(app: App, held: Iterable[Holding]) -> dict[str, object]:
    held = tuple(held)
    return {
        "cache": str(app.places.cache),
        "bytes": _total(held),
        "limit": app.places.quota.limit,
        "age": app.places.quota.age,
        "free": _free(app),
        "holdings": [_one(each) for each in held],
    }


def _one(each: Holding) -> dict[str, object]:
    return {
        "kind": each.kind,
        "name": _safe(each.name),
        "path": _safe(str(each.path)),
        "bytes": each.size,
        "used": datetime.fromtimestamp(each.used, UTC).isoformat(timespec="seconds"),
        "in_use": each.in_use,
        "ours": each.kind != FOREIGN,
    }
