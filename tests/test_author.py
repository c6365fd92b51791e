# SPDX-License-Identifier: GPL-2.0
# ruff: noqa: RUF001
"""Authors in any script and encoding: what git is told comes out of the mails again."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from harness.author import Author, author_of
from harness.mail import read_mails
from tests.conftest import TOY, sealed
from tests.test_posted import Mailbox

ADDRESS = "author@toy.example"
NAMES = {
    "plain": "A U Thor",
    "accents": "Zoë Åström",
    "comma": "Thor, A U",
    "dot": "A. U. Thor",
    "quotes": 'A "Ace" Thor',
    "backslash": "A \\ Thor",
    "parentheses": "A U Thor (at work)",
    "brackets and signs": "A [U] Thor; 50% = half? _ #1 & $HOME `id`",
    "comma and accents": "Åström, Zoë (at work)",
    "looks encoded": "=?UTF-8?q?A?= Thor",
    "Hebrew": "אבג דהו",
    "Arabic": "محمد الخوارزمي",
    "Chinese": "司马迁",
    "beyond 16 bits": "Ω 𝔄𝔅 😀",
    "combining": "e\u0301mile",
    "Persian with a joiner": "می\u200cخواهم",
    "as long as can be": "Wolfeschlegelsteinhausenbergerdorffwelche vor altern waren s",
    "as long as can be, encoded": "ÄÖÜÄÖÜ ÄÖÜÄÖÜ ÄÖÜÄÖÜ ÄÖÜÄÖÜ ÄÖ",
    "as short as can be": "Ann",
    "words of a mail": "From: Subject: Thor",
}


def told(home: Path, name: bytes | None, *more: bytes, address: bytes | None = b"%b") -> None:
    """Write the git config of a user; None leaves a line out."""
    lines = [b"[user]"]
    if name is not None:
        quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        lines.append(b'name = "' + quoted + b'"')
    if address is not None:
        lines.append(b"email = " + (ADDRESS.encode() if address == b"%b" else address))
    (home / ".gitconfig").write_bytes(b"\n".join((*lines, *more)) + b"\n")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose .gitconfig is all that git knows of its owner."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return tmp_path


def run(home: Path, *words: str | Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """The real command, in a shell that names no author."""
    named = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL")
    env = {key: value for key, value in sealed(home).items() if key not in named}
    return subprocess.run(
        [Path(sys.executable).with_name("slqb"), "-q", *words],
        cwd=home, env={**env, **more}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def series(home: Path, tree: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    words = ("series", "--tree", tree, "-o", "out", "--templates", TOY / "templates")
    return run(home, *words, **more)


def from_git(mail: Path) -> str:
    """The author of a mail as `git mailinfo` reads it."""
    parts = [mail.with_suffix(f".{part}") for part in ("message", "diff")]
    said = subprocess.run(
        ["git", "mailinfo", "--encoding=UTF-8", *parts],
        input=mail.read_bytes(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    fields = dict(line.split(": ", 1) for line in said.splitlines() if line)
    return f"{fields['Author']} <{fields['Email']}>"


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_survives_the_mails(toy_tree: Path, home: Path, name: str) -> None:
    told(home, name.encode())
    answer = series(home, toy_tree)
    assert answer.returncode == 0, answer.stderr
    mails = sorted((home / "out").glob("*.patch"))
    for mail in mails:
        head = mail.read_bytes().partition(b"\n\n")[0]
        assert head.isascii()
        assert max(map(len, head.splitlines())) < 999
        assert from_git(mail) == f"{name} <{ADDRESS}>"
    for mail in mails[1:]:
        assert f"\nSigned-off-by: {name} <{ADDRESS}>\n" in mail.read_text()
    assert {mail.sender for mail in read_mails(home / "out")} == {Author(name, ADDRESS)}


ENCODED = {
    "Latin-1": ("ISO-8859-1", "Zoë Åström"),
    "Latin-2": ("ISO-8859-2", "Łukasz Żółty"),
    "Windows": ("windows-1252", "Zoë Žižka"),
    "Cyrillic": ("KOI8-R", "Иван Петров"),
    "Japanese": ("EUC-JP", "山田太郎"),
    "Chinese": ("GB18030", "司马迁"),
}


@pytest.mark.parametrize(("encoding", "name"), ENCODED.values(), ids=ENCODED)
def test_a_name_is_in_the_encoding_of_commits(home: Path, encoding: str, name: str) -> None:
    told(home, name.encode(encoding), b"[i18n]", b"commitEncoding = " + encoding.encode())
    assert author_of(home) == Author(name, ADDRESS)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "KOI8-R", "UTF-8", "no-such"])
def test_a_name_in_utf_8_is_that_whatever_commits_are(home: Path, encoding: str) -> None:
    told(home, "Zoë Åström".encode(), b"[i18n]", b"commitEncoding = " + encoding.encode())
    assert author_of(home) == Author("Zoë Åström", ADDRESS)


def test_an_encoded_name_survives_the_mails(home: Path, toy_tree: Path) -> None:
    told(home, "Иван Петров".encode("koi8-r"), b"[i18n]", b"commitEncoding = koi8-r")
    answer = series(home, toy_tree)
    assert answer.returncode == 0, answer.stderr
    for mail in sorted((home / "out").glob("*.patch")):
        assert from_git(mail) == f"Иван Петров <{ADDRESS}>"


LATIN = "Zoë Åström".encode("latin-1")
NO_AUTHOR: dict[str, tuple[bytes | None, bytes | None, tuple[bytes, ...], str]] = {
    "nobody": (None, None, (), "git knows none"),
    "no name": (None, b"%b", (), "git knows none"),
    "no address": (b"A U Thor", None, (), "git knows none"),
    "only what is configured": (None, None, (b"useConfigOnly = true",), "git knows none"),
    "git may guess": (None, None, (b"useConfigOnly = false",), "git knows none"),
    "an empty name": (b"", b"%b", (), "git knows none"),
    "an empty address": (b"A U Thor", b"", (), "with a mail address"),
    "nothing but dirt": (b".,;:<>", b"%b", (), "git knows none"),
    "no address at all": (b"A U Thor", b"author", (), "with a mail address"),
    "two signs": (b"A U Thor", b"a@b@c", (), "with a mail address"),
    "an address with a blank": (b"A U Thor", b"a b@c.example", (), "with a mail address"),
    "an address in UTF-8": (b"A U Thor", "ä@c.example".encode(), (), "with a mail address"),
    "no such encoding": (LATIN, b"%b", (), "no plain text in utf-8"),
    "a wrong encoding": (LATIN, b"%b", (b"[i18n]", b"commitEncoding = ascii"), "text in ascii"),
    "an unknown encoding": (LATIN, b"%b", (b"[i18n]", b"commitEncoding = no-such"), "no-such"),
    "a control character": (b"A \x07 Thor", b"%b", (), "no plain text"),
    "an escape": (b"A \x1b[31m Thor", b"%b", (), "no plain text"),
    "one that turns the line": ("A \u202e Thor".encode(), b"%b", (), "no plain text"),
    "too long": (b"A Thor " * 9, b"%b", (), "would be lost"),
    "too short": (b"Al", b"%b", (), "would be lost"),
    "an address in the name": (b"A @ Thor", b"%b", (), "would be lost"),
    "quotes among accents": ('Zoë "A" Thor'.encode(), b"%b", (), "would be lost"),
    "a broken config": (b"A U Thor", b"%b", (b"[broken",), "bad config line"),
}


@pytest.mark.parametrize(("name", "address", "more", "why"), NO_AUTHOR.values(), ids=NO_AUTHOR)
@pytest.mark.parametrize("command", ["series", pytest.param("send", marks=pytest.mark.soak)])
def test_without_an_author_nothing_is_written(
    home: Path, toy_tree: Path, command: str, name: bytes | None, address: bytes | None,
    more: tuple[bytes, ...], why: str,
) -> None:  # fmt: skip
    if command == "send":
        told(home, b"A U Thor")
        assert series(home, toy_tree).returncode == 0
    told(home, name, *more, address=address)
    answer = (
        series(home, toy_tree) if command == "series"
        else run(home, "send", "out", "--tree", toy_tree, "--really")
    )  # fmt: skip
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert why in line
    assert line.isprintable()
    assert "git config --global user.name" in line or "i18n.commitEncoding" in line
    assert command == "send" or not (home / "out").exists()


def test_what_git_takes_out_of_a_name_is_gone(home: Path) -> None:
    told(home, b'  "A U\n<Thor>",; ')
    assert author_of(home) == Author("A UThor", ADDRESS)


@pytest.fixture
def mailbox(home: Path) -> Iterator[tuple[Mailbox, bytes]]:
    """A mail server on loopback, and the lines of a git config that name it."""
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box, f"[sendemail]\nsmtpServer = 127.0.0.1\nsmtpServerPort = {port}".encode()
    server.stop()


MAINTAINERS = 'print "A Maintainer <maintainer@host.example> (maintainer:SLAB)\\n";\n'


def maintained(tree: Path) -> None:
    """Give the toy tree the script that says who maintains it."""
    script = tree / "scripts/get_maintainer.pl"
    script.parent.mkdir(exist_ok=True)
    script.write_text(MAINTAINERS)


SENT = ("plain", "comma", "dot", "comma and accents", "Arabic", "as long as can be, encoded")


@pytest.mark.parametrize("name", [NAMES[one] for one in SENT], ids=SENT)
def test_a_name_survives_git_send_email(
    home: Path, toy_tree: Path, mailbox: tuple[Mailbox, bytes], name: str
) -> None:
    box, server = mailbox
    maintained(toy_tree)
    told(home, name.encode(), server)
    assert series(home, toy_tree).returncode == 0
    answer = run(home, "send", "out", "--tree", toy_tree, "--reflect")
    assert answer.returncode == 0, answer.stderr
    assert len(box.envelopes) > 1
    for number, envelope in enumerate(box.envelopes):
        mail = home / f"mail-{number}"
        mail.write_bytes((envelope.original_content or b"").replace(b"\r\n", b"\n"))
        assert from_git(mail) == f"{name} <{ADDRESS}>"
        assert b"\n\nFrom: " not in mail.read_bytes()
        assert envelope.rcpt_tos == [ADDRESS]


STRANGERS = (
    b"to = stranger@host.example\ncc = stranger@host.example\nbcc = stranger@host.example",
    b"toCmd = echo stranger@host.example\nccCmd = echo stranger@host.example",
    b"suppressCc = self\nsignedOffByCc = true\nidentity = other\n"
    b"[sendemail \"other\"]\ntoCmd = echo stranger@host.example\nbcc = stranger@host.example",
)  # fmt: skip


@pytest.mark.parametrize("more", STRANGERS, ids=["people", "commands", "an identity"])
def test_git_config_adds_nobody_to_those_who_were_shown(
    home: Path, toy_tree: Path, mailbox: tuple[Mailbox, bytes], more: bytes
) -> None:
    box, server = mailbox
    maintained(toy_tree)
    told(home, b"A U Thor", server, more)
    assert series(home, toy_tree).returncode == 0
    answer = run(home, "send", "out", "--tree", toy_tree, "--reflect")
    assert answer.returncode == 0, answer.stderr
    assert {one for envelope in box.envelopes for one in envelope.rcpt_tos} == {ADDRESS}
