# SPDX-License-Identifier: GPL-2.0
"""Whatever stands before the lines of a console, the verdict is that of the bare lines.

The formats and their examples are in configs/prefixes.toml: a new row is tested by being there.
"""

import re
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.console import Line, saved
from harness.errors import Outcome
from harness.heard import hear
from harness.prefix import PREFIXES, bare, peel, texts
from harness.skim import skim
from harness.verdict import Boot, Verdict, judge, judge_heard

PASSES = """\
Linux version 6.1.0 (someone@somewhere) #1 SMP
Freeing unused kernel image memory: 1024K
clocksource: Switched to clocksource tsc
KTAP version 1
1..2
    KTAP version 1
    # Subtest: stack
    1..2
    # push: takes 16 of 16
    ok 1 push
    ok 2 pop # SKIP nothing was pushed
ok 1 stack
ok 2 queue
reboot: Power down
"""
WARNS = """\
------------[ cut here ]------------
three objects too many
WARNING: CPU: 1 PID: 77 at mm/stack.c:31 stack_pop+0x1f/0x40
CPU: 1 PID: 77 Comm: modprobe Not tainted 6.1.0 #1
RIP: 0010:stack_pop+0x1f/0x40
Call Trace:
 <TASK>
 stack_test+0x52/0x90
 </TASK>
---[ end trace 0000000000000000 ]---
"""
LOGS = {
    "passes": PASSES,
    "fails": PASSES.replace(
        "    ok 2 pop # SKIP nothing was pushed\nok", "    not ok 2 pop\nnot ok"
    ),
    "warns": PASSES.replace("    ok 2", WARNS + "    ok 2"),
    "unbalanced": PASSES.replace(
        "    ok 2", "[ BUG: bad unlock balance detected! ]\n6.1.0 Not tainted\n    ok 2"
    ),
    "slab": PASSES.replace(
        "    ok 2", "BUG kmalloc-64 (Not tainted): Object already free\n    ok 2"
    ),
    "cut off": PASSES[: PASSES.index("    ok 2")],
}
EXAMPLES = [(one.name, example) for one in PREFIXES.formats for example in one.examples]
SURE = [
    example
    for one in PREFIXES.formats
    for example in one.examples
    # behind some vendors' prefixes a space is theirs or the text's: lines that mix cannot tell
    if not one.most and not one.escaped and bare(f"{example}    x") == "    x"
]


def told(verdict: Verdict) -> tuple[object, ...]:
    """What must not depend on the prefix."""
    cases = [(case.path, case.status, case.reason, case.first, case.last) for case in verdict.cases]
    charges = [
        (one.path, one.complaint.kind, one.complaint.headline, one.complaint.first)
        for one in verdict.charges
    ]
    return verdict.outcome, verdict.reason, cases, charges


def on(lines: list[str], end: str = "\n") -> Verdict:
    """The verdict of `slqb parse` on these lines."""
    return judge_heard(skim(["".join(line + end for line in lines).encode()]), Boot(()))


def escaped(text: str) -> str:
    """As a record of /dev/kmsg has it."""
    return "".join(
        char if " " <= char <= "~" and char != "\\" else f"\\x{ord(char):02x}" for char in text
    )


BARE = {name: told(on(log.splitlines())) for name, log in LOGS.items()}


@pytest.mark.parametrize(("name", "prefix"), EXAMPLES)
def test_the_verdict_is_that_of_the_bare_log(name: str, prefix: str) -> None:
    for log, end in product(LOGS, ("\n", "\r\n", "\r\r\n")):
        lines = (
            map(escaped, LOGS[log].splitlines()) if prefix.endswith(";") else LOGS[log].splitlines()
        )
        assert told(on([prefix + line for line in lines], end)) == BARE[log], (name, log, end)


@pytest.mark.parametrize(
    ("log", "outcome"),
    [
        ("passes", Outcome.PASS),
        ("fails", Outcome.FAIL),
        ("warns", Outcome.CRASH),
        ("unbalanced", Outcome.CRASH),
        ("slab", Outcome.CRASH),
        ("cut off", Outcome.FAIL),
    ],
)
def test_the_bare_logs_are_what_they_are_called(log: str, outcome: Outcome) -> None:
    assert on(LOGS[log].splitlines()).outcome is outcome


