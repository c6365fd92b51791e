# SPDX-License-Identifier: GPL-2.0
"""One use of `slqb boot` or `slqb run`: a record that is closed however it ends."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import child, record
from harness.errors import HarnessError, HostError, Outcome, UserError
from harness.places import Places
from harness.record import Recorder, RunRecord
from harness.repro import write_repro
from harness.verdict import worst


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
        _weigh(error, recorder.record)
        _close(recorder, began, slqb, error.outcome, _first_line(error))
        raise
    except OSError as error:
        fault = HostError(child.fault_of(error))
        _weigh(fault, recorder.record)
        with suppress(OSError):  # if the record cannot be written either, it says so by its state
            _close(recorder, began, slqb, fault.outcome, _first_line(fault))
        raise fault from error
    else:
        if recorder.record.outcome is not None:
            outcome = Outcome[recorder.record.outcome]
            _close(recorder, began, slqb, outcome, recorder.record.reason)


def _weigh(error: HarnessError, record: RunRecord) -> None:
    """What is known of the kernels counts for more than that the host gave up."""
    known = {Outcome[cell.outcome]: cell for cell in reversed(record.cells) if cell.outcome}
    outcome = worst([error.outcome, *known])
    if outcome is not error.outcome:
        error.outcome, cell = outcome, known[outcome]
        error.add_note(f"before that {cell.name}: {outcome.name}: {cell.reason}")


def _first_line(error: HarnessError) -> str:
    return str(error).split("\n", 1)[0]


def _close(recorder: Recorder, began: float, slqb: Path, outcome: Outcome, reason: str) -> None:
    for cell in recorder.record.cells:
        if cell.status == "running":
            recorder.cell(cell.name, status="stopped")
    recorder.update(
        status="interrupted" if outcome is Outcome.INTERRUPTED else "finished",
        outcome=outcome.name,
        exit_code=outcome.exit_code,
        reason=reason,
        seconds=round(time.monotonic() - began, 3),
    )
    write_repro(recorder.folder, recorder.record, slqb)
