# SPDX-License-Identifier: GPL-2.0
"""The one door to child processes.

Every child leads a process group of its own, so that Ctrl-C (which then reaches only us)
can end it together with all it started. If we are killed and can end nothing any more, the
guard does it (guard.py). The directory is handed to the child: we never change ours.
Whatever fails is a CommandError that carries the command to repeat it; signs in its output
that the host is at fault (disk full, no memory) make it exit 8 whatever the caller expected.
"""

import errno
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from harness import guard
from harness.errors import HarnessError, HostError, Outcome

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 3.0  # seconds between SIGTERM and SIGKILL
TAIL = 20  # lines of output an error repeats
DISK_FULL = "the disk is full; free some space, or move the cache with SLQB_CACHE"
NO_MEMORY = "this machine is out of memory; fewer jobs at once need less"
HOST_SIGNS = {
    "No space left on device": DISK_FULL,
    "Out of diskspace": DISK_FULL,
    "Disk quota exceeded": DISK_FULL,
    "Cannot allocate memory": NO_MEMORY,
    "virtual memory exhausted": NO_MEMORY,
    "Killed signal terminated program": NO_MEMORY,
}

_live: set[int] = set()  # process groups that run now, for end_all()
_detached: list["subprocess.Popen[bytes]"] = []  # kept, for a child nobody waits for is warned of
_closed = threading.Event()  # set by end_all(): nothing is started any more


class CommandError(HarnessError):
    """A child that failed, with the command line that repeats it."""

    def __init__(
        self,
        argv: Sequence[str],
        cwd: Path,
        reason: str,
        tail: str = "",
        outcome: Outcome = Outcome.HOST,
    ) -> None:
        super().__init__(reason)
        self.argv, self.cwd, self.reason, self.tail = tuple(argv), cwd, reason, tail
        self.outcome = outcome

    def __str__(self) -> str:
        head = f"{self.reason}: {command_line(self.argv, self.cwd)}"
        return f"{head}\n{self.tail}" if self.tail else head


def command_line(argv: Sequence[str | Path], cwd: Path) -> str:
    """The shell line that repeats argv in cwd."""
    return f"(cd {shlex.quote(str(cwd))} && {shlex.join(map(str, argv))})"


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
    outcome: Outcome = Outcome.HOST,
    input: str | bytes | None = None,
    only_stdout: bool = False,
    dry: bool = False,
) -> str:
    """Run argv in cwd and return what it printed, stdout and stderr together.

    With `only_stdout` the text is stdout alone, to be parsed: a warning cannot get in
    between, and bytes that are no UTF-8 survive (surrogateescape); errors still tell
    what stderr said.

    Output is appended to `log` and handed line by line to `on_line` while the child
    works. `env` is laid over our environment; None takes a variable away. A failure
    counts as `outcome`, one past `timeout` seconds as TIMEOUT, a program that is missing
    or a full disk as HOST. With `dry` nothing runs: `on_line` gets the shell line.
    """
    words = [str(word) for word in argv]
    if dry:
        (on_line or _ignore)(command_line(words, cwd))
        return ""
    with ExitStack() as stack:
        sink = _open_log(stack, log, words, cwd)
        complaints = _scratch(stack) if only_stdout else None
        process = _start(
            stack,
            words,
            cwd,
            env=env,
            stdin=subprocess.DEVNULL if input is None else _stdin(stack, input),
            stderr=complaints or subprocess.STDOUT,
        )
        expired = _deadline(stack, process.pid, timeout)
        text = _collect(process, sink, on_line, "surrogateescape" if only_stdout else "replace")
        _wait_unreaped(process.pid, None)
        said = _reread(complaints) if complaints else text
    if expired.is_set():
        reason = f"{words[0]} took longer than {timeout:g} seconds"
        raise CommandError(words, cwd, reason, tail(said), Outcome.TIMEOUT)
    if process.returncode:
        raise _failure(words, cwd, process.returncode, said, outcome)
    return text


