# SPDX-License-Identifier: GPL-2.0
"""Our time from source to verdict against that of the tree's own kunit.py, side by side.

    make bench-harness [ARGS='--rounds 5']

Both build an x86-64 kernel from the same Linux with KUnit's suites in it, boot it under QEMU
without KVM and judge it: from nothing (no objects, no compiler cache, no rendered tree),
with nothing changed, and after a line was added to the allocator's source. What is timed is
the command a person types; the processor's time beside it tells whether something else had
the machine meanwhile. The two must have run the same suites, or there is no result.
It works in a folder of its own in the cache and changes neither the templates nor the tree.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from harness import child
from harness.errors import HostError, Outcome
from harness.places import PROJECT, Places
from harness.progress import SilentProgress, shown_on
from harness.store import discard
from harness.toolchain import job_count
from harness.tree import open_tree, pristine

BAR = 0.8
KUNIT = "tools/testing/kunit/kunit.py"
# SLUB's own suite has no like in our kernel
SAME_SUITES = ("--kconfig_add", "CONFIG_EXPERT=y", "--kconfig_add", "CONFIG_SLUB_DEBUG=n")
OUR_RUN = ("run", "--config", "kunit", "--suite", "kunit", "--topology", "up", "--accel", "tcg")
ADDED = "static int bench_{number} __attribute__((used)) = {number};\n"


@dataclass(frozen=True)
class Side:
    """One of the two: how it is run, what it leaves behind, where its allocator's source is."""

    name: str
    run: Callable[[], set[str]]
    clean: Callable[[], None]
    source: Path

    def timed(self) -> tuple[Time, set[str]]:
        """How long one run took, and the suites in it."""
        wall, cpu = time.monotonic(), children_cpu()
        suites = self.run()
        return Time(time.monotonic() - wall, children_cpu() - cpu), suites

    def change(self, number: int) -> None:
        """Add a line of code that nothing was compiled with before."""
        with self.source.open("a") as stream:
            stream.write(ADDED.format(number=number))


@dataclass(frozen=True, order=True)
class Time:
    """Seconds gone by, and seconds of all processors."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} s)"


def children_cpu() -> float:
    """Seconds that ended children have used."""
    used = os.times()
    return used.children_user + used.children_system


@dataclass(frozen=True)
class Row:
    """One way of timing, both sides."""

    what: str
    ours: Time
    peer: Time

    @property
    def ratio(self) -> float:
        """Our time in theirs."""
        return self.ours.wall / self.peer.wall


def peer_side(linux: Path, folder: Path) -> Side:
    """kunit.py on a copy of the tree (links, but for the file that is changed)."""
    tree, build, report = folder / "linux", folder / "kunit", folder / "kunit.json"
    if not tree.is_dir():
        shutil.copytree(linux, tree, symlinks=True, copy_function=os.link)
    source = tree / "mm/slub.c"
    source.unlink()
    shutil.copy(linux / "mm/slub.c", source)
    where = (f"--build_dir={build}", f"--json={report}")
    jobs = f"--jobs={job_count()}"
    argv = (sys.executable, KUNIT, "run", "--arch=x86_64", jobs, *where, *SAME_SUITES)

    def run() -> set[str]:
        child.run(argv, cwd=tree, env={"PYTHONDONTWRITEBYTECODE": "1"}, outcome=Outcome.FAIL)
        return set(_suites(json.loads(report.read_text())))

    return Side("kunit.py", run, lambda: discard(build), source)


def _suites(report: dict[str, object]) -> Iterator[str]:
    groups = report["sub_groups"]
    assert isinstance(groups, list)
    return (group["name"] for group in groups)


def our_side(places: Places, folder: Path) -> Side:
    """Our command from a copy of the project, with a cache that shares the stored trees."""
    project, cache = folder / "project", folder / "cache"
    discard(project)
    for part in ("harness", "templates", "configs", "qemu", "tests/guest"):
        shutil.copytree(PROJECT / part, project / part)
    environment = {
        "PYTHONPATH": str(project),
        "SLQB_CACHE": str(cache),
        "SLQB_RUNS": str(folder / "runs"),
    }
    argv = (sys.executable, "-c", "from harness.cli import main; main()", *OUR_RUN, "--json")

    def run() -> set[str]:
        text = child.run(argv, cwd=project, env=environment, outcome=Outcome.FAIL, only_stdout=True)
        cases = [case for cell in json.loads(text)["cells"] for case in cell["cases"]]
        return {case["path"].split(".")[0] for case in cases}

    def clean() -> None:
        discard(cache)
        cache.mkdir(parents=True)
        (cache / "trees").symlink_to(places.trees)

    return Side("slqb", run, clean, project / "templates/mm/slqb.c.j2")


def compare(ours: Side, peer: Side, rounds: int) -> Iterator[Row]:
    """The three ways of timing; what is quick is done several times, the middle one counts."""
    for side in (ours, peer):
        side.clean()
    yield _row("cold", ours, peer, 1, lambda side, number: None)
    yield _row("nothing changed", ours, peer, rounds, lambda side, number: None)
    yield _row("allocator changed", ours, peer, rounds, lambda side, number: side.change(number))


def _row(
    what: str, ours: Side, peer: Side, rounds: int, prepare: Callable[[Side, int], None]
) -> Row:
    times: dict[str, list[Time]] = {ours.name: [], peer.name: []}
    for number in range(rounds):
        ran = {}
        for side in (peer, ours):
            prepare(side, number)
            seconds, ran[side.name] = side.timed()
            times[side.name].append(seconds)
        if ran[ours.name] != ran[peer.name] or not ran[ours.name]:
            different = sorted(ran[ours.name] ^ ran[peer.name])
            raise HostError(f"the suites differ, so the times mean nothing: {different}")
    return Row(what, *(statistics.median_low(times[side.name]) for side in (ours, peer)))


def table(rows: Sequence[Row]) -> Table:
    """For a person."""
    shown = Table("", "slqb (processors)", "kunit.py (processors)", "ratio", box=None)
    for row in rows:
        shown.add_row(row.what, str(row.ours), str(row.peer), f"{row.ratio:.2f}")
    return shown


@click.command()
@click.option("--tree", default="debian:6.1", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def bench(tree: str, rounds: int) -> None:
    """Time both; exit 1 if we need more than 0.8 of the time in any row."""
    places = Places.from_environment()
    folder = places.folder("bench")
    with shown_on(sys.stderr) as progress:
        linux = pristine(open_tree(tree, places, SilentProgress()), places)
        rows = []
        progress.stage("timing both, cold")
        for row in compare(our_side(places, folder), peer_side(linux, folder), rounds):
            progress.done(f"ratio {row.ratio:.2f}")
            rows.append(row)
            progress.stage("timing both")
    Console().print(table(rows))
    sys.exit(int(any(row.ratio > BAR for row in rows)))


if __name__ == "__main__":
    bench()
