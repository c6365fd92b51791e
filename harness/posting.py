# SPDX-License-Identifier: GPL-2.0
"""From a rendered series to commits in the store, and from there to mails.

One `git fast-import` makes all commits without a worktree or an index; identity and
dates are fixed, so the same series on the same base has the same commit ids. Then
`git format-patch` writes the mails, the cover letter gets our words, and each mail gets a
Message-ID that follows from what it is. What goes into the output folder is remembered
there by hash: a file that is not ours, or that somebody edited, is never replaced.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.author import NOBODY, Author
from harness.child import CommandError, command_line
from harness.errors import Outcome, UserError
from harness.file import write_atomically
from harness.letter import Letter
from harness.progress import Progress
from harness.series import Commit, Series, content
from harness.store import Store, identity
from harness.tree import Tree

MANIFEST = ".slqb-series.json"
SUBJECT, BLURB = "*** SUBJECT HERE ***", "*** BLURB HERE ***"
BASE = re.compile(rb"^base-commit: .*$", re.MULTILINE)
FROM = re.compile(rb"^From: .*(?:\n[ \t].*)*$", re.MULTILINE)
MIME = (
    b"MIME-Version: 1.0",
    b"Content-Type: text/plain; charset=UTF-8",
    b"Content-Transfer-Encoding: 8bit",
)
FORMAT = (
    "format-patch",
    "--quiet",
    "--zero-commit",
    "--no-signature",
    "--cover-letter",
    "--no-renames",
    "--diff-algorithm=histogram",
    "--stat=72",
    "--subject-prefix=PATCH",
)


class Manifest(BaseModel):
    """What we wrote into a folder, by name and hash, and what the cover letter tells of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[Annotated[str, Field(pattern=r"^[^/]+\.patch$")], str]
    change_id: str = ""
    runs: dict[str, str] = {}
    """Stored runs in the cover letter, with the tree that they tested."""


@dataclass(frozen=True)
class Posting:
    """A series as commits: the base, and each patch's commit on top."""

    store: Store
    tree: Tree
    series: Series
    commits: tuple[str, ...]
    author: Author = NOBODY

    @property
    def tip(self) -> str:
        """The last commit."""
        return self.commits[-1]

    @property
    def tree_id(self) -> str:
        """The tree after the last patch."""
        return self.store.git("rev-parse", f"{self.tip}^{{tree}}").strip()

    def format_command(self, folder: Path, version: int = 1) -> tuple[str | Path, ...]:
        """The git words that write the mails; a base is only named if upstream knows it."""
        base = (f"--base={self.tree.base}",) if self.tree.upstream else ("--no-base",)
        count = (f"--reroll-count={version}",) if version > 1 else ()
        span = f"{self.tree.base}..{self.tip}"
        return (*FORMAT, *base, *count, "--output-directory", folder, span)

    def shell_line(self, folder: Path, version: int = 1) -> str:
        """What to type to write the raw mails by hand."""
        words = ("git", f"--git-dir={self.store.path}", *self.format_command(folder, version))
        return command_line(words, self.store.folder)


def commit_series(
    store: Store, tree: Tree, source: Path, series: Series, author: Author = NOBODY
) -> Posting:
    """Put the series into the store, on top of the tree's base."""
    stream = b"".join(_stream(tree, source, series, author))
    ref = f"refs/series/{hashlib.sha256(stream).hexdigest()[:20]}"
    known = store.git("for-each-ref", "--format=%(objectname)", ref).strip()
    if not known:
        stream = stream.replace(b"%REF%", ref.encode())
        with store.only_writer(ref):
            store.git("fast-import", "--quiet", "--force", input=stream)
    span = f"{tree.base}..{ref}"
    commits = tuple(store.git("rev-list", "--reverse", span).split())
    return Posting(store, tree, series, commits, author)


def set_branch(posting: Posting, name: str) -> None:
    """Name the series in the store; the user's own repositories are not touched."""
    try:
        posting.store.git("check-ref-format", "--branch", name, outcome=Outcome.USAGE)
    except CommandError as error:
        if error.outcome is not Outcome.USAGE:
            raise
        raise UserError(f"--branch {name!r}: git does not take that for a name") from error
    posting.store.point(f"refs/heads/{name}", posting.tip)


def write_mails(
    posting: Posting,
    folder: Path,
    progress: Progress,
    letter: Letter = Letter(),  # noqa: B008
    reply_to: str = "",
) -> tuple[Path, ...]:
    """Write the mails, threaded, into folder and return them in order.

    `reply_to` is the Message-ID that the cover letter answers, if any.
    """
    refuse_foreign(folder)
    progress.stage(f"write {len(posting.commits)} patches")
    with TemporaryDirectory(dir=posting.store.folder, prefix="mails-") as scratch:
        who = posting.author
        env = identity(posting.series.date.isoformat(), who.name, who.email)
        posting.store.git(*posting.format_command(Path(scratch), letter.version), env=env)
        mails = {path.name: path.read_bytes() for path in sorted(Path(scratch).glob("*.patch"))}
    first = next(iter(mails))
    mails[first] = _with_words(mails[first], posting.series, letter)
    for number, name in enumerate(mails):
        mails[name] = _in_thread(mails[name], posting, letter.version, number, reply_to)
    runs = dict.fromkeys(letter.runs, posting.tree_id)
    _replace(folder, mails, Manifest(files={}, change_id=posting.series.change_id, runs=runs))
    progress.done()
    return tuple(folder / name for name in mails)


