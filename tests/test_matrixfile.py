# SPDX-License-Identifier: GPL-2.0
"""Matrices as files: read, checked, refined by options."""

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import pytest

from harness.asked import Asked
from harness.cli.run import _plan, command
from harness.errors import UserError
from harness.fragment import config_names, join
from harness.kernel import ALLOCATORS
from harness.matrix import Plan, lay_out
from harness.matrixfile import Matrix, load_matrix, matrix_names
from tests.conftest import Command
from tests.kernel import test_debug
from tests.kernel.conftest import CHECKED

LEAST = """\
description = "a test"
machines = ["x86_64"]
configs = ["lean", "debug"]
topologies = ["uma", "2n"]
"""


def written(folder: Path, *more: str) -> str:
    path = folder / "mine.toml"
    path.write_text("\n".join((LEAST, *more)))
    return str(path)


def plan_of(matrix: Matrix) -> Plan:
    return Plan(
        tree="debian:6.1",
        archs=matrix.machines,
        configs=matrix.configs,
        topologies=matrix.topologies,
        allocators=matrix.allocators,
        allocators_of=matrix.allocators_of,
        exclude=matrix.exclude,
        also=matrix.also,
        asked=Asked(seed=1, scale=matrix.scale),
    )


@pytest.mark.parametrize("name", ["smoke", "default", "full", "nightly"])
def test_every_cell_of_ours_can_be_or_is_excluded(name: str) -> None:
    layout = lay_out(plan_of(load_matrix(name)))
    assert layout.kernels
    assert {name} <= set(matrix_names())


def test_the_default_matrix_is_what_it_says() -> None:
    matrix = load_matrix("default")
    assert (matrix.configs, matrix.allocators) == (("lean", "debug"), ("slqb",))
    assert {"uma", "4n", "memoryless", "cpuless"} <= set(matrix.topologies)
    assert (matrix.scale, matrix.repeat) == ("brief", 2)
    assert load_matrix("nightly").scale == "soak"


def test_each_share_of_the_default_matrix_meets_each_topology() -> None:
    kernels = lay_out(plan_of(load_matrix("default"))).kernels
    met = {(cell.asked.share, cell.topology.name) for kernel in kernels for cell in kernel.cells}
    topologies = {topology for share, topology in met if share}
    assert len(topologies) == 5
    shared = {(share, topology) for share, topology in met if share}
    assert shared == {(f"{share}/5", topology) for share in range(5) for topology in topologies}


def kernels_of(name: str) -> set[tuple[str, str]]:
    """Config and allocator of each kernel of a matrix, whatever the machine."""
    return {(one.config, one.allocator) for one in lay_out(plan_of(load_matrix(name))).kernels}


def missing(kernels: set[tuple[str, str]], booted: set[tuple[str, str]]) -> list[str]:
    return sorted(f"{allocator} {config}" for config, allocator in kernels - booted)


@pytest.mark.parametrize("name", [name for name in matrix_names() if name != "default"])
def test_no_kernel_is_in_a_longer_matrix_alone(name: str) -> None:
    """What is only built at night is found broken at night: each is booted once in `default`."""
    assert missing(kernels_of(name), kernels_of("default")) == []


QUICK = {"kunit-slqb": test_debug.test_the_suites_of_the_allocator_pass}
"""Fragments that `make test` boots, by the test that does."""


def not_booted(names: Iterable[str], kernels: set[tuple[str, str]]) -> set[str]:
    """The fragments that no kernel is made of, and allocators that none has."""
    configs = {fragment.name for config, _ in kernels for fragment in join(config.split("+"))}
    return set(names) - configs - {allocator for _, allocator in kernels}


def test_no_fragment_and_no_allocator_is_never_booted() -> None:
    assert not_booted((*config_names(), *ALLOCATORS), kernels_of("default")) == set(QUICK)


@pytest.mark.parametrize("fragment", QUICK)
def test_a_quick_test_boots_what_the_default_matrix_does_not(fragment: str) -> None:
    test = QUICK[fragment]
    marks = {test_debug.pytestmark.name, *(one.name for one in getattr(test, "pytestmark", ()))}
    assert marks == {"kernel", "parametrize"}
    assert "checked" in inspect.signature(test).parameters
    assert fragment in CHECKED.split("+")


