# SPDX-License-Identifier: GPL-2.0
"""A git repository of the user's, read without its configuration and never written to.

git does what a repository's configuration says: it starts filters, hooks, a file system monitor,
and it fetches what a partial clone lacks. So git is never started in the user's repository. It
works in a private git directory, the mirror, which lasts as long as one look:

mirror/config                 ours, with the few settings of the user's that start nothing
mirror/HEAD, index, shallow   copies, times included: git compares them with those of the files
mirror/refs, packed-refs      links; only read
mirror/objects                empty, with the user's objects as an alternate
mirror/more                   objects that a partial clone lacks, fetched from where it was cloned

What belongs where in a git directory is described in gitrepository-layout(5).
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from harness import child
from harness.child import CommandError
from harness.errors import HarnessError, Outcome, TreeError, UserError
from harness.progress import Progress
from harness.store import ATTRIBUTES, HERMETIC, Store, strays

PASSIVE = frozenset(
    f"core.{name}"
    for name in (
        *("filemode", "symlinks", "ignorecase", "precomposeunicode"),
        *("trustctime", "checkstat", "excludesfile"),
    )
)
"""Settings that say what the user's files are like, and start nothing."""
UPSTREAM = re.compile(r"branch\..*\.(remote|merge)|remote\..*\.(url|fetch)", re.DOTALL)
"""Settings that revisions such as main@{upstream} are looked up in."""
UNNEEDED = frozenset(("partialclone", "preciousobjects", "worktreeconfig", "relativeworktrees"))
"""Extensions of the format that do not change how objects and refs are read."""
PROTOCOLS = "https:http:ssh:git"
PATIENCE = 900.0
"""Seconds for what a partial clone lacks to come from another machine."""
SSH = "ssh -oBatchMode=yes -oConnectTimeout=20"
UNMERGED = frozenset(("DD", "AU", "UD", "UA", "DU", "AA", "UU"))


@dataclass(frozen=True)
class Layout:
    """Where the parts of a repository are."""

    top: Path
    """The work tree, or the git directory of a bare repository."""
    git: Path
    """With HEAD and the index; of a linked worktree, its own."""

    @property
    def common(self) -> Path:
        """With objects, refs and the configuration."""
        with suppress(OSError):
            return self.git / (self.git / "commondir").read_text().strip()
        return self.git

    @property
    def is_bare(self) -> bool:
        """Whether there is no work tree."""
        return self.top == self.git

    @property
    def is_whole(self) -> bool:
        """Whether it is a git directory at all."""
        head = self.git / "HEAD"
        return (head.is_file() or head.is_symlink()) and (self.common / "objects").is_dir()


def find_layout(path: Path, *, above: bool = True) -> Layout | None:
    """The repository that a folder belongs to; None if there is none.

    Without `above`, only one that begins in that folder. Raises TreeError for a .git that leads
    to no git directory.
    """
    for folder in (path, *path.parents) if above else (path,):
        if (folder / ".git").exists():
            return _checked(Layout(folder, _git_folder(folder / ".git")))
        if (bare := Layout(folder, folder)).is_whole:
            return bare
    return None


def is_bare(path: Path) -> bool:
    """Whether a folder is a repository without files checked out."""
    return not (path / ".git").exists() and Layout(path, path).is_whole


def _git_folder(git: Path) -> Path:
    """What .git is or, if it is a file, names."""
    if git.is_dir():
        return git
    said = git.read_bytes()[:4096].decode(errors="surrogateescape")
    return git.parent / said.removeprefix("gitdir:").strip()


def _checked(layout: Layout) -> Layout:
    if not layout.is_whole:
        raise TreeError(f"{layout.top / '.git'} leads to no git directory: {layout.git}")
    return layout


