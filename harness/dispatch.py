# SPDX-License-Identifier: GPL-2.0
"""From kernels to verdicts: builds one after the other, boots beside them as there is room.

The main thread decides everything: what is built next, what boots where (packing.py), what a boot
that ended means. Builds have a thread of their own where there are several, at a lower priority
than boots, whose clocks run; boots are done by an engine. Ctrl-C reaches the main thread: it ends
every child, and what threads then see is not judged.

A boot that the host spoilt, or could not do, says nothing of the kernel. It is repeated at the end,
with no other of ours beside it, and what it left is kept. A boot that failed is repeated as often
as the user wants, beside others, until it passes: then its cell is flaky, which is no pass.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any

from harness import child, show, trial
from harness.engine import Engine, Local, Order
from harness.errors import HarnessError, Outcome
from harness.forecast import A_BUILD, HERE, Load
from harness.machine import in_turns
from harness.outlook import rest, sentence, task_of
from harness.packing import Packing, Task
from harness.past import Past, boot_name
from harness.places import Places
from harness.progress import Progress, span
from harness.record import AttemptRecord, CellRecord, Recorder
from harness.trial import Booted
from harness.verdict import Verdict

SPOILT = "-spoilt"
"""Ends the name of a folder with what a boot left that the host spoilt."""
REPEAT = "-repeat"
"""And of one with what a repeat left, before its number."""
TICK = 0.5
NICE = 10
GRACE = 10.0
REPEATED = (Outcome.FAIL, Outcome.BOOT, Outcome.CRASH, Outcome.TIMEOUT)
"""What may be a flake."""


@dataclass(frozen=True)
class Build:
    """A kernel to be built, with what is known of it, and the way to do it."""

    load: Load
    carry_out: Callable[[], Iterable[Order]]


@dataclass(frozen=True)
class Manner:
    """How boots are done."""

    counted: bool = False
    """The user said how many run at a time: each counts as one."""
    repeat: int = 0


@dataclass(frozen=True)
class Building:
    """The build that is under way."""

    build: Build
    future: "Future[Iterable[Order]]"
    began: float
    thread: threading.Thread | None = None


class Dispatcher:
    """One run's builds and boots."""

    def __init__(
        self, engine: Engine, recorder: Recorder, progress: Progress, past: Past, manner: Manner
    ) -> None:
        self._engine, self._recorder, self._progress = engine, recorder, progress
        self._past, self._manner = past, manner
        self._packing = Packing(engine.rooms())
        self._orders: dict[str, Order] = {}
        self._boots: dict[Future[Booted], Order] = {}
        self._began: dict[str, float] = {}
        self._builds: list[Build] = []
        self._beside = False
        self._building: Building | None = None
        self._spoilt: list[Order] = []
        self._again: set[str] = set()
        self._shown = ""
        self._cells = 0
        self.verdicts: dict[str, Verdict] = {}

    def carry_out(self, orders: Sequence[Order] = (), builds: Sequence[Build] = ()) -> None:
        """All of it."""
        self._builds = list(builds)
        self._beside = len(builds) > 1
        self._cells = len(orders) + sum(len(one.load.tasks) for one in builds)
        try:
            self._add(orders)
            self._tell_outlook()
            self._show_boots()
            self._until_done()
            while self._spoilt:
                self._once_more(self._spoilt.pop(0))
                self._until_done()
        except BaseException:
            self._engine.stop()
            child.end_all()
            if self._building and self._building.thread:
                # its make is ended; another's lock that it may wait for is not
                self._building.thread.join(GRACE)
            raise
        finally:
            self._engine.close()
        self._progress.done()

    def _until_done(self) -> None:
        while self._builds or self._building or self._boots or self._packing.waiting:
            self._start_build()
            self._start_boots()
            self._wait()
            for future in [one for one in self._boots if one.done()]:
                order = self._boots.pop(future)
                self._packing.end(order.name)
                self._finish(order, future)
            if self._building and self._building.future.done():
                self._take_kernel(self._building)

    def _wait(self) -> None:
        """For something to end; cut into pieces so that Ctrl-C is heard."""
        futures: list[Future[Any]] = [*self._boots]
        if self._building:
            futures.append(self._building.future)
        if futures:
            wait(futures, timeout=TICK, return_when=FIRST_COMPLETED)
        else:  # there is no room for what waits
            time.sleep(TICK)

    # Builds

    def _start_build(self) -> None:
        if self._building or not self._builds:
            return
        build, future = self._builds.pop(0), Future[Iterable[Order]]()
        thread = None
        if self._beside:
            thread = threading.Thread(target=_behind, args=(future, build), daemon=True)
        self._building = Building(build, future, time.monotonic(), thread)
        if thread:
            thread.start()
        else:
            _fulfil(future, build)

    def _take_kernel(self, built: Building) -> None:
        self._building = None
        orders = list(built.future.result())
        self._cells -= len(built.build.load.tasks) - len(orders)
        self._add(orders)
        self._show_boots()

    # Boots

    def _add(self, orders: Iterable[Order]) -> None:
        new = {order.name: order for order in orders}
        self._orders |= new
        self._packing.add(self._task_of(order) for order in new.values())

    def _task_of(self, order: Order) -> Task:
        known = self._past.expect(_past_name(order))
        one, counted = order.trial, self._manner.counted
        turns = in_turns(one.machine, order.accelerator.name)
        return task_of(order.name, one.topology, one.asked, known, counted=counted, in_turns=turns)

    def _start_boots(self) -> None:
        self._packing.rooms = self._engine.rooms()
        shared = self._building and self._engine.here and not self._manner.counted
        self._packing.taken = {HERE: A_BUILD} if shared else {}
        for task, host in self._packing.start():
            order = self._orders.pop(task.name)
            told = trial.announce(order.trial, order.accelerator)
            if not order.number:
                self._recorder.cell(order.trial.name, **told)
            self._began[order.name] = time.monotonic()
            future = self._start(order, host)
            self._boots[future] = order

    def _start(self, order: Order, host: str) -> "Future[Booted]":
        """With its console to be seen, where it is the only thing there is to see."""
        if self._building or self._builds or self._boots or not self._single():
            return self._engine.submit(order, host)
        self._shown = order.name
        self._progress.stage(f"boot {order.name}", self._past.expect(_past_name(order)))
        return self._engine.show(order, host, self._progress)

    def _single(self) -> bool:
        """Whether no two boots run at a time from here on."""
        return not self._packing.waiting or self._one_by_one()

    def _one_by_one(self) -> bool:
        rooms = self._packing.rooms
        return len(rooms) == 1 and all(room.cores == 1 for room in rooms.values())

    def _finish(self, order: Order, future: "Future[Booted]") -> None:
        try:
            booted = future.result()
        except HarnessError as error:
            if error.outcome is not Outcome.HOST or child.all_ended():
                raise
            self._lose(order, str(error).partition("\n")[0])
            return
        verdict, told = trial.conclude(order.trial, booted)
        if verdict.outcome in (Outcome.PASS, Outcome.FAIL):
            self._past.remember(_past_name(order), booted.result.seconds)
        if not order.number:
            self.verdicts[order.trial.name] = verdict
            self._recorder.cell(order.trial.name, **told)
        more = self._judge(order, verdict, booted.result.seconds)
        self._say(order, verdict)
        self._add(more)

    def _lose(self, order: Order, reason: str) -> None:
        """A boot of which nothing came back."""
        verdict = Verdict(Outcome.HOST, reason)
        self._progress.note(f"{order.name}: {reason}")
        if not order.number:
            self.verdicts[order.trial.name] = verdict
            self._recorder.cell(
                order.trial.name, status="finished", outcome=Outcome.HOST.name, reason=reason
            )
        self._add(self._judge(order, verdict, 0.0))

    def _judge(self, order: Order, verdict: Verdict, seconds: float) -> list[Order]:
        """What is still to be done for its cell."""
        spoilt = verdict.outcome is Outcome.HOST
        if spoilt and order.name not in self._again:
            self._spoilt.append(order)
            return []
        failed = verdict.outcome in REPEATED
        if order.number or (failed and self._manner.repeat):
            self._keep_attempt(order, verdict, seconds)
        if order.number >= self._manner.repeat or not (failed or (spoilt and order.number)):
            return []
        number = order.number + 1
        folder = self._recorder.folder / f"{order.trial.name}{REPEAT}{number}"
        return [order.moved(folder, number)]

    def _keep_attempt(self, order: Order, verdict: Verdict, seconds: float) -> None:
        one = AttemptRecord(
            outcome=verdict.outcome.name,
            reason=verdict.reason,
            seconds=seconds,
            folder=order.trial.folder.name,
        )
        cell = self._cell(order)
        self._recorder.cell(cell.name, attempts=(*cell.attempts, one))

    def _once_more(self, order: Order) -> None:
        """A boot that the host spoilt."""
        cell = self._cell(order)
        reason = cell.reason if not order.number else f"repeat {order.number}: the host spoilt it"
        self._progress.note(f"{order.name}: once more, {reason}")
        folder = order.trial.folder
        folder.replace(folder.with_name(f"{folder.name}{SPOILT}"))
        self._recorder.cell(cell.name, host_failures=(*cell.host_failures, reason))
        self._again.add(order.name)
        self._add([order])

    def _cell(self, order: Order) -> CellRecord:
        cells = self._recorder.record.cells
        return next(cell for cell in cells if cell.name == order.trial.name)

    # What is told

    def _say(self, order: Order, verdict: Verdict) -> None:
        line = show.verdict_line(verdict)
        if order.number:
            line = f"repeat {order.number} of {self._manner.repeat}: {line}"
            line += "; flaky" if verdict.outcome is Outcome.PASS else ""
        if order.name == self._shown:
            self._shown = ""
            self._progress.done(line)
            return
        self._progress.note(f"{order.trial.name}: {line}{self._left()}")
        if not self._building:
            self._progress.step(len(self.verdicts), self._cells)

    def _left(self) -> str:
        """How far the run is."""
        done = len(self.verdicts)
        if done >= self._cells:
            return ""
        left = self._outlook()
        about = f", about {span(left)} left" if left is not None else ""
        return f" [{done} of {self._cells}{about}]"

    def _tell_outlook(self) -> None:
        """At the start: what is to be done, and how long it takes by what is known."""
        if self._cells < 2:
            return
        told = sentence(self._cells, len(self._builds), self._outlook())
        self._progress.note(told)

    def _show_boots(self) -> None:
        """If all is built: from here on, boots are what is waited for."""
        count = len(self._packing.waiting) + len(self._boots)
        if not self._builds and count > 1 and not self._one_by_one():
            self._progress.stage(f"boot {count} machines", self._outlook())

    def _outlook(self) -> float | None:
        """Seconds to the end; None if nothing is known of it."""
        now, packing = time.monotonic(), self._packing
        loads, underway = [one.load for one in self._builds], []
        for task, host in packing.running.values():
            left = max(1.0, task.seconds - (now - self._began[task.name]))
            underway.append((replace(task, seconds=left), host))
        if self._building:
            load = self._building.build.load
            cores = max((room.cores for room in packing.rooms.values()), default=1)
            left_over = load.build.after(now - self._building.began, cores)
            loads.insert(0, replace(load, build=left_over))
        shared = self._engine.here and not self._manner.counted
        return rest(packing.rooms, loads, packing.waiting, underway, shared=shared)


