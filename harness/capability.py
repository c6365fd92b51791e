# SPDX-License-Identifier: GPL-2.0
"""Capabilities: what a tree can do, by name, and how to see that it can.

templates/capabilities.toml has a table for each, named as templates ask for it:

[struct_slab]
means = "what it is good to know for"
files = ["where to look", "or else there"]
line = 'the regular expression that proves it'
within = [{ from = 'a region to look in', to = 'its end', holding = 'what it holds' }]

Nothing is told by a version number: a tree has what its files show.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, field_validator

from harness.place import Region
from harness.table import read_table

FILE = "capabilities.toml"


class Capability(BaseModel):
    """How to find one out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    means: str
    files: tuple[str, ...]
    line: str
    within: tuple[Region, ...] = ()

    @field_validator("line")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return value


def load_capabilities(templates: Path) -> Mapping[str, Capability]:
    """All that the templates know of, in the order they are written."""
    return read_table(templates / FILE, TypeAdapter(dict[str, Capability]))
