# SPDX-License-Identifier: BSD-2-Clause
"""Split virtqueue, driver side: the raw half. Writes what it is told, where it is told, at once.

Nothing here checks, counts or remembers: it is for hostile cases. It works on the memory of a safe
ring, or on any addresses at all; a case that goes on with the safe half afterwards calls
DriverRing.resync(), or makes a new session.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.memory import GuestMemory
from rpmsg_conformance.virtio.ring import DriverRing, Places
from rpmsg_conformance.virtio.trace import Trace

_DESC: Final = struct.Struct("<QIHH")
_U16: Final = struct.Struct("<H")
_USED: Final = struct.Struct("<II")


class RawDesc(NamedTuple):
    """The four fields of a descriptor, any values that fit."""

    address: int
    length: int
    flags: int = 0
    next: int = 0

    def encode(self) -> bytes:
        """The 16 bytes."""
        return _DESC.pack(*self)

    def __str__(self) -> str:
        return f"{self.length} bytes at {self.address:#x}, flags {self.flags:#x}, next {self.next}"


class RawRing:
    """Any field of one ring. Indices are what the device will see: nothing is reduced or wrapped
    beyond the field's own width. Raises BadAddress for a place outside of guest memory."""

    def __init__(
        self,
        memory: GuestMemory,
        places: Places,
        size: int,
        queue: int = 0,
        trace: Trace | None = None,
    ) -> None:
        self.memory = memory
        self.places = places
        self.size = size
        self.queue = queue
        self.trace = trace if trace is not None else Trace()

    @classmethod
    def of(cls, ring: DriverRing) -> RawRing:
        """The raw half of a safe ring."""
        return cls(ring.memory, ring.places, ring.size, ring.queue, ring.trace)

    def write_desc(
        self, number: int, address: int, length: int, flags: int = 0, next: int = 0
    ) -> None:
        """Write descriptor ``number`` of the table."""
        data = _DESC.pack(address, length, flags, next)
        self._tell("descriptor", number, "=", RawDesc(address, length, flags, next))
        self.memory.write(self.places.desc + c.DESC_SIZE * number, data)

    def read_desc(self, number: int) -> RawDesc:
        """Read descriptor ``number`` of the table."""
        data = self.memory.read(self.places.desc + c.DESC_SIZE * number, c.DESC_SIZE)
        return RawDesc._make(_DESC.unpack(data))

    def write_table(self, address: int, descriptors: list[RawDesc]) -> None:
        """Write an indirect table, or anything of that form, anywhere."""
        self._tell("table of", len(descriptors), "descriptors at", f"{address:#x}")
        self.memory.write(address, b"".join(desc.encode() for desc in descriptors))

    @property
    def avail_flags(self) -> int:
        """avail.flags."""
        return self._get(self.places.avail)

    @avail_flags.setter
    def avail_flags(self, value: int) -> None:
        self._tell("avail.flags =", value)
        self._set(self.places.avail, value)

    @property
    def avail_index(self) -> int:
        """avail.idx: what is made available up to here."""
        return self._get(self.places.avail + 2)

    @avail_index.setter
    def avail_index(self, value: int) -> None:
        self._tell("avail.idx =", value & 0xFFFF)
        self._set(self.places.avail + 2, value)

    def write_avail(self, slot: int, head: int) -> None:
        """Write entry ``slot`` (a place in the array, not an index) of the available ring."""
        self._tell("avail entry", slot, "=", head)
        self._set(self.places.avail + 4 + 2 * slot, head)

    def offer(self, head: int) -> None:
        """Make ``head`` available, whatever it is, behind what avail.idx says now."""
        index = self.avail_index
        self.write_avail(index % self.size, head)
        self.avail_index = index + 1

    @property
    def used_event(self) -> int:
        """used_event, behind the available ring."""
        return self._get(self.places.avail + 4 + 2 * self.size)

    @used_event.setter
    def used_event(self, value: int) -> None:
        self._tell("used_event =", value & 0xFFFF)
        self._set(self.places.avail + 4 + 2 * self.size, value)

    @property
    def used_flags(self) -> int:
        """used.flags, the device's."""
        return self._get(self.places.used)

    @used_flags.setter
    def used_flags(self, value: int) -> None:
        self._tell("used.flags =", value)
        self._set(self.places.used, value)

    @property
    def used_index(self) -> int:
        """used.idx, the device's."""
        return self._get(self.places.used + 2)

    @used_index.setter
    def used_index(self, value: int) -> None:
        self._tell("used.idx =", value & 0xFFFF)
        self._set(self.places.used + 2, value)

    def read_used(self, slot: int) -> tuple[int, int]:
        """Entry ``slot`` of the used ring: id and length."""
        data = self.memory.read(self.places.used + 4 + 8 * slot, _USED.size)
        head, length = _USED.unpack(data)
        return head, length

    def write_used(self, slot: int, head: int, length: int) -> None:
        """Write entry ``slot`` of the used ring, which belongs to the device."""
        self._tell("used entry", slot, "=", head, "with length", length)
        self.memory.write(self.places.used + 4 + 8 * slot, _USED.pack(head, length))

    @property
    def avail_event(self) -> int:
        """avail_event, behind the used ring, the device's."""
        return self._get(self.places.used + 4 + 8 * self.size)

    @avail_event.setter
    def avail_event(self, value: int) -> None:
        self._set(self.places.used + 4 + 8 * self.size, value)

    def _tell(self, *what: object) -> None:
        self.trace.hostile(self.queue, *what)

    def _get(self, address: int) -> int:
        view = self.memory.view(address, 2, "H")
        value = view[0]
        self.memory.release(view)
        return value

    def _set(self, address: int, value: int) -> None:
        view = self.memory.view(address, 2, "H")
        view[0] = value & 0xFFFF
        self.memory.release(view)


@contextmanager
def flipping(
    memory: GuestMemory, address: int, first: bytes, second: bytes
) -> Iterator[None]:
    """While the block runs, write ``first`` and ``second`` to ``address`` in turns, as fast as it
    goes: a host that changes memory between two reads of the device. ``second`` stays there.

    A process of its own does it: a thread would stand still whenever this one works. Guest memory is
    shared with it as it is with the device.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    flipper = os.fork()
    if flipper == 0:
        try:
            while os.getppid() == parent:
                for _ in range(1000):
                    memory.write(address, first)
                    memory.write(address, second)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(flipper, signal.SIGKILL)
        os.waitpid(flipper, 0)
        memory.write(address, second)
