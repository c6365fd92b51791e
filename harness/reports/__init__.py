# SPDX-License-Identifier: GPL-2.0
"""A run as others take it: CI systems, KernelCI, people with a browser, the run before.

Each module makes one form, by a pure function of an Account (account.py): the record of a run
and what of its consoles matters.
"""
