# SPDX-License-Identifier: GPL-2.0
"""Building: whose fault a failure is, and what is said of it; a toy tree with a real make."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from harness.errors import BuildError, HarnessError, HostError, Outcome, UserError
from harness.fragment import command_line, merge, parse
from harness.kbuild import Kbuild
from harness.kernel import Kernel, KernelSpec, Plan, build_plan, plan_kernel
from harness.places import Places
from harness.progress import PlainProgress, SilentProgress
from harness.template import LineMap

SLQB_C, HEADER = "mm/slqb.c", "include/linux/slqb_def.h"
LINES = LineMap(
    {
        SLQB_C: tuple(f"templates/slqb/alloc.c.j2:{40 + line}" for line in range(20)),
        HEADER: tuple(f"templates/slqb_def.h.j2:{line + 1}" for line in range(20)),
        "Kconfig": (None, "templates/hunks/Kconfig:1"),
    }
)


class Toy:
    """The toy tree's build, to break and repeat."""

    def __init__(self, kbuild: Kbuild, places: Places) -> None:
        wanted = merge([parse("mine", "mine.config", ["CONFIG_MODULES=y", "CONFIG_SLQB=y"])])
        self.plan = Plan(KernelSpec(config="toy"), kbuild, wanted, LINES)
        self.places, self.source, self.lines = places, kbuild.source, list[str]()

    def build(self) -> Kernel:
        return build_plan(self.plan, self.places, PlainProgress(self.lines.append))

    def append(self, file: str, text: str) -> None:
        with (self.source / file).open("a") as stream:
            stream.write(text)

    def refusal(self) -> HarnessError:
        with pytest.raises(HarnessError) as caught:
            self.build()
        return caught.value


@pytest.fixture
def toy(toy_kbuild: Kbuild, places: Places) -> Toy:
    return Toy(toy_kbuild, places)


def test_kernel_tells_what_was_built(toy: Toy) -> None:
    kernel = toy.build()
    assert kernel.image.is_file()
    assert (kernel.release, kernel.objects) == ("6.1.0-toy", 2)
    assert (kernel.build / "Module.symvers").read_text().startswith("symbol")


def test_nothing_changed_compiles_and_configures_nothing(toy: Toy) -> None:
    toy.build()
    toy.lines.clear()
    assert toy.build().objects == 0
    assert not [line for line in toy.lines if "configure" in line]


def asks_make(toy: Toy) -> bool:
    """Whether one more build does; its log is begun anew then."""
    toy.plan.log.write_text("as it was")
    toy.build()
    return toy.plan.log.read_text() != "as it was"


def test_make_is_not_asked_when_nothing_changed(toy: Toy) -> None:
    toy.build()
    assert not asks_make(toy)
    toy.append(SLQB_C, "int undeclared(void) { return 1; }\n")
    toy.refusal()
    toy.refusal()  # what failed is not taken for done


@pytest.mark.parametrize(
    "disturb",
    [
        lambda toy: (toy.source / "mm/other.c").touch(),
        lambda toy: (toy.source / "include/new.h").write_text("/* new */\n"),
        lambda toy: (toy.source / "README").write_text("changed\n"),
        lambda toy: (toy.plan.kbuild.folder / "Module.symvers").unlink(),
        lambda toy: (toy.plan.kbuild.folder / "vmlinux.symvers").write_text("other\n"),
        lambda toy: (toy.plan.kbuild.folder / "System.map").write_text("other\n"),
        lambda toy: toy.plan.kbuild.config.touch(),
        lambda toy: toy.plan.image.unlink(),
        lambda toy: toy.plan.image.touch(),
    ],
    ids=["touched", "new", "changed", "unmade", "spoilt", "another", "config", "no image", "image"],
)
def test_make_is_asked_when_anything_changed(toy: Toy, disturb: Callable[[Toy], object]) -> None:
    toy.build()
    disturb(toy)
    assert asks_make(toy)
    assert not asks_make(toy)


