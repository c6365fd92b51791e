# SPDX-License-Identifier: GPL-2.0
"""What the guest needs is known before anything is compiled."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness import requirement
from harness.arch import arch_names, load_arch
from harness.config import request
from harness.errors import ConfigError, HostError, Outcome
from harness.fragment import config_names, join, merge, parse
from harness.kbuild import Kbuild
from harness.kernel import KernelSpec, Plan, build_plan
from harness.places import Places
from harness.progress import SilentProgress
from harness.requirement import NEEDS, TOOLS, Need, Tool, Use, refuse_host, refuse_unmet, unmet
from harness.toolchain import Toolchain
from harness.topology import load_topology
from tests.conftest import Command

SHAPES = tuple(map(load_topology, ("altix", "hotplug", "plugged")))
TESTED = Use("x86_64", "lean", init=True, topologies=SHAPES)
SUITES = Use("x86_64", "kunit", kunit=True, topologies=SHAPES)
IDS = [need.symbol(TESTED) or need.symbol(SUITES) for need in NEEDS]


def use_of(need: Need) -> Use:
    """A use that depends on it."""
    return TESTED if need.symbol(TESTED) else SUITES


def good(use: Use) -> dict[str, str]:
    """The least .config that such a use is content with."""
    wanted = {
        need.symbol(use): str(need.least(use)) if need.least else need.value for need in NEEDS
    }
    return {symbol: value for symbol, value in wanted.items() if symbol and value != "n"}


def spoilt(need: Need, config: dict[str, str], use: Use) -> dict[str, str]:
    """The same without what is needed."""
    symbol = need.symbol(use)
    if need.least:
        return {**config, symbol: str(need.least(use) - 1)}
    if need.value == "n":
        return {**config, symbol: "y"}
    gone = {symbol, "NUMA"} if symbol == "SMP" else {symbol}  # as Kconfig has it
    return {name: value for name, value in config.items() if name not in gone}


@pytest.mark.parametrize("need", NEEDS, ids=IDS)
def test_each_need_is_one_line_with_its_reason(need: Need) -> None:
    use = use_of(need)
    refuse_unmet(good(use), use, "it")
    with pytest.raises(ConfigError) as caught:
        refuse_unmet(spoilt(need, good(use), use), use, "x86_64-slqb-lean")
    [line] = str(caught.value).splitlines()
    assert caught.value.outcome is Outcome.TREE
    assert line.startswith(
        f"x86_64-slqb-lean lacks what its boots need: CONFIG_{need.symbol(use)} is "
    )
    assert need.why in line
    assert need.remedy in line


def kconfig_of(symbols: dict[str, str]) -> str:
    kinds = {
        name: 'int "it"\n\tdefault 1' if value.isdecimal() else 'bool "it"'
        for name, value in symbols.items()
    }
    return "\n".join(f"config {name}\n\t{kind}\n" for name, kind in kinds.items())


@pytest.mark.parametrize("need", NEEDS, ids=IDS)
def test_a_config_that_drops_one_is_refused_before_anything_is_compiled(
    need: Need, toy_kbuild: Kbuild, places: Places
) -> None:
    use = use_of(need)
    every = {**good(use), need.symbol(use): good(use).get(need.symbol(use), "n")}
    with (toy_kbuild.source / "Kconfig").open("a") as file:
        own = {name: value for name, value in every.items() if name not in OF_THE_TOY}
        file.write(kconfig_of(own))
    answer = {"MODULES": "y", **spoilt(need, every, use)}
    if need.symbol(use) == "MODULES":
        del answer["MODULES"]
    lines = [f"CONFIG_{name}={value}" for name, value in answer.items() if value != "n"]
    wanted = merge([parse("mine", "mine.config", [*lines, "CONFIG_SLQB=y"])])
    plan = Plan(KernelSpec(config="toy"), toy_kbuild, wanted, use=use)
    with pytest.raises(ConfigError, match=f"CONFIG_{need.symbol(use)} is "):
        build_plan(plan, places, SilentProgress())
    said = plan.log.read_text()
    assert "allnoconfig" in said
    assert "CC" not in [line.split()[0] for line in said.splitlines() if line.startswith("  ")]
    assert not plan.image.exists()
    build_plan(replace(plan, use=None), places, SilentProgress())
    assert plan.image.is_file()
    with pytest.raises(ConfigError, match=f"CONFIG_{need.symbol(use)} is "):
        build_plan(plan, places, SilentProgress())


OF_THE_TOY = frozenset({"MODULES", "SMP", "NUMA", "NR_CPUS"})


def test_what_is_not_booted_needs_nothing() -> None:
    refuse_unmet({}, None, "it")
    assert list(unmet({}, Use("x86_64", "lean"))) == []


def test_suites_alone_need_no_module_and_no_shape() -> None:
    needed = {need.symbol(SUITES) for need in NEEDS} - {""}
    assert needed == {"PVH", "SERIAL_8250_CONSOLE", "PRINTK", "KUNIT"}


WITH_GUEST = [one for one in config_names() if "guest" in {each.name for each in join([one])}]


@pytest.mark.parametrize("arch", arch_names())
@pytest.mark.parametrize("config", WITH_GUEST)
def test_our_own_fragments_ask_for_what_is_needed(arch: str, config: str) -> None:
    """What allnoconfig leaves off unless it is asked for; what others select is not looked at."""
    use = Use(arch, config, init=True, topologies=(load_topology("up"),))
    asked = {one.symbol: one.value for one in request(arch, config, "slqb")}
    assert list(unmet(asked, use)) == []


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: f"{tool.symbol} {tool.package}")
def test_a_tool_that_is_missing_is_named_with_its_package(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {"program": "no-such-program"} if tool.program else {"file": "/no/such"}
    missing = replace(tool, **nothing)
    monkeypatch.setattr(requirement, "TOOLS", (missing,))
    refuse_unmet({}, None, "it")
    with pytest.raises(HostError, match=f"for {tool.symbol}: apt-get install {tool.package}"):
        refuse_unmet({tool.symbol: "y"}, None, "it")
    assert not missing.is_there()
    assert replace(tool, program="sh", file="").is_there()
    assert replace(tool, program="", file="/usr/*").is_there()


def test_a_missing_static_library_is_known_before(tmp_path: Path) -> None:
    compiler = tmp_path / "some-gcc"
    compiler.write_text("#!/bin/sh\necho libc.a\n")
    compiler.chmod(0o755)
    arch = load_arch("ppc64le")
    tools = Toolchain(arch, f"{tmp_path}/some-", "gcc", None)
    with pytest.raises(HostError, match=f"apt-get install {arch.packages[-1]}"):
        refuse_host(Use("ppc64le", "lean", init=True), tools)
    refuse_host(Use("ppc64le", "lean", kunit=True), tools)


def test_a_program_to_borrow_is_known_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(shutil.which("gcc") or "/").parent))
    tools = Toolchain(load_arch("x86_64"), "", "gcc", None)
    refuse_host(Use("x86_64", "lean", init=True), tools)
    with pytest.raises(HostError, match="the guest needs stress-ng for ppc64le"):
        refuse_host(Use("ppc64le", "distro", init=True), tools)


def test_a_disk_that_is_nearly_full_is_known_before(
    toy_kbuild: Kbuild, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(places.cache).free / requirement.GIB
    monkeypatch.setattr(requirement, "ROOM", free + 100)
    wanted = merge([parse("mine", "mine.config", ["CONFIG_MODULES=y", "CONFIG_SLQB=y"])])
    plan = Plan(KernelSpec(config="toy"), toy_kbuild, wanted)
    with pytest.raises(HostError, match="GiB are free where"):
        build_plan(plan, places, SilentProgress())
    assert not plan.image.exists()


@pytest.mark.tree
def test_a_run_of_kunit_alone_says_what_it_lacks_in_seconds(
    slqb: Command, real_places: Places
) -> None:
    """The real tree and its own Kconfig; nothing is compiled."""
    words = ("run", "--config", "kunit", "--topology", "up", "--accel", "tcg")
    answer = slqb("-q", *words, env={"SLQB_CACHE": str(real_places.cache)})
    assert answer.returncode == 3, answer.stderr
    assert "CONFIG_MODULES is n, not y, and the guest's tests are a module" in answer.stdout
    assert "--suite kunit" in answer.stdout
    for log in real_places.builds.glob("*-slqb/x86_64-slqb-kunit/build.log"):
        assert "  CC      mm/" not in log.read_text()
