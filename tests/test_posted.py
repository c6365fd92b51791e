# SPDX-License-Identifier: GPL-2.0
"""The series of the real tree on its way: checked, sent to a mail server, taken in with b4."""

import email
import email.policy
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from harness.author import Author
from harness.check import Finding, Proof, applied, style
from harness.mail import commit_mails, read_mails
from harness.places import Places
from harness.posting import Posting, commit_series, write_mails
from harness.progress import SilentProgress
from harness.proved import remember
from harness.recipients import distinct
from harness.sent import latest
from harness.series import render
from harness.store import open_store
from harness.style import reviewed
from harness.template import TEMPLATES
from harness.tree import Tree, pristine
from tests.conftest import git, sealed
from tests.test_series import pristine_copy

pytestmark = pytest.mark.tree
PROGRESS = SilentProgress()
THOR = Author("A U Thor", "author@toy.example")
TOP = ("arch/x86/boot", "drivers/zorro", "fs/ramfs", "init", "ipc", "kernel/gcov", "lib/math")
"""What checkpatch looks for in the top of a tree, as little as there is of it."""


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real ones as another series, so that no version of ours counts as sent."""
    copy = Path(shutil.copytree(TEMPLATES, tmp_path_factory.mktemp("posted") / "templates"))
    series = copy / "series.toml"
    text, count = re.subn(
        r'^change-id = .*$', f'change-id = "20260101-test-{os.getpid():012x}"',
        series.read_text(), flags=re.MULTILINE,
    )  # fmt: skip
    assert count == 1
    series.write_text(text)
    return copy


@pytest.fixture(scope="module")
def posting(linux: Tree, real_places: Places, templates: Path) -> Iterator[Posting]:
    """The series, from somebody; what the test sends is forgotten again."""
    source, store = pristine(linux, real_places), open_store(real_places)
    posting = commit_series(store, linux, source, render(linux, source, templates), THOR)
    yield posting
    for ref in store.git(
        "for-each-ref", "--format=%(refname)", "refs/tags/sent/20260101-test-*"
    ).split():
        store.git("update-ref", "-d", ref)


@pytest.fixture
def outgoing(posting: Posting, tmp_path: Path) -> Path:
    """The mails."""
    write_mails(posting, tmp_path / "outgoing", PROGRESS)
    return tmp_path / "outgoing"


def proof(posting: Posting, folder: Path, places: Places) -> Proof:
    source = pristine(posting.tree, places)
    return Proof(posting, read_mails(folder), source, reviewed(TEMPLATES))


def bad(findings: list[Finding]) -> list[tuple[int, str]]:
    return [(one.patch, one.summary) for one in findings if one.status != "pass"]


def test_every_patch_applies_and_checkpatch_has_nothing_new(
    posting: Posting, outgoing: Path, real_places: Places
) -> None:
    proved = proof(posting, outgoing, real_places)
    steps, findings = applied(proved)
    assert len(steps) == len(posting.commits)
    assert steps[-1].tree == posting.tree_id
    assert bad([*findings, *style(proved)]) == []


def edit(mail: Path, old: str, new: str) -> int:
    """Change a mail by hand; returns the number of its patch."""
    text = mail.read_text()
    assert old in text
    mail.write_text(text.replace(old, new, 1))
    return int(mail.name[:4])


def test_a_missing_sign_off_is_named_by_patch(
    posting: Posting, outgoing: Path, real_places: Places
) -> None:
    number = edit(
        outgoing / "0004-mm-slqb-add-the-structures.patch", f"Signed-off-by: {THOR}\n", ""
    )
    proved = proof(posting, outgoing, real_places)
    found = list(style(Proof(**{**vars(proved), "only": frozenset({number})})))
    [(patch, summary)] = bad(found)
    assert patch == number
    assert summary.startswith("MISSING_SIGN_OFF")


@pytest.mark.parametrize(
    ("mail", "old", "new", "told"),
    [
        (
            "0004-mm-slqb-add-the-structures.patch",
            "\n+struct kmlist {\n",
            "\n+struct kmlist { \n",
            "trailing whitespace",
        ),
        (
            "0008-mm-slqb-take-objects-back-near-and-far.patch",
            "\n EXPORT_SYMBOL(kmem_cache_alloc_bulk);\n",
            "\n EXPORT_SYMBOL(kmem_cache_alloc_hulk);\n",
            "does not apply: patch failed: mm/slqb.c:",
        ),
    ],
    ids=["white space", "a neighbour that is not there"],
)
def test_what_does_not_apply_is_named_by_patch(
    posting: Posting, outgoing: Path, real_places: Places, mail: str, old: str, new: str, told: str
) -> None:
    number = edit(outgoing / mail, old, new)
    _, findings = applied(proof(posting, outgoing, real_places))
    [(patch, summary)] = bad(findings)
    assert patch == number
    assert told in summary


class Mailbox:
    """What arrives at a mail server."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 taken"

    @property
    def mails(self) -> list[EmailMessage]:
        """As messages."""
        raw = [envelope.original_content or b"" for envelope in self.envelopes]
        return [email.message_from_bytes(one, policy=email.policy.default) for one in raw]


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    """A server on loopback, and a git config that names it."""
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    (tmp_path / ".gitconfig").write_text(
        f"[user]\nname = {THOR.name}\nemail = {THOR.email}\n"
        f"[sendemail]\nsmtpServer = 127.0.0.1\nsmtpServerPort = {port}\n"
    )
    yield box
    server.stop()


