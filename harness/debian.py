# SPDX-License-Identifier: GPL-2.0
"""Debian's package of a kernel's sources: the one that is installed, or fetched, without root."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import child
from harness.errors import HostError, UserError
from harness.origin import Origin, Snapshot, Tarball
from harness.progress import Progress
from harness.store import Store, discard

PREFIX = "linux-source-"
RELEASE = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True)
class Package(Origin):
    """linux-source-RELEASE, which is a tarball once it is here."""

    release: str

    @property
    def name(self) -> str:
        """As Debian calls it."""
        return PREFIX + self.release

    def recall(self, store: Store) -> Snapshot | None:
        archive = self._archive(store)
        return archive.recall(store) if archive else None

    def take(self, store: Store, progress: Progress) -> Snapshot:
        return (self._archive(store) or self._download(store, progress)).take(store, progress)

    def check(self, store: Store) -> None:
        """A UserError where the package neither is here nor is one that Debian has."""
        if not RELEASE.fullmatch(self.release):
            raise UserError(
                f"debian:{self.release}: give a release that Debian packages, as in debian:6.1"
            )
        offered = () if self._archive(store) else tuple(_offered())
        if offered and self.release not in offered:
            known = ", ".join(f"debian:{release}" for release in offered)
            raise UserError(
                f"debian:{self.release}: apt knows no package {self.name}; there are: {known}"
            )

    def _archive(self, store: Store) -> Tarball | None:
        """Where the package put it, or where we did."""
        installed = Path("/usr/src", f"{self.name}.tar.xz")
        if installed.is_file():
            return Tarball(installed, "debian", f"Debian package {self.name} {_version(self.name)}")
        fetched = self._folder(store) / f"usr/src/{self.name}.tar.xz"
        if not fetched.is_file():
            return None
        deb = next(self._folder(store).glob("*.deb"))
        words = ("dpkg-deb", "--field", deb, "Version")
        version = child.run(words, cwd=deb.parent, only_stdout=True).strip()
        return Tarball(fetched, "debian", f"Debian package {self.name} {version}")

    def _folder(self, store: Store) -> Path:
        return store.folder / "packages" / self.name

    def _download(self, store: Store, progress: Progress) -> Tarball:
        """Fetch the package without installing it: that needs no root."""
        progress.stage(f"download {self.name}")
        folder = self._folder(store)
        scratch = folder.with_name(f"tmp-{self.name}")
        discard(scratch)
        scratch.mkdir(parents=True)
        try:
            deb = _apt_get(self.name, scratch)
            child.run(("dpkg-deb", "--extract", deb, scratch), cwd=scratch)
            discard(folder)
            scratch.rename(folder)
        finally:
            discard(scratch)
        progress.done()
        archive = self._archive(store)
        if archive is None:
            raise HostError(f"the package {self.name} holds no {self.name}.tar.xz")
        return archive


def _offered() -> Iterator[str]:
    """The releases that apt has heard of; none where there is no apt, or it has no lists."""
    words = ("apt-cache", "search", "--names-only", f"^{PREFIX}[0-9.]+$")
    try:
        text = child.run(words, cwd=Path("/"), only_stdout=True)
    except (child.CommandError, HostError):
        return
    yield from (line.split()[0].removeprefix(PREFIX) for line in text.splitlines())


def _version(package: str) -> str:
    """A tarball may lie where the package puts it without the package being installed."""
    words = ("dpkg-query", "--show", "--showformat=${Version}", package)
    try:
        return child.run(words, cwd=Path("/"), only_stdout=True)
    except (child.CommandError, HostError):
        return "(version unknown)"


def _apt_get(package: str, folder: Path) -> Path:
    try:
        child.run(("apt-get", "download", package), cwd=folder)
        return next(folder.glob(f"{package}_*.deb"))
    except (child.CommandError, HostError, StopIteration) as error:
        raise HostError(
            f"the package {package} is not installed and cannot be downloaded:"
            f" run `apt-get update && apt-get install {package}` as root"
        ) from error