@contextmanager
def spawn(
    argv: Sequence[str | Path], *, cwd: Path, errors: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A child to listen to while it works: a pipe on its stdout, its stderr in a file.

    It is gone when the block is left.
    """
    words = [str(word) for word in argv]
    with ExitStack() as stack:
        sink = stack.enter_context(errors.open("wb"))
        yield _start(stack, words, cwd, stderr=sink)


def detach(argv: Sequence[str | Path], *, cwd: Path) -> None:
    """Start a child that outlives us, with the lowest priority for CPU and disk.

    It is in no books: Ctrl-C does not end it, and nobody hears of its failure, nor of one to
    start it. Its work must be harmless to lose.
    """
    freed = {name: value for name, value in os.environ.items() if name != guard.VARIABLE}
    calm = ("ionice", "-c", "3") if shutil.which("ionice") else ()
    with suppress(OSError):
        process = subprocess.Popen(
            (*calm, *map(str, argv)),
            cwd=cwd,
            env=freed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _detached.append(process)


def end_all() -> None:
    """End every child still running and all they started, and start none from now on.

    What Ctrl-C does last: threads may be about to start the next child, or have one that
    is not in the books yet.
    """
    _closed.set()
    for group in tuple(_live):
        end_group(group)


def kill_all() -> None:
    """Kill every child still running, with no grace: for one who cannot wait for end_all()."""
    _closed.set()
    for group in tuple(_live):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def all_ended() -> bool:
    """Whether end_all() was called: what a child said or left then is its end, not its work."""
    return _closed.is_set()


@contextmanager
def tracked(group: int) -> Iterator[None]:
    """Make end_all() end this process group too, and end it when the block is left."""
    _live.add(group)
    try:
        if _closed.is_set():
            end_group(group)
        yield
    finally:
        end_group(group)
        _live.discard(group)


def end_group(group: int) -> None:
    """SIGTERM to our child's process group, SIGKILL to what is left after GRACE seconds.

    The leader is waited for without being reaped, so that its number cannot be given to
    a stranger before the last signal is sent.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        _wait_unreaped(group, GRACE)
        os.killpg(group, signal.SIGKILL)


def tail(text: str, lines: int = TAIL) -> str:
    """The last lines of some output."""
    return "\n".join(deque(text.splitlines(), maxlen=lines))


def host_fault(text: str) -> str | None:
    """What gave out on this machine, when the output says so."""
    return next((reason for sign, reason in HOST_SIGNS.items() if sign in text), None)


def fault_of(error: OSError) -> str:
    """What gave out on this machine when a call of our own failed, and where."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _ignore(_line: str) -> None:
    """Nobody listens."""


def _open_log(
    stack: ExitStack, log: Path | None, words: Sequence[str], cwd: Path
) -> IO[bytes] | None:
    if log is None:
        return None
    log.parent.mkdir(parents=True, exist_ok=True)
    sink = stack.enter_context(log.open("ab"))
    sink.write(f"$ {command_line(words, cwd)}\n".encode())
    return sink


def _start(
    stack: ExitStack,
    words: Sequence[str],
    cwd: Path,
    *,
    env: Mapping[str, str | None] | None = None,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stderr: IO[bytes] | int = subprocess.STDOUT,
) -> "subprocess.Popen[bytes]":
    """Start the child and see to it that it is gone when the stack is left."""
    if _closed.is_set():
        raise CommandError(words, cwd, "interrupted", outcome=Outcome.INTERRUPTED)
    with _interrupts_deferred():
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**_environment(env or {}), **guard.environment()},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise _not_started(words, cwd, error) from error
        stack.enter_context(process)
        stack.enter_context(tracked(process.pid))
    return process


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Between a child's start and its entry in our books an interrupt would lose it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {which: signal.getsignal(which) for which in INTERRUPTS}
    for which in INTERRUPTS:
        signal.signal(which, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
    for number in came:
        signal.raise_signal(number)


def _scratch(stack: ExitStack) -> IO[bytes]:
    """A nameless file that goes away with the stack."""
    return stack.enter_context(tempfile.TemporaryFile())


def _stdin(stack: ExitStack, text: str | bytes) -> IO[bytes]:
    """A file, not a pipe: the child may write before it has read everything."""
    source = _scratch(stack)
    source.write(text.encode(errors="surrogateescape") if isinstance(text, str) else text)
    source.seek(0)
    return source


def _reread(scratch: IO[bytes]) -> str:
    scratch.seek(0)
    return scratch.read().decode(errors="replace")


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = {**os.environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _not_started(words: Sequence[str], cwd: Path, error: OSError) -> HarnessError:
    if not cwd.is_dir():
        return HostError(f"cannot run {words[0]}: no such directory: {cwd}")
    if isinstance(error, FileNotFoundError):
        return HostError(f"{words[0]} is not installed: `slqb doctor` says what to install")
    return CommandError(words, cwd, f"{words[0]} cannot be started ({error.strerror})")


def _deadline(stack: ExitStack, group: int, timeout: float | None) -> threading.Event:
    """End the group after timeout seconds; the event tells that it came to that."""
    expired = threading.Event()
    if timeout is None:
        return expired

    def expire() -> None:
        expired.set()
        end_group(group)

    timer = threading.Timer(timeout, expire)
    timer.daemon = True
    timer.start()
    stack.callback(timer.join)
    stack.callback(timer.cancel)
    return expired


def _collect(
    process: "subprocess.Popen[bytes]",
    sink: IO[bytes] | None,
    on_line: Callable[[str], None] | None,
    errors: str,
) -> str:
    lines: list[str] = []
    assert process.stdout is not None
    for raw in process.stdout:
        if sink is not None:
            sink.write(raw)
        line = raw.decode(errors=errors)
        lines.append(line)
        if on_line is not None:
            on_line(line.rstrip("\n"))
    return "".join(lines)


def _wait_unreaped(pid: int, seconds: float | None) -> None:
    """Until our child has ended, or the seconds are over; it stays a zombie."""
    flags = os.WEXITED | os.WNOWAIT
    with suppress(ChildProcessError):
        if seconds is None:
            os.waitid(os.P_PID, pid, flags)
            return
        end = time.monotonic() + seconds
        while os.waitid(os.P_PID, pid, flags | os.WNOHANG) is None and time.monotonic() < end:
            time.sleep(0.01)


def ends_within(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether our child ends in that time; it is not reaped."""
    _wait_unreaped(process.pid, seconds)
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def _failure(
    words: Sequence[str], cwd: Path, status: int, said: str, outcome: Outcome
) -> CommandError:
    if reason := host_fault(said):
        return CommandError(words, cwd, reason)
    return CommandError(words, cwd, _reason(words[0], status), tail(said), outcome)


def _reason(program: str, status: int) -> str:
    if status > 0:
        return f"{program} failed with exit {status}"
    return f"{program} was ended by {signal.Signals(-status).name}"
