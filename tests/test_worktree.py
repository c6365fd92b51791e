# SPDX-License-Identifier: GPL-2.0
"""The private worktree: only what differs is written, and planted faults must fit."""

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, TreeError
from harness.places import Places
from harness.progress import SilentProgress
from harness.store import open_store
from harness.tree import Tree, open_tree, pristine
from harness.worktree import Mutation, Rendered, render_into_worktree


@pytest.fixture
def tree(toy_tree: Path, places: Places) -> Tree:
    return open_tree(str(toy_tree), places, SilentProgress())


def lay(tree: Tree, places: Places, templates: Path, **more: Any) -> Rendered:
    return render_into_worktree(tree, places, templates=templates, **more)


def stamps(folder: Path) -> dict[str, int]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in paths}


def test_the_worktree_is_the_tree_with_the_series(
    tree: Tree, places: Places, toy_templates: Path
) -> None:
    made = lay(tree, places, toy_templates)
    plain = pristine(tree, places)
    assert "int away;" in (made.source / "mm/slab.h").read_text()
    assert "int away;" not in (plain / "mm/slab.h").read_text()
    assert (made.source / "init/main.c").read_bytes() == (plain / "init/main.c").read_bytes()
    assert (made.source / "scripts/run.sh").stat().st_mode & 0o100
    assert not (made.source / "mm/slqb.c").stat().st_mode & 0o100
    assert len(made.commits) == 2


def test_nothing_changed_writes_nothing(tree: Tree, places: Places, toy_templates: Path) -> None:
    first = lay(tree, places, toy_templates)
    before = stamps(places.cache)
    assert lay(tree, places, toy_templates) == first
    after = stamps(places.cache)
    assert {path for path in after if after[path] != before.get(path)} <= {
        path for path in after if path.endswith(".lock")
    }


def test_one_touched_template_rewrites_one_file(
    tree: Tree, places: Places, toy_templates: Path
) -> None:
    first = lay(tree, places, toy_templates)
    before = stamps(first.source)
    part = toy_templates / "parts/queue.c.j2"
    part.write_text(part.read_text().replace("int nr;", "long nr;"))
    second = lay(tree, places, toy_templates)
    after = stamps(second.source)
    assert [path for path in after if after[path] != before[path]] == ["mm/slqb.c"]
    assert second.digest != first.digest
    assert second.commits != first.commits


def test_what_left_the_templates_leaves_the_worktree(
    tree: Tree, places: Places, toy_templates: Path
) -> None:
    lay(tree, places, toy_templates)
    series = toy_templates / "series.toml"
    text = series.read_text().replace('hunks = ["slab.toml"]', "hunks = []")
    series.write_text(text.replace('"mm/slqb.c" =', '"mm/slqb2.c" ='))
    source = lay(tree, places, toy_templates).source
    assert not (source / "mm/slqb.c").exists()
    assert (source / "mm/slqb2.c").exists()
    plain = pristine(tree, places)
    assert (source / "mm/slab.h").read_bytes() == (plain / "mm/slab.h").read_bytes()


def test_the_worktree_follows_sources_that_people_work_on(
    toy_tree: Path, places: Places, toy_templates: Path
) -> None:
    first = lay(open_tree(str(toy_tree), places, SilentProgress()), places, toy_templates)
    before = stamps(first.source)
    (toy_tree / "mm/slab.h").write_text((toy_tree / "mm/slab.h").read_text() + "int more;\n")
    (toy_tree / "init/main.c").write_text("int main;\n")
    (toy_tree / "scripts/run.sh").unlink()
    second = lay(open_tree(str(toy_tree), places, SilentProgress()), places, toy_templates)
    assert second.source == first.source
    after = stamps(second.source)
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed == {"mm/slab.h", "init/main.c"}
    assert "scripts/run.sh" not in after
    header = (second.source / "mm/slab.h").read_text()
    assert "int more;" in header
    assert "int away;" in header


def test_a_worktree_in_doubt_is_laid_anew(
    toy_tree: Path, places: Places, toy_templates: Path
) -> None:
    tree = open_tree(str(toy_tree), places, SilentProgress())
    source = lay(tree, places, toy_templates).source
    state = source.with_name(f"{source.name}.json")
    state.write_text(state.read_text().replace(tree.base, ""))
    (source / "init/main.c").write_text("half of it")
    lay(tree, places, toy_templates)
    assert (source / "init/main.c").read_bytes() == (toy_tree / "init/main.c").read_bytes()


def test_what_somebody_edited_is_put_right(tree: Tree, places: Places, toy_templates: Path) -> None:
    source = lay(tree, places, toy_templates).source
    wanted = (source / "mm/slqb.c").read_bytes()
    (source / "mm/slqb.c").write_text("scribble")
    (source / "mm/slab.h").unlink()
    lay(tree, places, toy_templates)
    assert (source / "mm/slqb.c").read_bytes() == wanted
    assert (source / "mm/slab.h").exists()


