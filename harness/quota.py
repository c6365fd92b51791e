# SPDX-License-Identifier: GPL-2.0
"""How much the cache may hold, and for how long: sizes and ages as people write them.

size:   NUMBER ['K' | 'M' | 'G' | 'T'] ['B' | 'iB'] | 'none'     40 GB is 40,000,000,000 bytes
age:    NUMBER ('m' | 'h' | 'd' | 'w', or the word) | 'none'      30 days, 12h
"""

import re
from dataclasses import dataclass
from math import isfinite

NONE = "none"
LIMIT, AGE = "40 GB", "30 days"
AGES = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[a-z]+)")
SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
WORDS = {
    **{"min": "m", "minute": "m", "hour": "h", "day": "d", "week": "w"},
    **{unit: unit for unit in SECONDS},
}


@dataclass(frozen=True)
class Quota:
    """What the cache may hold: bytes, and seconds since a thing was used; None: no bound."""

    limit: int | None
    age: float | None


DEFAULT = Quota(40 * 10**9, 30 * SECONDS["d"])
"""What LIMIT and AGE say."""


def size_from(text: str) -> int | None:
    """Bytes; None for "none". A ValueError says what was expected."""
    from pydantic import ByteSize, TypeAdapter, ValidationError  # takes a while

    if text.strip().lower() == NONE:
        return None
    try:
        return int(TypeAdapter(ByteSize).validate_python(text.strip()))
    except (ValidationError, OverflowError) as error:
        raise ValueError(f"{text!r} is no size, as in '40 GB', '500 MB' or 'none'") from error


def age_from(text: str) -> float | None:
    """Seconds; None for "none". A ValueError says what was expected."""
    word = text.strip().lower()
    if word == NONE:
        return None
    found = AGES.fullmatch(word)
    unit = WORDS.get(found["unit"]) or WORDS.get(found["unit"].removesuffix("s")) if found else None
    if not found or not unit or not isfinite(seconds := float(found["number"]) * SECONDS[unit]):
        raise ValueError(f"{text!r} is no age, as in '30 days', '12h' or 'none'")
    return seconds


def shown_size(size: int) -> str:
    """For people: three digits and a unit."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def shown_age(seconds: float) -> str:
    """For people: the largest unit that fits."""
    for unit, name in (("d", "days"), ("h", "hours")):
        if seconds >= 2 * SECONDS[unit]:
            return f"{seconds / SECONDS[unit]:.0f} {name}"
    return f"{seconds / SECONDS['m']:.0f} minutes"
