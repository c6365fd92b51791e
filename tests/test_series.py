# SPDX-License-Identifier: GPL-2.0
"""The series: rendered, committed, mailed, applied, and the same again."""

import re
import shutil
from pathlib import Path

import pytest

from harness import child
from harness.errors import TreeError, UserError
from harness.places import Places
from harness.posting import MANIFEST, Posting, commit_series, set_branch, write_mails
from harness.progress import SilentProgress
from harness.series import render
from harness.store import open_store
from harness.template import TEMPLATES
from harness.tree import Tree, open_tree, pristine
from harness.worktree import render_into_worktree
from tests.conftest import TOY, git

PROGRESS = SilentProgress()


def post(tree: Tree, places: Places, templates: Path = TOY / "templates") -> Posting:
    source = pristine(tree, places)
    return commit_series(open_store(places), tree, source, render(tree, source, templates))


def refusal(toy_tree: Path, places: Places, templates: Path = TOY / "templates") -> str:
    with pytest.raises(TreeError) as caught:
        post(open_tree(str(toy_tree), places, PROGRESS), places, templates)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture
def posting(toy_tree: Path, places: Places) -> Posting:
    return post(open_tree(str(toy_tree), places, PROGRESS), places)


@pytest.fixture
def upstream(toy_tree: Path) -> Path:
    """The toy as a git checkout of a release, with history."""
    git(toy_tree, "init", "-q", "-b", "main")
    git(toy_tree, "add", "--force", "mm")
    git(toy_tree, "commit", "-qm", "begin")
    git(toy_tree, "add", "--force", ".")
    git(toy_tree, "commit", "-qm", "toy")
    git(toy_tree, "tag", "v6.1.7")
    return toy_tree


def test_git_am_takes_it_on_a_pristine_copy_and_the_trees_are_equal(
    posting: Posting, tmp_path: Path, upstream: Path
) -> None:
    mails = write_mails(posting, tmp_path / "out", PROGRESS)
    git(upstream, "am", "--quiet", "--whitespace=error-all", *map(str, mails[1:]))
    applied = git(upstream, "rev-parse", "HEAD^{tree}")
    assert applied == posting.store.git("rev-parse", f"{posting.tip}^{{tree}}").strip()
    assert "int away;" in (upstream / "mm/slab.h").read_text()


def test_twice_is_the_same_byte_for_byte(toy_tree: Path, tmp_path: Path) -> None:
    """In two caches, from two copies, one of them with other objects around."""
    folders = []
    for name in ("one", "two"):
        places = Places(tmp_path / name, tmp_path / "runs")
        copy = Path(shutil.copytree(toy_tree, tmp_path / f"{name}-tree"))
        if name == "two":
            post(open_tree(str(toy_tree), places, PROGRESS), places)
        write_mails(
            post(open_tree(str(copy), places, PROGRESS), places),
            tmp_path / f"{name}-out",
            PROGRESS,
        )
        mails = sorted((tmp_path / f"{name}-out").iterdir())
        folders.append(
            [(mail.name, mail.read_bytes().replace(b"two-tree", b"one-tree")) for mail in mails]
        )
    # the manifest's hashes cover the cover letter, which names the directory
    assert [f for f in folders[0] if f[0] != MANIFEST] == [
        f for f in folders[1] if f[0] != MANIFEST
    ]
    assert len(folders[0]) == 4


def test_the_users_git_settings_do_not_matter(toy_tree: Path, tmp_path: Path) -> None:
    """Settings that would change every mail."""
    results = []
    for name, settings in (("plain", ""), ("odd", ODD_SETTINGS)):
        home = tmp_path / name
        home.mkdir()
        (home / ".gitconfig").write_text(settings)
        places = Places(home / "cache", home / "runs")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(home))
            patch.setenv("XDG_CONFIG_HOME", str(home))
            patch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
            mails = write_mails(
                post(open_tree(str(toy_tree), places, PROGRESS), places), home / "out", PROGRESS
            )
        results.append([mail.read_bytes() for mail in mails])
    assert results[0] == results[1]


