# SPDX-License-Identifier: GPL-2.0
"""Divide a console line in which a kernel message or a result begins in the middle.

The kernel writes to a console whenever it has something to say: behind a prompt, behind a result
whose line break has not been written yet, behind another message that was cut short. Such a line
is several lines that lack their line breaks. A message is recognized

- by the kernel's time before it, unless the time stands in quotes, or
- by a carriage return before it, as programs that show their progress write it, or
- by words that nothing but the kernel says, where they stick to what is before them or follow
  a prompt.

A result line that was torn apart is put together again: what comes in the next line belongs to it,
so that "not " here and "ok 2 b" there is a test that failed.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from harness.ktap import RESULT, in_grammar
from harness.prefix import peel

TIMED = re.compile(
    r"(?:<\d{1,3}>)?\[(?: {0,4}\d{1,10}\.\d{6}|[ \d]{4}\d\.\d{1,9})\]"
    r"(?: ?\[ *[TC]\d{1,7}\])*(?= |$)"
    r"|\[ {0,4}[TC]\d{1,7}\](?= (?:BUG|WARNING|INFO|Kernel|kernel|-----|general|Unable|Oops|UBSAN"
    r"|Internal error|h?list_|refcount_t|slab |kmemleak: |\[ (?:BUG|INFO)|rcu: "
    r"|watchdog: |usercopy|CFI ))"
)
"""The kernel's time, as wide as printk makes it; or a caller alone, before a headline."""
UNMISTAKABLE = re.compile(
    r"-{12}\[ cut here \]-{12}|Kernel panic - not syncing: "
    r"|WARNING: (?:CPU: \d{1,5} PID: \d{1,9}|(?:\[[^\]]{1,200}\] )?\S{1,200}:\d{1,6}) at "
    r"|(?:watchdog: )?BUG: soft lockup|(?:workqueue: )?BUG: workqueue lockup"
    r"|BUG: (?:K[ACM]SAN|KFENCE|unable to handle|kernel NULL pointer|Bad page|sleeping"
    r"|scheduling while atomic|spinlock |memory leak)"
    r"|BUG \S{1,64} \((?:Not tainted|Tainted: )|[Kk]ernel BUG at |general protection fault"
    r"|(?:\[ )?(?:WARNING|BUG|INFO): (?:possible (?:circular|recursive|irq lock)|suspicious RCU"
    r"|inconsistent lock state|\S{1,40}-safe -> |bad unlock balance|held lock freed"
    r"|[Ii]nvalid wait context)"
    r"|INFO: task \S{1,64} blocked for"
    r"|(?:rcu: )?INFO: \S{1,64} (?:self-)?detected (?:exp\w+ )?stall"
    r"|Unable to handle kernel |Internal error: Oops|Oops: [0-9a-f]{4}|CFI failure at "
    r"|UBSAN: [\w-]{1,40} in |(?:h?list_\w{3,20}|slab) corruption\b|refcount_t: |slab error in "
    r"|usercopy: Kernel memory |kmemleak: \d{1,9} new suspected"
)
WORDS = (
    *("BUG", "WARNING: ", "panic", "cut here", "fault", "INFO", "handle", "error: ", "Oops: "),
    *("CFI failure", "UBSAN: ", "corruption", "refcount_t: ", "slab error", "usercopy", "kmemleak"),
)
"""One of them is in each of these."""
PROMPT = re.compile(
    r"(?:(?:\S{0,64}@[^\s#$>%]{0,64}[^#$>%]{0,80}|[~/][\w./~-]{0,80} ?)[#$>%] ?|\S{0,64} ?login: ?"
    r"|Password: ?|=> ?)"
)
"""A shell's prompt or that of getty. A lone "# " begins a remark of a test, so it is none."""
TORN = re.compile(r"\s*(?:n(?:o(?:t(?: (?:o(?:k ?)?)?)?)?)?|o(?:k ?)?)$")
"""The beginning of a result."""
DENIAL = re.compile(r"(?P<indent>\s*)n(?:ot? ?)?$")
"""The beginning of a result that can only become "not ok"."""
BEFORE_PREFIX = re.compile(r"\s*(?:not ok ?|not o|not ?|no?|ok ?|o)(?=<\d|\[)")
"""The beginning of a result, and what may be the prefix of a message."""
TORN_FOR = 1000
"""Lines within which the end of "o" or "ok" must come; "not" waits for the next result."""
QUOTES = "\"'`("


