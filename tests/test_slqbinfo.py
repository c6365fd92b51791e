# SPDX-License-Identifier: GPL-2.0
"""slqbinfo on a host: what it makes of a folder that looks like /sys/kernel/slab.

The folder is made here, cache by cache, with the files that SLQB has. That they are the
files that a kernel shows is for the guest to say (tests/guest/slqbinfo.c).
"""

import re
import subprocess
from pathlib import Path

import pytest

from harness.template import TEMPLATES, Templates

NUMBERS = {
    "objects": "40 N0=30 N1=10",
    "total_objects": "48 N0=32 N1=16",
    "slabs": "3 N0=2 N1=1",
    "partial": "2 N0=1 N1=1",
    "slab_size": "256",
    "object_size": "200",
    "objs_per_slab": "16",
    "order": "0",
    "align": "8",
    "hiwater": "64",
    "freebatch": "16",
    "aliases": "0",
    "usersize": "0",
    "hwcache_align": "1",
    "reclaim_account": "1",
    "destroy_by_rcu": "0",
    "cache_dma": "0",
    "sanity_checks": "0",
    "red_zone": "0",
    "poison": "0",
    "store_user": "0",
    "trace": "0",
}
COUNTERS = {
    "alloc": "100 C0=60 C3=39 N1=1",
    "alloc_slab_fill": "9 C0=9",
    "alloc_slab_new": "5 C0=4 N1=1",
    "free": "60 C0=60",
    "free_remote": "7 C0=7",
    "flush_free_list": "3 C0=3",
    "flush_free_list_objects": "30 C0=30",
    "flush_free_list_remote": "1 C0=1",
    "flush_slab_partial": "4 C0=4",
    "flush_slab_free": "2 C0=2",
    "flush_rfree_list": "1 C0=1",
    "flush_rfree_list_objects": "8 C0=8",
    "claim_remote_list": "1 N1=1",
    "claim_remote_list_objects": "8 N1=8",
}
EMPTY = dict.fromkeys(("objects", "total_objects", "slabs", "partial"), "0")
PAGE = 4096


def compiled(folder: Path, text: str) -> Path:
    source, program = folder / "slqbinfo.c", folder / "slqbinfo"
    source.write_text(text)
    flags = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined")
    subprocess.run(("gcc", *flags, "-o", program, source), check=True, timeout=120)
    return program