def send(*words: str | Path, home: Path, places: Places) -> "subprocess.CompletedProcess[str]":
    command = (Path(sys.executable).with_name("slqb"), "-q", "send", *words)
    env = {**sealed(home), "SLQB_CACHE": str(places.cache)}
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)


def checked(posting: Posting, outgoing: Path, places: Places) -> None:
    proved = proof(posting, outgoing, places)
    remember(places, proved.mails, applied(proved)[1])


def test_the_thread_arrives_as_it_was_shown(
    posting: Posting, outgoing: Path, real_places: Places, mailbox: Mailbox, tmp_path: Path
) -> None:
    checked(posting, outgoing, real_places)
    dry = send(outgoing, home=tmp_path, places=real_places)
    assert (dry.returncode, mailbox.envelopes) == (0, []), dry.stderr
    sent = send(
        outgoing, "--really", "--cc", "Zoë <zoe@host.example>", home=tmp_path, places=real_places
    )
    assert sent.returncode == 0, sent.stderr
    mails = mailbox.mails
    assert len(mails) == len(posting.commits) + 1
    cover, *patches = mails
    assert cover["Subject"] == "[PATCH 00/21] mm: SLQB, a slab allocator of queues"
    assert cover["In-Reply-To"] is None
    for number, mail in enumerate(patches, start=1):
        assert str(mail["Subject"]).startswith(f"[PATCH {number:02}/{len(patches)}] ")
        assert mail["In-Reply-To"] == mail["References"] == cover["Message-ID"]
        assert mail["From"] == str(THOR)
        assert f"Signed-off-by: {THOR}" in mail.get_content()
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)
    shown = dry.stdout.splitlines()
    to = {line.removeprefix("To: ") for line in shown if line.startswith("To: ")}
    cc = {line.removeprefix("Cc: ") for line in shown if line.startswith("Cc: ")}
    assert "Vlastimil Babka <vbabka@suse.cz>" in to
    assert "linux-mm@kvack.org" in cc
    for mail, envelope in zip(mails, mailbox.envelopes, strict=True):
        assert {str(one) for one in mail["To"].addresses} == to
        assert {str(one) for one in mail["Cc"].addresses} == cc | {"Zoë <zoe@host.example>"}
        assert len(envelope.rcpt_tos) == len(set(envelope.rcpt_tos)) == len(to) + len(cc) + 1
    again = send(outgoing, "--really", home=tmp_path, places=real_places)
    assert again.returncode == 2
    assert "v1 was sent already" in again.stdout
    assert len(mailbox.envelopes) == len(mails)


