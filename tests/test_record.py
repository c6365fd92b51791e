# SPDX-License-Identifier: GPL-2.0
"""The record: there from the first moment, replaced as a whole, kept, found again."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from harness.digest import digest_of
from harness.errors import Outcome, UserError
from harness.keeping import keep_kernel
from harness.places import Places
from harness.record import (
    RESULT,
    SCHEMA,
    STORE,
    CellRecord,
    KernelRecord,
    Recorder,
    RunRecord,
    begin,
    find_run,
    keep,
    load,
    outcome_of,
    runs,
)

KERNEL = KernelRecord(name="k", image="k/vmlinux", image_sha256="0" * 64)


def begun(places: Places) -> Recorder:
    return begin(places, ("slqb", "run"), 7)


def on_disk(recorder: Recorder) -> RunRecord:
    return load(recorder.folder)


def cell(name: str) -> CellRecord:
    return CellRecord(name=name, kernel="k", machine="x86_64", topology="2n")


def test_a_run_can_be_read_from_the_moment_it_begins(places: Places) -> None:
    recorder = begun(places)
    record = on_disk(recorder)
    assert (record.status, record.state) == ("running", "running")
    assert (record.outcome, record.seed, record.command) == (None, 7, ("slqb", "run"))
    assert json.loads((recorder.folder / RESULT).read_text())["schema"] == SCHEMA


def test_runs_of_the_same_second_have_folders_of_their_own(places: Places) -> None:
    folders = [begun(places).folder for _ in range(20)]
    assert len(set(folders)) == 20
    assert set(runs(places)) == set(folders)


def test_changes_are_on_disk_at_once(places: Places) -> None:
    recorder = begun(places)
    recorder.add(cell("a"))
    recorder.add(cell("b"))
    recorder.cell("b", status="finished", outcome="PASS", seconds=1.5)
    recorder.add(KERNEL)
    recorder.update(outcome="PASS")
    assert on_disk(recorder) == recorder.record
    assert [one.outcome for one in on_disk(recorder).cells] == [None, "PASS"]
    assert on_disk(recorder).kernels == (KERNEL,)


def test_threads_do_not_lose_each_others_changes(places: Places) -> None:
    recorder = begun(places)
    names = [f"c{number}" for number in range(8)]
    for name in names:
        recorder.add(cell(name))

    def work(name: str) -> None:
        for second in range(20):
            recorder.cell(name, seconds=float(second))
        recorder.cell(name, status="finished")

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(one.status, one.seconds) for one in on_disk(recorder).cells} == {("finished", 19.0)}


def test_no_half_written_record_is_ever_seen(places: Places) -> None:
    recorder = begun(places)
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            recorder.update(reason="x" * (number * 50))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        on_disk(recorder)
    writer.join()


def test_a_run_whose_process_is_gone_was_killed(places: Places) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    recorder = begun(places)
    recorder.update(pid=process.pid, born=1)
    assert on_disk(recorder).state == "killed"
    recorder.update(status="finished")
    assert on_disk(recorder).state == "finished"


def test_a_process_number_that_was_given_again_does_not_deceive(places: Places) -> None:
    recorder = begun(places)
    recorder.update(pid=os.getpid(), born=recorder.record.born - 1)
    assert on_disk(recorder).state == "killed"


def test_a_run_without_an_outcome_is_no_pass(places: Places) -> None:
    recorder = begun(places)
    assert outcome_of(recorder.record) is Outcome.INTERRUPTED


def image(folder: Path, name: str, size: int = 3 << 20) -> Path:
    path = folder / name
    path.write_bytes(os.urandom(64) * (size // 64))
    return path


def test_what_is_kept_is_there_once_however_many_runs_hold_it(
    places: Places, tmp_path: Path
) -> None:
    kernel = image(tmp_path, "vmlinux")
    one, two = begun(places), begun(places)
    assert keep(kernel, one.folder / "k", "vmlinux", places) == keep(
        kernel, two.folder / "k", "vmlinux", places
    )
    first, second = one.folder / "k/vmlinux", two.folder / "k/vmlinux"
    assert first.read_bytes() == kernel.read_bytes()
    assert first.stat().st_ino == second.stat().st_ino
    assert len(list((places.runs / STORE).iterdir())) == 1


def test_a_later_build_does_not_change_what_was_kept(places: Places, tmp_path: Path) -> None:
    kernel = image(tmp_path, "vmlinux")
    before, recorder = kernel.read_bytes(), begun(places)
    keep(kernel, recorder.folder, "vmlinux", places)
    kernel.write_bytes(b"another kernel" * 100_000)
    assert (recorder.folder / "vmlinux").read_bytes() == before


def test_a_changed_file_has_another_digest(places: Places, tmp_path: Path) -> None:
    kernel = image(tmp_path, "vmlinux")
    first = digest_of(kernel, places)
    assert digest_of(kernel, places) == first
    with kernel.open("r+b") as stream:
        stream.write(b"changed")
    assert digest_of(kernel, places) != first


def test_a_damaged_memory_of_digests_is_no_harm(places: Places, tmp_path: Path) -> None:
    kernel = image(tmp_path, "vmlinux")
    first = digest_of(kernel, places)
    for memory in places.folder("facts", "digests").iterdir():
        for damage in ("", "[]", "{}", '{"stamp": 1}'):
            memory.write_text(damage)
            assert digest_of(kernel, places) == first


def test_a_kernel_is_kept_with_all_that_belongs_to_it(places: Places, tmp_path: Path) -> None:
    config = tmp_path / ".config"
    config.write_text('CONFIG_CC_VERSION_TEXT="gcc (Debian) 12.2.0"\nCONFIG_SLQB=y\n')
    recorder = begun(places)
    kept = keep_kernel(
        recorder,
        places,
        "lean",
        image(tmp_path, "vmlinux"),
        initramfs=image(tmp_path, "initramfs.cpio"),
        config=config,
        release="6.1.0",
    )
    [record] = on_disk(recorder).kernels
    assert record.compiler == "gcc (Debian) 12.2.0"
    assert record.release == "6.1.0"
    for path in (record.image, record.initramfs, record.config):
        assert path is not None
        assert (recorder.folder / path).is_file()
    assert kept.image == recorder.folder / record.image


def test_a_run_is_found_by_name_by_path_or_as_the_last(places: Places) -> None:
    first, second = begun(places), begun(places)
    assert find_run(places, None) == second.folder
    assert find_run(places, first.folder.name) == first.folder
    assert find_run(places, str(first.folder)) == first.folder
    assert find_run(places, str(first.folder / RESULT)) == first.folder


def test_an_unknown_run_is_one_line_with_the_last_ones(places: Places) -> None:
    with pytest.raises(UserError, match="there are no runs in"):
        find_run(places, None)
    name = begun(places).folder.name
    with pytest.raises(UserError, match=f"no run 'nope' in .*; the last ones: {name}"):
        find_run(places, "nope")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "slqb-run/99"}', '{"name": 3}'])
def test_a_record_of_another_form_is_one_line(places: Places, text: str) -> None:
    folder = begun(places).folder
    (folder / RESULT).write_text(text)
    with pytest.raises(UserError) as caught:
        load(folder)
    assert SCHEMA in str(caught.value)
    assert "\n" not in str(caught.value)