IGNORED = "FILE_PATH_CHANGES,UNDOCUMENTED_SETUP"

ODD_SETTINGS = """
[user]
    name = Somebody
    email = some@body.example
[core]
    autocrlf = true
    abbrev = 7
[format]
    signOff = true
    attach = true
    signature = mine
    subjectPrefix = ODD
    thread = true
[diff]
    noprefix = true
    algorithm = patience
    context = 9
    mnemonicPrefix = true
[commit]
    gpgSign = true
"""


def test_the_base_is_named_only_if_upstream_knows_it(
    posting: Posting, upstream: Path, places: Places, tmp_path: Path
) -> None:
    letter = write_mails(posting, tmp_path / "out", PROGRESS)[0].read_text()
    assert "base-commit" not in letter
    assert "For 6.1.7-toy." in letter
    known = post(open_tree(str(upstream), places, PROGRESS), places)
    letter = write_mails(known, tmp_path / "known", PROGRESS)[0].read_text()
    assert f"base-commit: {git(upstream, 'rev-parse', 'HEAD')}" in letter


def test_the_letter_has_our_words(posting: Posting, tmp_path: Path) -> None:
    letter = write_mails(posting, tmp_path / "out", PROGRESS)[0].read_text()
    assert "Subject: [PATCH 0/2] toy: SLQB\n" in letter
    assert "Toy words." in letter
    assert "***" not in letter
    assert "2 Feb 2020" in letter


def test_mails_bear_no_mark_of_this_machine(posting: Posting, tmp_path: Path) -> None:
    for mail in write_mails(posting, tmp_path / "out", PROGRESS):
        text = mail.read_text()
        assert text.startswith("From 0000000000000000000000000000000000000000 ")
        assert str(tmp_path) not in text
        assert not re.search(r"^-- $", text, re.MULTILINE)


def test_a_branch_can_be_fetched_into_the_users_repository(upstream: Path, places: Places) -> None:
    """Though the store is shallow, it adds nothing shallow to whoever has the base."""
    posting = post(open_tree(str(upstream), places, PROGRESS), places)
    set_branch(posting, "slqb/test")
    git(upstream, "fetch", "-q", str(posting.store.path), "slqb/test")
    assert git(upstream, "rev-parse", "FETCH_HEAD") == posting.tip
    assert git(upstream, "rev-list", "--count", "FETCH_HEAD") == "4"
    assert not (upstream / ".git/shallow").exists()


@pytest.mark.parametrize("name", ["foreign.txt", "0001-toy-give-SLQB-its-places.patch"])
def test_an_output_folder_with_foreign_files_loses_nothing(
    posting: Posting, tmp_path: Path, name: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("precious")
    with pytest.raises(UserError, match=rf"holds {name}, which slqb did not write"):
        write_mails(posting, tmp_path / "out", PROGRESS)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert (tmp_path / "out" / name).read_text() == "precious"


def test_an_edited_mail_is_not_replaced(posting: Posting, tmp_path: Path) -> None:
    letter = write_mails(posting, tmp_path / "out", PROGRESS)[0]
    letter.write_text(f"{letter.read_text()}\nThanks to all.\n")
    with pytest.raises(UserError, match=r"0000-cover-letter.patch was changed since"):
        write_mails(posting, tmp_path / "out", PROGRESS)
    assert "Thanks to all." in letter.read_text()


def test_a_mail_that_is_no_more_goes_away(
    posting: Posting, toy_templates: Path, places: Places, tmp_path: Path
) -> None:
    write_mails(posting, tmp_path / "out", PROGRESS)
    series = toy_templates / "series.toml"
    series.write_text(series.read_text().replace("give SLQB its places", "make room"))
    again = post(posting.tree, places, toy_templates)
    write_mails(again, tmp_path / "out", PROGRESS)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        MANIFEST,
        "0000-cover-letter.patch",
        "0001-toy-make-room.patch",
        "0002-toy-add-SLQB.patch",
    ]


