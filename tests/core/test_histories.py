# SPDX-License-Identifier: GPL-2.0
"""Random histories of the allocator's core on simulated CPUs and nodes, and faults they find."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.places import Places
from harness.series import content
from harness.tree import Tree
from harness.worktree import Mutation, render_into_worktree
from tests.core.build import RENDERED, build, rendered

SLQB = "mm/slqb.c"
SEED = 1
HISTORIES = 150


def run(program: Path, *words: str | int) -> subprocess.CompletedProcess[str]:
    """The program, whatever becomes of it."""
    argv = [str(program), *map(str, words)]
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("pages", ["4k", "16k", "64k"])
def test_random_histories_end_well(pages: str, real_places: Places) -> None:
    done = run(build(real_places, pages) / "core", "--seed", SEED, "--histories", HISTORIES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{HISTORIES} histories")


def test_a_history_repeats_to_the_last_chance(real_places: Places) -> None:
    program = build(real_places, "plain") / "core"
    whole = run(program, "--seed", 7, "--histories", 3).stdout.split(" s, ")[1].split()
    parts = [run(program, "--seed", seed, "--histories", 1).stdout for seed in (7, 8, 9)]
    assert int(whole[0]) == sum(int(part.split(" s, ")[1].split()[0]) for part in parts)


@dataclass(frozen=True)
class Fault:
    """A fault to plant in the rendered C, and what its discoverer says."""

    pattern: str
    replacement: str
    says: str
    histories: int = 200
    variant: str = "plain"

    @property
    def mutation(self) -> Mutation:
        """What plants it."""
        return Mutation(SLQB, self.pattern, self.replacement)


FAULTS = {
    "a free list that loses its first object": Fault(
        r"^\tkmlist_push\(s, &c->list\.freelist, object\);\n\tnote_for_trim\(c\);",
        "\tnote_for_trim(c);",
        r"objects in use, (its users have|not)",
    ),
    "a remote queue that is not claimed": Fault(
        r"^\tif \(waiting && \(idle \|\| waiting > most\)\)\n\t\tclaim_remote\(s, l\);",
        "\t(void)waiting;",
        r"destroyed with objects|is offline and has some|waits|for ever|in queues after",
    ),
    "a flush that takes an object of another list for its own": Fault(
        r"^\t\tif \(likely\(owner == l\)\) \{",
        "\t\tif (likely(owner == l || slab_nid(slab) == 1)) {",
        r".",
    ),
    "a batch that is sent to the wrong list": Fault(
        r"^\tif \(c->remote_cache_list != owner\) \{",
        "\tif (!c->remote_cache_list) {",
        r".",
    ),
    "a slab that is freed with an object in use": Fault(
        r"^\tif \(slab->inuse == 1\) \{",
        "\tif (slab->inuse <= 2) {",
        r"freed with 1 objects in use|is no object|in a list that does not own|signal"
        r"|is not where an object of \w+ begins|has 0 slabs, .* and says",
    ),
    "a splice that is off by one": Fault(
        r"^\tto->nr \+= from->nr;",
        "\tto->nr += from->nr - 1;",
        r"objects and says",
    ),
    "a slab without objects that stays on the partial list": Fault(
        r"^(\tif \(!slab->freelist\) \{\n\t\tl->nr_partial--;\n)"
        r"\t\tlist_move\(&slab->slab_list, &l->full\);\n(\t\}\n\treturn object;)",
        r"\1\2",
        r"ring of partial|signal|segv|SEGV|no memory",
    ),
    "a trim that skips the outgoing queue": Fault(
        r"^\tif \(how == TRIM_ALL \|\| c->rlist\.head == c->seen_rhead\)\n\t\tsend_rlist\(s, c\);",
        "\tif (how == TRIM_IDLE && c->rlist.head == c->seen_rhead)\n\t\tsend_rlist(s, c);",
        r"destroyed with objects|has some",
    ),
    "an offline CPU that is not drained": Fault(
        r"^\tevacuate_cpu\(cpu\);\n\tmutex_unlock\(&slab_mutex\);\n\treturn 0;",
        "\tmutex_unlock(&slab_mutex);\n\treturn 0;",
        r"is offline and has some|destroyed with objects",
    ),
    "a missing unlock": Fault(
        r"^(\tWRITE_ONCE\(l->remote_free_check, false\);\n)\tspin_unlock\(&l->remote_free\.lock\);",
        r"\1",
        r"lock order|deadlock|with a lock held|enabled with",
    ),
    "a number of slabs that is wrong": Fault(
        r"^\tlist_del\(&slab->slab_list\);\n\tl->nr_slabs--;",
        "\tlist_del(&slab->slab_list);\n\tl->nr_slabs -= !slab->colour;",
        r"WARN: l->nr_slabs|slabs.* and says|Objects remaining",
    ),
    "a closed list that takes objects": Fault(
        r"^\t\tif \(likely\(!dst->remote_free\.closed\)\)\n\t\t\tbreak;",
        "\t\tbreak;",
        r"closed list|is offline and has some|destroyed with objects",
        2000,
    ),
    "a check that is set only on crossing": Fault(
        r"^\tif \(nr >= READ_ONCE\(s->freebatch\)\)(\n\t\tWRITE_ONCE\(dst->remote_free_check)",
        r"\tif (nr == READ_ONCE(s->freebatch))\1",
        r"nobody will look",
        2000,
    ),
    "a slab that is freed with the lock held": Fault(
        r"^(\t\t\tmore = trim_list_piece\(s, &n->list, how, &empty\);\n)"
        r"(\t\t\tspin_unlock_irqrestore\(&n->list_lock, flags\);\n)",
        r"\1\t\t\tpages += release_slabs(s, &empty);\n"
        r"\t\t\tINIT_LIST_HEAD(&empty);\n\2",
        r"with &n->list_lock held",
    ),
    "a cache destroyed while a CPU has it in its list": Fault(
        r"^\t\tif \(nothing_left\(s\)\) \{",
        "\t\tif (!count_slabs(s)) {",
        r"has noted a cache that is gone",
        1000,
    ),
    "a destroy that looks once": Fault(
        r"^(\tlockdep_assert_held\(&slab_mutex\);\n\tfor \(round = 0; round < )SLQB_DRAIN_ROUNDS;",
        r"\g<1>1;",
        r"Objects remaining",
        1000,
    ),
    "a bulk that is flushed by a batch only": Fault(
        r"^\texcess = excess_objects\(s, &c->list\);\n(\tlocal_unlock_irqrestore)",
        r"\texcess = c->list.freelist.nr > s->hiwater ? s->freebatch : 0;\n\1",
        r"objects, its watermark is",
        2000,
    ),
    "a pass over nodes that is not tried again": Fault(
        r"^\t\tif \(READ_ONCE\(slqb_node_overflow\)\)\n\t\t\tqueue_delayed_work\(",
        "\t\tif (slqb_trim_ms == 1)\n\t\t\tqueue_delayed_work(",
        r"and nobody came",
        2000,
    ),
    "a trim that does not name its CPU": Fault(
        r"^\tqueue_delayed_work_on\(t->cpu, slqb_wq, &t->work, delay\);",
        "\tqueue_delayed_work(slqb_wq, &t->work, delay);",
        r"the trim of CPU \d+ is to run on CPU \d+",
    ),
    "queues that are sent off before they are filled": Fault(
        r"^(\tif \(trim_list_piece\(s, l, how, empty\)\)\n\t\treturn true;\n)"
        r"(\tif \(how == TRIM_OVERFLOW\)\n\t\treturn false;\n)"
        r"(\tif \(how == TRIM_ALL [^\n]*\n\t\tsend_rlist\(s, c\);\n)",
        r"\3\1\2",
        r"Objects remaining|destroyed with objects|in queues after|has some",
        1000,
    ),
    "an object of the reserves that is taken and not counted": Fault(
        r"^(\t\t\tobject = take_from_slab\(s, &n->list, slab\);\n)\t\t\tslqb_stat[^\n]*\n",
        r"\1",
        r"has counted \d+ objects in use",
        12_000,
    ),
    "an object of the reserves that is freed and not counted": Fault(
        r"^\tslqb_stat\(&n->list, FREE, 1\);\n",
        "",
        r"has counted \d+ objects in use",
        2000,
    ),
    "a list that goes and takes with it what it has counted": Fault(
        r"^\t\tbequeath_stats\(&n->list\);\n",
        "",
        r"has counted \d+",
        2000,
    ),
    "a slab that a reader may still look at": Fault(
        r"^\t\t\tcall_rcu\(&slab->rcu_head, release_slab_rcu\);",
        "\t\t\trelease_slab_rcu(&slab->rcu_head);",
        r"a reader looks at",
        2000,
    ),
}


@pytest.fixture(scope="module")
def broken(real_places: Places) -> dict[str, Path]:
    """A program for each fault."""

    def planted(name: str) -> Path:
        return build(real_places, FAULTS[name].variant, (FAULTS[name].mutation,)) / "core"

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(FAULTS, pool.map(planted, FAULTS), strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, broken: dict[str, Path]) -> None:
    fault = FAULTS[name]
    done = run(broken[name], "--seed", SEED, "--histories", fault.histories)
    assert done.returncode == 1, done.stdout
    assert re.search(fault.says, done.stderr), done.stderr
    found = re.search(r"^repeat: (\S+) (.*)$", done.stderr, re.MULTILINE)
    assert found, done.stderr

    again = run(Path(found[1]), *found[2].split())
    assert again.returncode == 1
    assert first_line(again.stderr) == first_line(done.stderr)


def first_line(report: str) -> str:
    """What went wrong, without addresses."""
    return re.sub(r"0x[0-9a-f]+", "ADDRESS", report.splitlines()[0])


@pytest.mark.tree
def test_what_is_tested_is_what_linux_gets(linux: Tree, real_places: Places) -> None:
    source = render_into_worktree(linux, real_places).source
    files = rendered()
    for path in RENDERED:
        assert content(files[path]) == (source / path).read_bytes()
