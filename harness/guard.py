# SPDX-License-Identifier: GPL-2.0
"""The guard: a process that kills our children when we die without ending them.

SIGKILL gives us no time to end anything, and the kernel's PR_SET_PDEATHSIG reaches a child but
not what that child has started. So every child gets a variable in its environment which all of
its descendants inherit, and a shell waits on a pipe that only we can write to. When we end with a
word in the pipe, the shell leaves. When the pipe closes without one, it looks for processes with
that variable, ends them and their process groups, and looks again until nobody new can appear:
a process that was being forked or executed meanwhile is found by the next look. The first look
sends SIGTERM, for git then takes its lock files away; the others, from a tenth of a second later
on, send SIGKILL.

A forked child of ours holds the pipe open until it has executed its program, so that none can be
started unseen. The guard has a session of its own and none of our files, and it costs a child
nothing but the variable.
"""

import atexit
import os
import subprocess
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

VARIABLE = "SLQB_GUARDED"
SCRIPT = """
read -r word && exit
signal=TERM
for pause in 0 0.1 0.02 0.05 0.1 0.2 0.5 1; do
    sleep "$pause"
    grep -lszFx -e "$1" /proc/[0-9]*/environ | while IFS=/ read -r _ _ pid _; do
        kill -"$signal" "$pid" "-$pid"
    done
    signal=KILL
done
"""
PATH = "/usr/bin:/bin"


@dataclass
class Guard:
    """The guard of one process; started for its first child."""

    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    _shell: "subprocess.Popen[bytes] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def environment(self) -> dict[str, str]:
        """What a child's environment must have; the guard runs when this returns.

        Raises OSError if no shell can be started.
        """
        with self._lock:
            if self._shell is None or self._shell.poll() is not None:
                self._shell = self._start()
        return {VARIABLE: self.mark}

    def dismiss(self) -> None:
        """Let the guard go without killing anything."""
        if self._shell is None or self._shell.stdin is None:
            return
        with suppress(OSError):
            self._shell.stdin.write(b"done\n")
            self._shell.stdin.close()

    def forget(self) -> None:
        """Close a pipe that a fork has copied: it is the parent's, whose end it must show."""
        if self._shell is not None and self._shell.stdin is not None:
            self._shell.stdin.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ("/bin/sh", "-c", SCRIPT, "slqb-guard", f"{VARIABLE}={self.mark}"),
            bufsize=0,
            cwd="/",
            env={"PATH": PATH, "LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


_guard = Guard()


def environment() -> dict[str, str]:
    """What every child's environment must have, so that it dies with this process."""
    return _guard.environment()


def _dismiss() -> None:
    _guard.dismiss()


def _renew() -> None:
    """A fork is another process, with children of its own."""
    global _guard
    _guard.forget()
    _guard = Guard()


atexit.register(_dismiss)
os.register_at_fork(after_in_child=_renew)
