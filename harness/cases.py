# SPDX-License-Identifier: GPL-2.0
"""The names of tests, and what a pattern of `--case` picks of them.

name:     group '.' case           pattern: a name in which '*' and '?' stand for anything

The guest's own stand in tables of C below tests/guest, those of KUnit in the sources of a tree.
A pattern that picks nothing is refused before anything is built for it.
"""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from harness.errors import UserError
from harness.places import PROJECT

GUEST = PROJECT / "tests" / "guest"
GROUPS = {"slabtest": "slabtest", "user": "."}
"""The folder of each group's tables; `topology` is there besides, with a single case."""
SHAPE = "topology.shape"
NO_TABLES = frozenset({"orders.c", "plant.c"})  # orders and faults are no cases
ROW = re.compile(
    r'^\t\{ "(?P<case>[a-z0-9_]+)", (?P<function>[a-z0-9_]+)(?:, (?:SHAPED|ANY_SHAPE))? \},$',
    re.MULTILINE,
)
KUNIT_FILE = re.compile(r"(test|kunit).*\.c$")
KUNIT_SUITE = re.compile(r'\.name = "([\w-]+)"')
KUNIT_CASE = re.compile(r"KUNIT_CASE\w*\(\s*(\w+)")
FEW = 4


def rows(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """File, case and function of each row of the tables in a folder."""
    for file in sorted(folder.glob("*.c")):
        if file.name not in NO_TABLES:
            for found in ROW.finditer(file.read_text()):
                yield file, found["case"], found["function"]


@cache
def guest_cases() -> tuple[str, ...]:
    """What our init and module can run."""
    own = (f"{group}.{case}" for group, at in GROUPS.items() for _, case, _ in rows(GUEST / at))
    return (SHAPE, *own)


def kunit_cases(source: Path) -> Iterator[str]:
    """What KUnit can run of a tree, whatever of it is configured."""
    for file in source.rglob("*.c"):
        if KUNIT_FILE.search(file.name) and "kunit" in (text := file.read_text(errors="replace")):
            cases = KUNIT_CASE.findall(text)
            yield from (f"{suite}.{case}" for suite in KUNIT_SUITE.findall(text) for case in cases)


def picks(pattern: str, names: Collection[str]) -> bool:
    """Whether any of the names is meant."""
    wanted = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
    return any(wanted.fullmatch(name) for name in names)


def only_shape(pattern: str) -> bool:
    """Whether nothing is asked for but the look at the machine, which comes first in any case."""
    return pattern.startswith("topology.")


def refuse(pattern: str, names: Collection[str]) -> UserError:
    """What to say of a pattern that picks nothing."""
    near = [name for name in names if picks(f"*{pattern}*", (name,))]
    told = ", ".join(near[:FEW] or get_close_matches(pattern, names, FEW, 0.7))
    hint = f"near it: {told}" if told else "as in 'slabtest.remote_*', 'user.trim_returns'"
    return UserError(f"--case {pattern!r}: no test has such a name; {hint}")


def mentioned(pattern: str, *files: Path) -> bool:
    """Whether every word of a pattern is in one of the files, a kernel or an archive."""
    contents = [file.read_bytes() for file in files]
    words = re.findall(r"\w+", pattern)
    return all(any(word.encode() in content for content in contents) for word in words)