def parts(text: str) -> list[str]:
    """The lines that a line consists of; most consist of one.

    Arguments:
        text: a line without its own prefixes

    What is returned wears the kernel's prefixes where these were found in the line.
    """
    if "\r" in text:
        return [part for one in text.split("\r") if one for part in parts(one)] or [""]
    found: list[str] = []
    for part in _between(text, _timed(text)):
        found += _between(part, _glued(part))
    return found


def unmistakable(text: str) -> re.Match[str] | None:
    """Where a text has words that nothing but the kernel says."""
    return UNMISTAKABLE.search(text) if any(word in text for word in WORDS) else None


class Mender:
    """Puts results together that were torn apart by messages."""

    def __init__(self, due: Callable[[int], bool] = lambda _number: True) -> None:
        """`due` tells whether the next result may have this number."""
        self._due = due
        self._torn = ""
        self._since = 0

    @property
    def idle(self) -> bool:
        """Whether no more than the next result is waited for."""
        return not self._torn or DENIAL.match(self._torn) is not None

    def mended(self, texts: list[str]) -> list[str]:
        """The parts of the next line; a torn beginning is kept back until its end comes."""
        self._since += 1
        if self._torn and texts:
            texts = [self._joined(texts[0]), *texts[1:]]
        if not self.idle and self._since > TORN_FOR:
            self._torn = ""
        if len(texts) > 1 and TORN.match(texts[0]):
            self._torn, self._since, texts = texts[0], 0, texts[1:]
        elif len(texts) == 1 and texts[0].strip() == "not":
            self._torn, self._since = texts[0], 0
        return texts

    def _joined(self, text: str) -> str:
        """The text with the torn beginning before it, if it goes on with that.

        What was between "not" and "ok" may be lost: the next result fails if its number is due.
        """
        whole, result = RESULT.match(self._torn + text), RESULT.match(text)
        if whole is None and result is None:
            return text
        torn, self._torn = self._torn, ""
        denied = DENIAL.match(torn)
        if whole is not None:
            return torn + text
        if result and denied and not result["fails"] and self._due(int(result["number"])):
            indent = result["indent"] or denied["indent"]
            return f"{indent}not {text.lstrip()}"
        return text


def _between(text: str, places: Iterator[int]) -> list[str]:
    cuts = [0, *places, len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if b > a] or [text]


def _timed(text: str) -> Iterator[int]:
    """Where the kernel's time stands, not at the beginning and not in quotes."""
    if "]" not in text:
        return
    remark = text.lstrip().startswith("# ")
    quotes = begin = 0
    for found in TIMED.finditer(text):
        at = found.start()
        quotes += text.count('"', begin, at)
        begin = at
        before = text[at - 1] if at else ""
        # a test that quotes the kernel, and not a prompt of "# "
        told = remark and before == " " and (at > 80 or text[:at].strip() != "#")
        if before and not told and quotes % 2 == 0 and before not in QUOTES:
            yield at


def _glued(text: str) -> Iterator[int]:
    """Where a message without a time begins, or a result behind a prompt."""
    prompt = PROMPT.match(text)
    if prompt and _tells(text[prompt.end() :]):
        yield prompt.end()
        return
    head = BEFORE_PREFIX.match(text)
    if head and peel(text[head.end() :]).at:
        yield head.end()
        return
    found = unmistakable(text)
    before = text[found.start() - 1] if found and found.start() else " "
    torn = found is not None and TORN.match(text[: found.start()])
    if found and (torn or not before.isspace()) and before not in QUOTES:
        yield found.start()


def _tells(text: str) -> bool:
    """Whether a text behind a prompt comes from the kernel or from a test."""
    return bool(UNMISTAKABLE.match(text)) or (in_grammar(text) and not text.startswith("#"))
