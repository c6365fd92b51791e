# SPDX-License-Identifier: GPL-2.0
"""The private git store: one bare repository in the cache that holds every tree.

Git is the command line program, not a binding: its plumbing does in one call what we
need (bulk import into a pack, fast-import, format-patch), and the one door to child
processes ends it on Ctrl-C and knows a full disk. Nothing of the user's git settings
reaches it, or two people would get two different series.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harness import child
from harness.errors import Outcome
from harness.file import write_atomically
from harness.inside import remove_inside
from harness.places import Places
from harness.progress import Progress

IDENTITY = "SLQB series"
EMAIL = "noreply@slqb.example"
IMPORT_DATE = "2022-12-11T00:00:00+00:00"

HERMETIC: dict[str, str | None] = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "TZ": "UTC",
}
KEPT = {"GIT_EXEC_PATH"}
"""Variables that say where git itself is."""
SETTINGS = {
    "core.abbrev": "12",
    "core.attributesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.logAllRefUpdates": "false",
    "core.symlinks": "true",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
# info/attributes beats the tree's own: bytes go in and out as they are.
ATTRIBUTES = "* -text -ident -filter -working-tree-encoding\n*.[ch] diff=cpp\n"


def strays() -> dict[str, str | None]:
    """What to take out of git's environment: every variable of git's, wherever it comes from.

    A hook that calls us has some, a shell may have others, and many of them change what git does.
    """
    return {name: None for name in os.environ if name.startswith("GIT_") and name not in KEPT}


def identity(date: str, name: str = IDENTITY, email: str = EMAIL) -> dict[str, str | None]:
    """Who commits, and when: nobody in particular, if nobody is named."""
    who = {"NAME": name, "EMAIL": email, "DATE": date}
    return {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}


@dataclass(frozen=True)
class Store:
    """The bare repository and the folder it stands in."""

    folder: Path

    @property
    def path(self) -> Path:
        """The repository."""
        return self.folder / "store.git"

    def git(
        self,
        *argv: str | Path,
        env: Mapping[str, str | None] | None = None,
        input: str | bytes | None = None,
        on_line: Callable[[str], None] | None = None,
        users_settings: bool = False,
        outcome: Outcome = Outcome.HOST,
    ) -> str:
        """Run git in the store and return its stdout."""
        words = ("git", f"--git-dir={self.path}", *argv)
        settings = {} if users_settings else HERMETIC
        return child.run(
            words,
            cwd=self.folder,
            env={**strays(), **settings, **(env or {})},
            input=input,
            on_line=on_line,
            only_stdout=True,
            outcome=outcome,
        )

    def has(self, commit: str) -> bool:
        """Whether a base is here, complete."""
        return self.path.is_dir() and bool(self.git("for-each-ref", f"refs/bases/{commit}"))

    def commit(
        self,
        tree: str,
        message: str,
        parents: Sequence[str] = (),
        name: str = IDENTITY,
        email: str = EMAIL,
    ) -> str:
        """A commit of a tree object, with a date that never changes; ours, if nobody is named."""
        line = [word for parent in parents for word in ("-p", parent)]
        env = identity(IMPORT_DATE, name, email)
        return self.git("commit-tree", tree, *line, env=env, input=message).strip()

    def keep(self, commit: str) -> None:
        """Hold a base for good."""
        self.point(f"refs/bases/{commit}", commit)

    def point(self, ref: str, commit: str | None) -> None:
        """Make a reference name a commit, or with None no longer be there."""
        with self.only_writer(ref):
            self.git("update-ref", *((ref, commit) if commit else ("-d", ref)))

    @contextmanager
    def only_writer(self, ref: str) -> Iterator[None]:
        """Let nobody else write a reference.

        Remove the locks of a git that was killed: the next one would refuse to write.
        """
        with locked(self.folder / "refs.lock"):
            for name in (f"{ref}.lock", "packed-refs.lock"):
                (self.path / name).unlink(missing_ok=True)
            yield


def open_store(places: Places) -> Store:
    """The store, made with its settings when it is not there yet."""
    store = Store(places.trees)
    if not (store.path / "info/attributes").is_file():
        with locked(store.folder / "store.lock"):
            if not (store.path / "info/attributes").is_file():
                _make(store)
    return store


def _make(store: Store) -> None:
    """Make the repository beside its place, so that one that is there is whole."""
    scratch = store.folder / "tmp-store.git"
    discard(scratch)
    discard(store.path)
    store.git("init", "--quiet", "--bare", "--initial-branch=none", scratch)
    for name, value in SETTINGS.items():
        store.git("config", "--file", scratch / "config", name, value)
    write_atomically(scratch / "info/attributes", ATTRIBUTES.encode())
    scratch.rename(store.path)


@contextmanager
def locked(path: Path, progress: Progress | None = None, what: str = "") -> Iterator[None]:
    """Hold a lock between processes; says what it waits for when another one has it."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if progress:
            progress.note(f"waiting for another slqb: {what}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def check_out(store: Store, commit: str, target: Path, progress: Progress) -> None:
    """Lay the files of a commit into target, whole or not at all."""
    scratch = target.with_name(f"tmp-{target.name}")
    discard(scratch)
    scratch.mkdir(parents=True)
    index = scratch.with_name(f"{scratch.name}.index")
    env = {"GIT_INDEX_FILE": str(index)}
    progress.stage(f"lay out {target.name}")
    try:
        store.git("read-tree", commit, env=env)
        store.git(
            "-c", "checkout.workers=0", f"--work-tree={scratch}", "checkout-index", "-a", env=env
        )
        scratch.rename(target)
    finally:
        index.unlink(missing_ok=True)
        discard(scratch)
    progress.done()


def bring(store: Store, old: str, new: str, folder: Path) -> tuple[str, ...]:
    """Make a folder that holds one commit hold another; only what differs is written."""
    words = ("diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new)
    told = store.git(*words).split("\0")
    differ = dict(zip(told[1::2], told[::2], strict=False))
    for path, kind in differ.items():
        if kind == "D":
            remove_inside(folder, path)
    there = "".join(f"{path}\0" for path, kind in differ.items() if kind != "D")
    index = folder.with_name(f"tmp-{folder.name}.index")
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        store.git("read-tree", new, env=env)
        work = f"--work-tree={folder}"
        store.git(work, "checkout-index", "--force", "-z", "--stdin", env=env, input=there)
    finally:
        index.unlink(missing_ok=True)
    return tuple(differ)


def discard(folder: Path) -> None:
    """Remove a folder of ours, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)
