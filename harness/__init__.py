# SPDX-License-Identifier: GPL-2.0
"""The harness: renders SLQB into a kernel tree, builds it, boots it, judges it.

The package is a library; nothing in it prints or exits but `harness.cli`.
"""

__version__ = "0.1.0"
