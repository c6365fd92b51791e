# SPDX-License-Identifier: GPL-2.0
"""SLQB's debugging on real boots: it changes nothing for the tests, and finds what is planted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Outcome
from harness.kernel import KernelSpec
from harness.places import Places
from harness.tree import Tree
from tests.kernel.conftest import CHECKED, Pack
from tests.kernel.faults import CATALOGUE
from tests.kernel.images import Images, with_faults

pytestmark = pytest.mark.kernel

ON = ("--append", "slqb_debug=FZPU")


@pytest.fixture
def checked(pack: Pack) -> Images:
    """The kernel with checks of its own, which has debugfs."""
    return pack(KernelSpec(config=CHECKED))


def complaints(record: dict[str, Any]) -> list[dict[str, Any]]:
    [cell] = record["cells"]
    found = cell["complaints"]
    assert isinstance(found, list)
    return found


def console(record: dict[str, Any]) -> str:
    """What the kernel of the only boot said."""
    [cell] = record["cells"]
    runs = Places.from_environment().runs
    return Path(runs, record["name"], cell["folder"], "console.log").read_text()


@pytest.mark.long
def test_objects_stay_what_they_are_with_the_whole_system_watched(sound: Images) -> None:
    status, record = sound.boot(*ON, "--case", "slabtest.*", "--scale", "brief")
    assert status == 0, record["reason"]
    assert len([case for case in record["cells"][0]["cases"] if case["status"] == "pass"]) > 40


@pytest.mark.soak
@pytest.mark.parametrize("topology", ["2n", "memoryless"])
def test_every_case_passes_with_the_whole_system_watched(topology: str, sound: Images) -> None:
    status, record = sound.boot(*ON, "--topology", topology)
    assert status == 0, record["reason"]
    statuses = [case["status"] for case in record["cells"][0]["cases"]]
    assert statuses.count("pass") > 70


@pytest.mark.soak
@pytest.mark.parametrize("cases", ["slabtest.*", "user.*"])
def test_every_case_passes_with_checks_of_both_kinds(cases: str, checked: Images) -> None:
    status, record = checked.boot(*ON, "--case", cases)
    assert status == 0, record["reason"]


@pytest.fixture
def watched(pack: Pack) -> Images:
    """The kernel that watches all caches without being asked."""
    return pack(KernelSpec(config="lean+watched"))


@pytest.mark.soak
def test_every_case_passes_where_watching_is_the_default(watched: Images) -> None:
    status, record = watched.boot("--trim-ms", "200")
    assert status == 0, record["reason"]
    statuses = [case["status"] for case in record["cells"][0]["cases"]]
    assert statuses.count("pass") > 70


@pytest.mark.soak
@pytest.mark.parametrize(
    ("words", "outcome"), [((), Outcome.CRASH), (("slqb_debug=-",), Outcome.PASS)]
)
def test_what_is_watched_by_default_can_be_left_alone(
    words: tuple[str, ...], outcome: Outcome, watched: Images
) -> None:
    appended = (word for one in (*words, "slqbtest.plant=overrun") for word in ("--append", one))
    status, record = watched.boot(*appended)
    assert status == outcome.exit_code, record["reason"]


@pytest.mark.soak
def test_what_is_traced_is_told(sound: Images) -> None:
    words = ("--append", "slqb_debug=T,slabtest_brief", "--case", "user.sysfs_lifecycle")
    _, record = sound.boot(*words)
    said = console(record)
    for what in ("allocated", "freed"):
        assert re.search(rf"TRACE slabtest_brief: {what} 0x\w+, \d+ of \d+ in use", said)


def test_who_has_the_objects_is_told(checked: Images) -> None:
    words = ("--append", "slqb_debug=U,slabtest_held", "--case", "user.alloc_traces")
    status, record = checked.boot(*words)
    assert status == 0, record["reason"]
    assert {"user.alloc_traces": "pass"}.items() <= {
        case["path"]: case["status"] for case in record["cells"][0]["cases"]
    }.items()


def test_some_caches_are_watched_by_name(sound: Images) -> None:
    words = ("--append", "slqb_debug=ZP,kmalloc-*", "--case", "slabtest.kmalloc_*")
    status, record = sound.boot(*words)
    assert status == 0, record["reason"]


def test_a_checked_cache_stays_apart_from_its_like(sound: Images) -> None:
    """Of three caches of one shape the first one is: the others are one, under one name."""
    words = ("--append", "slqb_debug=F,slabtest_twin_a", "--case", "user.merge")
    status, record = sound.boot(*words)
    assert status == 0, record["reason"]
    assert {case["path"]: case["status"] for case in record["cells"][0]["cases"]}[
        "user.merge"
    ] == "pass"


def test_an_unknown_letter_is_reported_and_skipped(sound: Images) -> None:
    words = ("--append", "slqb_debug=QZ", "--append", "slqbtest.plant=overrun")
    status, record = sound.boot(*words)
    assert status == Outcome.CRASH.exit_code, record["reason"]
    assert "SLQB: slqb_debug: 'Q' means nothing, skipped" in console(record)
    assert "Right Redzone overwritten" in complaints(record)[0]["headline"]


PLANTED = {
    "overrun": "Right Redzone overwritten",
    "underrun": "Left Redzone overwritten",
    "afterfree": "Poison overwritten",
    "twice": "Object already free",
}


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_fault_is_named(plant: str, sound: Images) -> None:
    status, record = sound.boot(*ON, "--append", f"slqbtest.plant={plant}")
    assert status == Outcome.CRASH.exit_code, record["reason"]
    [found] = complaints(record)
    assert found["kind"] == "slab"
    assert re.match(rf"BUG kmalloc-128 \(.*\): {PLANTED[plant]}", found["headline"])
    assert found["path"] == "slabtest.plant_fault"
    said = console(record)
    assert re.search(rf"Allocated by \S*fault_{plant}\S* \[slabtest\]", said)
    assert "Object  " in said


RIGHT_BYTE = r"First wrong byte at 0x\w+, 128 from the object: 0x78 instead of 0xcc"


def test_the_right_byte_is_named(sound: Images) -> None:
    _, record = sound.boot(*ON, "--append", "slqbtest.plant=overrun")
    said = console(record)
    assert re.search(RIGHT_BYTE, said)
    assert re.search(r"SLQB: kmalloc-128: (0x\w+)-\1 is 0xcc again", said)


@pytest.mark.soak
def test_another_byte_is_noticed(linux: Tree, real_places: Places) -> None:
    broken = with_faults(linux, real_places, "planted", *CATALOGUE.mutations())
    words = ("--append", "slqbtest.plant=overrun", "--append", "planted=report_shifted")
    said = console(broken.boot(*ON, *words)[1])
    assert "First wrong byte at " in said
    assert not re.search(RIGHT_BYTE, said)


def test_a_freed_object_tells_who_freed_it(sound: Images) -> None:
    _, record = sound.boot(*ON, "--append", "slqbtest.plant=twice")
    assert re.search(r"Freed by \S*fault_twice\S* \[slabtest\]", console(record))


def test_what_remains_at_destroy_is_listed(sound: Images) -> None:
    status, record = sound.boot(*ON, "--append", "slqbtest.plant=leak")
    assert status == Outcome.CRASH.exit_code, record["reason"]
    said = console(record)
    assert "Objects remaining in slabtest_leak" in said
    assert re.search(r"Object 0x\w+ remains", said)
    assert re.search(r"Allocated by \S*fault_leak\S* \[slabtest\]", said)


def test_a_name_that_is_not_listed_is_not_watched(sound: Images) -> None:
    words = ("--append", "slqb_debug=Z,dentry", "--append", "slqbtest.plant=overrun")
    _, record = sound.boot(*words)
    assert not [one for one in complaints(record) if "Redzone" in one["headline"]]


@pytest.mark.parametrize("words", [(), ON], ids=["alone", "watched"])
def test_the_suites_of_the_allocator_pass(words: tuple[str, ...], checked: Images) -> None:
    status, record = checked.boot("--suite", "kunit", *words)
    assert status == 0, record["reason"]
    cases = {case["path"]: case["status"] for case in record["cells"][0]["cases"]}
    assert len([path for path in cases if path.startswith("slqb_faults.")]) == 18
    assert len([path for path in cases if path.startswith("slqb_structure.")]) == 7
    assert set(cases.values()) == {"pass"}