@settings(deadline=None)
@given(st.sampled_from(sorted(LOGS)), st.data())
def test_prefixes_may_change_from_line_to_line(log: str, data: st.DataObject) -> None:
    lines = LOGS[log].splitlines()
    wears = [data.draw(st.sampled_from(["", *SURE])) + line for line in lines]
    verdict = judge(Boot(tuple(saved(wears))))
    assert told(verdict) == told(on(lines))
    assert told(on(wears)) == told(verdict)


@pytest.mark.parametrize("tag", ["serial[9]: ", "tests.sh[812]: "])
def test_results_that_a_program_logged_count(tag: str) -> None:
    lines = PASSES.splitlines()
    wears = [f"Nov 30 17:41:19 box {tag}{line}" for line in lines]
    assert told(on(wears))[2] == told(on(lines))[2]


def test_the_words_of_a_program_are_not_the_kernels() -> None:
    line = "Nov 30 17:41:19 box backupd[7]: WARNING: disk almost full"
    assert bare(line) == "box backupd[7]: WARNING: disk almost full"


def test_the_record_of_our_own_console_may_have_prefixes_behind_its_time() -> None:
    lines = [
        f"    {at}.000 | [    1.000000][    T1] {line}"
        for at, line in enumerate(PASSES.split("\n"))
    ]
    assert on(lines).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "line",
    [
        "[ BUG: bad unlock balance detected! ]",
        "[drm] Initialized vkms",
        "[<ffffffff81000000>] ? start_kernel+0x1/0x2",
        "[1] 1234",
        "c1 is the name of a clock",
        "a <4> in the text [    1.000000] stays",
        "> is a sign",
        "12 | a table",
        "1.5 GHz",
        "00:11:22:33:44:55 is an address",
        "0000:00:1f.2: reg 0x10",
        "Nov 30 was a day",
        "kern is a word: warn",
        "CPU0 | CPU1",
        "1,2,3; and so on",
        "    ok 1 a",
        "# 17:41:19 is when it began",
        "** 3 printk messages dropped **",
    ],
)
def test_what_is_no_prefix_stays(line: str) -> None:
    assert bare(line, lambda: ["Linux version 6.1.0", "random: crng init done"] * 4) == line


@pytest.mark.parametrize("prefix", ["", "[    1.000000] ", "Nov 30 17:41:19 box kernel: "])
def test_text_behind_a_prefix_stays(prefix: str) -> None:
    for text in ("c1 is a clock", "a <4> stays", "> and this", "[drm] x", "    # a: b", "17 | 4"):
        if prefix:
            assert bare(prefix + text, lambda: [prefix + "random: crng init done"] * 5) == text


def test_a_quotation_is_told_by_its_neighbours() -> None:
    quoted = [f"> {line}" for line in PASSES.splitlines()]
    assert bare("> ok 1 a", lambda: quoted) == "ok 1 a"
    assert bare("> ok 1 a", lambda: ["make test", "Entering directory"]) == "> ok 1 a"
    assert bare("> ok 1 a") == "> ok 1 a"
    answer = ["On Monday somebody wrote:", *quoted, "", "Works here."]
    assert on(answer).outcome is Outcome.PASS


def test_a_record_of_kmsg_may_hold_several_lines() -> None:
    line = "4,1,2,-;one\\x0a\\x09ok 1 gr\\xc3\\xbcn \\x5c"
    assert texts(line) == ["one", "\tok 1 grün \\"]
    record = ["6,1,2,-;usb 1-1: new device", " SUBSYSTEM=usb", " DEVICE=+usb:1-1"]
    heard = hear(Line(line) for line in [*record, "4,3,4,-;KTAP version 1\\x0a1..1\\x0aok 1 a"])
    assert [(case.path, case.first, case.last) for case in heard.tests.cases] == [("a", 4, 5)]
    verdict = on([*record, "4,3,4,-;KTAP version 1\\x0a1..1\\x0aok 1 a"])
    assert [(case.first, case.last) for case in verdict.cases] == [(3, 3)]
    assert verdict.outcome is Outcome.PASS


