# SPDX-License-Identifier: GPL-2.0
"""The command as people meet it: help, settings, exit codes, one clear line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli import COMMANDS
from tests.conftest import TOY, Command, git, sealed

SERIES = ("--templates", TOY / "templates")


def said(answer: "subprocess.CompletedProcess[str]", status: int) -> str:
    """The one line on stderr of a command that ended so."""
    assert answer.returncode == status, answer.stderr
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert answer.stderr.startswith("slqb: ")
    return answer.stderr


def test_help_fits_a_screen_and_shows_an_example(slqb: Command) -> None:
    for words in ((), *((name,) for name in COMMANDS), ("tree", "get"), ("tree", "describe")):
        answer = slqb(*words, "--help", env={"COLUMNS": "80"})
        lines = answer.stdout.splitlines()
        assert answer.returncode == 0, words
        assert len(lines) <= 40, words
        assert max(map(len, lines)) <= 80, words
        assert "Example: slqb" in answer.stdout, words


def test_no_command_at_all_shows_the_help(slqb: Command) -> None:
    answer = slqb()
    assert answer.returncode == 2
    assert "Usage: slqb" in answer.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("tree", "get"), "Missing argument 'TREE'. See `slqb tree get --help`."),
        (("series", "--outpt", "x"), "No such option '--outpt'. Did you mean '--output'?"),
        (("tree", "describe", ""), "no tree ''"),
        (("tree", "get", ".@v1"), "is no git repository: it has no 'v1'"),
        (("series",), "say where the series goes: --output DIR, --branch NAME, or both"),
        (("tree", "describe", "nowhere"), "no tree 'nowhere'"),
        (("series", "-o", "x", "--templates", "gone"), "Directory 'gone' does not exist"),
        (("--config", "gone.toml", "tree", "list"), "config file gone.toml: No such file"),
    ],
)
def test_wrong_use_is_exit_2(slqb: Command, words: tuple[str, ...], message: str) -> None:
    assert message in said(slqb(*words), 2)


def test_not_a_kernel_tree_is_exit_3(slqb: Command, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert "is not a kernel tree: it has no Makefile" in said(slqb("tree", "get", "other"), 3)


def test_a_tree_with_slqb_is_exit_3(slqb: Command, toy_tree: Path) -> None:
    (toy_tree / "mm/slqb.c").write_text("/* SLQB */\n")
    answer = slqb("-q", "series", "--tree", toy_tree, "-o", "out", *SERIES)
    assert "has SLQB already: mm/slqb.c:1: /* SLQB */" in said(answer, 3)


def test_a_tree_without_a_choice_is_exit_3(slqb: Command, toy_tree: Path) -> None:
    (toy_tree / "mm/Kconfig").write_text("config SLUB\n\tdef_bool y\n")
    answer = slqb("-q", "series", "--tree", toy_tree, "-o", "out", *SERIES)
    assert "no choice of allocators in its Kconfig" in said(answer, 3)


def test_a_hunk_without_a_place_is_exit_3(slqb: Command, toy_tree: Path) -> None:
    (toy_tree / "mm/Makefile").write_text("obj-y += main.o\n")
    answer = slqb("-q", "series", "--tree", toy_tree, "-o", "out", *SERIES)
    assert "mm/Makefile: no place for hunk 'object'" in said(answer, 3)


def test_a_branch_name_git_refuses_is_exit_2(slqb: Command, toy_tree: Path) -> None:
    answer = slqb("-q", "series", "--tree", toy_tree, "--branch", "a..b", *SERIES)
    assert "--branch 'a..b': git does not take that for a name" in said(answer, 2)


def test_an_output_that_cannot_be_written_is_exit_8(slqb: Command, toy_tree: Path) -> None:
    answer = slqb("-q", "series", "--tree", toy_tree, "-o", "/proc/nothing/out", *SERIES)
    assert "/proc/nothing" in said(answer, 8)


def test_a_missing_package_is_exit_8_and_named(slqb: Command, tmp_path: Path) -> None:
    """No apt-get on the PATH: another distribution."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to("/usr/bin/git")
    answer = slqb("-q", "tree", "get", "debian:9.9", env={"PATH": str(tmp_path / "bin")})
    assert "run `apt-get update && apt-get install linux-source-9.9` as root" in said(answer, 8)


