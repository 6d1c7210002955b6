# SPDX-License-Identifier: BSD-2-Clause
"""PCI slots of machine pseries: its PowerPC kernel finds devices by nodes of the device tree alone."""

from __future__ import annotations

from typing import Final

from rpmsg_conformance.agent import AgentClient

#: Slot on PCI bus 0 of the first place; the ones below belong to the machine and the agent.
_FIRST: Final = 8

#: Where a kernel of machine pseries takes changes of its device tree, and its PCI host bridge there.
_TREE_CHANGES: Final = "/proc/powerpc/ofdt"
_HOST_BRIDGE: Final = "/pci@800000020000000"

#: Interrupt vectors that the node of a device offers: configuration changes and two queues.
_VECTORS: Final = 3


class TreeNodes:
    """Nodes of the device tree, by which a PowerPC kernel finds the PCI devices of machine pseries.

    Its firmware would write them when a device comes, and ask for the device's release when it goes.
    Here the kernel is given a node before its first look at a slot, and keeps it; that QEMU never hears
    of the firmware's part makes it let a device go at once.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._firmwares: set[int] = set()

    def place(self, slot: int) -> dict[str, str]:
        """Options of device_add for a device in this place; ``slot`` counts from 0."""
        return {"bus": "pci.0", "addr": f"{_FIRST + slot:#x}"}

    def devices(self, agent: AgentClient, slot: int) -> list[str]:
        """Addresses of the PCI devices that the guest's kernel knows there. Raises Unmet."""
        name = f"0000:00:{_FIRST + slot:02x}.0"
        return [name] if agent.exists(f"/sys/bus/pci/devices/{name}") else []

    def add(self, agent: AgentClient, slot: int) -> None:
        """Give the kernel the node of a place, unless it has it. Raises Unmet."""
        if slot in self._known:
            return
        fd = agent.open(_TREE_CHANGES, "wronly")
        agent.write(fd, node_to_add(_FIRST + slot)).expect_success()
        agent.close_fd(fd)
        self._known.add(slot)

    def rebooting(self) -> None:
        """The guest starts again: the firmware then describes what is there, and has to release it."""
        self._firmwares |= self._known
        self._known.clear()

    def lets_go(self, slot: int) -> bool:
        """Whether QEMU gives up the device there at once when it is told to."""
        return slot not in self._firmwares


def node_to_add(device: int) -> bytes:
    """A line for Linux's ofdt file: adds the node of the PCI device in slot ``device`` of bus 0.

    Words of the form "name length value" after the path, values as they lie in memory, cells in
    big-endian. Source: arch/powerpc/platforms/pseries/reconfig.c of Linux, do_add_node(); IEEE 1275 PCI
    binding 2.1, "reg"; PAPR, "ibm,req#msi-x".
    """
    # Bus, device and function, and no size: that of the configuration space.
    properties = {
        "reg": _cells(device << 11, 0, 0, 0, 0),
        "ibm,req#msi-x": _cells(_VECTORS),
        "ibm,pci-config-space-type": _cells(1),
    }
    line = f"add_node {_HOST_BRIDGE}/rpmsg@{device:x}".encode()
    for name, value in properties.items():
        line += f" {name} {len(value)} ".encode() + value
    return line


def _cells(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "big") for value in values)
