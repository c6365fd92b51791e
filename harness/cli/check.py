# SPDX-License-Identifier: GPL-2.0
"""`slqb check`: a series proved patch by patch."""

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from harness import child
from harness.author import NOBODY
from harness.check import Finding, Proof, applied, dry_run, kernels, style, worst_of
from harness.cli import App
from harness.cli.options import (
    accel_from,
    asked_from,
    asking,
    booting,
    names,
    of_templates,
    of_tree,
    slqb_path,
)
from harness.errors import Outcome, UserError
from harness.mail import Mail, read_mails
from harness.matrix import Plan, wanted_kernels
from harness.posting import Posting, commit_series, write_mails
from harness.proved import remember
from harness.run import Tools, pick_accelerators
from harness.series import render
from harness.session import recorded
from harness.store import open_store
from harness.style import reviewed
from harness.tree import open_tree, pristine

FORMATS = ("text", "json", "b4")
MARKS = {"pass": "ok  ", "warn": "WARN", "fail": "FAIL"}


@click.command(epilog="Example: slqb check, or of mails that were edited: slqb check outgoing")
@click.argument("mails", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@of_tree
@of_templates
@click.option("--patch", default="", metavar="N,M-K", help="Only these, by number.")
@click.option("--no-build", is_flag=True, help="Apply and read them, but build no kernel.")
@click.option("--arch", callback=names, default="x86_64", show_default=True, metavar="A,B")
@click.option("--config", callback=names, default="lean", show_default=True, metavar="A,B")
@click.option("--topology", callback=names, default="2n", show_default=True, metavar="A,B")
@click.option("--format", type=click.Choice(FORMATS), default="text", show_default=True)
@asking
@booting
@click.pass_obj
def command(app: App, /, **options: Any) -> Outcome:
    """Prove each patch: it applies, checkpatch is content, kernels build and boot after it.

    Kernels are built with SLUB, and with SLQB where Kconfig offers it; without a DIR, the
    series is rendered from the templates. Of the tests, those of the module run, if no --case
    is given.
    """
    plan = _plan(options)
    tree = open_tree(options["tree"], app.places, app.progress)
    source = pristine(tree, app.places)
    templates = options["templates"].absolute()
    series = render(tree, source, templates)
    posting = commit_series(open_store(app.places), tree, source, series, NOBODY)
    with TemporaryDirectory(prefix="slqb-check-") as scratch:
        folder = options["mails"] or Path(scratch)
        mails = _mails(posting, options["mails"], folder, app)
        only = numbers(options["patch"], mails[0].total)
        proof = Proof(posting, mails, source, reviewed(templates), only)
        if options["dry_run"]:
            _rehearse(proof, None if options["no_build"] else plan, app, options)
            return Outcome.PASS
        findings = _find(proof, plan, app, options)
        if not only and not options["no_build"]:
            remember(app.places, mails, findings)
    if options["json"] or options["format"] == "json":
        click.echo(json.dumps([one.model_dump() for one in findings], indent=1))
    elif options["format"] == "b4":
        click.echo(json.dumps([one.b4() for one in findings], indent=1))
    else:
        _tell(findings)
    return worst_of(findings)


def numbers(text: str, total: int) -> frozenset[int]:
    """{1, 4, 5} for "1,4-5"; empty for an empty text."""
    found: set[int] = set()
    for word in filter(None, (word.strip() for word in text.split(","))):
        first, _, last = word.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise UserError(f"--patch {text!r}: numbers are needed, as in 1,4-6")
        found |= set(range(int(first), int(last or first) + 1))
    if beyond := sorted(one for one in found if not 1 <= one <= total):
        raise UserError(f"--patch {text!r}: there is no patch {beyond[0]}, only 1 to {total}")
    return frozenset(found)


def _mails(posting: Posting, given: Path | None, folder: Path, app: App) -> tuple[Mail, ...]:
    if given is None:
        write_mails(posting, folder, app.progress)
    return read_mails(folder)


def _rehearse(proof: Proof, plan: Plan | None, app: App, options: dict[str, Any]) -> None:
    """Print the commands; mails that are not kept are to be rendered again."""
    if not options["mails"]:
        folder = Path("outgoing").absolute()
        where = ("--tree", options["tree"], "--templates", options["templates"].absolute())
        words = (slqb_path(), "series", *where, "-o", folder)
        click.echo(child.command_line(words, Path.cwd()))
        mails = tuple(replace(mail, path=folder / mail.path.name) for mail in proof.mails)
        proof = replace(proof, mails=mails)
    click.echo("\n".join(dry_run(proof, plan, app.places, app.progress)))


def _find(proof: Proof, plan: Plan, app: App, options: dict[str, Any]) -> list[Finding]:
    steps, findings = applied(proof)
    app.progress.stage(f"checkpatch on {len(proof.mails) - 1} patches")
    findings += style(proof)
    app.progress.done()
    for finding in findings:
        if finding.status != "pass":
            app.progress.note(line(finding))
    if options["no_build"]:
        return findings
    with recorded(app.places, tuple(sys.argv), plan.asked.seed, slqb_path()) as recorder:
        tools = Tools(app.places, app.progress, recorder)
        picked = pick_accelerators(plan, wanted_kernels(plan), tools)
        for finding in kernels(proof, steps, plan, tools, picked):
            app.progress.note(line(finding))
            findings.append(finding)
        worst = worst_of(findings)
        recorder.update(outcome=worst.name, reason=_reason(findings))
    return findings


def _plan(options: dict[str, Any]) -> Plan:
    asked = asked_from(options)
    if asked.case == "*":
        asked = asked.model_copy(update={"case": "slabtest.*"})
    plan = Plan(
        tree=options["tree"],
        archs=options["arch"],
        configs=options["config"],
        topologies=options["topology"],
        allocators=("slub", "slqb"),
        asked=asked,
        accel=accel_from(options),
        deadline=options["deadline"],
        silence=options["silence"],
    )
    wanted_kernels(plan)
    return plan


def line(finding: Finding) -> str:
    """For people."""
    return f"{MARKS[finding.status]} {finding.patch:02} {finding.tool}: {finding.summary}"


def _reason(findings: Iterable[Finding]) -> str:
    return next((line(one) for one in findings if one.status == "fail"), "")


def _tell(findings: list[Finding]) -> None:
    bad = [one for one in findings if one.status != "pass"]
    subject = ""
    for one in sorted(bad, key=lambda one: one.patch):
        if one.subject != subject:
            click.echo(f"{one.patch:02} {one.subject}")
            subject = one.subject
        click.echo(f"   {MARKS[one.status]} {one.tool}: {one.summary}")
        for detail in one.details.splitlines():
            click.echo(f"        {detail}")
    patches = len({one.patch for one in findings if one.patch})
    boots = sum(one.tool == "boot" for one in findings)
    failed = sum(one.status == "fail" for one in findings)
    click.echo(
        f"{worst_of(findings).name}: {patches} patches, {len(findings)} findings, "
        f"{failed} bad, {boots} boots"
    )
