# SPDX-License-Identifier: GPL-2.0
"""The user's git repository: nothing of it is started or changed, whatever kind it is."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import repository
from harness.errors import HarnessError, Outcome, TreeError, UserError
from harness.places import Places
from harness.progress import SilentProgress
from harness.tree import Tree, open_tree, pristine
from tests.conftest import Command, git
from tests.test_tree import everything, files
from tests.traps import ATTRIBUTES, Traps


def take(spec: str | Path, places: Places) -> Tree:
    return open_tree(str(spec), places, SilentProgress())


def refused(spec: str | Path, places: Places, kind: type[HarnessError] = TreeError) -> str:
    """What a tree is refused with: one line, with the exit status of wrong use or a bad tree."""
    with pytest.raises(kind) as caught:
        take(spec, places)
    assert caught.value.outcome in (Outcome.USAGE, Outcome.TREE)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@contextmanager
def untouched(*folders: Path) -> Iterator[None]:
    """Nothing in these folders changes, neither content nor mode nor times."""
    before = [everything(folder) for folder in folders]
    yield
    assert [everything(folder) for folder in folders] == before


@pytest.fixture
def checkout(toy_tree: Path) -> Path:
    """Two commits of the toy tree, the first a release."""
    git(toy_tree, "init", "-q", "-b", "main")
    git(toy_tree, "add", "--force", ".")
    git(toy_tree, "commit", "-qm", "toy")
    git(toy_tree, "tag", "v6.1.7")
    (toy_tree / "mm/local.c").write_text("int local;\n")
    git(toy_tree, "add", "--force", ".")
    git(toy_tree, "commit", "-qm", "local")
    return toy_tree


# Programs


@pytest.fixture
def traps(tmp_path: Path) -> Traps:
    return Traps(tmp_path / "traps")


@pytest.fixture
def armed(checkout: Path, traps: Traps) -> Path:
    """A checkout with all traps, changes of every kind, and an armed repository inside it."""
    (checkout / ".gitattributes").write_text(ATTRIBUTES)
    git(checkout, "add", "--force", ".gitattributes")
    git(checkout, "commit", "-qm", "attributes")
    nested = checkout / "nested"
    git(checkout, "init", "-q", "nested")
    (nested / "file").write_text("one\n")
    git(nested, "add", "file")
    git(nested, "commit", "-qm", "nested")
    git(checkout, "add", "--force", "nested")
    git(checkout, "commit", "-qm", "a submodule")
    (checkout / "mm/slab.h").write_text((checkout / "mm/slab.h").read_text() + "int mine;\n")
    (checkout / "mm/new.c").write_text("int n;\n")
    (checkout / "init/main.c").touch()
    (nested / "file").write_text("two\n")
    traps.arm(checkout)
    traps.arm(nested)
    return checkout


def test_the_traps_work(armed: Path, traps: Traps) -> None:
    """git itself, used there, starts a good part of them."""
    tame = ("-c", "filter.trap.process=", "-c", "filter.trap.required=false")
    for words in (
        *(("status",), ("add", "mm/slab.h"), (*tame, "status"), (*tame, "add", "mm/slab.h")),
        *((*tame, "diff", "HEAD"), (*tame, "log", "-p", "--no-ext-diff"), ("fetch",)),
    ):
        subprocess.run(("git", *words), cwd=armed, capture_output=True, check=False)
    wanted = {"fsmonitor", "process", "textconv", "diff-command", "helper"}
    assert wanted <= traps.sprung
    assert {"hook-post-index-change", "hook-fsmonitor-watchman"} & traps.sprung


USES = {
    "tree get": ("tree", "get", "{tree}"),
    "tree get REV": ("tree", "get", "{tree}@HEAD~1"),
    "tree describe": ("tree", "describe", "{tree}"),
    "series": ("series", "--tree", "{tree}", "--templates", "{templates}", "--output", "{out}"),
    "series --dry-run": (
        *("series", "--tree", "{tree}", "--templates", "{templates}", "--output", "{out}"),
        "--dry-run",
    ),
    "check": ("check", "--tree", "{tree}", "--templates", "{templates}", "--no-build"),
    "run --dry-run": ("run", "--tree", "{tree}", "--dry-run"),
    "build --dry-run": ("build", "--tree", "{tree}", "--dry-run"),
    "send": ("send", "--tree", "{tree}", "{out}"),
}


@pytest.mark.parametrize("use", USES)
def test_no_command_starts_or_changes_anything(
    use: str, armed: Path, traps: Traps, slqb: Command, toy_templates: Path, tmp_path: Path
) -> None:
    """Started in the repository, with git's variables set and the user's configuration armed."""
    traps.arm_file(tmp_path / ".gitconfig")
    values = {"tree": armed, "templates": toy_templates, "out": tmp_path / "out"}
    words = [word.format(**values) for word in USES[use]]
    with untouched(armed):
        done = slqb("-q", *words, cwd=armed, env=traps.environment())
    assert traps.sprung == set()
    assert done.returncode in (0, 2, 3), done.stderr
    assert "Traceback" not in done.stderr
    if use.startswith(("tree get", "tree describe", "series")):
        assert (done.returncode, done.stderr) == (0, "")


def test_what_is_armed_is_taken_as_it_is(armed: Path, places: Places) -> None:
    """Bytes as they are in the work tree, whatever filters would make of them."""
    tree = take(armed, places)
    assert tree.dirty
    wanted = {name: file for name, file in files(armed).items() if not name.startswith("nested/")}
    assert files(pristine(tree, places)) == wanted


def test_a_repository_inside_a_directory_is_refused_and_not_entered(
    toy_tree: Path, places: Places, traps: Traps
) -> None:
    take(toy_tree, places)
    nested = toy_tree / "drivers"
    git(toy_tree, "init", "-q", "drivers")
    (nested / "file.c").write_text("int n;\n")
    git(nested, "add", "file.c")
    git(nested, "commit", "-qm", "nested")
    (nested / ".gitattributes").write_text(ATTRIBUTES)
    traps.arm(nested)
    (nested / "file.c").write_text("int m;\n")
    for _ in range(2):
        with untouched(toy_tree):
            said = refused(toy_tree, places)
        assert "drivers is a git repository of its own" in said
    assert traps.sprung == set()
    shutil.rmtree(nested / ".git")
    assert files(pristine(take(toy_tree, places), places)) == files(toy_tree)


# Partial clones


def clone(origin: Path, to: Path, *words: str) -> Path:
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(origin.parent, "clone", "-q", *words, f"file://{origin}", str(to))
    return to


PARTS = ("--filter=blob:none", "--filter=tree:0", "--filter=blob:limit=30")


@pytest.mark.parametrize("part", PARTS)
def test_what_a_partial_clone_lacks_comes_from_its_origin(
    part: str, checkout: Path, places: Places, tmp_path: Path
) -> None:
    partial = clone(checkout, tmp_path / "partial", part, "--no-checkout")
    with untouched(partial, checkout):
        tree = take(f"{partial}@origin/main", places)
    assert tree.base == git(checkout, "rev-parse", "HEAD")
    assert files(pristine(tree, places)) == files(checkout)


def test_a_partial_clone_that_has_what_is_needed_asks_nobody(
    checkout: Path, places: Places, tmp_path: Path
) -> None:
    partial = clone(checkout, tmp_path / "partial", "--filter=blob:none")
    shutil.move(checkout, tmp_path / "away")
    (partial / "mm/slab.h").write_text("struct slab {\n\tint mine;\n};\n")
    with untouched(partial):
        tree = take(partial, places)
    assert files(pristine(tree, places)) == files(partial)


@pytest.mark.parametrize("part", PARTS)
def test_without_its_origin_a_partial_clone_is_refused_with_what_completes_it(
    part: str, checkout: Path, places: Places, tmp_path: Path
) -> None:
    partial = clone(checkout, tmp_path / "partial", part, "--no-checkout")
    shutil.move(checkout, tmp_path / "away")
    with untouched(partial):
        said = refused(f"{partial}@origin/main", places)
    assert re.search(
        rf"{partial} is a partial clone that lacks \d+ objects of [0-9a-f]{{12}}", said
    )
    assert f"from file://{checkout}" in said
    shutil.move(tmp_path / "away", checkout)
    subprocess.run(re.findall(r"`(.*)`", said)[0], shell=True, check=True, capture_output=True)
    shutil.move(checkout, tmp_path / "away")
    assert take(f"{partial}@origin/main", places).release == "6.1.7-toy"


def test_nothing_of_an_armed_partial_clone_or_its_origin_is_started(
    checkout: Path, places: Places, tmp_path: Path, traps: Traps
) -> None:
    (checkout / ".gitattributes").write_text(ATTRIBUTES)
    git(checkout, "add", "--force", ".gitattributes")
    git(checkout, "commit", "-qm", "attributes")
    partial = clone(checkout, tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    traps.arm(partial)
    traps.arm(checkout)
    git(traps.folder, "config", "--file", str(partial / ".git/config"), "--replace-all",
        "remote.origin.url", f"file://{checkout}")  # fmt: skip
    with untouched(partial, checkout):
        tree = take(f"{partial}@origin/main", places)
    assert files(pristine(tree, places)) == files(checkout)
    assert traps.sprung == set()


@pytest.mark.parametrize(
    "url",
    [
        "ext::touch {folder}/sprung/ext",
        "ssh://127.0.0.1:1/linux",
        "git://127.0.0.1:1/linux",
        "http://user:secret@127.0.0.1:1/linux",
        "nobody@127.0.0.1:linux",
        "-oProxyCommand=touch",
        "fd::7",
        "file:///nowhere",
        "nowhere",
        "",
    ],
)
def test_origins_that_do_not_answer_are_one_line(
    url: str, checkout: Path, places: Places, tmp_path: Path, traps: Traps
) -> None:
    partial = clone(checkout, tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    traps.arm(partial)
    git(traps.folder, "config", "--file", str(partial / ".git/config"), "--replace-all",
        "remote.origin.url", url.format(folder=traps.folder))  # fmt: skip
    with untouched(partial):
        said = refused(f"{partial}@origin/main", places)
    assert "is a partial clone that lacks" in said
    assert "secret" not in said
    assert traps.sprung == set()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def daemon(folder: Path) -> Iterator[str]:
    """git's own server of what is below a folder; its URL."""
    port = free_port()
    words = ("--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}")
    argv = ("git", "daemon", *words, f"--base-path={folder}", str(folder))
    with subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(500):
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            yield f"git://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, 15)