def test_make_is_asked_with_other_tools(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.build()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert asks_make(toy)
    assert not asks_make(toy)
    (tmp_path / "bin/objcopy").write_text("#!/bin/sh\n")
    (tmp_path / "bin/objcopy").chmod(0o755)
    assert asks_make(toy)


def test_touched_source_compiles_one_object(toy: Toy) -> None:
    toy.build()
    toy.append("mm/other.c", "/* touched */\n")
    assert toy.build().objects == 1


def test_second_build_from_nothing_knows_what_to_expect(toy: Toy) -> None:
    toy.build().image.unlink()
    toy.build()
    assert [line for line in toy.lines if line.startswith("build") and "(about" in line]


def test_error_names_the_template_beside_the_generated_line(toy: Toy) -> None:
    toy.append(SLQB_C, "int slqb(int x) { return nothing; }\n")
    error = toy.refusal()
    assert isinstance(error, BuildError)
    first = str(error).splitlines()[0]
    assert first.startswith("cannot build x86_64-slqb-toy: mm/slqb.c:10 ")
    assert "(templates/slqb/alloc.c.j2:49): error: " in first


def test_error_gives_the_log_and_a_command_that_repeats_it(toy: Toy) -> None:
    toy.append("mm/other.c", "int broken(void) { return nothing; }\n")
    text = str(toy.refusal())
    log = next(line for line in text.splitlines() if line.startswith("log: "))
    assert "nothing" in Path(log.removeprefix("log: ")).read_text()
    repeat = next(line for line in text.splitlines() if line.startswith("repeat: "))
    shell = repeat.removeprefix("repeat: ")
    again = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)
    assert again.returncode
    assert "nothing" in again.stderr


@pytest.mark.parametrize(
    "fault",
    ["static int unused(void) { return 1; }\n", "int undeclared(void) { return 1; }\n"],
    ids=["warned by default", "warned by more flags"],
)
def test_warning_in_our_source_is_an_error(toy: Toy, fault: str) -> None:
    toy.append(SLQB_C, fault)
    error = toy.refusal()
    assert error.outcome is Outcome.BUILD
    assert "templates/slqb/alloc.c.j2:49" in str(error)


def test_warning_in_the_trees_source_is_none_of_ours(toy: Toy) -> None:
    toy.append("mm/other.c", "static int unused(void) { return 1; }\n")
    toy.build()


def test_warning_in_our_header_is_an_error_each_time(toy: Toy) -> None:
    toy.append(HEADER, "#ifdef OTHER\nstatic int unused(void) { return 1; }\n#endif\n")
    source = toy.source / "mm/other.c"
    source.write_text("#define OTHER\n" + source.read_text())
    for _ in range(2):
        error = toy.refusal()
        assert "include/linux/slqb_def.h:7 (templates/slqb_def.h.j2:7): warning:" in str(error)


def test_many_errors_are_cut_short(toy: Toy) -> None:
    faults = "".join(f"int f{n}(void) {{ return n{n}; }}\n" for n in range(9))
    toy.append("mm/other.c", faults)
    lines = str(toy.refusal()).splitlines()
    assert len([line for line in lines if "error:" in line]) == 5
    assert "  and 4 more" in lines


def breaking(toy: Toy, says: str) -> HarnessError:
    """The refusal when make's last step says something and fails."""
    toy.append("toy.mk", f"OBJECTS += broken\nbroken:\n\t@echo '{says}'; false\n")
    return toy.refusal()


def test_full_disk_is_the_hosts_fault(toy: Toy) -> None:
    error = breaking(toy, "ld: final link failed: No space left on device")
    assert error.outcome is Outcome.HOST


@pytest.mark.parametrize(
    ("says", "lacks"),
    [
        ("/bin/sh: 1: bc: not found", "bc"),
        ("elf.h:10:10: fatal error: gelf.h: No such file or directory", "gelf.h"),
    ],
)
def test_what_the_host_lacks_is_named(toy: Toy, says: str, lacks: str) -> None:
    error = breaking(toy, says)
    assert isinstance(error, HostError)
    assert f"lacks {lacks}, which" in str(error)
    assert "slqb doctor" in str(error)


