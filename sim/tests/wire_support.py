# SPDX-License-Identifier: BSD-2-Clause
"""What stands in the rings and buffers of a host, byte for byte, as rpmsg-sim left it.

Unlike Host.receive() nothing here takes part in the protocol: what no remote in its senses would
write there has to be seen as it is.
"""

from __future__ import annotations

import json
import struct
import subprocess
from typing import Any

from daemon_frontend import (
    BUFFER_SIZE,
    F_NS,
    F_VERSION_1,
    HEADER,
    INPUT,
    NS_ADDRESS,
    NS_MESSAGE,
    OUTPUT,
    Control,
    FrontEnd,
    Host,
    Sim,
)

HOST_ADDR = 500
ECHO_ADDR = 1024
PAYLOAD = b"fault"
MESSAGE_BYTES = HEADER.size + len(PAYLOAD)
NOTICE_BYTES = HEADER.size + NS_MESSAGE.size
RING_SIZE = 16
#: Another service of each test is at addresses from here on.
OTHER_ADDR = 2000


def names_of(binary: str, option: str) -> list[str]:
    """Names in a list that rpmsg-sim prints as JSON."""
    text = subprocess.run([binary, option], check=True, capture_output=True, text=True).stdout
    return [str(entry["name"]) for entry in json.loads(text)]


def message(src: int, dst: int, payload: bytes = PAYLOAD, **header: int) -> bytes:
    """A message as it has to stand in its buffer; header overrides reserved, len, flags."""
    fields = {"reserved": 0, "len": len(payload), "flags": 0} | header
    return HEADER.pack(src, dst, fields["reserved"], fields["len"], fields["flags"]) + payload


def notice(name: bytes = b"echo", addr: int = ECHO_ADDR, flags: int = 0, **more: Any) -> bytes:
    """An announcement of the service at ECHO_ADDR, 40 bytes or as many as size says."""
    size = more.get("size", NS_MESSAGE.size)
    body = NS_MESSAGE.pack(name, addr, flags).ljust(496, b"\0")[:size]
    return message(more.get("src", ECHO_ADDR), NS_ADDRESS, body)


ECHO = message(ECHO_ADDR, HOST_ADDR)
NOTICE = notice()


class Wire:
    """One rpmsg-sim and a host that looks at its own memory."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.control = Control(sim.control_path)
        self.hosts: list[Host] = []

    @property
    def host(self) -> Host:
        return self.hosts[-1]

    def connect(self, size: int = RING_SIZE) -> Host:
        """A new host that has not said anything yet; the one before leaves first."""
        if self.hosts:
            self.host.front_end.close()
        self.hosts.append(Host(FrontEnd(self.sim.socket_path), size))
        return self.host

    def attach(self, features: int = F_VERSION_1, size: int = RING_SIZE) -> Host:
        """A new host whose driver is ready, once the remote has done all that this makes it do."""
        self.connect(size).start(features)
        self.settle()
        return self.host

    def attach_ns(self) -> Host:
        return self.attach(F_VERSION_1 | F_NS)

    def settle(self) -> None:
        """Wait until the remote has seen all kicks and done what follows at once.

        Sent after a kick, the first request is served in the turn of the loop that sees the kick,
        or later; the second one not before the turn after that, in which the remote runs.
        """
        self.control.call("stats")
        self.control.call("stats")

    def echo(self, payload: bytes = PAYLOAD) -> None:
        """Send the payload to the echo service and let the remote run."""
        self.host.send(HOST_ADDR, ECHO_ADDR, payload)
        self.settle()

    def set(self, name: str, **params: Any) -> None:
        """Set a fault, for once unless params say otherwise."""
        self.control.call("fault_set", **{"name": name, "mode": "once"} | params)
        self.settle()

    def fired(self, name: str) -> int:
        return int(self.control.call("stats")["faults"].get(name, 0))

    def used_idx(self, queue: int) -> int:
        ring = self.host.rings[queue]
        return int.from_bytes(self.host.memory[ring.used + 2 : ring.used + 4], "little")

    def slot(self, queue: int, number: int) -> tuple[int, int]:
        """(id, length) of a place in the used ring, shown to the driver or not."""
        ring = self.host.rings[queue]
        at = ring.used + 4 + 8 * (number % ring.size)
        index, length = struct.unpack_from("<II", self.host.memory, at)
        return index, length

    def used(self, queue: int) -> list[tuple[int, int]]:
        """(id, length) of all that the used index shows."""
        return [self.slot(queue, number) for number in range(self.used_idx(queue))]

    def buffer(self, queue: int, index: int) -> bytes:
        """A whole buffer; the memory of a host starts as zeroes."""
        at = self.host.rings[queue].buffer(index)
        return bytes(self.host.memory[at : at + BUFFER_SIZE])

    def expect(self, number: int, expected: bytes, used_len: int | None = None) -> None:
        """Fail unless the input queue's nth buffer holds these bytes and zeroes behind them, and
        its nth used entry names it with that length, or the message's."""
        assert self.buffer(INPUT, number) == expected.ljust(BUFFER_SIZE, b"\0")
        length = len(expected) if used_len is None else used_len
        assert self.slot(INPUT, number) == (number, length)

    def expect_returned(self, count: int) -> None:
        """Fail unless exactly the first send buffers came back, in order, with length 0."""
        assert self.used(OUTPUT) == [(index, 0) for index in range(count)]

    def close(self) -> None:
        for host in self.hosts:
            host.close()
        self.control.close()
