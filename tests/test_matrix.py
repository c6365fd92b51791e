# SPDX-License-Identifier: GPL-2.0
"""What a run is made of."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.asked import Asked
from harness.errors import UserError
from harness.matrix import QUICK_TRIM, Plan, left_out, wanted_kernels


def plan(
    *,
    configs: tuple[str, ...] = ("lean",),
    topologies: tuple[str, ...] = ("2n",),
    allocators: tuple[str, ...] = ("slqb",),
    archs: tuple[str, ...] = ("x86_64",),
    asked: Asked | None = None,
    pristine: bool = False,
) -> Plan:
    return Plan(
        tree="debian:6.1",
        archs=archs,
        configs=configs,
        topologies=topologies,
        allocators=allocators,
        asked=asked or Asked(seed=1),
        pristine=pristine,
    )


def cells(wanted: Plan) -> list[str]:
    return [cell.name for kernel in wanted_kernels(wanted) for cell in kernel.cells]


def test_every_combination_once_and_topologies_share_a_kernel() -> None:
    wanted = plan(configs=("lean", "debug"), topologies=("uma", "4n"), allocators=("slqb", "slub"))
    kernels = wanted_kernels(wanted)
    assert len(kernels) == 4
    assert set(cells(wanted)) == {
        f"x86_64-{allocator}-{config}-{topology}"
        for config, allocator, topology in product(
            ("lean", "debug"), ("slqb", "slub"), ("uma", "4n")
        )
    }


def test_a_kernel_for_one_cpu_is_booted_on_one() -> None:
    wanted = plan(configs=("lean", "lean+up"), topologies=("up", "4n"))
    assert cells(wanted) == [
        "x86_64-slqb-lean-up",
        "x86_64-slqb-lean-4n",
        "x86_64-slqb-lean+up-up",
    ]
    assert list(left_out(wanted)) == [
        "left out: config lean+up on topology 4n (a kernel for one CPU)"
    ]


def test_nothing_left_is_wrong_use() -> None:
    with pytest.raises(UserError, match="no topology of 4n has one CPU"):
        wanted_kernels(plan(configs=("lean+up",), topologies=("4n",)))


def test_instructions_are_counted_on_one_cpu() -> None:
    wanted = plan(topologies=("up", "2n"), asked=Asked(icount=True))
    assert cells(wanted) == ["x86_64-slqb-lean-up"]
    assert list(left_out(wanted)) == ["left out: topology 2n (instructions are counted on one CPU)"]
    with pytest.raises(UserError, match=r"no topology of 2n has one CPU, .*--icount"):
        wanted_kernels(plan(topologies=("2n",), asked=Asked(icount=True)))


def trims(wanted: Plan) -> list[int | None]:
    return [cell.asked.trim_ms for kernel in wanted_kernels(wanted) for cell in kernel.cells]


def test_quick_tests_trim_often_but_one_boot_keeps_the_default() -> None:
    wanted = plan(configs=("lean", "debug"), topologies=("uma", "2n"))
    assert trims(wanted) == [None, QUICK_TRIM, QUICK_TRIM, QUICK_TRIM]


def test_other_allocators_know_no_trim() -> None:
    assert trims(plan(allocators=("slub",), topologies=("uma", "2n"))) == [None, None]


def test_a_soak_keeps_the_default_and_the_users_word_holds() -> None:
    assert trims(plan(topologies=("uma", "2n"), asked=Asked(scale="soak"))) == [None, None]
    assert trims(plan(topologies=("uma", "2n"), asked=Asked(trim_ms=5))) == [5, 5]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (plan(allocators=("slub", "slxb")), "unknown allocator 'slxb'"),
        (plan(topologies=("2n", "torus")), "unknown topology 'torus'"),
        (plan(archs=("vax",)), "unknown machine 'vax'"),
        (plan(configs=("lean", "fat")), "no Kconfig fragment 'fat'"),
        (plan(configs=("lean+fat",)), "no Kconfig fragment 'fat'"),
        (plan(pristine=True), "has no slqb; name another --allocator"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_starts(wanted: Plan, message: str) -> None:
    with pytest.raises(UserError, match=message):
        wanted_kernels(wanted)


WORDS = st.from_regex(r"[!-~]{1,12}", fullmatch=True).filter(lambda word: word[0] != "-")


@given(
    st.builds(
        Asked,
        suite=st.sampled_from(["all", "guest", "kunit", "none"]),
        seed=st.integers(0, (1 << 64) - 1),
        scale=st.sampled_from(["quick", "soak"]),
        icount=st.booleans(),
        trim_ms=st.none() | st.integers(0, 10_000),
        append=st.lists(WORDS, max_size=3).map(tuple),
    )
)
def test_what_is_asked_survives_its_own_command_line(asked: Asked) -> None:
    from harness.cli.boot import command
    from harness.cli.options import asked_from

    words = ["--kernel", "/dev/null", *asked.options(), "--case", asked.case]
    context = command.make_context("boot", words.copy())
    assert asked_from(context.params) == asked