def test_what_was_not_checked_stays(
    outgoing: Path, real_places: Places, mailbox: Mailbox, tmp_path: Path
) -> None:
    edit(
        outgoing / "0004-mm-slqb-add-the-structures.patch",
        "\n+struct kmlist {\n",
        "\n+struct kmqueue {\n",
    )
    answer = send(outgoing, "--really", home=tmp_path, places=real_places)
    assert answer.returncode == 2
    assert "NO   checks: these patches were not checked" in answer.stdout
    assert mailbox.envelopes == []


def test_a_reflection_goes_to_oneself_and_counts_for_nothing(
    posting: Posting, outgoing: Path, real_places: Places, mailbox: Mailbox, tmp_path: Path
) -> None:
    before = latest(posting.store, posting.series.change_id)
    answer = send(outgoing, "--reflect", home=tmp_path, places=real_places)
    assert answer.returncode == 0, answer.stderr
    assert {one for envelope in mailbox.envelopes for one in envelope.rcpt_tos} == {THOR.email}
    assert latest(posting.store, posting.series.change_id) == before


def test_an_address_counts_once() -> None:
    people = distinct(["A <a@x.example>", "a@X.example"], ["A B <a@x.example>", "l@x.example"])
    assert people.to == ("A <a@x.example>",)
    assert people.cc == ("l@x.example",)


def b4(copy: Path, home: Path, *words: str | Path) -> str:
    """b4 without a network, with the programs of this virtual environment."""
    tools = Path(sys.executable).parent
    env = {**sealed(home), "PATH": f"{tools}:{os.environ['PATH']}"}
    command = (tools / "b4", "--offline-mode", "-n", "--no-stdin", *words)
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return re.sub(r"\x1b\[[0-9;]*m", "", said)


@pytest.fixture
def copy(posting: Posting, tmp_path: Path) -> Path:
    """A pristine clone, and a home whose owner has a name."""
    (tmp_path / ".gitconfig").write_text(f"[user]\nname = {THOR.name}\nemail = {THOR.email}\n")
    return pristine_copy(posting, tmp_path / "copy")


def test_b4_takes_it_and_the_trees_are_equal(
    posting: Posting, outgoing: Path, copy: Path, tmp_path: Path
) -> None:
    box = tmp_path / "series.mbox"
    box.write_bytes(b"".join(mail.read_bytes() for mail in sorted(outgoing.glob("*.patch"))))
    b4(copy, tmp_path, "shazam", "-m", box)
    assert git(copy, "rev-parse", "HEAD^{tree}") == posting.tree_id


@pytest.mark.soak
def test_b4_finds_nothing_that_is_not_accepted(
    posting: Posting, outgoing: Path, copy: Path, tmp_path: Path
) -> None:
    git(copy, "checkout", "-q", "-b", "b4/slqb")
    git(copy, "am", "--quiet", *map(str, sorted(outgoing.glob("*.patch"))[1:]))
    git(copy, "sparse-checkout", "add", "scripts", "LICENSES", *TOP)
    b4(copy, tmp_path, "prep", "-e", posting.tree.base)
    said = b4(copy, tmp_path, "prep", "--check")
    told = [
        line.partition("checkpatch.pl: ")[2]
        for line in said.splitlines()
        if "checkpatch.pl: " in line
    ]
    accepted = re.compile(r"does MAINTAINERS need updating\?$|: OK$|^passed all checks$")
    assert [line for line in told if not accepted.search(line)] == [], said
    assert "Error: 0" in said


def test_commits_of_mails_are_those_of_the_series(
    posting: Posting, outgoing: Path, real_places: Places
) -> None:
    steps, _ = applied(proof(posting, outgoing, real_places))
    tip = commit_mails(posting.store, posting.tree.base, steps)
    shown = [
        posting.store.git("log", "--format=%T%n%an <%ae>%n%B", f"{posting.tree.base}..{one}")
        for one in (tip, posting.tip)
    ]
    assert shown[0] == shown[1]