@pytest.mark.skipif(
    not Path(git(Path("/"), "--exec-path"), "git-daemon").exists(), reason="no git daemon"
)
def test_an_origin_on_the_network_is_asked(
    checkout: Path, places: Places, tmp_path: Path, traps: Traps
) -> None:
    partial = clone(checkout, tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    with daemon(tmp_path) as url:
        traps.arm(partial)
        git(traps.folder, "config", "--file", str(partial / ".git/config"), "--replace-all",
            "remote.origin.url", f"{url}/linux")  # fmt: skip
        git(traps.folder, "config", "--file", str(partial / ".git/config"), "--unset-all",
            "core.gitProxy")  # fmt: skip
        with untouched(partial):
            tree = take(f"{partial}@origin/main", places)
    assert files(pristine(tree, places)) == files(checkout)
    assert traps.sprung == set()


def test_an_origin_that_says_nothing_is_waited_for_only_so_long(
    checkout: Path, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = clone(checkout, tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/linux"
        git(partial, "config", "remote.origin.url", url)
        monkeypatch.setattr(repository, "PATIENCE", 0.5)
        said = refused(f"{partial}@origin/main", places)
    assert "git took longer than 0.5 seconds" in said


# Kinds of repositories

Make = Callable[[Path, Path], Path | str]


def detached(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "checkout", "-q", "--detach", "HEAD~1")
    return checkout


def bare(checkout: Path, tmp: Path) -> Path:
    git(tmp, "clone", "-q", "--bare", str(checkout), "bare.git")
    return tmp / "bare.git"


def linked(checkout: Path, tmp: Path) -> Path:
    git(checkout, "worktree", "add", "-q", str(tmp / "linked"), "HEAD")
    return tmp / "linked"


def linked_to_bare(checkout: Path, tmp: Path) -> Path:
    git(bare(checkout, tmp), "worktree", "add", "-q", str(tmp / "linked"), "main")
    return tmp / "linked"


def separate(checkout: Path, tmp: Path) -> Path:
    git(tmp, "clone", "-q", "--separate-git-dir", str(tmp / "apart"), str(checkout), "work")
    return tmp / "work"


def shallow(checkout: Path, tmp: Path) -> Path:
    git(tmp, "clone", "-q", "--depth=1", f"file://{checkout}", "shallow")
    return tmp / "shallow"


def borrowing(checkout: Path, tmp: Path) -> Path:
    git(tmp, "clone", "-q", "--shared", str(checkout), "shared")
    return tmp / "shared"


def packed(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "pack-refs", "--all")
    git(checkout, "gc", "-q")
    git(checkout, "commit-graph", "write", "--reachable")
    return checkout


def split_index(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "update-index", "--split-index")
    return checkout


def with_monitor(checkout: Path, _tmp: Path) -> Path:
    """The index holds what a file system monitor once said: that nothing has changed."""
    (checkout / "monitor").write_text("#!/bin/sh\nprintf 'token\\0'\n")
    (checkout / "monitor").chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(checkout / "monitor"))
    git(checkout, "update-index", "--fsmonitor")
    git(checkout, "status")
    (checkout / "monitor").unlink()
    return checkout


def sparse(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "sparse-checkout", "set", "--cone", "mm")
    return checkout


def merge_done(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "checkout", "-qb", "side", "HEAD~1")
    (checkout / "mm/side.c").write_text("int side;\n")
    git(checkout, "add", "--force", "mm/side.c")
    git(checkout, "commit", "-qm", "side")
    git(checkout, "merge", "--no-commit", "-q", "main")
    return checkout


def odd_name(checkout: Path, tmp: Path) -> Path:
    return Path(shutil.move(checkout, tmp / "a 'b' \"c\" #d ü\\e"))


def linked_head(checkout: Path, _tmp: Path) -> Path:
    (checkout / ".git/HEAD").unlink()
    (checkout / ".git/HEAD").symlink_to("refs/heads/main")
    return checkout


def replaced(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "replace", "HEAD", "HEAD~1")
    return checkout


def old_commit(checkout: Path, _tmp: Path) -> str:
    return f"{checkout}@HEAD@{{1}}"


def upstream_name(checkout: Path, tmp: Path) -> str:
    git(tmp, "clone", "-q", str(checkout), "clone")
    return f"{tmp / 'clone'}@main@{{upstream}}"


def below_the_top(checkout: Path, _tmp: Path) -> str:
    return f"{checkout / 'mm'}@HEAD"


KINDS = (
    *(detached, bare, linked, linked_to_bare, separate, shallow, borrowing, packed, split_index),
    *(with_monitor, sparse, merge_done, odd_name, linked_head, replaced, old_commit),
    *(upstream_name, below_the_top),
)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_kinds_of_repositories(make: Make, checkout: Path, places: Places, tmp_path: Path) -> None:
    """Each is taken: what is checked out, or what the revision is."""
    spec = make(checkout, tmp_path)
    real, listing = ("--no-replace-objects",), ("ls-tree", "-r", "--name-only", "--full-tree")
    at, _, revision = str(spec).partition("@")
    head = git(Path(at), "rev-parse", revision or "HEAD")
    wanted = {
        name: git(Path(at), *real, "cat-file", "blob", f"{head}:{name}")
        for name in git(Path(at), *real, *listing, head).split()
    }
    with untouched(Path(at)):
        tree = take(spec, places)
    assert (tree.base == head) is not tree.dirty
    taken = files(pristine(tree, places))
    got = {name: taken[name][1].decode().strip() for name in wanted}
    assert got == wanted
    assert set(taken) - set(wanted) == ({"mm/local.c"} if make is merge_done else set())


def with_sha256(checkout: Path, tmp: Path) -> Path:
    git(tmp, "init", "-q", "--object-format=sha256", "other")
    shutil.rmtree(checkout / ".git")
    shutil.copytree(checkout, tmp / "other", dirs_exist_ok=True)
    git(tmp / "other", "add", "--force", ".")
    git(tmp / "other", "commit", "-qm", "toy")
    return tmp / "other"


def in_conflict(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "checkout", "-qb", "side", "HEAD~1")
    (checkout / "mm/local.c").write_text("int other;\n")
    git(checkout, "add", "--force", "mm/local.c")
    git(checkout, "commit", "-qm", "side")
    with pytest.raises(HarnessError):
        git(checkout, "merge", "-q", "main")
    return checkout


def not_checked_out(checkout: Path, tmp: Path) -> Path:
    git(tmp, "clone", "-q", "--no-checkout", str(checkout), "empty")
    return tmp / "empty"


def lost_worktree(checkout: Path, tmp: Path) -> Path:
    git(checkout, "worktree", "add", "-q", str(tmp / "linked"), "HEAD")
    shutil.move(checkout, tmp / "moved")
    return tmp / "linked"


def damaged(checkout: Path, _tmp: Path) -> Path:
    lost = git(checkout, "rev-parse", "HEAD:mm/local.c")
    (checkout / ".git/objects" / lost[:2] / lost[2:]).unlink()
    return checkout


def without_tree(checkout: Path, _tmp: Path) -> Path:
    lost = git(checkout, "rev-parse", "HEAD^{tree}")
    (checkout / ".git/objects" / lost[:2] / lost[2:]).unlink()
    return checkout


def bad_config(checkout: Path, _tmp: Path) -> Path:
    (checkout / ".git/config").write_text("[core\n")
    return checkout


def bad_head(checkout: Path, _tmp: Path) -> Path:
    (checkout / ".git/HEAD").write_text("nonsense\n")
    return checkout


def bad_index(checkout: Path, _tmp: Path) -> Path:
    (checkout / ".git/index").write_bytes(b"no index at all")
    return checkout


def unknown_format(checkout: Path, _tmp: Path) -> Path:
    git(checkout, "config", "core.repositoryFormatVersion", "1")
    git(checkout, "config", "extensions.fromTheFuture", "true")
    return checkout


def no_kernel(_checkout: Path, tmp: Path) -> Path:
    git(tmp, "init", "-q", "other")
    (tmp / "other/file").write_text("hello\n")
    git(tmp / "other", "add", "file")
    git(tmp / "other", "commit", "-qm", "other")
    return tmp / "other"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (with_sha256, r"is a repository of SHA-256 objects.*git -C \S+ archive"),
        (in_conflict, r"mm/local\.c has conflicts of an unfinished merge"),
        (not_checked_out, r"nothing is checked out there; run `git -C \S+ checkout`"),
        (lost_worktree, r"linked/\.git leads to no git directory"),
        (damaged, r"is damaged: [0-9a-f]{40} is missing; see `git -C \S+ fsck`"),
        (without_tree, r"not a tree object|is damaged"),
        (bad_config, r"bad config line 1"),
        (bad_head, r"linux: .*(not a git repository|git directory)|has no revision"),
        (bad_index, r"index"),
        (unknown_format, r"extension"),
        (no_kernel, r"is not a kernel tree: it has no Makefile"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_cannot_be_taken_is_one_clear_line(
    make: Make, message: str, checkout: Path, places: Places, tmp_path: Path
) -> None:
    spec = make(checkout, tmp_path)
    with untouched(Path(spec)):
        said = refused(spec, places, HarnessError)
    assert re.search(message, said), said
    assert str(spec) in said
    assert list(places.trees.glob("tmp-mirror*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_somebody_else_is_read(checkout: Path, places: Places) -> None:
    """git refuses it because its configuration could start something; nothing of it is read."""
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    assert files(pristine(take(checkout, places), places)) == files(checkout)


# What is checked out


def test_a_change_in_the_second_of_the_commit_is_seen(checkout: Path, places: Places) -> None:
    """It has the same size, and the times of the index say that git must look into the file."""
    time.sleep(1 - time.time() % 1)
    (checkout / "mm/local.c").write_text("int LOCAL;\n")
    git(checkout, "add", "--force", "mm/local.c")
    (checkout / "mm/local.c").write_text("int Local;\n")
    time.sleep(1.1)
    tree = take(checkout, places)
    assert (pristine(tree, places) / "mm/local.c").read_text() == "int Local;\n"


def test_files_are_seen_with_the_settings_of_the_repository(
    checkout: Path, places: Places, tmp_path: Path
) -> None:
    git(checkout, "config", "core.fileMode", "false")
    (checkout / "mm/slab.h").chmod(0o755)
    assert not take(checkout, places).dirty
    (checkout / "mm/slab.h").write_text("struct slab {\n};\n")
    tree = take(checkout, places)
    assert tree.dirty
    assert not (pristine(tree, places) / "mm/slab.h").stat().st_mode & 0o100
    (tmp_path / "ignored").write_text("*.mine\n")
    (checkout / ".gitignore").unlink()
    (checkout / "mm/notes.mine").write_text("mine\n")
    assert (pristine(take(checkout, places), places) / "mm/notes.mine").exists()
    git(checkout, "config", "core.excludesFile", str(tmp_path / "ignored"))
    assert not (pristine(take(checkout, places), places) / "mm/notes.mine").exists()


@pytest.mark.parametrize("kind", ["link", "link outside", "file", "pipe", "missing"])
@pytest.mark.parametrize("what", ["mm", "scripts", "mm/local.c"])
def test_what_has_taken_the_place_of_files(
    kind: str, what: str, checkout: Path, places: Places, tmp_path: Path
) -> None:
    """A checkout may have a link, or nothing, where HEAD has a directory or a file."""
    outside = Path(shutil.move(checkout / what, tmp_path / "outside"))
    shutil.copytree(tmp_path / "outside", checkout / "inside") if outside.is_dir() else None
    match kind:
        case "link":
            (checkout / what).symlink_to("inside")
        case "link outside":
            (checkout / what).symlink_to(outside)
        case "file":
            (checkout / what).write_text("a file\n")
        case "pipe":
            os.mkfifo(checkout / what)
    if kind in ("pipe", "missing") and what == "mm":
        assert "is not a kernel tree: it has no mm" in refused(checkout, places)
        return
    tree = take(checkout, places)
    got = pristine(tree, places) / what
    assert got.is_symlink() == kind.startswith("link")
    assert got.exists() or got.is_symlink() or kind in ("pipe", "missing")
    if got.is_symlink():
        assert got.readlink() == (checkout / what).readlink()


def test_a_bad_name_is_wrong_use(checkout: Path, places: Places, tmp_path: Path) -> None:
    assert "has no revision 'v9'" in refused(f"{checkout}@v9", places, UserError)
    (tmp_path / "plain").mkdir()
    assert "is no git repository" in refused(f"{tmp_path / 'plain'}@v9", places, UserError)
