# SPDX-License-Identifier: GPL-2.0
"""Options with an effect that cannot be undone count only on the command line."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness.cli import COMMANDS, slqb
from harness.cli.typed import TypedOption
from tests.conftest import Command

EFFECTS = {
    ("send", "--really"): "mails leave",
    ("send", "--reflect"): "mails leave, to the user",
    ("cache prune", "--all"): "files are removed",
    ("cache prune", "--older"): "files are removed",
    ("cache prune", "--to"): "files are removed",
}
"""Every option that must be typed, and why."""
HARMLESS = {
    "--accel",
    "--all",
    "--allocator",
    "--append",
    "--arch",
    "--cache",
    "--cache-age",
    "--cache-limit",
    "--case",
    "--cc",
    "--config",
    "--deadline",
    "--dry-run",
    "--engine",
    "--failed",
    "--format",
    "--icount",
    "--initramfs",
    "--in-reply-to",
    "--jobs",
    "--json",
    "--kernel",
    "--machine",
    "--matrix",
    "--no-build",
    "--only-possible",
    "--origin",
    "--output",
    "--patch",
    "--pristine",
    "--quiet",
    "--repeat",
    "--reroll",
    "--run",
    "--runs",
    "--against",
    "--branch",
    "--scale",
    "--scheduler",
    "--seed",
    "--set",
    "--share",
    "--silence",
    "--suite",
    "--templates",
    "--to",
    "--topology",
    "--tree",
    "--trim-ms",
    "--verbose",
    "--version",
}
"""Options that say what is looked at, built, booted or shown. What they write goes into the cache,
into a record, or where `--output` says; `--to` and `--cc` of `slqb send` are shown before a mail
leaves. A new option must be put here or above."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command and group, by its words; the outermost is ""."""
    context = click.Context(group)
    yield " ".join(path), group
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def options() -> Iterator[tuple[str, click.Option]]:
    """Every option of every command."""
    for words, command in commands(slqb):
        yield from ((words, one) for one in command.params if isinstance(one, click.Option))


def long(option: click.Option) -> str:
    return next(word for word in option.opts if word.startswith("--"))


def test_every_option_with_an_effect_is_declared() -> None:
    typed = {(words, long(one)) for words, one in options() if isinstance(one, TypedOption)}
    assert typed == set(EFFECTS)
    others = {long(one) for words, one in options() if (words, long(one)) not in EFFECTS}
    assert others <= HARMLESS, "a new option: has it an effect that cannot be undone?"
    assert {words.split()[0] for words, _ in options() if words} == set(COMMANDS)


def value_of(option: str) -> str:
    return {"--older": "1h", "--to": "1 MB"}.get(option, "true")


@pytest.mark.parametrize(("words", "option"), EFFECTS, ids=map(" ".join, EFFECTS))
@pytest.mark.parametrize("false", [False, True], ids=["on", "off"])
def test_the_environment_cannot_set_it(
    slqb: Command, tmp_path: Path, words: str, option: str, false: bool
) -> None:
    variable = f"SLQB_{words}_{option[2:]}".upper().replace(" ", "_").replace("-", "_")
    value = "0" if false else value_of(option)
    argument = ["outgoing"] if words == "send" else []
    answer = slqb(*words.split(), *argument, env={variable: value})
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert line == (
        f"slqb: the variable {variable}: {option} counts only where it is typed, "
        "on the command line; unset it"
    )
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("words", "option"), EFFECTS, ids=map(" ".join, EFFECTS))
@pytest.mark.parametrize("dashes", [False, True], ids=["bare", "with dashes"])
def test_the_config_file_cannot_set_it(
    slqb: Command, tmp_path: Path, words: str, option: str, dashes: bool
) -> None:
    key = option if dashes else option[2:]
    value = value_of(option)
    said = value if value == "true" else f'"{value}"'
    file = tmp_path / "config/slqb/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'[{".".join(words.split())}]\n"{key}" = {said}\n')
    for command in (words.split(), ["tree", "list"]):
        answer = slqb(*command, *(["outgoing"] if words == "send" else []))
        assert answer.returncode == 2
        assert answer.stderr == (
            f"slqb: config file {file}: `slqb {words}`: {option} counts only where it is typed, "
            f"on the command line; remove {key!r} there\n"
        )


def test_completion_does_not_mind_the_variable(slqb: Command) -> None:
    env = {"_SLQB_COMPLETE": "bash_complete", "COMP_WORDS": "slqb send --re", "COMP_CWORD": "2"}
    answer = slqb(env={**env, "SLQB_SEND_REALLY": "1"})
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "--really" in answer.stdout
