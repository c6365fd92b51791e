# SPDX-License-Identifier: GPL-2.0
"""Who a series is from: what git is told of the user, and nothing that git would guess.

A series that only gets built is from nobody, so that the same templates on the same tree make the
same commits for everybody. One that leaves this machine needs a name and an address.

git keeps a name as the bytes that stand in its config. They are taken for UTF-8, or else for what
i18n.commitEncoding says; from here on a name is text, and everything we write is UTF-8.
"""

import re
import unicodedata
from dataclasses import dataclass
from email.charset import QP, Charset
from email.header import Header
from pathlib import Path

from harness import child
from harness.child import CommandError
from harness.errors import Outcome, UserError
from harness.store import EMAIL, IDENTITY

IDENT = re.compile(r"(?P<name>.*\S) <(?P<email>[^<>]*)> \d+ [+-]\d{4}")
ADDRESS = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")
"""Printable ASCII without blanks, < and >, and one @: what any mail server takes."""
WORDS = re.compile(r"[\w !#$%&'*+/^`{|}~-]+", re.ASCII)
"""A name that can stand in a mail header as it is (RFC 5322: atoms and blanks)."""
ENCODED = "=?"
"""How an encoded word begins: a name with that in it would be decoded."""
SHORTEST, LONGEST = 3, 60
"""Bytes. `git am` takes the address in place of a shorter or longer name, or of one with an @."""
HEADER_WIDTH = 76
UNSEEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
"""Characters that change the order of others on a screen, and separators of lines."""
HOW = "git config --global user.name 'YOUR NAME'; git config --global user.email YOU@WHERE"


@dataclass(frozen=True)
class Author:
    """A name and an address."""

    name: str
    email: str

    def __str__(self) -> str:
        """As it stands in a commit and after Signed-off-by."""
        return f"{self.name} <{self.email}>"

    @property
    def address(self) -> str:
        """The same with the name quoted for a mail header, but not encoded: UTF-8 stays."""
        if WORDS.fullmatch(self.name):
            return str(self)
        quoted = re.sub(r'(["\\])', r"\\\1", self.name)
        return f'"{quoted}" <{self.email}>'

    @property
    def header(self) -> str:
        """As it stands after From: in a mail: ASCII, encoded (RFC 2047) if need be, and folded."""
        if self.name.isascii() and ENCODED not in self.name:
            return self.address
        charset = Charset("utf-8")
        charset.header_encoding = QP
        name = Header(self.name, charset, HEADER_WIDTH, header_name="From").encode()
        gap = "\n " if len(name.rpartition("\n")[2] + self.email) > HEADER_WIDTH - 10 else " "
        return f"{name}{gap}<{self.email}>"


NOBODY = Author(IDENTITY, EMAIL)


def author_of(folder: Path) -> Author:
    """The author that git would write for a commit made in `folder`.

    git config or GIT_AUTHOR_* must name one; a UserError says how to set what is missing.
    """
    try:
        said = _git(folder, "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    except CommandError as error:
        if error.outcome is not Outcome.USAGE:
            raise
        raise UserError(
            f"a series needs an author, and git knows none ({_why(error)}): {HOW}"
        ) from error
    text = _text(said.removesuffix("\n"), folder)
    found = IDENT.fullmatch(text)
    if not found or not ADDRESS.fullmatch(found["email"]):
        raise UserError(
            f"a series needs an author with a mail address, and git says {text!r}: {HOW}"
        )
    author = Author(found["name"], found["email"])
    if lost := _lost(author.name):
        raise UserError(f"the author's name {author.name!r} would be lost: {lost}; {HOW}")
    return author


def _lost(name: str) -> str:
    """Why `git am` would not take the name from a mail as it is; "" if it does."""
    if not SHORTEST <= len(name.encode()) <= LONGEST or "@" in name:
        return f"`git am` takes names of {SHORTEST} to {LONGEST} bytes without an @"
    if not name.isascii() and set(name) & set('"\\'):
        return 'of names that are not ASCII, `git am` removes " and \\'
    return ""


def _git(folder: Path, *words: str) -> str:
    """What git says with the user's settings; bytes that are no UTF-8 survive in it."""
    return child.run(
        ("git", *words), cwd=folder, env={"LC_ALL": "C"}, only_stdout=True, outcome=Outcome.USAGE
    )


def _why(error: CommandError) -> str:
    """The line of git's that says what is wrong."""
    lines = [line.strip() for line in error.tail.splitlines()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or ["it gave no reason"])[-1].partition(": ")[2] or "it gave no reason"


def _text(said: str, folder: Path) -> str:
    """Git's bytes as text; a UserError if nobody can tell what they mean."""
    data = said.encode(errors="surrogateescape")
    encoding = _commit_encoding(folder)
    for codec in ("utf-8", encoding):
        try:
            text = data.decode(codec)
        except (UnicodeError, LookupError):
            continue
        if not any(unicodedata.category(one) == "Cc" or one in UNSEEN for one in text):
            return text
    shown = data.decode(errors="backslashreplace")
    raise UserError(
        f"the author's name is no plain text in {encoding}: {shown!a}; write it in UTF-8, "
        "or name its encoding: git config --global i18n.commitEncoding ISO-8859-1"
    )


def _commit_encoding(folder: Path) -> str:
    """The encoding of commits that the user has set; UTF-8 if there is none."""
    try:
        return _git(folder, "config", "--get", "i18n.commitEncoding").strip() or "utf-8"
    except CommandError as error:
        if error.outcome is not Outcome.USAGE:
            raise
        return "utf-8"
