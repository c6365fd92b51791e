# SPDX-License-Identifier: GPL-2.0
"""Building one kernel: configure, compile, read what the compiler said.

Only what QEMU boots is built: vmlinux as it is, where it can. make does not run when nothing has
changed (seal.py), runs once when nothing has to be configured, and what it did is known from what
it printed: objects compiled, and warnings.
A warning in our files is an error: our own objects are compiled with -Werror and with more
warnings than the tree's, by way of kbuild's per-object flags, so that no other object's
command line changes; a warning in a header of ours is found by reading, and the objects
it came from are taken away so that the next build meets it again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import child
from harness.arch import SYMBOLS, load_arch
from harness.buildwatch import Watch
from harness.ccache import CacheUse, read_cache_use
from harness.config import (
    REQUEST,
    arguments,
    configure,
    confirm,
    expected_objects,
    is_configured,
    request,
    resolved,
)
from harness.diagnostics import diagnostics, is_ours, missing_on_host, own_files, told
from harness.errors import BuildError, HarnessError, HostError, Outcome, UserError
from harness.file import write_if_changed
from harness.fragment import Fragment, Setting, check_config
from harness.kbuild import SOURCE_LINK, Kbuild, held
from harness.places import Places
from harness.progress import Progress
from harness.requirement import Use, refuse_full_disk, refuse_host, refuse_unmet
from harness.seal import is_sealed, seal, sources, unseal
from harness.template import LineMap
from harness.toolchain import find_toolchain, job_count

ALLOCATORS = ("slqb", "slub", "slab", "slob")
OWN_WARNINGS = (
    "-Werror -Wextra -Wmissing-declarations -Wmissing-prototypes -Wold-style-definition "
    "-Wunused-but-set-variable -Wunused-const-variable -Wno-unused-parameter "
    "-Wno-missing-field-initializers -Wno-sign-compare -Wno-type-limits"
)
BEFORE_SHADOW = (
    "KASAN_SANITIZE_enlighten.o=n",
    "CFLAGS_enlighten.o=-Dmemcmp=__builtin_memcmp -minline-all-stringops",
)
"""x86 enters C through PVH before KASAN has mapped its shadow. On 6.1 that C is instrumented all
the same, as is the memcmp() it calls, and the machine resets at the first access."""
LOG = "build.log"
CACHE_LOG = "ccache.log"
FIRST_ERRORS = 5


@dataclass(frozen=True)
class KernelSpec:
    """Which kernel: `config` joins fragments of configs/ with '+'."""

    arch: str = "x86_64"
    allocator: str = "slqb"
    config: str = "lean"

    @property
    def name(self) -> str:
        """Names the build folder."""
        return f"{self.arch}-{self.allocator}-{self.config}"


@dataclass(frozen=True)
class Kernel:
    """A kernel that was built, and what it took."""

    spec: KernelSpec
    build: Path
    image: Path
    symbols: Path
    config: Path
    release: str
    seconds: float
    log: Path
    argv: tuple[str, ...]
    objects: int
    cache: CacheUse | None
    kbuild: Kbuild


@dataclass(frozen=True)
class Plan:
    """A kernel to be built."""

    spec: KernelSpec
    kbuild: Kbuild
    wanted: tuple[Setting, ...]
    line_map: LineMap | None = None
    guess: int | None = None
    """About how many objects it has."""
    use: Use | None = None
    """What it is for, if it is to be booted."""

    @property
    def log(self) -> Path:
        """What make printed."""
        return self.kbuild.folder / LOG

    @property
    def image(self) -> Path:
        """What is booted."""
        return self.kbuild.folder / self.kbuild.tools.arch.image

    @property
    def targets(self) -> tuple[str, ...]:
        """What make is asked for: the image, and what modules are built against if any can be."""
        modules, shadow = self._asks("MODULES"), self._asks("KASAN") and self._asks("PVH")
        sources = [Path(file) for file in own_files(self.line_map)]
        flags = [f"CFLAGS_{file.stem}.o={OWN_WARNINGS}" for file in sources if file.suffix == ".c"]
        flags += BEFORE_SHADOW if shadow else ()
        return (*flags, self.image.name, *(("modules_prepare",) if modules else ()))

    def _asks(self, symbol: str) -> bool:
        return any(one.symbol == symbol and one.value == "y" for one in self.wanted)

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line that builds."""
        return self.kbuild.argv(*self.targets)

    @property
    def commands(self) -> tuple[str, ...]:
        """Everything that would run, for a dry run, as a shell takes it."""
        folder = self.kbuild.folder
        lines = "\\n".join(one.text for one in self.wanted)
        return (
            f"mkdir -p {folder} && ln -sfn {self.kbuild.source} {folder / SOURCE_LINK}",
            f"printf '%b\\n' '{lines}' > {folder / REQUEST}",
            child.command_line(self.kbuild.argv(*arguments(self.kbuild)), folder),
            child.command_line(self.argv, folder),
        )


