# SPDX-License-Identifier: BSD-2-Clause
"""The device side of a split ring (VIRTIO 1.2, section 2.7) that trusts nothing in it."""

from __future__ import annotations

import os
import struct
import time
from typing import NamedTuple

from mutants.chosen import die, mutant
from mutants.memory import Field, Memory, Outside, Refused

_NEXT, _WRITE, _INDIRECT = 1, 2, 4

#: What is written to an eventfd.
_ONE = (1).to_bytes(8, "little")


class Broken(Exception):
    """The ring cannot be followed."""


class Part(NamedTuple):
    """One descriptor."""

    address: int
    length: int
    writable: bool


class DeviceRing:
    """One queue, as vhost-user configures it. Indices are modulo 2**16."""

    def __init__(self, number: int, memory: Memory) -> None:
        self.number = number
        self.memory = memory
        self.size = 0
        self.desc: Field | None = None
        self.addresses: tuple[int, int, int] | None = None
        #: Guest address of the used ring in the dirty log, when writes to it are logged.
        self.log_address: int | None = None
        self.kick: int | None = None
        self.call: int | None = None
        self.err: int | None = None
        self.enabled = False
        self.broken = False
        self.event_idx = self.indirect = False
        self.next = self.used_index = 0
        self.taken = 0
        self.empty_kicks = 0

    def place(self, desc: int, used: int, avail: int) -> None:
        """Where the parts lie, in addresses of the front-end. Raises Refused."""
        if not self.size:
            raise Refused("a ring without a size")
        if not mutant("vu-ring-address-unaligned") and (desc % 16 or used % 4 or avail % 2):
            raise Refused("a ring that is not aligned")
        fields = [
            Field(self.memory, desc, 16 * self.size),
            Field(self.memory, used, 8 * self.size + 6),
            Field(self.memory, avail, 2 * self.size + 6),
        ]
        self.desc, self.used, self.avail = fields
        self.addresses = desc, used, avail
        self.used.logged = self.log_address

    @property
    def started(self) -> bool:
        """Whether a kick descriptor was given since it was stopped last."""
        return self.kick is not None

    @property
    def runs(self) -> bool:
        """Whether it may be served."""
        disabled = not self.enabled and not mutant("vu-disabled-served")
        return self.started and not disabled and not self.broken and self.desc is not None

    def stop(self) -> None:
        """As GET_VRING_BASE stops a ring."""
        if self.kick is not None:
            os.close(self.kick)
            self.kick = None
        self.broken = False

    def available(self) -> int:
        """How many buffers can be taken. Raises Broken."""
        count = self.avail.u16(2) - self.next & 0xFFFF
        if count > self.size:
            if mutant("vq-jump-followed"):
                self.next = self.avail.u16(2)
                return 0
            raise Broken(f"the available index is ahead by {count}")
        return count

    def available_or_0(self) -> int:
        """The same, where a ring that cannot be followed has nothing to offer."""
        try:
            return self.available()
        except Broken:
            return 0

    def tell_next(self) -> bool:
        """Ask for a kick at the next buffer; whether there is one already."""
        if self.event_idx or mutant("ft-event-idx-unasked"):
            if not mutant("vq-avail-event-stale") or self.taken < 100:
                self.used.put16(4 + 8 * self.size, self.next)
        return bool(self.available())

    def head(self) -> int:
        """The next available head, not yet taken. Raises Broken."""
        head = self.avail.u16(4 + 2 * (self.next % self.size))
        if head >= self.size:
            if mutant("vq-head-dies"):
                die("head above the ring")
            raise Broken(f"head {head}")
        if mutant("vq-same-head-dies") and self.available() > 1:
            if self.avail.u16(4 + 2 * ((self.next + 1) % self.size)) == head:
                die("a head twice")
        return head

    def chain(self, head: int) -> list[Part]:
        """The descriptors of a chain. Raises Broken."""
        assert self.desc is not None
        table: bytes | None = None
        count, number = self.size, head
        parts: list[Part] = []
        total = 0
        while True:
            if number >= count:
                if mutant("vq-next-dies") and table is None:
                    die("next above the ring")
                raise Broken(f"descriptor {number} of {count}")
            if len(parts) >= self.size:
                if mutant("vq-loop-hangs") and self.number == 1 and table is not None and count == 2:
                    while True:
                        time.sleep(1)
                raise Broken("a chain that is too long")
            if table is None:
                entry = self.desc.copy(16 * number, 16)
            else:
                entry = table[16 * number : 16 * number + 16]
            address, length, flags, following = struct.unpack("<QIHH", entry)
            if flags & _INDIRECT:
                table = self._table(table, parts, address, length, flags)
                count, number = length // 16, 0
                if mutant("vq-indirect-first-only") and self.number == 1:
                    address, length, flags, _ = struct.unpack("<QIHH", table[:16])
                    return [Part(address, length, bool(flags & _WRITE))]
                continue
            part = Part(address, length, bool(flags & _WRITE))
            if parts and parts[-1].writable and not part.writable:
                if mutant("vq-order-dies"):
                    die("readable after writable")
                raise Broken("a readable descriptor after a writable one")
            parts.append(part)
            total += length
            if total > 0xFFFFFFFF:
                if mutant("vq-4-gib-dies"):
                    die("a chain above 4 GiB")
                raise Broken("a chain above 4 GiB")
            try:
                self.memory.check(address, length)
            except Outside as error:
                raise Broken(f"no memory at {error}") from error
            if not flags & _NEXT or mutant("vq-first-descriptor-only") and self.number == 1:
                return parts
            number = following

    def _table(
        self, table: bytes | None, parts: list[Part], address: int, length: int, flags: int
    ) -> bytes:
        if not self.indirect:
            if mutant("vq-indirect-unasked-dies"):
                die("an indirect descriptor")
            if not mutant("vq-indirect-unasked-followed"):
                raise Broken("an indirect descriptor, which was not negotiated")
        if flags & _NEXT:
            if mutant("vq-indirect-next-dies"):
                die("INDIRECT and NEXT")
            raise Broken("INDIRECT and NEXT")
        if table is not None or parts:
            if mutant("vq-nested-dies"):
                die("an indirect table in an indirect table")
            raise Broken("an indirect table in an indirect table")
        if not length or length % 16:
            if mutant("vq-table-length-dies"):
                die("part of a table entry")
            raise Broken(f"an indirect table of {length} bytes")
        try:
            return self.memory.read(address, min(length, 16 * (self.size + 1)))
        except Outside as error:
            raise Broken(f"no indirect table at {error}") from error

    def give_back(self, head: int, length: int, *, quiet: bool = False) -> None:
        """Take the buffer that is next, and put it into the used ring."""
        self.next = self.next + 1 & 0xFFFF
        self.taken += 1
        self.push(head, length, quiet=quiet)

    def push(self, head: int, length: int, *, quiet: bool = False) -> None:
        """One used entry, its index, and the notification that is due."""
        old = self.used_index
        entry = struct.pack("<II", head, length)
        self.used_index = old + 1 & 0xFFFF
        if mutant("vq-index-does-not-wrap") and old == 0xFFFF:
            self.used_index = old
        if mutant("vq-index-first") and self.number == 1 and self.taken == 295:
            self.used.put16(2, self.used_index)
            time.sleep(0.02)
        self.used.put(4 + 8 * (old % self.size), entry)
        self.used.put16(2, self.used_index)
        if not quiet and self._wanted(old):
            self.notify()

    def _wanted(self, old: int) -> bool:
        if not self.event_idx:
            return mutant("vq-no-interrupt-ignored") or not self.avail.u16(0) & 1
        if mutant("vq-used-event-ignored"):
            return True
        return self.avail.u16(4 + 2 * self.size) == old

    def notify(self) -> None:
        """Interrupt the driver."""
        if self.call is not None:
            try:
                os.write(self.call, _ONE)
            except OSError:
                pass

    def break_down(self) -> None:
        """Serve it no more, and say so."""
        self.broken = True
        if self.err is not None and not mutant("vu-err-silent"):
            try:
                os.write(self.err, _ONE)
            except OSError:
                pass

    def gather(self, parts: list[Part]) -> bytes:
        """A private copy of what the driver wrote, at most what a message can be."""
        left, found = 16 + 65535, []
        for part in parts:
            if not part.writable and left:
                length = min(part.length, left)
                found.append(self.memory.read(part.address, length))
                left -= length
        return b"".join(found)

    def scatter(self, parts: list[Part], data: bytes) -> None:
        """Fill the buffer."""
        for part in parts:
            self.memory.write(part.address, data[: part.length])
            data = data[part.length :]
