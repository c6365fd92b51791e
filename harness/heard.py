# SPDX-License-Identifier: GPL-2.0
"""Read a console once, from the first line to the last, and keep what a verdict needs.

Each line is freed of its prefixes (prefix.py) and divided where it holds several (midline.py); the
tests' reader (ktap.py) and the scan for complaints (complaint.py) take what is left. Both count
*positions*: one for each part of a line. `Heard.line` turns a position into a line of the log.

Nothing else of the log is kept, so that the memory needed does not grow with it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from harness.boots import Boots, SeenBoot, resets
from harness.complaint import Complaint, Kind, Scan, of_the_guest
from harness.console import Line
from harness.ktap import Reader
from harness.midline import Mender, parts, unmistakable
from harness.prefix import DICTIONARY, NEARBY, Peeled, peel, unescaped
from harness.results import Report, flatten
from harness.splat import WIDEST_HEADLINE
from harness.taint import unexplained

TESTS_BEGIN = "slqb-guest: tests"
PANIC = "Kernel panic"
POWER_DOWN = "reboot: Power down"
LAST = 20
"""Lines before the end in which a guest says that it powers off."""
CHUNK = 1024
LONGEST = 4096
"""Characters of a line, or of each part of it, that are looked at."""
OF_THE_KERNEL = ("Linux version ", "Booting Linux", PANIC, "reboot: ")
LANDMARKS = (*OF_THE_KERNEL, "slqb-guest: ", "KTAP version ", "TAP version ")
"""How lines begin that nothing stands before."""
NO_SYNC = f"{PANIC} - not syncing: "
WIDEST_PREFIX = 100
"""Characters that an unknown prefix may have."""


@dataclass
class Heard:
    """What a console said."""

    tests: Report
    complaints: list[Complaint]
    boots: Sequence[SeenBoot] = ()
    """The boots of the log, in order; their lines are positions."""
    length: int = 0
    """Lines of the log."""
    last: Line = field(default_factory=lambda: Line(""))
    begun: bool = False
    """Whether init said that the tests begin."""
    panic: str = ""
    """The first line that tells of a panic."""
    off: bool = False
    """Whether the guest powered off at the end."""
    unknown: int = 0
    """Lines with a prefix that is not known, if most lines have one; else 0."""
    veiled: str = ""
    """The first line of the kernel's own behind an unknown prefix, if all such lines have one."""
    times: dict[int, float] = field(default_factory=dict)
    """Seconds, by the position at which a line was said; only for a record of the guest's own."""
    divided: Sequence[int] = ()
    """Positions of parts that did not begin a line, in order."""

    def line(self, position: int) -> int:
        """The number of the line that holds this position; both count from 0."""
        return position - bisect_left(self.divided, position + 1)


@dataclass
class Prefixed:
    """Counts lines that are not blank by what stands before their text."""

    known: int = 0
    bare: int = 0
    passed: int = 0
    """Lines that were not looked at."""
    landmarks: int = 0
    """Lines that begin as those of a console do ..."""
    hidden: int = 0
    """... and those that do so behind something else."""
    kernel: int = 0
    """Lines of the kernel's own that begin as they should ..."""
    veiled: str = ""
    """... and the first one that does so behind something else."""

    def look(self, texts: Sequence[str]) -> None:
        """Look for the kernel's own landmarks in the parts of a line, without their prefixes."""
        for text in texts:
            found = [text.find(mark) for mark in OF_THE_KERNEL if mark in text]
            if not found or self.kernel:
                continue
            if min(found) == 0:
                self.kernel += 1
            elif min(found) <= WIDEST_PREFIX and not self.veiled and _outside(text, min(found)):
                self.veiled = text

    def take(self, line: str, at: int) -> None:
        """Count one line, of which the text begins there."""
        self.known += at > 0
        self.bare += at == 0
        if line.startswith(LANDMARKS, at):
            self.landmarks += 1
        elif any(mark in line for mark in LANDMARKS):
            self.hidden += 1

    @property
    def unknown(self) -> int:
        """Lines with an unknown prefix, if these are most; else 0.

        A line without a known prefix has none at all, or one that is unknown. A log is of the
        second kind if no line begins as those of a console do. What is known may be a part of the
        prefix only: then such lines begin behind something else. Lines that were not looked at
        are taken to be like those that were.
        """
        if self.landmarks:
            return 0
        if self.hidden:
            return self.bare + self.known + self.passed
        if self.bare <= max(1, self.known):
            return 0
        return self.bare + round(self.passed * self.bare / (self.bare + self.known))


class Behind:
    """Headlines that stand behind other words, for where no report was found.

    A prefix that nobody knows hides a report from the scan. A headline that nothing but the
    kernel says tells that there was one; a panic is never passed over.
    """

    def __init__(self) -> None:
        self._first: Complaint | None = None
        self._panic: Complaint | None = None

    def feed(self, number: int, text: str) -> None:
        """Take one line, or a part of one, without its prefixes."""
        found = unmistakable(text)
        if found is None or found.start() == 0 or not _outside(text, found.start()):
            return
        line = text[:WIDEST_HEADLINE]
        if NO_SYNC in text:
            self._panic = self._panic or Complaint(Kind.PANIC, line, number, number)
        self._first = self._first or Complaint(Kind.FRAGMENT, line, number, number)

    def missed(self, found: Sequence[Complaint], *, unread: bool) -> Iterator[Complaint]:
        """What the complaints that were found leave out.

        Arguments:
            found: the complaints
            unread: whether no line could be read, so that this is what the verdict says
        """
        if self._panic and not any(one.kind is Kind.PANIC for one in found):
            yield self._panic
        elif self._first and not found and not unread:
            yield self._first


