# SPDX-License-Identifier: GPL-2.0
"""How far a build is: objects done of objects expected, seconds gone of seconds expected.

Expected is what the last build from nothing of the same kind took, kept among the facts in
the cache; the first one goes by what the fragments say. A build that has an image already
compiles what changed, and how much that is nobody knows before: it shows a count and no end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.file import write_if_changed
from harness.progress import Progress

OBJECT = re.compile(r"\s{2}(?:CC|AS|HOSTCC|HOSTCXX)\s+(?:\[M\]\s+)?(?P<name>\S+)")


class Past(BaseModel):
    """What a build from nothing took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objects: int
    seconds: float


class Watch:
    """Counts the objects of one build and tells the progress."""

    def __init__(
        self,
        progress: Progress,
        facts: Path,
        *,
        fresh: bool,
        guess: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.objects = 0
        self._progress, self._facts, self._fresh, self._clock = progress, facts, fresh, clock
        self._past = read_past(facts) if fresh else None
        self._total = self._past.objects if self._past else guess if fresh else None
        self._began = clock()

    def start(self, name: str) -> None:
        """The build begins."""
        self._began = self._clock()
        self._progress.stage(name, self._past.seconds if self._past else None)

    def line(self, text: str) -> None:
        """One line that make printed."""
        if found := OBJECT.match(text):
            self.objects += 1
            self._progress.step(self.objects, self._total, found["name"])

    def remember(self) -> None:
        """Keep what a build from nothing took, for the next one to expect."""
        if self._fresh:
            past = Past(objects=self.objects, seconds=round(self._clock() - self._began, 1))
            write_if_changed(self._facts, past.model_dump_json().encode())


def read_past(facts: Path) -> Past | None:
    """What is remembered; a file from another version is as good as none."""
    try:
        return Past.model_validate_json(facts.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
