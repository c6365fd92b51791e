# SPDX-License-Identifier: GPL-2.0
"""What makes QEMU quick, if it works here: found out by trying, never by looking.

That /dev/kvm opens proves nothing: on nested hosts kernels have been seen to hang under KVM
for ever, or to die on the first instruction KVM must emulate. So `auto` boots a payload of
a few instructions, of the same format as our kernels (qemu/probes/), and reads from the
console how far it came. TCG, which is software, needs no such proof.

The finding is kept for this host, its kernel, its QEMU and the machine's CPU model.
"""

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import child
from harness.arch import load_arch
from harness.errors import HarnessError, HostError, Outcome, UserError
from harness.file import write_atomically
from harness.machine import PROBES, Machine, Payload, qemu_command
from harness.parsing import parse_json
from harness.places import Places
from harness.progress import Progress
from harness.topology import Node, Topology

TCG = "tcg"
CHOICES = ("auto", "kvm", "tcg")
SLOWNESS = {"kvm": 1.0, TCG: 2.0}
"""By how much deadlines and the kernel's own stall thresholds are stretched."""
PATIENCE = 5.0
DEVICE = Path("/dev/kvm")
SUCCESS = "abcdeok"  # one letter for each thing that worked
PROBE_SHAPE = Topology(name="probe", description="one CPU", nodes=(Node(cpus=1, memory_mib=128),))
ASSEMBLE = (
    *("gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-N", "-Wl,--no-warn-rwx-segments"),
    *("-Wl,-Ttext=0x100000", "-Wl,--build-id=none"),
)


@dataclass(frozen=True)
class Accelerator:
    """The one picked, and why."""

    name: str
    reason: str
    brief: str = ""
    """The reason where a line has to do; `slqb doctor` gives the other."""

    @property
    def slowness(self) -> float:
        """By how much time limits are stretched."""
        return SLOWNESS[self.name]

    def __str__(self) -> str:
        return f"accelerator: {self.name} ({self.brief})"


@dataclass(frozen=True)
class Finding:
    """What a probe found."""

    works: bool
    reason: str


def choose(wanted: str, machine: Machine, places: Places, progress: Progress) -> Accelerator:
    """The accelerator to use; asking for one that does not work is an error."""
    if wanted not in CHOICES:
        raise UserError(f"unknown accelerator {wanted!r}; known: {', '.join(CHOICES)}")
    if wanted == TCG:
        return Accelerator(TCG, "asked for", "asked for")
    finding = _unfit(machine) or find(machine, places, progress, afresh=wanted == "kvm")
    if finding.works:
        return Accelerator("kvm", finding.reason, finding.reason)
    if wanted == "kvm":
        raise HostError(f"kvm does not work here: {finding.reason}; use --accel tcg")
    brief = "kvm does not work here, see `slqb doctor`"
    return Accelerator(TCG, f"kvm does not work here: {finding.reason}", brief)


def find(machine: Machine, places: Places, progress: Progress, *, afresh: bool) -> Finding:
    """What is known about KVM here, from the cache or from a try."""
    memory = places.facts / f"accelerator-{_key(machine)}.json"
    if not afresh and (known := _recall(memory)) is not None:
        return known
    progress.stage("trying kvm")
    finding = _try(machine, places)
    progress.done("works" if finding.works else "does not work")
    write_atomically(memory, f"{json.dumps(asdict(finding), indent=1)}\n".encode())
    return finding


def _unfit(machine: Machine) -> Finding | None:
    """Why KVM need not be tried at all."""
    if "kvm" not in machine.cpu:
        return Finding(False, f"machine {machine.name} has no such mode")
    if not machine.probe:
        return Finding(False, f"machine {machine.name} has no payload to try it with")
    if platform.machine() != load_arch(machine.arch).host:
        return Finding(False, f"this host is {platform.machine()}, not {machine.arch}")
    if not DEVICE.exists():
        return Finding(False, f"there is no {DEVICE}")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return Finding(False, f"no permission for {DEVICE}")
    return None


def qemu_version(emulator: str) -> str:
    """The first line QEMU says about itself."""
    return child.run([emulator, "--version"], cwd=Path("/"), timeout=20).split("\n", 1)[0]


def _key(machine: Machine) -> str:
    """Whatever the finding depends on."""
    host = platform.uname()
    source = (PROBES / machine.probe).read_text()
    parts = (host.node, host.release, host.version, qemu_version(machine.emulator), source)
    return hashlib.sha256("\0".join((*parts, str(machine))).encode()).hexdigest()[:16]


def _recall(memory: Path) -> Finding | None:
    try:
        return Finding(**parse_json(memory.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):  # not there, or not of our making
        return None


def _try(machine: Machine, places: Places) -> Finding:
    """Boot the payload and read how far it came."""
    folder = places.folder("probe")
    payload = folder / f"{machine.name}-{os.getpid()}.elf"
    try:
        assemble(machine, payload)
    except HarnessError as error:
        return Finding(False, f"its test payload cannot be built ({_first_line(str(error))})")
    try:
        return boot_payload(machine, "kvm", payload, folder)
    finally:
        payload.unlink()


def assemble(machine: Machine, payload: Path) -> None:
    """Build the payload."""
    argv = [*ASSEMBLE, "-o", str(payload), str(PROBES / machine.probe)]
    child.run(argv, cwd=payload.parent, timeout=60)


def boot_payload(
    machine: Machine, accelerator: str, payload: Path, folder: Path, patience: float = PATIENCE
) -> Finding:
    """Whether the payload got through, and where it stopped if not."""
    argv = qemu_command(machine, PROBE_SHAPE, accelerator, Payload(payload))
    try:
        said = child.run(argv, cwd=folder, timeout=patience)
    except child.CommandError as error:
        timely = "it hung" if error.outcome is Outcome.TIMEOUT else error.reason
        return Finding(False, f"{_last_words(error.tail)}{timely}")
    if SUCCESS in said:
        return Finding(True, "booted its test payload")
    return Finding(False, f"its test payload stopped after {said.strip()[-40:]!r}")


def _last_words(text: str) -> str:
    """What QEMU complained of, if it did."""
    signs = ("internal error", "error:", "failed")
    found = [line for line in text.splitlines() if any(sign in line for sign in signs)]
    return f"{found[0].strip()}; " if found else ""


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]
