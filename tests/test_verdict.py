# SPDX-License-Identifier: GPL-2.0
"""Two channels, one verdict. Whole logs are in test_logs.py; here are the ends of boots."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.boot import Ended
from harness.complaint import Complaint
from harness.console import Line
from harness.errors import Outcome
from harness.ktap import Expectation, Status
from harness.results import Declared
from harness.verdict import SEVERITY, Boot, Verdict, judge, worst
from tests.fakes import FAILS, GUEST, PASSES

STALL = "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:\n"
WARN = "WARNING: CPU: 0 PID: 1 at mm/slqb.c:1 f+0x1/0x2\n"
PANIC = "Kernel panic - not syncing: a test\n"
LAST_WORDS = "slqb-guest: taint 4096\nslqb-guest: done\n"
BEFORE = "Linux version 6.1.0\nRun /init as init process\n"


def verdict(text: str, ended: Ended | None, *, starved: bool = False) -> Verdict:
    lines = tuple(Line(line, float(at)) for at, line in enumerate(text.splitlines()))
    return judge(Boot(lines, ended, starved=lambda _at: starved, qemu_said="killed"))


@pytest.mark.parametrize(
    ("text", "ended", "outcome"),
    [
        (PASSES, Ended.POWEROFF, Outcome.PASS),
        (FAILS, Ended.POWEROFF, Outcome.FAIL),
        (PASSES.replace("    ok 2", WARN + "    ok 2"), Ended.POWEROFF, Outcome.CRASH),
        (FAILS.replace("    not ok 2", WARN + "    not ok 2"), Ended.POWEROFF, Outcome.CRASH),
        # it ended in the middle of the tests
        (GUEST, Ended.HANG, Outcome.TIMEOUT),
        (GUEST, Ended.TIMEOUT, Outcome.TIMEOUT),
        (GUEST, Ended.QEMU_DIED, Outcome.HOST),
        (GUEST, Ended.RESET, Outcome.CRASH),
        (GUEST, Ended.POWEROFF, Outcome.FAIL),
        (GUEST + PANIC, Ended.PANIC, Outcome.CRASH),
        # a test that was begun was reached, though its group ended early
        (
            GUEST.replace("    ok 1 one\n", "") + WARN + "Bail out! gone\n",
            Ended.POWEROFF,
            Outcome.CRASH,
        ),
        # stalls say why it hung, other complaints say more than that it hung
        (GUEST + STALL, Ended.HANG, Outcome.TIMEOUT),
        (GUEST + STALL, Ended.TIMEOUT, Outcome.TIMEOUT),
        (GUEST + WARN, Ended.HANG, Outcome.CRASH),
        (PASSES.replace("    ok 2", STALL + "    ok 2"), Ended.POWEROFF, Outcome.CRASH),
        # what was seen before QEMU died still was
        (GUEST + WARN, Ended.QEMU_DIED, Outcome.CRASH),
        (GUEST.replace("    ok 1 one", "    not ok 1 one"), Ended.QEMU_DIED, Outcome.FAIL),
        # it ended before the tests
        ("", Ended.POWEROFF, Outcome.BOOT),
        ("", Ended.QEMU_DIED, Outcome.HOST),
        ("", Ended.HANG, Outcome.TIMEOUT),
        (BEFORE, Ended.POWEROFF, Outcome.BOOT),
        (BEFORE, Ended.RESET, Outcome.BOOT),
        (BEFORE, Ended.HANG, Outcome.TIMEOUT),
        (BEFORE + PANIC, Ended.PANIC, Outcome.BOOT),
        (BEFORE + WARN + PANIC, Ended.PANIC, Outcome.BOOT),
        (BEFORE + WARN, Ended.HANG, Outcome.CRASH),
    ],
)
def test_the_outcome_of_a_boot(text: str, ended: Ended, outcome: Outcome) -> None:
    found = verdict(text, ended)
    assert found.outcome is outcome
    assert bool(found.reason) == (outcome is not Outcome.PASS)


@pytest.mark.parametrize("ended", [Ended.HANG, Ended.TIMEOUT])
def test_a_hang_while_the_host_starved_the_guest_is_the_hosts(ended: Ended) -> None:
    found = verdict(GUEST, ended, starved=True)
    assert found.outcome is Outcome.HOST
    assert found.reason.startswith("the host starved the guest; ")


def test_a_stall_while_the_host_starved_the_guest_is_the_hosts() -> None:
    text = PASSES.replace("    ok 2", STALL + "    ok 2")
    assert verdict(text, Ended.POWEROFF, starved=True).outcome is Outcome.HOST


def test_a_crash_stays_a_crash_however_busy_the_host() -> None:
    text = PASSES.replace("    ok 2", WARN + "    ok 2")
    assert verdict(text, Ended.POWEROFF, starved=True).outcome is Outcome.CRASH


def test_a_complaint_fails_the_test_that_was_running() -> None:
    found = verdict(PASSES.replace("    ok 2", WARN + "    ok 2"), Ended.POWEROFF)
    status = {case.path: case.status for case in found.cases}
    assert status["slabtest.one"] is Status.PASS
    assert status["slabtest.two"] is Status.FAIL


def test_a_hang_names_the_test_and_the_last_line() -> None:
    found = verdict(GUEST, Ended.HANG)
    assert found.reason == "the guest went silent in slabtest.two, last: '# start: two'"
    assert ("slabtest.two", Status.MISSING) in [(c.path, c.status) for c in found.cases]


def test_why_qemu_died_is_said() -> None:
    assert verdict(GUEST, Ended.QEMU_DIED).reason == "QEMU died: killed"


def test_the_shape_alone_is_no_test_unless_nothing_else_was_wanted() -> None:
    text = GUEST[: GUEST.index("    KTAP version 1\n    # Subtest: slabtest")] + LAST_WORDS
    lines = tuple(Line(line) for line in text.replace("1..2", "1..1", 1).splitlines())
    assert judge(Boot(lines, Ended.POWEROFF)).outcome is Outcome.BOOT
    assert judge(Boot(lines, Ended.POWEROFF, tests_wanted=False)).outcome is Outcome.PASS


def test_complaints_may_be_declared_from_outside() -> None:
    text = PASSES.replace("    ok 2", WARN + "    ok 2")
    lines = tuple(Line(line) for line in text.splitlines())
    wish = Declared("slabtest.two", Expectation("WARNING.*slqb"))
    assert judge(Boot(lines, Ended.POWEROFF), [wish]).outcome is Outcome.PASS
    elsewhere = Declared("slabtest.one", Expectation("WARNING.*slqb"))
    assert judge(Boot(lines, Ended.POWEROFF), [elsewhere]).outcome is Outcome.CRASH


@pytest.mark.parametrize("word", ["slqb-guest: taint 4096\n", "slqb-guest: done\n"])
@pytest.mark.parametrize("ended", [None, Ended.POWEROFF])
def test_a_log_of_our_guest_without_its_last_words_is_no_pass(
    word: str, ended: Ended | None
) -> None:
    found = verdict(PASSES.replace(word, ""), ended)
    assert found.outcome is Outcome.FAIL
    assert "the guest's init did not finish: its last lines" in found.reason


def test_a_log_of_another_guest_needs_no_last_words() -> None:
    text = "".join(line for line in PASSES.splitlines(True) if "slqb-guest" not in line)
    assert verdict(text, None).outcome is Outcome.PASS


@pytest.mark.parametrize("directive", ["TODO not written", "XFAIL"])
def test_tests_that_are_known_to_fail_make_no_pass(directive: str) -> None:
    known = PASSES.replace("    ok 1 one", f"    not ok 1 one # {directive}")
    assert verdict(known, Ended.POWEROFF).outcome is Outcome.PASS  # the other one passed
    found = verdict(
        known.replace("    ok 2", "    not ok 2").replace("two\nok", f"two # {directive}\nok"),
        Ended.POWEROFF,
    )
    assert found.outcome is Outcome.BOOT
    assert found.reason == "no test passed: each that ran is known to fail"


@pytest.mark.parametrize("crash", [WARN, PANIC, STALL])
def test_a_crash_in_a_saved_log_without_tests_is_a_crash(crash: str) -> None:
    assert verdict(BEFORE + crash, None).outcome is Outcome.CRASH
    assert verdict(crash, None).outcome is Outcome.CRASH


def test_a_guest_that_resets_itself_in_a_test_has_crashed() -> None:
    found = verdict(GUEST + PASSES, None)
    assert found.outcome is Outcome.CRASH
    assert found.reason == "slabtest.two: the guest reset itself: its kernel starts again"
    assert [(one.path, one.complaint.first) for one in found.charges] == [
        ("slabtest.two", len(GUEST.splitlines()))
    ]


def test_the_tests_of_two_boots_count_together() -> None:
    assert verdict(PASSES + PASSES, None).count(Status.PASS) == 6
    assert verdict(PASSES + PASSES, None).outcome is Outcome.PASS
    for log in (PASSES + FAILS, FAILS + PASSES):
        assert verdict(log, None).outcome is Outcome.FAIL


def test_nothing_at_all_is_no_pass() -> None:
    assert worst([]) is Outcome.BOOT


def test_every_outcome_has_its_place() -> None:
    assert set(SEVERITY) == set(Outcome)
    assert len(SEVERITY) == len(set(SEVERITY))


def test_the_documented_precedence() -> None:
    order = (Outcome.CRASH, Outcome.TIMEOUT, Outcome.BOOT, Outcome.FAIL, Outcome.HOST, Outcome.PASS)
    for worse, better in pairwise(order):
        assert worst([better, worse]) is worse


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1), st.sampled_from(list(Outcome)))
def test_one_more_outcome_never_makes_it_better(outcomes: list[Outcome], more: Outcome) -> None:
    assert SEVERITY.index(worst([*outcomes, more])) >= SEVERITY.index(worst(outcomes))
    assert worst([*outcomes, more]) in [*outcomes, more]


def test_a_failed_test_gives_what_it_said_last_as_its_reason() -> None:
    said = "# start: two\n    # two: left 3 objects\n    # two: 17 ms\n    not ok 2 two\nnot ok 2"
    found = verdict(PASSES.replace("# start: two\n    ok 2 two\nok 2", said), Ended.POWEROFF)
    assert found.reason == "slabtest.two: left 3 objects"


def test_a_wrong_machine_is_told_with_what_was_found() -> None:
    said = "# shape: expected 1:64, found 1:32\n    not ok 1 shape\nnot ok 1 topology\n"
    text = GUEST.partition("ok 1 shape")[0] + said + "Bail out! topology\nslqb-guest: done\n"
    found = verdict(text, Ended.POWEROFF)
    assert found.outcome is Outcome.BOOT
    assert found.reason == "Bail out! topology (topology.shape: expected 1:64, found 1:32)"


def test_declared_complaints_are_charged_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the looks at a complaint; the same test comes again and again."""
    looks = 0
    matches = Complaint.matches

    def counted(complaint: Complaint, regex: str) -> bool:
        nonlocal looks
        looks += 1
        return matches(complaint, regex)

    monkeypatch.setattr(Complaint, "matches", counted)
    counts = []
    for times in (100, 400):
        looks = 0
        again = f"# expect: 1 WARNING\n{WARN}ok {{}} one\n"
        text = "KTAP version 1\n" + "".join(again.format(at) for at in range(1, times + 1))
        found = verdict(f"{text}1..{times}\n", None)
        assert sum(charge.expected for charge in found.charges) == times
        counts.append(looks)
    assert counts[1] <= 4 * counts[0] + 10


