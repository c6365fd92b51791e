# SPDX-License-Identifier: GPL-2.0
"""Boots on a Dask cluster, on whatever that runs: SSH, SLURM, Kubernetes, this host.

A worker is a host with as many cores as it has threads. A boot is sent to the worker that the
packing chose; if that dies, Dask gives it to another, and since all of its inputs lie with the
scheduler, nothing is lost. The package `distributed` is asked for only when it is used.

Only an installed slqb on the workers is assumed, with QEMU: no disk, no kernel, no cache.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from harness.digest import digest_of
from harness.engine import LostError, Order
from harness.errors import HostError, UserError
from harness.packing import Room
from harness.parcel import (
    Content,
    Delivery,
    Parcel,
    Refusal,
    boot,
    packed,
    stop_run,
    this_code,
    unpacked,
)
from harness.places import Places
from harness.progress import Progress
from harness.trial import Booted

PATIENCE = 10.0
"""Seconds for a scheduler to answer, and for its first worker."""
ALONE = 120.0
"""Seconds without any worker after which none is waited for."""
ENDLESS_MIB = 1 << 30
FAULTS = (OSError, ValueError, TimeoutError, ImportError, AttributeError, RuntimeError)
"""What distributed raises where it cannot reach or use something."""


def boot_there(parcel: Parcel, *data: bytes) -> Delivery | Refusal:
    """In a worker."""
    from distributed import get_worker

    return boot(parcel, data, Path(get_worker().local_directory))


def same(data: bytes) -> bytes:
    """What a content is to the scheduler: a task that it can do again wherever it is needed."""
    return data


class Cluster:
    """The workers of a scheduler."""

    here = False

    def __init__(self, address: str, places: Places, run: str) -> None:
        self._client, self._address = _connected(address), address
        self._places, self._run = places, f"{run}-{uuid4()}"  # not another client's of that second
        self._executors: dict[str, Executor] = {}
        self._contents: dict[str, Any] = {}
        self._alone: float | None = None
        """Since when there has been no worker."""

    def rooms(self) -> Mapping[str, Room]:
        """Its workers, of which some may have come or gone."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        now = time.monotonic()
        self._alone = None if workers else now if self._alone is None else self._alone
        if self._alone is not None and now - self._alone > ALONE:
            raise HostError(f"the Dask scheduler at {self._address} has had no worker for long")
        return {
            name: Room(one["nthreads"], (one["memory_limit"] >> 20) or ENDLESS_MIB)
            for name, one in workers.items()
        }

    def submit(self, order: Order, host: str) -> Future[Booted]:
        """To that worker, or to another if it dies."""
        kernel = self._content(order.trial.kernel)
        packed_init = order.trial.initramfs
        initramfs = self._content(packed_init) if packed_init else None
        parcel = packed(order, self._run, kernel, initramfs)
        data = [self._contents[one.sha256] for one in parcel.contents]
        sent = self._executor(host).submit(boot_there, parcel, *data)
        arrived: Future[Booted] = Future()
        sent.add_done_callback(partial(_arrive, arrived, order))
        return arrived

    def show(self, order: Order, host: str, progress: Progress) -> Future[Booted]:
        """Its console is elsewhere until it is over."""
        progress.step(0, None, f"on {host}")
        return self.submit(order, host)

    def stop(self) -> None:
        """Workers end their QEMU; what has not begun is taken back."""
        for executor in self._executors.values():
            executor.shutdown(wait=False)
        with suppress(*FAULTS):
            self._client.run(stop_run, self._run, on_error="ignore")

    def close(self) -> None:
        """The cluster stays, for others."""
        self._contents.clear()
        with suppress(*FAULTS):
            self._client.close()

    def _executor(self, host: str) -> Executor:
        if host not in self._executors:
            self._executors[host] = self._client.get_executor(
                workers=[host], allow_other_workers=True, pure=False
            )
        return self._executors[host]

    def _content(self, file: Path) -> Content:
        """Known to the scheduler by its digest; sent if it is not."""
        digest = digest_of(file, self._places)
        if digest not in self._contents:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sending large graph")
                key = f"slqb-{digest}"
                self._contents[digest] = self._client.submit(same, file.read_bytes(), key=key)
        return Content(file.name, digest)


def _connected(address: str) -> Any:
    """A client of the scheduler, with a worker that has what we need."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError(
            "--engine dask needs the Python package distributed: pip install 'slqb[dask]'"
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    client = _tried(
        partial(Client, address, timeout=PATIENCE, set_as_default=False),
        f"no Dask scheduler answers at {address}",
    )
    _tried(
        lambda: client.wait_for_workers(1, timeout=PATIENCE),
        f"the Dask scheduler at {address} has no worker",
    )
    said = _tried(lambda: client.run(this_code), f"the workers of {address} cannot use this slqb")
    other = {name: code for name, code in said.items() if code != this_code()}
    if other:
        name, code = next(iter(other.items()))
        raise UserError(f"the worker {name} has slqb {code}, this is {this_code()}")
    return client


def _tried(work: Callable[[], Any], complaint: str) -> Any:
    try:
        return work()
    except FAULTS as error:
        raise UserError(f"{complaint} ({_brief(error)})") from error


def _arrive(arrived: Future[Booted], order: Order, sent: Future[Delivery | Refusal]) -> None:
    """What came back, or why nothing did; in the client's own thread."""
    try:
        arrived.set_result(unpacked(order, sent.result()))
    except CancelledError:
        arrived.set_exception(LostError("the cluster gave it up"))
    except Exception as error:  # noqa: BLE001  # whatever it is, the waiting thread must have it
        lost = type(error).__module__.startswith("distributed")
        arrived.set_exception(LostError(_brief(error)) if lost else error)


def _brief(error: BaseException) -> str:
    """On one line."""
    said = str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
