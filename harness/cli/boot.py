# SPDX-License-Identifier: GPL-2.0
"""slqb boot: one kernel on one topology."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harness.accelerator import choose, qemu_version
from harness.asked import Asked
from harness.boot import command as qemu_command
from harness.cases import guest_cases, mentioned, refuse
from harness.cli import App, completion
from harness.cli.options import accel_from, asked_from, asking, booting
from harness.cli.telling import in_record, tell
from harness.dispatch import boot_all
from harness.engine import Order
from harness.errors import Outcome
from harness.image import check_initramfs, check_kernel
from harness.keeping import keep_kernel
from harness.limits import said
from harness.machine import Machine, fitted, load_machine
from harness.record import CellRecord, Recorder
from harness.topology import load_topology
from harness.trial import Trial, limits_on

FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True, resolve_path=True)


@click.command(epilog="Example: slqb boot --kernel vmlinux --initramfs init.cpio --topology 2n")
@click.option("--kernel", type=FILE, required=True, help="The image: vmlinux on x86.")
@click.option("--initramfs", type=FILE, help="With our init; without it KUnit at most can run.")
@click.option(
    "--machine",
    default="x86_64",
    show_default=True,
    shell_complete=completion.MACHINE,
    help="A file of qemu/machines.",
)
@click.option(
    "--topology",
    default="2n",
    show_default=True,
    shell_complete=completion.TOPOLOGY,
    help="A file of qemu/topologies.",
)
@asking
@booting
@click.pass_obj
def command(app: App, /, **options: Any) -> Outcome:
    """Boot one kernel, judge its console, keep a record."""
    asked = asked_from(options)
    machine = load_machine(options["machine"])
    topology = fitted(machine, load_topology(options["topology"]))
    _check_files(options["kernel"], options["initramfs"], machine, asked)
    accelerator = choose(accel_from(options), machine, app.places, app.progress)
    trial = Trial(
        name=f"{machine.name}-{topology.name}",
        machine=machine,
        topology=topology,
        kernel=options["kernel"],
        initramfs=options["initramfs"] if asked.init else None,
        asked=asked,
        limits=limits_on(
            machine,
            topology,
            accelerator,
            asked,
            deadline=options["deadline"],
            silence=options["silence"],
        ),
        folder=Path(),
    )
    if options["dry_run"]:
        click.echo(shlex.join(qemu_command(trial.request, accelerator)))
        return Outcome.PASS
    qemu_version(machine.emulator)
    app.progress.note(str(accelerator))
    with in_record(app.places, asked.seed, as_json=options["json"]) as recorder:
        limits = said(options["deadline"], options["silence"])
        kept = _kept(app, recorder, trial, limits)
        order = Order(kept, accelerator)
        verdicts = boot_all([order], recorder, app.progress, app.places, jobs=1)
        verdict = verdicts[trial.name]
        recorder.update(outcome=verdict.outcome.name, reason=verdict.reason)
    return tell(recorder, as_json=options["json"])


def _check_files(kernel: Path, initramfs: Path | None, machine: Machine, asked: Asked) -> None:
    """That they can be booted, and that what is asked for can be in them."""
    check_kernel(kernel, machine)
    if initramfs:
        check_initramfs(initramfs)
    files = (kernel, initramfs) if initramfs else (kernel,)
    if not asked.in_guest and not mentioned(asked.case, *files):
        raise refuse(asked.case, guest_cases())


def _kept(app: App, recorder: Recorder, trial: Trial, limits: Mapping[str, float]) -> Trial:
    """The same trial with the files of the record."""
    kept = keep_kernel(
        recorder,
        app.places,
        "kernel",
        trial.kernel,
        initramfs=trial.initramfs,
        symbols=trial.symbols if trial.symbols != trial.kernel else None,
    )
    recorder.add(
        CellRecord(
            name=trial.name,
            kernel=kept.name,
            machine=trial.machine.name,
            topology=trial.topology.name,
            folder=trial.name,
            asked=trial.asked,
            limits=limits,
        )
    )
    return trial.moved(kept.image, kept.initramfs, recorder.folder / trial.name)
