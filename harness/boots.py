# SPDX-License-Identifier: GPL-2.0
"""The boots in one console log, and what our guest said of each.

A log holds more than one boot if the guest restarted, or if somebody saved two consoles in one
file. A boot begins with the kernel's banner (`Linux version ...`) or, where the banner is not
shown, with the first words of our init. It ends in order with a power off, a restart, a halt, a
kexec, or a panic. A kernel that begins anew although the boot before it did not end has reset
itself: that is a complaint (`resets`). After an end in order a second boot is nothing unusual, and
the tests of both count.

Three things look like a banner and are none: the same text printed by a program (`cat
/proc/version`), a log that a newly enabled console prints again from its start, and a line with a
time of more than a second.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from harness.complaint import Complaint, Kind
from harness.ktap import RESULT, SAID, START, VERSION
from harness.prefix import bare

BANNER = "Linux version "
GUEST = "slqb-guest: "
END = re.compile(
    r"(?:reboot: )?(?:Restarting system|System halted|[Pp]ower down|Power off not available)\b"
    r"|(?:kexec\w*: )?Starting new kernel\b|Kernel panic - not syncing|Rebooting in \d"
    r"|(?:sysrq|SysRq) ?: Resetting\b"
    r"|-- (?:Boot [0-9a-f]{32}|Reboot) --"
    r"|(?:\S{1,64} )?systemd-shutdown\[\d+\]: (?:Rebooting|Powering off|Halting)\b"
)
WARNING = r"\bWARNING: (?:CPU: \d|at |(?:\[.{1,200}\] )?\S+:\d+ at )"
"""How WARN() begins; other lines that begin with WARNING do not count as one, nor taint."""
WARNED = re.compile(rf"{WARNING}|\bBUG: (?:KASAN|KFENCE|KCSAN|scheduling while atomic): |\bUBSAN: ")
"""What the kernel counts in warn_count."""
FIRMWARE = re.compile(r"\[Firmware (?:Bug|Warn)\]: ")
TIME = re.compile(r"(?:<\d+>)?\[ *(?P<seconds>\d{1,12})\.\d+\]")
KERNEL_STARTS = re.compile(r"(?:Kernel )?[Cc]ommand line: |Booting Linux |Run /\S+ as init process")
WORD = re.compile(r"slqb-guest: (?P<name>\w+)(?: (?P<number>\d{1,20}))?$")
PATIENCE = 50
"""So many lines after a banner without a time may tell who printed it: a kernel, or a program."""
REPLAY = 3
"""A console that was enabled so many lines ago may be printing the log from its start."""


class Banner(Enum):
    """What a line that looks like a banner is."""

    NONE = "printed by a program, or again"
    BOOT = "a kernel starts"
    UNKNOWN = "the lines after it tell"


@dataclass
class SeenBoot:
    """What a log shows of one boot; lines are counted from 0."""

    first: int
    began: bool = False
    """Whether its banner, a word of our init, or a test was seen; a log may begin with neither."""
    unasked: bool = False
    """Whether it began although the boot before it had not ended."""
    ended: bool = False
    guest: bool = False
    """Whether our init ran."""
    taint: tuple[int, int] | None = None
    """The line on which the guest told the kernel's taint last, and all bits that it told."""
    warnings: tuple[int, int] | None = None
    """The line on which it told how often the kernel warned, and the number."""
    warned: int = 0
    """How many such warnings the log shows."""
    firmware: int = 0
    """How many lines of it blame the firmware, for which the kernel sets the letter I."""
    done: bool = False

    @property
    def cut_short(self) -> bool:
        """Whether our init ran and did not come to its last words."""
        return self.guest and (self.taint is None or not self.done)


