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


@dataclass(frozen=True)
class Amount:
    """A size in bytes or an age in seconds; None for no bound, which is not "not given"."""

    number: float | None


def amount(
    read: Callable[[str], float | None],
) -> Callable[[click.Context, click.Parameter, str | None], Amount | None]:
    """A callback for options whose text `read` understands; its ValueError is wrong use."""

    def callback(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Amount | None:
        try:
            return None if value is None else Amount(read(value))
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from error

    return callback


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
