# SPDX-License-Identifier: GPL-2.0
"""A counter with more CPUs than a page has room for is cut at a whole entry.

The C of the template itself, compiled with a few lines that stand for sysfs.
"""

import subprocess
from pathlib import Path

import pytest

from harness.template import TEMPLATES, Templates

SHIM = """
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#define CONFIG_SLQB_SYSFS 1
#define scnprintf snprintf
struct kmem_cache;
static int sysfs_emit_at(char *buf, int at, const char *fmt, ...)
{
	va_list args;
	int size;

	va_start(args, fmt);
	size = vsnprintf(buf + at, PAGE_SIZE - at, fmt, args);
	va_end(args);
	return size < PAGE_SIZE - at ? size : PAGE_SIZE - at - 1;
}
"""
MAIN = """
int main(int argc, char **argv)
{
	static long numbers[70000];
	char *buf = malloc(PAGE_SIZE);
	int cpus = atoi(argv[1]), nodes = atoi(argv[2]), i, len;

	for (i = 0; i < 70000; i++)
		numbers[i] = i % 7 ? atol(argv[3]) : 0;
	len = sysfs_emit_at(buf, 0, "%ld", 42L);
	if (emit_entries(buf, &len, 'C', numbers, cpus))
		emit_entries(buf, &len, 'N', numbers, nodes);
	len += sysfs_emit_at(buf, len, "\\n");
	if (buf[len])
		return 1;
	fputs(buf, stdout);
	(void)debugfs_add_stats;
	return 0;
}
"""
PAGES = (4096, 16384, 65536)


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    size: int = request.param
    folder = tmp_path_factory.mktemp(str(size))
    source = folder / "stat.c"
    text = Templates(TEMPLATES, {}).text("slqb/stat.c.j2")
    source.write_text(f"#define PAGE_SIZE {size}\n{SHIM}{text}{MAIN}")
    flags = ("-std=gnu11", "-O1", "-fsanitize=address,undefined", "-Wall", "-Werror")
    subprocess.run(("gcc", *flags, "-o", folder / "show", source), check=True, timeout=120)
    return folder / "show"


def shown(program: Path, cpus: int, nodes: int, value: int) -> str:
    argv = (str(program), str(cpus), str(nodes), str(value))
    environment = {"ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def entries(cpus: int, nodes: int, value: int) -> list[str]:
    """All there is to show; what is zero is left out."""
    counts = (("C", cpus), ("N", nodes))
    return [f"{kind}{i}={value}" for kind, count in counts for i in range(count) if i % 7]


def test_all_is_shown_where_there_is_room(page: Path) -> None:
    assert shown(page, 64, 8, 12345) == " ".join(["42", *entries(64, 8, 12345)]) + "\n"
    assert shown(page, 0, 0, 1) == "42\n"


@pytest.mark.parametrize("value", [1, 10, 999, 123456, 10**15, 2**63 - 1])
def test_cut_at_a_whole_entry_and_no_earlier(page: Path, value: int) -> None:
    size = int(page.parent.name[:-1])
    wanted = entries(20000, 1024, value)
    text = shown(page, 20000, 1024, value)
    first, *rest = text.removesuffix("\n").split(" ")
    assert (first, text[-1]) == ("42", "\n")
    assert rest == wanted[: len(rest)]
    assert len(rest) < len(wanted)
    assert len(text) < size
    assert len(text) + 1 + len(wanted[len(rest)]) >= size