def test_a_release_that_debian_does_not_have_is_exit_2(slqb: Command, tmp_path: Path) -> None:
    fake = tmp_path / "bin/apt-cache"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'linux-source-6.1 - sources'\n")
    fake.chmod(0o755)
    env = {"PATH": f"{fake.parent}:{os.environ['PATH']}"}
    for words in (("tree", "get", "debian:6.2"), ("run", "--tree", "debian:6.2")):
        message = said(slqb(*words, env=env), 2)
        assert "apt knows no package linux-source-6.2; there are: debian:6.1" in message
    assert not (tmp_path / "runs").exists()


def test_no_git_is_exit_8(slqb: Command, toy_tree: Path) -> None:
    answer = slqb("-q", "tree", "get", toy_tree, env={"PATH": "/nonexistent"})
    assert "git is not installed: `slqb doctor`" in said(answer, 8)


def test_a_cache_that_cannot_be_written_is_exit_8(slqb: Command, toy_tree: Path) -> None:
    answer = slqb("-q", "tree", "get", toy_tree, env={"SLQB_CACHE": "/proc/nothing"})
    assert "cannot make the folder /proc/nothing" in said(answer, 8)


WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def test_what_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    for name in ("secret", "runs"):
        (tmp_path / name).mkdir(mode=0)

    def denied(*words: str) -> "subprocess.CompletedProcess[str]":
        command = (
            *(WITHOUT_RIGHTS if os.getuid() == 0 else ()),
            Path(sys.executable).with_name("slqb"),
        )
        return subprocess.run(
            (*command, *words),
            cwd=tmp_path,
            env=sealed(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )

    for words in (("tree", "get", "secret"), ("run", "--tree", "secret/linux")):
        assert "no tree 'secret" in said(denied(*words), 2)
    assert "cannot read secret/log: Permission denied" in said(denied("parse", "secret/log"), 2)
    assert f"Permission denied: {tmp_path}/runs" in said(denied("report", "list"), 8)


def test_get_list_describe(slqb: Command, toy_tree: Path) -> None:
    name = slqb("-q", "tree", "get", toy_tree).stdout.strip()
    assert name.startswith("dir-6.1.7-toy-")
    assert name in slqb("tree", "list").stdout
    assert json.loads(slqb("tree", "list", "--json").stdout)[0]["name"] == name
    told = slqb("-q", "tree", "describe", name).stdout
    assert "version     6.1.7-toy" in told
    assert "allocators  SLAB, SLUB, SLOB" in told
    assert "mm/slab.h:1" in told


def test_describe_as_json(slqb: Command, toy_tree: Path) -> None:
    told = json.loads(slqb("-q", "tree", "describe", "--json", toy_tree).stdout)
    assert told["release"] == "6.1.7-toy"
    assert told["allocators"] == ["slab", "slub", "slob"]
    assert told["capabilities"]["struct_slab"] == {
        "file": "mm/slab.h",
        "line": 1,
        "text": "struct slab {",
    }
    assert told["capabilities"]["folio"] is None


def test_an_empty_cache_has_no_trees(slqb: Command) -> None:
    answer = slqb("tree", "list")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "no trees yet" in answer.stderr


def test_series_then_git_am(slqb: Command, toy_tree: Path, tmp_path: Path) -> None:
    git(toy_tree, "init", "-q")
    git(toy_tree, "add", "--force", ".")
    git(toy_tree, "commit", "-qm", "toy")
    words = ("series", "--tree", toy_tree, "--output", "out", "--branch", "slqb", *SERIES)
    answer = slqb("-q", *words)
    assert answer.returncode == 0, answer.stderr
    fetch, *mails = answer.stdout.splitlines()
    git(toy_tree, "am", "-q", "--empty=drop", *(str(tmp_path / mail) for mail in mails))
    git(toy_tree, *fetch.split()[1:])
    assert git(toy_tree, "rev-parse", "HEAD^{tree}") == git(
        toy_tree, "rev-parse", "FETCH_HEAD^{tree}"
    )
    assert "has SLQB already" in said(slqb("-q", *words), 3)


def test_a_dry_run_writes_nothing_and_shows_what_works(
    slqb: Command, toy_tree: Path, tmp_path: Path
) -> None:
    answer = slqb("-q", "series", "--tree", toy_tree, "-o", "out", "--dry-run", *SERIES)
    assert not (tmp_path / "out").exists()
    subprocess.run(answer.stdout, shell=True, check=True, cwd=tmp_path)
    written = tmp_path / "out"
    assert sorted(path.suffix for path in written.iterdir()) == [".patch"] * 3


def test_flags_beat_environment_beats_config(slqb: Command, toy_tree: Path, tmp_path: Path) -> None:
    for name in ("file", "variable"):
        (tmp_path / name).mkdir()
    config = tmp_path / "config/slqb"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(
        f"quiet = true\n[series]\ntree = '{toy_tree}'\noutput = 'from-file'\n"
        f"templates = '{TOY / 'templates'}'\n[tree.list]\njson = true\n"
    )
    assert slqb("series").stdout.splitlines()[0] == "from-file/0000-cover-letter.patch"
    env = {"SLQB_SERIES_OUTPUT": "from-variable"}
    assert slqb("series", env=env).stdout.startswith("from-variable/")
    assert slqb("series", "-o", "from-flag", env=env).stdout.startswith("from-flag/")
    assert json.loads(slqb("tree", "list").stdout)[0]["release"] == "6.1.7-toy"


def test_a_list_in_the_file_is_a_list_of_an_option(
    slqb: Command, toy_tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(
        '[run]\ntopology = ["2n", "4n"]\nappend = ["a", "b"]\npristine = true\naccel = "tcg"\n'
    )
    words = ("--tree", toy_tree, "--allocator", "slub", "--dry-run")
    answer = slqb("-q", "--config", "mine.toml", "run", *words)
    shown = [line for line in answer.stdout.splitlines() if line.startswith("qemu-system")]
    assert ["nodeid=3" in line for line in shown] == [False, True]
    assert all(line.endswith(" a b'") for line in shown)


def test_a_config_file_may_be_named(slqb: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"cache = '{tmp_path / 'other'}'\n")
    env = {"SLQB_CONFIG": str(tmp_path / "mine.toml"), "SLQB_CACHE": ""}
    assert slqb("tree", "list", env=env).returncode == 0
    assert (tmp_path / "other/trees").is_dir()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serie]\noutput = 'x'\n", "config file mine.toml: `slqb` has no option 'serie'"),
        ("[series]\noutputs = 'x'\n", "mine.toml: `slqb series` has no option 'outputs'"),
        ("[run]\ntopologie = 'x'\n", "mine.toml: `slqb run` has no option 'topologie'"),
        ("[tree.list]\njsn = true\n", "mine.toml: `slqb tree list` has no option 'jsn'"),
        ("quiet = ", "config file mine.toml is not TOML"),
        ("quiet = 'perhaps'\n", "is not a valid boolean"),
    ],
)
def test_a_wrong_config_file_is_exit_2(
    slqb: Command, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "mine.toml").write_text(text)
    assert message in said(slqb("--config", "mine.toml", "tree", "list"), 2)


