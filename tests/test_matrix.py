# SPDX-License-Identifier: GPL-2.0
"""What a run is made of."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.asked import Asked
from harness.errors import UserError
from harness.fitting import misfits
from harness.machine import MACHINES, load_machine
from harness.matrix import QUICK_TRIM, LeftOut, Plan, lay_out, wanted_kernels
from harness.matrixfile import Exclusion
from harness.topology import load_topology


def plan(
    *,
    configs: tuple[str, ...] = ("lean",),
    topologies: tuple[str, ...] = ("2n",),
    allocators: tuple[str, ...] = ("slqb",),
    archs: tuple[str, ...] = ("x86_64",),
    asked: Asked | None = None,
    pristine: bool = False,
    exclude: tuple[Exclusion, ...] = (),
    only_possible: bool = False,
) -> Plan:
    return Plan(
        tree="debian:6.1",
        archs=archs,
        configs=configs,
        topologies=topologies,
        allocators=allocators,
        asked=asked or Asked(seed=1),
        pristine=pristine,
        exclude=exclude,
        only_possible=only_possible,
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


def test_what_cannot_be_is_refused_with_the_reason() -> None:
    wanted = plan(configs=("lean", "lean+up"), topologies=("up", "4n", "uma"))
    with pytest.raises(UserError) as refused:
        wanted_kernels(wanted)
    assert str(refused.value) == (
        "cannot be: x86_64-slqb-lean+up-4n (a kernel without SMP runs one CPU, 4n has 4); "
        "x86_64-slqb-lean+up-uma (a kernel without SMP runs one CPU, uma has 4); "
        "--only-possible runs the rest"
    )


def test_what_cannot_be_is_left_out_if_the_user_says_so() -> None:
    wanted = plan(configs=("lean", "lean+up"), topologies=("up", "4n"), only_possible=True)
    assert cells(wanted) == [
        "x86_64-slqb-lean-up",
        "x86_64-slqb-lean-4n",
        "x86_64-slqb-lean+up-up",
    ]
    reason = "a kernel without SMP runs one CPU, 4n has 4"
    assert lay_out(wanted).left_out == (LeftOut("x86_64-slqb-lean+up-4n", reason),)


@pytest.mark.parametrize("only_possible", [False, True])
def test_nothing_left_is_wrong_use(only_possible: bool) -> None:
    wanted = plan(configs=("lean+up",), topologies=("4n",), only_possible=only_possible)
    with pytest.raises(UserError, match=r"cannot be: x86_64-slqb-lean\+up-4n \(.*has 4\)$"):
        wanted_kernels(wanted)


def test_instructions_are_counted_on_one_cpu() -> None:
    asked = Asked(icount=True)
    with pytest.raises(UserError, match=r"2n \(instructions are counted on one CPU, 2n has 4\)"):
        wanted_kernels(plan(topologies=("up", "2n"), asked=asked))
    wanted = plan(topologies=("up", "2n"), asked=asked, only_possible=True)
    assert cells(wanted) == ["x86_64-slqb-lean-up"]
    with pytest.raises(UserError, match=r"how ppc64 disables interrupts is not known"):
        wanted_kernels(plan(archs=("x86_64", "ppc64"), topologies=("up",), asked=asked))


def small_machine(folder: Path) -> str:
    """One with two CPUs, in a file of its own."""
    record = (MACHINES / "x86_64.toml").read_text().replace("max_cpus = 64", "max_cpus = 2")
    path = folder / "small.toml"
    path.write_text(record)
    return str(path)


def test_a_machine_has_only_so_many_cpus(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'4n' has 4 CPUs, machine 'small' has at most 2"):
        wanted_kernels(plan(archs=(small_machine(tmp_path),), topologies=("up", "4n")))


def test_one_node_and_no_plugged_memory_without_the_kernels_help() -> None:
    machine, asked = load_machine("x86_64"), Asked()
    assert not list(misfits(machine, (), load_topology("plugged"), asked))
    [reason] = misfits(machine, ("NUMA",), load_topology("2n"), asked)
    assert reason == "a kernel without NUMA knows one node, 2n has 2"
    [reason] = misfits(machine, ("MEMORY_HOTPLUG",), load_topology("plugged"), asked)
    assert "memory to be put online" in reason


def test_an_exclusion_is_taken_with_its_reason_possible_or_not() -> None:
    impossible = Exclusion(configs=("lean+up",), topologies=("4n",), reason="one CPU")
    unwanted = Exclusion(topologies=("uma",), configs=("lean",), reason="dull")
    wanted = plan(
        configs=("lean", "lean+up"), topologies=("up", "4n"), exclude=(impossible, unwanted)
    )
    layout = lay_out(wanted)
    assert layout.left_out == (LeftOut("x86_64-slqb-lean+up-4n", "one CPU"),)
    assert len(cells(wanted)) == 3
    everything = Exclusion(reason="none at all")
    with pytest.raises(UserError, match="every cell of it is excluded"):
        wanted_kernels(plan(exclude=(everything,)))


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


def shares(wanted: Plan) -> list[str | None]:
    return [cell.asked.share for kernel in wanted_kernels(wanted) for cell in kernel.cells]


def test_brief_boots_of_a_kernel_share_what_any_shape_will_do_for() -> None:
    three = ("uma", "4n", "memoryless")
    brief = Asked(scale="brief")
    assert shares(plan(topologies=three, asked=brief)) == ["0/3", "1/3", "2/3"]
    assert shares(plan(topologies=("uma",), asked=brief)) == [None]
    assert shares(plan(topologies=three, asked=Asked())) == [None] * 3
    both = plan(topologies=three, configs=("lean", "debug"), asked=brief)
    assert shares(both) == ["0/3", "1/3", "2/3", "1/3", "2/3", "0/3"]
    one_case = Asked(scale="brief", case="user.oom")
    assert shares(plan(topologies=three, asked=one_case)) == [None] * 3
