# SPDX-License-Identifier: GPL-2.0
"""KTAP: what is written is read again; what is damaged never looks better than it is."""

import re
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.console import saved
from harness.ktap import Status, in_grammar
from harness.prefix import bare
from harness.results import BAD, Case, Group, Report, report
from harness.verdict import Boot, judge

NOISE = (
    "",
    "random: crng init done",
    "smpboot: CPU 1 is now offline",
    "    indented by accident",
    "1.5 GHz is not a plan",
    "ok computer",
    "not okay either",
    "# a remark",
    "        # case: a deeper remark",
    "# Totals: pass:1 fail:0 skip:0 total:1",
    "[    1.000000] clocksource: tsc",
)
PREFIXES = ("", "[   12.345678] ", "<6>[    0.000001] ", "[    1.5][   T41] ", "<4>")


@dataclass(frozen=True)
class Tree:
    """A test, or a group of tests."""

    name: str
    status: Status = Status.PASS
    inside: tuple["Tree", ...] = ()

    @property
    def fails(self) -> bool:
        if self.inside:
            return any(one.fails for one in self.inside)
        return self.status in (Status.FAIL, Status.KNOWN)

    def written(self, number: int, indent: str) -> list[str]:
        """Its lines."""
        lines = block(self.inside, indent + "    ", self.name) if self.inside else []
        word = {Status.SKIP: " # SKIP no", Status.KNOWN: " # TODO later"}.get(self.status, "")
        result = f"{indent}{'not ' * self.fails}ok {number} {self.name}{word}"
        return [*lines, result]

    def leaves(self, above: str = "") -> list[tuple[str, Status]]:
        path = f"{above}.{self.name}" if above else self.name
        if not self.inside:
            return [(path, self.status)]
        return [leaf for one in self.inside for leaf in one.leaves(path)]


def block(trees: tuple[Tree, ...], indent: str = "", name: str = "") -> list[str]:
    head = [f"{indent}KTAP version 1", *([f"{indent}# Subtest: {name}"] if name else [])]
    body = [line for i, tree in enumerate(trees, 1) for line in tree.written(i, indent)]
    return [*head, f"{indent}1..{len(trees)}", *body]


NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}( [a-z]{1,4})?", fullmatch=True)
STATUSES = st.sampled_from([Status.PASS, Status.PASS, Status.FAIL, Status.SKIP, Status.KNOWN])
LEAVES = st.builds(Tree, NAMES, STATUSES)
TREES = st.recursive(
    LEAVES,
    lambda deeper: st.builds(
        Tree,
        NAMES,
        st.just(Status.PASS),
        st.lists(deeper, min_size=1, max_size=4).map(tuple),
    ),
    max_leaves=12,
)
STREAMS = st.lists(TREES, min_size=1, max_size=4).map(tuple)


def found(lines: list[str]) -> list[tuple[str, Status]]:
    return [(case.path, case.status) for case in report(lines).cases]


@given(STREAMS)
def test_what_is_written_is_read(trees: tuple[Tree, ...]) -> None:
    assert found(block(trees)) == [leaf for tree in trees for leaf in tree.leaves()]


@given(STREAMS, st.data())
def test_kernel_messages_in_between_change_nothing(
    trees: tuple[Tree, ...], data: st.DataObject
) -> None:
    lines = block(trees)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines)))
        lines.insert(at, data.draw(st.sampled_from(NOISE)))
    assert found(lines) == found(block(trees))


@given(STREAMS, st.sampled_from(PREFIXES))
def test_a_printk_prefix_changes_nothing(trees: tuple[Tree, ...], prefix: str) -> None:
    assert found([prefix + line for line in block(trees)]) == found(block(trees))


@given(STREAMS, st.data())
def test_a_log_that_was_cut_off_is_never_a_pass(
    trees: tuple[Tree, ...], data: st.DataObject
) -> None:
    lines = block(trees)
    kept = lines[: data.draw(st.integers(0, len(lines) - 1))]
    verdict = judge(Boot(tuple(saved(kept))))
    assert verdict.outcome.exit_code != 0


