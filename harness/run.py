# SPDX-License-Identifier: GPL-2.0
"""The pipeline: from a tree to one verdict.

ONCE, then EACH_KERNEL, then its boots, are all there is to it, in order. Every step takes the work
so far and returns it with its own part added. Kernels are built one at a time and booted as soon
as they are built (dispatch.py), so the first results come early; a kernel that cannot be built
costs its own cells their verdict and the others nothing.
"""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness import accelerator as accelerators
from harness import child
from harness.accelerator import Accelerator
from harness.arch import load_arch
from harness.asked import Asked
from harness.boot import command, cores
from harness.cases import GUEST, guest_cases, kunit_cases, picks, refuse
from harness.dispatch import Build, Dispatcher, Manner, boot_all
from harness.engine import Engine, Local, Order
from harness.errors import HarnessError, Outcome
from harness.forecast import Load, build_order
from harness.initramfs import IMAGE, build_initramfs
from harness.initramfs import commands as initramfs_commands
from harness.keeping import Kept, keep_kernel
from harness.kernel import Kernel, KernelSpec, build_kernel, plan_kernel
from harness.limits import said
from harness.matrix import Cell, Layout, LeftOut, Plan, Wanted, lay_out
from harness.module import build_modules
from harness.module import commands as module_commands
from harness.outlook import load_of, rest, sentence
from harness.past import Past, build_name
from harness.places import Places
from harness.progress import Progress, span
from harness.record import CellRecord, LeftOutRecord, Recorder, TreeRecord
from harness.requirement import Use, refuse_host
from harness.template import LineMap
from harness.toolchain import find_toolchain
from harness.tree import Tree, open_tree, pristine
from harness.trial import Trial, limits_on
from harness.verdict import worst
from harness.worktree import line_map_of, render_into_worktree


@dataclass(frozen=True)
class Tools:
    """What every step works with."""

    places: Places
    progress: Progress
    recorder: Recorder
    engine: Engine | None = None
    """Who boots, if not this host."""


@dataclass(frozen=True)
class Source:
    """What kernels are built from."""

    plan: Plan
    tools: Tools
    tree: Tree | None = None
    folder: Path = Path()
    line_map: LineMap | None = None
    lacks: frozenset[str] = frozenset()
    """Symbols that we ask for and that are not in its Kconfig yet."""


@dataclass(frozen=True)
class Job:
    """One kernel on its way from source to verdict."""

    source: Source
    wanted: Wanted
    accelerator: Accelerator
    kernel: Kernel | None = None
    modules: tuple[Path, ...] = ()
    initramfs: Path | None = None
    kept: Kept | None = None


def open_source(source: Source) -> Source:
    """Take the tree into the cache."""
    tree = open_tree(source.plan.tree, source.tools.places, source.tools.progress)
    record = TreeRecord(
        name=tree.name,
        origin=source.plan.tree,
        release=tree.release,
        base=tree.base,
        upstream=tree.upstream,
        dirty=tree.dirty,
        pristine=source.plan.pristine,
    )
    source.tools.recorder.update(tree=record)
    if tree.dirty:
        source.tools.progress.note(f"{source.plan.tree} has uncommitted changes; they are included")
    return replace(source, tree=tree)


def render(source: Source) -> Source:
    """Lay the tree with our series in it, or without."""
    tools, tree = source.tools, source.tree
    assert tree is not None
    if source.plan.pristine:
        return replace(source, folder=pristine(tree, tools.places))
    rendered = render_into_worktree(tree, tools.places, tools.progress)
    old = tools.recorder.record.tree
    assert old is not None
    told = {"commits": rendered.commits, "digest": rendered.digest}
    tools.recorder.update(tree=old.model_copy(update=told))
    return replace(source, folder=rendered.source, line_map=rendered.line_map)


def find_case(source: Source) -> Source:
    """What is no test of the guest must be one of KUnit's in this tree."""
    asked = source.plan.asked
    if not asked.in_guest:
        known = tuple(kunit_cases(source.folder))
        if not picks(asked.kunit_glob, known):
            raise refuse(asked.case, (*guest_cases(), *known))
    return source