@dataclass(frozen=True)
class Changes:
    """What is in a work tree and not in HEAD: paths, whether they are there or not."""

    tracked: tuple[str, ...]
    untracked: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them; what has gone comes before what has come in its place."""
        return (*self.tracked, *self.untracked)


@dataclass(frozen=True)
class Repository:
    """The user's repository, by way of its mirror."""

    layout: Layout
    mirror: Path
    store: Store
    settings: Sequence[tuple[str, str]] = field(repr=False)
    """The user's configuration, as far as it was written into the repository itself."""

    def git(self, *argv: str | Path, input: str | None = None) -> str:
        """Run git in the mirror and return its stdout; a failure is a TreeError of one line."""
        work = () if self.layout.is_bare else (f"--work-tree={self.layout.top}",)
        words = ("git", "--no-optional-locks", f"--git-dir={self.mirror}", *work, *argv)
        env = {**strays(), **HERMETIC, "GIT_NO_REPLACE_OBJECTS": "1"}
        with one_line(self.layout.top):
            return child.run(
                words,
                cwd=self.store.folder,
                env=env,
                input=input,
                only_stdout=True,
                outcome=Outcome.TREE,
            )

    def resolve(self, name: str) -> str:
        """The id of a commit; a UserError if there is none of that name."""
        words = ("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
        try:
            return self.git(*words).strip()
        except TreeError as error:
            if "Needed a single revision" in str(error):
                raise UserError(f"{self.layout.top} has no revision {name!r}") from error
            raise

    def changes(self, ignored: str) -> Changes:
        """What differs from HEAD; `ignored` tells git what is no part of the sources."""
        self._refuse_unfinished()
        status = self.git(
            *("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames"),
            "--ignore-submodules=all",
        )
        entries = [entry for entry in status.split("\0") if entry]
        if unmerged := [entry[3:] for entry in entries if entry[:2] in UNMERGED]:
            raise TreeError(
                f"{self.layout.top}: {unmerged[0]} has conflicts of an unfinished merge"
                f"{_and_more(unmerged)}; resolve them, or name a revision: {self.layout.top}@HEAD"
            )
        others = self.git("ls-files", "--others", "-z", ignored).split("\0")
        untracked = (path for path in others if path and not path.endswith("/"))
        return Changes(tuple(entry[3:] for entry in entries), tuple(untracked))

    def _refuse_unfinished(self) -> None:
        if not (self.mirror / "index").is_file():
            raise TreeError(
                f"{self.layout.top}: nothing is checked out there; run `git -C {self.layout.top}"
                f" checkout`, or name a revision: {self.layout.top}@HEAD"
            )

    def passive(self) -> Iterator[str]:
        """The words that make git see the user's files as it does in the repository."""
        for name, value in self.settings:
            if name in PASSIVE:
                yield from ("-c", f"{name}={value}")

    def fetch_into_store(self, commit: str, ref: str, progress: Progress) -> None:
        """Copy a commit, without its history, into the store.

        Raises TreeError where objects are missing and cannot be had.
        """
        if self._get("extensions.objectformat").lower() not in ("", "sha1"):
            top = self.layout.top
            raise TreeError(
                f"{top} is a repository of SHA-256 objects, which slqb does not import; give its"
                f" files: `git -C {top} archive -o linux.tar {commit[:12]}`, then linux.tar"
            )
        if self.promisor:
            complete(self, commit, progress)
        words = ("fetch", "--quiet", "--no-tags", "--depth=1", "--no-write-fetch-head")
        with one_line(self.layout.top):
            try:
                self.store.git(*words, self.mirror, f"+{commit}:{ref}", outcome=Outcome.TREE)
            except CommandError as error:
                if error.outcome is Outcome.TREE and (lacking := self.missing(commit)):
                    raise TreeError(
                        f"{self.layout.top}: its repository is damaged: {lacking[0]} is missing"
                        f"{_and_more(lacking)}; see `git -C {self.layout.top} fsck`"
                    ) from error
                raise

    def missing(self, commit: str) -> tuple[str, ...]:
        """The objects of a commit that are not here, as far as that can be told."""
        words = ("rev-list", "--objects", "--no-walk", "--missing=print", "--no-object-names")
        said = self.git(*words, commit).splitlines()
        return tuple(line[1:] for line in said if line.startswith("?"))

    @property
    def promisor(self) -> str:
        """The name of the remote that has what a partial clone lacks; "" for a whole clone."""
        for name, value in self.settings:
            found = re.fullmatch(r"remote\.(.*)\.promisor", name, re.DOTALL)
            if found and value.lower() in ("", "true", "yes", "on", "1"):
                return found[1]
        return self._get("extensions.partialclone")

    @property
    def url(self) -> str:
        """Where the partial clone came from; "" if that is not said."""
        return self._get(f"remote.{self.promisor}.url")

    def _get(self, name: str) -> str:
        return next((value for key, value in reversed(self.settings) if key == name), "")

    def add_objects(self, folder: Path) -> None:
        """Have one more place for objects."""
        with (self.mirror / "objects/info/alternates").open("ab") as file:
            file.write(bytes(folder.absolute()) + b"\n")


@contextmanager
def open_repository(path: Path, store: Store, *, above: bool = True) -> Iterator[Repository]:
    """The repository that a folder belongs to; the caller holds the lock on imports."""
    if (layout := find_layout(path, above=above)) is None:
        raise UserError(f"{path} is no git repository")
    with TemporaryDirectory(dir=store.folder, prefix="tmp-mirror-") as scratch:
        mirror = Path(scratch)
        settings = _settings_of(layout, store)
        _make_mirror(layout, mirror, settings)
        repository = Repository(layout, mirror, store, settings)
        repository.add_objects(layout.common / "objects")
        yield repository


@contextmanager
def one_line(top: Path) -> Iterator[None]:
    """Make what git says of somebody's repository a TreeError that names the place."""
    try:
        yield
    except CommandError as error:
        if error.outcome is not Outcome.TREE:
            raise
        why = error.tail.splitlines()[0] if error.tail else error.reason
        raise TreeError(f"{top}: {why.removeprefix('fatal: ')}") from error


def complete(repository: Repository, commit: str, progress: Progress) -> None:
    """Get what a partial clone lacks of a commit from where it was cloned, into the mirror.

    Raises TreeError, with the command that completes the clone, if it cannot be had.
    """
    lacking = repository.missing(commit)
    if not lacking:
        return
    url = shown(repository.url) or "its origin, which it does not name"
    progress.stage(f"fetch {len(lacking)} objects from {url}")
    try:
        while lacking:
            _fetch_objects(repository, lacking, f"more{len(lacking)}")
            before, lacking = lacking, repository.missing(commit)
            if set(lacking) == set(before):
                raise TreeError("it does not have them")
    except HarnessError as error:
        if error.outcome not in (Outcome.TREE, Outcome.USAGE, Outcome.TIMEOUT):
            raise
        top = repository.layout.top
        raise TreeError(
            f"{top} is a partial clone that lacks {len(lacking)} objects of {commit[:12]}, and"
            f" they cannot be had from {url} ({_brief(error)}); complete it with"
            f" `git -C {top} fetch --refetch --no-filter {repository.promisor}`"
        ) from error
    progress.done()


def shown(url: str) -> str:
    """A URL without the password that it may hold."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def _brief(error: HarnessError) -> str:
    if isinstance(error, CommandError):
        lines = error.tail.splitlines() or [error.reason]
        return shown(error.reason if error.outcome is Outcome.TIMEOUT else lines[0])
    return shown(str(error))


def _fetch_objects(repository: Repository, wanted: Sequence[str], name: str) -> None:
    """Fetch objects by their ids into a new place for objects of the mirror."""
    url = repository.url
    if not url:
        raise TreeError("no URL is configured")
    more = repository.mirror / name
    repository.store.git("init", "--quiet", "--bare", "--template=", more)
    if (local := _local(url, repository.layout.top)) is None:
        _fetch_from(more, url, wanted, far=True)
    else:
        with open_repository(local, repository.store, above=False) as origin:
            _fetch_from(more, str(origin.mirror), wanted, far=False)
    repository.add_objects(more / "objects")


def _local(url: str, top: Path) -> Path | None:
    """The folder that a URL means, if it means one of this machine."""
    if url.startswith("file://"):
        path = Path(unquote(urlsplit(url).path))
    elif ":" in url.partition("/")[0]:
        return None
    else:
        path = top / url
    with_suffix = path.with_name(f"{path.name}.git")
    return with_suffix if with_suffix.is_dir() and not path.is_dir() else path


def _fetch_from(more: Path, url: str, wanted: Sequence[str], *, far: bool) -> None:
    """From another machine with the user's own settings, for proxies and keys; they are not the
    repository's, and of their programs none is started but those that make the connection."""
    off = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=", "gc.auto=0")
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
    settings = (word for one in off for word in ("-c", one))
    near = {**HERMETIC, "GIT_ALLOW_PROTOCOL": "file"}
    alone = {
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": SSH,
        "SSH_ASKPASS": None,
        "LC_ALL": "C",
    }
    child.run(
        ("git", f"--git-dir={more}", *settings, *words, "--stdin", "--", url),
        cwd=more,
        env={**strays(), **(alone if far else near)},
        input="".join(f"{one}\n" for one in wanted),
        only_stdout=True,
        timeout=PATIENCE,
        outcome=Outcome.TREE,
    )


def _settings_of(layout: Layout, store: Store) -> tuple[tuple[str, str], ...]:
    """What the repository's own configuration says; files that it includes are not read."""
    file = layout.common / "config"
    if not file.is_file():
        return ()
    with one_line(layout.top):
        words = ("config", "--file", file, "--no-includes", "--null", "--list")
        said = store.git(*words, outcome=Outcome.TREE)
    found = [entry.partition("\n") for entry in said.split("\0") if entry]
    settings = [(name, value) for name, _, value in found]
    usual = store.git(
        *("config", "--default", "", "--get", "core.excludesfile"), users_settings=True
    ).strip()
    if usual:
        settings.insert(0, ("core.excludesfile", usual))
    return tuple(settings)


def _make_mirror(layout: Layout, mirror: Path, settings: Sequence[tuple[str, str]]) -> None:
    (mirror / "objects/info").mkdir(parents=True)
    (mirror / "info").mkdir()
    (mirror / "logs").mkdir()
    (mirror / "config").write_bytes(_config(settings).encode(errors="surrogateescape"))
    (mirror / "info/attributes").write_text(ATTRIBUTES)
    _copy(layout.common / "info/exclude", mirror / "info/exclude")
    _copy(layout.common / "shallow", mirror / "shallow")
    for file in (*layout.git.glob("*HEAD"), *layout.git.glob("sharedindex.*")):
        _copy(file, mirror / file.name)
    _copy(layout.git / "index", mirror / "index")
    for name in ("refs", "packed-refs", "reftable"):
        _link(layout.common / name, mirror / name)
    _link(layout.git / "logs/HEAD", mirror / "logs/HEAD")
    _link(layout.common / "logs/refs", mirror / "logs/refs")


def _copy(file: Path, to: Path) -> None:
    """The file with its times; a HEAD that is a link in the way of old is kept as what it means."""
    if file.is_symlink() and file.name == "HEAD":
        to.write_text(f"ref: {file.readlink()}\n")
    elif file.is_file():
        shutil.copy2(file, to)


def _link(file: Path, to: Path) -> None:
    if file.exists():
        to.symlink_to(file.absolute())


def _config(settings: Sequence[tuple[str, str]]) -> str:
    """The mirror's configuration."""
    lines = ["[core]", "\trepositoryformatversion = 1", "\tbare = true"]
    lines += ["[uploadpack]", "\tallowAnySHA1InWant = true"]
    for name, value in settings:
        section, _, rest = name.partition(".")
        subsection, _, key = rest.rpartition(".")
        extension = section == "extensions" and not subsection and key not in UNNEEDED
        if extension or name in PASSIVE or UPSTREAM.fullmatch(name):
            head = f"{section} {_quoted(subsection)}" if subsection else section
            lines += [f"[{head}]", f"\t{key} = {_quoted(value)}"]
    return "".join(f"{line}\n" for line in lines)


def _quoted(value: str) -> str:
    """A value, or the name of a subsection, as git's configuration has it."""
    escaped = re.sub(r'(["\\])', r"\\\1", value).replace("\n", "\\n")
    return f'"{escaped}"'


def _and_more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