@given(STREAMS, st.data())
def test_a_lost_result_is_never_a_pass(trees: tuple[Tree, ...], data: st.DataObject) -> None:
    lines = block(trees)
    results = [i for i, line in enumerate(lines) if line.lstrip().startswith(("ok", "not ok"))]
    del lines[data.draw(st.sampled_from(results))]
    assert any(case.status in BAD for case in report(lines).cases)


@given(st.lists(st.one_of(st.text(max_size=40), st.sampled_from(NOISE)), max_size=30))
def test_nothing_makes_the_reader_fail(lines: list[str]) -> None:
    report(lines)


@given(STREAMS)
def test_the_lines_of_the_cases_are_disjoint_and_in_order(trees: tuple[Tree, ...]) -> None:
    cases = report(block(trees)).cases
    assert all(case.first <= case.last for case in cases)
    assert all(before.last < after.first for before, after in pairwise(cases))


def one(*lines: str) -> Case:
    """The only case of a stream."""
    [case] = report(["KTAP version 1", "1..1", *lines]).cases
    return case


@pytest.mark.parametrize(
    ("line", "name", "status", "reason"),
    [
        ("ok 1 a", "a", Status.PASS, ""),
        ("ok 1 - a", "a", Status.PASS, ""),
        ("ok 1", "test 1", Status.PASS, ""),
        ("not ok 1 a b", "a b", Status.FAIL, ""),
        ("ok 1 a # SKIP", "a", Status.SKIP, "SKIP"),
        ("ok 1 a # skip: no memory", "a", Status.SKIP, "no memory"),
        ("ok 1 # SKIP all of it", "test 1", Status.SKIP, "all of it"),
        ("not ok 1 a # SKIP after all", "a", Status.SKIP, "after all"),
        ("not ok 1 a # TODO later", "a", Status.KNOWN, "later"),
        ("not ok 1 a # XFAIL known", "a", Status.KNOWN, "known"),
        ("ok 1 a # TODO works already", "a", Status.PASS, "works already"),
        ("ok 1 a # TIMEOUT 3 s", "a", Status.FAIL, "3 s"),
        ("not ok 1 a # ERROR no such file", "a", Status.FAIL, "no such file"),
        ("not ok 1 a # cannot load: ENOEXEC", "a", Status.FAIL, "cannot load: ENOEXEC"),
        ("ok 1 issue#7 is mended", "issue#7 is mended", Status.PASS, ""),
        ("ok 1 a # SKIPPER is a name", "a", Status.PASS, "SKIPPER is a name"),
    ],
)
def test_a_result(line: str, name: str, status: Status, reason: str) -> None:
    case = one(line)
    assert (case.path, case.status, case.reason) == (name, status, reason)


def test_a_begun_test_has_its_name_even_if_it_never_ends() -> None:
    assert one("# start: slow_one").path == "slow_one"
    assert one("# start: slow_one").status is Status.MISSING


def test_a_group_without_tests_is_skipped() -> None:
    case = one("    KTAP version 1", "    # Subtest: empty", "    1..0", "ok 1 empty")
    assert (case.status, case.reason) == (Status.SKIP, "there are no tests in it")


def owners(*lines: str) -> list[str]:
    told: Report = report(["KTAP version 1", "1..2", *lines])
    return [told.owner(number + 2) for number in range(len(lines))]


def test_every_line_belongs_to_the_test_that_was_running() -> None:
    assert owners(
        "    KTAP version 1",
        "    # Subtest: group",
        "    1..2",
        "before the first",
        "    ok 1 a",
        "during b",
        "    ok 2 b",
        "after the last",
        "ok 1 group",
        "during the next",
        "ok 2 alone",
    ) == [
        *["group", "group", "group.a", "group.a", "group.a", "group.b", "group.b", "group"],
        *["group", "alone", "alone"],
    ]


def test_lines_before_and_after_all_tests_belong_to_none() -> None:
    told = report(["boot", "KTAP version 1", "1..1", "x", "ok 1 a", "y"])
    assert [told.owner(number) for number in range(6)] == ["", "", "a", "a", "a", ""]


@pytest.mark.parametrize("line", ["ok 1 a", "    not ok 2 b", "1..4", "KTAP version 1", "  # c"])
def test_lines_of_the_tests_are_no_kernel_messages(line: str) -> None:
    assert in_grammar(line)


@pytest.mark.parametrize("line", ["#PF: supervisor read access", "BUG: x", "okay", "#"])
def test_kernel_messages_are_not_of_the_tests(line: str) -> None:
    assert not in_grammar(line)


