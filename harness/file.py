# SPDX-License-Identifier: GPL-2.0
"""Files that others read while we write: the old one is there, or the new one, and never a part.

Any number of threads and processes may write one file at a time; the last one wins.
"""

import threading
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace a file in one step; a full disk leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # no two threads of a host have one number
    scratch = path.with_name(f".{path.name}.{threading.get_native_id()}.slqb-new")
    scratch.unlink(missing_ok=True)  # what a killed process with that number left
    try:
        with scratch.open("xb") as file:  # never through a link
            file.write(content)
        if mode is not None:
            scratch.chmod(mode)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_output(path: Path, content: bytes) -> None:
    """Write a file that the user named.

    A regular file is replaced in one step, behind a symbolic link as well; the link stays. What
    is no regular file (/dev/null, a terminal, a FIFO) is written to and stays what it is.

    Raises OSError if `path` is a folder or cannot be written; no folder is made for it.
    """
    path.parent.stat()
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        write_atomically(path.resolve(), content)


def write_if_changed(path: Path, content: bytes) -> bool:
    """Write only what is new: make looks at times."""
    if path.is_file() and path.read_bytes() == content:
        return False
    write_atomically(path, content)
    return True
