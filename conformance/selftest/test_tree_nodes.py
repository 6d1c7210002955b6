# SPDX-License-Identifier: BSD-2-Clause
"""What a PowerPC guest has otherwise: nodes of the device tree for its slots, ioctl numbers, byte order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import Peer

from rpmsg_conformance import ioctl_numbers
from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import PORTS, load_bundle
from rpmsg_conformance.tree_nodes import TreeNodes, node_to_add


class FileGuest:
    """An agent that opens anything, and remembers what is written."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.written: list[bytes] = []

    def __call__(self, request: dict[str, Any]) -> list[Any]:
        fields: dict[str, Any] = {}
        if request["cmd"] == "open":
            self.opened.append(request["path"])
            fields["fd"] = 3
        elif request["cmd"] == "write":
            self.written.append(bytes.fromhex(request["data"]))
            fields["ret"] = len(self.written[-1])
        return [{"id": request["id"], "ok": True, "t0": 0, "t1": 0, **fields}]


def hello(**fields: object) -> dict[str, object]:
    return {"hello": "rpmsg-agent", "version": 1, "kernel": "6.12", "pid": 1, "time_ns": 1, **fields}


@pytest.fixture
def guest() -> FileGuest:
    return FileGuest()


@pytest.fixture
def agent(guest: FileGuest, tmp_path: Path) -> Iterator[AgentClient]:
    greeting = hello(machine="ppc64", byte_order="big")
    client = AgentClient(Peer(guest, [greeting]).over_pair(), tmp_path / "log", timeout_factor=0.05)
    assert client.wait_hello(10) is not None
    yield client
    client.close()


def test_tree_nodes_of_a_slot_are_added_once(agent: AgentClient, guest: FileGuest) -> None:
    tree = TreeNodes()
    for _ in range(2):
        tree.add(agent, 2)
    assert guest.opened == ["/proc/powerpc/ofdt"]
    assert guest.written == [node_to_add(10)]


def test_tree_nodes_name_the_device_in_big_endian_cells() -> None:
    line = node_to_add(9)
    assert line.startswith(b"add_node /pci@800000020000000/rpmsg@9 reg 20 \x00\x00\x48\x00" + bytes(16))
    assert b" ibm,req#msi-x 4 \x00\x00\x00\x03" in line


def test_tree_nodes_give_each_device_a_place_of_its_own() -> None:
    places = [tuple(TreeNodes().place(slot).items()) for slot in range(PORTS)]
    assert len(set(places)) == PORTS


def test_tree_nodes_of_firmware_are_not_let_go_after_a_reboot(agent: AgentClient) -> None:
    tree = TreeNodes()
    tree.add(agent, 1)
    assert tree.lets_go(1)
    tree.rebooting()
    assert not tree.lets_go(1) and tree.lets_go(2)


def test_guest_with_slots_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    words = ("name", "arch", "kernel_release", "qemu", "append", "device", "package", "package_version")
    fields: dict[str, object] = {**dict.fromkeys(words, "x"), "machine": [], "modules": []}
    description = {**fields, "memory_mb": 64, "slots": "tea-room"}
    (tmp_path / "guest.json").write_text(json.dumps(description))
    for name in ("kernel", "initramfs.cpio"):
        (tmp_path / name).write_text("")
    with pytest.raises(TargetUnreachable, match="unknown kind of slots: tea-room"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("machine", "count"), [([], 1), (["-smp", "2"], 2), (["-smp", "cpus=4,cores=2", "-m", "1"], 4)]
)
def test_guest_has_the_processors_that_its_machine_says(
    machine: list[str], count: int, tmp_path: Path
) -> None:
    words = ("name", "arch", "kernel_release", "qemu", "append", "device", "package", "package_version")
    description = {**dict.fromkeys(words, "x"), "machine": machine, "modules": [], "memory_mb": 64}
    (tmp_path / "guest.json").write_text(json.dumps(description))
    for name in ("kernel", "initramfs.cpio"):
        (tmp_path / name).write_text("")
    assert load_bundle(tmp_path).processors == count


@pytest.mark.parametrize(
    ("usual", "there"),
    # RPMSG_CREATE_EPT_IOCTL, RPMSG_DESTROY_EPT_IOCTL, RPMSG_GET_OUTGOING_FLOWCONTROL: what gcc for each
    # architecture makes of include/uapi/linux/rpmsg.h.
    [(0x4028B501, 0x8028B501), (0x0000B502, 0x2000B502), (0x8004B505, 0x4004B505)],
)
def test_ioctl_numbers_of_powerpc_are_encoded_otherwise(usual: int, there: int) -> None:
    assert ioctl_numbers.on_machine(usual, "ppc64") == there
    assert ioctl_numbers.on_machine(usual, "armv7l") == usual


def test_agent_that_names_its_machine_gets_its_numbers_and_byte_order(agent: AgentClient) -> None:
    assert agent.ioctl_number(0x4028B501) == 0x8028B501
    assert agent.byte_order == "big"
