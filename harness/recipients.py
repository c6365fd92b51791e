# SPDX-License-Identifier: GPL-2.0
"""To whom a series goes: what the tree's get_maintainer says of its patches, each address once.

Maintainers are addressed, reviewers and lists get a copy. History is not asked: a private copy of
a tree has none, and who once touched a line is no maintainer.
"""

import email.utils
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import child
from harness.errors import Outcome, TreeError, UserError
from harness.mail import Mail

WORDS = ("--nogit", "--nogit-fallback", "--nogit-chief-penguins", "--roles", "--norolestats")
SAID = re.compile(r"(?P<address>.*@\S+) \((?P<roles>.*)\)")
ADDRESSED = re.compile(r"\b(maintainer|supporter)\b")


@dataclass(frozen=True)
class Recipients:
    """Addresses as they stand in a header."""

    to: tuple[str, ...]
    cc: tuple[str, ...]

    def with_more(self, to: Iterable[str], cc: Iterable[str]) -> "Recipients":
        """The same and those that the user names."""
        return distinct((*self.to, *to), (*self.cc, *cc))


def recipients_of(source: Path, mails: Sequence[Mail]) -> Recipients:
    """Everybody whom the MAINTAINERS of that tree names for what the patches touch."""
    patches = [mail.path.absolute() for mail in mails if mail.number]
    script = source / "scripts/get_maintainer.pl"
    if not script.is_file():
        raise TreeError(f"this tree has no {script.relative_to(source)}: name people with --to")
    words: tuple[str | Path, ...] = ("perl", script, *WORDS, "--nofixes", *patches)
    said = child.run(words, cwd=source, only_stdout=True, outcome=Outcome.TREE)
    return by_role(said.splitlines())


def by_role(lines: Iterable[str]) -> Recipients:
    """From lines such as 'A Name <name@host> (maintainer:SLAB ALLOCATOR)'."""
    found = [match for line in lines if (match := SAID.fullmatch(line.strip()))]
    addressed = [one["address"] for one in found if ADDRESSED.search(one["roles"])]
    return distinct(addressed, (one["address"] for one in found))


def distinct(to: Iterable[str], cc: Iterable[str]) -> Recipients:
    """Each address once, however it is written; who is addressed needs no copy."""
    seen: set[str] = set()
    first = tuple(_unseen(to, seen))
    return Recipients(first, tuple(_unseen(cc, seen)))


def _unseen(addresses: Iterable[str], seen: set[str]) -> Iterator[str]:
    for text in addresses:
        _, address = email.utils.parseaddr(text)
        if "@" not in address:
            raise UserError(f"{text!r} is no mail address, as in 'A Name <name@host.example>'")
        if address.lower() not in seen:
            seen.add(address.lower())
            yield text
