# SPDX-License-Identifier: GPL-2.0
"""Every message of the tree that begins like a headline has been decided (tests/data/printk.toml).

The messages come out of the sources of Linux 6.1 and out of our templates (tests/printk.py). Each
is put on a console as its function prints it, and must be found to be what the decision says:
one complaint of that kind, or none.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.complaint import Kind, complaints
from harness.headline import reader
from harness.places import Places
from harness.template import TEMPLATES
from harness.tree import Tree, pristine
from tests.printk import PRINTS, Message, before_stacks, messages, said

DATA: dict[str, Any] = tomllib.loads((Path(__file__).parent / "data" / "printk.toml").read_text())
HEADS = "|".join(DATA["heads"])
DECIDED: dict[str, str] = {
    line: decision["says"] for decision in DATA["decision"] for line in decision["messages"]
}
NEWER = [(line, group["says"]) for group in DATA["newer"] for line in group["messages"]]
NOTICE = "notice"


def spoken(tree: Path) -> Iterator[Message]:
    """The messages of the tree, and of what is rendered into it."""
    for source, paths in ((tree, ()), (TEMPLATES, ("*.j2",))):
        yield from (one for one in messages(source, HEADS, *paths) if PRINTS.search(one.call))


@pytest.fixture(scope="module")
def found(linux: Tree, real_places: Places) -> tuple[Message, ...]:
    return tuple(spoken(pristine(linux, real_places)))


def first_line(message: Message) -> str:
    return message.console()[0].strip()


@pytest.mark.tree
def test_every_message_that_begins_like_a_headline_is_decided(found: tuple[Message, ...]) -> None:
    assert len(found) > 700
    here = {first_line(one) for one in found if not one.framed}
    assert sorted(here - set(DECIDED)) == []
    assert sorted(set(DECIDED) - here) == []


@pytest.mark.tree
def test_recall_and_precision_over_the_messages_of_the_tree(found: tuple[Message, ...]) -> None:
    """Printed with `pytest -s`; the decisions are kept to the last."""
    counts: Counter[str] = Counter()
    wrong = []
    for one in {first_line(one): one for one in found if not one.framed}.values():
        kinds = [complaint.kind.value for complaint in complaints(one.console())]
        wanted = DECIDED.get(first_line(one), NOTICE)
        counts[f"{wanted != NOTICE} {bool(kinds)}"] += 1
        if kinds != ([] if wanted == NOTICE else [wanted]):
            wrong.append((wanted, kinds, first_line(one)))
    hits, lost, false = counts["True True"], counts["True False"], counts["False True"]
    print(
        f"\n{hits + lost} complaints and {false + counts['False False']} notices decided;"
        f" recall {hits / (hits + lost):.1%}, precision {hits / (hits + false):.1%},"
        f" of the right kind {1 - len(wrong) / sum(counts.values()):.1%}"
    )
    assert wrong == []


@pytest.mark.tree
def test_what_warn_says_is_one_complaint_whatever_it_reads_like(found: tuple[Message, ...]) -> None:
    framed = [one for one in found if one.framed]
    assert len(framed) > 20
    for one in framed:
        [complaint] = complaints(one.console())
        assert complaint.headline.startswith("WARNING: CPU: "), one
        assert complaint.kind is not Kind.BUG, one


@pytest.mark.parametrize(("line", "says"), NEWER)
def test_messages_of_a_newer_tree(line: str, says: str) -> None:
    kinds = [complaint.kind.value for complaint in complaints([line])]
    assert kinds == ([] if says == NOTICE else [says])


HARMLESS = ("FAULT_INJECTION: ", "Testing a ", "invoked oom-killer: ")
STACK = ("CPU: 0 PID: 1 Comm: x Not tainted 6.1.0 #1", "Call Trace:", " <TASK>", " f+0x1/0x2")


@pytest.mark.tree
def test_what_is_printed_before_a_stack_dump_is_one_complaint(
    linux: Tree, real_places: Places
) -> None:
    """With a row of its own or without: it is the headline then."""
    dumped = list(before_stacks(pristine(linux, real_places)))
    assert len(dumped) > 50
    for one in dumped:
        lines = [line for line in one.console() if line.strip()]
        if any(word in lines[-1] or word in lines[0] for word in HARMLESS):
            assert complaints([*lines, *STACK]) == [], one
            continue
        [found] = complaints([*lines, *STACK])
        assert found.kind is not Kind.FRAGMENT, one
        heads = [line.strip() for line in lines]
        detail = reader().sight(heads[-1]).role is not None  # the headline stands further above
        assert detail or found.headline in heads, one


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("BUG: %s on CPU#%d, %s/%d\n", "BUG: word on CPU#1, word/1\n"),
        ("at %pS (%08lx)", "at some_function+0x1c/0x40 (c0de)"),
        ("%s:%d: bad pmd %p(%016lx)", "mm/x.c:1: bad pmd 00000000b1ab1ab1(c0de)"),
        ("50%% of %5.2s, %*u", "50% of word, 1"),
    ],
)
def test_formats_are_filled_in(format: str, line: str) -> None:
    assert said(format) == line


def test_messages_are_read_out_of_c(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        '#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt\n'
        "/* BUG: is not printed here */\n"
        '// pr_err("BUG: nor here");\n'
        "void f(void)\n{\n"
        '\tpr_err("BUG: %s "\n\t       "in two" " parts\\n", name(1));\n'
        '\tprintk(KERN_ERR "BUG: no prefix\\n");\n'
        '\tif (WARN(x, "BUG: \\"framed\\""))\n\t\treturn;\n'
        '\tpanic("BUG!");\n}\n'
    )
    lines = {one.call: one.console() for one in messages(tmp_path, "BUG")}
    assert lines["pr_err"] == ["a: BUG: word in two parts"]
    assert lines["printk"] == ["BUG: no prefix"]
    assert lines["WARN"][1] == 'BUG: "framed"'
    assert lines["panic"] == ["Kernel panic - not syncing: BUG!"]
    assert set(lines) == {"pr_err", "printk", "WARN", "panic"}
