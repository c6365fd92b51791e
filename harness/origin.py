# SPDX-License-Identifier: GPL-2.0
"""Where a tree comes from, and how it gets into the store without being touched.

tree: 'debian:' release      the tarball of Debian's package linux-source-RELEASE
    | TARBALL                anything tar can read
    | DIRECTORY              unpacked sources, looked through again each time
    | CHECKOUT               a git checkout: HEAD, with what is not committed yet
    | REPOSITORY '@' REV     any revision of a git repository, bare ones too

Nothing is ever written at the source, not even git's index or a worktree entry, and nothing is
started that its git configuration names: a directory is added through an index of ours, a
revision is fetched as a shallow copy through a mirror (repository.py).
"""

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from harness import child
from harness.errors import Outcome, TreeError, UserError
from harness.file import write_atomically
from harness.inside import first_link
from harness.progress import Progress
from harness.repository import Repository, find_layout, one_line, open_repository
from harness.storable import Storable
from harness.store import Store, discard

UPSTREAM_TAG = re.compile(r"v\d+\.\d+(\.\d+)*(-rc\d+)?$")
VERSION_LINE = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)", re.M)
GITLINK = re.compile(r"^160000 [^\t]*\t(.*)$", re.MULTILINE)
KERNEL_PARTS = {"Makefile", "include", "init", "mm"}
AS_OURS = ("--no-same-owner", "--no-same-permissions")
"""Makes tar run by root do as it does for anybody else."""
PACKED = ("-c", "core.bigFileThreshold=1", "-c", "core.compression=1")
"""Makes `git add` stream everything into one pack instead of 80,000 loose files."""


