# SPDX-License-Identifier: GPL-2.0
"""A tree: kernel sources in the store, named, and laid out once for reading.

trees/store.git     every tree's objects
trees/NAME.json     the record of one tree, written last: without it the tree is not there
trees/NAME/         its files
trees/NAME.lock     held by those who use the tree (lease.py)

The name holds the release and the start of the base commit: one content has one name, and its
files are never written to after they appeared. Sources that people work on, a checkout or a
directory, have a name for the place instead, and their files follow: only what changed since
the last time is written, so that make compiles little. While another process uses them as
they were then, a changed state is laid out under the name of its content.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from harness import lease, trash
from harness.debian import Package
from harness.errors import HostError, UserError
from harness.eviction import evict_later, lease_of
from harness.file import write_atomically
from harness.inside import LinkError
from harness.origin import Checkout, Directory, Origin, Snapshot, Tarball, laid_out, release_at
from harness.places import Places
from harness.progress import Progress
from harness.repository import is_bare
from harness.storable import Storable
from harness.store import Store, bring, check_out, discard, locked, open_store

LEFT_BY_GIT = (
    *("objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/tmp_objdir-*"),
    *("shallow.lock", "refs/bases/*.lock"),
)
"""What a killed import leaves in the store; nothing else than an import makes any of it."""


class Tree(Storable):
    """One kernel tree in the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    origin: str
    git: Path
    base: str
    version: tuple[int, ...]
    release: str
    title: str
    upstream: str | None = None
    dirty: bool = False


def open_tree(spec: str, places: Places, progress: Progress) -> Tree:
    """The tree a user means, taken into the store if it is not there yet."""
    if tree := stored(spec, places):
        return tree
    store = open_store(places)
    origin = locate(spec, store)
    if snapshot := origin.recall(store):
        tree = stored(_name(store, snapshot), places)
        if tree is not None:
            return tree.model_copy(update={"origin": spec})
    with locked(store.folder / "import.lock", progress, "it takes in a tree"):
        _sweep(store)
        snapshot = origin.recall(store) or origin.take(store, progress)
        tree = _settle(store, spec, snapshot, places, progress)
        evict_later(places, grown=len(list(places.trees.glob("*.json"))) > 1)
        return tree


def check_tree(spec: str, places: Places) -> None:
    """A UserError if nothing is meant by that; what is meant is not looked at."""
    if stored(spec, places) is None:
        locate(spec, open_store(places))


def locate(spec: str, store: Store) -> Origin:
    """What a tree's name on the command line means."""
    try:
        return _located(spec, store)
    except PermissionError as error:
        raise UserError(f"no tree {spec!r}: {error.strerror}: {error.filename}") from error


def _located(spec: str, store: Store) -> Origin:
    if spec.startswith("debian:"):
        package = Package(spec.removeprefix("debian:"))
        package.check(store)
        return package
    path = Path(spec).expanduser().absolute()
    if spec and path.is_dir():
        if (path / ".git").exists():
            return Checkout(path)
        return Checkout(path, "HEAD") if is_bare(path) else Directory(path)
    if path.is_file():
        return Tarball(path)
    for at in (found.start() for found in re.finditer("@", spec)):
        where, revision = Path(spec[:at]).expanduser(), spec[at + 1 :]
        if at and revision and where.is_dir():  # a revision may have more of them: main@{1}
            return Checkout(where.absolute(), revision)
    raise UserError(
        f"no tree {spec!r}: give a directory, a tarball, REPOSITORY@REVISION,"
        " debian:6.1, or a name from `slqb tree list`"
    )


def stored(name: str, places: Places) -> Tree | None:
    """The tree of that name, if it is in the store and laid out."""
    record = places.trees / f"{name}.json"
    if "/" in name or not record.is_file() or not pristine(name, places).is_dir():
        return None
    lease.hold(lease_of(name, places))
    if not record.is_file() or not pristine(name, places).is_dir():
        return None  # it was evicted before it was ours
    tree = _read(record)
    return tree if Store(places.trees).has(tree.base) else None


def stored_trees(places: Places) -> Iterator[Tree]:
    """Every tree in the store, by name."""
    for record in sorted(places.trees.glob("*.json")):
        yield _read(record)


def pristine(tree: Tree | str, places: Places) -> Path:
    """The tree's own files, for reading only."""
    return places.trees / (tree if isinstance(tree, str) else tree.name)


def _read(record: Path) -> Tree:
    try:
        tree = Tree.model_validate_json(record.read_bytes())
        return tree.model_copy(update={"git": Store(record.parent).path})
    except ValidationError as error:
        raise HostError(f"{record} is damaged: delete it and get the tree again") from error


def _settle(
    store: Store, spec: str, snapshot: Snapshot, places: Places, progress: Progress
) -> Tree:
    """Lay the files out and write the record, in this order."""
    release = _release(store, snapshot)
    name = _follow(store, snapshot, places, progress) or _name(store, snapshot)
    numbers = re.match(r"[\d.]+", release)
    tree = Tree(
        name=name,
        origin=spec,
        git=store.path,
        base=snapshot.commit,
        version=tuple(int(part) for part in (numbers[0] if numbers else "").split(".") if part),
        release=release,
        title=snapshot.title,
        upstream=snapshot.upstream,
        dirty=snapshot.dirty,
    )
    ready, place = laid_out(store, tree.base), pristine(tree, places)
    if ready.is_dir() and not place.is_dir():
        ready.rename(place)
    if not place.is_dir():
        check_out(store, tree.base, place, progress)
    write_atomically(places.trees / f"{tree.name}.json", tree.model_dump_json(indent=2).encode())
    lease.hold(lease_of(tree.name, places))
    return tree


def _follow(store: Store, snapshot: Snapshot, places: Places, progress: Progress) -> str:
    """Bring the files of sources that people work on to this state; their name, or "" if there
    is none, or another process uses them as they are. Without a record they are in doubt."""
    if not snapshot.home:
        return ""
    name = f"{snapshot.kind}-{_release(store, snapshot)}-{snapshot.home}"
    record, place = places.trees / f"{name}.json", pristine(name, places)
    before = _read(record).base if record.is_file() and place.is_dir() else ""
    if before == snapshot.commit:
        return name
    if not lease.claim(lease_of(name, places)):
        return ""
    record.unlink(missing_ok=True)
    if before:
        progress.stage(f"update {name}")
        try:
            changed = bring(store, before, snapshot.commit, place)
        except LinkError:  # somebody has put one there: it is all laid out anew
            discard(place)
            return name
        progress.done(f"{len(changed)} files changed since the last time")
    else:
        discard(place)
    return name


def _name(store: Store, snapshot: Snapshot) -> str:
    return f"{snapshot.kind}-{_release(store, snapshot)}-{snapshot.commit[:8]}"


def _release(store: Store, snapshot: Snapshot) -> str:
    return release_at(store.git, snapshot.commit, snapshot.title)


def _sweep(store: Store) -> None:
    """Remove what a killed process left; the lock says that nobody works on it."""
    for path in store.folder.glob("tmp-*"):
        path.unlink() if path.is_symlink() else trash.throw(path, store.folder.parent)
    for path in store.folder.glob("scan/*.lock"):
        path.unlink()
    for pattern in LEFT_BY_GIT:
        for path in store.path.glob(pattern):
            _remove(path)


def _remove(path: Path) -> None:
    discard(path) if path.is_dir() and not path.is_symlink() else path.unlink()
