# SPDX-License-Identifier: GPL-2.0
"""From a rendered series to commits in the store, and from there to mails.

One `git fast-import` makes all commits without a worktree or an index; identity and
dates are fixed, so the same series on the same base has the same commit ids. Then
`git format-patch` writes the mails, and the cover letter gets our words. What goes into
the output folder is remembered there by hash: a file that is not ours, or that somebody
edited, is never replaced.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.author import NOBODY, Author
from harness.child import CommandError, command_line
from harness.errors import Outcome, UserError
from harness.letter import Letter
from harness.progress import Progress
from harness.series import Commit, Series, content
from harness.store import Store, identity, write_atomically
from harness.tree import Tree

MANIFEST = ".slqb-series.json"
SUBJECT, BLURB = "*** SUBJECT HERE ***", "*** BLURB HERE ***"
BASE = re.compile(rb"^base-commit: .*$", re.MULTILINE)
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
    """What we wrote into a folder, by name and hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, str]


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
        store.git("fast-import", "--quiet", "--force", input=stream.replace(b"%REF%", ref.encode()))
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
    posting.store.git("update-ref", f"refs/heads/{name}", posting.tip)


def write_mails(
    posting: Posting,
    folder: Path,
    progress: Progress,
    letter: Letter = Letter(),  # noqa: B008
    reply_to: str = "",
) -> tuple[Path, ...]:
    """Write the mails into folder and return them in order; `reply_to` is a Message-ID."""
    refuse_foreign(folder)
    progress.stage(f"write {len(posting.commits)} patches")
    with TemporaryDirectory(dir=posting.store.folder, prefix="mails-") as scratch:
        who = posting.author
        env = identity(posting.series.date.isoformat(), who.name, who.email)
        posting.store.git(*posting.format_command(Path(scratch), letter.version), env=env)
        mails = {path.name: path.read_bytes() for path in sorted(Path(scratch).glob("*.patch"))}
    first = next(iter(mails))
    mails[first] = _with_words(mails[first], posting.series, letter, reply_to)
    _replace(folder, mails)
    progress.done()
    return tuple(folder / name for name in mails)


def refuse_foreign(folder: Path) -> None:
    """A file in the folder that is not as we left it stays: refuse to go on."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"--output {folder}: is not a directory")
    ours = _manifest(folder)
    for path in sorted(folder.iterdir()):
        if path.name == MANIFEST:
            continue
        if path.name not in ours:
            raise UserError(f"--output {folder}: holds {path.name}, which slqb did not write")
        if _digest(path.read_bytes()) != ours[path.name]:
            raise UserError(f"--output {folder}: {path.name} was changed since slqb wrote it")


def _replace(folder: Path, mails: Mapping[str, bytes]) -> None:
    """First the manifest of old and new, so that a cut-off run can be repeated."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _manifest(folder)
    new = {name: _digest(mail) for name, mail in mails.items()}
    for name in before.keys() - new.keys():
        (folder / name).unlink(missing_ok=True)
    for name, mail in mails.items():
        write_atomically(folder / name, mail)
    text = Manifest(files=new).model_dump_json(indent=1)
    write_atomically(folder / MANIFEST, f"{text}\n".encode())


def _manifest(folder: Path) -> dict[str, str]:
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes()).files
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise UserError(f"--output {folder}: {MANIFEST} is damaged") from error


def _with_words(mail: bytes, series: Series, letter: Letter, reply_to: str) -> bytes:
    """The raw cover letter with our subject, our text, and what b4 looks for at its end.

    No line of dashes before that: `git am --empty=drop` would take the rest for a patch.
    """
    text = mail.replace(SUBJECT.encode(), series.cover_subject.encode())
    text = text.replace(BLURB.encode(), series.cover(letter).encode())
    head, _, body = text.partition(b"\n\n")
    fields = [head]
    if reply_to:
        fields += (f"{name}: {reply_to}".encode() for name in ("In-Reply-To", "References"))
    if not text.isascii() and b"\nMIME-Version:" not in head:
        fields += MIME
    base = BASE.findall(body)
    trailers = [*base, f"change-id: {series.change_id}".encode()]
    body = BASE.sub(b"", body).rstrip(b"\n")
    return b"\n".join([*fields, b"", body, b"", *trailers, b""])


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