def test_the_commits_are_what_the_worktree_holds(
    tree: Tree, places: Places, toy_templates: Path, tmp_path: Path
) -> None:
    made = lay(tree, places, toy_templates)
    store = open_store(places)
    env = {"GIT_INDEX_FILE": str(tmp_path / "index")}
    store.git("read-tree", made.commits[-1], env=env)
    work = f"--work-tree={made.source}"
    assert store.git(work, "diff", "--name-only", env=env) == ""
    assert store.git(work, "ls-files", "--others", env=env) == ""


def test_lines_lead_back_to_templates(tree: Tree, places: Places, toy_templates: Path) -> None:
    made = lay(tree, places, toy_templates)
    lines = (made.source / "mm/slqb.c").read_text().splitlines()
    number = lines.index("\tint nr;") + 1
    assert made.line_map.translate("mm/slqb.c", number) == "templates/parts/queue.c.j2:2"
    header = (made.source / "mm/slab.h").read_text().splitlines()
    number = header.index("\tint away;") + 1
    source = (toy_templates / "hunks/slab.toml").read_text().splitlines()
    where = made.line_map.translate("mm/slab.h", number)
    assert where == f"templates/hunks/slab.toml:{source.index('	int away;') + 1}"
    assert made.line_map.translate("mm/slab.h", 1) is None


def test_a_planted_fault_is_in_its_own_worktree_only(
    tree: Tree, places: Places, toy_templates: Path
) -> None:
    clean = lay(tree, places, toy_templates)
    fault = Mutation("mm/slqb.c", r"^\tint nr;$", "\tlong nr;\n\tlong more;")
    bad = lay(tree, places, toy_templates, label="lost", mutations=(fault,))
    assert "\tlong nr;\n\tlong more;\n};" in (bad.source / "mm/slqb.c").read_text()
    assert "\tint nr;" in (clean.source / "mm/slqb.c").read_text()
    assert bad.commits == clean.commits
    assert bad.digest != clean.digest
    assert bad.line_map.translate("mm/slqb.c", 3) == "planted fault"
    assert bad.line_map.translate("mm/slqb.c", 5) == "templates/parts/queue.c.j2:3"


def test_a_fault_may_be_planted_where_the_series_changes_nothing(
    tree: Tree, places: Places, toy_templates: Path
) -> None:
    fault = Mutation("init/main.c", r"^int main", "long main")
    bad = lay(tree, places, toy_templates, label="lost", mutations=(fault,))
    assert (bad.source / "init/main.c").read_text().startswith("long main")
    healed = lay(tree, places, toy_templates, label="lost")
    assert (healed.source / "init/main.c").read_text().startswith("int main")


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        (Mutation("mm/slqb.c", "nowhere", "x"), "/nowhere/ is in mm/slqb.c 0 times, not once"),
        (Mutation("mm/slqb.c", "_queue;", "x"), "/_queue;/ is in mm/slqb.c 2 times, not once"),
        (Mutation("mm/slqb.c", "int nr;", "int nr;"), "changes nothing"),
        (Mutation("mm/other.c", "x", "y"), "neither the series nor the tree has a file mm/other.c"),
    ],
)
def test_a_fault_that_does_not_fit_is_an_error(
    tree: Tree, places: Places, toy_templates: Path, mutation: Mutation, message: str
) -> None:
    with pytest.raises(TreeError, match=message):
        lay(tree, places, toy_templates, label="bad", mutations=(mutation,))


PATCH = """\
--- a/mm/slqb.c
+++ b/mm/slqb.c
@@ -2,3 +2,3 @@
 struct kmlist {
-\tint nr;
+\tlong nr;
 };
--- a/init/main.c
+++ b/init/main.c
@@ -1,4 +1,4 @@
 int main(void)
 {
-\treturn 0;
+\treturn 1;
 }
"""


def test_a_fault_may_be_a_patch(
    tree: Tree, places: Places, toy_templates: Path, tmp_path: Path
) -> None:
    patch = tmp_path / "fault.patch"
    patch.write_text(PATCH)
    made = lay(tree, places, toy_templates, label="patch", mutations=(patch,))
    assert "\tlong nr;" in (made.source / "mm/slqb.c").read_text()
    assert "\treturn 1;" in (made.source / "init/main.c").read_text()
    lay(tree, places, toy_templates, label="patch")
    assert "\treturn 0;" in (made.source / "init/main.c").read_text()


def test_a_patch_that_needs_fuzz_is_an_error(
    tree: Tree, places: Places, toy_templates: Path, tmp_path: Path
) -> None:
    patch = tmp_path / "fault.patch"
    patch.write_text(PATCH.replace(" int main(void)", " int maim(void)"))
    with pytest.raises(HarnessError, match="patch failed"):
        lay(tree, places, toy_templates, label="patch", mutations=(patch,))
