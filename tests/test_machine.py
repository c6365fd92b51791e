# SPDX-License-Identifier: GPL-2.0
"""Machines, and the one command line made of machine, topology, accelerator and payload."""

import subprocess
from pathlib import Path

import pytest

from harness.arch import load_arch
from harness.errors import UserError
from harness.machine import (
    PROBES,
    Machine,
    Payload,
    fitted,
    in_turns,
    load_machine,
    machine_names,
    qemu_command,
    unfit,
)
from harness.topology import load_topology, topology_names

X86 = load_machine("x86_64")


def command(topology: str = "2n", accelerator: str = "tcg", machine: Machine = X86) -> str:
    payload = Payload(Path("/k/vmlinux"), Path("/k/init"), ("a=1", "b"))
    return " ".join(qemu_command(machine, load_topology(topology), accelerator, payload))


@pytest.mark.parametrize("name", machine_names())
def test_every_machine_can_be_asked_whether_its_accelerator_works(name: str) -> None:
    machine = load_machine(name)
    assert (PROBES / machine.probe).is_file() if machine.probe else "kvm" not in machine.cpu
    assert "tcg" in machine.cpu
    assert load_arch(machine.arch).name == machine.arch


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.needs(load_machine(name).emulator))
        for name in machine_names()
    ],
)
@pytest.mark.parametrize("topology", topology_names())
def test_every_machine_has_every_topology_or_says_why_not(name: str, topology: str) -> None:
    """QEMU itself is asked; a kernel is not needed to see whether it takes the words."""
    machine = load_machine(name)
    shape = fitted(machine, load_topology(topology))
    if reason := unfit(machine, shape):
        assert topology in reason
        assert name in reason
        return
    argv = qemu_command(machine, shape, "tcg", Payload(Path("/dev/null")))
    here = argv.index("-kernel")
    stopped = [*argv[:here], *argv[here + 2 :], "-S", "-qmp", "stdio"]
    console = stopped.index("stdio,id=console,signal=off")
    stopped[console] = "null,id=console"
    said = subprocess.run(
        stopped,
        input='{"execute": "qmp_capabilities"}\n{"execute": "quit"}\n',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "error" not in said.stdout


def test_memory_is_rounded_up_to_what_the_machine_can_make() -> None:
    coarse = X86.model_copy(update={"node_mib": 256})
    shape = fitted(coarse, load_topology("altix"))
    assert [node.memory_mib for node in shape.nodes] == [256, 256, 256, 0, 256, 256, 256, 256]
    assert fitted(X86, load_topology("altix")) == load_topology("altix")


def test_a_machine_says_what_else_qemu_is_told() -> None:
    assert "-cpu power9 -prom-env auto-boot?=true" in command(machine=load_machine("ppc64le"))


def test_the_kernel_is_booted_as_it_is_and_ends_with_the_guest() -> None:
    words = command()
    assert "-kernel /k/vmlinux -initrd /k/init -append a=1 b" in words
    for option in ("-no-reboot", "-nodefaults", "-no-user-config", "-display none"):
        assert option in words


def test_cpus_that_would_spin_in_vain_run_in_turns() -> None:
    arm = load_machine("arm64-16k")
    assert "tcg,thread=single" in qemu_command(arm, load_topology("4n"), "tcg", Payload(Path("k")))
    assert in_turns(arm, "tcg")
    assert not in_turns(arm, "kvm")
    assert not in_turns(load_machine("x86_64"), "tcg")


def test_tcg_runs_every_cpu_in_a_thread() -> None:
    assert "-accel tcg,thread=multi -cpu max,la57=off" in command()
    assert "-accel kvm -cpu host" in command(accelerator="kvm")


def test_memory_is_put_above_4_gib_where_the_machine_can() -> None:
    assert load_topology("cpuless").low_mib == 256
    assert f"-machine {X86.model},max-ram-below-4g=256M " in command("cpuless")
    assert "max-ram-below-4g" not in command("2n")
    assert "max-ram-below-4g" not in command("cpuless", machine=load_machine("ppc64le"))


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
    with pytest.raises(UserError, match=r"unknown machine 'vax'; known: .*x86_64"):
        load_machine("vax")
