# SPDX-License-Identifier: GPL-2.0
"""Trees of other shapes: what the real capabilities say of them.

Two sketches, a few lines each: Linux 2.6.29, where SLQB was born, and 6.12, which kept
only SLUB. And the real 6.1, with lines that prove what is said.
"""

from pathlib import Path

import pytest

from harness.errors import TreeError
from harness.places import Places
from harness.probe import Capabilities, probe
from harness.series import refuse_unfit
from harness.tree import Tree, pristine

OLD = {
    "init/Kconfig": (
        'choice\n\tprompt "Choose SLAB allocator"\n\tdefault SLUB\n\nconfig SLAB\n\tbool "SLAB"\n\n'
        'config SLUB\n\tbool "SLUB"\n\nconfig SLOB\n\tbool "SLOB"\n\nendchoice\n'
    ),
    "mm/Kconfig": "config FLATMEM\n\tdef_bool y\n",
    "include/linux/mm_types.h": "struct page {\n\tstruct kmem_cache *slab;\n};\n",
    "include/linux/slab.h": "void *kmem_cache_alloc_node(struct kmem_cache *, gfp_t, int);\n",
    "include/linux/fault-inject.h": "extern bool should_failslab(size_t size, gfp_t gfpflags);\n",
}
NEW = {
    "mm/Kconfig": 'menu "Slab allocator options"\n\nconfig SLUB\n\tdef_bool y\n\nendmenu\n',
    "mm/slab.h": (
        "struct slab {\n\tunsigned long __page_flags;\n\tunsigned int __page_type;\n};\n"
        "extern struct mutex slab_mutex;\n"
    ),
    "include/linux/page-flags.h": "FOLIO_TYPE_OPS(slab, slab)\nPAGE_TYPE_OPS(Slab, slab, slab)\n",
    "include/linux/slab.h": (
        "struct kmem_cache_args {\n\tunsigned int align;\n};\n"
        "#define kmem_cache_alloc(...)\talloc_hooks(kmem_cache_alloc_noprof(__VA_ARGS__))\n"
        "int kmem_cache_alloc_bulk_noprof(struct kmem_cache *s, gfp_t flags, size_t size);\n"
        "void kmem_cache_free_bulk(struct kmem_cache *s, size_t size, void **p);\n"
    ),
    "include/linux/mmzone.h": "#define MAX_PAGE_ORDER 10\n",
}


def sketch(folder: Path, files: dict[str, str]) -> Capabilities:
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return probe(folder)


def test_2_6_29(tmp_path: Path) -> None:
    found = sketch(tmp_path, OLD)
    choice = found["allocator_choice"]
    assert choice is not None
    assert (choice.file, choice.line) == ("init/Kconfig", 1)
    for name in ("slab", "slub", "slob", "slab_in_struct_page", "alloc_node", "failslab"):
        assert found.has(name), name
    for name in ("struct_slab", "slab_common", "bulk", "local_lock", "memcg_objects", "kfence"):
        assert not found.has(name), name


def test_6_12(tmp_path: Path) -> None:
    found = sketch(tmp_path, NEW)
    for name in (
        "slub",
        "struct_slab",
        "slab_page_type",
        "alloc_hooks",
        "cache_create_args",
        "bulk_alloc_returns_int",
        "max_page_order",
    ):
        assert found.has(name), name
    for name in ("allocator_choice", "slab", "slob", "common_kmalloc", "slab_in_struct_page"):
        assert not found.has(name), name


def test_a_tree_without_a_choice_is_told_so(tmp_path: Path) -> None:
    tree = Tree(
        name="new", origin="", git=tmp_path, base="", version=(6, 12), release="6.12", title=""
    )
    with pytest.raises(TreeError, match=r"^new has no choice of allocators in its Kconfig"):
        refuse_unfit(tree, sketch(tmp_path, NEW))


@pytest.mark.tree
def test_6_1(linux: Tree, real_places: Places) -> None:
    source = pristine(linux, real_places)
    found = probe(source)
    absent = {name for name, proof in found.items() if proof is None}
    assert absent == {
        "slqb",
        "slab_in_struct_page",
        "slab_page_type",
        "cache_create_args",
        "alloc_hooks",
        "local_trylock",
        "max_page_order",
        "tools_in_mm",
    }
    for name, proof in found.items():
        if proof:
            line = (source / proof.file).read_text().splitlines()[proof.line - 1]
            assert line.strip() == proof.text, name