def test_a_later_expectation_takes_what_an_earlier_one_left() -> None:
    text = f"KTAP version 1\n1..1\n# expect: 1-2 WARNING\n# expect: 1 slqb\n{WARN * 3}ok 1 one\n"
    assert [charge.expected for charge in verdict(text, None).charges] == [True] * 3
    assert verdict(text.replace(WARN * 3, WARN * 2), None).outcome is Outcome.FAIL
    assert verdict(text.replace(WARN * 3, WARN * 4), None).outcome is Outcome.CRASH


@pytest.mark.parametrize(
    ("cause", "panic"),
    [
        (
            "BUG: kernel NULL pointer dereference, address: 08\nOops: 0000 [#1] SMP",
            "Fatal exception",
        ),
        ("general protection fault: 0000 [#1] SMP", "Fatal exception in interrupt"),
        ("kernel BUG at mm/slqb.c:9!", "Fatal exception"),
        ("list_del corruption. x\nkernel BUG at lib/list_debug.c:9!", "Fatal exception"),
        (
            "init[1]: segfault at 8 ip 0 sp 0 error 4 in init",
            "Attempted to kill init! exitcode=0xb",
        ),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [init:1]", "softlockup: hung tasks"),
        ("INFO: task init:1 blocked for more than 22 seconds.", "hung_task: blocked tasks"),
        ("rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "RCU Stall"),
        ("BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", "KASAN: panic_on_warn set ..."),
        ("UBSAN: shift-out-of-bounds in mm/slqb.c:1:2", "UBSAN: panic_on_warn set ..."),
        ("WARNING: CPU: 3 PID: 9 at mm/slub.c:9 g+0x1/0x2", "kernel: panic_on_warn set ..."),
    ],
)
@pytest.mark.parametrize("log", [GUEST, BEFORE])
def test_a_panic_is_told_by_what_caused_it(log: str, cause: str, panic: str) -> None:
    """Though another complaint came first."""
    warned = f"{WARN}Call Trace:\n---[ end trace 0 ]---\n"
    text = f"{log}{warned}{cause}\nKernel panic - not syncing: {panic}\n"
    found = verdict(text, Ended.PANIC)
    assert found.outcome is (Outcome.CRASH if log is GUEST else Outcome.BOOT)
    assert cause.splitlines()[0] in found.reason
    assert "Kernel panic" not in found.reason


def test_a_panic_that_nothing_caused_is_told_by_itself() -> None:
    found = verdict(f"{GUEST}{WARN}Kernel panic - not syncing: VFS: no root\n", Ended.PANIC)
    assert "VFS: no root" in found.reason


@pytest.mark.parametrize("regex", [".", "Kernel panic", "reset", "tainted"])
@pytest.mark.parametrize("count", ["1+", "0-9"])
@pytest.mark.parametrize(
    "lines",
    [
        PANIC,
        "[    0.000000] Linux version 6.1.0\n[    0.000000] Command line: x\n",
        "slqb-guest: taint 512\n",
    ],
)
def test_a_panic_a_reset_and_a_taint_cannot_be_announced(
    regex: str, count: str, lines: str
) -> None:
    begin = "[    0.000000] Linux version 6.1.0\nKTAP version 1\n1..1\n"
    found = verdict(f"{begin}# expect: {count} {regex}\n{lines}ok 1 a\n", None)
    assert found.outcome is Outcome.CRASH


@pytest.mark.parametrize(
    ("text", "ended", "outcome"),
    [
        (PASSES, Ended.POWEROFF, Outcome.PASS),
        (FAILS, Ended.POWEROFF, Outcome.HOST),
        (GUEST, Ended.HANG, Outcome.HOST),
        (PASSES.replace("    ok 2", STALL + "    ok 2"), Ended.POWEROFF, Outcome.HOST),
        (GUEST + WARN, Ended.HANG, Outcome.CRASH),
        (PASSES.replace("    ok 2", WARN + "    ok 2"), Ended.POWEROFF, Outcome.CRASH),
        (BEFORE, Ended.POWEROFF, Outcome.BOOT),
    ],
)
def test_a_guest_with_a_wrong_clock_is_no_evidence_for_what_depends_on_time(
    text: str, ended: Ended, outcome: Outcome
) -> None:
    lines = tuple(Line(line, float(at)) for at, line in enumerate(text.splitlines()))
    found = judge(Boot(lines, ended, pace=58.0))
    assert found.outcome is outcome, found.reason
    if outcome is Outcome.HOST:
        assert "the guest's clock ran 58 times too fast" in found.reason
