# SPDX-License-Identifier: GPL-2.0
"""What builds and boots took the last times, kept among the facts in the cache.

facts/seconds-NAME.json   {"seconds": [last, the one before, ...]}

A name tells everything that the time depends on: the kernel, the topology, the tests asked for and
their scale, and the accelerator. The median of a few is expected next time: one run on a busy
machine changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.asked import Asked
from harness.file import write_if_changed
from harness.places import Places

FEW = 5
UNFIT = re.compile(r"[^\w.+-]")


class Seconds(BaseModel):
    """The last first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Past:
    """What is remembered."""

    facts: Path

    @classmethod
    def of(cls, places: Places) -> Past:
        """That of a cache."""
        return cls(places.facts)

    def expect(self, name: str) -> float | None:
        """What it took; None if nobody knows."""
        known = self._read(name)
        return median(known) if known else None

    def remember(self, name: str, seconds: float) -> None:
        """Once more."""
        kept = Seconds(seconds=(round(seconds, 2), *self._read(name))[:FEW])
        write_if_changed(self._file(name), kept.model_dump_json().encode())

    def _read(self, name: str) -> tuple[float, ...]:
        try:
            return Seconds.model_validate_json(self._file(name).read_bytes()).seconds
        except (FileNotFoundError, ValidationError):  # not there, or another version's
            return ()

    def _file(self, name: str) -> Path:
        return self.facts / f"seconds-{UNFIT.sub('_', name)}.json"


def boot_name(kernel: str, topology: str, asked: Asked, accelerator: str) -> str:
    """What the time of a boot depends on; the seed changes little."""
    plain = Asked(suite=asked.suite, scale=asked.scale)
    rest = asked.model_copy(update={"seed": 0, "suite": "all", "scale": "quick", "share": None})
    name = f"{kernel}-{topology}-{plain.suite}-{plain.scale}-{accelerator}"
    if rest == Asked():
        return name
    return f"{name}-{hashlib.sha256(rest.model_dump_json().encode()).hexdigest()[:8]}"


def build_name(kernel: str, *, fresh: bool) -> str:
    """A build from nothing is another thing than one more."""
    return f"{kernel}-{'fresh' if fresh else 'again'}"
