# SPDX-License-Identifier: GPL-2.0
"""The allocator's core against a model: who has which object, on which node, and what is left.

Hypothesis thinks of the commands, talk.c obeys them. It is a process that answers a line with
a line, not a shared library: a sanitizer that ends the process ends one example, needs no
preloading into Python, and the commands printed are the way to repeat it by hand.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Self

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harness.places import Places
from harness.worktree import Mutation
from tests.core.build import build
from tests.core.test_histories import FAULTS

CPUS = st.integers(0, 3)
NODES = st.integers(0, 1)
SLOTS = st.integers(0, 2)
FEW = 60  # objects: a node has memory for more, whatever they are
SIZES = st.sampled_from((8, 24, 64, 200, 1000, 3000, 5000))


class Core:
    """The program, told and asked."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program, "--talk"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ended = False

    def __call__(self, *words: object) -> list[str]:
        """A command, and the words of its answer; what the program complains of is an error."""
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(" ".join(map(str, words)) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer.startswith("ok"):
            self.ended = True
            _, said = process.communicate()
            raise AssertionError(f"{words}: {said}")
        return answer.split()[1:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class Machine(RuleBasedStateMachine):
    """Four CPUs on two nodes, three caches; the model is who has what."""

    program: Path

    @initialize(seed=st.integers(1, 1 << 32), chaos=st.sampled_from((0, 2, 9)))
    def boot(self, seed: int, chaos: int) -> None:
        self.core = Core(self.program)
        self.core("boot", seed, 4, 2)
        self.core("chaos", chaos)
        self.chaos = chaos
        self.held: dict[int, int] = {}
        self.per_slab: dict[int, int] = {}
        self.online = {0, 1, 2, 3}

    def teardown(self) -> None:
        if hasattr(self, "core"):
            with self.core as core:
                if not core.ended:
                    core("end")

    def cpu(self, number: int) -> int:
        return number if number in self.online else min(self.online)

    def take(self, slot: int, words: list[str], node: int | None = None) -> None:
        """Objects that were given out: nobody has them, and they lie where they should."""
        for word in words:
            stamp, _, nid = word.partition(":")
            assert int(stamp) not in self.held
            assert node in (None, int(nid))
            self.held[int(stamp)] = slot

    @precondition(lambda self: len(self.per_slab) < 3)
    @rule(size=SIZES, align=st.sampled_from((0, 64)), flags=st.integers(0, 4), ctor=st.booleans())
    def create(self, size: int, align: int, flags: int, ctor: bool) -> None:
        slot = min({0, 1, 2} - set(self.per_slab))
        objects, *_ = self.core("create", slot, size, align, flags, int(ctor))
        self.per_slab[slot] = int(objects)

    @precondition(lambda self: self.per_slab and len(self.held) < FEW)
    @rule(cpu=CPUS, slot=SLOTS, node=st.sampled_from((-1, 0, 1)), only=st.booleans())
    def alloc(self, cpu: int, slot: int, node: int, only: bool) -> None:
        slot, cpu = min(self.per_slab, key=lambda known: abs(known - slot)), self.cpu(cpu)
        words = self.core("alloc", cpu, slot, node, "t" if only else "z")
        assert words != ["none"]
        self.take(slot, words, cpu % 2 if node < 0 else node)

    @precondition(lambda self: self.per_slab and len(self.held) < FEW)
    @rule(cpu=CPUS, slot=SLOTS, count=st.integers(1, 80))
    def bulk(self, cpu: int, slot: int, count: int) -> None:
        slot = min(self.per_slab, key=lambda known: abs(known - slot))
        words = self.core("bulk", self.cpu(cpu), slot, count)
        assert len(words) == count
        self.take(slot, words)

    @precondition(lambda self: self.held)
    @rule(cpu=CPUS, data=st.data())
    def free(self, cpu: int, data: st.DataObject) -> None:
        some = st.lists(st.sampled_from(sorted(self.held)), min_size=1, max_size=40, unique=True)
        stamps = data.draw(some)
        self.core("free", self.cpu(cpu), *stamps)
        for stamp in stamps:
            del self.held[stamp]

    @precondition(lambda self: self.per_slab and self.chaos)
    @rule(cpus=st.lists(CPUS, min_size=2, max_size=4), slot=SLOTS, data=st.data())
    def together(self, cpus: list[int], slot: int, data: st.DataObject) -> None:
        slot = min(self.per_slab, key=lambda known: abs(known - slot))
        freed: set[int] = set()
        for cpu in map(self.cpu, cpus):
            rest = sorted(set(self.held) - freed)
            stamp = data.draw(st.sampled_from([0, *rest]))
            if stamp:
                freed.add(stamp)
                self.core("fork", "free", cpu, stamp)
            else:
                self.core("fork", "alloc", cpu, slot, -1, "-")
        words = " ".join(self.core("join")).replace(";", " ").split()
        for stamp in freed:
            del self.held[stamp]
        assert len(words) == len(cpus) - len(freed)
        self.take(slot, words)

    @precondition(lambda self: not set(self.per_slab) <= set(self.held.values()))
    @rule()
    def destroy(self) -> None:
        slot = min(set(self.per_slab) - set(self.held.values()))
        assert self.core("destroy", slot) == ["1"]
        del self.per_slab[slot]

    @precondition(lambda self: self.per_slab)
    @rule()
    def shrink(self) -> None:
        slot = min(self.per_slab)
        left = self.core("shrink", slot) != ["0"]
        in_use = list(self.held.values()).count(slot)
        _, objects, slabs = map(int, self.core("info", slot))
        assert left == bool(slabs)
        assert slabs <= in_use
        assert objects == slabs * self.per_slab[slot]

    @rule()
    def trim(self) -> None:
        self.core("trim")

    @rule(cpu=st.integers(1, 3))
    def cpu_goes_or_comes(self, cpu: int) -> None:
        self.core("down" if cpu in self.online else "up", cpu)
        self.online ^= {cpu}

    @rule(node=NODES)
    def node_goes(self, node: int) -> None:
        """Memory with objects in it stays. Free memory goes, and comes back."""
        if self.core("offline", node) == ["1"]:
            assert self.core("online", node) == ["1"]

    @invariant()
    def counts_are_exact(self) -> None:
        if not hasattr(self, "core"):
            return
        self.core("check")
        for slot in self.per_slab:
            in_use, *_ = self.core("info", slot)
            assert int(in_use) == list(self.held.values()).count(slot)


def check(folder: Path, *phases: Phase) -> None:
    """Run examples on a program."""

    class Here(Machine):
        program = folder / "core"

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=phases or tuple(Phase),
        ),
    )


