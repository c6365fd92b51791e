# SPDX-License-Identifier: GPL-2.0
"""Which functions are the allocator's, and what the plugin's report says."""

import subprocess
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.irqsoff import (
    COMPILE,
    REPORT,
    SOURCE,
    Range,
    Stretch,
    measured,
    prepare,
    stretches,
    text_of,
)
from harness.machine import Payload, load_machine, qemu_command
from harness.topology import load_topology

FUNCTIONS = (
    ("sparse.c", "00000100", "", "online_mem_sections"),
    ("slqb.c", "00000110", "slqb.c", "kmlist_pop"),
    ("slqb.c", "00000120", "slqb.c", "trim_work"),
    ("slqb.c", "00000130", "", "kmem_cache_alloc"),
    ("slqb.c", "00000140", "", "slabinfo_write"),
    ("migrate.c", "00000150", "", "folio_migrate_flags"),
    ("migrate.c", "00000160", "migrate.c", "remove_migration_pte"),
    ("slqb.c", "00000180", "slqb.c", "trim_work.cold"),
    ("slqb.c", "00000900", "slqb.c", "setup_trim_ms"),
)
MARKS = (("__lock_text_end", "00000300"), ("__lock_text_start", "00000200"))


def row(address: str, size: int, kind: str, binding: str, name: str) -> str:
    return f"   12: {address} {size:5} {kind:7} {binding:6} DEFAULT    1 {name}"


def listing() -> list[str]:
    rows = ["Symbol table '.symtab' contains 9 entries:", "   Num:    Value  Size Type Bind"]
    for file in ("slqb.c", "migrate.c"):
        rows.append(row("00000000", 0, "FILE", "LOCAL", file))
        rows += [row(a, 16, "FUNC", "LOCAL", name) for _, a, f, name in FUNCTIONS if f == file]
    rows += [row(a, 16, "FUNC", "GLOBAL", name) for _, a, f, name in FUNCTIONS if not f]
    return rows + [row(address, 0, "NOTYPE", "GLOBAL", name) for name, address in MARKS]


def test_the_allocator_is_its_file_and_what_it_exports() -> None:
    text = text_of(listing())
    assert text.part() == Range(0x110, 0x150)
    assert text.locks == Range(0x200, 0x300)
    assert str(text.part()) == "110:150"


def test_a_function_that_others_may_call_may_lie_between() -> None:
    between = row("00000118", 8, "FUNC", "GLOBAL", "fixup_red_left")
    assert text_of([*listing(), between]).part() == Range(0x110, 0x150)


def test_places_have_names() -> None:
    text = text_of(listing())
    assert text.place(0x124) == "trim_work+0x4"
    assert text.place(0x1000) == "0x1000"


@pytest.mark.parametrize(("gone", "what"), [("slqb.c", "allocator"), ("__lock_text_end", "locks")])
def test_a_kernel_without_the_symbols_is_refused(gone: str, what: str) -> None:
    rows = [line.replace(gone, "other") for line in listing()]
    with pytest.raises(UserError, match=what):
        text_of(rows).part()


def test_the_report_is_read() -> None:
    report = ["irqsoff 2717 460 ffffffff8112f9c9 ffffffff8112fa0d", "instructions 5605129477"]
    assert list(stretches(report)) == [Stretch(2717, 460, 0xFFFFFFFF8112F9C9, 0xFFFFFFFF8112FA0D)]


def test_no_report_is_no_measure(tmp_path: Path) -> None:
    assert not measured(tmp_path / "vmlinux", tmp_path)
    (tmp_path / REPORT).write_text("instructions 12\n")
    assert not measured(tmp_path / "vmlinux", tmp_path)


def test_the_plugin_is_built_beside_the_boot(tmp_path: Path) -> None:
    source = tmp_path / "slqb.S"
    source.write_text(
        '.file "slqb.c"\n.text\n.globl __lock_text_start, __lock_text_end, _start\n'
        ".type trim, @function\ntrim: cli; sti; ret\n.size trim, . - trim\n"
        "_start: __lock_text_start: nop\n__lock_text_end: nop\n"
    )
    kernel = tmp_path / "vmlinux"
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", kernel, source], check=True)
    option, value = prepare(kernel, tmp_path)
    plugin, *words = value.split(",")
    assert option == "-plugin"
    assert Path(plugin).is_file()
    assert [word.partition("=")[0] for word in words] == ["out", "part", "locks"]
    [start, end] = (int(one, 16) for one in words[1].partition("=")[2].split(":"))
    assert end - start == 3  # cli, sti, ret


def test_the_plugin_is_sound_c() -> None:
    words = [*COMPILE, "-Wshadow", "-fsyntax-only", str(SOURCE)]
    subprocess.run(words, check=True)


def test_instructions_are_counted_on_one_cpu() -> None:
    machine, payload = load_machine("x86_64"), Payload(Path("vmlinux"))
    words = qemu_command(machine, load_topology("up"), "tcg", payload, icount=True)
    assert words[words.index("-icount") + 1] == "shift=0,sleep=off"
    assert words[words.index("-accel") + 1] == "tcg,thread=single"
    with pytest.raises(UserError, match=r"--icount: .* on one CPU, 2n has 4"):
        qemu_command(machine, load_topology("2n"), "tcg", payload, icount=True)
    power = load_machine("ppc64le")
    with pytest.raises(UserError, match="--icount: how ppc64le disables interrupts is not known"):
        qemu_command(power, load_topology("up"), "tcg", payload, icount=True)
