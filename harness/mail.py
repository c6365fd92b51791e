# SPDX-License-Identifier: GPL-2.0
"""The mails of a series as they lie in a folder, and the trees they make one after the other."""

import email
import email.policy
import email.utils
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.author import NOBODY, Author
from harness.child import CommandError
from harness.errors import Outcome, TreeError, UserError
from harness.store import Store

TAG = re.compile(r"^\[PATCH(?: v(?P<version>\d+))? (?P<number>\d+)/(?P<total>\d+)\]\s*")
SIGNED = re.compile(r"^Signed-off-by: (.*\S)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """One mail; the cover letter has the number 0."""

    path: Path
    subject: str
    number: int
    total: int
    version: int
    sender: Author = NOBODY
    body: str = ""
    """The message, up to the diffstat."""

    @property
    def signed_off(self) -> tuple[str, ...]:
        """Who signed it off."""
        return tuple(SIGNED.findall(self.body))

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.number:02}/{self.total} {self.subject}"


@dataclass(frozen=True)
class Applied:
    """A patch that was applied to an index: the tree after it."""

    mail: Mail
    tree: str


class ApplyError(TreeError):
    """A mail that does not apply to what those before it have left."""

    def __init__(self, mail: Mail, reason: str) -> None:
        super().__init__(f"patch {mail.name}: does not apply: {reason}")
        self.mail, self.reason = mail, reason


def read_mails(folder: Path) -> tuple[Mail, ...]:
    """All of them, in order, the cover letter first; one missing is an error."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is not a folder of mails")
    mails = sorted((_read(path) for path in folder.glob("*.patch")), key=lambda one: one.number)
    if not mails:
        raise UserError(f"{folder}: there are no mails (*.patch)")
    if not (total := mails[0].total):
        raise UserError(f"{folder}: {mails[0].path.name} is a letter without patches")
    if [one.number for one in mails] != list(range(total + 1)):
        there = ", ".join(str(one.number) for one in mails)
        raise UserError(f"{folder}: of mails 0 to {total} there are: {there}")
    return tuple(mails)


def apply_mails(store: Store, base: str, mails: Sequence[Mail]) -> Iterator[Applied]:
    """Apply the patches to an index of their own: nothing is checked out, white space matters."""
    with TemporaryDirectory(dir=store.folder, prefix="apply-") as scratch:
        env: dict[str, str | None] = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        store.git("read-tree", base, env=env)
        for mail in mails:
            if mail.number:
                _apply(store, mail, env)
                yield Applied(mail, store.git("write-tree", env=env).strip())


def commit_mails(store: Store, base: str, steps: Sequence[Applied]) -> str:
    """The commits that `git am` would make, but for their dates; returns the last one."""
    tip = base
    for step in steps:
        mail = step.mail
        message = f"{mail.subject}\n\n{mail.body}"
        tip = store.commit(step.tree, message, (tip,), mail.sender.name, mail.sender.email)
    return tip


def commands(store: Store, base: str, mails: Sequence[Mail]) -> Iterator[str]:
    """What `apply_mails` runs, to be typed by hand."""
    yield "export GIT_INDEX_FILE=$(mktemp -u)"
    for words in (("read-tree", base), *(_words(mail) for mail in mails if mail.number)):
        yield shlex.join(map(str, ("git", f"--git-dir={store.path}", *words)))
    yield "unset GIT_INDEX_FILE"


def changed_files(store: Store, before: str, after: str) -> dict[str, bytes | None]:
    """What differs between two trees: the new content of each file, None for one that is gone."""
    said = store.git("diff-tree", "-r", "--name-status", "--no-renames", "-z", before, after)
    words = iter(said.split("\0")[:-1])
    files: dict[str, bytes | None] = {}
    for status, name in zip(words, words, strict=True):
        text = None if status == "D" else store.git("cat-file", "blob", f"{after}:{name}")
        files[name] = None if text is None else text.encode(errors="surrogateescape")
    return files


def _apply(store: Store, mail: Mail, env: dict[str, str | None]) -> None:
    try:
        store.git(*_words(mail), env=env, outcome=Outcome.TREE)
    except CommandError as error:
        if error.outcome is not Outcome.TREE:
            raise
        raise ApplyError(mail, _first(error.tail, mail.path)) from error


def _words(mail: Mail) -> tuple[str | Path, ...]:
    return ("apply", "--cached", "--whitespace=error-all", mail.path.absolute())


def _first(text: str, path: Path) -> str:
    """The line of git's that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "whitespace" in line or line.startswith("error:")]
    said = (telling or lines or ["git gave no reason"])[0]
    return said.replace(f"{path.absolute()}:", f"{path.name}:").removeprefix("error: ")


def _read(path: Path) -> Mail:
    with path.open("rb") as file:
        message: EmailMessage = email.message_from_binary_file(file, policy=email.policy.default)
    subject = str(message.get("Subject", ""))
    if not (tag := TAG.match(subject)):
        raise UserError(f"{path}: its subject is not one of a series: {subject!r}")
    if message.get_content_type() != "text/plain":
        raise UserError(f"{path}: is no plain text, as git format-patch writes it")
    number, total, version = int(tag["number"]), int(tag["total"]), int(tag["version"] or 1)
    text = _content(message, path)
    body = re.split(r"^---$", text, maxsplit=1, flags=re.MULTILINE)[0] if number else text
    return Mail(path, TAG.sub("", subject), number, total, version, _sender(path), body)


def _content(message: EmailMessage, path: Path) -> str:
    try:
        return str(message.get_content())
    except LookupError as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def _sender(path: Path) -> Author:
    """Who it is from, the name as people read it.

    The header is read with the older of Python's two parsers: the newer one puts a blank between
    the parts of a name that is encoded in more than one word.
    """
    with path.open("rb") as file:
        head = BytesHeaderParser().parse(file)
    name, address = email.utils.parseaddr(str(head.get("From", "")))
    if "@" not in address:
        raise UserError(f"{path}: its From: names no address")
    try:
        return Author(str(make_header(decode_header(name))), address)
    except (LookupError, UnicodeError, HeaderParseError) as error:
        raise UserError(f"{path}: its From: cannot be decoded: {error}") from error