def boot_all(
    orders: Sequence[Order],
    recorder: Recorder,
    progress: Progress,
    places: Places,
    *,
    jobs: int | None = None,
    repeat: int = 0,
) -> Mapping[str, Verdict]:
    """Boots on this host and nothing else: the verdict on the first boot of each cell."""
    manner = Manner(counted=jobs is not None, repeat=repeat)
    dispatcher = Dispatcher(Local(jobs), recorder, progress, Past.of(places), manner)
    dispatcher.carry_out(orders)
    return dispatcher.verdicts


def _past_name(order: Order) -> str:
    one = order.trial
    kernel = one.name.removesuffix(f"-{one.topology.name}")
    return boot_name(kernel, one.topology.name, one.asked, order.accelerator.name)


def _fulfil(future: "Future[Iterable[Order]]", build: Build) -> None:
    try:
        future.set_result(build.carry_out())
    except (HarnessError, OSError) as error:
        future.set_exception(error)
    finally:
        if not future.done():
            future.cancel()


def _behind(future: "Future[Iterable[Order]]", build: Build) -> None:
    """In a thread of its own, whose children inherit its priority."""
    thread = threading.get_native_id()
    nice = os.getpriority(os.PRIO_PROCESS, thread) + NICE
    os.setpriority(os.PRIO_PROCESS, thread, min(19, nice))
    _fulfil(future, build)
