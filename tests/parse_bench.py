# SPDX-License-Identifier: GPL-2.0
"""How long `slqb parse` takes on a long log, beside `grep -c`.

Run by `make bench-parse`: makes logs of ordinary kernel lines with some complaints among them, and
prints processor time (which other work on the machine changes little), memory, and ratios.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

FILLER = (
    b"usb 1-1: new high-speed USB device number 2 using xhci_hcd",
    b"pci 0000:00:1f.0: BAR 6: assigned [mem 0xfebc0000-0xfebcffff pref]",
    b"EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.",
    b"clocksource: tsc: mask: 0xffffffffffffffff max_cycles: 0x1cd42e205, max_idle_ns: 881",
    b'audit: type=1400 audit(1796060479.120:12): apparmor="STATUS" operation="load"',
    b"virtio_net virtio0 eth0: renamed from ens3",
    b"systemd[1]: Mounted Kernel Debug File System.",
    b"e1000 0000:00:03.0 eth1: Intel(R) PRO/1000 Network Connection",
)
"""Lines of a kernel that say nothing of interest."""
REPORT = (
    b"------------[ cut here ]------------",
    b"WARNING: CPU: 1 PID: 77 at mm/stack.c:31 stack_pop+0x1f/0x40",
    b"CPU: 1 PID: 77 Comm: modprobe Not tainted 6.1.0 #1",
    b"Call Trace:",
    b" <TASK>",
    *(b" stack_test+0x%x/0x90" % at for at in range(12)),
    b" </TASK>",
    b"---[ end trace 0000000000000000 ]---",
)
MEGABYTES = 218
EVERY = (0, 2000)
"""Ordinary lines between two reports; 0: no report at all."""
GOAL_SECONDS, GOAL_MEGABYTES = 15, 150


def filler(lines: int) -> Iterator[bytes]:
    """Ordinary lines with the kernel's time."""
    chance = random.Random(lines)
    for at in range(lines):
        yield b"[%12.6f] %s\n" % (at / 1000, chance.choice(FILLER))


def write(log: Path, megabytes: float, every: int) -> None:
    """A log of that size with a report after so many lines, and one test at the end."""
    block = b"".join(filler(every or 10_000))
    if every:
        block += b"".join(b"[   99.000000] " + line + b"\n" for line in REPORT)
    with log.open("wb") as sink:
        for _ in range(int(megabytes * 1e6 / len(block)) + 1):
            sink.write(block)
        sink.write(b"KTAP version 1\n1..1\nok 1 last\n")


def usage(words: list[str | Path]) -> tuple[float, float]:
    """Processor seconds and megabytes of a command."""
    with tempfile.TemporaryFile() as said:  # into the null device grep counts no further than one
        process = subprocess.Popen(words, stdout=said)
        _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


@click.command()
@click.option("--megabytes", default=MEGABYTES, show_default=True, help="Size of each log.")
def main(megabytes: int) -> None:
    """Print the table."""
    slqb = Path(sys.executable).with_name("slqb")
    click.echo("| log | grep -c | slqb parse | ratio | memory |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        for every in EVERY:
            write(log, megabytes, every)
            name = f"a report every {every} lines" if every else "no report"
            grep, _ = usage(["grep", "-c", "WARNING", log])
            ours, memory = usage([slqb, "parse", "--failed", log])
            ratio = ours / max(grep, 0.01)
            click.echo(
                f"| {log.stat().st_size / 1e6:.0f} MB, {name} | {grep:.2f} s | {ours:.2f} s"
                f" | {ratio:.1f} | {memory:.0f} MB |"
            )
            if ours > GOAL_SECONDS or memory > GOAL_MEGABYTES:
                sys.exit(f"the goal is {GOAL_SECONDS} s and {GOAL_MEGABYTES} MB")


if __name__ == "__main__":
    main()
