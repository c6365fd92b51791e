# SPDX-License-Identifier: GPL-2.0
"""The TOML files of templates/: read in one way, each fault one line that names the file.

Templates are part of what is rendered into a tree, so a fault in them is a TreeError.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.catalogue import faults
from harness.errors import TreeError
from harness.parsing import parse_toml

Shape = TypeVar("Shape")


def read_table(path: Path, shape: TypeAdapter[Shape]) -> Shape:
    """What the file holds, checked in full."""
    try:
        return shape.validate_python(parse_toml(path.read_bytes()))
    except FileNotFoundError as error:
        raise TreeError(f"{path}: no such file: the templates are not whole") from error
    except OSError as error:
        raise TreeError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise TreeError(f"{path}: {faults(error)}") from error
    except ValueError as error:
        raise TreeError(f"{path}: not TOML: {error}") from error
