# SPDX-License-Identifier: GPL-2.0
"""The HTML page, as a parser sees it; tests/test_browser.py opens it in a browser."""

import re
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from harness.measure import Measure
from harness.record import CellRecord, ComplaintRecord
from harness.reports.account import Account
from harness.reports.page import duration, page
from tests.accounts import LEFT_OUT, NASTY, a_case, a_cell, a_complaint, a_run, account, flaky, real

NONE = "\N{EN DASH}"
CONSOLE = ("one", "two", "# start: one", "not ok 1 one", "BUG: bad", "Call Trace:", "end")


def parsed(told: Account) -> Any:
    return html.document_fromstring(page(told))


def of(tmp_path: Path, *cells: CellRecord, **more: object) -> Any:
    return parsed(account(tmp_path, a_run(*cells, **more), CONSOLE))  # type: ignore[arg-type]


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


def matrix(root: Any) -> list[list[str]]:
    return [[words(cell) for cell in row] for row in root.cssselect("table.matrix tr")]


def test_the_matrix_of_a_real_run() -> None:
    assert matrix(parsed(real())) == [
        ["kernel", "uma", "4n"],
        ["x86_64"],
        ["slqb-lean", "✓ PASS 28.1 s", "✓ PASS 32.3 s"],
        ["slqb-debug", NONE, "✕ CRASH 3 min 37 s"],
    ]


def test_several_machines_share_the_columns(tmp_path: Path) -> None:
    names = ("x86_64-slqb-lean-4n", "ppc64-slqb-lean-4n", "ppc64-slqb-lean-altix")
    root = of(tmp_path, *(a_cell(name) for name in names))
    assert matrix(root) == [
        ["kernel", "4n", "altix"],
        ["x86_64"],
        ["slqb-lean", "✓ PASS 10.0 s", NONE],
        ["ppc64"],
        ["slqb-lean", "✓ PASS 10.0 s", "✓ PASS 10.0 s"],
    ]


@pytest.mark.parametrize("console", [True, False])
def test_every_link_leads_to_something_that_is_there(console: bool) -> None:
    told = real()
    root = parsed(told if console else Account(told.record, told.folder))
    links = [one.get("href") for one in root.cssselect("a")]
    ids = [one.get("id") for one in root.xpath("//*[@id]")]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_complaint_leads_to_its_lines_which_stand_out() -> None:
    root = parsed(real())
    [link] = root.cssselect(".complaints li > a")
    line = root.get_element_by_id(link.get("href")[1:])
    assert line.get("class") == "loud"
    assert "dump_stack" in " ".join(words(one) for one in root.cssselect(".console .loud"))


def test_what_failed_stands_before_what_did_not(tmp_path: Path) -> None:
    cases = (a_case("a.b"), a_case("c.d"), a_case("c.e", "fail"), a_case("c.f", "missing"))
    root = of(tmp_path, a_cell(outcome="FAIL", cases=cases))
    told = [words(one) for one in root.cssselect(".tests tbody tr td:nth-child(2)")]
    assert told == ["e", "f", "d", "b"]


def test_a_failed_test_leads_to_its_line_and_its_group_is_open() -> None:
    root = parsed(real())
    [row] = root.cssselect("tr.fail")
    assert "failslab" in words(row)
    assert root.get_element_by_id(row.cssselect("a")[0].get("href")[1:]) is not None
    groups = {
        words(one[0]).split()[0]: one.get("open") for one in _boot(root, 3).cssselect(".group")
    }
    assert groups == {"user": "", "topology": None, "slabtest": None}


def _boot(root: Any, number: int) -> Any:
    return root.get_element_by_id(f"c{number}").getparent()


def test_few_boots_that_went_wrong_are_open_and_many_are_not(tmp_path: Path) -> None:
    bad = [a_cell(f"m-k{number}-2n", outcome="FAIL") for number in range(4)]
    for count, shown in ((3, 3), (4, 0)):
        root = of(tmp_path / str(count), a_cell(), *bad[:count])
        assert len(root.cssselect("details.boot[open]")) == shown


def test_how_to_repeat_it() -> None:
    [command] = [words(one) for one in _boot(parsed(real()), 3).cssselect("pre.command")]
    assert command == (
        "slqb run --tree debian:6.1 --arch x86_64 --config debug --allocator slqb --topology 4n "
        "--accel tcg --suite all --seed 2245435115 --scale quick --trim-ms 200 --case user.failslab"
    )


def test_the_command_of_a_run_can_be_given_to_a_shell(tmp_path: Path) -> None:
    root = of(tmp_path, a_cell(), command=("slqb", "run", "--case", "slabtest.*"))
    assert words(root.cssselect(".about pre")[0]) == "slqb run --case 'slabtest.*'"


def test_the_phases_are_a_timeline(tmp_path: Path) -> None:
    root = of(tmp_path, a_cell(phases={"firmware": 0.5, "kernel": 1.5, "tests": 8.0}))
    shares = [one.get("style") for one in root.cssselect(".timeline i")]
    assert shares == ["flex-grow:5.00", "flex-grow:15.00", "flex-grow:80.00"]
    assert [words(one) for one in root.cssselect(".legend li")] == [
        "firmware 0.50 s",
        "kernel 1.50 s",
        "tests 8.00 s",
    ]


