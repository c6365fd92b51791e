# SPDX-License-Identifier: GPL-2.0
"""Files inside a folder, reached without following a symbolic link.

A kernel tree may hold links to anywhere. What is written or removed below a folder of ours goes
through these functions: each directory on the way is opened from the one above it with
O_NOFOLLOW, so that a link is noticed even if it appears while we are at it.
"""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from harness.errors import TreeError

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LinkError(TreeError):
    """A symbolic link, or something that is no directory, where a directory must be."""


def first_link(root: Path, path: str | PurePath) -> Path | None:
    """The first part of root/path below root that is a symbolic link, the last one included."""
    at = root
    for part in PurePath(path).parts:
        at /= part
        if at.is_symlink():
            return at
    return None


def check_path(root: Path, path: str) -> None:
    """Raise a TreeError unless root/path is, or could be made, a file of the folder itself.

    A symbolic link in its place or on the way is refused wherever it leads: git, too, takes no
    patch for what lies behind one.
    """
    _refuse_outside(root, path)
    if link := first_link(root, path):
        raise LinkError(
            f"{link.relative_to(root)} is a symbolic link to {link.readlink()}; slqb does not write"
            " through links: replace it by a "
            f"{'regular file' if link == root / path else 'directory'}"
        )
    for folder in list(PurePath(path).parents)[:-1]:
        if (root / folder).exists() and not (root / folder).is_dir():
            raise LinkError(f"{folder} is no directory, so that there can be no {path}")


def write_inside(root: Path, path: str, content: bytes, mode: int) -> bool:
    """Make root/path a plain file with that content, and say whether it had to be written.

    A file that holds it already is left alone. A link in its place is replaced by the file;
    directories that are missing are made. Raises LinkError for a link on the way.
    """
    with _parent(root, path, make=True) as (folder, name):
        if _read(folder, name) == content:
            return False
        scratch = f".{name}.{threading.get_native_id()}.slqb-new"
        with suppress(FileNotFoundError):  # what a killed process with that number left
            os.unlink(scratch, dir_fd=folder)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(scratch, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
            os.rename(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(scratch, dir_fd=folder)
        return True


def remove_inside(root: Path, path: str) -> None:
    """Remove the file or link root/path, if it is there. Raises LinkError for a link on the way."""
    with suppress(FileNotFoundError), _parent(root, path, make=False) as (folder, name):
        os.unlink(name, dir_fd=folder)


def _refuse_outside(root: Path, path: str) -> None:
    parts = PurePath(path).parts
    if not parts or PurePath(path).is_absolute() or ".." in parts:
        raise LinkError(f"{path!r} does not name a file inside {root}")


def _read(folder: int, name: str) -> bytes | None:
    """The content of a plain file; None for anything else."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return None
        # not to be held up by a pipe that takes the file's place
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        number = os.open(name, flags, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(number, "rb") as file:
        return file.read()


@contextmanager
def _parent(root: Path, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
    """The directory that root/path is in, open, and the last part of the path."""
    _refuse_outside(root, path)
    *folders, name = PurePath(path).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for number, part in enumerate(folders):
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=at)
            try:
                below = os.open(part, DIRECTORY, dir_fd=at)
            except FileNotFoundError:
                raise
            except OSError as error:
                where = root.joinpath(*folders[: number + 1])
                kind = "a symbolic link" if where.is_symlink() else "no directory"
                raise LinkError(f"{where} is {kind}") from error
            os.close(at)
            at = below
        yield at, name
    finally:
        os.close(at)
