# SPDX-License-Identifier: GPL-2.0
"""Trees: every kind of origin is taken in whole and never written to."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from harness.errors import HarnessError, Outcome, TreeError, UserError
from harness.origin import release_of
from harness.places import Places
from harness.progress import SilentProgress
from harness.tree import Tree, open_tree, pristine, stored_trees
from tests.conftest import git, sealed


def take(spec: str | Path, places: Places) -> Tree:
    return open_tree(str(spec), places, SilentProgress())


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All there is below a folder, with mode and time of change."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def files(folder: Path) -> dict[str, tuple[bool, bytes]]:
    return {
        str(path.relative_to(folder)): (bool(path.stat().st_mode & 0o100), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git/" not in f"{path.relative_to(folder)}/"
    }


@pytest.fixture
def checkout(toy_tree: Path) -> Path:
    """The toy tree under git, tagged as upstream would."""
    git(toy_tree, "init", "-q", "-b", "main")
    git(toy_tree, "add", "--force", ".")
    git(toy_tree, "commit", "-qm", "toy")
    git(toy_tree, "tag", "v6.1.7")
    return toy_tree


@pytest.fixture
def untouched(toy_tree: Path) -> Iterator[None]:
    """Fails the test if the user's tree changed in any way."""
    before = everything(toy_tree)
    yield
    assert everything(toy_tree) == before


@pytest.mark.usefixtures("untouched")
def test_a_directory_is_taken_whole_though_gitignore_hides_it(
    toy_tree: Path, places: Places
) -> None:
    tree = take(toy_tree, places)
    assert files(pristine(tree, places)) == files(toy_tree)
    assert tree.release == "6.1.7-toy"
    assert tree.version == (6, 1, 7)
    assert tree.name.startswith("dir-6.1.7-toy-")
    assert tree.upstream is None
    assert not tree.dirty


def test_a_directory_is_looked_through_again(toy_tree: Path, places: Places) -> None:
    first = take(toy_tree, places)
    again = take(toy_tree, places)
    (toy_tree / "mm/new.c").write_text("int n;\n")
    (toy_tree / "scripts/run.sh").unlink()
    changed = take(toy_tree, places)
    assert again == first
    assert changed.base != first.base
    assert files(pristine(changed, places)) == files(toy_tree)


class Told(SilentProgress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, name: str, expected: float | None = None) -> None:
        self.lines.append(name)

    def done(self, result: str = "") -> None:
        self.lines.append(result)


@pytest.mark.parametrize("kind", ["dir", "git"])
def test_later_states_of_the_same_sources_write_what_changed(
    kind: str, toy_tree: Path, places: Places
) -> None:
    if kind == "git":
        git(toy_tree, "init", "-q")
        git(toy_tree, "add", "--force", ".")
        git(toy_tree, "commit", "-qm", "toy")
    first = take(toy_tree, places)
    before = everything(pristine(first, places))
    (toy_tree / "mm/slab.h").write_text("struct slab {\n};\n")
    (toy_tree / "scripts/run.sh").unlink()
    (toy_tree / "scripts/run.sh").mkdir()
    (toy_tree / "scripts/run.sh/new.c").write_text("int n;\n")
    (toy_tree / "init/main.c").chmod(0o755)
    told = Told()
    second = open_tree(str(toy_tree), places, told)
    assert (second.name, second.base == first.base) == (first.name, False)
    assert f"update {second.name}" in told.lines
    assert "4 files changed since the last time" in told.lines
    assert files(pristine(second, places)) == files(toy_tree)
    after = everything(pristine(second, places))
    written = {path for path in after if after[path] != before.get(path) and "." in path}
    assert written == {"mm/slab.h", "init/main.c", "scripts/run.sh", "scripts/run.sh/new.c"}
    assert [tree.name for tree in stored_trees(places)] == [first.name]


def test_an_update_that_was_cut_off_is_begun_anew(toy_tree: Path, places: Places) -> None:
    tree = take(toy_tree, places)
    (places.trees / f"{tree.name}.json").unlink()
    (pristine(tree, places) / "mm/slab.h").write_text("half of it")
    assert take(toy_tree, places).name == tree.name
    assert files(pristine(tree, places)) == files(toy_tree)


HOLDER = """
import sys
from harness.places import Places
from harness.progress import SilentProgress
from harness.tree import open_tree
print(open_tree(sys.argv[1], Places.from_environment(), SilentProgress()).name, flush=True)
sys.stdin.read()
"""


