# SPDX-License-Identifier: GPL-2.0
"""Who a series is from, its versions, and what its cover letter tells."""

import re
from pathlib import Path

import pytest

from harness import letter as letters
from harness.author import Author, author_of
from harness.cli.series import bracketed
from harness.errors import UserError
from harness.letter import Letter, changes_until, measures_told, stale
from harness.measure import Measure
from harness.places import Places
from harness.posting import Posting, commit_series, write_mails
from harness.progress import SilentProgress
from harness.record import CellRecord, HostRecord, KernelRecord, RunRecord, TreeRecord
from harness.sent import keep_sent, latest, range_diff
from harness.series import render
from harness.store import open_store
from harness.tree import open_tree, pristine
from tests.conftest import TOY, Command

PROGRESS = SilentProgress()
THOR = Author("Ä U Thor", "author@toy.example")


def post(toy_tree: Path, places: Places, templates: Path = TOY / "templates") -> Posting:
    tree = open_tree(str(toy_tree), places, PROGRESS)
    source = pristine(tree, places)
    return commit_series(open_store(places), tree, source, render(tree, source, templates), THOR)


def test_every_mail_is_signed_off_by_its_author(
    toy_tree: Path, places: Places, tmp_path: Path
) -> None:
    letter, *patches = write_mails(post(toy_tree, places), tmp_path / "out", PROGRESS)
    for mail in patches:
        assert f"\nSigned-off-by: {THOR}\n---\n" in mail.read_text()
        assert "From: =?utf-8?q?=C3=84_U_Thor?= <author@toy.example>" in mail.read_text()
    assert letter.read_text().endswith("\n\nchange-id: 20200202-toy-0123456789ab\n")
    assert "Content-Type: text/plain; charset=UTF-8" in letter.read_text()


def test_without_an_author_there_is_no_series(slqb: Command, toy_tree: Path) -> None:
    nobody = {"GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": "", "EMAIL": ""}
    words = ("-q", "series", "--tree", toy_tree, "-o", "out", "--templates", TOY / "templates")
    answer = slqb(*words, env=nobody)
    assert answer.returncode == 2
    assert answer.stderr.startswith(
        "slqb: a series needs an author, and git knows none (empty ident name "
    )


def test_git_config_names_the_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\nname = Some Body\nemail = some@body.example\n")
    for name in ("NAME", "EMAIL"):
        monkeypatch.delenv(f"GIT_AUTHOR_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert author_of(tmp_path) == Author("Some Body", "some@body.example")


@pytest.mark.parametrize("given", ["<1234@host.example>", " 1234@host.example "])
def test_an_answer_is_threaded_under_the_message(
    given: str, toy_tree: Path, places: Places, tmp_path: Path
) -> None:
    posting = post(toy_tree, places)
    reply_to = bracketed(given)
    letter, *patches = write_mails(posting, tmp_path / "out", PROGRESS, reply_to=reply_to)
    head = letter.read_text().partition("\n\n")[0]
    assert "\nIn-Reply-To: <1234@host.example>\nReferences: <1234@host.example>" in head
    cover = "<20200202-toy-v1-0-0123456789ab@toy.example>"
    for number, mail in enumerate(patches, start=1):
        head = mail.read_text().partition("\n\n")[0]
        assert f"\nMessage-ID: <20200202-toy-v1-{number}-0123456789ab@toy.example>\n" in head
        assert f"\nIn-Reply-To: {cover}\nReferences: <1234@host.example> {cover}" in head


@pytest.mark.parametrize("given", ["nobody", "<a b@c>"])
def test_what_is_no_message_id_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="is no Message-ID"):
        bracketed(given)


@pytest.fixture
def second(toy_tree: Path, toy_templates: Path, places: Places) -> Posting:
    """The toy after its first version was sent."""
    first = post(toy_tree, places)
    keep_sent(first.store, first.series.change_id, 1, first.tip)
    body = toy_templates / "messages/common.j2"
    body.write_text("Make room, and say for what.\n")
    return post(toy_tree, places, toy_templates)