@pytest.mark.parametrize("variant", ["plain", "16k"])
def test_the_core_keeps_to_its_model(variant: str, real_places: Places) -> None:
    check(build(real_places, variant))


@pytest.mark.parametrize(
    "name", ["a free list that loses its first object", "a splice that is off by one"]
)
def test_the_model_knows_a_fault(name: str, real_places: Places) -> None:
    broken = build(real_places, "plain", (FAULTS[name].mutation,))
    with pytest.raises((AssertionError, ExceptionGroup)):
        check(broken, Phase.generate)


QUEUES_FIRST = Mutation(
    "mm/slqb.c",
    r"^(\tunsigned long) slabs = count_slabs\(s\);\n\tunsigned long free = count_at_home\(s\);\n\n"
    r"\tfree \+= count_queued\(s\);\n",
    r"\1 free = count_queued(s);\n\1 slabs = count_slabs(s);\n\n\tfree += count_at_home(s);\n",
)
"""slabinfo read in the order in which objects move when they are drained."""


def least_seen(folder: Path, seeds: range) -> int:
    """The fewest objects that slabinfo shows in use, of the 20 that always are.

    One CPU frees the others and drains its queues meanwhile: no object is allocated, and
    none is on its way to another CPU.
    """
    seen = []
    with Core(folder / "core") as core:
        for seed in seeds:
            core("boot", seed, 1, 1)
            core("create", 0, 1000, 0, 0, 0)
            stamps = [word.partition(":")[0] for word in core("bulk", 0, 0, 100)]
            core("chaos", 2)
            core("fork", "info", 0)
            core("fork", "info", 0)
            core("fork", "free", 0, *stamps[20:])
            core("fork", "shrink", 0)
            infos = " ".join(core("join")).split(";")[:2]
            seen += [int(info.split()[0]) for info in infos]
            core("chaos", 0)
            assert core("info", 0)[0] == "20"
    return min(seen)


def test_slabinfo_misses_no_object_in_use_while_others_are_drained(real_places: Places) -> None:
    assert least_seen(build(real_places, "plain"), range(1, 101)) >= 20


def test_an_object_that_slabinfo_counts_twice_is_noticed(real_places: Places) -> None:
    broken = build(real_places, "plain", (QUEUES_FIRST,))
    assert least_seen(broken, range(1, 101)) < 20
