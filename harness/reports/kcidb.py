# SPDX-License-Identifier: GPL-2.0
"""KernelCI's form: a checkout, a build for each kernel, a test for each boot and each test in it.

Complaints of the kernel are issues, where they came up incidents. The schema is that of the package
kcidb-io, which also says whether what is made here agrees with it: nothing invalid is ever
written. Nothing is sent: `slqb report --format kcidb` is what KernelCI's client takes.
"""

import hashlib
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from kcidb_io.schema import LATEST

from harness.errors import Outcome, UserError
from harness.record import CaseRecord, CellRecord, ComplaintRecord, KernelRecord
from harness.reports.account import (
    Account,
    Standing,
    complaints,
    facts,
    kind_of,
    standing,
    tests_of,
    why,
)
from harness.repro import failing

ORIGIN = "slqb"
STATUS = {"pass": "PASS", "fail": "FAIL", "skip": "SKIP", "known": "DONE", "missing": "ERROR"}
"""What a test says; one known to fail says nothing new of the code."""
EXCERPT = 16384
"""The most that the schema allows."""
UNBUILT = (Outcome.BUILD.name, Outcome.TREE.name)
BOOT = "boot"
Data = dict[str, Any]


def checked_origin(name: str) -> str:
    """The name of a CI system, if the schema takes it."""
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise UserError(f"--origin {name!r}: KernelCI wants small letters, digits and _")
    return name


def kcidb(account: Account, origin: str = ORIGIN) -> str:
    """The run as JSON for KernelCI; `origin` is the name of the CI system there."""
    return json.dumps(report(account, origin), indent=1) + "\n"


def report(account: Account, origin: str = ORIGIN) -> Data:
    """The same as data that agrees with the schema."""
    maker = _Maker(account, origin)
    tests = [test for cell in account.record.cells for test in maker.tests(cell)]
    data = {
        "version": {"major": LATEST.major, "minor": LATEST.minor},
        "checkouts": [maker.checkout()],
        "builds": list(maker.builds()),
        "tests": tests,
        **maker.troubles(),
    }
    checked: Data = LATEST.validate(data)
    return checked


