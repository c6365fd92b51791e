# SPDX-License-Identifier: GPL-2.0
"""The store after a git that was killed: what it had locked can be written."""

from pathlib import Path

import pytest

from harness.places import Places
from harness.store import IDENTITY, Store, open_store

REF = "refs/heads/series"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(Places(tmp_path, tmp_path))


def empty_commit(store: Store) -> str:
    tree = store.git("mktree", input="").strip()
    return store.commit(tree, "a commit\n", name=IDENTITY)


def refs(store: Store) -> list[str]:
    return store.git("for-each-ref", "--format=%(refname)").split()


@pytest.mark.parametrize("left", ["config.lock", "config", "HEAD.lock", "hooks/update.sample"])
@pytest.mark.parametrize("place", ["store.git", "tmp-store.git"])
def test_a_store_that_was_not_finished_is_made_anew(left: str, place: str, tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path)
    file = places.trees / place / left
    file.parent.mkdir(parents=True)
    file.write_text("[core\n")
    store = open_store(places)
    assert store.git("config", "--get", "core.bare").strip() == "true"
    assert not (store.folder / "tmp-store.git").exists()
    assert open_store(places) == store


@pytest.mark.parametrize("lock", [f"{REF}.lock", "packed-refs.lock"])
def test_a_reference_whose_writer_was_killed_is_written(lock: str, store: Store) -> None:
    commit = empty_commit(store)
    for wanted in (commit, None):
        (store.path / lock).parent.mkdir(parents=True, exist_ok=True)
        (store.path / lock).touch()
        store.point(REF, wanted)
        assert refs(store) == ([REF] if wanted else [])