def test_a_file_in_place_of_the_folder(posting: Posting, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(UserError, match="is not a directory"):
        write_mails(posting, tmp_path / "out", PROGRESS)


def test_modes_stay(toy_tree: Path, toy_templates: Path, places: Places, tmp_path: Path) -> None:
    hunks = toy_templates / "hunks/build.toml"
    hunks.write_text(
        f"{hunks.read_text()}\n[[hunk]]\nid = 'more'\nfiles = ['scripts/run.sh']\n"
        "after = '^echo'\ntext = 'echo more'\n"
    )
    tree = open_tree(str(toy_tree), places, PROGRESS)
    mails = write_mails(post(tree, places, toy_templates), tmp_path / "out", PROGRESS)
    assert "mode" not in mails[2].read_text().split("diff --git a/scripts/run.sh")[1]
    assert "new file mode 100644" in mails[2].read_text()


def test_a_tree_that_has_slqb_is_refused(toy_tree: Path, places: Places) -> None:
    kconfig = toy_tree / "mm/Kconfig"
    kconfig.write_text(kconfig.read_text().replace("config SLOB", "config SLQB"))
    assert re.search(r"has SLQB already: mm/Kconfig:\d+: config SLQB", refusal(toy_tree, places))


def test_a_rendered_tree_is_refused(posting: Posting, places: Places) -> None:
    """Rendering twice on top of each other."""
    set_branch(posting, "done")
    message = refusal(Path(f"{posting.store.path}@done"), places)
    assert "has SLQB already" in message


def test_traces_of_slqb_in_a_file_to_change_are_refused(toy_tree: Path, places: Places) -> None:
    header = toy_tree / "mm/slab.h"
    header.write_text(header.read_text() + "/* see slqb.c */\n")
    assert refusal(toy_tree, places) == (
        "the tree has SLQB already: mm/slab.h:23: /* see slqb.c */"
    )


def test_a_file_of_ours_that_is_there_is_refused(toy_tree: Path, places: Places) -> None:
    (toy_tree / "mm/slqb.c").write_text("int something;\n")
    assert refusal(toy_tree, places) == "the tree has SLQB already: mm/slqb.c is there"


def test_a_tree_without_a_choice_is_refused(toy_tree: Path, places: Places) -> None:
    kconfig = toy_tree / "mm/Kconfig"
    kconfig.write_text("config SLUB\n\tdef_bool y\n")
    assert "has no choice of allocators in its Kconfig" in refusal(toy_tree, places)


def test_a_hunk_without_a_place_names_file_wanted_and_nearest(
    toy_tree: Path, places: Places
) -> None:
    makefile = toy_tree / "mm/Makefile"
    makefile.write_text(makefile.read_text().replace("CONFIG_SLUB)", "CONFIG_SLUBB)"))
    message = refusal(toy_tree, places)
    assert message.startswith("mm/Makefile: no place for hunk 'object' of hunks/build.toml: ")
    assert r"a line /^obj-\$\(CONFIG_SLUB\)/: there is none" in message
    assert "nearest is line 3: 'obj-$(CONFIG_SLUBB) += slub.o'" in message


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("mm/slqb.c.j2", "int a;\n{{ nothing }}\n", "templates/mm/slqb.c.j2:2: 'nothing' is und"),
        ("mm/slqb.c.j2", "{% if has.nothing %}{% endif %}", "no capability is called 'nothing'"),
        ("parts/queue.c.j2", "a\n{% for %}\n", "templates/parts/queue.c.j2:2: "),
        ("mm/slqb.c.j2", "a\nint b; \n", "templates/mm/slqb.c.j2:2: blanks at the end"),
        ("mm/slqb.c.j2", "a\n \tint b;\n", "templates/mm/slqb.c.j2:2: blanks at the end or befo"),
        ("mm/slqb.c.j2", "a\n\n", "templates/mm/slqb.c.j2:2: an empty line ends mm/slqb.c"),
        ("series.toml", "date = 1\n", "series.toml: "),
        ("series.toml", "[[patch]", "series.toml: not TOML: "),
        ("series.toml", "date = 2020-02-02T12:00:00Z\n", "cover: Field required; patch: Field req"),
    ],
)
def test_broken_templates_are_one_clear_line(
    toy_tree: Path, toy_templates: Path, places: Places, file: str, text: str, message: str
) -> None:
    (toy_templates / file).write_text(text)
    assert message in refusal(toy_tree, places, toy_templates)