class Snapshot(Storable):
    """What an origin put into the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    commit: str
    title: str
    upstream: str | None = None
    dirty: bool = False
    home: str = ""
    """Of sources that people work on: stands for where they are, whatever they hold."""


class Origin:
    """Common ground: an origin may know at a glance what it is, else it must be taken."""

    def recall(self, store: Store) -> Snapshot | None:
        """The snapshot taken earlier, if that can be told without looking inside."""
        return None

    def take(self, store: Store, progress: Progress) -> Snapshot:
        """Put the tree into the store; the caller holds the lock."""
        raise NotImplementedError


@dataclass(frozen=True)
class Tarball(Origin):
    """A file for tar. Known again by path, size and times, so it is read once."""

    path: Path
    kind: str = "tar"
    title: str = ""

    def recall(self, store: Store) -> Snapshot | None:
        try:
            snapshot = Snapshot.model_validate_json(self._memo(store).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return snapshot if store.has(snapshot.commit) else None

    def take(self, store: Store, progress: Progress) -> Snapshot:
        scratch = store.folder / "tmp-unpack"
        discard(scratch)
        scratch.mkdir()
        try:
            count = self._unpack(scratch, progress)
            top = _top_of(scratch, self.path)
            _refuse_special(top, self.path)
            index = store.folder / "tmp-index"
            commit = add_directory(store, top, index, progress, where=self.path, total=count)
            discard(laid_out(store, commit))
            top.rename(laid_out(store, commit))
        finally:
            discard(scratch)
        snapshot = Snapshot(kind=self.kind, commit=commit, title=self.title or self.path.name)
        write_atomically(self._memo(store), snapshot.model_dump_json().encode())
        return snapshot

    def _unpack(self, target: Path, progress: Progress) -> int:
        """The number of things unpacked."""
        count = 0

        def tell(_name: str) -> None:
            nonlocal count
            count += 1
            progress.step(count, None, "files")

        progress.stage(f"unpack {self.path.name}")
        words = ("tar", "--extract", "--verbose", *AS_OURS, "--file", self.path)
        try:
            child.run(words, cwd=target, on_line=tell, outcome=Outcome.USAGE)
        except child.CommandError as error:
            if error.outcome is not Outcome.USAGE:
                raise
            why = error.tail.splitlines()[0] if error.tail else error.reason
            raise UserError(f"{self.path} is not a tree that tar can unpack: {why}") from error
        progress.done(f"{count} files")
        return count

    def _memo(self, store: Store) -> Path:
        seen = self.path.stat()
        facts = (self.path.resolve(), seen.st_size, seen.st_mtime_ns, seen.st_ino, self.title)
        return store.folder / "seen" / f"{_digest(*facts)}.json"


@dataclass(frozen=True)
class Directory(Origin):
    """Unpacked sources. An index of ours makes looking again a matter of a second."""

    path: Path

    def take(self, store: Store, progress: Progress) -> Snapshot:
        _refuse_built(self.path)
        index = store.folder / "scan" / f"{_digest(self.path)}.index"
        index.parent.mkdir(exist_ok=True)
        scratch = store.folder / "tmp-index"
        if index.is_file():
            shutil.copy2(index, scratch)  # git compares its time with those of the files
        commit = add_directory(store, self.path, scratch, progress, where=self.path)
        scratch.replace(index)
        return Snapshot(
            kind="dir",
            commit=commit,
            title=f"the directory {self.path.name}",
            home=_digest(self.path)[:8],
        )


@dataclass(frozen=True)
class Checkout(Origin):
    """A git repository: a revision of it, or what is checked out, changes and all."""

    path: Path
    revision: str | None = None

    def take(self, store: Store, progress: Progress) -> Snapshot:
        if self.revision and find_layout(self.path) is None:
            raise UserError(f"{self.path} is no git repository: it has no {self.revision!r}")
        with open_repository(self.path, store) as repository:
            commit = repository.resolve(self.revision or "HEAD")
            if not store.has(commit):
                self._fetch(repository, commit, progress)
            if self.revision is None:
                changes = repository.changes(self._ignored(store))
                if changes.paths:
                    return self._with_changes(repository, commit, changes.paths, progress)
            upstream = _upstream(repository, commit)
        title = upstream or f"commit {commit[:12]} of {self.path.name}"
        return Snapshot(kind="git", commit=commit, title=title, upstream=upstream, home=self._home)

    @property
    def _home(self) -> str:
        return "" if self.revision else _digest(self.path)[:8]

    def _fetch(self, repository: Repository, commit: str, progress: Progress) -> None:
        """Take a commit in, if it is one of a kernel."""
        store, ref = repository.store, f"refs/bases/{commit}"
        if not repository.promisor:  # which may lack what is to be looked at
            release_at(repository.git, commit, str(self.path))
        progress.stage(f"copy {commit[:12]} from {self.path}")
        repository.fetch_into_store(commit, ref, progress)
        progress.done()
        try:
            release_at(store.git, commit, str(self.path))
        except TreeError:
            store.point(ref, None)
            raise

    def _ignored(self, store: Store) -> str:
        """What to ignore: what git does, unless a rule of Debian's hides every new file."""
        file = self.path / ".gitignore"
        rules = file.read_text(errors="replace").splitlines() if file.is_file() else []
        if "/*" not in rules:
            return "--exclude-standard"
        _refuse_built(self.path)
        kept = store.folder / "tmp-ignore"
        kept.write_text("\n".join(rule for rule in rules if rule != "/*"))
        return f"--exclude-from={kept}"

    def _with_changes(
        self, repository: Repository, commit: str, changed: Collection[str], progress: Progress
    ) -> Snapshot:
        progress.note(f"{self.path} has {len(changed)} uncommitted changes: taken as they are")
        store = repository.store
        env = {"GIT_INDEX_FILE": str(store.folder / "tmp-index")}
        (store.folder / "tmp-index").unlink(missing_ok=True)
        store.git("read-tree", commit, env=env)
        gone = [path for path in changed if not _is_content(self.path, path)]
        there = [path for path in changed if path not in gone]
        update = (*repository.passive(), f"--work-tree={self.path}", "update-index")
        with one_line(self.path):
            for words, paths in ((("--force-remove",), gone), (("--add", "--replace"), there)):
                listed = "".join(f"{path}\0" for path in paths)
                words = (*update, *words, "-z", "--stdin")
                store.git(*words, env=env, input=listed, outcome=Outcome.TREE)
        tree = store.git("write-tree", env=env).strip()
        ours = store.commit(tree, "Uncommitted changes\n", [commit])
        store.keep(ours)
        title = f"commit {commit[:12]} of {self.path.name} with uncommitted changes"
        return Snapshot(kind="git", commit=ours, title=title, dirty=True, home=self._home)


