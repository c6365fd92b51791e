# SPDX-License-Identifier: GPL-2.0
"""slqb run: the main job, for a matrix."""

import sys
from typing import Any

import click

from harness.boot import cores
from harness.cli import App, completion
from harness.cli.options import accel_from, asked_from, asking, booting, names, of_tree, slqb_path
from harness.cli.telling import tell
from harness.errors import Outcome
from harness.matrix import Plan, wanted_kernels
from harness.run import Tools, carry_out, dry_run
from harness.session import recorded
from harness.tree import check_tree


@click.command(epilog="Example: slqb run --topology uma,4n,memoryless --config lean,debug")
@of_tree
@click.option(
    "--arch",
    callback=names,
    shell_complete=completion.MACHINE,
    default="x86_64",
    show_default=True,
    metavar="A,B",
    help="Machines of qemu/machines.",
)
@click.option(
    "--config",
    callback=names,
    shell_complete=completion.CONFIG,
    default="lean",
    show_default=True,
    metavar="A,B",
    help="Fragments of configs/, joined by +.",
)
@click.option(
    "--topology",
    callback=names,
    shell_complete=completion.TOPOLOGY,
    default="2n",
    show_default=True,
    metavar="A,B",
    help="Shapes of qemu/topologies.",
)
@click.option(
    "--allocator",
    callback=names,
    shell_complete=completion.ALLOCATOR,
    default="slqb",
    show_default=True,
    metavar="A,B",
    help="slqb, slub, slab, slob.",
)
@click.option("--pristine", is_flag=True, help="The tree as it is, without our series.")
@click.option("--jobs", type=click.IntRange(1), help="Boots at a time.")
@asking
@booting
@click.pass_obj
def command(app: App, /, **options: Any) -> Outcome:
    """Render, configure, build, boot and judge: tree x arch x config x topology x allocator.

    Lists are separated by commas.
    """
    plan = _plan(options)
    if options["dry_run"]:
        click.echo("\n".join(dry_run(plan, app.places, app.progress)))
        return Outcome.PASS
    wanted_kernels(plan)
    check_tree(plan.tree, app.places)
    app.progress.note(f"seed: {plan.asked.seed}")
    with recorded(app.places, tuple(sys.argv), plan.asked.seed, slqb_path()) as recorder:
        carry_out(plan, Tools(app.places, app.progress, recorder))
    return tell(recorder, as_json=options["json"])


def _plan(options: dict[str, Any]) -> Plan:
    return Plan(
        tree=options["tree"],
        archs=options["arch"],
        configs=options["config"],
        topologies=options["topology"],
        allocators=options["allocator"],
        asked=asked_from(options),
        accel=accel_from(options),
        jobs=options["jobs"] or cores(),
        deadline=options["deadline"],
        silence=options["silence"],
        pristine=options["pristine"],
    )