def build(job: Job) -> Job:
    """Configure and compile."""
    tools = job.source.tools
    kernel = build_kernel(
        job.source.folder,
        _spec(job.wanted),
        tools.places,
        tools.progress,
        line_map=job.source.line_map,
        lacks=job.source.lacks,
        use=use_of(job.wanted, job.source.plan.asked),
    )
    return replace(job, kernel=kernel)


def add_modules(job: Job) -> Job:
    """The test module, for this very kernel."""
    tools = job.source.tools
    assert job.kernel is not None
    if not job.source.plan.asked.init:
        return job
    modules = build_modules(job.kernel, job.source.folder, GUEST, tools.places, tools.progress)
    return replace(job, modules=modules)


def pack(job: Job) -> Job:
    """Our init and the module, as an initramfs."""
    tools = job.source.tools
    assert job.kernel is not None
    if not job.source.plan.asked.init:
        return job
    return replace(
        job, initramfs=build_initramfs(job.kernel, job.modules, GUEST, tools.places, tools.progress)
    )


def keep(job: Job) -> Job:
    """Into the record with all of it."""
    assert job.kernel is not None
    kernel, tools = job.kernel, job.source.tools
    kept = keep_kernel(
        tools.recorder,
        tools.places,
        job.wanted.name,
        kernel.image,
        initramfs=job.initramfs,
        symbols=kernel.symbols if kernel.symbols != kernel.image else None,
        config=kernel.config,
        log=kernel.log,
        arch=job.wanted.machine.name,
        allocator=job.wanted.allocator,
        config_name=job.wanted.config,
        release=kernel.release,
        build=str(kernel.build),
        build_seconds=round(kernel.seconds, 3),
        argv=kernel.argv,
    )
    return replace(job, kept=kept)


def boot_and_judge(job: Job) -> Job:
    """Every cell of this kernel, recorded one by one."""
    tools, plan = job.source.tools, job.source.plan
    boot_all(
        orders(job),
        tools.recorder,
        tools.progress,
        tools.places,
        jobs=plan.jobs,
        repeat=plan.repeat,
    )
    return job


def orders(job: Job) -> tuple[Order, ...]:
    """The boots of a kernel that is in the record."""
    assert job.kept is not None
    plan, folder = job.source.plan, job.source.tools.recorder.folder
    return tuple(
        Order(
            trial(plan, job.wanted, cell, job.accelerator, job.kept, folder / cell.name),
            job.accelerator,
            plan.accel,
            plan.deadline,
            plan.silence,
        )
        for cell in job.wanted.cells
    )


ONCE: tuple[Callable[[Source], Source], ...] = (open_source, render, find_case)
EACH_KERNEL: tuple[Callable[[Job], Job], ...] = (build, add_modules, pack, keep)


def dry_run(plan: Plan, places: Places, progress: Progress) -> Iterator[str]:
    """The commands of a run here; for them the tree is taken into the cache, and KVM tried."""
    layout = lay_out(plan)
    yield from (f"# {left_out_line(one)}" for one in layout.left_out)
    tree = open_tree(plan.tree, places, progress)
    source, line_map = places.worktrees / f"{tree.name}-slqb", None
    if plan.pristine:
        source = pristine(tree, places)
    else:
        line_map = line_map_of(tree, places)
        yield f"# render the series on {tree.name} into {source}"
    loads = list(_loads(plan, layout, source, places, progress))
    seconds = {task.name: task for load in loads for task in load.tasks}
    for wanted in layout.kernels:
        yield from kernel_commands(plan, wanted, source, line_map, places, progress)
    for task in seconds.values():
        known = f"about {span(task.seconds)}" if task.known else "not booted before"
        yield f"# {task.name}: {known}, {task.need.cores} of {cores()} cores"
    rooms = Local(plan.jobs).rooms()
    end = rest(rooms, build_order(loads), shared=plan.jobs is None)
    yield f"# {sentence(len(seconds), len(loads), end)}"


