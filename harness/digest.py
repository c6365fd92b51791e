# SPDX-License-Identifier: GPL-2.0
"""Digests of files, remembered: a kernel image that did not change is not read again.

A digest is kept beside the file's inode, size and time of change; any difference makes it
worthless.
"""

import hashlib
import json
from pathlib import Path

from harness.file import write_atomically
from harness.parsing import parse_json
from harness.places import Places

SMALL = 1 << 20


def digest_of(file: Path, places: Places) -> str:
    """The SHA-256 of a file."""
    seen = file.stat()
    if seen.st_size < SMALL:
        return _read(file)
    stamp = [seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]
    name = hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:16]
    memory = places.folder("facts", "digests") / f"{name}.json"
    if (known := _recall(memory, stamp)) is not None:
        return known
    digest = _read(file)
    write_atomically(memory, json.dumps({"stamp": stamp, "sha256": digest}).encode())
    return digest


def _recall(memory: Path, stamp: list[int]) -> str | None:
    try:
        known = parse_json(memory.read_bytes())
        return str(known["sha256"]) if known["stamp"] == stamp else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # not there, or damaged
        return None


def _read(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
