# SPDX-License-Identifier: GPL-2.0
"""slqb build: one kernel."""

import json
from pathlib import Path

import click

from harness.cli import App, completion
from harness.cli.options import of_tree
from harness.fragment import command_line
from harness.kernel import Kernel, KernelSpec, build_plan, check_spec, plan_kernel
from harness.progress import span
from harness.template import LineMap
from harness.tree import open_tree, pristine
from harness.worktree import render_into_worktree


@click.command(epilog="Example: slqb build --config debug --allocator slqb")
@of_tree
@click.option("--arch", default="x86_64", show_default=True, help="For which CPUs.")
@click.option(
    "--config",
    default="lean",
    show_default=True,
    shell_complete=completion.CONFIG,
    help="Fragments of configs/: A+B.",
)
@click.option(
    "--allocator",
    default="slqb",
    show_default=True,
    shell_complete=completion.ALLOCATOR,
    help="slqb, slub, slab or slob.",
)
@click.option("--pristine", "plain", is_flag=True, help="The tree as it is, without our series.")
@click.option("--set", "settings", multiple=True, metavar="SYMBOL=VALUE", help="For Kconfig.")
@click.option("--jobs", type=click.IntRange(1), help="Compilers at a time.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
@click.option("--dry-run", is_flag=True, help="Only print the commands.")
@click.pass_obj
def command(
    app: App,
    /,
    tree: str,
    arch: str,
    config: str,
    allocator: str,
    plain: bool,
    settings: tuple[str, ...],
    jobs: int | None,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Render, configure and compile one kernel; prints where its image is."""
    spec = KernelSpec(arch, allocator, config)
    check_spec(spec)
    extra = command_line(settings) if settings else None
    source, line_map = _source(app, tree, plain)
    plan = plan_kernel(source, spec, app.places, line_map=line_map, jobs=jobs, extra=extra)
    if dry_run:
        for line in plan.commands:
            click.echo(line)
        return
    kernel = build_plan(plan, app.places, app.progress)
    click.echo(json.dumps(_record(kernel), indent=2) if as_json else _told(kernel))


def _source(app: App, tree: str, plain: bool) -> tuple[Path, LineMap | None]:
    taken = open_tree(tree, app.places, app.progress)
    if plain:
        return pristine(taken, app.places), None
    rendered = render_into_worktree(taken, app.places, app.progress)
    return rendered.source, rendered.line_map


def _told(kernel: Kernel) -> str:
    cache = f", {kernel.cache}" if kernel.cache and kernel.objects else ""
    took = f"{kernel.objects} objects{cache}, {span(kernel.seconds)}"
    return f"{kernel.image}\nLinux {kernel.release}, {kernel.spec.name}: {took}"


def _record(kernel: Kernel) -> dict[str, object]:
    cache = kernel.cache
    return {
        "image": str(kernel.image),
        "build": str(kernel.build),
        "config": str(kernel.config),
        "log": str(kernel.log),
        "release": kernel.release,
        "seconds": round(kernel.seconds, 3),
        "objects": kernel.objects,
        "ccache": {"hits": cache.hits, "misses": cache.misses} if cache else None,
        "argv": kernel.argv,
    }