@contextmanager
def used_elsewhere(toy_tree: Path, home: Path) -> Iterator[str]:
    """Another process has the tree; its name."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, toy_tree],
        env=sealed(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def test_what_another_process_uses_is_not_changed_under_it(
    toy_tree: Path, places: Places, tmp_path: Path
) -> None:
    with used_elsewhere(toy_tree, tmp_path) as name:
        before = everything(places.trees / name)
        assert take(toy_tree, places).name == name
        (toy_tree / "mm/slab.h").write_text("struct slab {\n};\n")
        changed = take(toy_tree, places)
        assert changed.name == f"dir-6.1.7-toy-{changed.base[:8]}"
        assert files(pristine(changed, places)) == files(toy_tree)
        assert everything(places.trees / name) == before
    assert take(toy_tree, places).name == name


def test_one_content_has_one_commit(toy_tree: Path, places: Places, tmp_path: Path) -> None:
    tarball = shutil.make_archive(str(tmp_path / "toy"), "gztar", tmp_path, "linux")
    other = Places(tmp_path / "elsewhere", tmp_path / "runs")
    bases = {take(toy_tree, places).base, take(tarball, places).base, take(toy_tree, other).base}
    assert len(bases) == 1


def test_a_tarball_with_or_without_a_folder_around(toy_tree: Path, places: Places) -> None:
    wrapped = shutil.make_archive(str(places.cache.parent / "w"), "xztar", toy_tree.parent, "linux")
    bare = shutil.make_archive(str(places.cache.parent / "b"), "tar", toy_tree)
    for tarball in (wrapped, bare):
        assert files(pristine(take(tarball, places), places)) == files(toy_tree)


def test_a_tarball_is_unpacked_once_and_known_again(toy_tree: Path, places: Places) -> None:
    tarball = Path(shutil.make_archive(str(places.cache.parent / "t"), "tar", toy_tree))
    told: list[str] = []

    class Told(SilentProgress):
        def stage(self, name: str, expected: float | None = None) -> None:
            told.append(name)

    first = open_tree(str(tarball), places, Told())
    assert told == ["unpack t.tar", "import Linux 6.1.7-toy"]
    assert open_tree(str(tarball), places, Told()) == first
    assert len(told) == 2
    (toy_tree / "mm/new.c").write_text("int n;\n")
    shutil.make_archive(str(tarball.with_suffix("")), "tar", toy_tree)
    assert open_tree(str(tarball), places, Told()).base != first.base


def test_a_clean_checkout_keeps_its_commit_and_names_upstream(
    checkout: Path, places: Places
) -> None:
    before = everything(checkout)
    tree = take(checkout, places)
    assert tree.base == git(checkout, "rev-parse", "HEAD")
    assert tree.upstream == "v6.1.7"
    assert files(pristine(tree, places)) == files(checkout)
    assert everything(checkout) == before


@pytest.fixture
def later(checkout: Path) -> Path:
    """A local commit on top of the release."""
    (checkout / "mm/local.c").write_text("int local;\n")
    git(checkout, "add", "--force", ".")
    git(checkout, "commit", "-qm", "local")
    return checkout


def test_a_commit_that_no_release_contains_is_not_upstream(later: Path, places: Places) -> None:
    tree = take(later, places)
    assert tree.base == git(later, "rev-parse", "HEAD")
    assert tree.upstream is None


def test_a_revision_is_taken_and_the_checkout_stays(later: Path, places: Places) -> None:
    before = everything(later)
    tree = take(f"{later}@v6.1.7", places)
    assert tree.upstream == "v6.1.7"
    assert not (pristine(tree, places) / "mm/local.c").exists()
    assert everything(later) == before


def test_a_bare_repository_has_revisions_too(later: Path, places: Places, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(later), "bare.git")
    assert take(f"{tmp_path}/bare.git@v6.1.7", places).upstream == "v6.1.7"


def test_a_linked_worktree_is_a_checkout(later: Path, places: Places, tmp_path: Path) -> None:
    git(later, "worktree", "add", "-q", str(tmp_path / "linked"), "v6.1.7")
    tree = take(tmp_path / "linked", places)
    assert tree.upstream == "v6.1.7"


def test_a_shallow_checkout_is_a_checkout(later: Path, places: Places, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{later}", "shallow")
    assert take(tmp_path / "shallow", places).base == git(later, "rev-parse", "HEAD")


def test_a_dirty_checkout_is_taken_as_it_is_and_said_to_be(checkout: Path, places: Places) -> None:
    (checkout / "mm/slab.h").write_text("struct slab {\n};\n")
    (checkout / "scripts/run.sh").unlink()
    (checkout / "mm/staged.c").write_text("int staged;\n")
    git(checkout, "add", "--force", "mm/staged.c")
    (checkout / "mm/sub dir").mkdir()
    (checkout / "mm/sub dir/näw.c").write_text("int new;\n")
    (checkout / "mm/ignored.o").write_text("object")
    before = everything(checkout)
    tree = take(checkout, places)
    assert everything(checkout) == before
    assert tree.dirty
    assert tree.upstream is None
    assert "with uncommitted changes" in tree.title
    wanted = files(checkout)
    del wanted["mm/ignored.o"]
    assert files(pristine(tree, places)) == wanted


def test_the_git_environment_of_a_hook_does_not_lead_astray(
    checkout: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/nonexistent")
    assert take(checkout, places).upstream == "v6.1.7"


def test_stored_trees_go_by_their_names(toy_tree: Path, places: Places) -> None:
    tree = take(toy_tree, places)
    assert list(stored_trees(places)) == [tree]
    shutil.rmtree(toy_tree)
    assert take(tree.name, places) == tree


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("nowhere", UserError, "no tree 'nowhere'"),
        ("debian:", UserError, "give a release"),
        ("debian:x; rm", UserError, "give a release"),
        ("linux@v9", UserError, "has no revision 'v9'"),
        ("linux@--help", UserError, "has no revision '--help'"),
        ("Makefile", UserError, "is not a tree that tar can unpack"),
        ("empty", TreeError, "has no Makefile and no include and no init and no mm"),
        ("unborn", UserError, "has no revision 'HEAD'"),
        ("built", TreeError, "a kernel was built inside it"),
    ],
)
def test_bad_origins_are_one_clear_line(
    spec: str,
    error: type[HarnessError],
    message: str,
    checkout: Path,
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    git(tmp_path, "init", "-q", "unborn")
    shutil.copy(checkout / "Makefile", "Makefile")
    shutil.copytree(checkout, "built", ignore=shutil.ignore_patterns(".git"))
    (tmp_path / "built/include/config").mkdir()
    (tmp_path / "built/include/config/auto.conf").touch()
    with pytest.raises(error, match=message) as caught:
        take(spec, places)
    assert len(str(caught.value).splitlines()) == 1
    assert list(places.trees.glob("*.json")) == []


def test_an_empty_tarball_and_one_of_something_else(places: Places, tmp_path: Path) -> None:
    (tmp_path / "other/sub").mkdir(parents=True)
    (tmp_path / "other/README").write_text("hello\n")
    tarball = shutil.make_archive(str(tmp_path / "o"), "tar", tmp_path, "other")
    with pytest.raises(TreeError, match=r"/o\.tar is not a kernel tree: it has no Makefile"):
        take(tarball, places)
    assert [path.name for path in places.trees.iterdir() if path.name.startswith("tmp-")] == []


def test_what_a_killed_import_left_is_swept_away(toy_tree: Path, places: Places) -> None:
    left = places.folder("trees", "tmp-unpack")
    (left / "half").write_text("a tree")
    tree = take(toy_tree, places)
    assert not left.exists()
    locks = [next(places.trees.glob("scan/*.index")).with_suffix(".index.lock")]
    locks += [tree.git / "shallow.lock", tree.git / f"refs/bases/{tree.base}.lock"]
    for lock in locks:
        lock.touch()
    (toy_tree / "mm/more.c").write_text("int more;\n")
    take(toy_tree, places)
    assert not any(lock.exists() for lock in locks)


def test_releases_of_old_and_new_makefiles() -> None:
    names = ("Makefile", "mm", "init", "include")
    old = "VERSION = 2\nPATCHLEVEL = 6\nSUBLEVEL = 29\nEXTRAVERSION =\nNAME = Temporary\n"
    new = "# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n"
    assert release_of(old, names, "x") == "2.6.29"
    assert release_of(new, names, "x") == "6.12.0-rc3"
    with pytest.raises(TreeError, match="its Makefile names no VERSION"):
        release_of("all:\n\ttrue\n", names, "x")


def test_two_processes_want_the_same_tree_at_once(
    toy_tree: Path, places: Places, tmp_path: Path
) -> None:
    tarball = shutil.make_archive(str(tmp_path / "t"), "gztar", tmp_path, "linux")
    command = (Path(sys.executable).with_name("slqb"), "tree", "get", tarball)
    both = [
        subprocess.Popen(command, env=sealed(tmp_path), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0, 0]
    assert len(answers) == 1
    assert [tree.name for tree in stored_trees(places)] == [answers.pop().strip()]


SMALL_DISK = """
mount -t tmpfs -o size=$1 slqb-test "$SLQB_CACHE"
"$2" -q tree get "$3"
echo "status $?"
ls "$SLQB_CACHE/trees"
mount -o remount,size=64m "$SLQB_CACHE"
exec "$2" -q tree get "$3"
"""


@pytest.mark.parametrize(("size", "during"), [("1m", "tar --extract"), ("3200k", "git ")])
def test_a_full_disk_leaves_no_half_tree(
    size: str, during: str, toy_tree: Path, tmp_path: Path
) -> None:
    """Full while unpacking, or while importing; in a mount namespace, so it needs no root."""
    (toy_tree / "mm/big.c").write_bytes(Random(1).randbytes(3_000_000))
    tarball = shutil.make_archive(str(tmp_path / "t"), "tar", tmp_path, "linux")
    (tmp_path / "cache").mkdir()
    words = ("unshare", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh", size)
    answer = subprocess.run(
        (*words, Path(sys.executable).with_name("slqb"), tarball),
        env=sealed(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(answer.stderr.splitlines()) == 1
    assert "the disk is full; free some space, or move the cache" in answer.stderr
    assert during in answer.stderr
    status, *left, name = answer.stdout.splitlines()
    assert status == f"status {Outcome.HOST.exit_code}"
    assert not [entry for entry in left if entry.endswith(".json") or entry.startswith("tmp-")]
    assert answer.returncode == 0
    assert name.startswith("tar-6.1.7-toy-")