def test_a_kernel_or_a_fragment_that_is_never_booted_would_be_noticed() -> None:
    booted = kernels_of("default")
    assert missing({("lean", "slub"), ("hooks", "slab")}, booted) == ["slab hooks"]
    assert not_booted(("lean", "new"), booted) == {"new"}
    fewer = {one for one in booted if "slob" not in one}
    assert not_booted(("lean", "slob"), fewer) == {"slob"}
    assert "slob lean" in missing(kernels_of("full"), fewer)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ('colour = "red"', "colour: Extra inputs are not permitted"),
        ('scale = "huge"', "scale: Input should be 'brief', 'quick' or 'soak'"),
        ("repeat = 21", "repeat: Input should be less than or equal to 20"),
        ('allocators = ["slqb", "slxb"]', "allocators.1: unknown allocator 'slxb'; known: slqb"),
        ("allocators = []", "allocators: Tuple should have at least 1 item"),
        ('allocators = ["slub", "slub"]', "allocators: 'slub' stands there twice"),
        ('[allocators_of]\nkasan = ["slub"]', "allocators_of.kasan: no such config in this matrix"),
        ('[[exclude]]\ntopologies = ["up"]\nreason = "x"', "exclude.0: no cell of this matrix is"),
        ('[[exclude]]\ntopologies = ["torus"]\nreason = "x"', "exclude.0.topologies.0: unknown"),
        ('[[exclude]]\ntopologies = ["uma"]', "exclude.0.reason: Field required"),
        ('[[exclude]]\ntopologies = ["uma"]\nreason = ""', "exclude.0.reason: String should match"),
        ('[[also]]\nmachines = ["x86_64"]', "also.0.configs: Field required"),
        (
            '[[also]]\nmachines = ["x86_64"]\nconfigs = ["lean"]\ntopologies = ["2n"]',
            "also.0: x86_64, lean, slqb, 2n is in this matrix already",
        ),
        ('machines = ["x86_64"]', "not TOML: "),
    ],
)
def test_a_fault_is_one_line_with_file_and_key(tmp_path: Path, more: str, fault: str) -> None:
    path = written(tmp_path, more)
    with pytest.raises(UserError) as refused:
        load_matrix(path)
    assert str(refused.value).startswith(f"{path}: {fault}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "word", "fault"),
    [
        ("machines", "vax", "machines.0: unknown machine 'vax'"),
        ("configs", "fat", "configs.0: no Kconfig fragment 'fat'"),
        ("topologies", "torus", "topologies.0: unknown topology 'torus'"),
    ],
)
def test_names_that_nobody_knows(tmp_path: Path, key: str, word: str, fault: str) -> None:
    lines = [f'{key} = ["{word}"]' if line.startswith(key) else line for line in LEAST.split("\n")]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=fault):
        load_matrix(str(path))


def planned(*words: str, default_map: dict[str, Any] | None = None) -> Plan:
    with command.make_context("run", list(words), default_map=default_map) as context:
        return _plan(context, dict(context.params))


FILE = """\
allocators = ["slub"]
scale = "soak"
repeat = 3
[allocators_of]
debug = ["slub", "slab"]
[[exclude]]
topologies = ["2n"]
configs = ["debug"]
reason = "dull"
"""


def test_the_file_says_what_is_run_and_options_replace_list_by_list(tmp_path: Path) -> None:
    file = written(tmp_path, FILE)
    whole = planned("--matrix", file)
    assert (whole.archs, whole.configs, whole.topologies) == (
        ("x86_64",),
        ("lean", "debug"),
        ("uma", "2n"),
    )
    assert (whole.asked.scale, whole.repeat, whole.allocators) == ("soak", 3, ("slub",))
    assert len([cell for one in lay_out(whole).kernels for cell in one.cells]) == 4
    refined = planned("--matrix", file, "--topology", "2n,4n", "--scale", "quick", "--repeat", "0")
    assert (refined.topologies, refined.configs) == (("2n", "4n"), ("lean", "debug"))
    assert (refined.asked.scale, refined.repeat) == ("quick", 0)
    assert [one.reason for one in lay_out(refined).left_out] == ["dull", "dull"]
    ours = planned("--matrix", file, "--allocator", "slqb")
    assert {one.allocator for one in lay_out(ours).kernels} == {"slqb"}