def _told(found: Sequence[Complaint], boots: Sequence[SeenBoot]) -> list[Complaint]:
    """Every complaint of the log in order: on the console, a reset, or only counted."""
    told = [*found, *resets(boots)]
    return sorted([*told, *unexplained(told, boots)], key=lambda one: one.first)


def _outside(text: str, at: int) -> bool:
    """Whether what begins there is behind white space, unquoted, and not said by a test."""
    quoted = any(text.count(quote, 0, at) % 2 for quote in "\"'`")
    return text[at - 1].isspace() and not quoted and not of_the_guest(text)


def _bounded(text: str) -> str:
    """The beginning of a text that is too long, with what was cut."""
    cut = len(text) - LONGEST
    return text if cut <= 0 else f"{text[:LONGEST]} [... {cut} characters cut]"


class Listener:
    """Takes the lines of a console in order."""

    def __init__(self) -> None:
        self._reader = Reader()
        self._scan = Scan()
        self._boots = Boots()
        self._mender = Mender(self._reader.awaits)
        self._prefixed = Prefixed()
        self._behind = Behind()
        self._position = 0
        self._lines = 0
        self._last = Line("")
        self._off = -LAST - 1
        self._begun = False
        self._panic = ""
        self._times: dict[int, float] = {}
        self._divided: list[int] = []
        self._record = False

    @property
    def idle(self) -> bool:
        """Whether nothing is being told that goes on in the next line."""
        return self._scan.idle and self._mender.idle

    def feed(self, line: Line, nearby: Callable[[], Sequence[str]] | None = None) -> None:
        """Take one line; `nearby` gives the texts of lines around it."""
        found = peel(line.text, nearby)
        if line.text:
            self._prefixed.take(line.text, found.at)
        told = self._texts(line.text, found)
        self._prefixed.look([text for _, text in told])
        for at, (raw, text) in enumerate(told):
            if at:
                self._divided.append(self._position)
            self._boots.feed(self._position, raw, text)
            self._take(text, line.at)
        self._lines += 1
        self._last = line

    def skip(self, lines: int, filled: int, seen: Sequence[str]) -> None:
        """Pass over lines that tell nothing.

        Arguments:
            lines: how many
            filled: how many of them are not blank
            seen: some of them, to be looked at for a prefix
        """
        self._reader.skip(lines)
        self._position += lines
        self._lines += lines
        texts = [text for text in seen if text]
        for text in texts:
            self._prefixed.take(text, peel(text, lambda: texts).at)
        self._prefixed.passed += filled - len(texts)

    @property
    def sampled(self) -> int:
        """How many lines were looked at for a prefix."""
        return self._prefixed.known + self._prefixed.bare

    def end(self) -> Heard:
        """All that was heard."""
        boots = self._boots.end()
        found, unknown = self._scan.end(), self._prefixed.unknown
        return Heard(
            flatten(self._reader.end()),
            _told([*found, *self._behind.missed(found, unread=unknown > 0)], boots),
            boots,
            length=self._lines,
            last=self._last,
            begun=self._begun,
            panic=self._panic,
            off=self._lines - self._off <= LAST,
            unknown=unknown,
            veiled="" if self._prefixed.kernel else self._prefixed.veiled,
            times=self._times,
            divided=self._divided,
        )

    def _texts(self, line: str, found: Peeled) -> list[tuple[str, str]]:
        """The texts of a line, usually one; each as it is, and without its prefixes."""
        text = line[found.at :]
        if found.escaped:
            self._record = True
            return [(line[: found.at] + one, one) for one in unescaped(text).split("\n")]
        if self._record and DICTIONARY.match(line):
            return [("", "")]
        self._record = False
        pieces = parts(text)
        bare = [pieces[0], *(one[peel(one).at :] for one in pieces[1:])]
        told = self._mender.mended(bare)  # one less, if a torn beginning is kept back
        raws = [line[: found.at] + pieces[0], *pieces[1:]][len(pieces) - len(told) :]
        return [(_bounded(raw), _bounded(one)) for raw, one in zip(raws, told, strict=True)]

    def _take(self, text: str, at: float | None) -> None:
        self._reader.feed(text)
        self._scan.feed(self._position, text.rstrip())
        self._behind.feed(self._position, text.strip())
        if at is not None:
            self._times[self._position] = at
        self._begun = self._begun or TESTS_BEGIN in text
        if not self._panic and PANIC in text:
            self._panic = text
        if POWER_DOWN in text:
            self._off = self._lines
        self._position += 1


def hear(lines: Iterable[Line]) -> Heard:
    """Listen to all lines."""
    listener = Listener()
    rest = iter(lines)
    while chunk := list(islice(rest, CHUNK)):
        for at, line in enumerate(chunk):

            def nearby(at: int = at, chunk: list[Line] = chunk) -> list[str]:
                around = chunk[max(0, at - NEARBY) : at + NEARBY + 1]
                return [one.text for one in around]

            listener.feed(line, nearby)
    return listener.end()