def test_a_flaky_boot_shows_its_attempts_and_is_no_pass(tmp_path: Path) -> None:
    root = of(tmp_path, flaky(), a_cell("m-k-4n"))
    assert matrix(root)[2] == ["k", "≈ FLAKY 10.0 s", "✓ PASS 10.0 s"]
    assert [words(one) for one in root.cssselect(".attempts li")] == [
        "FAIL: first 9.0 s, m-k-2n",
        "PASS 10.0 s, m-k-2n-again",
    ]
    assert words(root.cssselect(".tiles")[0]) == "2 boots ✓ 1 passed ≈ 1 flaky 20.0 s in all"


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [("HOST", "? HOST"), ("BUILD", "✕ BUILD"), ("TIMEOUT", "✕ TIMEOUT"), (None, "? RUNNING")],
)
def test_other_outcomes(tmp_path: Path, outcome: str | None, shown: str) -> None:
    status = "running" if outcome is None else "finished"
    root = of(tmp_path, a_cell(outcome=outcome, status=status, cases=(), reason="x"))
    assert matrix(root)[2][1].startswith(shown)


def test_a_run_that_came_to_no_boot(tmp_path: Path) -> None:
    root = of(tmp_path, outcome="TREE", reason="no place")
    assert words(root.cssselect("header")[0]) == "✕ TREE slqb run 20260101-000000 no place"
    assert "No boot came of this run." in words(root.cssselect("#matrix")[0])


def test_measures_and_what_the_host_spoilt_are_told(tmp_path: Path) -> None:
    measure = {"irqsoff": Measure(value=12, unit="ns", where="slab_free")}
    root = of(tmp_path, a_cell(measures=measure, host_failures=("QEMU died",)))
    assert "12 ns (slab_free)" in words(root)
    assert "QEMU died" in words(root)


def test_what_was_left_out_is_told_by_the_reason(tmp_path: Path) -> None:
    root = of(tmp_path, a_cell(), left_out=LEFT_OUT)
    box = root.get_element_by_id("left-out")
    assert words(box.cssselect("summary")[0]) == "3 cells left out"
    told = [words(one) for one in box.cssselect("dt, dd")]
    assert told == ["one CPU", "m-up-2n, m-up-4n", "no room", "m-k-altix"]


def nasty() -> CellRecord:
    complaint = ComplaintRecord(kind=NASTY, headline=NASTY, lines=(1, 2), decoded=(NASTY,))
    return a_cell(
        "m-k-2n",
        "CRASH",
        reason=NASTY,
        cases=(a_case(f"g.{NASTY}", "fail", NASTY),),
        complaints=(complaint,),
        phases={NASTY: 1.0},
        host_failures=(NASTY,),
        attempts=flaky(NASTY).attempts,
        measures={NASTY: Measure(value=1, unit=NASTY)},
        cmdline=(NASTY,),
    )


def test_nothing_that_is_told_becomes_markup(tmp_path: Path) -> None:
    record = a_run(nasty(), reason=NASTY, command=(NASTY,))
    text = page(account(tmp_path, record, [NASTY] * 9))
    root = html.document_fromstring(text)
    assert not root.cssselect("script, img, iframe, object, link, base, form")
    assert not [name for one in root.iter("*") for name in one.attrib if name.startswith("on")]
    assert text.count("window.owned") > 20
    assert NASTY in root.text_content()


def test_the_page_needs_nothing_and_may_do_nothing() -> None:
    text = page(real())
    root = html.document_fromstring(text)
    [policy] = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert not root.xpath("//*[@src]")
    assert {href[0] for href in root.xpath("//@href")} == {"#"}
    assert not re.findall(r"url\(|@import|https?:", text)


def test_what_is_left_out_of_a_console_is_said(tmp_path: Path) -> None:
    root = parsed(account(tmp_path, a_run(a_cell()), ["x"] * 1000))
    assert words(root.cssselect(".console .gap")[0]) == "975 lines left out"
    assert "25 of 1000 lines" in words(root)


def test_forty_boots_with_consoles_of_megabytes_are_a_small_page(tmp_path: Path) -> None:
    cases = tuple(a_case(f"group{at % 3}.test_number_{at}") for at in range(90))
    bad = {"complaints": (a_complaint(), a_complaint()), "cases": (a_case(status="fail"), *cases)}
    cells = [
        a_cell(
            f"m-k{at}-2n",
            "CRASH" if at % 4 == 0 else "PASS",
            **(bad if at % 4 == 0 else {"cases": cases}),
        )
        for at in range(40)
    ]
    text = page(account(tmp_path, a_run(*cells), ["y" * 1000] * 2000))
    assert len(text) < 1_500_000


def test_times_for_people() -> None:
    assert [duration(at) for at in (0, 9.96, 99.9, 100, 3599, 3600, 7321.4)] == [
        "0.0 s", "10.0 s", "99.9 s", "1 min 40 s", "59 min 59 s", "1 h 0 min", "2 h 2 min",
    ]  # fmt: skip
