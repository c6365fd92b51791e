# SPDX-License-Identifier: GPL-2.0
"""A verdict as text: equal complaints are one line, and a panic is not its own cause."""

import pytest

from harness.console import Line
from harness.show import as_text, counts
from harness.verdict import Boot, Verdict, judge

STACK = ("CPU: 1 PID: 41 Comm: init", "Call Trace:", " f+0x1/0x2", "---[ end trace 0 ]---")
LOG = ("Linux version 6.1.0", "1..1", "    1..1", "    # start: one")
END = ("    ok 1 one", "ok 1 slabtest")


def verdict(*lines: str) -> Verdict:
    return judge(Boot(tuple(map(Line, lines)), tests_wanted=False))


def warning(cpu: int, pid: int, line: int = 412) -> tuple[str, ...]:
    return (f"WARNING: CPU: {cpu} PID: {pid} at mm/slqb.c:{line} flush+0x4c/0x90", *STACK)


def test_equal_complaints_are_one_line_with_their_number() -> None:
    found = verdict(*LOG, *warning(0, 41), *warning(1, 42), *warning(0, 7), *warning(0, 7, 9), *END)
    told = [line for line in as_text(found, every_case=False) if "warning  " in line]
    assert len(told) == 2
    assert told[0].strip().startswith("warning  line 5 in slabtest.one: WARNING: CPU: 0 PID: 41 ")
    assert told[0].endswith(" (3 times)")
    assert told[1].endswith("mm/slqb.c:9 flush+0x4c/0x90")
    assert counts(found).endswith("4 complaints")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [init:1]",
         "watchdog: BUG: soft lockup - CPU#0 stuck for 52s! [init:1]"),
        ("unregister_netdevice: waiting for lo to become free. Usage count = 2",
         "unregister_netdevice: waiting for lo to become free. Usage count = 3"),
        ("BUG: unable to handle page fault for address: ffffffffdeadbeef",
         "BUG: unable to handle page fault for address: ffff888003a00000"),
        ("INFO: task init:1 blocked for more than 22 seconds.",
         "INFO: task init:1 blocked for more than 44 seconds."),
    ],
)  # fmt: skip
def test_what_differs_by_address_time_or_processor_is_equal(one: str, other: str) -> None:
    assert len(list(as_text(verdict(*LOG, one, other, *END), every_case=False))) == 3
    assert any("(2 times)" in line for line in as_text(verdict(*LOG, one, other, *END)))


def test_complaints_of_two_tests_or_places_are_not_folded() -> None:
    rest = ("    # start: two", *warning(0, 41), "    ok 2 two", "ok 1 slabtest")
    found = verdict(*LOG, *warning(0, 41), "    ok 1 one", *rest)
    assert not any("times" in line for line in as_text(found))
