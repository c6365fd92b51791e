# SPDX-License-Identifier: GPL-2.0
"""TOML and JSON, decoded so that whatever the bytes are, the only error is a ValueError.

The decoders of the standard library raise other things as well: text that nests too deeply ends
their recursion, and a number with thousands of digits is refused by int().
"""

import json
import tomllib
from typing import Any

TOO_DEEP = "it nests too deeply"


def parse_toml(raw: bytes) -> dict[str, Any]:
    """The table that the bytes of a TOML file hold; a ValueError says what is wrong with them."""
    try:
        return tomllib.loads(raw.decode())
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def parse_json(raw: bytes) -> Any:
    """What the bytes of a JSON file hold; a ValueError says what is wrong with them."""
    try:
        return json.loads(raw.decode())
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
