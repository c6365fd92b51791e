# SPDX-License-Identifier: GPL-2.0
"""What must hold before a series leaves, item by item; nothing is sent while one does not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.author import Author
from harness.mail import Mail
from harness.posting import Manifest
from harness.proved import Checked
from harness.recipients import Recipients


@dataclass(frozen=True)
class Item:
    """One thing that was looked at."""

    name: str
    good: bool
    told: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.good else 'NO  '} {self.name}: {self.told}"


@dataclass(frozen=True)
class Departure:
    """A series about to leave."""

    mails: tuple[Mail, ...]
    author: Author
    manifest: Manifest
    tree: str
    """What the patches make of the base."""
    checked: Checked | None
    last_sent: int
    recipients: Recipients


def items(departure: Departure) -> tuple[Item, ...]:
    """The whole list."""
    return tuple(_items(departure))


def _items(it: Departure) -> Iterator[Item]:
    patches = [mail for mail in it.mails if mail.number]
    yield _identity(it.author, patches)
    yield _version(it)
    yield _checks(it.checked)
    yield _figures(it)
    count = len(it.recipients.to) + len(it.recipients.cc)
    yield Item("recipients", bool(it.recipients.to), f"{count} addresses" if count else "nobody")


def _identity(author: Author, patches: Sequence[Mail]) -> Item:
    for mail in patches:
        if mail.sender.email != author.email:
            told = f"patch {mail.name} is from {mail.sender}, not from you: {author}"
            return Item("identity", False, told)
        if str(author) not in mail.signed_off:
            return Item("identity", False, f"patch {mail.name} is not signed off by {author}")
    return Item(
        "identity", True, f"all {len(patches)} patches are from, and signed off by, {author}"
    )


def _version(it: Departure) -> Item:
    version = it.mails[0].version
    if not it.manifest.change_id:
        return Item("version", False, "this folder was not written by slqb series")
    if version <= it.last_sent:
        return Item("version", False, f"v{version} was sent already; slqb series --reroll")
    if version > it.last_sent + 1:
        return Item("version", False, f"v{version - 1} was not sent")
    return Item("version", True, f"v{version}, {it.manifest.change_id}")


def _checks(checked: Checked | None) -> Item:
    if checked is None:
        return Item("checks", False, "these patches were not checked; slqb check DIR")
    if bad := checked.bad:
        told = f"{len(bad)} bad, the first in patch {bad[0].patch:02}: {bad[0].summary}"
        return Item("checks", False, told)
    return Item("checks", True, f"{len(checked.findings)} findings, none bad")


def _figures(it: Departure) -> Item:
    stale = sorted(name for name, tree in it.manifest.runs.items() if tree != it.tree)
    if stale:
        told = f"the cover letter tells of run {stale[0]}, which tested another state"
        return Item("figures", False, told)
    if not it.manifest.runs:
        return Item("figures", True, "the cover letter tells of no run")
    return Item("figures", True, f"of {', '.join(sorted(it.manifest.runs))}, with these patches")
