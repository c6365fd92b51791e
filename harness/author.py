# SPDX-License-Identifier: GPL-2.0
"""Who a series is from: what git is told of the user, and nothing that git would guess.

A series that only gets built is from nobody, so that the same templates on the same tree make the
same commits for everybody.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from harness import child
from harness.child import CommandError
from harness.errors import Outcome, UserError
from harness.store import EMAIL, IDENTITY

IDENT = re.compile(r"(?P<name>.*\S) <(?P<email>[^<>\s]+@[^<>\s]+)> \d+ [+-]\d{4}")


@dataclass(frozen=True)
class Author:
    """A name and an address."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


NOBODY = Author(IDENTITY, EMAIL)


def author_of(folder: Path) -> Author:
    """The author that git would write there; git config or GIT_AUTHOR_* must name one."""
    words = ("git", "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    try:
        said = child.run(words, cwd=folder, only_stdout=True, outcome=Outcome.USAGE).strip()
    except CommandError as error:
        if error.outcome is not Outcome.USAGE:
            raise
        said = ""
    if not (found := IDENT.fullmatch(said)):
        raise UserError(
            "a series needs an author, and git knows none: "
            "git config --global user.name 'YOUR NAME'; git config --global user.email YOU@WHERE"
        )
    return Author(found["name"], found["email"])
