# SPDX-License-Identifier: GPL-2.0
"""Regular expressions that take time in proportion to the text, whatever the text is.

Python's own engine tries alternatives one after the other and may need quadratic time, or worse, on
a line made for it. RE2 does not, so it matches what comes from outside (a pattern that a log
announces) and what is looked for anywhere in a line. It knows no lookaround and no references.
"""

from functools import lru_cache
from typing import Any

import re2

LinearError = re2.error
"""A pattern that RE2 does not take."""


@lru_cache(maxsize=1024)
def linear(pattern: str) -> Any:
    """A compiled pattern with `search`, `match` and `pattern`; LinearError if it is no good."""
    return re2.compile(pattern, _options())


@lru_cache(maxsize=64)
def linear_bytes(pattern: bytes) -> Any:
    """The same for bytes, within lines only: nothing in the pattern matches a line break."""
    options = _options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_nl = True
    return re2.compile(pattern, options)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options
