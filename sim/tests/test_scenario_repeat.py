# SPDX-License-Identifier: BSD-2-Clause
"""Same seed, same bytes: fixtures/scenarios/mixed.yaml, played by the real program several times.

What is compared is everything that a host, a capture or a subscriber sees, but the times: they are
those of the machine's clock. So the time stamps of packets, and time_ns of events, are left out.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import BUFFER_SIZE, HEADER, INPUT, OUTPUT, Connect, Control, Host
from scenario_support import HOST_ADDR, Play, ended, host_of

pytest_plugins = ("scenario_fixtures",)

RING_SIZE = 64
MESSAGES = 4500
BATCH = 16
DESTINATIONS = [*range(1024, 1028), *range(1100, 1106), 2000, 9999]
PCAP_HEADER, PACKET_HEADER = 24, struct.Struct("<IIII")


@dataclass
class Record:
    """All that a run left, without times."""

    received: list[tuple[int, int, bytes]] = field(default_factory=list)  # id, length, buffer
    returned: list[tuple[int, int]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    capture: bytes = b""


class Script:
    """A host that does one thing at a time, and the same things each time."""

    def __init__(self, host: Host, control: Control) -> None:
        self.host, self.control = host, control
        self.random = random.Random(7)
        self.record = Record()

    def settle(self) -> None:
        """Wait until nothing moves: in a turn of its loop a remote that has work does some of it,
        and no two answers are given in the same turn."""
        before: dict[str, Any] = {}
        while (now := self.control.call("stats")) != before:
            before = now

    def drain(self) -> None:
        """Take what came, post the buffers again all at once, until nothing comes."""
        ring, memory = self.host.rings[INPUT], self.host.memory
        while taken := ring.take_used():
            for index, length in taken:
                at = ring.buffer(index % ring.size)
                self.record.received.append((index, length, bytes(memory[at : at + BUFFER_SIZE])))
            self.post(INPUT, [index for index, _ in taken])

    def post(self, queue: int, indexes: list[int]) -> None:
        """Make buffers available by one store, and kick once."""
        ring = self.host.rings[queue]
        for number, index in enumerate(indexes):
            slot = ring.avail + 4 + 2 * ((ring.avail_idx + number) % ring.size)
            struct.pack_into("<H", self.host.memory, slot, index)
        ring.avail_idx = (ring.avail_idx + len(indexes)) & 0xFFFF
        self.host.memory[ring.avail + 2 : ring.avail + 4] = ring.avail_idx.to_bytes(2, "little")
        ring.notify()
        self.settle()

    def message(self, index: int) -> None:
        """Write a message into a buffer: mostly a right one."""
        ring = self.host.rings[OUTPUT]
        payload = self.random.randbytes(self.random.randrange(0, 200))
        length = len(payload) if self.random.random() < 0.98 else 400
        header = HEADER.pack(HOST_ADDR, self.random.choice(DESTINATIONS), 0, length, 0)
        at = ring.buffer(index)
        self.host.memory[at : at + HEADER.size + len(payload)] = header + payload
        ring.describe(index, self.host.GUEST + at, HEADER.size + len(payload), 0)

    def send(self, count: int) -> int:
        """Send as many messages as there are buffers, at most count; returns how many."""
        taken = self.host.rings[OUTPUT].take_used()
        self.record.returned += taken
        self.host.free += [index for index, _ in taken]
        batch, self.host.free = self.host.free[:count], self.host.free[count:]
        for index in batch:
            self.message(index)
        self.post(OUTPUT, batch)
        self.drain()
        return len(batch)


def without_times(capture: Path) -> bytes:
    """A capture whose packets all came at 0."""
    data = bytearray(capture.read_bytes())
    at = PCAP_HEADER
    while at < len(data):
        struct.pack_into("<II", data, at, 0, 0)
        at += PACKET_HEADER.size + PACKET_HEADER.unpack_from(data, at)[2]
    assert at == len(data)
    return bytes(data)


@pytest.fixture
def run_mixed(play: Play, connect: Connect, tmp_path: Path) -> Any:
    """Play the scenario once, to its end, and return what it left."""

    def run_it(name: str, *args: str) -> Record:
        capture = tmp_path / f"{name}.pcap"
        sim = play("mixed", "--capture", str(capture), "--log-level", "error", *args, name=name)
        watcher = connect(sim)
        watcher.call("events")
        host = host_of(sim, RING_SIZE)
        script = Script(host, connect(sim))
        script.settle()
        script.drain()
        sent = 0
        while sent < MESSAGES:
            count = script.send(BATCH)
            assert count, "the remote keeps all buffers"
            sent += count
            watcher.call("events")  # what happened before stands before the answer
        host.close()
        ended(sim)
        record = script.record
        for event in watcher.events:
            del event["time_ns"]
        record.events = watcher.events
        record.capture = without_times(capture)
        return record

    return run_it


def test_scenario_repeat_same_seed_same_bytes(run_mixed: Any) -> None:
    first, second = run_mixed("first"), run_mixed("second")

    assert len(first.received) > 2000 and len(first.events) > 3 * MESSAGES
    assert first.received == second.received
    assert first.returned == second.returned
    assert first.events == second.events
    assert first.capture == second.capture


def test_scenario_repeat_another_seed_other_bytes(run_mixed: Any) -> None:
    first, second = run_mixed("first"), run_mixed("second", "--seed", "1")

    assert first.returned != second.returned
    assert first.capture != second.capture
