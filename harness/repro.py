# SPDX-License-Identifier: GPL-2.0
"""repro.sh: a failing test once more, from the record alone.

It boots the saved kernel with the saved initramfs, the same machine, shape, seed and words,
and only the test that failed. With --from-source it renders, builds and boots anew. It
needs this project's `slqb`; the plain QEMU command stands in the script for those without.
"""

import shlex
from pathlib import Path

from harness.asked import EVERY_CASE
from harness.record import (
    MACHINE,
    TOPOLOGY,
    CellRecord,
    KernelRecord,
    RunRecord,
    TreeRecord,
    host_of,
)

SCRIPT = "repro.sh"
TEMPLATE = """\
#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Repeats one test of run {run}: {what}
#
#   ./repro.sh [CASE]                the saved kernel ({image})
#   ./repro.sh --from-source [CASE]  rendered, built and booted anew
#   ./repro.sh --qemu                the bare QEMU command, all tests, no verdict
set -eu
here=$(cd "$(dirname "$0")" && pwd)
slqb=${{SLQB:-{slqb}}}
mode=saved
case "${{1:-}}" in
--from-source) mode=source; shift ;;
--qemu) mode=qemu; shift ;;
esac
test=${{1:-{case}}}
case $mode in
saved) exec "$slqb" {boot} ;;
source) {source} ;;
qemu) cd "$here" && exec {qemu} ;;
esac
"""


def write_repro(folder: Path, record: RunRecord, slqb: Path) -> Path | None:
    """The script for the cell that failed worst, or the last one; None before any boot."""
    cell = _chosen(record)
    if cell is None:
        return None
    kernel = next(one for one in record.kernels if one.name == cell.kernel)
    case = failing(cell) or "*"
    text = TEMPLATE.format(
        run=record.name,
        what=f"{case} on {cell.name}",
        image=kernel.image,
        slqb=shlex.quote(str(slqb)),
        case=shlex.quote(case),
        boot=_boot(record, kernel, cell),
        source=_source(record, kernel, cell),
        qemu=_qemu(folder, cell),
    )
    fresh = folder / f".{SCRIPT}"
    fresh.write_text(text)
    fresh.chmod(0o755)
    return fresh.replace(folder / SCRIPT)


def failing(cell: CellRecord) -> str:
    """The first test of a cell that failed, as a pattern for `--case`."""
    bad = (case.path for case in cell.cases if case.status in ("fail", "missing"))
    path = next(bad, "")
    group, dot, case = path.partition(".")
    if " " in group:  # of no group: the list of tests itself
        return "*"
    return path if not path or (dot and " " not in case) else f"{group}.*"


def _chosen(record: RunRecord) -> CellRecord | None:
    booted = [cell for cell in record.cells if cell.argv]
    bad = [cell for cell in booted if cell.outcome not in (None, "PASS")]
    with_case = [cell for cell in bad if failing(cell)]
    return next(iter((*with_case, *bad, *reversed(booted))), None)


def _boot(record: RunRecord, kernel: KernelRecord, cell: CellRecord) -> str:
    words = ["boot", "--kernel", f"$here/{kernel.image}"]
    if kernel.initramfs:
        words += ["--initramfs", f"$here/{kernel.initramfs}"]
    words += ["--machine", f"$here/{cell.folder}/{MACHINE}"]
    words += ["--topology", f"$here/{cell.folder}/{TOPOLOGY}"]
    return _joined([*words, *_booting(record, cell), "--case", "$test"])


def _source(record: RunRecord, kernel: KernelRecord, cell: CellRecord) -> str:
    if record.tree is None:
        return "echo 'this kernel was not built by slqb run' >&2; exit 2"
    words = [*_run(record, record.tree, kernel, cell), "--case", "$test"]
    return f'exec "$slqb" {_joined(words)}'


def _run(record: RunRecord, tree: TreeRecord, kernel: KernelRecord, cell: CellRecord) -> list[str]:
    words = ["run", "--tree", tree.origin, *(("--pristine",) if tree.pristine else ())]
    words += ["--arch", kernel.arch, "--config", kernel.config_name]
    words += ["--allocator", kernel.allocator, "--topology", cell.topology]
    return [*words, *_booting(record, cell)]


def _booting(record: RunRecord, cell: CellRecord) -> list[str]:
    """How it was booted, and what was asked of it."""
    accelerator = host_of(record, cell).accelerator
    words = ["--accel", accelerator] if accelerator else []
    for name, seconds in cell.limits.items():
        words += [f"--{name}", f"{seconds:g}"]
    return [*words, *cell.asked.options()]


def repeat(
    record: RunRecord, kernel: KernelRecord, cell: CellRecord, case: str, folder: Path
) -> tuple[str, ...]:
    """The command that does one cell again, from source where that is known, for a report."""
    if record.tree is not None:
        words = _run(record, record.tree, kernel, cell)
    else:
        words = ["boot", "--kernel", str(folder / kernel.image)]
        words += ["--initramfs", str(folder / kernel.initramfs)] if kernel.initramfs else []
        words += ["--machine", cell.machine, "--topology", cell.topology]
        words += _booting(record, cell)
    chosen = case or cell.asked.case
    return ("slqb", *words, *(("--case", chosen) if chosen != EVERY_CASE else ()))


def _joined(words: list[str]) -> str:
    """Words for the shell; $here and $test stay alive."""
    return " ".join(
        f'"{word}"' if word.startswith(("$here/", "$test")) else shlex.quote(word) for word in words
    )


def _qemu(folder: Path, cell: CellRecord) -> str:
    """QEMU's own command, with the paths of the record made relative to it."""
    return shlex.join(word.replace(f"{folder}/", "") for word in cell.argv)
