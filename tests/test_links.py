# SPDX-License-Identifier: GPL-2.0
"""No write follows a symbolic link out of a folder of ours, wherever a tree has one."""

import ctypes
import io
import os
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.capability import load_capabilities
from harness.errors import HarnessError, Outcome, TreeError, UserError
from harness.hunk import load_hunks
from harness.inside import LinkError, check_path, remove_inside, write_inside
from harness.places import Places
from harness.posting import MANIFEST, refuse_foreign
from harness.progress import SilentProgress
from harness.series import Series, render
from harness.template import TEMPLATES
from harness.tree import Tree, open_tree, pristine
from harness.worktree import Mutation, Rendered, lay_files, render_into_worktree
from tests.conftest import Command, git
from tests.test_tree import everything, files

LINKS = ("absolute", "relative", "dangling", "loop", "chain", "inside", "elsewhere inside")


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    before = everything(folder)
    yield
    assert everything(folder) == before


def place_link(root: Path, path: str, kind: str, outside: Path) -> None:
    """Put a link of that kind in the place of root/path; what was there is where it leads."""
    place, twin = root / path, outside / f"{kind}-{PurePath(path).name}"
    place.parent.mkdir(parents=True, exist_ok=True)
    inside = place.with_name(f"{place.name}.real") if kind == "inside" else root / "real/away"
    to = inside if "inside" in kind else twin
    if not place.exists():
        place.mkdir() if not place.suffix else place.touch()
    to.parent.mkdir(exist_ok=True)
    shutil.move(place, to)
    match kind:
        case "relative" | "inside" | "elsewhere inside":
            place.symlink_to(os.path.relpath(to, place.parent))
        case "dangling":
            place.symlink_to(outside / "nothing")
        case "loop":
            place.symlink_to(place.name)
        case "chain":
            place.with_name("first").symlink_to(to)
            place.symlink_to("first")
        case _:
            place.symlink_to(to)


# What writes


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("precious\n")
    return tmp_path / "outside"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/file").write_text("old\n")
    return tmp_path / "root"


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("part", ["a", "a/b"])
def test_a_link_on_the_way_is_neither_followed_nor_removed(
    kind: str, part: str, root: Path, outside: Path
) -> None:
    place_link(root, part, kind, outside)
    with untouched(outside), untouched(root):
        for act in (
            lambda: write_inside(root, "a/b/file", b"new\n", 0o644),
            lambda: write_inside(root, "a/b/c/new", b"new\n", 0o644),
            lambda: remove_inside(root, "a/b/file"),
            lambda: check_path(root, "a/b/file"),
        ):
            with pytest.raises(LinkError) as caught:
                act()
            assert str(PurePath(part)) in str(caught.value)


@pytest.mark.parametrize("kind", LINKS)
def test_a_link_in_the_place_of_the_file_is_replaced(kind: str, root: Path, outside: Path) -> None:
    place_link(root, "a/b/file", kind, outside)
    with untouched(outside):
        with pytest.raises(LinkError):
            check_path(root, "a/b/file")
        assert write_inside(root, "a/b/file", b"new\n", 0o755)
    assert not (root / "a/b/file").is_symlink()
    assert (root / "a/b/file").read_bytes() == b"new\n"
    assert (root / "a/b/file").stat().st_mode & 0o777 == 0o755
    assert not write_inside(root, "a/b/file", b"new\n", 0o755)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "", "a/b/../../../x"])
def test_a_path_that_leads_out_is_refused(path: str, root: Path) -> None:
    with untouched(root.parent):
        for act in (
            check_path,
            remove_inside,
            lambda at, name: write_inside(at, name, b"new", 0o644),
        ):
            with pytest.raises(LinkError, match="does not name a file inside"):
                act(root, path)


def test_a_file_where_a_directory_must_be(root: Path) -> None:
    with pytest.raises(LinkError, match="a/b/file is no directory"):
        check_path(root, "a/b/file/new")
    with pytest.raises(LinkError, match="a/b/file is no directory"):
        write_inside(root, "a/b/file/new", b"new\n", 0o644)


def exchange(one: Path, other: Path) -> None:
    """Swap two names in one step."""
    here, swapped = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    assert ctypes.CDLL(None).renameat2(here, bytes(one), here, bytes(other), swapped) == 0


def test_a_link_that_comes_while_we_write_is_not_followed(root: Path, outside: Path) -> None:
    """Another thread makes the directory a link and a directory again, all the time."""
    (outside / "b").mkdir()
    ended = threading.Event()

    (root / "link").symlink_to(outside)

    def swap() -> None:
        while not ended.is_set():
            exchange(root / "a", root / "link")

    with untouched(outside):
        thread = threading.Thread(target=swap)
        thread.start()
        try:
            refused = 0
            for number in range(3000):
                try:
                    write_inside(root, "a/b/file", f"{number}\n".encode(), 0o644)
                    remove_inside(root, "a/b/file")
                except LinkError:
                    refused += 1
        finally:
            ended.set()
            thread.join()
    assert 0 < refused < 3000