def test_unreadable_failure_shows_the_last_lines(toy: Toy) -> None:
    assert "something odd" in str(breaking(toy, "something odd"))


def test_second_slqb_waits_and_says_so(toy: Toy) -> None:
    folder = toy.plan.kbuild.folder
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    said = threading.Event()

    def write(text: str) -> None:
        toy.lines.append(text)
        if text.startswith("waiting"):
            said.set()

    plan, places = toy.plan, toy.places
    worker = threading.Thread(target=lambda: build_plan(plan, places, PlainProgress(write)))
    with lock:
        worker.start()
        assert said.wait(10)
        assert not (folder / "vmlinux").exists()
    worker.join(30)
    assert (folder / "vmlinux").exists()


def test_dry_run_tells_every_command(toy: Toy) -> None:
    commands = "\n".join(toy.plan.commands)
    for word in ("ln -sfn", "requested.config", "allnoconfig", "vmlinux modules_prepare"):
        assert word in commands


def test_dry_run_commands_build_the_kernel(toy: Toy) -> None:
    for shell in toy.plan.commands:
        subprocess.run(shell, shell=True, check=True, capture_output=True)
    assert (toy.plan.kbuild.folder / "vmlinux").is_file()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (KernelSpec(allocator="slqbb"), "unknown allocator 'slqbb'; there are: slqb, slub"),
        (KernelSpec(arch="vax"), "unknown arch 'vax'"),
        (KernelSpec(config="lean+fast"), "no Kconfig fragment 'fast'; there are: "),
    ],
)
def test_mistakes_are_refused_before_anything_runs(
    spec: KernelSpec, says: str, places: Places, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says):
        plan_kernel(tmp_path, spec, places)


def test_other_settings_mean_another_folder(places: Places, tmp_path: Path) -> None:
    extras = (None, command_line(["HZ_100=y"]), command_line(["HZ_1000=y"]))
    plans = [plan_kernel(tmp_path, KernelSpec(), places, extra=extra) for extra in extras]
    assert len({plan.kbuild.folder for plan in plans}) == 3


def test_silent_progress_will_do(toy: Toy) -> None:
    build_plan(toy.plan, toy.places, SilentProgress())


SMALL_DISK = 'mount -t tmpfs -o size=$1 slqb-test "$2" && exec "$3" -c "$4" "$5" "$2"'
BUILD_THERE = """
import sys
from pathlib import Path
from harness import child
from harness.arch import load_arch
from harness.errors import Outcome
from harness.kbuild import Kbuild
from harness.toolchain import Toolchain

source, disk = map(Path, sys.argv[1:])
kbuild = Kbuild(source, disk / "build", Toolchain(load_arch("x86_64"), "", "toy", None))
kbuild.prepare()
try:
    kbuild.make("fill", log=source / "log", outcome=Outcome.BUILD)
except child.CommandError as error:
    print(error.outcome.name, error.reason)
"""


def test_full_disk_is_seen_when_nobody_says_so(toy: Toy, tmp_path: Path) -> None:
    """In a mount namespace, so it needs no root."""
    toy.append("toy.mk", "fill:\n\t@cat /dev/zero > zeros 2> /dev/null || echo odd && false\n")
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ("unshare", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh", "2m", disk)
    done = subprocess.run(
        (*words, sys.executable, BUILD_THERE, toy.source),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("HOST the disk is full")


@pytest.mark.parametrize(
    ("symbols", "early"),
    [(["KASAN=y", "PVH=y"], True), (["KASAN=y"], False), (["KASAN=n", "PVH=y"], False)],
)
def test_what_runs_before_the_shadow_is_not_instrumented(
    toy_kbuild: Kbuild, symbols: list[str], early: bool
) -> None:
    plan = Plan(KernelSpec(), toy_kbuild, merge([command_line(symbols)]))
    assert ("KASAN_SANITIZE_enlighten.o=n" in plan.targets) is early
