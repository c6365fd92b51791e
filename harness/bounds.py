# SPDX-License-Identifier: GPL-2.0
"""What an allocator's structures and queues cost, as the guest says before it powers off.

line:   'slqb-guest: bounds' pair*        pair: KEY '=' NUMBER

tests/guest/bounds.c says what the keys mean; the record keeps them as they are. A guest that
does not know (another allocator's, or one that died) says none.
"""

import re
from collections.abc import Iterable, Mapping

LINE = re.compile(r"^slqb-guest: bounds(?P<pairs>(?: [a-z_]+=\d+)+)$")


def bounds(lines: Iterable[str]) -> dict[str, int]:
    """The numbers of the last such line; none, if there is no line."""
    found: dict[str, int] = {}
    for line in lines:
        if said := LINE.match(line.strip()):
            pairs = (pair.split("=") for pair in said["pairs"].split())
            found = {key: int(number) for key, number in pairs}
    return found


def told(found: Mapping[str, int]) -> str:
    """One line for a report; empty where nothing is known."""
    pairs = ", ".join(f"{key.replace('_', ' ')} {number}" for key, number in found.items())
    return f"bounds: {pairs}" if pairs else ""
