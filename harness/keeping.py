# SPDX-License-Identifier: GPL-2.0
"""What is booted is first put into the record, and booted from there.

So what the record holds is what ran, even if the next build overwrites it meanwhile.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from harness.places import Places
from harness.record import KernelRecord, Recorder, keep

COMPILER = re.compile(r'^CONFIG_CC_VERSION_TEXT="(?P<text>.*)"$', re.MULTILINE)


@dataclass(frozen=True)
class Kept:
    """A kernel in the record."""

    name: str
    image: Path
    initramfs: Path | None


def keep_kernel(
    recorder: Recorder,
    places: Places,
    name: str,
    image: Path,
    *,
    initramfs: Path | None = None,
    symbols: Path | None = None,
    config: Path | None = None,
    log: Path | None = None,
    **facts: object,
) -> Kept:
    """Put a kernel and what belongs to it into the record."""
    folder = recorder.folder / name
    parts: dict[str, object] = {}
    files = {"image": image, "initramfs": initramfs, "symbols": symbols, "config": config}
    for key, file in files.items():
        if file is not None:
            stored = file.name if key in ("image", "symbols") else key
            parts[key] = f"{name}/{stored}"
            parts[f"{key}_sha256"] = keep(file, folder, stored, places)
    if log is not None and log.is_file():
        keep(log, folder, "build.log", places)
    compiler = COMPILER.search(config.read_text()) if config is not None else None
    recorder.add(
        KernelRecord.model_validate(
            {"name": name, "compiler": compiler["text"] if compiler else "", **parts, **facts}
        )
    )
    return Kept(name, folder / image.name, folder / "initramfs" if initramfs else None)