def _loads(
    plan: Plan, layout: Layout, source: Path, places: Places, progress: Progress
) -> Iterator[Load]:
    """What a run would have before it."""
    past = Past.of(places)
    for wanted in layout.kernels:
        picked = accelerators.choose(plan.accel, wanted.machine, places, progress)
        folder = places.builds / source.name / _spec(wanted).name
        yield load_of(wanted, picked, past, folder, counted=plan.jobs is not None)


def kernel_commands(
    plan: Plan,
    wanted: Wanted,
    source: Path,
    line_map: LineMap | None,
    places: Places,
    progress: Progress,
) -> Iterator[str]:
    """What builds one kernel of a run, and boots it."""
    build = plan_kernel(source, _spec(wanted), places, line_map=line_map)
    yield from build.commands
    if plan.asked.init:
        yield from module_commands(build.kbuild, GUEST)
        yield from initramfs_commands(build.kbuild, GUEST)
    picked = accelerators.choose(plan.accel, wanted.machine, places, progress)
    for cell in wanted.cells:
        folder = build.kbuild.folder
        initramfs = folder / IMAGE if plan.asked.init else None
        kept = Kept(wanted.name, build.image, initramfs)
        one = trial(plan, wanted, cell, picked, kept, places.runs / "RUN" / cell.name)
        yield shlex.join(command(one.request, picked))


def carry_out(plan: Plan, tools: Tools) -> Outcome:
    """The whole run; its record holds what came of each cell."""
    layout = lay_out(plan)
    kernels = layout.kernels
    leave_out(layout, tools)
    announce(kernels, plan, tools.recorder)
    picked = pick_accelerators(plan, kernels, tools)
    source = prepared(Source(plan, tools), kernels)
    past = Past.of(tools.places)
    jobs = [Job(source, wanted, picked[wanted.machine.name]) for wanted in kernels]
    dispatcher = Dispatcher(
        tools.engine or Local(plan.jobs),
        tools.recorder,
        tools.progress,
        past,
        Manner(counted=plan.jobs is not None, repeat=plan.repeat),
    )
    dispatcher.carry_out(builds=in_order(_build(job, past) for job in jobs))
    return _add_up(tools.recorder)


def prepared(source: Source, kernels: tuple[Wanted, ...]) -> Source:
    """What is done once for all kernels; if that fails, no cell has a kernel, and each says so."""
    try:
        for wanted in kernels:  # which may take hours to come to
            tools = find_toolchain(load_arch(wanted.machine.arch))
            refuse_host(use_of(wanted, source.plan.asked), tools)
        for once in ONCE:
            source = once(source)
    except HarnessError as error:
        if error.outcome not in (Outcome.HOST, Outcome.INTERRUPTED, Outcome.USAGE):
            for wanted in kernels:
                give_up(wanted, error, source.tools.recorder)
        raise
    return source


def use_of(wanted: Wanted, asked: Asked) -> Use:
    """What a kernel must be able to do in its boots."""
    return Use(
        arch=wanted.machine.arch,
        config=wanted.config,
        init=asked.init,
        kunit=asked.suite == "kunit",
        topologies=tuple(cell.topology for cell in wanted.cells),
    )


def give_up(wanted: Wanted, error: HarnessError, recorder: Recorder) -> None:
    """The cells of a kernel that there will not be."""
    outcome, reason = error.outcome.name, str(error)
    for cell in wanted.cells:
        recorder.cell(cell.name, status="finished", outcome=outcome, reason=reason)


def in_order(builds: Iterable[Build]) -> list[Build]:
    """As the forecast wants them."""
    known = {build.load.name: build for build in builds}
    return [known[load.name] for load in build_order(one.load for one in known.values())]


