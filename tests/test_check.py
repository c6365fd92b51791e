# SPDX-License-Identifier: GPL-2.0
"""Mails read and proved, as far as no kernel is needed: a toy, its mails, its checkpatch."""

import json
from pathlib import Path

import pytest

from harness.cli.check import numbers
from harness.errors import UserError
from harness.mail import read_mails
from harness.style import Remark, read_said
from tests.conftest import TOY, Command

SERIES = ("--templates", TOY / "templates")
CHECKPATCH = """#!/usr/bin/perl
my ($mail) = grep { /\\.patch$/ } @ARGV;
open(my $file, '<', $mail) or die;
my $found = 0;
while (<$file>) {
    if (/^\\+.*away/) { print "$mail:$.: WARNING:TOY: away is no place\\n"; $found = 1; }
}
exit $found;
"""


@pytest.fixture
def toy(toy_tree: Path) -> Path:
    """A toy with a checkpatch that dislikes one word."""
    (toy_tree / "scripts/checkpatch.pl").write_text(CHECKPATCH)
    return toy_tree


@pytest.fixture
def outgoing(slqb: Command, toy: Path, tmp_path: Path) -> Path:
    """The mails of the toy's series."""
    answer = slqb("-q", "series", "--tree", toy, "-o", "outgoing", *SERIES)
    assert answer.returncode == 0, answer.stderr
    return tmp_path / "outgoing"


def test_what_is_found_is_told_by_patch(slqb: Command, toy: Path) -> None:
    answer = slqb("-q", "check", "--tree", toy, "--no-build", *SERIES)
    assert answer.returncode == 1
    assert (
        "01 toy: give SLQB its places\n   FAIL checkpatch: TOY: away is no place" in answer.stdout
    )
    assert answer.stdout.splitlines()[-1].startswith("FAIL: 2 patches, 4 findings, 1 bad")


def test_b4_reads_the_answer(slqb: Command, toy: Path) -> None:
    words = ("--no-build", "--patch", "1", "--format", "b4")
    answer = slqb("-q", "check", "--tree", toy, *words, *SERIES)
    found = json.loads(answer.stdout)
    assert {frozenset(one) for one in found} == {
        frozenset({"tool", "status", "summary", "url", "details"})
    }
    assert ("slqb-checkpatch", "fail") in {(one["tool"], one["status"]) for one in found}


def test_a_reviewed_complaint_is_none(slqb: Command, toy: Path, toy_templates: Path) -> None:
    accepted = toy_templates / "accepted.toml"
    accepted.write_text("[[accept]]\ntype = 'TOY'\nsubject = 'places$'\nwhy = 'it is one'\n")
    words = ("-q", "check", "--tree", toy, "--no-build", "--templates", toy_templates)
    answer = slqb(*words)
    assert answer.returncode == 0, answer.stdout
    accepted.write_text(accepted.read_text().replace("places$", "elsewhere$"))
    answer = slqb(*words)
    assert answer.returncode == 1
    assert "WARN checkpatch: nothing of TOY is found any more" in answer.stdout


@pytest.mark.parametrize(
    ("name", "old", "new", "summary"),
    [
        ("0002", "+config SLQB", "+config SLQB ", "trailing whitespace"),
        ("0001", "\n #define RESERVE", "\n #define RESERV", "patch failed: "),
    ],
)
def test_an_edited_mail_is_judged_as_it_is(
    slqb: Command, toy: Path, outgoing: Path, name: str, old: str, new: str, summary: str
) -> None:  # fmt: skip
    [mail] = outgoing.glob(f"{name}-*.patch")
    text = mail.read_text()
    assert old in text
    mail.write_text(text.replace(old, new, 1))
    (toy / "scripts/checkpatch.pl").write_text("exit 0;\n")
    answer = slqb("-q", "check", outgoing, "--tree", toy, "--no-build", *SERIES)
    assert answer.returncode == 3, answer.stdout
    assert f"{name[2:]} toy: " in answer.stdout
    assert "FAIL apply: does not apply: " in answer.stdout
    assert summary in answer.stdout


def test_a_lost_mail_is_missed(outgoing: Path) -> None:
    next(outgoing.glob("0001-*")).unlink()
    with pytest.raises(UserError, match="of mails 0 to 2 there are: 0, 2"):
        read_mails(outgoing)


def test_a_dry_run_says_what_would_be_run_and_runs_none_of_it(
    slqb: Command, toy: Path, tmp_path: Path
) -> None:
    (toy / "scripts/checkpatch.pl").write_text("die;\n")
    answer = slqb("-q", "check", "--tree", toy, "--dry-run", "--no-build", *SERIES)
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert len([line for line in lines if "git" in line and " apply " in line]) == 2
    assert len([line for line in lines if "scripts/checkpatch.pl" in line]) == 2
    assert not list((tmp_path / "runs").glob("*"))


def test_a_letter_alone_is_no_series(slqb: Command, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box/0000.patch").write_text("Subject: [PATCH 0/0] nothing\n\nNothing.\n")
    answer = slqb("-q", "check", "box", "--tree", toy, "--no-build", *SERIES)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1


def test_a_tree_without_checkpatch(slqb: Command, toy_tree: Path) -> None:
    answer = slqb("-q", "check", "--tree", toy_tree, "--no-build", *SERIES)
    assert (answer.returncode, "has no scripts/checkpatch.pl" in answer.stderr) == (3, True)


@pytest.mark.parametrize("folder", ["gone", "."])
def test_no_mails_are_one_line(slqb: Command, toy: Path, folder: str) -> None:
    answer = slqb("-q", "check", folder, "--tree", toy, "--no-build", *SERIES)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1


def test_patches_are_named_by_number() -> None:
    assert numbers("1,4-6", 6) == {1, 4, 5, 6}
    for text in ("0", "7", "x", "2-x"):
        with pytest.raises(UserError, match=f"--patch {text!r}"):
            numbers(text, 6)


def test_lines_of_checkpatch_are_read(outgoing: Path) -> None:
    mail = read_mails(outgoing)[1]
    lines = ["x/0001-a.patch:184: CHECK:PARENTHESIS_ALIGNMENT: Alignment", "total: 1 warning"]
    assert list(read_said(mail, lines)) == [
        Remark(mail, 184, "CHECK", "PARENTHESIS_ALIGNMENT", "Alignment")
    ]
