# SPDX-License-Identifier: GPL-2.0
"""The private worktree: a tree with the series in it, for kernel builds.

worktrees/NAME-LABEL/        the files; no .git, so the kernel's version scripts stay quiet
worktrees/NAME-LABEL.json    which of them are ours
worktrees/NAME-LABEL.lock    one render at a time

Only files whose content differs are written, so that make compiles only what changed; files
that left the templates are taken away or become the tree's own again. A tree that follows the
sources somebody works on is followed in the same way. No write follows a symbolic link (inside.py).
A planted fault (`mutations`) goes into
a worktree of its own label and never into the commits.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness import child
from harness.errors import HostError, Outcome, TreeError
from harness.file import write_atomically
from harness.hunk import Text
from harness.inside import LinkError, check_path, remove_inside, write_inside
from harness.places import Places
from harness.posting import commit_series, mode_of
from harness.progress import Progress, SilentProgress
from harness.series import content, render
from harness.store import Store, bring, check_out, discard, locked
from harness.template import TEMPLATES, Line, LineMap
from harness.tree import Tree, pristine

PLANTED = "planted fault"


@dataclass(frozen=True)
class Mutation:
    """A fault to plant: a regular expression that one place of a file must match."""

    path: str
    pattern: str
    replacement: str


@dataclass(frozen=True)
class Rendered:
    """A worktree ready to be built."""

    source: Path
    tree: Tree
    commits: tuple[str, ...]
    line_map: LineMap
    digest: str


class State(BaseModel):
    """What a worktree holds of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[str, ...] = ()
    base: str | None = None
    """What the others are of, in a tree that follows its origin; "" while that is in doubt."""


def render_into_worktree(
    tree: Tree,
    places: Places,
    progress: Progress | None = None,
    *,
    label: str = "slqb",
    templates: Path = TEMPLATES,
    variant: Mapping[str, Any] | None = None,
    mutations: Sequence[Mutation | Path] = (),
) -> Rendered:
    """Render the series into the worktree of that label, and commit it in the store.

    `mutations` are faults to plant: replacements, or patch files. One that does not fit
    exactly is an error, for a test that plants nothing would prove nothing.
    """
    progress = progress or SilentProgress()
    base, source = pristine(tree, places), places.worktrees / f"{tree.name}-{label}"
    series = render(tree, base, templates, variant)
    files = mutated(series.files, mutations, base)
    with locked(_beside(source, "lock"), progress, f"it renders {source.name}"):
        _lay(tree, base, source, files, progress)
    posting = commit_series(Store(places.trees), tree, base, series)
    return Rendered(source, tree, posting.commits, _line_map(files), digest_of_files(tree, files))


def lay_files(
    tree: Tree, places: Places, label: str, files: Mapping[str, Text], progress: Progress
) -> Rendered:
    """The worktree of that label with these files in it, and nothing else of ours."""
    base, source = pristine(tree, places), places.worktrees / f"{tree.name}-{label}"
    with locked(_beside(source, "lock"), progress, f"it renders {source.name}"):
        _lay(tree, base, source, files, progress)
    return Rendered(source, tree, (), _line_map(files), digest_of_files(tree, files))


def line_map_of(tree: Tree, places: Places) -> LineMap:
    """Where the lines of ours come from, without laying them anywhere."""
    return _line_map(render(tree, pristine(tree, places), TEMPLATES, None).files)


def mutated(
    files: Mapping[str, Text], mutations: Iterable[Mutation | Path], base: Path
) -> dict[str, Text]:
    """The files with the faults in them."""
    result = dict(files)
    for mutation in mutations:
        if isinstance(mutation, Path):
            result.update(_patched(result, mutation, base))
        else:
            text = result.get(mutation.path) or _read(base, mutation.path)
            result[mutation.path] = _replaced(text, mutation)
    return result


def _read(base: Path, path: str) -> Text:
    """A file of the tree that the series does not touch."""
    if not Path(base, path).is_file():
        raise TreeError(f"{PLANTED}: neither the series nor the tree has a file {path}")
    return tuple(Line(line) for line in _lines(Path(base, path)))


def _lines(path: Path) -> list[str]:
    return path.read_bytes().decode(errors="surrogateescape").removesuffix("\n").split("\n")