# The series


@dataclass(frozen=True)
class Small:
    """The few files of the real tree that the real series looks at, and what it makes of them."""

    tree: Tree
    files: Mapping[str, bytes]
    series: Series

    def lay(self, folder: Path) -> Path:
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder


@pytest.fixture(scope="session")
def small(linux: Tree, real_places: Places) -> Small:
    source = pristine(linux, real_places)
    names = {name for one in load_capabilities(TEMPLATES).values() for name in one.files}
    for file in load_hunks(TEMPLATES).values():
        names |= {name for hunk in file.hunks.values() for name in hunk.files}
    there = {name: (source / name).read_bytes() for name in names if (source / name).is_file()}
    return Small(linux, there, render(linux, source))


def on_the_way(path: str) -> list[str]:
    """The path and the directories above it."""
    return [path, *map(str, list(PurePath(path).parents)[:-1])]


@pytest.mark.tree
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_link_where_the_series_writes_is_refused(
    small: Small, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Every file of the series, every part of its path, every kind of link."""
    path = data.draw(st.sampled_from(sorted(small.series.files)))
    part = data.draw(st.sampled_from(on_the_way(path)))
    kind = data.draw(st.sampled_from(LINKS))
    folder = tmp_path_factory.mktemp("links")
    (folder / "outside").mkdir()
    source = small.lay(folder / "linux")
    place_link(source, part, kind, folder / "outside")
    with untouched(folder):
        try:
            made = render(small.tree, source)
        except TreeError as error:
            said = str(error)
            assert len(said.splitlines()) == 1
            # a file that cannot be read may make the tree one without a choice of allocators
            assert f"{part} is a symbolic link to" in said or "choice of allocators" in said
        else:  # a hunk that only some trees have a place for: the file counts as missing
            assert not [name for name in made.files if part in on_the_way(name)]
    shutil.rmtree(folder)


@pytest.mark.tree
def test_links_that_nothing_is_written_through_stay(
    small: Small, places: Places, tmp_path: Path
) -> None:
    """The kernel has some, as below scripts/dtc/include-prefixes; others may lead anywhere."""
    source = small.lay(tmp_path / "linux")
    (source / "init").mkdir(exist_ok=True)
    (source / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\n")
    (source / "scripts/dtc/include-prefixes").mkdir(parents=True)
    links = {
        "scripts/dtc/include-prefixes/dt-bindings": "../../../include/dt-bindings",
        "mm/anywhere": str(tmp_path),
        "include/linux/itself.h": "itself.h",
    }
    for name, target in links.items():
        (source / name).symlink_to(target)
    with untouched(source):
        made = render_into_worktree(open_tree(str(source), places, SilentProgress()), places)
    assert {name: str((made.source / name).readlink()) for name in links} == links
    assert (made.source / "mm/slqb.c").is_file()


# The commands

USES = (
    ("series", "--tree", "{tree}", "--templates", "{templates}", "--branch", "b"),
    ("series", "--tree", "{tree}", "--templates", "{templates}", "--output", "{out}", "--dry-run"),
    ("check", "--tree", "{tree}", "--templates", "{templates}", "--no-build"),
    ("run", "--tree", "{tree}", "--dry-run"),
    ("build", "--tree", "{tree}", "--dry-run"),
)


@pytest.mark.parametrize("use", USES, ids=" ".join)
def test_commands_refuse_such_a_tree(
    use: tuple[str, ...], toy_tree: Path, toy_templates: Path, slqb: Command,
    tmp_path: Path, outside: Path,
) -> None:  # fmt: skip
    if use[0] in ("check", "build"):  # of a checkout
        git(toy_tree, "init", "-q")
        git(toy_tree, "add", "--force", ".")
        git(toy_tree, "commit", "-qm", "toy")
    place_link(toy_tree, "mm", "absolute", outside)
    values = {"tree": toy_tree, "templates": toy_templates, "out": tmp_path / "out"}
    with untouched(outside), untouched(toy_tree):
        done = slqb("-q", *(word.format(**values) for word in use))
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    if use[0] in ("series", "check"):
        assert f"mm is a symbolic link to {outside}" in done.stderr


# The private worktree, and trees that are followed


@pytest.fixture
def tree(toy_tree: Path, places: Places) -> Tree:
    return open_tree(str(toy_tree), places, SilentProgress())


@pytest.mark.parametrize("kind", ["absolute", "dangling", "loop", "inside"])
@pytest.mark.parametrize("part", ["mm", "mm/slab.h", "mm/slqb.c"])
def test_a_link_in_the_worktree_is_not_written_through(
    kind: str, part: str, tree: Tree, places: Places, toy_templates: Path, outside: Path
) -> None:
    """Somebody has put it there; the worktree is as it should be afterwards."""

    def lay() -> Rendered:
        return render_into_worktree(tree, places, templates=toy_templates)

    source = lay().source
    wanted = files(source)
    place_link(source, part, kind, outside)
    part_file = toy_templates / "parts/queue.c.j2"
    part_file.write_text(part_file.read_text().replace("int nr;", "long nr;"))
    with untouched(outside):
        lay()
    part_file.write_text(part_file.read_text().replace("long nr;", "int nr;"))
    with untouched(outside):
        lay()
    assert {name: files(source)[name] for name in wanted} == wanted
    assert not (source / part).is_symlink()


@pytest.mark.parametrize("kind", ["absolute", "loop", "inside"])
def test_what_leaves_the_tree_is_not_removed_through_a_link(
    kind: str, toy_tree: Path, places: Places, toy_templates: Path, outside: Path
) -> None:
    """A link is where files of the tree were: in the tree that is followed, and in the worktree."""
    first = open_tree(str(toy_tree), places, SilentProgress())
    source = render_into_worktree(first, places, templates=toy_templates).source
    for folder in (pristine(first, places), source):
        (outside / folder.name).mkdir()
        place_link(folder, "scripts", kind, outside / folder.name)
    (toy_tree / "scripts/run.sh").unlink()
    (toy_tree / "scripts/new.sh").write_text("true\n")
    with untouched(outside):
        second = open_tree(str(toy_tree), places, SilentProgress())
        source = render_into_worktree(second, places, templates=toy_templates).source
    assert files(pristine(second, places)) == files(toy_tree)
    assert (source / "scripts/new.sh").is_file()
    assert not (source / "scripts/run.sh").exists()


def test_a_directory_becomes_a_link_and_a_directory_again(
    toy_tree: Path, places: Places, toy_templates: Path, outside: Path
) -> None:
    def look() -> Path:
        taken = open_tree(str(toy_tree), places, SilentProgress())
        source = render_into_worktree(taken, places, templates=toy_templates).source
        assert files(pristine(taken, places)) == files(toy_tree)
        return source

    assert not (look() / "scripts").is_symlink()
    shutil.move(toy_tree / "scripts", outside / "scripts")
    (toy_tree / "scripts").symlink_to(outside / "scripts")
    with untouched(outside):
        assert (look() / "scripts").is_symlink()
        (toy_tree / "scripts").unlink()
        (toy_tree / "scripts").mkdir()
        (toy_tree / "scripts/run.sh").write_text("true\n")
        assert (look() / "scripts/run.sh").read_text() == "true\n"


def test_a_record_that_names_files_elsewhere_removes_none(
    tree: Tree, places: Places, toy_templates: Path, outside: Path
) -> None:
    source = render_into_worktree(tree, places, templates=toy_templates).source
    state = source.with_name(f"{source.name}.json")
    away = os.path.relpath(outside / "file", source)
    state.write_text(state.read_text().replace('"mm/slqb.c"', f'"mm/slqb.c","{away}"'))
    with untouched(outside):
        render_into_worktree(tree, places, templates=toy_templates)


def test_planted_faults_stay_inside(
    tree: Tree, places: Places, toy_templates: Path, outside: Path, tmp_path: Path
) -> None:
    away = os.path.relpath(outside / "file", pristine(tree, places))
    patch = tmp_path / "fault.patch"
    patch.write_text(f"--- a/{away}\n+++ b/{away}\n@@ -1 +1 @@\n-precious\n+gone\n")
    for fault in (patch, Mutation(away, "precious", "gone")):
        with untouched(outside), pytest.raises(TreeError):
            render_into_worktree(
                tree, places, templates=toy_templates, label="bad", mutations=(fault,)
            )


def test_files_of_a_checked_series_stay_inside(
    toy_tree: Path, places: Places, toy_templates: Path, outside: Path
) -> None:
    (toy_tree / "lib").symlink_to(outside)
    tree = open_tree(str(toy_tree), places, SilentProgress())
    texts = render(tree, pristine(tree, places), toy_templates).files
    with untouched(outside):
        lay_files(tree, places, "check", texts, SilentProgress())
        with pytest.raises(TreeError, match="lib is a symbolic link to"):
            lay_files(tree, places, "check", {"lib/file": texts["mm/slqb.c"]}, SilentProgress())


# Tarballs

Members = Callable[[Path], list[tarfile.TarInfo]]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o6777
    info.size = 5 if kind == tarfile.REGTYPE else 0
    return info


HOSTILE: dict[str, Members] = {
    "absolute": lambda out: [member(str(out / "file"))],
    "parents": lambda out: [member(f"linux/../../../../../../../../{out}/file")],
    "link, then a file through it": lambda out: [
        member("linux/drivers", tarfile.SYMTYPE, str(out)),
        member("linux/drivers/file"),
    ],
    "relative link, then a file": lambda out: [
        member("linux/up", tarfile.SYMTYPE, "../../../../../../../.."),
        member(f"linux/up/{out}/file"),
    ],
    "chain of links": lambda out: [
        member("linux/one", tarfile.SYMTYPE, str(out)),
        member("linux/two", tarfile.SYMTYPE, "one"),
        member("linux/two/file"),
    ],
    "link, then the file itself": lambda out: [
        member("linux/note", tarfile.SYMTYPE, str(out / "file")),
        member("linux/note"),
    ],
    "hard link": lambda out: [
        member("linux/note", tarfile.LNKTYPE, str(out / "file")),
        member("linux/note"),
    ],
    "hard link to a link": lambda out: [
        member("linux/one", tarfile.SYMTYPE, str(out / "file")),
        member("linux/two", tarfile.LNKTYPE, "linux/one"),
        member("linux/two"),
    ],
    "device": lambda _: [member("linux/null", tarfile.CHRTYPE)],
    "block device": lambda _: [member("linux/disk", tarfile.BLKTYPE)],
    "pipe": lambda _: [member("linux/pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_tarballs(
    kind: str, toy_tree: Path, places: Places, tmp_path: Path, outside: Path
) -> None:
    """Each is refused in one line, or taken without what leads out."""
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.add(toy_tree, "linux")
        for info in HOSTILE[kind](outside):
            archive.addfile(info, io.BytesIO(b"gone\n") if info.size else None)
    with untouched(outside):
        try:
            tree = open_tree(str(tmp_path / "bad.tar"), places, SilentProgress())
        except HarnessError as error:
            assert error.outcome in (Outcome.USAGE, Outcome.TREE)  # noqa: PT017
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            assert [path for path in places.trees.iterdir() if path.name.startswith("tmp-")] == []
            return
    for path in pristine(tree, places).rglob("*"):
        assert path.is_symlink() or path.is_file() or path.is_dir()
        assert not path.lstat().st_mode & 0o6000 or path.is_symlink()


def test_a_tarball_of_a_link_is_no_tree(toy_tree: Path, places: Places, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        archive.addfile(member("linux", tarfile.SYMTYPE, str(toy_tree)))
    with untouched(toy_tree), pytest.raises(TreeError, match="is not a kernel tree"):
        open_tree(str(tmp_path / "link.tar"), places, SilentProgress())


def test_a_git_directory_in_a_tarball_is_left_out(
    toy_tree: Path, places: Places, tmp_path: Path
) -> None:
    git(toy_tree, "init", "-q")
    tarball = shutil.make_archive(str(tmp_path / "with-git"), "tar", tmp_path, "linux")
    tree = open_tree(tarball, places, SilentProgress())
    assert not (pristine(tree, places) / ".git").exists()
    assert files(pristine(tree, places)) == files(toy_tree)


# Where a series is put


def test_links_in_the_output_folder_are_not_ours(
    slqb: Command, toy_tree: Path, toy_templates: Path, tmp_path: Path, outside: Path
) -> None:
    words = ("-q", "series", "--tree", toy_tree, "--templates", toy_templates, "-o", "out")
    assert slqb(*words).returncode == 0
    for mail in sorted((tmp_path / "out").iterdir())[:2]:
        shutil.copy2(mail, outside / mail.name)
        mail.unlink()
        mail.symlink_to(outside / mail.name)
        with untouched(outside), untouched(tmp_path / "out"):
            done = slqb(*words)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert f"holds {mail.name}, which slqb did not write" in done.stderr
        mail.unlink()
        shutil.copy2(outside / mail.name, mail)
    assert slqb(*words).returncode == 0


@pytest.mark.parametrize("name", ["../outside/file", "/etc/passwd", "a/b.patch", "..", "note"])
def test_a_manifest_that_names_files_elsewhere_is_damaged(
    name: str, tmp_path: Path, outside: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST).write_text(f'{{"files": {{"{name}": "0"}}}}')
    with untouched(outside), pytest.raises(UserError, match="is damaged"):
        refuse_foreign(tmp_path / "out")
