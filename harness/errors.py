# SPDX-License-Identifier: GPL-2.0
"""What can go wrong, and who can mend it.

HarnessError
  UserError       2  a flag, a file, an unknown machine: mend the command line
  TreeError       3  not a kernel tree, a hunk without a place: mend tree or templates
  ConfigError     3  fragments that disagree, a symbol Kconfig refused
  BuildError      4  the compiler said no
  BootError       5  the kernel did not reach its tests
  HostError       8  disk full, a program missing or killed, no memory
  CommandError    *  a child process failed; its caller says which class that is (child.py)

The text of an error is what the user reads, in one line: what, where, what to do. Only
`harness.cli` turns an outcome into an exit status.
"""

from enum import Enum


class Outcome(Enum):
    """How a command ended: the name goes into JSON, the number to the shell."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    TREE = 3
    BUILD = 4
    BOOT = 5
    CRASH = 6
    TIMEOUT = 7
    HOST = 8
    INTERRUPTED = 130

    @property
    def exit_code(self) -> int:
        """The status the shell sees."""
        return self.value


class HarnessError(Exception):
    """Anything that stops a command and can be said in one line."""

    outcome: Outcome = Outcome.HOST


class UserError(HarnessError):
    """The command line asks for something that does not exist or does not fit."""

    outcome = Outcome.USAGE


class TreeError(HarnessError):
    """The tree, or what our templates expect of it."""

    outcome = Outcome.TREE


class ConfigError(HarnessError):
    """Kconfig: fragments that disagree, symbols that did not survive."""

    outcome = Outcome.TREE


class BuildError(HarnessError):
    """A compiler or linker refused."""

    outcome = Outcome.BUILD


class BootError(HarnessError):
    """The kernel did not reach its tests."""

    outcome = Outcome.BOOT


class HostError(HarnessError):
    """This machine: disk full, a program missing or killed, no memory."""

    outcome = Outcome.HOST
