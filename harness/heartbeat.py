# SPDX-License-Identifier: GPL-2.0
"""Lines by which a test says that it is still at work, and whether it got any further.

heartbeat: '# ' test ': still at it, ' N ' done' [' on CPU ' C]

N is a number that grows with the work (tests/guest/README.md). A thread that waits for another one
repeats its line for ever, so only a line with a larger N than the last one of the same test and CPU
shows that the guest is alive.
"""

import re

from harness.prefix import bare

SIGN = ": still at it"
HEARTBEAT = re.compile(
    r" *# (?P<who>[^\s:]+): still at it(?:, (?P<done>\d{1,20}) done(?P<where> on CPU \d+)?)?\s*$"
)


class Heartbeats:
    """Remembers how far each test had got."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}

    def alive(self, line: str) -> bool:
        """Whether a console line is a sign of life: any is, but a heartbeat without progress."""
        found = HEARTBEAT.match(bare(line)) if SIGN in line else None
        if found is None:
            return True
        key, done = f"{found['who']}{found['where']}", int(found["done"] or 0)
        further = done > self._done.get(key, 0)
        self._done[key] = done
        return further