class Boots:
    """Takes the lines of a log in order and tells its boots apart."""

    def __init__(self) -> None:
        self.seen: list[SeenBoot] = [SeenBoot(0)]
        self._wears_prefix: bool | None = None
        self._doubtful: int | None = None
        self._enabled = -REPLAY - 1

    @property
    def _now(self) -> SeenBoot:
        return self.seen[-1]

    def feed(self, number: int, raw: str, text: str) -> None:
        """Take one line of the log: as it is, and without its prefixes."""
        if BANNER in raw:
            self._banner(number, raw, text)
        elif self._doubtful is not None:
            self._resolve(number, text)
        if not self._now.began and ("TAP version " in raw or "ok " in raw):
            self._now.began = any(pattern.match(text) for pattern in (VERSION, RESULT))
        if GUEST in raw:
            self._word(number, text.strip())
        elif may_warn(raw) and WARNED.search(raw):
            self._now.warned += 1
        elif may_end(raw) and END.match(text):
            self._now.ended = True
        if "[Firmware " in raw and FIRMWARE.search(text):
            self._now.firmware += 1
        if "console [" in raw and "enabled" in raw:
            self._enabled = number

    def end(self) -> list[SeenBoot]:
        """All boots; a banner that no later line explained was a kernel's."""
        if self._doubtful is not None:
            self._begin(self._doubtful)
        return self.seen

    def _banner(self, number: int, raw: str, text: str) -> None:
        if self._doubtful is not None:
            self._begin(self._doubtful)
        kind = self._kind(number, raw, text)
        if kind is Banner.UNKNOWN:
            self._doubtful = number
        elif kind is Banner.BOOT:
            self._begin(number)

    def _kind(self, number: int, raw: str, text: str) -> Banner:
        """Whether this line is the banner of a kernel that starts."""
        time = TIME.search(raw, 0, len(raw) - len(text))
        if not text.startswith(BANNER) or (time and int(time["seconds"]) > 0):
            return Banner.NONE
        prefixed = text != raw
        if self._wears_prefix is None:
            self._wears_prefix = prefixed
        if not self._now.began:
            return Banner.BOOT
        if self._wears_prefix and not prefixed:
            return Banner.NONE
        if not self._now.ended and number - self._enabled <= REPLAY:
            return Banner.NONE
        return Banner.BOOT if prefixed else Banner.UNKNOWN

    def _resolve(self, number: int, text: str) -> None:
        """Decide on a banner without a time, by a line that came after it."""
        assert self._doubtful is not None
        version = VERSION.match(text) is not None and text[:1] != " "
        init = text.startswith(f"{GUEST}init")
        if version or init or KERNEL_STARTS.match(text) or number - self._doubtful > PATIENCE:
            self._begin(self._doubtful)
        elif any(pattern.match(text) for pattern in (RESULT, START, SAID)):
            self._doubtful = None

    def _begin(self, number: int) -> None:
        """Another boot begins at that line, or the first one does."""
        before, self._doubtful = self._now, None
        if before.began or before.ended:
            self.seen.append(SeenBoot(number, began=True, unasked=not before.ended))
        else:
            before.began = True

    def _word(self, number: int, text: str) -> None:
        """A word of our init, which says each of them once."""
        found = WORD.match(text)
        if found is None:
            return
        name, told = found["name"], found["number"]
        if name == "init":
            if self._now.guest or self._now.ended:
                self._begin(number)
            self._now.guest = self._now.began = True
        elif name == "tests":
            self._now.guest = self._now.began = True
        elif name == "done":
            self._now.done = True
        elif name == "taint" and told:
            before = self._now.taint
            self._now.taint = (number, int(told) | (before[1] if before else 0))
        elif name == "warnings" and told:
            self._now.warnings = (number, int(told))


def may_warn(line: str) -> bool:
    """Whether WARNED may match: a quick look, for logs have millions of lines."""
    return "WARNING: " in line or "BUG: " in line or "UBSAN: " in line


def may_end(line: str) -> bool:
    """Whether END may match; a quick look, too."""
    return (
        ("ing" in line and ("tarting " in line or "Rebooting in" in line or "Resetting" in line))
        or "alted" in line
        or "ower " in line
        or "panic" in line
        or "-- " in line
        or "systemd-shutdown[" in line
    )


def boots(lines: Iterable[str]) -> list[SeenBoot]:
    """The boots of a whole log, at least one."""
    reader = Boots()
    for number, line in enumerate(lines):
        reader.feed(number, line, bare(line))
    return reader.end()


def resets(seen: Iterable[SeenBoot]) -> list[Complaint]:
    """A complaint for each boot that began although the one before it had not ended."""
    told = "the guest reset itself: its kernel starts again"
    return [Complaint(Kind.RESET, told, boot.first, boot.first) for boot in seen if boot.unasked]
