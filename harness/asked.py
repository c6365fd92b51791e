# SPDX-License-Identifier: GPL-2.0
"""What a guest is asked to do, and how that is said: to the guest, in a record, as options.

The three must agree, so they are made from one value here. `words` go on the kernel's command line
(our init and the test module read `slqbtest.*`), `options` are those of `slqb boot` and
`slqb run` that ask for the same again.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.cases import guest_cases, only_shape, picks
from harness.topology import Topology

Suite = Literal["all", "guest", "kunit", "none"]
Scale = Literal["brief", "quick", "soak"]
SUITES: tuple[Suite, ...] = ("all", "guest", "kunit", "none")
SCALES: tuple[Scale, ...] = ("brief", "quick", "soak")
EVERY_CASE = "*"


class Asked(BaseModel):
    """What the guest shall do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: Suite = "all"
    seed: int = Field(default=0, ge=0, lt=1 << 64)
    case: str = Field(default=EVERY_CASE, pattern=r"^\S+$")
    scale: Scale = "quick"
    share: str | None = Field(default=None, pattern=r"^\d+/\d+$")
    """K/N: tests that any shape of the machine will do for are dealt to N boots; this one is K."""
    trim_ms: int | None = None
    """A trim period of its own for the allocator; None leaves it as it is."""
    append: tuple[str, ...] = ()
    icount: bool = False
    """Virtual time that counts instructions, and the allocator's interrupts-off time in it."""

    @property
    def tests(self) -> bool:
        """Whether tests shall run, beyond the look at the machine's shape."""
        return self.suite != "none" and not only_shape(self.case)

    @property
    def init(self) -> bool:
        """Whether our init shall run, or only what is built into the kernel."""
        return self.suite != "kunit"

    @property
    def in_guest(self) -> bool:
        """Whether a test of init or of the module is meant, or simply all there are."""
        return self.case == EVERY_CASE or (self.init and picks(self.case, guest_cases()))

    @property
    def kunit_glob(self) -> str:
        """KUnit knows suite.test and nothing below it."""
        return ".".join(self.case.split(".")[:2])

    def words(self, topology: Topology) -> Iterator[str]:
        """For the kernel's command line."""
        yield from self._kunit_words()
        if not self.init:
            return
        yield f"slqbtest.topology={topology.shape}"
        if topology.grows:
            sizes = ",".join(map(str, topology.spare_mib))
            yield f"slqbtest.spare={topology.spare_cpus}:{sizes}"
        yield f"slqbtest.seed={self.seed}"
        yield f"slqbtest.scale={self.scale}"
        if self.share is not None:
            yield f"slqbtest.share={self.share}"
        if not self.tests:
            yield "slqbtest.suite=none"
        if self.case != EVERY_CASE:
            yield f"slqbtest.case={self.case}"
        if self.trim_ms is not None:
            yield from (f"slqb_trim_ms={self.trim_ms}", f"slqbtest.trim_ms={self.trim_ms}")

    def _kunit_words(self) -> Iterator[str]:
        wanted = self.tests and self.suite in ("all", "kunit")
        yield f"kunit.enable={int(wanted)}"
        if wanted and self.case != EVERY_CASE:
            yield f"kunit.filter_glob={self.kunit_glob}"
        if not self.init:
            yield "kunit_shutdown=reboot"

    def options(self) -> Iterator[str]:
        """The options that ask for the same, but for `--case`."""
        yield from ("--suite", self.suite, "--seed", str(self.seed), "--scale", self.scale)
        if self.trim_ms is not None:
            yield from ("--trim-ms", str(self.trim_ms))
        if self.share is not None:
            yield from ("--share", self.share)
        if self.icount:
            yield "--icount"
        for word in self.append:
            yield from ("--append", word)
