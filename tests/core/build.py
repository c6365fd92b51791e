# SPDX-License-Identifier: GPL-2.0
"""Builds the allocator outside the kernel: the very text that the series puts into a tree.

The shim is laid out as a kernel tree. Its capabilities are probed, the templates rendered
and the hunks for its headers placed, as for any tree; test_core.py compares the result with
what Linux 6.1 gets. Beside that the C files of this folder are compiled with the host's own
gcc and its sanitizers. What was built once is kept in the cache, under a digest of it all.

python -m tests.core.build [VARIANT]     builds it, prints the program's path
"""

import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from harness import child
from harness.errors import Outcome
from harness.file import write_atomically
from harness.hunk import Text, load_hunks, place_hunk
from harness.kbuild import held
from harness.places import Places
from harness.probe import Has, probe
from harness.progress import SilentProgress
from harness.series import content
from harness.template import TEMPLATES, Line, Templates
from harness.worktree import Mutation, mutated

HERE = Path(__file__).resolve().parent
SHIM = HERE / "shim"
RENDERED = {
    "mm/slqb.c": "mm/slqb.c.j2",
    "include/linux/slqb_def.h": "include/linux/slqb_def.h.j2",
}
HOSTS = ("mm/slab.h", "include/linux/slab.h", "mm/slqb.c")  # what gets hunks here
WARNINGS = (
    *("-Wall", "-Wextra", "-Werror"),
    # The kernel compares signs, leaves parameters unused and fields unnamed.
    *("-Wno-sign-compare", "-Wno-unused-parameter", "-Wno-missing-field-initializers"),
    "-Wno-unused-function",
)
DIALECT = (
    *("-std=gnu11", "-g", "-fno-strict-aliasing", "-fno-strict-overflow", "-fno-common"),
    "-fno-omit-frame-pointer",
)
SANITIZERS = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
CONFIG = (
    *("NUMA", "SMP", "SLQB", "MEMORY_HOTPLUG", "PRINTK", "HARDENED_USERCOPY"),
    "SLQB_STATS",
)
GATHERED = {".data": "core_data", ".data.rel.local": "core_data", ".bss": "core_bss"}


@dataclass(frozen=True)
class Variant:
    """What is built: a page size, a configuration, and how."""

    page_shift: int = 12
    config: tuple[str, ...] = ()
    defines: Mapping[str, int] = field(default_factory=dict)
    how: tuple[str, ...] = SANITIZERS

    @property
    def words(self) -> tuple[str, ...]:
        """The compiler's words for it."""
        options = (f"-DCONFIG_{name}=1" for name in (*CONFIG, *self.config))
        sizes = {"PAGE_SHIFT": self.page_shift, **self.defines}
        return (*options, *(f"-D{name}={value}" for name, value in sizes.items()), *self.how)


HARDENED = ("SLAB_FREELIST_HARDENED", "SLAB_FREELIST_RANDOM")
LARGE = {"NR_CPUS": 4096, "MAX_NUMNODES": 1024, "NODE_PAGES": 64}
VARIANTS = {
    "4k": Variant(12),
    "16k": Variant(14, HARDENED),
    "64k": Variant(16, (), {"NODE_PAGES": 128}),
    "4k-large": Variant(12, (), LARGE, ("-O1",)),
    "16k-large": Variant(14, (), LARGE, ("-O1",)),
    "64k-large": Variant(16, (), {**LARGE, "NODE_PAGES": 8}, ("-O1",)),
    "plain": Variant(12, (), {}, ("-O1",)),
    "coverage": Variant(12, (), {"COVERAGE": 1}, ("-O0", "--coverage")),
}


def rendered(mutations: Sequence[Mutation] = ()) -> dict[str, Text]:
    """The files that the templates make, and those of the shim with hunks in them."""
    hunks = load_hunks(TEMPLATES)
    snippets = {name: text for file in hunks.values() for name, text in file.snippets()}
    templates = Templates(TEMPLATES, {"has": Has(probe(SHIM)), "variant": {}}, snippets)
    files: dict[str, Text] = {path: templates.render(name) for path, name in RENDERED.items()}
    for name, file in hunks.items():
        for hunk in file.hunks.values():
            if set(hunk.files) & set(HOSTS):
                path, text = place_hunk(name, hunk, lambda path: _read(files, path), templates)
                files[path] = text
    return mutated(files, mutations, SHIM)


def _read(files: Mapping[str, Text], path: str) -> Text | None:
    if path in files:
        return files[path]
    if path not in HOSTS:
        return None
    lines = (SHIM / path).read_text().removesuffix("\n").split("\n")
    return tuple(Line(line) for line in lines)


def build(places: Places, name: str, mutations: Sequence[Mutation] = ()) -> Path:
    """The folder of a variant, with the program `core` in it; built unless it is there."""
    files, variant = rendered(mutations), VARIANTS[name]
    folder = places.cache / "core" / f"{name}-{_digest(files, variant)}"
    if not (folder / "core").exists():
        # A fault is in core.c alone: the rest is there already.
        sound = build(places, name) if mutations else None
        with held(folder, SilentProgress()):
            if not (folder / "core").exists():
                _compile(folder, files, variant, sound)
    return folder


def _digest(files: Mapping[str, Text], variant: Variant) -> str:
    seen = hashlib.sha256("\0".join((*DIALECT, *WARNINGS, *variant.words)).encode())
    for path, text in sorted(files.items()):
        seen.update(path.encode() + content(text))
    for source in sorted((*HERE.glob("*.[ch]"), *SHIM.rglob("*.h"))):
        seen.update(source.name.encode() + source.read_bytes())
    return seen.hexdigest()[:16]


def _compile(folder: Path, files: Mapping[str, Text], variant: Variant, sound: Path | None) -> None:
    shutil.copytree(SHIM, folder, dirs_exist_ok=True)
    for path, text in files.items():
        write_atomically(folder / path, content(text))

    def compiled(source: Path) -> Path:
        if sound and source.stem != "core":
            return sound / f"{source.stem}.o"
        return _object(folder, variant, source)

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sorted(HERE.glob("*.c"))))
    renames = (f"--rename-section={old}={new}" for old, new in GATHERED.items())
    _run(folder, "objcopy", *renames, "core.o")
    _run(folder, "gcc", *variant.how, *objects, "-o", "core.new")
    (folder / "core.new").rename(folder / "core")


def _object(folder: Path, variant: Variant, source: Path) -> Path:
    target = folder / f"{source.stem}.o"
    paths = (f"-I{HERE}", f"-I{folder}", f"-I{folder}/include", f"-I{folder}/mm")
    _run(folder, "gcc", *DIALECT, *WARNINGS, *variant.words, *paths, "-c", source, "-o", target)
    return target


def _run(folder: Path, *words: str | Path) -> str:
    return child.run(words, cwd=folder, outcome=Outcome.BUILD)


if __name__ == "__main__":
    print(build(Places.from_environment(), sys.argv[1] if len(sys.argv) > 1 else "4k") / "core")