def test_a_version_tells_what_changed(second: Posting, toy_templates: Path, tmp_path: Path) -> None:
    assert latest(second.store, second.series.change_id) == 1
    (toy_templates / "changes.toml").write_text(
        "[[version]]\nnumber = 2\nchanges = ['Say for what room is made.']\n"
    )
    letter = Letter(2, changes_until(toy_templates, 2), range_diff(second, 1))
    mails = write_mails(second, tmp_path / "out", PROGRESS, letter)
    assert mails[0].name == "v2-0000-cover-letter.patch"
    text = mails[0].read_text()
    assert "Subject: [PATCH v2 0/2] toy: SLQB" in text
    assert "\nChanges in v2:\n- Say for what room is made.\n" in text
    assert "Range-diff against v1:" in text
    assert re.search(r"^1: +[0-9a-f]+ ! 1: ", text, re.MULTILINE)
    assert text.endswith("change-id: 20200202-toy-0123456789ab\n")


def test_a_version_without_a_change_log_is_refused(second: Posting, toy_templates: Path) -> None:
    with pytest.raises(UserError, match=r"changes.toml does not say what v2 changed"):
        changes_until(toy_templates, 2)


def test_reroll_needs_a_version_that_was_sent(slqb: Command, toy_tree: Path) -> None:
    words = ("-q", "series", "--tree", toy_tree, "-o", "out", "--templates", TOY / "templates")
    assert "no version of this series was sent" in slqb(*words, "--reroll").stderr
    answer = slqb(*words, "--reroll", "3")
    assert (answer.returncode, "v2 was not sent" in answer.stderr) == (2, True)


def run_of(digest: str) -> RunRecord:
    host = HostRecord(
        system="Linux", machine="x86_64", cores=2, memory_mib=1, python="3.11", slqb="0"
    )
    kernels = tuple(
        KernelRecord(
            name=f"k-{one}", allocator=one, config_name="lean", image="i", image_sha256="0"
        )
        for one in ("slqb", "slub")
    )
    cells = tuple(
        CellRecord(
            name=f"c-{one.allocator}", kernel=one.name, machine="x86_64", topology="2n",
            status="finished", outcome="PASS", counts={"pass": 80, "skip": 2},
            measures={"irqsoff.longest": Measure(value=value, unit="ns")},
        )
        for one, value in zip(kernels, (2717, 2281), strict=True)
    )  # fmt: skip
    return RunRecord(
        name="20260101-000000", started="2026-01-01T00:00:00+00:00", seed=1, pid=1, born=0,
        command=("slqb",), status="finished", outcome="PASS",
        host=host, kernels=kernels, cells=cells,
        tree=TreeRecord(name="toy", origin="toy", release="6.1", base="0", digest=digest),
    )  # fmt: skip


def test_figures_come_from_runs() -> None:
    record = run_of("d")
    assert letters.tests_told([record])[1].split() == (
        ["x86_64", "slqb", "lean", "2n", "PASS:", "80", "passed,", "2", "skipped"]
    )
    assert measures_told([record]) == ("irqsoff.longest: slqb 2,717 ns, slub 2,281 ns",)


def test_figures_of_another_state_are_stale() -> None:
    assert stale(run_of("d"), "d") is None
    assert "tested another state of the series" in (stale(run_of("e"), "d") or "")


def test_the_letter_tells_the_figures(toy_tree: Path, places: Places, tmp_path: Path) -> None:
    posting = post(toy_tree, places)
    letter = Letter(tests=letters.tests_told([run_of("d")]), measures=measures_told([run_of("d")]))
    text = write_mails(posting, tmp_path / "out", PROGRESS, letter)[0].read_text()
    assert "PASS: 80 passed, 2 skipped" in text
    assert "irqsoff.longest: slqb 2,717 ns, slub 2,281 ns" in text