def refuse_foreign(folder: Path) -> None:
    """A file in the folder that is not as we left it stays: refuse to go on."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"--output {folder}: is not a directory")
    ours = manifest_of(folder).files
    for path in sorted(folder.iterdir()):
        plain = path.is_file() and not path.is_symlink()
        if not plain or path.name not in {MANIFEST, *ours}:
            raise UserError(f"--output {folder}: holds {path.name}, which slqb did not write")
        if path.name != MANIFEST and _digest(path.read_bytes()) != ours[path.name]:
            raise UserError(f"--output {folder}: {path.name} was changed since slqb wrote it")


def _replace(folder: Path, mails: Mapping[str, bytes], told: Manifest) -> None:
    """Files that are not ours any more go first; the manifest names all that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    before = manifest_of(folder).files
    new = {name: _digest(mail) for name, mail in mails.items()}
    for name in before.keys() - new.keys():
        (folder / name).unlink(missing_ok=True)
    for name, mail in mails.items():
        write_atomically(folder / name, mail)
    text = told.model_copy(update={"files": new}).model_dump_json(indent=1)
    write_atomically(folder / MANIFEST, f"{text}\n".encode())


def manifest_of(folder: Path) -> Manifest:
    """What we wrote into a folder; nothing, where there is no word of it."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return Manifest(files={})
    except ValidationError as error:
        raise UserError(f"{folder}: {MANIFEST} is damaged") from error


def _with_words(mail: bytes, series: Series, letter: Letter) -> bytes:
    """The raw cover letter with our subject, our text, and what b4 looks for at its end.

    No line of dashes before that: `git am --empty=drop` would take the rest for a patch.
    """
    text = mail.replace(SUBJECT.encode(), series.cover_subject.encode())
    text = text.replace(BLURB.encode(), series.cover(letter).encode())
    head, _, body = text.partition(b"\n\n")
    mime = () if text.isascii() or b"\nMIME-Version:" in head else MIME
    trailers = [*BASE.findall(body), f"change-id: {series.change_id}".encode()]
    body = BASE.sub(b"", body).rstrip(b"\n")
    return b"\n".join([head, *mime, b"", body, b"", *trailers, b""])


def _in_thread(mail: bytes, posting: Posting, version: int, number: int, reply_to: str) -> bytes:
    """The mail with a Message-ID that follows from what it is, answering the cover letter."""
    above = message_id(posting, version, 0) if number else reply_to
    fields = [("Message-ID", message_id(posting, version, number))]
    if above:
        references = f"{reply_to} {above}" if number and reply_to else above
        fields += [("In-Reply-To", above), ("References", references)]
    head, _, body = mail.partition(b"\n\n")
    # git encodes the author of a patch, but not that of a cover letter
    head = FROM.sub(lambda _: f"From: {posting.author.header}".encode(), head, count=1)
    return b"\n".join([head, *(f"{name}: {text}".encode() for name, text in fields), b"", body])


def message_id(posting: Posting, version: int, number: int) -> str:
    """As b4 forms it: of the change-id, the version, and the place in the series."""
    date, rest = posting.series.change_id.split("-", 1)
    name, end = rest.rsplit("-", 1)
    domain = posting.author.email.rpartition("@")[2]
    return f"<{date}-{name}-v{version}-{number}-{end}@{domain}>"


def _stream(tree: Tree, source: Path, series: Series, author: Author) -> Iterator[bytes]:
    for number, commit in enumerate(series.commits):
        seconds = int((series.date + timedelta(seconds=number)).timestamp())
        yield b"commit %REF%\n"
        yield f"committer {author} {seconds} +0000\n".encode()
        yield _data(f"{commit.message}\nSigned-off-by: {author}\n".encode())
        if not number:
            yield f"from {tree.base}\n".encode()
        yield from _changes(source, commit)


def _changes(source: Path, commit: Commit) -> Iterator[bytes]:
    for path, text in sorted(commit.files.items()):
        yield f"M 100{mode_of(source / path):o} inline {path}\n".encode()
        yield _data(content(text))


def _data(data: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(data), data)


def mode_of(path: Path) -> int:
    """What git knows of a file's mode; a new file is a plain one."""
    return 0o755 if path.exists() and path.stat().st_mode & 0o100 else 0o644


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
