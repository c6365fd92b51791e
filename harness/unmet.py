# SPDX-License-Identifier: GPL-2.0
"""Why Kconfig did not give a symbol the value that was asked for.

kconfiglib is the one Kconfig parser for Python and knows every expression; we only ask it.
It takes srctree, the arch and the compiler from its environment, so it runs in a child of
its own (`python -m harness.unmet CONFIG SYMBOL...`, one JSON object on stdout). It is older
than the keyword `modules`, which stands for what used to be `option modules`: the old
spelling is put in while a file is read, never on disk.
"""

from __future__ import annotations

import difflib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import kconfiglib

from harness import child
from harness.errors import Outcome
from harness.kbuild import Kbuild
from harness.places import PROJECT


def explain(kbuild: Kbuild, symbols: Sequence[str]) -> dict[str, str]:
    """For each symbol one clause: its unmet dependency, what selects it, or what took its place."""
    argv = [sys.executable, "-m", "harness.unmet", str(kbuild.config), *symbols]
    environment = {**kbuild.environment, **_kconfig_environment(kbuild)}
    text = child.run(argv, cwd=PROJECT, env=environment, outcome=Outcome.TREE, only_stdout=True)
    reasons: dict[str, str] = json.loads(text)
    return reasons


def _kconfig_environment(kbuild: Kbuild) -> dict[str, str]:
    """What the tree's own Makefile hands to Kconfig."""
    tools, arch = kbuild.tools, kbuild.tools.arch
    binutils = {name.upper(): f"{tools.prefix}{name}" for name in ("ld", "ar", "nm", "objcopy")}
    return {
        **binutils,
        "srctree": str(kbuild.source),
        "ARCH": arch.kbuild,
        "SRCARCH": arch.folder,
        "KERNELVERSION": "",
        "CC": f"{tools.prefix}gcc",
        "HOSTCC": "gcc",
        "CC_VERSION_TEXT": tools.version,
        "PAHOLE": "pahole",
        "RUSTC": "rustc",
        "BINDGEN": "bindgen",
    }


class ModernKconfig(kconfiglib.Kconfig):  # type: ignore[misc]
    """kconfiglib, reading the keyword `modules` of Linux 5.19 and later."""

    def _open(self, filename: str, mode: str) -> Any:
        file = super()._open(filename, mode)
        if mode != "r":
            return file
        with file:
            return io.StringIO("".join(map(_old_spelling, file)))


def _old_spelling(line: str) -> str:
    return "\toption modules\n" if line.strip() == "modules" else line


def reason(kconfig: Any, name: str) -> str:
    """Why the symbol has the value it has."""
    symbol = kconfig.syms.get(name)
    if symbol is None or not symbol.nodes:
        near = difflib.get_close_matches(name, _defined(kconfig), n=1)
        return "this tree has no such symbol" + (f" (nearest: {near[0]})" if near else "")
    if forcing := [kconfiglib.expr_str(one) for one in _true_terms(symbol.rev_dep)]:
        return f"selected by {', '.join(forcing)}"
    if lacking := _unmet(symbol):
        return f"unmet: {', '.join(lacking)}"
    if symbol.choice is not None and symbol.choice.selection is not symbol:
        taken = symbol.choice.selection
        return f"its choice has {taken.name}" if taken is not None else "its choice is off"
    if not any(node.prompt for node in symbol.nodes):
        return "it has no prompt: only a default or a `select` sets it"
    return f"Kconfig accepts {_accepted(symbol)}"


def _defined(kconfig: Any) -> list[str]:
    return [symbol.name for symbol in kconfig.unique_defined_syms]


def _true_terms(expression: Any) -> Iterator[Any]:
    terms = kconfiglib.split_expr(expression, kconfiglib.OR)
    return (one for one in terms if kconfiglib.expr_value(one))


def _unmet(symbol: Any) -> list[str]:
    """The terms that keep every prompt of the symbol hidden, each with the values in it; of a
    symbol that has none, what it depends on."""
    lacking: dict[str, None] = {}
    prompts = [node.prompt[1] for node in symbol.nodes if node.prompt]
    for condition in prompts or [symbol.direct_dep]:
        terms = kconfiglib.split_expr(condition, kconfiglib.AND)
        false = [_told(one) for one in terms if not kconfiglib.expr_value(one)]
        if not false:
            return []
        lacking.update(dict.fromkeys(false))
    return list(lacking)


def _told(term: Any) -> str:
    """A term as Kconfig writes it; a symbol alone needs its value beside it."""
    text: str = kconfiglib.expr_str(term)
    values = {
        item.name: item.str_value
        for item in kconfiglib.expr_items(term)
        if isinstance(item, kconfiglib.Symbol) and not item.is_constant and item.nodes
    }
    known = ", ".join(f"{name}={value}" for name, value in sorted(values.items()))
    return f"{text} ({known})" if known else f"{text} (no such symbol)"


def _accepted(symbol: Any) -> str:
    for low, high, condition in symbol.ranges:
        if kconfiglib.expr_value(condition):
            return f"{low.str_value} to {high.str_value}"
    kind: str = kconfiglib.TYPE_TO_STR[symbol.orig_type]
    return f"a {kind} here, and chose {symbol.str_value!r}"


def _main(config: str, *symbols: str) -> None:
    kconfig = ModernKconfig("Kconfig", warn=False)
    kconfig.load_config(config)
    print(json.dumps({name: reason(kconfig, name) for name in symbols}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
