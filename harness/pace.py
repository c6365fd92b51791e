# SPDX-License-Identifier: GPL-2.0
"""Whether a guest's clock goes as fast as the host's.

A kernel measures the rate of its CPU's time stamp counter against another timer while it boots.
On a host that is too busy it may get that wrong by a factor of 50; it says so in passing ("PIT
calibration deviates from PMTIMER") and keeps the wrong rate. Every wait of the guest then
takes a fraction of its time, and tests and watchdogs fail by no fault of the kernel.

The guest says how long things took by its own clock (tests/guest/README.md):

boot:     'slqb-guest: clock ' N
begin:    '# start: ' test
duration: '# ' test ': ' N ' ms'

The host knows when it started the guest, and when it read each line. The clock starts some time
after the guest: a boot that took longer for the host says nothing.
"""

import re
from collections.abc import Iterable

from harness.console import Line

BOOT = re.compile(r"slqb-guest: clock (?P<ms>\d{1,15})\s*$")
BEGIN = re.compile(r"\s*# start: (?P<test>\S+)\s*$")
DURATION = re.compile(r"\s*# (?P<test>\S+): (?P<ms>\d{1,15}) ms\s*$")
ENOUGH = 2.0
"""Seconds, by the faster clock, that two clocks are compared over at least."""
WRONG = 2.0
"""How many times faster than the other a clock has to be to be called wrong.

The host may read a line late, as it is busy; so a small difference says nothing.
"""


def pace(lines: Iterable[Line]) -> float | None:
    """How far a guest's clock is off.

    Arguments:
        lines: its console, with the seconds at which the host read each line

    Result:
        seconds that the guest counted in one second of the host's, if that is wrong; None if the
        clocks agree, or what ended was too short to tell
    """
    began: dict[str, float] = {}
    guest = host = 0.0
    for line in lines:
        if line.at is None:
            continue
        if found := BOOT.match(line.text):
            booted = int(found["ms"]) / 1000
            if booted > line.at:
                guest, host = guest + booted, host + line.at
        elif found := BEGIN.match(line.text):
            began[found["test"]] = line.at
        elif (found := DURATION.match(line.text)) and found["test"] in began:
            guest += int(found["ms"]) / 1000
            host += line.at - began.pop(found["test"])
    fast, slow = max(guest, host), min(guest, host)
    if fast < ENOUGH or fast < WRONG * slow:
        return None
    return guest / max(host, 0.001)
