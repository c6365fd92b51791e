# SPDX-License-Identifier: GPL-2.0
"""slqb run: the main job, for a matrix.

A matrix file says what to run; an option that is given beside it replaces what the file says, list
by list, and the file's exclusions stay; of the cells that it has beside its lists those stay that
the options name. "Given" is what comes from a place at least as strong as the one `--matrix` comes
from: a habit in the config file does not change a matrix that was asked for on the command line.
"""

from typing import Any

import click

from harness.cli import App, completion, strength_of
from harness.cli.options import accel_from, asked_from, asking, booting, names, of_tree
from harness.cli.telling import in_record, tell
from harness.engine import Engine
from harness.errors import Outcome, UserError
from harness.matrix import Plan, wanted_kernels
from harness.matrixfile import MOST_REPEATS, Further, Matrix, load_matrix
from harness.record import Recorder
from harness.run import Tools, carry_out, dry_run
from harness.tree import check_tree

ENGINES = ("local", "dask")
LISTS = {
    **{"arch": "machines", "config": "configs", "topology": "topologies"},
    "allocator": "allocators",
}
IN_MATRIX = {**LISTS, "scale": "scale", "repeat": "repeat"}
"""Options, and the keys of a matrix file that they replace."""


@click.command(epilog="Example: slqb run --topology uma,4n,memoryless --config lean,debug")
@of_tree
@click.option(
    "--matrix",
    shell_complete=completion.MATRIX,
    metavar="NAME|FILE",
    help="Of configs/matrix; options refine it.",
)
@click.option(
    "--arch",
    callback=names,
    shell_complete=completion.MACHINE,
    default="x86_64",
    metavar="A,B",
    help="Machines of qemu/machines.  [x86_64]",
)
@click.option(
    "--config",
    callback=names,
    shell_complete=completion.CONFIG,
    default="lean",
    metavar="A,B",
    help="Fragments of configs/, joined by +.  [lean]",
)
@click.option(
    "--topology",
    callback=names,
    shell_complete=completion.TOPOLOGY,
    default="2n",
    metavar="A,B",
    help="Shapes of qemu/topologies.  [2n]",
)
@click.option(
    "--allocator",
    callback=names,
    shell_complete=completion.ALLOCATOR,
    default="slqb",
    metavar="A,B",
    help="slqb, slub, slab, slob.  [slqb]",
)
@click.option("--pristine", is_flag=True, help="The tree as it is, without our series.")
@click.option("--only-possible", is_flag=True, help="Leave out cells that cannot be.")
@click.option(
    "--repeat",
    type=click.IntRange(0, MOST_REPEATS),
    default=0,
    metavar="N",
    help="Boot failures N times more.",
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Boots at a time.")
@click.option("--engine", type=click.Choice(ENGINES), default="local", help="Who boots.  [local]")
@click.option("--scheduler", metavar="ADDRESS", help="Of Dask, as in tcp://host:8786.")
@asking
@booting
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> Outcome:
    """Render, configure, build, boot and judge: machine x config x allocator x topology, in lists
    separated by commas."""
    app = ctx.find_object(App)
    assert app is not None
    _check_engine(options)
    plan = _plan(ctx, options)
    if options["dry_run"]:
        click.echo("\n".join(dry_run(plan, app.places, app.progress)))
        return Outcome.PASS
    wanted_kernels(plan)
    check_tree(plan.tree, app.places)
    app.progress.note(f"seed: {plan.asked.seed}")
    with in_record(app.places, plan.asked.seed, as_json=options["json"]) as recorder:
        engine = _engine(options, app, recorder)
        carry_out(plan, Tools(app.places, app.progress, recorder, engine))
    return tell(recorder, as_json=options["json"])


def _engine(options: dict[str, Any], app: App, recorder: Recorder) -> Engine | None:
    """Who boots, if not this host; a cluster that cannot be used is wrong use, found out first."""
    if options["engine"] == "local":
        return None
    from harness.cluster import Cluster

    return Cluster(options["scheduler"], app.places, recorder.record.name)


def _check_engine(options: dict[str, Any]) -> None:
    dask = options["engine"] == "dask"
    if dask and not options["scheduler"]:
        raise UserError("--engine dask needs --scheduler ADDRESS, as in tcp://host:8786")
    if dask and options["jobs"]:
        raise UserError("--jobs is for this host; what runs at a time on Dask, its workers say")
    if options["scheduler"] and not dask:
        raise UserError("--scheduler is for --engine dask")


def _plan(ctx: click.Context, options: dict[str, Any]) -> Plan:
    matrix = load_matrix(options["matrix"]) if options["matrix"] else None
    theirs = matrix is not None and not _given(ctx, "allocator")
    if matrix is not None:
        taken = {name: key for name, key in IN_MATRIX.items() if not _given(ctx, name)}
        options |= {name: getattr(matrix, key) for name, key in taken.items()}
    return Plan(
        tree=options["tree"],
        archs=options["arch"],
        configs=options["config"],
        topologies=options["topology"],
        allocators=options["allocator"],
        allocators_of=matrix.allocators_of if matrix and theirs else {},
        repeat=options["repeat"],
        exclude=matrix.exclude if matrix else (),
        also=_also(ctx, matrix, options) if matrix else (),
        matrix=options["matrix"] or "",
        only_possible=options["only_possible"],
        asked=asked_from(options),
        accel=accel_from(options),
        jobs=options["jobs"],
        deadline=options["deadline"],
        silence=options["silence"],
        pristine=options["pristine"],
    )


def _also(ctx: click.Context, matrix: Matrix, options: dict[str, Any]) -> tuple[Further, ...]:
    """The cells beside the lists that the options leave."""
    given = {key: options[name] for name, key in LISTS.items() if _given(ctx, name)}
    return tuple(one for also in matrix.also if (one := also.only(**given)))


def _given(ctx: click.Context, name: str) -> bool:
    """Whether the user said so, in a place that counts as much as the one that names the matrix."""
    return strength_of(ctx, name) >= max(strength_of(ctx, "matrix"), 1)
