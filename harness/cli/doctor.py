# SPDX-License-Identifier: GPL-2.0
"""slqb doctor: what this host lacks."""

import json
from collections.abc import Iterator

import click

from harness.cli import App
from harness.doctor import Diagnosis, diagnose
from harness.errors import Outcome


@click.command(epilog="Example: slqb doctor --json")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.pass_obj
def command(app: App, as_json: bool) -> Outcome:
    """Say what this host lacks, what installs it, and which accelerator works."""
    found = diagnose(app.places, app.progress)
    app.progress.done()
    click.echo(json.dumps(_record(found), indent=2) if as_json else "\n".join(_told(found)))
    return found.outcome


def _told(found: Diagnosis) -> Iterator[str]:
    for need in found.needs:
        if need not in found.lacking:
            yield f"ok       {need.package}: {need.why}"
        elif need.is_option:
            yield f"option   {need.package}: {need.why}; without it {need.without}"
        else:
            yield f"MISSING  {need.package}: {need.why}"
    for disk in found.disks:
        mark = "MISSING" if disk.is_full else "low    " if disk.complaint else "ok     "
        room = disk.complaint or f"{disk.free_gib:.0f} GiB free"
        yield f"{mark}  {disk.what}: {room}, {disk.folder}"
    if found.accelerator is None:
        yield f"MISSING  accelerator: {found.trouble}"
    else:
        yield f"ok       accelerator: {found.accelerator.name} ({found.accelerator.reason})"
    if found.remedy:
        yield f"install what is missing with: {found.remedy}"


def _record(found: Diagnosis) -> dict[str, object]:
    picked = found.accelerator
    return {
        "outcome": found.outcome.name,
        "needs": [
            {
                "package": need.package,
                "why": need.why,
                "present": need not in found.lacking,
                "option": need.is_option,
            }
            for need in found.needs
        ],
        "disks": [
            {"what": disk.what, "folder": str(disk.folder), "free_gib": round(disk.free_gib, 1)}
            for disk in found.disks
        ],
        "accelerator": {"name": picked.name, "reason": picked.reason} if picked else None,
        "trouble": found.trouble,
        "install": found.remedy,
    }
