# SPDX-License-Identifier: GPL-2.0
"""The rate of flakes: only what came out both ways though nothing changed."""

from harness.record import AttemptRecord, CellRecord, RunRecord
from harness.reports.flakes import Flake, flakes
from tests.accounts import a_case, a_cell, a_run, flaky


def runs(*outcomes: str | None) -> list[RunRecord]:
    return [
        a_run(a_cell(outcome=outcome), name=f"r{number}") for number, outcome in enumerate(outcomes)
    ]


def image(record: RunRecord, sha256: str) -> RunRecord:
    kernels = tuple(one.model_copy(update={"image_sha256": sha256}) for one in record.kernels)
    return record.model_copy(update={"kernels": kernels})


def test_the_rate_is_that_of_failures_among_boots() -> None:
    found = flakes(runs("PASS", "PASS", "CRASH", "PASS", "TIMEOUT"))
    assert found.flakes == (Flake("m-k-2n", "", 2, 5, 1, ("r2", "r4")),)
    assert (found.runs, found.boots, found.flakes[0].rate) == (5, 5, 0.4)


def test_the_runs_where_it_failed_are_told_in_their_order() -> None:
    first, second, third, fourth = runs("CRASH", "PASS", "CRASH", "PASS")
    other = [image(one, "1" * 64) for one in (second, third)]
    [flake] = flakes([image(first, "0" * 64), *other, image(fourth, "0" * 64)]).flakes
    assert flake.runs == ("r0", "r2")
    again = [image(third, "1" * 64), first, image(second, "1" * 64), fourth]
    assert flakes(again).flakes[0].runs == ("r2", "r0")  # as they come, whatever the kernel


def test_what_always_fails_is_no_flake() -> None:
    assert flakes(runs("CRASH", "CRASH")).flakes == ()


def test_what_the_host_spoilt_does_not_count() -> None:
    found = flakes(runs("PASS", "HOST", "INTERRUPTED", None, "PASS"))
    assert (found.flakes, found.boots) == ((), 2)


def test_another_kernel_is_another_thing() -> None:
    [good, bad] = runs("PASS", "CRASH")
    assert flakes([good, image(bad, "1" * 64)]).flakes == ()


def test_other_options_are_another_thing_and_another_seed_is_not() -> None:
    def asked(cell: CellRecord, **change: object) -> RunRecord:
        return a_run(cell.model_copy(update={"asked": cell.asked.model_copy(update=change)}))

    good, bad = a_cell(), a_cell(outcome="FAIL")
    assert flakes([asked(good, seed=1), asked(bad, append=("slub_debug",))]).flakes == ()
    assert len(flakes([asked(good, seed=1), asked(bad, seed=2)]).flakes) == 1


def test_the_rate_counts_only_kernels_that_passed_as_well() -> None:
    steady = [image(one, "1" * 64) for one in runs("CRASH", "CRASH", "CRASH")]
    [flake] = flakes([*runs("PASS", "CRASH"), *steady]).flakes
    assert (flake.failed, flake.boots, flake.kernels) == (1, 2, 1)


def test_a_boot_that_was_repeated_counts_as_many_times() -> None:
    found = flakes([a_run(flaky())])
    assert [(one.case, one.failed, one.boots) for one in found.flakes] == [
        ("", 1, 2),
        ("slabtest.one", 1, 2),
    ]
    assert found.boots == 2


def test_a_boot_that_failed_again_is_no_flake() -> None:
    tries = (AttemptRecord(outcome="FAIL"), AttemptRecord(outcome="FAIL"))
    assert flakes([a_run(a_cell(outcome="FAIL", attempts=tries))]).flakes == ()


def test_a_test_of_its_own() -> None:
    good, bad = (a_cell(outcome=outcome, cases=(a_case("a.b", status), a_case("a.c")))
                 for outcome, status in (("PASS", "pass"), ("FAIL", "fail")))  # fmt: skip
    found = flakes([a_run(good), a_run(bad), a_run(good), a_run(good)])
    assert [(one.case, one.failed, one.boots) for one in found.flakes] == [
        ("", 1, 4),
        ("a.b", 1, 4),
    ]


def test_the_most_frequent_come_first() -> None:
    seldom = [a_run(a_cell("a-k-2n", outcome)) for outcome in ("PASS", "PASS", "FAIL")]
    often = [a_run(a_cell("z-k-2n", outcome)) for outcome in ("PASS", "FAIL", "FAIL")]
    assert [one.cell for one in flakes([*seldom, *often]).flakes] == ["z-k-2n", "a-k-2n"]