def _is_content(top: Path, path: str) -> bool:
    """Whether a path is a file or a link of the tree itself, not one behind a link."""
    if first_link(top, Path(path).parent):
        return False
    try:
        mode = (top / path).lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _upstream(repository: Repository, commit: str) -> str | None:
    """How upstream calls the commit, if a release contains it."""
    words = ("for-each-ref", f"--contains={commit}", "--format=%(refname:short)", "refs/tags")
    if not any(UPSTREAM_TAG.match(tag) for tag in repository.git(*words).split()):
        return None
    said = repository.git("describe", "--tags", "--match=v[0-9]*", "--abbrev=12", commit)
    return said.strip()


def _refuse_built(path: Path) -> None:
    """What a build leaves behind cannot be told from sources where nothing is ignored."""
    if (path / "include/config/auto.conf").exists():
        raise TreeError(
            f"{path}: a kernel was built inside it; give a clean copy, or run"
            f" `make -C {path} mrproper` first"
        )


def laid_out(store: Store, commit: str) -> Path:
    """Where a tarball's files wait, unpacked already, for the tree to take them over."""
    return store.folder / f"tmp-{commit}"


def add_directory(
    store: Store,
    top: Path,
    index: Path,
    progress: Progress,
    *,
    where: Path,
    total: int | None = None,
) -> str:
    """Commit a directory as it is: Debian's .gitignore hides everything, hence --force."""
    names = [path.name for path in top.iterdir()]
    makefile = top / "Makefile"
    text = makefile.read_text(errors="replace") if makefile.is_file() else ""
    release = release_of(text, names, str(where))
    env = {"GIT_INDEX_FILE": str(index)}
    count = 0

    def tell(_line: str) -> None:
        nonlocal count
        count += 1
        progress.step(count, total, "files")

    progress.stage(f"import Linux {release}")
    words = (*PACKED, f"--work-tree={top}", "add", "--force", "--all", "--verbose", ".")
    store.git(*words, env=env, on_line=tell)
    _refuse_repositories(store, env, where)
    tree = store.git("write-tree", env=env).strip()
    commit = store.commit(tree, f"Linux {release}\n")
    store.keep(commit)
    progress.done(f"{count} files" if count else "nothing new")
    return commit


def _refuse_repositories(store: Store, env: Mapping[str, str | None], where: Path) -> None:
    """git takes a repository inside a directory for one entry, without its files; and the next
    `git add` with that index would start git in it, with its configuration."""
    listed = store.git("ls-files", "--stage", env=env)
    if found := GITLINK.search(listed):
        raise TreeError(
            f"{where}: {found[1]} is a git repository of its own, whose files would be left out;"
            f" move {found[1]}/.git away, or give a clean copy"
        )


def release_at(git: Callable[..., str], commit: str, where: str) -> str:
    """The release of a commit, asked with git's words; a TreeError when it is no kernel."""
    names = git("ls-tree", "--name-only", commit).split()
    makefile = git("cat-file", "blob", f"{commit}:Makefile") if "Makefile" in names else ""
    return release_of(makefile, names, where)


def release_of(makefile: str, names: Collection[str], where: str) -> str:
    """The release in the words of the top Makefile; a TreeError when this is no kernel."""
    if missing := sorted(KERNEL_PARTS - set(names)):
        raise TreeError(f"{where} is not a kernel tree: it has no {' and no '.join(missing)}")
    fields: dict[str, str] = dict(VERSION_LINE.findall(makefile))
    if not fields.get("VERSION") or not fields.get("PATCHLEVEL"):
        raise TreeError(f"{where} is not a kernel tree: its Makefile names no VERSION, PATCHLEVEL")
    numbers = [fields.get(name, "") for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    return ".".join(number for number in numbers if number) + fields.get("EXTRAVERSION", "")


def _top_of(folder: Path, archive: Path) -> Path:
    """The folder that a tarball's files are in: most wrap everything in one."""
    inside = [path for path in folder.iterdir() if path.name != "pax_global_header"]
    if not inside:
        raise TreeError(f"{archive} is not a kernel tree: it is empty")
    alone = len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink()
    return inside[0] if alone else folder


def _refuse_special(folder: Path, archive: Path) -> None:
    """A device, a pipe, a socket is no source; of a git directory the tree needs nothing."""
    discard(folder / ".git")
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif not entry.is_symlink() and not entry.is_file(follow_symlinks=False):
                    name = Path(entry.path).relative_to(folder)
                    raise TreeError(
                        f"{archive} is not a kernel tree: its {name} is neither a file nor a"
                        " directory nor a link"
                    )


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
