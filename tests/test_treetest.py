# SPDX-License-Identifier: GPL-2.0
"""What is known of the tree's own tests: complaints they cause, cases that cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.console import Line
from harness.errors import Outcome, UserError
from harness.treetest import tree_tests
from harness.verdict import Boot, Verdict, judge
from tests.fakes import PASSES

REPORT = """\
==================================================================
BUG: KASAN: slab-out-of-bounds in kmalloc_oob_right+0x1/0x2
Write of size 1 at addr ffff888000000000 by task kunit_try_catch/12
"""
ALIAS = """\
kmemleak: Found object by alias at 0xffff888000000021
CPU: 1 PID: 70 Comm: kunit_try_catch Tainted: G    B            N 6.1.0 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x1/0x2
 kmem_cache_free+0x1/0x2
 </TASK>
kmemleak: Object 0xffff888000000020 (size 32):
==================================================================
BUG: KFENCE: invalid free in test_free+0x1/0x2
"""
SUITE = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: {suite}
    1..1
{report}    ok 1 {case}
ok 1 {suite}
"""


def verdict(suite: str, report: str, case: str = "kmalloc_oob_right") -> Verdict:
    text = SUITE.format(suite=suite, case=case, report=report)
    return judge(Boot(tuple(Line(line) for line in text.splitlines())))


def test_what_a_suite_provokes_is_no_complaint() -> None:
    judged = verdict("kasan", REPORT)
    assert judged.outcome is Outcome.PASS, judged.reason
    assert [charge.expected for charge in judged.charges] == [True]


def test_kmemleak_may_tell_of_the_one_case_that_frees_the_middle_of_an_object() -> None:
    judged = verdict("kfence", ALIAS, "test_invalid_addr_free")
    assert judged.outcome is Outcome.PASS, judged.reason
    told = [charge.complaint.headline for charge in judged.charges]
    assert len(told) == 2
    assert told[0].startswith("kmemleak: Found object by alias")
    other = verdict("kfence", ALIAS, "test_double_free")
    assert other.reason.startswith("kfence.test_double_free: kmemleak: Found object by alias")


@pytest.mark.parametrize("suite", ["kasanova", "slub"])
def test_another_suite_may_not(suite: str) -> None:
    assert verdict(suite, REPORT).outcome is Outcome.CRASH


def test_a_complaint_of_another_kind_counts() -> None:
    report = "WARNING: CPU: 0 PID: 1 at mm/slqb.c:1 f+0x1/0x2\n"
    assert verdict("kasan", report).outcome is Outcome.CRASH


def test_nobody_misses_a_complaint_that_a_suite_did_not_provoke() -> None:
    assert verdict("kasan", "").outcome is Outcome.PASS
    assert judge(Boot(tuple(Line(line) for line in PASSES.splitlines()))).findings == ()


def test_everything_known_has_a_reason() -> None:
    known = tree_tests()
    assert all(one.why for one in known.noisy)
    assert all(one.why for one in known.left_out)
    cases = [one.case for one in known.left_out]
    assert sorted(cases) == sorted(set(cases))


def test_a_bad_pattern_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "treetests.toml"
    path.write_text('description = "x"\n[[noisy]]\npath = "kasan"\ncomplaint = "("\nwhy = "none"\n')
    with pytest.raises(UserError, match=r"treetests\.toml: noisy.0.complaint"):
        tree_tests(path)