def test_a_template_that_is_no_text_is_named(
    toy_tree: Path, toy_templates: Path, places: Places
) -> None:
    (toy_templates / "parts/queue.c.j2").write_bytes(b"int \xff;\n")
    assert refusal(toy_tree, places, toy_templates).startswith("templates/mm/slqb.c.j2, or what")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"slab.toml"', '"slap.toml"', "patch 'common' names no hunks: 'slap.toml'"),
        ('"slab.toml"', '"slab.toml#shop"', "patch 'common' names no hunks: 'slab.toml#shop'"),
    ],
)
def test_unknown_hunks_are_named(
    toy_tree: Path, toy_templates: Path, places: Places, old: str, new: str, message: str
) -> None:
    series = toy_templates / "series.toml"
    series.write_text(series.read_text().replace(old, new))
    assert message in refusal(toy_tree, places, toy_templates)


def test_a_hunk_waits_for_its_capability(toy_tree: Path, places: Places) -> None:
    (toy_tree / "include/linux/mm_types.h").write_text("struct folio {\n};\n")
    made = post(open_tree(str(toy_tree), places, PROGRESS), places)
    lines = made.series.files["include/linux/mm_types.h"]
    assert [line.text for line in lines] == ["/* SLQB */", "struct folio {", "};"]


@pytest.mark.tree
def test_the_real_series_applies_to_pristine_linux_and_gives_the_rendered_tree(
    linux: Tree, real_places: Places, tmp_path: Path
) -> None:
    """A sparse checkout lays out what patches touch; the tree ids cover all 80,000 files."""
    posting = post(linux, real_places, TEMPLATES)
    mails = write_mails(posting, tmp_path / "out", PROGRESS)
    copy = pristine_copy(posting, tmp_path / "copy")
    git(copy, "am", "--quiet", "--whitespace=error-all", *map(str, mails[1:]))
    tip = posting.store.git("rev-parse", f"{posting.tip}^{{tree}}").strip()
    assert git(copy, "rev-parse", "HEAD^{tree}") == tip
    rendered = render_into_worktree(linux, real_places)
    assert rendered.commits == posting.commits
    for path in posting.series.files:
        assert (rendered.source / path).read_bytes() == (copy / path).read_bytes(), path


@pytest.mark.tree
def test_a_real_mail_that_lost_a_stretch_of_its_middle_is_not_taken(
    linux: Tree, real_places: Places, tmp_path: Path
) -> None:
    """As happened to the first posting of SLQB, in the mail that has the allocator in it."""
    posting = post(linux, real_places, TEMPLATES)
    mails = write_mails(posting, tmp_path / "out", PROGRESS)[1:]
    copy = pristine_copy(posting, tmp_path / "copy")
    largest = max(mails, key=lambda mail: mail.stat().st_size)
    lines = largest.read_text().splitlines(keepends=True)
    middle = len(lines) // 2
    largest.write_text("".join(lines[:middle] + lines[middle + 40 :]))
    with pytest.raises(child.CommandError, match=r"patch does not apply|corrupt patch"):
        git(copy, "am", "--quiet", *map(str, mails))


def pristine_copy(posting: Posting, folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    objects = posting.store.path / "objects"
    (folder / ".git/objects/info/alternates").write_text(f"{objects}\n")
    git(folder, "update-ref", "refs/heads/main", posting.tree.base)
    places = {str(Path(path).parent) for path in posting.series.files}
    git(folder, "sparse-checkout", "set", "--cone", *sorted(places))
    git(folder, "reset", "-q", "--hard")
    return folder