def _replaced(text: Text, mutation: Mutation) -> Text:
    before = "\n".join(line.text for line in text)
    after, count = re.subn(mutation.pattern, mutation.replacement, before, flags=re.MULTILINE)
    if count != 1:
        raise TreeError(
            f"{PLANTED}: /{mutation.pattern}/ is in {mutation.path} {count} times, not once"
        )
    if after == before:
        raise TreeError(f"{PLANTED}: /{mutation.pattern}/ changes nothing in {mutation.path}")
    return _realigned(text, after.split("\n"))


def _realigned(text: Text, lines: Sequence[str]) -> Text:
    """Lines at both ends keep their origin; what differs between them was planted."""
    shorter = min(len(text), len(lines))
    head = next((i for i in range(shorter) if text[i].text != lines[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if text[-1 - i].text != lines[-1 - i]), rest)
    middle = (Line(line, PLANTED) for line in lines[head : len(lines) - tail])
    return (*text[:head], *middle, *text[len(text) - tail :])


def _patched(files: Mapping[str, Text], patch: Path, base: Path) -> dict[str, Text]:
    """A patch file applied without fuzz, in a folder that holds only what it touches."""
    names = re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.MULTILINE)
    with TemporaryDirectory(prefix="slqb-plant-") as scratch:
        for name in names:
            check_path(base, name)
            old = content(files[name]) if name in files else (base / name).read_bytes()
            write_inside(Path(scratch), name, old, mode_of(base / name))
        words = ("patch", "--strip=1", "--fuzz=0", "--batch", "--input", patch.absolute())
        child.run(words, cwd=Path(scratch), outcome=Outcome.TREE)
        return {name: _reread(files.get(name), Path(scratch, name)) for name in names}


def _reread(text: Text | None, path: Path) -> Text:
    return _realigned(text or (), _lines(path))


def _lay(
    tree: Tree, base: Path, source: Path, files: Mapping[str, Text], progress: Progress
) -> None:
    """Make the worktree hold these files, and nothing outside of it.

    A link that somebody has put into the worktree is not followed: it is all laid anew.
    """
    for path in files:
        check_path(base, path)
    try:
        _lay_over(tree, base, source, files, progress)
    except LinkError:
        discard(source)
        _lay_over(tree, base, source, files, progress)


def _lay_over(
    tree: Tree, base: Path, source: Path, files: Mapping[str, Text], progress: Progress
) -> None:
    """Change what is there; cut off anywhere, the next render mends it."""
    store, state = Store(tree.git.parent), _recall(source)
    now = None if tree.name.endswith(tree.base[:8]) else tree.base
    if not source.is_dir() or (now and not state.base):
        _beside(source, "json").unlink(missing_ok=True)
        discard(source)
        check_out(store, tree.base, source, progress)
        state = State()
    elif state.base != now:
        _remember(source, {*state.files, *files}, "")
        progress.stage(f"update {source.name}")
        bring(store, str(state.base), tree.base, source)
        progress.done()
    if left := set(state.files) - set(files):
        _remember(source, {*state.files, *files}, now)
        for path in left:
            _restore(source, path, base / path)
    _remember(source, files, now)
    for path, text in files.items():
        write_inside(source, path, content(text), mode_of(base / path))


def _restore(source: Path, path: str, original: Path) -> None:
    if original.is_file():
        write_inside(source, path, original.read_bytes(), mode_of(original))
    else:
        remove_inside(source, path)


def _beside(source: Path, ending: str) -> Path:
    return source.with_name(f"{source.name}.{ending}")


def _recall(source: Path) -> State:
    path = _beside(source, "json")
    try:
        return State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return State()
    except ValidationError as error:
        raise HostError(f"{path} is damaged: delete it and the folder beside it") from error


def _remember(source: Path, files: Iterable[str], base: str | None) -> None:
    data = State(files=tuple(sorted(files)), base=base).model_dump_json(exclude_none=True).encode()
    path = _beside(source, "json")
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)


def _line_map(files: Mapping[str, Text]) -> LineMap:
    return LineMap({path: tuple(line.origin for line in text) for path, text in files.items()})


def digest_of_files(tree: Tree, files: Mapping[str, Text]) -> str:
    seen = hashlib.sha256(tree.base.encode())
    for path, text in sorted(files.items()):
        seen.update(f"{path}\0".encode() + content(text) + b"\0")
    return seen.hexdigest()
