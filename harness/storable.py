# SPDX-License-Identifier: GPL-2.0
"""Models that are kept as JSON, which has to be UTF-8 whatever the names of files are.

Python reads a file name, or a word of the command line, that is no UTF-8 into a str with lone
surrogates, and JSON cannot hold those. In what is stored each such byte is written out (`\\udcff`):
it is read by people, and nothing is opened by it.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationInfo, model_validator


def storable(value: Any) -> Any:
    """The value, with the lone surrogates of each text in it written out.

    Looks into lists, tuples and mappings; anything else is returned as it is.
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {storable(key): storable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(storable, value))
    return value


class Storable(BaseModel):
    """A model that can always be written as JSON."""

    @model_validator(mode="before")
    @classmethod
    def _all_storable(cls, data: Any, info: ValidationInfo) -> Any:
        return data if info.mode == "json" else storable(data)
