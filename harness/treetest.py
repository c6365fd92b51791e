# SPDX-License-Identifier: GPL-2.0
"""What has to be known of the tree's own tests: configs/treetests.toml.

Some of them make the kernel complain, to see whether it does. Their sources know nothing of
`# expect:`, so the complaints they mean to cause are declared here, for all logs. There
may be any number: each of these suites fails by itself where one is missing.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.catalogue import Entry, read
from harness.ktap import Expectation
from harness.places import PROJECT
from harness.results import Declared

TREETESTS = PROJECT / "configs" / "treetests.toml"


class Noisy(BaseModel):
    """A suite, or a case, that provokes complaints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    complaint: re.Pattern[str]
    why: str


class LeftOut(BaseModel):
    """A case that does not run, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    why: str
    file: str = ""
    line: re.Pattern[str] | None = None


class TreeTests(Entry):
    """All that is known."""

    noisy: tuple[Noisy, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def declared(self) -> tuple[Declared, ...]:
        """The complaints that are no surprise."""
        return tuple(
            Declared(one.path, Expectation(one.complaint.pattern, least=0, most=None))
            for one in self.noisy
        )


@cache
def tree_tests(path: Path = TREETESTS) -> TreeTests:
    """What the file says."""
    return read(path, TreeTests)