ALSO = """\
[[also]]
machines = ["x86_64"]
configs = ["kasan", "debug"]
allocators = ["slqb", "slub"]
topologies = ["4n"]
"""


def cells_of(plan: Plan) -> list[str]:
    return [cell.name for kernel in lay_out(plan).kernels for cell in kernel.cells]


def test_cells_beside_the_lists_come_last_and_share_a_kernel(tmp_path: Path) -> None:
    file = written(tmp_path, 'scale = "brief"', ALSO)
    assert cells_of(planned("--matrix", file)) == [
        *("x86_64-slqb-lean-uma", "x86_64-slqb-lean-2n"),
        *("x86_64-slqb-debug-uma", "x86_64-slqb-debug-2n", "x86_64-slqb-debug-4n"),
        *("x86_64-slqb-kasan-4n", "x86_64-slub-kasan-4n", "x86_64-slub-debug-4n"),
    ]
    excluded = '[[exclude]]\nconfigs = ["debug"]\nreason = "dull"\n'
    assert cells_of(planned("--matrix", written(tmp_path, ALSO, excluded))) == [
        *("x86_64-slqb-lean-uma", "x86_64-slqb-lean-2n", "x86_64-slqb-debug-4n"),
        *("x86_64-slqb-kasan-4n", "x86_64-slub-kasan-4n", "x86_64-slub-debug-4n"),
    ]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--config", "kasan"), {"slqb-kasan-uma", "slqb-kasan-2n", "slqb-kasan-4n"}),
        (("--config", "lean"), {"slqb-lean-uma", "slqb-lean-2n"}),
        (("--topology", "2n"), {"slqb-lean-2n", "slqb-debug-2n"}),
    ],
    ids=["kasan", "lean", "2n"],
)
def test_an_option_leaves_of_the_cells_beside_the_lists_those_it_names(
    words: tuple[str, str], left: set[str], tmp_path: Path
) -> None:
    plan = planned("--matrix", written(tmp_path, ALSO), *words, "--allocator", "slqb")
    assert set(cells_of(plan)) == {f"x86_64-{name}" for name in left}
    assert planned("--matrix", written(tmp_path, ALSO), "--arch", "ppc64le").also == ()


def test_without_a_matrix_the_options_are_all_there_is() -> None:
    plan = planned()
    assert (plan.archs, plan.configs, plan.topologies) == (("x86_64",), ("lean",), ("2n",))
    assert (plan.repeat, plan.exclude, plan.matrix) == (0, (), "")


def test_a_habit_of_the_config_file_does_not_change_a_matrix_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, FILE)
    habit = {"topology": "4n", "repeat": 1}
    assert planned(default_map=habit).topologies == ("4n",)
    asked_for = planned("--matrix", file, default_map=habit)
    assert (asked_for.topologies, asked_for.repeat) == (("uma", "2n"), 3)
    assert planned(default_map={**habit, "matrix": file}).topologies == ("4n",)


def test_the_command_refuses_and_leaves_out(slqb: Command, tmp_path: Path) -> None:
    answer = slqb("run", "--matrix", "gigantic")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "unknown matrix 'gigantic'; known: default, full, nightly, smoke" in answer.stderr
    answer = slqb("run", "--config", "lean+up", "--topology", "uma,up")
    assert answer.returncode == 2
    assert "x86_64-slqb-lean+up-uma (a kernel without SMP runs one CPU, uma has 4)" in answer.stderr
    assert not (tmp_path / "runs").exists()


def test_every_option_of_a_matrix_is_one() -> None:
    from harness.cli.run import IN_MATRIX

    assert set(IN_MATRIX.values()) <= set(Matrix.model_fields)
    assert set(IN_MATRIX) <= {one.name for one in command.params if isinstance(one, click.Option)}
    assert json.loads(load_matrix("smoke").model_dump_json())["repeat"] == 2
