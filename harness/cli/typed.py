# SPDX-License-Identifier: GPL-2.0
"""Kinds of options: those that count only where they are typed, and amounts.

Every other option may also be set in the environment (SLQB_SEND_TO) or in the config file. What
such an option as `--really` does cannot be undone: mails leave, files are removed. A variable
that somebody exported weeks ago, or a config file that came with a checkout, must not do that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from harness.errors import UserError


class Amount(click.ParamType):
    """A size or an age, as `harness.quota` reads it; "none" is a value, too, so it is wrapped."""

    name = "amount"

    @dataclass(frozen=True)
    class Value:
        """The number; None for no bound."""

        number: float | None

    def __init__(self, read: Callable[[str], float | None]) -> None:
        self.read = read

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Amount.Value":
        """The wrapped number, or a usage error in the words of the reader."""
        if isinstance(value, Amount.Value):
            return value
        try:
            return Amount.Value(self.read(str(value)))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class TypedOption(click.Option):
    """An option with an effect that cannot be undone: `@click.option(..., cls=TypedOption)`."""

    def consume_value(
        self, ctx: click.Context, opts: Mapping[str, Any]
    ) -> tuple[Any, ParameterSource]:
        """As any option does; a UserError if the value comes from the environment.

        The config file is refused where it is read, in `harness.cli`.
        """
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.ENVIRONMENT and not ctx.resilient_parsing:
            variable = f"{ctx.auto_envvar_prefix}_{self.name}".upper()
            raise UserError(f"the variable {variable}: {self.refusal}; unset it")
        return value, source

    @property
    def refusal(self) -> str:
        """Why a place that is not the command line cannot set it."""
        return f"{max(self.opts, key=len)} counts only where it is typed, on the command line"
