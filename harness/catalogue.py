# SPDX-License-Identifier: GPL-2.0
"""Records kept as data: one TOML file for each machine, each topology.

A new record is a new file and nothing else: its name is the file's, and the list of known
names is what the folder holds. A file is checked in full when it is read (by pydantic:
unknown keys, wrong types, values out of range), and every fault is one line that names
the file and the key.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, ValidationError

from harness.errors import UserError
from harness.parsing import parse_json, parse_toml
from harness.storable import Storable


class Entry(Storable):
    """A record that came from a file; the file's name is its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str


AnyEntry = TypeVar("AnyEntry", bound=Entry)


def names(folder: Path) -> tuple[str, ...]:
    """What the folder knows, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def load(kind: str, folder: Path, name: str, model: type[AnyEntry]) -> AnyEntry:
    """The record of that name, or a UserError that lists the known ones.

    A name that ends in .toml or .json is the path of a record kept elsewhere.
    """
    known = names(folder)
    elsewhere = name.endswith((".toml", ".json"))
    path = Path(name) if elsewhere else folder / f"{name}.toml"
    if (name not in known and not elsewhere) or not _is_file(path):
        raise UserError(f"unknown {kind} {name!r}; known: {', '.join(known)}")
    return read(path, model)


def _is_file(path: Path) -> bool:
    """Whether it is one; a name that no file can have, as one that is too long, is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read(path: Path, model: type[AnyEntry]) -> AnyEntry:
    """One file, checked."""
    try:
        raw = path.read_bytes()
        table = parse_json(raw) if path.suffix == ".json" else parse_toml(raw)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of either decoder, or of the encoding
        raise UserError(f"{path}: not {path.suffix[1:].upper()}: {error}") from error
    try:
        return model.model_validate({"name": path.stem, **table} if isinstance(table, dict) else {})
    except ValidationError as error:
        raise UserError(f"{path}: {faults(error)}") from error


def save(entry: Entry, path: Path) -> None:
    """Keep a record beside what was done with it; the path ends in .json."""
    path.write_text(entry.model_dump_json(indent=1) + "\n")


def faults(error: ValidationError) -> str:
    """What pydantic found, on one line."""
    found = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        found.append(f"{where}: {said}" if where else said)
    return "; ".join(found)
