# SPDX-License-Identifier: GPL-2.0
"""A series proved patch by patch, from the mails themselves.

Each mail is applied to what those before it have left, without fuzz and with white space mattering;
the tree's checkpatch reads it; and the tree as it is then is built, with SLQB off and, from the
patch on that lets Kconfig offer it, on. A kernel that differs from the one before is booted. The
worktree and the build folders are the same for all patches, so that only what changed is built.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict

from harness import child
from harness.accelerator import Accelerator
from harness.digest import digest_of
from harness.errors import HarnessError, Outcome, TreeError
from harness.hunk import Text
from harness.kernel import foreign_warnings
from harness.mail import Applied, ApplyError, Mail, apply_mails, changed_files, commands
from harness.matrix import Plan, Wanted, wanted_kernels
from harness.places import Places
from harness.posting import Posting
from harness.progress import Progress
from harness.run import (
    Job,
    Source,
    Tools,
    add_modules,
    announce,
    boot_and_judge,
    build,
    keep,
    kernel_commands,
    pack,
    see_through,
)
from harness.series import content, options_of
from harness.storable import Storable
from harness.style import Accept, Remark, check_words, remarks
from harness.template import Line
from harness.verdict import worst
from harness.worktree import lay_files, line_map_of

LABEL = "check"
Tool = Literal["apply", "checkpatch", "build", "boot"]
Status = Literal["pass", "warn", "fail"]


class Finding(Storable):
    """What one tool says of one patch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patch: int
    subject: str
    tool: Tool
    status: Status
    summary: str
    outcome: str = Outcome.PASS.name
    details: str = ""

    def b4(self) -> dict[str, str]:
        """As b4 takes the answer of a check."""
        return {
            "tool": f"slqb-{self.tool}",
            "status": self.status,
            "summary": f"{self.patch:02} {self.subject}: {self.summary}",
            "url": "",
            "details": self.details,
        }


@dataclass(frozen=True)
class Proof:
    """What is proved, and with what."""

    posting: Posting
    mails: tuple[Mail, ...]
    source: Path
    """The pristine tree."""
    accepted: tuple[Accept, ...]
    only: frozenset[int] = frozenset()
    """Numbers of patches; empty: all."""

    def wants(self, number: int) -> bool:
        """Whether that patch is to be looked at."""
        return not self.only or number in self.only


@dataclass
class Bench:
    """Where kernels are built and booted, and what was seen there."""

    plan: Plan
    tools: Tools
    picked: Mapping[str, Accelerator]
    images: dict[str, tuple[str, int]] = field(default_factory=dict)


def applied(proof: Proof) -> tuple[list[Applied], list[Finding]]:
    """The trees the mails make, as far as they apply."""
    steps: list[Applied] = []
    store, base = proof.posting.store, proof.posting.tree.base
    try:
        for step in apply_mails(store, base, proof.mails):
            steps.append(step)
    except ApplyError as error:
        summary = f"does not apply: {error.reason}"
        return steps, [_finding(error.mail, "apply", summary, Outcome.TREE)]
    return steps, [_finding(one.mail, "apply", "applies") for one in steps]


def style(proof: Proof) -> Iterator[Finding]:
    """What checkpatch says, and which acceptances cover nothing."""
    mails = [mail for mail in proof.mails if mail.number and proof.wants(mail.number)]
    found = remarks(proof.source, mails)
    for mail in mails:
        own = [one for one in found if one.mail == mail and not _accepted(one, proof.accepted)]
        if own:
            told = f"{own[0].type}: {own[0].text}" + (f" and {len(own) - 1} more" * (len(own) > 1))
            yield _finding(mail, "checkpatch", told, Outcome.FAIL, "\n".join(map(str, own)))
        else:
            yield _finding(mail, "checkpatch", "no complaint")
    if proof.only:
        return
    for accept in proof.accepted:
        if not any(accept.covers(one) for one in found):
            yield Finding(
                patch=0, subject="accepted.toml", tool="checkpatch", status="warn",
                summary=f"nothing of {accept.type} is found any more in /{accept.subject}/",
            )  # fmt: skip


def kernels(proof: Proof, steps: Sequence[Applied], plan: Plan, tools: Tools,
            picked: Mapping[str, Accelerator]) -> Iterator[Finding]:  # fmt: skip
    """Build and boot after each patch."""
    bench = Bench(plan, tools, picked)
    files = Files(proof)
    for step in steps:
        texts = files.after(step)
        if proof.wants(step.mail.number):
            yield from _kernels_of(proof, step, texts, bench)


def dry_run(proof: Proof, plan: Plan | None, places: Places, progress: Progress) -> Iterator[str]:
    """The commands of a check; without a plan, no kernel is built."""
    posting = proof.posting
    yield from commands(posting.store, posting.tree.base, proof.mails)
    for mail in proof.mails:
        if mail.number and proof.wants(mail.number):
            yield child.command_line(check_words(proof.source, mail), proof.source)
    if plan is None:
        return
    source = places.worktrees / f"{posting.tree.name}-{LABEL}"
    yield f"# after each patch: lay the files as they are then into {source}, and"
    line_map = line_map_of(posting.tree, places)
    for wanted in wanted_kernels(plan):
        yield from kernel_commands(plan, wanted, source, line_map, places, progress)


