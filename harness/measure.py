# SPDX-License-Identifier: GPL-2.0
"""Numbers that a boot brings, besides its verdict: for the record, and to be set side by side.

The guest prints them, inside a test or not:

measure: '# measure: ' name ' ' number ' ' unit [' ' where]
"""

import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

LINE = re.compile(
    r"# measure: (?P<name>[\w.]+) (?P<value>-?\d{1,30}(?:\.\d{1,30})?) (?P<unit>\S+)"
    r"(?: (?P<where>.*\S))?\s*$"
)


class Measure(BaseModel):
    """A number with its unit, and what it was found at."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float
    unit: str
    where: str = ""

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        return f"{self.value:,.15g} {self.unit}{where}"


def measures(lines: Iterable[str]) -> Mapping[str, Measure]:
    """What the guest measured; a name that comes again replaces what was there."""
    found = filter(None, map(LINE.search, lines))
    return {
        one["name"]: Measure(value=float(one["value"]), unit=one["unit"], where=one["where"] or "")
        for one in found
    }
