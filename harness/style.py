# SPDX-License-Identifier: GPL-2.0
"""What the tree's own checkpatch says of a series, less what has been looked at and accepted.

said:  FILE ':' LINE ': ' ('ERROR' | 'WARNING' | 'CHECK') ':' TYPE ': ' text
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from harness import child
from harness.boot import cores
from harness.child import CommandError
from harness.errors import Outcome, TreeError
from harness.mail import Mail
from harness.table import read_table

ACCEPTED = "accepted.toml"
SCRIPT = "scripts/checkpatch.pl"
SAID = re.compile(
    r"(?P<file>.+):(?P<line>\d+): (?P<level>ERROR|WARNING|CHECK):(?P<type>[A-Z0-9_]+): (?P<text>.*)"
)
WORDS = ("--strict", "--terse", "--show-types", "--no-summary")


class Accept(BaseModel):
    """A remark that we live with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    subject: str
    why: str

    def covers(self, remark: "Remark") -> bool:
        """Whether it is this one."""
        return remark.type == self.type and bool(re.search(self.subject, remark.mail.subject))


class Reviewed(BaseModel):
    """templates/accepted.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept: tuple[Accept, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A line of checkpatch's."""

    mail: Mail
    line: int
    level: str
    type: str
    text: str

    def __str__(self) -> str:
        return f"{self.mail.path.name}:{self.line}: {self.type}: {self.text}"


def reviewed(templates: Path) -> tuple[Accept, ...]:
    """The list of what is accepted."""
    path = templates / ACCEPTED
    return read_table(path, TypeAdapter(Reviewed)).accept if path.is_file() else ()


def remarks(source: Path, mails: Sequence[Mail]) -> tuple[Remark, ...]:
    """Everything the checkpatch of that tree finds in the patches."""
    if not (source / SCRIPT).is_file():
        raise TreeError(f"this tree has no {SCRIPT}, so nobody can say what it takes for style")
    patches = [mail for mail in mails if mail.number]
    with ThreadPoolExecutor(cores()) as pool:
        told = pool.map(lambda mail: tuple(read_said(mail, _ask(source, mail))), patches)
        return tuple(remark for found in told for remark in found)


def read_said(mail: Mail, lines: Iterable[str]) -> Iterator[Remark]:
    """The remarks among the lines that checkpatch printed."""
    for line in lines:
        if found := SAID.fullmatch(line.strip()):
            yield Remark(mail, int(found["line"]), found["level"], found["type"], found["text"])


def check_words(source: Path, mail: Mail) -> tuple[str | Path, ...]:
    """How that tree's checkpatch is asked about a patch."""
    return ("perl", source / SCRIPT, f"--root={source}", *WORDS, mail.path.absolute())


def _ask(source: Path, mail: Mail) -> list[str]:
    lines: list[str] = []
    try:
        child.run(check_words(source, mail), cwd=source, on_line=lines.append, outcome=Outcome.FAIL)
    except CommandError as error:
        # it says with its exit status that it found something
        if error.outcome is not Outcome.FAIL or not any(map(SAID.fullmatch, lines)):
            raise
    return lines