def _build(job: Job, past: Past) -> Build:
    """One kernel, to be built when its turn comes, and what is known of it."""
    plan, wanted, source = job.source.plan, job.wanted, job.source
    folder = source.tools.places.builds / source.folder.name / _spec(wanted).name
    load = load_of(wanted, job.accelerator, past, folder, counted=plan.jobs is not None)

    def carry_out() -> tuple[Order, ...]:
        began, fresh = time.monotonic(), not folder.is_dir()
        done = see_through(job, EACH_KERNEL)
        if done is None:
            return ()
        past.remember(build_name(wanted.name, fresh=fresh), time.monotonic() - began)
        return orders(done)

    return Build(load, carry_out)


def trial(
    plan: Plan, wanted: Wanted, cell: Cell, picked: Accelerator, kept: Kept, folder: Path
) -> Trial:
    """One boot, ready to go."""
    limits = limits_on(
        wanted.machine,
        cell.topology,
        picked,
        cell.asked,
        deadline=plan.deadline,
        silence=plan.silence,
    )
    return Trial(
        name=cell.name,
        machine=wanted.machine,
        topology=cell.topology,
        kernel=kept.image,
        initramfs=kept.initramfs,
        asked=cell.asked,
        limits=limits,
        folder=folder,
    )


def _spec(wanted: Wanted) -> KernelSpec:
    return KernelSpec(wanted.machine.arch, wanted.allocator, wanted.config)


def leave_out(layout: Layout, tools: Tools) -> None:
    """What is not to be is said, and stands in the record."""
    for one in layout.left_out:
        tools.progress.note(left_out_line(one))
    told = tuple(LeftOutRecord(name=one.name, reason=one.reason) for one in layout.left_out)
    tools.recorder.update(left_out=told)


def left_out_line(one: LeftOut) -> str:
    """For a person."""
    return f"left out: {one.name} ({one.reason})"


def announce(kernels: tuple[Wanted, ...], plan: Plan, recorder: Recorder) -> None:
    """All cells stand in the record before the first is begun."""
    limits = said(plan.deadline, plan.silence)
    for wanted in kernels:
        for cell in wanted.cells:
            recorder.add(
                CellRecord(
                    name=cell.name,
                    kernel=wanted.name,
                    machine=wanted.machine.name,
                    topology=cell.topology.name,
                    folder=cell.name,
                    asked=cell.asked,
                    limits=limits,
                )
            )


def pick_accelerators(
    plan: Plan, kernels: tuple[Wanted, ...], tools: Tools
) -> Mapping[str, Accelerator]:
    """One for each machine, said in one line each; its QEMU must be there."""
    picked: dict[str, Accelerator] = {}
    for machine in {wanted.machine.name: wanted.machine for wanted in kernels}.values():
        accelerators.qemu_version(machine.emulator)
        picked[machine.name] = one = accelerators.choose(
            plan.accel, machine, tools.places, tools.progress
        )
        tools.progress.note(str(one))
    return picked


def see_through(job: Job, steps: Iterable[Callable[[Job], Job]]) -> Job | None:
    """One kernel to the end; None if it fails on the way, and its cells say why."""
    try:
        for step in steps:
            job = step(job)
    except HarnessError as error:
        if error.outcome in (Outcome.HOST, Outcome.INTERRUPTED) or child.all_ended():
            raise
        give_up(job.wanted, error, job.source.tools.recorder)
        job.source.tools.progress.note(f"{job.wanted.name}: {str(error).splitlines()[0]}")
        return None
    return job


def _add_up(recorder: Recorder) -> Outcome:
    """The worst of all cells, and the reason of the first cell that was so bad."""
    cells = recorder.record.cells
    outcomes = [Outcome[cell.outcome] for cell in cells if cell.outcome is not None]
    outcome = worst(outcomes)
    told = (cell for cell in cells if cell.outcome == outcome.name and cell.reason)
    reason = next((f"{cell.name}: {cell.reason.splitlines()[0]}" for cell in told), "")
    recorder.update(outcome=outcome.name, reason=reason)
    return outcome
