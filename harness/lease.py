# SPDX-License-Identifier: GPL-2.0
"""Who uses a tree's folders: any number of processes at a time, or one that changes them.

A lease is a lock on a file of its own and lasts until the process ends, however it ends: nobody
knows before then whether a build will read the sources again. The file's time of change is
when somebody took it up last.
"""

import fcntl
import os
from pathlib import Path

_held: dict[Path, int] = {}


def hold(file: Path) -> None:
    """Use what the file stands for; waits while another process changes it."""
    fcntl.flock(_opened(file), fcntl.LOCK_SH)
    os.utime(file)


def claim(file: Path) -> bool:
    """Have it alone, to change it, until `hold`; False if another process uses it."""
    known = file in _held
    try:
        fcntl.flock(_opened(file), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # what was held before is lost by asking for more
        hold(file) if known else release(file)
        return False
    return True


def release(file: Path) -> None:
    """Use it no more."""
    os.close(_held.pop(file))


def is_held(file: Path) -> bool:
    """Whether this process uses it."""
    return file in _held


def is_in_use(file: Path) -> bool:
    """Whether any process uses it, this one too."""
    if is_held(file):
        return True
    try:
        descriptor = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _opened(file: Path) -> int:
    if file not in _held:
        _held[file] = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    return _held[file]