def test_nobody_reads_is_no_complaint(slqb: Command, toy_tree: Path, tmp_path: Path) -> None:
    slqb("-q", "tree", "get", toy_tree)
    for words in (("tree", "describe", "--json"), ("tree", "describe")):
        process = subprocess.Popen(
            [Path(sys.executable).with_name("slqb"), "-q", *words, toy_tree],
            env=sealed(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(10) == 128 + signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_is_exit_130_and_leaves_nothing(
    number: signal.Signals, tmp_path: Path
) -> None:
    """While tar, which never gets to the end of its input, unpacks."""
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin/tar"
    slow.write_text("#!/bin/sh\nmkdir half\necho half\necho $$ > ../../../pid\nexec sleep 60\n")
    slow.chmod(0o755)
    (tmp_path / "some.tar").touch()
    env = {**sealed(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    command = (Path(sys.executable).with_name("slqb"), "-q", "tree", "get", "some.tar")
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 20
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == "slqb: interrupted\n"
    assert process.returncode == 130
    assert list((tmp_path / "cache/trees").glob("tmp-*")) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("slqb se", ["series", "send"]),
        ("slqb run --topology me", ["memoryless"]),
        ("slqb run --topology 2n,4", ["2n,4n"]),
        ("slqb run --config lean,le", ["lean,lean"]),
        ("slqb build --config lean+u", ["lean+up"]),
        ("slqb run --allocator sl", ["slqb", "slub", "slab", "slob"]),
        ("slqb run --case slabtest.remote_p", ["slabtest.remote_pairs"]),
        ("slqb boot --machine x", ["x86_64"]),
        ("slqb run --matrix sm", ["smoke"]),
        ("slqb run --engine d", ["dask"]),
        ("slqb run --config z", []),
        ("slqb run --config allocator", []),
        ("slqb run --qui", ["--quiet"]),
        ("slqb report l", ["list"]),
        ("slqb report fl", ["flakes"]),
        ("slqb report --format k", ["ktap", "kcidb"]),
        ("slqb report --against li", []),
        ("slqb tree describe dir-6", ["NAME"]),
    ],
)
def test_completion(slqb: Command, toy_tree: Path, line: str, offered: list[str]) -> None:
    if "NAME" in offered:
        offered = [slqb("-q", "tree", "get", toy_tree).stdout.strip()]
    words = str(len(line.split()) - 1)
    env = {"_SLQB_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": words}
    answer = slqb(env=env)
    assert [item.partition(",")[2] for item in answer.stdout.split("\n") if item] == offered
    assert answer.stderr == ""


def test_bash_takes_the_completion(tmp_path: Path) -> None:
    """The line that the help shows, in a real shell that then completes a word."""
    script = (
        'eval "$(_SLQB_COMPLETE=bash_source slqb)"; COMP_WORDS=(slqb rep); COMP_CWORD=1;'
        ' _slqb_completion slqb rep slqb; echo "${COMPREPLY[@]}"'
    )
    env = {**sealed(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ("bash", "-c", script), env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["report"]


@pytest.mark.parametrize(
    "words", [("-q", "tree", "get"), ("tree", "-q", "get"), ("tree", "get", "-q")]
)
def test_quiet_may_stand_anywhere(slqb: Command, toy_tree: Path, words: tuple[str, ...]) -> None:
    answer = slqb(*words, toy_tree)
    assert answer.returncode == 0
    assert answer.stderr == ""


@pytest.mark.parametrize("words", [("-v", "tree", "get"), ("tree", "get", "--verbose")])
def test_verbose_shows_every_step(slqb: Command, toy_tree: Path, words: tuple[str, ...]) -> None:
    steps = [line for line in slqb(*words, toy_tree).stderr.splitlines() if line == "  files"]
    assert len(steps) > 5


def test_quiet_may_stand_in_the_environment_and_the_file(
    slqb: Command, toy_tree: Path, tmp_path: Path
) -> None:
    get = ("tree", "get", toy_tree)
    assert slqb(*get, env={"SLQB_QUIET": "1"}).stderr == ""
    assert slqb(*get, env={"SLQB_TREE_GET_QUIET": "1"}).stderr == ""
    (tmp_path / "mine.toml").write_text("[tree.get]\nquiet = true\n")
    assert slqb("--config", "mine.toml", *get).stderr == ""
    assert slqb(*get).stderr != ""


def test_a_series_without_a_place_is_the_outcome_of_every_cell(
    slqb: Command, toy_tree: Path, tmp_path: Path
) -> None:
    """And what `--json` prints, and what a comparison with a run like it finds."""
    words = ("-q", "run", "--json", "--tree", toy_tree, "--topology", "uma,2n")
    first, second = slqb(*words), slqb(*words)
    record = json.loads(first.stdout)
    assert (first.returncode, record["outcome"], record["status"]) == (3, "TREE", "finished")
    assert "no place for hunk" in record["reason"]
    assert [cell["outcome"] for cell in record["cells"]] == ["TREE", "TREE"]
    said = slqb("report").stdout
    assert "(0 boots, no tests;" in said
    names = [json.loads(answer.stdout)["name"] for answer in (first, second)]
    compared = slqb("report", names[1], "--against", names[0])
    assert compared.stdout.splitlines()[-1] == "PASS: nothing changed"


def test_a_compiler_that_is_missing_is_said_before_anything_is_done(
    slqb: Command, toy_tree: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*"):
            link = programs / program.name
            if not program.name.startswith("aarch64-linux-gnu-") and not link.exists():
                link.symlink_to(program)
    emulator = programs / "qemu-system-aarch64"  # it is only asked for its version
    if not emulator.exists():
        emulator.symlink_to(programs / "qemu-system-x86_64")
    words = ("run", "--tree", toy_tree, "--arch", "x86_64,arm64-16k")
    answer = slqb(*words, env={"PATH": str(programs)})
    assert answer.returncode == 8
    assert "aarch64-linux-gnu-gcc" in answer.stderr.splitlines()[-1]
    assert "apt-get install gcc-aarch64-linux-gnu" in answer.stderr.splitlines()[-1]
    assert not any("import" in line for line in answer.stderr.splitlines())