def check_spec(spec: KernelSpec) -> None:
    """A UserError if there is no such kernel, whatever the tree."""
    if spec.allocator not in ALLOCATORS:
        raise UserError(f"unknown allocator {spec.allocator!r}; there are: {', '.join(ALLOCATORS)}")
    load_arch(spec.arch)
    check_config(spec.config)


def plan_kernel(
    source: Path,
    spec: KernelSpec,
    places: Places,
    *,
    line_map: LineMap | None = None,
    jobs: int | None = None,
    extra: Fragment | None = None,
    lacks: Collection[str] = (),
) -> Plan:
    """Everything about a build that can be known, and refused, before it starts.

    `lacks` are symbols that this source does not have yet: they are not asked for.
    """
    check_spec(spec)
    tools = find_toolchain(load_arch(spec.arch))
    every = request(spec.arch, spec.config, spec.allocator, extra)
    wanted = tuple(one for one in every if one.symbol not in lacks)
    suffix = "" if extra is None else f"-{extra.digest}"
    folder = places.builds / source.name / f"{spec.name}{suffix}"
    environment = tools.environment(places)
    kbuild = Kbuild(source, folder, tools, environment, jobs or job_count())
    return Plan(spec, kbuild, wanted, line_map, expected_objects(spec.config))


def build_kernel(
    source: Path,
    spec: KernelSpec,
    places: Places,
    progress: Progress,
    *,
    line_map: LineMap | None = None,
    jobs: int | None = None,
    extra: Fragment | None = None,
    lacks: Collection[str] = (),
    use: Use | None = None,
) -> Kernel:
    """Build it, as little as needed; a BuildError names the template line that is wrong."""
    plan = plan_kernel(source, spec, places, line_map=line_map, jobs=jobs, extra=extra, lacks=lacks)
    return build_plan(replace(plan, use=use), places, progress)


def build_plan(plan: Plan, places: Places, progress: Progress) -> Kernel:
    """Carry out a plan, alone in its folder."""
    with held(plan.kbuild.folder, progress):
        return _build(plan, progress, places.facts / f"build-{plan.spec.name}.json")


def _build(plan: Plan, progress: Progress, facts: Path) -> Kernel:
    began = time.monotonic()
    plan.kbuild.prepare()
    made_from = sources(plan.kbuild, plan.argv)
    if _stands(plan, made_from):
        _refuse_unmet(plan)
        progress.stage(f"build {plan.spec.name}")
        progress.done("nothing has changed")
        return _finished(plan, 0, time.monotonic() - began)
    unseal(plan.kbuild)
    for stale in (plan.log, plan.kbuild.folder / CACHE_LOG):
        stale.unlink(missing_ok=True)
    fresh = not plan.image.is_file()
    _configure(plan, progress)
    _refuse_unmet(plan)
    if fresh:
        refuse_full_disk(plan.kbuild.folder)
    watch = Watch(progress, facts, fresh=fresh, guess=plan.guess)
    _compile(plan, watch, progress)
    confirm(plan.kbuild, plan.wanted)
    _refuse_own_warnings(plan)
    offer_symbols(plan.kbuild.folder)
    kernel = _finished(plan, watch.objects, time.monotonic() - began)
    watch.remember()
    seal(plan.kbuild, made_from, plan.image)
    return kernel


def _stands(plan: Plan, made_from: str) -> bool:
    """Whether it was built before, from the same."""
    there = plan.image.is_file() and plan.log.is_file()
    return (
        there
        and is_configured(plan.kbuild, plan.wanted)
        and is_sealed(plan.kbuild, made_from, plan.image)
    )


def _configure(plan: Plan, progress: Progress) -> None:
    if is_configured(plan.kbuild, plan.wanted):
        return
    progress.stage(f"configure {plan.spec.name}")
    configure(plan.kbuild, plan.wanted, plan.log)
    progress.done(f"{len(plan.wanted)} settings kept")


def _refuse_unmet(plan: Plan) -> None:
    """What the kernel lacks for its use is known now, and not only minutes later."""
    config = resolved(plan.kbuild.config.read_text().splitlines())
    refuse_unmet(config, plan.use, plan.spec.name)
    if plan.use:
        refuse_host(plan.use, plan.kbuild.tools)


