# SPDX-License-Identifier: GPL-2.0
"""From a rendered series to commits in the store, and from there to mails.

One `git fast-import` makes all commits without a worktree or an index; identity and
dates are fixed, so the same series on the same base has the same commit ids. Then
`git format-patch` writes the mails, and the cover letter gets our words. What goes into
the output folder is remembered there by hash: a file that is not ours, or that somebody
edited, is never replaced.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.child import CommandError, command_line
from harness.errors import Outcome, UserError
from harness.progress import Progress
from harness.series import Commit, Series, content
from harness.store import EMAIL, IDENTITY, Store, identity, write_atomically
from harness.tree import Tree

MANIFEST = ".slqb-series.json"
SUBJECT, BLURB = "*** SUBJECT HERE ***", "*** BLURB HERE ***"
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

    @property
    def tip(self) -> str:
        """The last commit."""
        return self.commits[-1]

    def format_command(self, folder: Path) -> tuple[str | Path, ...]:
        """The git words that write the mails; a base is only named if upstream knows it."""
        base = (f"--base={self.tree.base}",) if self.tree.upstream else ("--no-base",)
        return (*FORMAT, *base, "--output-directory", folder, f"{self.tree.base}..{self.tip}")

    def shell_line(self, folder: Path) -> str:
        """What to type to write the raw mails by hand."""
        words = ("git", f"--git-dir={self.store.path}", *self.format_command(folder))
        return command_line(words, self.store.folder)


def commit_series(store: Store, tree: Tree, source: Path, series: Series) -> Posting:
    """Put the series into the store, on top of the tree's base."""
    stream = b"".join(_stream(tree, source, series))
    ref = f"refs/series/{hashlib.sha256(stream).hexdigest()[:20]}"
    known = store.git("for-each-ref", "--format=%(objectname)", ref).strip()
    if not known:
        store.git("fast-import", "--quiet", "--force", input=stream.replace(b"%REF%", ref.encode()))
    span = f"{tree.base}..{ref}"
    commits = tuple(store.git("rev-list", "--reverse", span).split())
    return Posting(store, tree, series, commits)


def set_branch(posting: Posting, name: str) -> None:
    """Name the series in the store; the user's own repositories are not touched."""
    try:
        posting.store.git("check-ref-format", "--branch", name, outcome=Outcome.USAGE)
    except CommandError as error:
        if error.outcome is not Outcome.USAGE:
            raise
        raise UserError(f"--branch {name!r}: git does not take that for a name") from error
    posting.store.git("update-ref", f"refs/heads/{name}", posting.tip)


def write_mails(posting: Posting, folder: Path, progress: Progress) -> tuple[Path, ...]:
    """Write the mails into folder and return them in order."""
    refuse_foreign(folder)
    progress.stage(f"write {len(posting.commits)} patches")
    with TemporaryDirectory(dir=posting.store.folder, prefix="mails-") as scratch:
        env = identity(posting.series.date.isoformat())
        posting.store.git(*posting.format_command(Path(scratch)), env=env)
        mails = {path.name: path.read_bytes() for path in sorted(Path(scratch).glob("*.patch"))}
    letter = next(iter(mails))
    mails[letter] = _with_words(mails[letter], posting.series)
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


def _with_words(letter: bytes, series: Series) -> bytes:
    text = letter.replace(SUBJECT.encode(), series.cover_subject.encode())
    return text.replace(BLURB.encode(), series.cover.strip("\n").encode())


def _stream(tree: Tree, source: Path, series: Series) -> Iterator[bytes]:
    for number, commit in enumerate(series.commits):
        seconds = int((series.date + timedelta(seconds=number)).timestamp())
        yield b"commit %REF%\n"
        yield f"committer {IDENTITY} <{EMAIL}> {seconds} +0000\n".encode()
        yield _data(commit.message.encode())
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