@pytest.mark.parametrize(
    "prefix",
    ["@@ {} ## ", "|{}| ", "node7/{}/tty: ", "{{{}}} ", "~{}~ ", "uart3 >> "],
)
@pytest.mark.parametrize("log", LOGS)
def test_an_unknown_prefix_is_said_to_be_one(prefix: str, log: str) -> None:
    lines = [prefix.format(at) + line for at, line in enumerate(LOGS[log].splitlines())]
    for end in ("\n", "\r\n"):
        verdict = on(lines, end)
        assert verdict.outcome is not Outcome.PASS
        if not verdict.charges and not verdict.cases:
            assert verdict.reason == f"no known prefix in {len(lines)} lines"
    assert judge(Boot(tuple(saved(lines)))).reason == verdict.reason


def test_the_number_is_that_of_the_lines_however_long_the_log() -> None:
    lines = [f"@@ {at} ## usb 1-1: new device" for at in range(20_000)]
    assert on(lines).reason == "no known prefix in 20000 lines"


def test_a_console_without_tests_has_no_unknown_prefix() -> None:
    lines = PASSES.splitlines()[:3] + [f"usb 1-{at}: new device" for at in range(3)]
    assert on(lines).reason == "no test ran"
    assert on([f"[    1.000000] {line}" for line in lines[1:]]).reason == "no test ran"


@pytest.mark.parametrize("pattern", sorted({one.pattern for one in PREFIXES.formats}))
def test_a_format_takes_linear_time(pattern: str) -> None:
    """A line made of what a pattern begins with, over and over, is done at once."""
    examples = next(one.examples for one in PREFIXES.formats if one.pattern == pattern)
    began = time.process_time()
    for example in examples:
        for piece in {example, *re.findall(r".", example)}:
            line = piece * (40_000 // len(piece))
            for tail in ("", "x", "]", " ["):
                peel(line + tail, lambda: ())
    assert time.process_time() - began < 20


ODD = (
    *(
        "[    1.000000@0] ",
        "[    1.000000] (CPU:0-pid:1:swapper/0) ",
        "[    1.000000] [swapper/0] ",
    ),
    *("E/kernel: ", "[CPU1] ", "(XEN) ", "| ", "node7/3/tty: "),
)
BANNER = "Linux version 6.1.0 (someone@somewhere) #1 SMP"


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("log", ["passes", "warns", "slab"])
def test_an_unknown_prefix_on_the_kernels_lines_alone_is_no_pass(odd: str, log: str) -> None:
    kernel = {*WARNS.splitlines(), BANNER, "reboot: Power down"}
    lines = [odd * (one in kernel or one.startswith("BUG ")) + one for one in LOGS[log].split("\n")]
    verdict = on(lines[:-1])
    assert verdict.outcome is not Outcome.PASS
    assert log != "passes" or verdict.reason.startswith("no known prefix in the kernel's lines")
    assert told(judge(Boot(tuple(saved(lines[:-1]))))) == told(verdict)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("headline", WARNS.splitlines()[:3:2])
def test_an_unmistakable_headline_behind_an_unknown_prefix_is_no_pass(
    odd: str, headline: str
) -> None:
    log = PASSES.replace("    ok 2", f"{odd}{headline}\n    ok 2")
    assert on(log.splitlines()).outcome is Outcome.CRASH


@pytest.mark.parametrize(
    "before", [*ODD, "foo ", "watchdog says: ", "Nov 30 17:41:19 box qemu[7]: "]
)
@pytest.mark.parametrize("more", ["", "BUG kmalloc-64 (Not tainted): Object already free\n"])
def test_a_panic_is_never_passed_over(before: str, more: str) -> None:
    panic = f"{before}Kernel panic - not syncing: x\n"
    verdict = on(PASSES.replace("ok 2 queue\n", f"ok 2 queue\n{more}{panic}").splitlines())
    assert verdict.outcome is Outcome.CRASH
    assert "panic" in {one.complaint.kind.value for one in verdict.charges}


@pytest.mark.parametrize(
    "line",
    [
        "# queue: Kernel panic - not syncing: x",
        'replayed "Kernel panic - not syncing: x" of yesterday',
        "it says 'see Linux version 5.0 for this'",
    ],
)
def test_what_a_test_says_or_somebody_quotes_is_none(line: str) -> None:
    assert on(PASSES.replace("ok 2 queue\n", f"{line}\nok 2 queue\n").splitlines()).outcome is (
        Outcome.PASS
    )