def _compile(plan: Plan, watch: Watch, progress: Progress) -> None:
    watch.start(f"build {plan.spec.name}")
    environment = {"CCACHE_STATSLOG": str(plan.kbuild.folder / CACHE_LOG)}
    try:
        plan.kbuild.make(
            *plan.targets,
            log=plan.log,
            outcome=Outcome.BUILD,
            on_line=watch.line,
            environment=environment,
        )
    except child.CommandError as error:
        if error.outcome is not Outcome.BUILD:
            raise
        raise _build_error(plan, error) from error
    cache = read_cache_use(plan.kbuild.folder / CACHE_LOG)
    progress.done(_summary(watch.objects, cache))


def _summary(objects: int, cache: CacheUse | None) -> str:
    if not objects:
        return "nothing to compile"
    return f"{objects} objects" + (f", {cache}" if cache else "")


def _finished(plan: Plan, objects: int, seconds: float) -> Kernel:
    folder = plan.kbuild.folder
    return Kernel(
        spec=plan.spec,
        build=folder,
        image=plan.image,
        symbols=folder / SYMBOLS,
        config=plan.kbuild.config,
        release=(folder / "include/config/kernel.release").read_text().strip(),
        seconds=seconds,
        log=plan.log,
        argv=plan.argv,
        objects=objects,
        cache=read_cache_use(folder / CACHE_LOG) if objects else None,
        kbuild=plan.kbuild,
    )


def offer_symbols(folder: Path) -> None:
    """Give out-of-tree modules the list of exported symbols; `make modules` would do no more
    here, since nothing in the tree is built as a module."""
    exported = folder / "vmlinux.symvers"
    if exported.is_file():
        write_if_changed(folder / "Module.symvers", exported.read_bytes())


def _build_error(plan: Plan, error: child.CommandError) -> HarnessError:
    """What went wrong, in the words of the first diagnostics that are errors."""
    lines = plan.log.read_text(errors="replace").splitlines()
    if missing := list(dict.fromkeys(missing_on_host(lines))):
        return HostError(
            f"this host lacks {', '.join(missing)}, which the build of {plan.spec.name} needs; "
            f"`slqb doctor` gives the command that installs what is missing (log: {plan.log})"
        )
    found = diagnostics(lines, _prefixes(plan.kbuild.folder, plan.kbuild.source))
    errors = [one for one in found if one.kind == "error"]
    return BuildError(_failure(plan, [told(one, plan.line_map) for one in errors] or [error.tail]))


def foreign_warnings(kernel: Kernel) -> tuple[str, ...]:
    """What the compiler said of the tree's own lines in the last build, without line numbers."""
    lines = kernel.log.read_text(errors="replace").splitlines()
    prefixes = _prefixes(kernel.build, kernel.kbuild.source)
    found = diagnostics(lines, prefixes)
    return tuple(f"{one.file}: {one.text}" for one in found if one.kind == "warning")


def _refuse_own_warnings(plan: Plan) -> None:
    lines = plan.log.read_text(errors="replace").splitlines()
    ours = [
        one
        for one in diagnostics(lines, _prefixes(plan.kbuild.folder, plan.kbuild.source))
        if is_ours(one, plan.line_map)
    ]
    if ours:
        for file in {one.file for one in ours}:
            forget(plan.kbuild.folder, file)
        raise BuildError(_failure(plan, [told(one, plan.line_map) for one in ours]))


def _failure(plan: Plan, complaints: Sequence[str]) -> str:
    """The first complaint on the first line, a few more below, then where to look further."""
    more = len(complaints) - FIRST_ERRORS
    return "\n".join(
        (
            f"cannot build {plan.spec.name}: {complaints[0]}",
            *(f"  {one}" for one in complaints[1:FIRST_ERRORS]),
            *((f"  and {more} more",) if more > 0 else ()),
            f"log: {plan.log}",
            f"repeat: {child.command_line(plan.argv, plan.kbuild.folder)}",
        )
    )


def _prefixes(folder: Path, source: Path) -> tuple[str, ...]:
    """How the source may be called in the compiler's messages, longest first."""
    return (f"{folder / SOURCE_LINK}/", f"{source}/", f"{SOURCE_LINK}/")


def forget(folder: Path, file: str) -> None:
    """Take away every object made of that file or with that header, so that it is made again."""
    for command in folder.rglob(".*.o.cmd"):
        if file in command.read_text(errors="replace"):
            made = command.name.removeprefix(".").removesuffix(".cmd")
            command.with_name(made).unlink(missing_ok=True)
