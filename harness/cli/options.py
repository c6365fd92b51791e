# SPDX-License-Identifier: GPL-2.0
"""Options that several commands share, each declared once."""

import random
import re
import sys
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.accelerator import CHOICES, TCG
from harness.asked import EVERY_CASE, SCALES, SUITES, Asked
from harness.cli import completion
from harness.errors import UserError
from harness.storable import storable
from harness.template import TEMPLATES

Command = TypeVar("Command", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """Some time, however long; neither none nor for ever."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """As a range does, which lets `nan` pass."""
        seconds = float(super().convert(value, param, ctx))
        if not isfinite(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


class Share(click.types.StringParamType):
    """K/N, K from 0."""

    name = "K/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it was given."""
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", str(value))
        if not found or int(found[1]) >= int(found[2]):
            self.fail(f"{value!r} is no share; 0/5 is the first of five.", param, ctx)
        return str(value)


PATIENCE = Seconds(min=0, min_open=True)

of_tree = click.option(
    "--tree",
    default="debian:6.1",
    show_default=True,
    metavar="TREE",
    shell_complete=completion.TREE,
    help="debian:RELEASE, a directory, a tarball, a git checkout, or one of `slqb tree list`.",
)
of_templates = click.option(
    "--templates",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=TEMPLATES,
    metavar="DIR",
    help="Other templates than the project's.",
)

_ASKING = (
    click.option(
        "--suite", type=click.Choice(SUITES), default="all", show_default=True, help="Which tests."
    ),
    click.option(
        "--case",
        default=EVERY_CASE,
        metavar="GLOB",
        shell_complete=completion.CASE,
        help="Only tests with such a path.",
    ),
    click.option(
        "--scale", type=click.Choice(SCALES), default="quick", show_default=True, help="How long."
    ),
    click.option(
        "--share",
        type=Share(),
        help="This part of the tests that any topology will do for.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, (1 << 64) - 1),
        metavar="N",
        help="Repeats a run's choices.",
    ),
    click.option("--trim-ms", type=click.IntRange(0), help="The allocator's trim period."),
    click.option("--icount", is_flag=True, help="Count instructions; one CPU, under TCG."),
    click.option("--append", multiple=True, metavar="WORD", help="For the kernel's command line."),
)
_BOOTING = (
    click.option(
        "--accel", type=click.Choice(CHOICES), default="auto", show_default=True, help="For QEMU."
    ),
    click.option("--deadline", type=PATIENCE, metavar="SECONDS", help="For one whole boot."),
    click.option("--silence", type=PATIENCE, metavar="SECONDS", help="Without a console line."),
    click.option("--json", is_flag=True, help="The result as JSON."),
    click.option("--dry-run", is_flag=True, help="Only print the commands."),
)


def asking(command: Command) -> Command:
    """What the guest is asked for."""
    return _with(command, _ASKING)


def booting(command: Command) -> Command:
    """How it is booted and told."""
    return _with(command, _BOOTING)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def asked_from(options: Mapping[str, Any]) -> Asked:
    """What the options of `asking` say; the seed is drawn if none is given."""
    seed, case = options["seed"], options["case"]
    if not case or case.split() != [case]:
        raise UserError(f"--case {case!r}: a pattern without blanks is needed, as in 'slabtest.*'")
    if odd := next((word for word in (case, *options["append"]) if storable(word) != word), None):
        raise UserError(f"{odd!r} is not UTF-8: a record of what is asked cannot hold it")
    return Asked(
        suite=options["suite"],
        case=case,
        scale=options["scale"],
        seed=random.SystemRandom().getrandbits(32) if seed is None else seed,
        share=options["share"],
        trim_ms=options["trim_ms"],
        append=options["append"],
        icount=options["icount"],
    )


def accel_from(options: Mapping[str, Any]) -> str:
    """The accelerator asked for; only software can count instructions."""
    if not options["icount"]:
        return str(options["accel"])
    if options["accel"] == "kvm":
        raise UserError("--icount counts instructions, which kvm cannot; use --accel tcg")
    return TCG


def slqb_path() -> Path:
    """The command that runs now, for scripts that shall call it again."""
    return Path(sys.argv[0]).absolute()


def names(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    """A list, separated by commas; each name once."""
    found = tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))
    if not found:
        raise click.BadParameter("at least one name is needed")
    return found