@pytest.fixture(scope="module")
def text() -> str:
    """The tool's source."""
    return Templates(TEMPLATES, {}).text("tools/slqbinfo.c.j2")


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory, text: str) -> Path:
    return compiled(tmp_path_factory.mktemp("tool"), text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four caches: one that two names share, a large one, one without slabs, a quiet one."""
    add(tmp_path, ":a-0000256@8", NUMBERS | COUNTERS)
    for name in ("zebra", "antelope"):
        (tmp_path / "kernel/slab" / name).symlink_to(":a-0000256@8")
    large = {"slabs": "50 N0=50", "total_objects": "800 N0=800", "objects": "800 N0=800"}
    add(tmp_path, "large", NUMBERS | COUNTERS | large | {"ctor": "init_large+0x0/0x10"})
    add(tmp_path, "nothing", NUMBERS | COUNTERS | EMPTY)
    add(tmp_path, "quiet", NUMBERS | dict.fromkeys(COUNTERS, "0"))
    return tmp_path


def add(root: Path, cache: str, files: dict[str, str]) -> None:
    folder = root / "kernel/slab" / cache
    folder.mkdir(parents=True)
    for name, text in ({"ctor": "", "shrink": "", "validate": ""} | files).items():
        (folder / name).write_text(f"{text}\n" if text else "")


def ran(tool: Path, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = (str(tool), "--root", str(root), *options)
    # what leaks at the end of a program is no leak
    environment = {"ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment)


def printed(tool: Path, root: Path, *options: str) -> list[list[str]]:
    """Its lines, in words."""
    done = ran(tool, root, *options)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split() for line in done.stdout.splitlines()]


def names(tool: Path, root: Path, *options: str) -> list[str]:
    return [words[0] for words in printed(tool, root, *options)[1:]]


def test_list_has_a_line_for_each_cache_with_slabs(tool: Path, root: Path) -> None:
    title, *lines = printed(tool, root)
    assert title[:5] == ["Name", "Objects", "Size", "Slabs", "Space"]
    assert lines[0] == ["antelope", "40", "200", "3", "12K", "2", "16", "0", "67", "65", "Aa"]
    assert [words[0] for words in lines] == ["antelope", "large", "quiet"]


def test_empty_caches_only_on_request(tool: Path, root: Path) -> None:
    assert names(tool, root, "-z") == ["antelope", "large", "nothing", "quiet"]
    assert names(tool, root, "-e") == ["nothing"]


def test_sorted_by_size_and_by_activity(tool: Path, root: Path) -> None:
    assert names(tool, root, "-S") == ["large", "antelope", "quiet"]
    assert names(tool, root, "-S", "-i") == ["quiet", "antelope", "large"]
    assert names(tool, root, "-A") == ["antelope", "large", "quiet"]
    assert names(tool, root, "-Ai")[0] == "quiet"


def test_counters_in_place_of_sizes(tool: Path, root: Path) -> None:
    title, line = printed(tool, root, "-D", "^zebra$")
    assert title[1:] == ["Objects", "Alloc", "Free", "Remote", "NewSlab", "FreeSlab", "Claims"]
    assert line[1:] == ["40", "100", "60", "7", "5", "2", "1"]


def test_every_name_of_a_shared_cache_finds_it(tool: Path, root: Path) -> None:
    for pattern in ("zebra", "^ante", "^:a-", "z.b|nope"):
        assert names(tool, root, "-l", pattern) == ["antelope"]


def test_nodes(tool: Path, root: Path) -> None:
    lines = printed(tool, root, "-n", "antelope")
    assert lines[0] == ["Name", "What", "All", "N0", "N1"]
    assert ["antelope", "objects", "40", "30", "10"] in lines
    assert ["antelope", "slabs", "3", "2", "1"] in lines


def test_totals(tool: Path, root: Path) -> None:
    text = ran(tool, root, "-T").stdout
    assert text.startswith("Caches 3, with slabs 3, further names 2\n")
    rows = dict(re.findall(r"^(\w[\w ]*?) {2,}(\d.*)$", text, re.MULTILINE))
    assert rows["Objects in use"].split() == ["880", "40", "293", "800"]
    assert rows["Slabs"].split() == ["56", "3", "18", "50"]
    assert rows["Bytes"].split()[0] == str(56 * PAGE)
    assert rows["Bytes in use"].split()[0] == str(880 * 200)
    assert rows["Bytes not in use"].split()[0] == str(56 * PAGE - 880 * 200)


def test_report_has_every_file(tool: Path, root: Path) -> None:
    lines = printed(tool, root, "-r", "antelope")
    assert lines[0] == ["antelope"]
    said = {words[0]: words[1:] for words in lines[1:] if words}
    for name, text in NUMBERS.items():
        assert said[name] == text.split()
    for name, text in COUNTERS.items():
        assert said[name] == text.split()[:1]
    assert ["also", "known", "as", "zebra"] in lines
    assert ["ctor", "init_large+0x0/0x10"] in printed(tool, root, "-r", "^large$")


def test_shrink_and_validate_write_one(tool: Path, root: Path) -> None:
    assert printed(tool, root, "-s", "^large$") == []
    assert printed(tool, root, "-v", "^quiet$") == []
    folder = root / "kernel/slab"
    assert (folder / "large/shrink").read_text() == "1\n"
    assert (folder / "large/validate").read_text() == ""
    assert (folder / "quiet/validate").read_text() == "1\n"


def test_traces_where_users_are_tracked(tool: Path, root: Path) -> None:
    refused = ran(tool, root, "-t")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "slqb_debug=U" in refused.stderr
    (root / "kernel/slab/large/store_user").write_text("1\n")
    traces = root / "kernel/debug/slab/large"
    traces.mkdir(parents=True)
    for name in ("alloc", "free"):
        (traces / f"{name}_traces").write_text(f"12 who_{name}+0x1/0x2\n")
    shown = ran(tool, root, "-t")
    text = shown.stdout
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "large: alloc_traces\n12 who_alloc" in text
    assert "large: free_traces\n12 who_free" in text


def test_kernel_that_does_not_count(tool: Path, root: Path) -> None:
    for file in COUNTERS:
        for cache in (root / "kernel/slab").iterdir():
            (cache / file).unlink(missing_ok=True)
    assert names(tool, root)
    done = ran(tool, root, "-A")
    assert done.returncode == 1
    assert "SLQB_STATS" in done.stderr


@pytest.mark.parametrize("file", [*NUMBERS, *COUNTERS])
def test_file_that_is_missing_is_an_error(tool: Path, root: Path, file: str) -> None:
    (root / "kernel/slab/quiet" / file).unlink()
    done = ran(tool, root, "-r", "^quiet$")
    assert done.returncode == 1
    assert f"quiet has no {file}" in done.stderr


@pytest.mark.parametrize("file", COUNTERS)
def test_what_is_not_shown_is_not_read(tool: Path, root: Path, file: str) -> None:
    (root / "kernel/slab/quiet" / file).unlink()
    assert ran(tool, root, "-l").returncode == 0
    assert ran(tool, root, "-A").returncode == 1


def test_wrong_use(tool: Path, root: Path) -> None:
    assert ran(tool, root, "-q").returncode == 2
    assert ran(tool, root, "a", "b").returncode == 2
    assert ran(tool, root, "[").returncode == 2
    assert ran(tool, root, "nosuch").returncode == 1
    assert ran(tool, root / "nowhere").returncode == 1
    assert ran(tool, root, "--help").returncode == 0


def test_the_files_are_those_that_the_allocator_makes() -> None:
    """The folder above is no invention: each of its files is in the tables of the templates."""
    sysfs = (TEMPLATES / "slqb/sysfs.c.j2").read_text()
    made = set(re.findall(r'\tSLQB_[A-Z]+\("(\w+)",', sysfs))
    assert {*NUMBERS, "ctor", "shrink", "validate"} <= made
    counted = re.findall(r'\t\[[A-Z_]+\]\t+= "(\w+)",', (TEMPLATES / "slqb/stat.c.j2").read_text())
    assert set(COUNTERS) == set(counted)


@pytest.mark.parametrize(
    ("right", "wrong", "option", "says"),
    [
        ('"freebatch"', '"batch"', "-l", "has no batch"),
        ('"shrink"', '"drain"', "-s", "drain"),
        ('"validate"', '"check"', "-v", "check"),
    ],
)
def test_a_tool_that_counts_on_files_that_are_not_there_is_seen(
    right: str, wrong: str, option: str, says: str, text: str, root: Path, tmp_path: Path
) -> None:
    assert right in text
    done = ran(compiled(tmp_path, text.replace(right, wrong)), root, option, "^quiet$")
    assert done.returncode == 1
    assert says in done.stderr
