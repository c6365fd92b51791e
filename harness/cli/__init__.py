# SPDX-License-Identifier: GPL-2.0
"""The command `slqb`: words in, one number out.

slqb [GLOBAL OPTION]... COMMAND [ARGUMENT]...

A command lives in harness/cli/COMMAND.py as a click command named `command`; it returns
an Outcome, or None when all is well. Options beat the environment (SLQB_TREE_GET_JSON),
which beats the config file (TOML: global options at the top, a table for each command).
Modules are imported when their command is asked for, which keeps `slqb --help` quick.
This is the only place that exits, and the only one that turns errors into numbers.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
from click.core import ParameterSource
from click.shell_completion import shell_complete
from platformdirs import user_config_path

from harness import __version__, child
from harness.cli.typed import Amount, TypedOption, amount
from harness.errors import HarnessError, Outcome, UserError
from harness.parsing import parse_toml
from harness.places import Places
from harness.progress import Progress, SilentProgress, VerboseProgress, shown_on
from harness.quota import AGE, LIMIT, Quota, age_from, size_from
from harness.terminal import guard

COMMANDS = (
    "doctor",
    "tree",
    "series",
    "check",
    "send",
    "build",
    "boot",
    "run",
    "parse",
    "report",
    "cache",
)
STRENGTH = (
    ParameterSource.DEFAULT,
    ParameterSource.DEFAULT_MAP,
    ParameterSource.ENVIRONMENT,
    ParameterSource.COMMANDLINE,
)
"""Where the value of an option may come from, the weakest first."""
TOML_TYPES = {bool: "true or false", dict: "a table", list: "a list in a list"}
VOLUME = f"{__name__}.volume"
SIGPIPE_STATUS = 128 + signal.SIGPIPE  # what a shell reports of a program that nobody reads


@dataclass(frozen=True)
class App:
    """What every command gets from the global options (`@click.pass_obj`)."""

    places: Places
    progress: Progress


class Commands(click.Group):
    """The group that imports a command only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command in harness/cli/NAME.py."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"harness.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        _take_everywhere(command)
        return command


