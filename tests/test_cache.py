# SPDX-License-Identifier: GPL-2.0
"""What the cache holds, what leaves it, and that nothing else is touched."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from harness import lease, trash
from harness.eviction import RECENT, STAMP, evict, lease_of, look, too_much, too_old
from harness.holding import BUILD, FOREIGN, KEPT, TRASH, TREE, WORKTREE, Holding, holdings, size_of
from harness.places import Places
from harness.progress import SilentProgress
from harness.quota import AGE, DEFAULT, LIMIT, Quota, age_from, shown_size, size_from
from harness.tree import open_tree, stored, stored_trees
from tests.conftest import Command
from tests.test_tree import used_elsewhere

HOUR, DAY = 3600.0, 86400.0
BLOB = b"x" * 100_000
NOTHING = Quota(None, None)


def aged(days: float, *paths: Path) -> None:
    """Have files look as if they were last used so long ago."""
    when = time.time() - days * DAY
    for path in paths:
        os.utime(path, (when, when), follow_symlinks=False)


def filled(places: Places, name: str, days: float, builds: tuple[str, ...] = ("lean",)) -> None:
    """A tree with a worktree and builds, all last used so long ago."""
    for folder in (places.trees / name, places.worktrees / f"{name}-slqb"):
        (folder / "mm").mkdir(parents=True)
        (folder / "mm/slab.c").write_bytes(BLOB)
        folder.with_name(f"{folder.name}.json").write_text("{}")
        folder.with_name(f"{folder.name}.lock").touch()
        ends = [folder.with_name(f"{folder.name}.{end}") for end in ("json", "lock")]
        aged(days, folder, *ends)
    for kernel in builds:
        build = places.builds / f"{name}-slqb" / kernel
        build.mkdir(parents=True)
        (build / "vmlinux").write_bytes(BLOB)
        (build / "requested.config").touch()
        build.with_name(f"{kernel}.lock").touch()
        aged(days, build, build.with_name(f"{kernel}.lock"))


def there(places: Places) -> dict[str, list[str]]:
    """What of the evictable kinds is there."""
    found: dict[str, list[str]] = {}
    for one in holdings(places):
        if one.evictable:
            found.setdefault(one.kind, []).append(one.name)
    return found


def whole(name: str, *kernels: str) -> dict[str, list[str]]:
    builds = [f"{name}-slqb/{kernel}" for kernel in kernels or ("lean",)]
    return {TREE: [name], WORKTREE: [f"{name}-slqb"], BUILD: builds}


def test_what_is_old_goes_with_all_that_hangs_on_it(places: Places) -> None:
    filled(places, "git-6.1-aaaa", 31, ("debug", "lean"))
    filled(places, "git-6.1-bbbb", 29)
    assert there(places)[TREE] == ["git-6.1-aaaa", "git-6.1-bbbb"]
    gone = evict(places, Quota(None, 30 * DAY))
    assert {one.name for one in gone} >= {"git-6.1-aaaa", "git-6.1-aaaa-slqb/debug"}
    assert there(places) == whole("git-6.1-bbbb")
    assert trash.empty(places.cache)
    assert list(trash.waiting(places.cache)) == []


def test_a_build_may_go_and_its_tree_stay(places: Places) -> None:
    filled(places, "git-6.1-aaaa", 1, ("debug", "lean"))
    old = places.builds / "git-6.1-aaaa-slqb/debug"
    aged(40, old, old.with_name("debug.lock"))
    evict(places, Quota(None, 30 * DAY))
    assert there(places) == whole("git-6.1-aaaa", "lean")


def test_the_size_is_kept_and_what_was_used_last_stays(places: Places) -> None:
    for number, name in enumerate(("git-6.1-cccc", "git-6.1-aaaa", "git-6.1-bbbb")):
        filled(places, name, days=number + 1)
    total = sum(one.size for one in look(places))
    third = sum(one.size for one in look(places) if one.owner == "git-6.1-bbbb")
    evict(places, Quota(total - third, None))
    assert there(places)[TREE] == ["git-6.1-aaaa", "git-6.1-cccc"]
    evict(places, Quota(third, None))
    assert there(places) == whole("git-6.1-cccc")
    assert sum(one.size for one in look(places) if one.kind != TRASH) <= third
    evict(places, Quota(0, None))
    assert there(places) == {}


def test_what_was_used_within_the_hour_stays_whatever_the_quota(places: Places) -> None:
    filled(places, "git-6.1-aaaa", 0.9 * RECENT / DAY)
    assert evict(places, Quota(0, 0)) == ()
    assert there(places) == whole("git-6.1-aaaa")


def test_what_another_process_uses_stays(toy_tree: Path, places: Places, tmp_path: Path) -> None:
    with used_elsewhere(toy_tree, tmp_path) as name:
        filled(places, "git-6.1-aaaa", 40)
        places.folder("worktrees", f"{name}-slqb")
        later = time.time() + 40 * DAY
        assert {one.in_use for one in look(places) if one.owner == name} == {True}
        evict(places, Quota(0, 0), later)
        assert there(places) == {TREE: [name], WORKTREE: [f"{name}-slqb"]}
        assert [tree.name for tree in stored_trees(places)] == [name]
    evict(places, Quota(0, 0), later)
    assert there(places) == {}


def test_what_this_process_uses_stays(places: Places) -> None:
    filled(places, "git-6.1-aaaa", 40)
    lease.hold(lease_of("git-6.1-aaaa", places))
    try:
        evict(places, Quota(0, 0), time.time() + 40 * DAY)
        assert there(places) == whole("git-6.1-aaaa")
    finally:
        lease.release(lease_of("git-6.1-aaaa", places))


def test_a_build_that_somebody_works_in_stays(places: Places) -> None:
    filled(places, "git-6.1-aaaa", 40)
    build = places.builds / "git-6.1-aaaa-slqb/lean"
    with FileLock(build.with_name("lean.lock")):
        evict(places, Quota(0, 0), time.time() + 40 * DAY)
        assert (build / "vmlinux").read_bytes() == BLOB


def test_what_was_used_after_it_was_looked_at_stays(places: Places) -> None:
    from harness.eviction import remove

    filled(places, "git-6.1-aaaa", 40)
    chosen = too_old(look(places), 30 * DAY, time.time())
    aged(0, lease_of("git-6.1-aaaa", places))
    assert TREE not in {one.kind for one in remove(chosen, places)}
    assert there(places)[TREE] == ["git-6.1-aaaa"]


STRANGE = ("notes.txt", "trees/mine", "trees/mine.json", "worktrees/mine", "build/mine/kernel")


def test_what_is_not_ours_is_shown_and_left_alone(places: Places, slqb: Command) -> None:
    filled(places, "git-6.1-aaaa", 40)
    for name in STRANGE:
        path = places.cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if "." not in name else path.write_text("mine")
    (places.cache / "trees/mine.json").unlink()
    (places.cache / "build/git-6.1-aaaa-slqb/thesis").mkdir()
    (places.cache / "build/git-6.1-aaaa-slqb/thesis/chapter").write_text("mine")
    before = set(places.cache.rglob("*mine*")) | {places.cache / "notes.txt"}
    foreign = {one.name for one in holdings(places) if one.kind == FOREIGN}
    assert foreign == {
        *("notes.txt", "trees/mine", "worktrees/mine", "build/mine"),
        "build/git-6.1-aaaa-slqb/thesis",
    }
    told = slqb("-q", "cache").stdout
    assert "not ours" in told
    answer = slqb("-q", "cache", "prune", "--all")
    assert answer.returncode == 0, answer.stderr
    assert there(places) == {}
    assert {path for path in before if path.exists()} == before
    assert (places.cache / "build/git-6.1-aaaa-slqb/thesis/chapter").read_text() == "mine"


def test_no_link_is_followed(places: Places, tmp_path: Path, slqb: Command) -> None:
    precious = tmp_path / "precious"
    (precious / "git-6.1-bbbb-slqb/lean").mkdir(parents=True)
    (precious / "git-6.1-bbbb-slqb/lean/requested.config").write_text("mine")
    filled(places, "git-6.1-aaaa", 40)
    filled(places, "git-6.1-bbbb", 40)
    (places.trees / "git-6.1-aaaa/link").symlink_to(precious)
    (places.builds / "git-6.1-aaaa-slqb/other").symlink_to(precious / "git-6.1-bbbb-slqb/lean")
    shutil.rmtree(places.worktrees / "git-6.1-bbbb-slqb")
    (places.worktrees / "git-6.1-bbbb-slqb").symlink_to(precious)
    (places.trees / f"{trash.PREFIX}1").symlink_to(precious)
    assert slqb("-q", "cache", "prune", "--all").returncode == 0
    assert (precious / "git-6.1-bbbb-slqb/lean/requested.config").read_text() == "mine"
    assert (places.worktrees / "git-6.1-bbbb-slqb").is_symlink()
    assert not (places.trees / "git-6.1-aaaa").exists()


@pytest.mark.parametrize("group", ["trees", "worktrees", "build", "ccache"])
def test_a_part_of_the_cache_that_lies_elsewhere_is_left_alone(
    places: Places, tmp_path: Path, slqb: Command, group: str
) -> None:
    filled(places, "git-6.1-aaaa", 40)
    places.ccache.joinpath("0").mkdir()
    elsewhere = tmp_path / "elsewhere"
    (places.cache / group).rename(elsewhere)
    (places.cache / group).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    assert slqb("-q", "cache", "prune", "--all").returncode == 0
    assert sorted(elsewhere.rglob("*")) == before


def test_only_what_is_in_the_cache_is_thrown_away(places: Places, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    places.trees.joinpath("link").symlink_to(outside)
    for path in (outside, places.trees / "link", places.trees / "link/x", places.trees / "../.."):
        with pytest.raises(ValueError, match=r"symbolic link|not in the subpath|outside"):
            trash.throw(path, places.cache)
    assert outside.is_dir()


def many_files(folder: Path, count: int = 20_000) -> None:
    for number in range(count // 500):
        part = folder / f"{number}"
        part.mkdir(parents=True)
        for each in range(500):
            (part / f"{each}").touch()


@pytest.mark.quiet
def test_a_removal_that_was_killed_is_taken_up_by_the_next_command(
    places: Places, slqb: Command, tmp_path: Path
) -> None:
    filled(places, "git-6.1-aaaa", 40)
    many_files(places.trees / "git-6.1-aaaa/many")
    evict(places, Quota(0, None))
    [thrown] = [path for path in trash.waiting(places.cache) if (path / "many").is_dir()]
    count = len(list((thrown / "many").iterdir()))
    remover = subprocess.Popen([sys.executable, "-m", "harness.trash", places.cache])
    while len(list((thrown / "many").iterdir())) == count:
        assert remover.poll() is None
    remover.send_signal(signal.SIGKILL)
    remover.wait()
    assert thrown.is_dir(), "it was killed too late to show anything"
    assert there(places) == {}
    assert list(stored_trees(places)) == []
    assert slqb("-q", "tree", "list").returncode == 0
    gone = time.monotonic() + 60
    while list(trash.waiting(places.cache)) and time.monotonic() < gone:
        time.sleep(0.05)
    assert list(trash.waiting(places.cache)) == []


def test_one_process_removes_at_a_time(places: Places) -> None:
    places.trees.joinpath(f"{trash.PREFIX}1").mkdir()
    with FileLock(places.cache / trash.LOCK):
        assert not trash.empty(places.cache)
    assert trash.empty(places.cache)
    assert list(trash.waiting(places.cache)) == []


def test_two_who_evict_do_not_get_in_each_others_way(places: Places) -> None:
    for number in range(40):
        filled(places, f"git-6.1-{number:04}", 40)
    words = (sys.executable, "-m", "harness.eviction", places.cache, "None", str(30 * DAY))
    both = [subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(2)]
    assert [one.communicate()[1] for one in both] == [b"", b""]
    assert there(places) == {}


def test_a_command_does_not_wait_for_the_removal(
    places: Places, slqb: Command, toy_tree: Path
) -> None:
    filled(places, "git-6.1-aaaa", 40)
    places.cache.joinpath(STAMP).touch()
    aged(1, places.cache / STAMP)
    slqb("-q", "tree", "get", toy_tree)
    gone = time.monotonic() + 60
    while "git-6.1-aaaa" in there(places).get(TREE, []) and time.monotonic() < gone:
        time.sleep(0.05)
    assert [name[:4] for name in there(places)[TREE]] == ["dir-"]


@pytest.mark.parametrize(
    ("env", "config", "stays"),
    [
        ({}, "", True),
        ({"SLQB_CACHE_AGE": "12h"}, "", False),
        ({}, 'cache-age = "12h"\n', False),
        ({"SLQB_CACHE_AGE": "none"}, 'cache-age = "12h"\n', True),
        ({"SLQB_CACHE_LIMIT": "0"}, "", False),
        ({}, 'cache_limit = "0 GB"\n', False),
        ({"SLQB_CACHE_LIMIT": "none", "SLQB_CACHE_AGE": "9 weeks"}, "", True),
    ],
)
def test_the_user_sets_age_and_size(
    places: Places, slqb: Command, env: Mapping[str, str], config: str, stays: bool
) -> None:
    filled(places, "git-6.1-aaaa", 1)
    file = places.cache.parent / "config/slqb/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(config)
    answer = slqb("-q", "cache", "prune", env=env)
    assert answer.returncode == 0, answer.stderr
    assert (there(places) != {}) == stays


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--older", "35d"), ["git-6.1-bbbb", "git-6.1-cccc"]),
        (("--older", "36 hours"), ["git-6.1-cccc"]),
        (("--older", "0h"), []),
        (("--to", "1 TB"), ["git-6.1-aaaa", "git-6.1-bbbb", "git-6.1-cccc"]),
        (("--to", "0"), ["git-6.1-cccc"]),
        (("--to", "400 kB"), ["git-6.1-cccc"]),
        (("--all",), []),
    ],
    ids=" ".join,
)
def test_prune(places: Places, slqb: Command, words: tuple[str, ...], left: list[str]) -> None:
    for name, days in (("git-6.1-aaaa", 40), ("git-6.1-bbbb", 2), ("git-6.1-cccc", 0.5 / 24)):
        filled(places, name, days)
    before = there(places)
    said = slqb("-q", "cache", "prune", *words, "--dry-run")
    assert (said.returncode, there(places)) == (0, before)
    would = [line.split()[2:4] for line in said.stdout.splitlines() if "would remove" in line]
    answer = slqb("-q", "cache", "prune", *words, "--json")
    assert answer.returncode == 0, answer.stderr
    gone = json.loads(answer.stdout)
    assert sorted([one["kind"], f"{one['name']},"] for one in gone) == sorted(would)
    assert there(places).get(TREE, []) == left
    assert list(trash.waiting(places.cache)) == []
    assert "git-6.1-aaaa" in left or sum(one["bytes"] for one in gone) >= 3 * len(BLOB)


@pytest.mark.parametrize(
    "words",
    [
        ("--older", "soon"),
        ("--to", "much"),
        ("--older", "-1d"),
        ("--to", "nan"),
        ("--older", "9e999d"),
    ],
)
def test_what_is_no_amount_is_exit_2(slqb: Command, words: tuple[str, ...]) -> None:
    answer = slqb("-q", "cache", "prune", *words)
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert "as in" in line


def test_show(toy_tree: Path, places: Places, slqb: Command, tmp_path: Path) -> None:
    filled(places, "git-6.1-aaaa", 3)
    with used_elsewhere(toy_tree, tmp_path) as name:
        told = json.loads(slqb("-q", "cache", "--json").stdout)
        text = slqb("-q", "cache").stdout
    by_name = {one["name"]: one for one in told["holdings"]}
    assert by_name[name]["in_use"]
    assert by_name[name]["ours"]
    assert not by_name["git-6.1-aaaa"]["in_use"]
    assert by_name["git-6.1-aaaa"]["bytes"] >= len(BLOB)
    assert by_name["trees/store.git"]["kind"] == KEPT
    assert told["bytes"] == sum(one["bytes"] for one in told["holdings"])
    assert told["limit"] == size_from(LIMIT)
    [line] = [line for line in text.splitlines() if f" {name} " in line]
    assert line.endswith("in use")
    assert "3 days ago" in text


def test_without_a_cache_there_is_nothing(slqb: Command, tmp_path: Path) -> None:
    for words in (("cache",), ("cache", "--json"), ("cache", "prune", "--all")):
        answer = slqb("-q", *words)
        assert answer.returncode == 0, answer.stderr
    assert not (tmp_path / "cache").exists()


def test_names_of_any_bytes_are_shown_escaped(places: Places, slqb: Command) -> None:
    places.folder()
    os.mkdir(os.fsencode(places.cache) + b"/\x1b[31m\xff\n")  # noqa: PTH102
    for words in (("cache",), ("cache", "--json")):
        answer = slqb("-q", *words)
        assert answer.returncode == 0, answer.stderr
        assert "\x1b" not in answer.stdout


def test_an_evicted_tree_is_taken_in_again(toy_tree: Path, places: Places, slqb: Command) -> None:
    name = slqb("-q", "tree", "get", toy_tree).stdout.strip()
    assert slqb("-q", "cache", "prune", "--all").returncode == 0
    assert there(places) == {}
    assert slqb("-q", "tree", "get", toy_tree).stdout.strip() == name
    assert (places.trees / name / "mm").is_dir()


def test_size_counts_a_file_with_two_names_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BLOB)
    before = size_of(tmp_path)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert size_of(tmp_path) - before < len(BLOB) // 2
    assert before >= len(BLOB)


def test_what_is_said_of_the_defaults_is_so() -> None:
    assert Quota(size_from(LIMIT), age_from(AGE)) == DEFAULT


ONE = st.builds(
    Holding,
    kind=st.sampled_from([TREE, WORKTREE, BUILD, KEPT, FOREIGN, TRASH]),
    name=st.text("ab", min_size=1, max_size=3),
    path=st.just(Path("/nowhere")),
    used=st.floats(0, 10 * HOUR),
    owner=st.text("ab", max_size=2),
    size=st.integers(0, 1000),
    in_use=st.booleans(),
)


@given(st.lists(ONE, unique_by=lambda one: (one.kind, one.name)), st.integers(0, 3000))
def test_no_more_goes_than_must(held: list[Holding], limit: int) -> None:
    now = 10 * HOUR
    going = too_much(held, limit, now)
    assert len(going) == len({(one.kind, one.name) for one in going})
    ours = [one for one in held if one.kind not in (TRASH, FOREIGN)]
    left = sum(one.size for one in ours) - sum(one.size for one in going)
    able = [one for one in held if one.evictable and not one.in_use and now - one.used >= RECENT]
    assert left <= limit or set(able) <= set(going)
    if going:
        last = [one for one in able if one in going][-1:]
        assert last


@given(st.text(max_size=8) | st.from_regex(r"\A[0-9.]{1,5} ?[a-zA-Z]{0,4}\Z"))
def test_any_text_is_an_amount_or_is_refused(text: str) -> None:
    for read in (size_from, age_from):
        try:
            number = read(text)
        except ValueError:
            continue
        assert number is None or number >= 0
        assert shown_size(int(number or 0))


def test_a_tree_that_is_evicted_just_before_its_lease_is_no_tree(
    toy_tree: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = open_tree(str(toy_tree), places, SilentProgress())
    lease.release(lease_of(tree.name, places))
    hold = lease.hold

    def late(file: Path) -> None:
        evict(places, Quota(0, 0), time.time() + DAY)
        hold(file)

    monkeypatch.setattr(lease, "hold", late)
    assert stored(tree.name, places) is None
    monkeypatch.undo()
    assert open_tree(str(toy_tree), places, SilentProgress()).name == tree.name