def test_the_indent_counts_behind_the_prefix() -> None:
    assert bare("[    1.234567]     ok 1 a") == "    ok 1 a"
    assert bare("<6>    ok 1 a") == "    ok 1 a"
    assert bare("[ BUG: Invalid wait context ]") == "[ BUG: Invalid wait context ]"


@pytest.mark.parametrize("status", [Status.PASS, Status.KNOWN, Status.FAIL, Status.SKIP])
def test_a_group_without_an_end_is_told_whatever_became_of_its_tests(status: Status) -> None:
    lines = block((Tree("group", inside=(Tree("one"), Tree("two", status))),))
    told = [(case.path, case.status) for case in report(lines[:-1]).cases]
    assert told[-1] == ("group", Status.MISSING)


def test_the_owner_of_a_line_is_the_shortest_span_around_it() -> None:
    lines = block((Tree("a", inside=(Tree("b"), Tree("c", inside=(Tree("d"),)))), Tree("e")))
    told = report([one for line in lines for one in ("noise", line, "noise")])
    spans: list[Case | Group] = [*told.groups, *told.cases]
    for line in range(-1, 3 * len(lines) + 1):
        around = [one for one in spans if one.first <= line <= one.last]
        shortest = min(around, key=lambda one: one.last - one.first, default=None)
        assert told.owner(line) == (shortest.path if shortest else "")


@pytest.mark.parametrize("indent", ["\t", "    ", "  ", " \t", "   \t  "])
def test_any_indent_nests(indent: str) -> None:
    lines = block((Tree("s", inside=(Tree("a"), Tree("b", Status.FAIL))),))
    wears = [line.replace("    ", indent) for line in lines]
    assert found(wears) == found(lines) == [("s.a", Status.PASS), ("s.b", Status.FAIL)]


@given(STREAMS)
def test_tabs_for_eight_spaces_change_nothing(trees: tuple[Tree, ...]) -> None:
    lines = block(trees)
    short = [re.sub(r"^(?: {8})+", lambda run: "\t" * (len(run[0]) // 8), line) for line in lines]
    assert found(short) == found(lines)


@pytest.mark.parametrize("regex", ["(unclosed", "(?=ahead)", r"(a)\1", "a{9999}", "(" * 5000])
def test_a_pattern_that_cannot_be_used_is_a_failed_case(regex: str) -> None:
    told = report(["KTAP version 1", "1..1", f"# expect: 1 {regex}", "ok 1 a"])
    assert any("`# expect:` has a bad pattern" in case.reason for case in told.cases)


@pytest.mark.parametrize(
    ("remark", "fine", "bad"),
    [
        *((word, Status.SKIP, Status.SKIP) for word in ("SKIP", "skip: no", "Skip no", "SKIP")),
        *((word, Status.PASS, Status.KNOWN) for word in ("TODO", "todo later", "XFAIL: x")),
        *((word, Status.FAIL, Status.FAIL) for word in ("TIMEOUT", "TIMEOUT 45 s", "ERROR: x")),
        *(
            (word, Status.PASS, Status.FAIL)
            for word in ("todo-list", "skip-list", "timeout=300", "error count 0", "TIMEOUTS", "x")
        ),
    ],
)
def test_a_directive_is_a_whole_word(remark: str, fine: Status, bad: Status) -> None:
    for word, status in (("ok", fine), ("not ok", bad)):
        lines = ["KTAP version 1", "1..1", f"{word} 1 a # {remark}"]
        assert [case.status for case in report(lines).cases] == [status]


@pytest.mark.parametrize(
    ("announced", "outcome"), [(1000, "PASS"), (1001, "FAIL"), (20_000, "FAIL")]
)
def test_a_test_announces_so_many_complaints_at_most(announced: int, outcome: str) -> None:
    wishes = [f"# expect: 0-1 WARNING {at}" for at in range(announced)]
    lines = ["KTAP version 1", "1..1", *wishes, "ok 1 a"]
    verdict = judge(Boot(tuple(saved(lines))))
    assert verdict.outcome.name == outcome
    assert sum("announced more than 1000" in one.reason for one in verdict.findings) == (
        outcome == "FAIL"
    )