def _set_volume(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """-q or -v, before a command or after it; where they differ, the stronger source wins."""
    if not value:
        return
    assert param.name is not None
    strength = strength_of(ctx, param.name)
    before, name = ctx.meta.get(VOLUME, (-1, param.name))
    if name != param.name and before == strength:
        raise click.UsageError("-q and -v exclude each other: give one of them", ctx)
    if before > strength:
        return
    ctx.meta[VOLUME] = (strength, param.name)
    loud = VerboseProgress(lambda text: (sys.stderr.write(text), sys.stderr.flush()))
    progress = SilentProgress() if param.name == "quiet" else loud
    ctx.obj = replace(ctx.obj, progress=progress) if isinstance(ctx.obj, App) else progress


def strength_of(ctx: click.Context, name: str) -> int:
    """How much the source of an option's value counts: see STRENGTH; a prompt counts most."""
    source = ctx.get_parameter_source(name)
    return STRENGTH.index(source) if source in STRENGTH else len(STRENGTH)


def _volume(short: str, long: str, text: str) -> click.Option:
    return click.Option(
        [short, long], help=text, is_flag=True, expose_value=False, callback=_set_volume
    )


QUIET = _volume("-q", "--quiet", "No progress, only the answer.")
VERBOSE = _volume("-v", "--verbose", "Every line, of the guest too.")


def _take_everywhere(command: click.Command) -> None:
    """Give a command the options that all have."""
    if QUIET not in command.params:
        command.params += [QUIET, VERBOSE]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _take_everywhere(inner)


def _use_config(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    """Make the file's values the defaults of every option; a named file must exist."""
    path = value or user_config_path("slqb", appauthor=False) / "config.toml"
    if value is None and not path.is_file():
        return None
    assert isinstance(ctx.command, click.Group)
    ctx.default_map = _defaults(ctx, ctx.command, _read_config(path), f"config file {path}: `slqb")
    return path


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(path.read_bytes())
    except OSError as error:
        raise UserError(f"config file {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"config file {path} is not TOML: {error}") from error


def _defaults(
    ctx: click.Context, command: click.Command, table: dict[str, Any], where: str
) -> dict[str, Any]:
    """The table by click's own names; one that no option has is a mistake, not a comment."""
    params = {_plain(option): param for param in command.params for option in param.opts}
    result: dict[str, Any] = {}
    for key, value in table.items():
        inner = command.get_command(ctx, key) if isinstance(command, click.Group) else None
        if inner is not None and isinstance(value, dict):
            result[key] = _defaults(ctx, inner, value, f"{where} {key}")
        elif (param := params.get(_plain(key))) and param.name:
            if isinstance(param, TypedOption):
                raise UserError(f"{where}`: {param.refusal}; remove {key!r} there")
            result[param.name] = _default(value, param, f"{where}` option {key!r}")
        else:
            raise UserError(f"{where}` has no option {key!r}")
    return result


def _default(value: object, param: click.Parameter, where: str) -> str | bool | list[str]:
    """A value as the command line would have it, so that it is checked in the same way."""
    flag = isinstance(param, click.Option) and param.is_flag
    if isinstance(value, bool) and flag:
        return value
    words = value if isinstance(value, list) else [value]
    if bad := next((one for one in words if not _is_plain(one)), None):
        raise UserError(f"{where} is {_named(bad)}, which no option takes")
    texts = [str(one) for one in words]
    if odd := next((text for text in texts if "\0" in text), None):
        raise UserError(f"{where} is {odd!r}: a NUL byte is in no name and no path")
    return texts if param.multiple else ",".join(texts)


def _is_plain(value: object) -> bool:
    """Whether it can stand on a command line: a text or a number."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _named(value: object) -> str:
    """A TOML value as its users call it."""
    return TOML_TYPES.get(type(value), "a date or a time")


def _plain(option: str) -> str:
    """--dry-run, dry-run and dry_run are one."""
    return option.lstrip("-").replace("-", "_")


@click.group(
    cls=Commands,
    name="slqb",
    epilog="Example: slqb run --tree debian:6.1 --topology 4n",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    callback=_use_config,
    help="Defaults for every option, as TOML.",
)
@click.option(
    "--cache",
    "cache_folder",  # not the name of the command `cache`, whose table of defaults it would hide
    envvar="SLQB_CACHE",
    default="",
    metavar="DIR",
    help="Trees, builds, ccache; may be deleted.",
)
@click.option("--runs", default="", metavar="DIR", help="The records of runs.")
@click.option(
    "--cache-limit",
    callback=amount(size_from),
    default=LIMIT,
    metavar="SIZE",
    help=f"What the cache may take, or none.  [{LIMIT}]",
)
@click.option(
    "--cache-age",
    callback=amount(age_from),
    default=AGE,
    metavar="AGE",
    help=f"What was not used for longer leaves it, or none.  [{AGE}]",
)
@click.version_option(__version__)
@click.pass_context
def slqb(
    ctx: click.Context,
    config: Path | None,
    cache_folder: str,
    runs: str,
    cache_limit: Amount,
    cache_age: Amount,
) -> None:
    """Render SLQB into a kernel tree, build it, boot it, and say whether it works.

    Any option except those that cannot be undone may come from the environment (--tree of
    `slqb run`: SLQB_RUN_TREE) or from ~/.config/slqb/config.toml (tree = "..." below [run]);
    options beat variables beat the file.

    \b
    Completion (zsh, fish alike): eval "$(_SLQB_COMPLETE=bash_source slqb)"
    """
    places = Places.from_environment({"SLQB_CACHE": cache_folder, "SLQB_RUNS": runs})
    limit = None if cache_limit.number is None else int(cache_limit.number)
    places = replace(places, quota=Quota(limit, cache_age.number))
    _tidy(places)
    progress = ctx.obj or ctx.with_resource(shown_on(sys.stderr))
    ctx.obj = App(places, progress)


slqb.params += [QUIET, VERBOSE]


def _tidy(places: Places) -> None:
    """Have a background process go on with what was to be removed, if there is a cache."""
    if places.cache.is_dir():
        from harness.eviction import evict_later

        evict_later(places)


def main() -> NoReturn:
    """The console script."""
    guard()
    for number in child.INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _interrupt)
    if instruction := os.environ.get("_SLQB_COMPLETE"):
        sys.exit(
            shell_complete(
                slqb, {"auto_envvar_prefix": "SLQB"}, "slqb", "_SLQB_COMPLETE", instruction
            )
        )
    status = answer(sys.argv[1:])
    for number in child.INTERRUPTS:  # too late to change anything, and Python's end is no place
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


def answer(argv: Sequence[str]) -> int:
    """Carry out one command line and return its exit status; never raises."""
    try:
        status = _carry_out(argv)
        sys.stdout.flush()
        return status
    except (KeyboardInterrupt, click.Abort):
        child.end_all()
        return _say("interrupted", Outcome.INTERRUPTED)
    except HarnessError as error:
        notes = getattr(error, "__notes__", ())
        return _say("\n".join((str(error), *notes)), error.outcome)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return Outcome.USAGE.exit_code
    except click.UsageError as error:
        said = error.format_message().rstrip(".")
        where = f". See `{error.ctx.command_path} --help`." if error.ctx else ""
        return _say(said + where, Outcome.USAGE)
    except click.ClickException as error:
        return _say(error.format_message(), Outcome.USAGE)
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as leave:  # how rich takes it that nobody reads
        if not isinstance(leave.__context__, BrokenPipeError):
            raise
        return _nobody_reads()
    except OSError as error:
        return _say(child.fault_of(error), Outcome.HOST)
    except MemoryError:
        return _say(child.NO_MEMORY, Outcome.HOST)


def _carry_out(argv: Sequence[str]) -> int:
    try:
        with slqb.make_context("slqb", list(argv), auto_envvar_prefix="SLQB") as ctx:
            result = slqb.invoke(ctx)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    return result.exit_code if isinstance(result, Outcome) else 0


def _say(message: str, outcome: Outcome) -> int:
    print(f"slqb: {message}", file=sys.stderr)
    return outcome.exit_code


def _nobody_reads() -> int:
    """The reader of our output went away: no complaint, and none at exit either."""
    child.end_all()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return SIGPIPE_STATUS


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and SIGHUP end us as Ctrl-C does: children ended, records closed.

    Whoever presses Ctrl-C again meanwhile does not interrupt that: children are killed at once, and
    the record is still closed.
    """
    for number in child.INTERRUPTS:
        signal.signal(number, _hurry)
    raise KeyboardInterrupt


def _hurry(_number: int, _frame: FrameType | None) -> None:
    """Another interrupt while we end."""
    child.kill_all()
