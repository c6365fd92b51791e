# SPDX-License-Identifier: GPL-2.0
"""What `slqb check` found of a series, kept by the content of its patches: sending asks for it."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from harness.check import Finding
from harness.file import write_atomically
from harness.mail import Mail
from harness.places import Places
from harness.storable import Storable


class Checked(Storable):
    """The findings of one check."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: tuple[Finding, ...]

    @property
    def bad(self) -> tuple[Finding, ...]:
        """Those that speak against sending."""
        return tuple(one for one in self.findings if one.status == "fail")


def digest_of_mails(mails: Sequence[Mail]) -> str:
    """Of the patches: the same whoever they are from, and whatever the cover letter says."""
    seen = hashlib.sha256()
    for mail in mails:
        if mail.number:
            diff = mail.path.read_bytes().partition(b"\ndiff --git ")[2]
            seen.update(f"{mail.number} {mail.subject}\n".encode() + diff)
    return seen.hexdigest()


def remember(places: Places, mails: Sequence[Mail], findings: Iterable[Finding]) -> None:
    """Keep what was found."""
    data = Checked(findings=tuple(findings)).model_dump_json(indent=1)
    write_atomically(_path(places, mails), f"{data}\n".encode())


def recall(places: Places, mails: Sequence[Mail]) -> Checked | None:
    """What was found of these very patches, if they were checked."""
    try:
        return Checked.model_validate_json(_path(places, mails).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _path(places: Places, mails: Sequence[Mail]) -> Path:
    return places.facts / f"checked-{digest_of_mails(mails)[:24]}.json"
