# SPDX-License-Identifier: GPL-2.0
"""`slqb check` with real kernels: faults in a patch that only a build or a boot can find."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.places import Places
from tests.conftest import sealed
from tests.test_posted import edit

pytestmark = [pytest.mark.kernel, pytest.mark.soak]
COMMON = "0001-mm-slab-give-SLQB-its-places-in-the-common-code.patch"
BOOT = "0012-mm-slqb-create-caches-and-boot-with-them.patch"


def slqb(home: Path, places: Places, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """The real command with the real caches, its records below home."""
    return subprocess.run(
        [Path(sys.executable).with_name("slqb"), "-q", *words],
        cwd=home,
        env={**sealed(home), "SLQB_CACHE": str(places.cache)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("mail", "old", "new", "tool", "told"),
    [
        (
            COMMON,
            " && align && s->align % align)\n",
            " && align && (align, s->align % align))\n",
            "build",
            "slub lean: warning: mm/slab_common.c",
        ),
        (
            BOOT,
            "\n+static int add_cpus(struct kmem_cache *s)\n",
            "\n+static int add_cpu(struct kmem_cache *s)\n",
            "build",
            "slqb lean: ",
        ),
        (
            BOOT,
            "\n+\tunsigned int cpu;\n",
            "\n+\tunsigned int cpu, spare;\n",
            "build",
            "slqb lean: ",
        ),
        (
            BOOT,
            "\n+\tif (!s->cpu_slab)\n",
            "\n+\tif (s->cpu_slab)\n",
            "boot",
            "slqb lean on uma: ",
        ),
    ],
    ids=["a warning in a file of the tree", "no build", "a warning in ours", "no boot"],
)
def test_a_fault_is_named_by_patch(
    tmp_path: Path, real_places: Places, mail: str, old: str, new: str, tool: str, told: str
) -> None:
    made = slqb(tmp_path, real_places, "series", "-o", "outgoing")
    assert made.returncode == 0, made.stderr
    number = edit(tmp_path / "outgoing" / mail, old, new)
    words = ("--patch", str(number), "--topology", "uma", "--case", "slabtest.kmalloc_sizes")
    answer = slqb(tmp_path, real_places, "check", "outgoing", *words, "--json")
    bad = [one for one in json.loads(answer.stdout) if one["status"] == "fail"]
    assert [(one["patch"], one["tool"]) for one in bad] == [(number, tool)], answer.stdout
    assert bad[0]["summary"].startswith(told)
    assert answer.returncode != 0
