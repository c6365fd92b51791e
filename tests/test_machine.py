# SPDX-License-Identifier: GPL-2.0
"""Machines, and the one command line made of machine, topology, accelerator and payload."""

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.machine import PROBES, Machine, Payload, load_machine, machine_names, qemu_command
from harness.topology import load_topology

X86 = load_machine("x86_64")


def command(topology: str = "2n", accelerator: str = "tcg", machine: Machine = X86) -> str:
    payload = Payload(Path("/k/vmlinux"), Path("/k/init"), ("a=1", "b"))
    return " ".join(qemu_command(machine, load_topology(topology), accelerator, payload))


@pytest.mark.parametrize("name", machine_names())
def test_every_machine_can_be_asked_whether_its_accelerator_works(name: str) -> None:
    machine = load_machine(name)
    assert (PROBES / machine.probe).is_file()
    assert "tcg" in machine.cpu


def test_the_kernel_is_booted_as_it_is_and_ends_with_the_guest() -> None:
    words = command()
    assert "-kernel /k/vmlinux -initrd /k/init -append a=1 b" in words
    for option in ("-no-reboot", "-nodefaults", "-no-user-config", "-display none"):
        assert option in words


def test_tcg_runs_every_cpu_in_a_thread() -> None:
    assert "-accel tcg,thread=multi -cpu max,la57=off" in command()
    assert "-accel kvm -cpu host" in command(accelerator="kvm")


def test_microvm_is_for_one_node_under_kvm() -> None:
    assert "-machine microvm" in command("uma", "kvm")
    assert "-machine q35" in command("2n", "kvm")  # microvm ignores -numa
    assert "-machine q35" in command("uma", "tcg")  # microvm has no clock there


def test_no_port_and_no_socket_is_opened() -> None:
    words = command()
    for word in ("tcp", "hostfwd", "socket,", "-net", "vnc", "-monitor"):
        assert word not in words


def test_more_cpus_than_the_machine_has_are_refused() -> None:
    small = X86.model_copy(update={"max_cpus": 3})
    with pytest.raises(UserError, match="'2n' has 4 CPUs, machine 'x86_64' has at most 3"):
        command(machine=small)


def test_an_unknown_machine_lists_the_known() -> None:
    with pytest.raises(UserError, match="unknown machine 'vax'; known: x86_64"):
        load_machine("vax")
