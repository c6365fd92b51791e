# SPDX-License-Identifier: GPL-2.0
"""One use of `slqb boot` or `slqb run`: a record that is closed however it ends, boots at once.

Boots of different cells share nothing but the record, so as many as asked for run side
by side, in threads that each listen to one QEMU. Ctrl-C reaches the main thread: it ends
every QEMU, and what their threads then see is not judged.

A boot that the host spoilt says nothing of the kernel. It is repeated, with no other boot of
ours beside it, and what it left is kept.
"""

import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import child, record, show
from harness.accelerator import Accelerator
from harness.errors import HarnessError, Outcome, UserError
from harness.places import Places
from harness.progress import Progress, SilentProgress
from harness.record import Recorder
from harness.repro import write_repro
from harness.trial import Trial, attempt
from harness.verdict import Verdict

SPOILT = "-spoilt"
"""Ends the name of a folder with what a boot left that the host spoilt."""


@contextmanager
def recorded(places: Places, command: tuple[str, ...], seed: int, slqb: Path) -> Iterator[Recorder]:
    """A record that is open for the block, and closed in a way that says how the block ended."""
    recorder, began = record.begin(places, command, seed), time.monotonic()
    try:
        yield recorder
    except KeyboardInterrupt:
        _close(recorder, began, slqb, Outcome.INTERRUPTED, "interrupted")
        raise
    except UserError as error:
        if any(cell.argv for cell in recorder.record.cells):
            _close(recorder, began, slqb, error.outcome, _first_line(error))
        else:  # a mistake that nothing was done for
            shutil.rmtree(recorder.folder)
        raise
    except HarnessError as error:
        _close(recorder, began, slqb, error.outcome, _first_line(error))
        raise
    except OSError as error:
        with suppress(OSError):  # if the record cannot be written either, it says so by its state
            _close(recorder, began, slqb, Outcome.HOST, child.fault_of(error))
        raise
    else:
        if recorder.record.outcome is not None:
            outcome = Outcome[recorder.record.outcome]
            _close(recorder, began, slqb, outcome, recorder.record.reason)


def _first_line(error: HarnessError) -> str:
    return str(error).split("\n", 1)[0]


def _close(recorder: Recorder, began: float, slqb: Path, outcome: Outcome, reason: str) -> None:
    recorder.update(
        status="interrupted" if outcome is Outcome.INTERRUPTED else "finished",
        outcome=outcome.name,
        exit_code=outcome.exit_code,
        reason=reason,
        seconds=round(time.monotonic() - began, 3),
    )
    write_repro(recorder.folder, recorder.record, slqb)


def boot_all(
    trials: Sequence[tuple[Trial, Accelerator]],
    recorder: Recorder,
    progress: Progress,
    jobs: int,
) -> Mapping[str, Verdict]:
    """The verdict on each trial, by its name; no more than `jobs` of them at a time."""
    verdicts: Mapping[str, Verdict]
    if len(trials) == 1 or jobs == 1:
        verdicts = {trial.name: _alone(trial, accel, recorder, progress) for trial, accel in trials}
    else:
        verdicts = _side_by_side(trials, recorder, progress, jobs)
    spoilt = [one for one in trials if verdicts[one[0].name].outcome is Outcome.HOST]
    return {**verdicts, **{one[0].name: _again(*one, recorder, progress) for one in spoilt}}


def _again(
    trial: Trial, accelerator: Accelerator, recorder: Recorder, progress: Progress
) -> Verdict:
    """A boot that the host spoilt, once more."""
    reason = next(cell.reason for cell in recorder.record.cells if cell.name == trial.name)
    progress.note(f"{trial.name}: once more, {reason}")
    trial.folder.replace(trial.folder.with_name(f"{trial.folder.name}{SPOILT}"))
    recorder.cell(trial.name, host_failures=(reason,))
    return _alone(trial, accelerator, recorder, progress)


def _alone(
    trial: Trial, accelerator: Accelerator, recorder: Recorder, progress: Progress
) -> Verdict:
    """One boot whose console shows as it goes."""
    progress.stage(f"boot {trial.name}")
    verdict = attempt(trial, accelerator, recorder, progress)
    assert verdict is not None  # nobody can stop it but an exception
    progress.done(show.verdict_line(verdict))
    return verdict


def _side_by_side(
    trials: Sequence[tuple[Trial, Accelerator]],
    recorder: Recorder,
    progress: Progress,
    jobs: int,
) -> Mapping[str, Verdict]:
    progress.stage(f"boot {len(trials)} machines, {jobs} at a time")
    stop, verdicts = threading.Event(), dict[str, Verdict]()

    def one(trial: Trial, accelerator: Accelerator) -> Verdict | None:
        if stop.is_set():
            return None
        return attempt(trial, accelerator, recorder, SilentProgress(), stop)

    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        waiting = {pool.submit(one, *pair): pair[0].name for pair in trials}
        for name, verdict in _as_they_come(waiting):
            verdicts[name] = verdict
            progress.note(f"{name}: {show.verdict_line(verdict)}")
            progress.step(len(verdicts), len(trials))
    except BaseException:
        stop.set()
        child.end_all()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    progress.done()
    return verdicts


def _as_they_come(
    waiting: dict[Future[Verdict | None], str],
) -> Iterator[tuple[str, Verdict]]:
    """Finished boots; the wait is cut into pieces so that Ctrl-C is heard."""
    while waiting:
        done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in done:
            name, verdict = waiting.pop(future), future.result()
            if verdict is not None:
                yield name, verdict