def worst_of(findings: Iterable[Finding]) -> Outcome:
    """One outcome of all."""
    return worst([Outcome[one.outcome] for one in findings])


@dataclass
class Files:
    """What the series has made of the tree's files, patch by patch, with the origin of lines."""

    proof: Proof
    texts: dict[str, Text] = field(default_factory=dict)
    tree: str = ""

    def after(self, step: Applied) -> dict[str, Text]:
        """All files that differ from the tree's."""
        posting = self.proof.posting
        before = self.tree or posting.tree.base
        rendered = self._rendered(step.mail.number)
        for path, data in changed_files(posting.store, before, step.tree).items():
            if data is None:
                raise TreeError(f"patch {step.mail.name}: takes {path} away, which no check knows")
            self.texts[path] = self._text(step.mail, path, data, rendered.get(path))
        self.tree = step.tree
        return self.texts

    def _rendered(self, number: int) -> dict[str, Text]:
        commits = self.proof.posting.series.commits[:number]
        return {path: text for commit in commits for path, text in commit.files.items()}

    def _text(self, mail: Mail, path: str, data: bytes, rendered: Text | None) -> Text:
        """The template's lines if the mail was left as it was rendered."""
        if rendered is not None and content(rendered) == data:
            return rendered
        lines = data.decode(errors="surrogateescape").removesuffix("\n").split("\n")
        new = not (self.proof.source / path).exists()
        return tuple(Line(line, mail.path.name if new else None) for line in lines)


def _kernels_of(
    proof: Proof, step: Applied, texts: Mapping[str, Text], bench: Bench
) -> Iterator[Finding]:
    tree, tools = proof.posting.tree, bench.tools
    rendered = lay_files(tree, tools.places, LABEL, texts, tools.progress)
    known = options_of(texts)
    lacks = options_of(proof.posting.series.files) - known
    source = Source(bench.plan, tools, tree, rendered.source, rendered.line_map, lacks)
    for wanted in wanted_kernels(bench.plan):
        if wanted.allocator == "slqb" and "SLQB" not in known:
            continue
        yield from _kernel(step.mail, source, _numbered(wanted, step.mail.number), bench)


def _kernel(mail: Mail, source: Source, wanted: Wanted, bench: Bench) -> Iterator[Finding]:
    what = f"{wanted.allocator} {wanted.config}"
    job = Job(source, wanted, bench.picked[wanted.machine.name])
    try:
        job = build(job)
    except HarnessError as error:
        if error.outcome is Outcome.HOST:
            raise
        summary, _, details = str(error).partition("\n")
        yield _finding(mail, "build", f"{what}: {summary}", error.outcome, details)
        return
    assert job.kernel is not None
    if warnings := foreign_warnings(job.kernel):
        summary = f"{what}: warning: {warnings[0]}"
        yield _finding(mail, "build", summary, Outcome.BUILD, "\n".join(warnings))
    key = wanted.name.removeprefix(wanted.prefix)
    digest = digest_of(job.kernel.image, source.tools.places)
    before, number = bench.images.get(key, ("", 0))
    if digest == before:
        yield _finding(mail, "build", f"{what}: the kernel of patch {number:02}, to the byte")
        return
    bench.images[key] = (digest, mail.number)
    yield _finding(mail, "build", f"{what}: builds")
    yield from _boots(mail, what, job)


def _boots(mail: Mail, what: str, job: Job) -> Iterator[Finding]:
    recorder = job.source.tools.recorder
    announce((job.wanted,), job.source.plan, recorder)
    see_through(job, (add_modules, pack, keep, boot_and_judge))
    names = {cell.name for cell in job.wanted.cells}
    for done in recorder.record.cells:
        if done.name in names:
            outcome = Outcome[done.outcome or Outcome.HOST.name]
            passed = f"{done.counts.get('pass', 0)} passed"
            summary = f"{what} on {done.topology}: " + (
                passed if outcome is Outcome.PASS else f"{outcome.name}: {done.reason}"
            )
            yield _finding(mail, "boot", summary, outcome, str(recorder.folder / done.folder))


def _numbered(wanted: Wanted, number: int) -> Wanted:
    """Kernels and cells by the patch they belong to."""
    prefix = f"{number:02}-"
    cells = tuple(replace(cell, name=f"{prefix}{cell.name}") for cell in wanted.cells)
    return replace(wanted, prefix=prefix, cells=cells)


def _accepted(remark: Remark, accepted: Iterable[Accept]) -> bool:
    return any(one.covers(remark) for one in accepted)


def _finding(
    mail: Mail, tool: Tool, summary: str, outcome: Outcome = Outcome.PASS, details: str = ""
) -> Finding:
    return Finding(
        patch=mail.number,
        subject=mail.subject,
        tool=tool,
        status="pass" if outcome is Outcome.PASS else "fail",
        summary=summary,
        outcome=outcome.name,
        details=details if outcome is not Outcome.PASS else "",
    )
