# SPDX-License-Identifier: BSD-2-Clause
"""The device side of a split ring for the self tests: correct unless a test makes it err.

Written from VIRTIO 1.2, section 2.7, on plain bytes of guest memory; shares no code with the
driver side that it tests.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from rpmsg_conformance.virtio.memory import GuestMemory
from rpmsg_conformance.virtio.ring import DriverRing


class Piece(NamedTuple):
    """One descriptor as the device sees it."""

    address: int
    length: int
    writable: bool


class Device:
    """Pops chains, and gives them back; ``index`` starts where the driver says."""

    def __init__(self, ring: DriverRing, event_idx: bool, base: int) -> None:
        self.memory: GuestMemory = ring.memory
        self.desc, self.avail, self.used = ring.places
        self.size = ring.size
        self.event_idx = event_idx
        self.next_avail = base
        self.next_used = base
        self.published = base
        if event_idx:
            self.want_kick_at(base)

    def _u16(self, address: int) -> int:
        return int.from_bytes(self.memory.read(address, 2), "little")

    def _put16(self, address: int, value: int) -> None:
        self.memory.write(address, (value & 0xFFFF).to_bytes(2, "little"))

    @property
    def available(self) -> int:
        """Chains that the driver has made available and that were not popped."""
        return (self._u16(self.avail + 2) - self.next_avail) & 0xFFFF

    def want_kick_at(self, index: int) -> None:
        """Write avail_event."""
        self._put16(self.used + 4 + 8 * self.size, index)

    def pop(self) -> tuple[int, list[Piece]]:
        """The next chain: its head and its descriptors, those of an indirect table included."""
        assert self.available
        head = self._u16(self.avail + 4 + 2 * (self.next_avail % self.size))
        self.next_avail = (self.next_avail + 1) & 0xFFFF
        if self.event_idx:
            self.want_kick_at(self.next_avail)
        table, number, entries = self.desc, head, self.size
        pieces: list[Piece] = []
        while True:
            assert number < entries and len(pieces) < entries
            address, length, flags, following = struct.unpack(
                "<QIHH", self.memory.read(table + 16 * number, 16)
            )
            if flags & 4:
                assert table == self.desc and not flags & 1 and length and length % 16 == 0
                table, number, entries = address, 0, length // 16
                continue
            writable = bool(flags & 2)
            assert writable or not any(piece.writable for piece in pieces)
            pieces.append(Piece(address, length, writable))
            if not flags & 1:
                return head, pieces
            number = following

    def gather(self, pieces: list[Piece]) -> bytes:
        """All device-readable bytes."""
        return b"".join(self.memory.read(p.address, p.length) for p in pieces if not p.writable)

    def scatter(self, pieces: list[Piece], data: bytes) -> None:
        """Write into the device-writable descriptors."""
        for piece in pieces:
            if piece.writable:
                part, data = data[: piece.length], data[piece.length :]
                self.memory.write(piece.address, part)
        assert not data

    def push(self, head: int, length: int) -> None:
        """Write a used entry; the driver sees it after publish()."""
        entry = struct.pack("<II", head, length)
        self.memory.write(self.used + 4 + 8 * (self.next_used % self.size), entry)
        self.next_used = (self.next_used + 1) & 0xFFFF

    def publish(self) -> bool:
        """Show the driver what was pushed. Returns whether it has to be interrupted for it."""
        old, self.published = self.published, self.next_used
        self._put16(self.used + 2, self.next_used)
        if old == self.next_used:
            return False
        if not self.event_idx:
            return not self._u16(self.avail) & 1
        event = self._u16(self.avail + 4 + 2 * self.size)
        crossed = {(old + step) & 0xFFFF for step in range((self.next_used - old) & 0xFFFF)}
        return event in crossed