class _Maker:
    """Makes the parts; all of them share the names of the run and of the CI system."""

    def __init__(self, account: Account, origin: str) -> None:
        self._account, self._record, self._origin = account, account.record, origin
        self._started = datetime.fromisoformat(account.record.started)

    def checkout(self) -> Data:
        """What was built from."""
        tree = self._record.tree
        made = {"id": self._id("checkout"), "origin": self._origin, "valid": True}
        made["start_time"] = self._record.started
        if tree is None:
            return made | {"comment": "kernels that were built elsewhere"}
        state = ", with changes that are not committed" if tree.dirty else ""
        made |= {"tree_name": tree.name, "git_commit_name": tree.release}
        made |= {"comment": f"{tree.origin}{state}, with SLQB rendered into it"}
        if tree.upstream and re.fullmatch(r"[0-9a-f]{40}", tree.upstream):
            made["git_commit_hash"] = tree.upstream
        if re.fullmatch(r"[0-9a-f]{64}", tree.digest):
            made["patchset_hash"] = tree.digest
        return made

    def builds(self) -> Iterator[Data]:
        """Kernels, and those that could not be built."""
        for kernel in self._record.kernels:
            yield self._build(kernel.name) | _built(kernel)
        known = {kernel.name for kernel in self._record.kernels}
        for name in dict.fromkeys(cell.kernel for cell in self._record.cells):
            if name not in known:
                yield self._build(name) | self._unbuilt(name)

    def _build(self, name: str) -> Data:
        ids = {"id": self._id("build", name), "checkout_id": self._id("checkout")}
        return {**ids, "origin": self._origin, "start_time": self._record.started}

    def _unbuilt(self, name: str) -> Data:
        """Nothing is known of a kernel that nobody came to build."""
        cell = next(cell for cell in self._record.cells if cell.kernel == name)
        failed = cell.outcome in UNBUILT
        return {"status": "FAIL" if failed else "MISS", "comment": _clean(why(cell))}

    def tests(self, cell: CellRecord) -> Iterator[Data]:
        """A boot, and what ran in it."""
        if cell.outcome in UNBUILT:
            return
        boot = self._test(cell, BOOT) | {"status": _boot_status(cell)}
        found = self._account.excerpt(cell)
        boot |= {"duration": cell.seconds, "comment": _clean(why(cell))}
        boot["misc"] = dict(facts(self._account, cell)) | self._misc(cell)
        if standing(cell) is not Standing.GOOD and found.length:
            boot["log_excerpt"] = _clean(found.text())[-EXCERPT:]
        yield boot
        for mark, case in _marked(cell):
            yield self._case(cell, case, mark)

    def _misc(self, cell: CellRecord) -> Data:
        tries = [one.model_dump() for one in cell.attempts]
        again = self._account.repeat(cell, failing(cell))
        return {"outcome": cell.outcome, "flaky": cell.flaky, "attempts": tries, "repeat": again}

    def _case(self, cell: CellRecord, case: CaseRecord, mark: str) -> Data:
        found = self._account.excerpt(cell)
        made = self._test(cell, case.path, mark) | {"status": STATUS[case.status]}
        if (seconds := found.seconds(case.lines)) is not None:
            began = self._started + timedelta(seconds=found.begun[case.lines[0]])
            made |= {"duration": seconds, "misc": {"after": str(began - self._started)}}
        if case.reason:
            made["comment"] = _clean(case.reason)
        if said := found.text(found.between(case.lines)):
            made["log_excerpt"] = _clean(said)[-EXCERPT:]
        return made

    def _test(self, cell: CellRecord, path: str, mark: str = "") -> Data:
        return {
            "id": self._id("test", cell.name, mark or path),
            "build_id": self._id("build", cell.kernel),
            "origin": self._origin,
            "path": _path(f"{ORIGIN}.{path}"),
            "environment": {
                "comment": f"QEMU {cell.machine}, NUMA topology {cell.topology}",
                "misc": {"machine": cell.machine, "topology": cell.topology},
            },
        }

    def troubles(self) -> Data:
        """Issues, each told once, and the places where they came up."""
        issues: dict[str, Data] = {}
        incidents = []
        for cell in self._record.cells:
            if standing(cell) is Standing.UNKNOWN:
                continue  # nothing that a spoilt boot says is the kernel's fault
            tests = {case.path: mark for mark, case in _marked(cell)}
            for number, one in enumerate(complaints(cell), 1):
                mark = self._id("issue", hashlib.sha256(kind_of(one).encode()).hexdigest()[:16])
                issues.setdefault(mark, self._issue(mark, one))
                where = tests.get(one.path, BOOT)
                incidents.append(
                    {
                        "id": self._id("incident", cell.name, str(number)),
                        "origin": self._origin,
                        "issue_id": mark,
                        "issue_version": 1,
                        "test_id": self._id("test", cell.name, where),
                        "present": True,
                        "comment": _clean(one.headline),
                    }
                )
        return {"issues": list(issues.values()), "incidents": incidents} if issues else {}

    def _issue(self, mark: str, complaint: ComplaintRecord) -> Data:
        kind = _path(f"runtime.{complaint.kind}")
        culprit = {"code": True, "tool": False, "harness": False}
        made = {"id": mark, "version": 1, "origin": self._origin, "culprit": culprit}
        return made | {"categories": [kind], "comment": _clean(complaint.headline)}

    def _id(self, *words: str) -> str:
        """An issue is the same in every run, anything else is this run's."""
        run = () if words[0] == "issue" else (self._record.name,)
        return f"{self._origin}:{_clean('/'.join((*run, *words)))}"


def _built(kernel: KernelRecord) -> Data:
    told = {
        "architecture": re.sub(r"[^a-z0-9_]", "_", kernel.arch.lower()),
        "compiler": _clean(kernel.compiler),
        "config_name": _clean(kernel.config_name),
        "command": _clean(shlex.join(kernel.argv)),
    }
    sums = {"image_sha256": kernel.image_sha256, "config_sha256": kernel.config_sha256}
    misc = {"release": kernel.release, "allocator": kernel.allocator, **sums}
    made: Data = {key: value for key, value in told.items() if value}
    made |= {"status": "PASS", "duration": kernel.build_seconds}
    return made | {"misc": {key: value for key, value in misc.items() if value}}


def _marked(cell: CellRecord) -> Iterator[tuple[str, CaseRecord]]:
    """The tests of a boot, each with an id of its own: paths may come twice."""
    seen = Counter({BOOT: 1})
    for case in tests_of(cell):
        seen[case.path] += 1
        number = seen[case.path]
        yield (case.path if number == 1 else f"{case.path}#{number}"), case


def _boot_status(cell: CellRecord) -> str:
    """A boot that failed with a test is told by the test, but never as a pass."""
    if standing(cell) is Standing.UNKNOWN:
        return "MISS"
    return "PASS" if standing(cell) is Standing.GOOD else "FAIL"


def _path(path: str) -> str:
    """Only what the schema allows in a path."""
    parts = (re.sub(r"[^a-zA-Z0-9_-]+", "_", part) for part in path.split("."))
    return ".".join(part or "_" for part in parts)


def _clean(text: str) -> str:
    return text.replace("\0", "")
