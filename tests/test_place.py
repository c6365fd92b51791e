# SPDX-License-Identifier: GPL-2.0
"""Finding places by content."""

import pytest

from harness.place import NoPlaceError, Region, branches, narrow, nearest, only, only_branch

CHAIN = """\
#ifdef OUTER
#if defined(A) || \\
    defined(B)
one
#  if INNER
two
#  endif
#elif defined(C)
three
#else
four
#endif
#endif
""".splitlines()


def region(**fields: str) -> Region:
    return Region.model_validate({key.rstrip("_"): value for key, value in fields.items()})


def whole(lines: list[str]) -> range:
    return range(len(lines))


def test_branches_nest_and_conditions_run_on() -> None:
    found = {it.condition: (it.start, it.end, it.endif) for it in branches(CHAIN, whole(CHAIN))}
    assert found == {
        "INNER": (4, 6, 6),
        "defined(A) ||     defined(B)": (1, 7, 11),
        "defined(C)": (7, 9, 11),
        "": (9, 11, 11),
        "OUTER": (0, 12, 12),
    }


def test_a_branch_is_found_by_its_condition() -> None:
    assert only_branch(CHAIN, r"defined\(C\)", whole(CHAIN)).end == 9


def test_regions_nest() -> None:
    lines = ["a {", "  b {", "  x", "  }", "}", "c {", "  x", "}"]
    outer = region(from_=r"^\w {", to=r"^}", holding="  b")
    inner = region(from_="b {", to="}")
    assert narrow(lines, (outer,), whole(lines)) == range(5)
    assert narrow(lines, (outer, inner), whole(lines)) == range(1, 4)


def test_of_nested_stretches_the_innermost_is_meant() -> None:
    lines = ["#if A", "#if B", "wanted", "#endif", "#endif"]
    assert narrow(lines, (region(from_="^#if", to="^#endif", holding="wanted"),), whole(lines)) == (
        range(1, 4)
    )


def test_two_like_regions_are_no_place() -> None:
    lines = ["{", "x", "}", "{", "x", "}"]
    with pytest.raises(NoPlaceError, match="there are 2"):
        narrow(lines, (region(from_="{", to="}"),), whole(lines))


def test_a_region_without_an_end_is_none() -> None:
    with pytest.raises(NoPlaceError, match="there is none"):
        narrow(["choice", "config A"], (region(from_="^choice", to="^endchoice"),), range(2))


def test_nothing_outside_the_range_counts() -> None:
    lines = ["x", "y", "x"]
    assert only(lines, "x", range(1, 3)) == 2


def test_the_error_says_what_was_wanted_and_what_is_nearest() -> None:
    lines = ["obj-$(CONFIG_SLAB) += slab.o", "obj-$(CONFIG_SLUBB) += slub.o", "other"]
    with pytest.raises(NoPlaceError) as caught:
        only(lines, r"^obj-\$\(CONFIG_SLUB\)\s*\+=\s*slub\.o$", whole(lines))
    assert "there is none; nearest is line 2: 'obj-$(CONFIG_SLUBB) += slub.o'" in str(caught.value)


def test_nothing_alike_is_not_called_near() -> None:
    assert nearest(["completely", "different"], "config SLUB", range(2)) is None
