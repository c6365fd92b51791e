# SPDX-License-Identifier: GPL-2.0
"""What the shell offers for the value of an option, after each comma of a list anew."""

import re
from collections.abc import Callable, Iterable, Iterator

import click
from click.shell_completion import CompletionItem

from harness.cases import guest_cases
from harness.fragment import config_names
from harness.kernel import ALLOCATORS
from harness.machine import machine_names
from harness.matrixfile import matrix_names
from harness.places import Places
from harness.record import runs
from harness.topology import topology_names
from harness.tree import stored_trees

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem | str]]
BEGUN = re.compile(r"(.*[,+])?([^,+]*)")


def _offering(names: Callable[[Places], Iterable[str]]) -> Complete:
    """For a value, or the last of several."""

    def complete(
        ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem | str]:
        found = BEGUN.fullmatch(incomplete)
        before, begun = (found[1] or "", found[2]) if found else ("", incomplete)
        return [before + name for name in names(_places(ctx)) if name.startswith(begun)]

    return complete


def _places(ctx: click.Context) -> Places:
    given = ctx.find_root().params
    return Places.from_environment(
        {"SLQB_CACHE": given.get("cache_folder") or "", "SLQB_RUNS": given.get("runs") or ""}
    )


def _trees(places: Places) -> Iterator[str]:
    yield from ("debian:6.1", "debian:6.12")
    if places.cache.is_dir():
        yield from (tree.name for tree in stored_trees(places))


ALLOCATOR = _offering(lambda _: ALLOCATORS)
CASE = _offering(lambda _: guest_cases())
CONFIG = _offering(lambda _: config_names())
MACHINE = _offering(lambda _: machine_names())
MATRIX = _offering(lambda _: matrix_names())
RUN = _offering(lambda places: ("list", "flakes", *(folder.name for folder in runs(places))))
STORED_RUN = _offering(lambda places: (folder.name for folder in runs(places)))
TOPOLOGY = _offering(lambda _: topology_names())
TREE = _offering(_trees)
