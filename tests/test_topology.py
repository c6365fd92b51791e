# SPDX-License-Identifier: GPL-2.0
"""Topologies: what QEMU is told, what the guest is told, what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.asked import Asked
from harness.errors import UserError
from harness.topology import (
    LOCAL,
    Node,
    Topology,
    load_topology,
    qemu_arguments,
    topology_names,
)

TWO = """
description = "two"
nodes = [{ cpus = 1, memory_mib = 64 }, { cpus = 3, memory_mib = 128 }]
distances = [[10, 20], [21, 10]]
"""


def pairs(words: tuple[str, ...], option: str) -> list[str]:
    """The values of an option that may be given many times."""
    return [words[i + 1] for i, word in enumerate(words) if word == option]


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_the_specified_topologies_are_there() -> None:
    wanted = {"up", "uma", "2n", "4n", "asym", "memoryless", "cpuless", "altix"}
    assert wanted <= set(topology_names())


@pytest.mark.parametrize("name", topology_names())
def test_every_record_is_sound(name: str) -> None:
    topology = load_topology(name)
    assert topology.name == name
    assert topology.description
    [smp] = pairs(qemu_arguments(topology), "-smp")
    sizes = dict(one.split("=") for one in smp.split(",")[1:])
    sockets, cores = int(sizes["sockets"]), int(sizes["cores"])
    assert sockets * cores == topology.cpus + topology.spare_cpus
    # no socket has CPUs of two nodes: the guest's scheduler would warn
    assert not any(node.cpus % cores or node.spare_cpus % cores for node in topology.nodes)


@pytest.mark.parametrize(
    ("name", "smp"),
    [
        ("up", "1,sockets=1,cores=1,threads=1"),
        ("uma", "4,sockets=1,cores=4,threads=1"),
        ("2n", "4,sockets=2,cores=2,threads=1"),
        ("cpuless", "4,sockets=1,cores=4,threads=1"),
        ("memoryless", "4,sockets=4,cores=1,threads=1"),
        ("altix", "16,sockets=8,cores=2,threads=1"),
    ],
)
def test_a_node_is_a_socket_where_nodes_are_alike(name: str, smp: str) -> None:
    assert pairs(qemu_arguments(load_topology(name)), "-smp") == [smp]


def test_what_the_names_promise() -> None:
    assert load_topology("up").cpus == 1
    assert load_topology("uma").flat
    assert any(n.cpus and not n.memory_mib for n in load_topology("memoryless").nodes)
    assert any(n.memory_mib and not n.cpus for n in load_topology("cpuless").nodes)
    altix = load_topology("altix")
    assert len(altix.nodes) == 8
    assert sum(not node.memory_mib for node in altix.nodes) == 1
    asym = load_topology("asym").distances
    assert any(asym[i][j] != asym[j][i] for i in range(4) for j in range(4))


def test_qemu_is_told_nodes_memory_and_distances(tmp_path: Path) -> None:
    words = qemu_arguments(load_topology(written(tmp_path, TWO)))
    assert pairs(words, "-smp") == ["4,sockets=4,cores=1,threads=1"]
    assert pairs(words, "-m") == ["192M"]
    assert pairs(words, "-object") == [
        "memory-backend-ram,id=ram0,size=64M",
        "memory-backend-ram,id=ram1,size=128M",
    ]
    assert pairs(words, "-numa") == [
        "node,nodeid=0,memdev=ram0,cpus=0-0",
        "node,nodeid=1,memdev=ram1,cpus=1-3",
        "dist,src=0,dst=1,val=20",
        "dist,src=1,dst=0,val=21",
    ]


def test_one_node_needs_no_words_about_nodes() -> None:
    words = qemu_arguments(load_topology("uma"))
    assert "-numa" not in words
    assert "-object" not in words


def test_a_node_without_memory_has_no_backend() -> None:
    words = qemu_arguments(load_topology("memoryless"))
    assert "node,nodeid=1,cpus=2-2" in pairs(words, "-numa")
    assert len(pairs(words, "-object")) == 2


def test_memory_is_plugged_where_the_record_says() -> None:
    plugged = load_topology("plugged")
    words = qemu_arguments(plugged)
    assert pairs(words, "-m") == ["256M,slots=2,maxmem=512M"]
    assert pairs(words, "-device") == [
        "pc-dimm,id=dimm1,memdev=plug1,node=1",
        "pc-dimm,id=dimm2,memdev=plug2,node=2",
    ]
    assert "memory-backend-ram,id=plug2,size=128M" in pairs(words, "-object")
    assert "node,nodeid=2" in pairs(words, "-numa")
    assert plugged.shape == "2:256+1:0+0:0@10,20,40/20,10,40/40,40,10"


def test_parts_to_come_are_not_there_at_first() -> None:
    topology = load_topology("hotplug")
    words = qemu_arguments(topology)
    assert pairs(words, "-smp") == ["3,sockets=5,cores=1,threads=1,maxcpus=5"]
    assert pairs(words, "-m") == ["512M,slots=2,maxmem=768M"]
    assert pairs(words, "-device") == []
    assert [word for word in pairs(words, "-numa") if word.startswith("node")] == [
        "node,nodeid=0,memdev=ram0,cpus=0-1,cpus=3-3",
        "node,nodeid=1,memdev=ram1,cpus=2-2,cpus=4-4",
        "node,nodeid=2",
    ]
    assert topology.shape == "2:256+1:256@10,20/20,10"
    assert "slqbtest.spare=2:128,128" in Asked().words(topology)
    assert not any("spare" in word for word in Asked().words(load_topology("2n")))


def test_memory_is_plugged_into_one_of_several_nodes(tmp_path: Path) -> None:
    node = "{ cpus = 1, memory_mib = 64, plugged_mib = 128 }"
    path = written(tmp_path, f'description = "x"\nnodes = [{node}]\n')
    with pytest.raises(UserError, match="where there are several nodes"):
        load_topology(path)


def test_the_shape_for_the_guest() -> None:
    assert load_topology("2n").shape == "2:256+2:256@10,20/20,10"
    assert load_topology("up").shape == "1:256"


@given(st.integers(1, 8), st.data())
def test_a_shape_says_all_there_is(count: int, data: st.DataObject) -> None:
    nodes = [
        Node(cpus=data.draw(st.integers(1, 4)), memory_mib=data.draw(st.integers(1, 512)))
        for _ in range(count)
    ]
    rows = [
        [LOCAL if i == j else 11 + (i * 7 + j) % 40 for j in range(count)] for i in range(count)
    ]
    topology = Topology.model_validate(
        {"name": "t", "description": "t", "nodes": nodes, "distances": rows}
    )
    told, _, far = topology.shape.partition("@")
    assert [tuple(map(int, node.split(":"))) for node in told.split("+")] == [
        (node.cpus, node.memory_mib) for node in nodes
    ]
    assert [[int(value) for value in row.split(",")] for row in far.split("/")] == rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("two", "two\nspeed = 3"), "not TOML"),
        (("nodes =", "spare = 1\nnodes ="), "spare: Extra inputs are not permitted"),
        (("cpus = 1", 'cpus = "many"'), "nodes.0.cpus: Input should be a valid integer"),
        (("cpus = 1", "cpus = -1"), "nodes.0.cpus: Input should be greater"),
        (("cpus = 1, memory_mib = 64", "cpus = 0, memory_mib = 0"), "node 0 has neither"),
        (("[[10, 20], [21, 10]]", "[[10, 20]]"), "distances must be 2 rows of 2"),
        (("[10, 20]", "[10, 10]"), "distance 0-1 is 10; 10 is for a node to itself"),
        (("[10, 20]", "[20, 20]"), "distance 0-0 is 20; 10 is for a node to itself"),
        (("[10, 20]", "[10, 300]"), "distances.0.1: Input should be less"),
        (("distances =", "# "), "2 nodes need distances"),
        (("nodes =", "low_mib = 192\nnodes ="), "low_mib is for several nodes, and less than"),
    ],
)
def test_a_bad_record_is_one_line_that_names_it(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = written(tmp_path, TWO.replace(*change))
    with pytest.raises(UserError) as caught:
        load_topology(path)
    assert message in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["cpus = 0, memory_mib = 64", "cpus = 1, memory_mib = 0"])
def test_a_machine_needs_a_cpu_and_memory(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f'description = "x"\nnodes = [{{ {text} }}]\n')
    with pytest.raises(UserError, match="no node has"):
        load_topology(path)


@pytest.mark.parametrize("name", ["nowhere", "../topologies/2n", "", "x.toml"])
def test_an_unknown_name_lists_the_known(name: str) -> None:
    with pytest.raises(UserError, match=r"unknown topology .*; known: 2n, 4n, altix"):
        load_topology(name)
