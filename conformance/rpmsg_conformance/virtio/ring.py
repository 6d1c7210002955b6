# SPDX-License-Identifier: BSD-2-Clause
"""Split virtqueue, driver side: the safe half, which keeps every rule of VIRTIO 1.2, section 2.7.

What the device puts into the used ring is checked entry by entry, and what it did to memory is
checked when a buffer comes back: buffers that it may only read are compared with what was put there
(or with what is there when the chain is added), and the bytes behind those that it may write are
compared with what they were. Each deviation becomes an anomaly; after an index that cannot be
followed the ring is ``broken`` and collects nothing any more.

Entries of the used ring are overwritten with ones before the device may fill them, so that an index
that moved without an entry is told from an entry that is wrong. No device reads them.
"""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.allocator import Allocator
from rpmsg_conformance.virtio.anomaly import Kind, Log
from rpmsg_conformance.virtio.memory import GuestMemory, barrier

_DESC: Final = struct.Struct("<QIHH")

#: Bytes behind each device-writable segment, and behind the used ring, that may not change.
GUARD_SIZE: Final = 16

#: Both fields of a used entry that the device has not written yet.
_UNWRITTEN: Final = 0xFFFFFFFF

#: How often collect() looks again, so that a device that never stops cannot hold it up.
_ROUNDS: Final = 4

_NEVER, _POSTED, _RETURNED = range(3)


class RingFull(Exception):
    """A chain needs more descriptors than are free. The caller has to wait for used buffers."""


class Segment(NamedTuple):
    """One descriptor to be: guest-physical address, bytes, and who may write there."""

    address: int
    length: int
    writable: bool = False


class Chain(NamedTuple):
    """Buffers that were made available together. Lengths are in bytes."""

    head: int
    segments: tuple[Segment, ...]
    descriptors: tuple[int, ...]
    readable: int
    writable: int
    kept: tuple[tuple[int, bytes, Kind], ...]
    table: int | None
    owner: object


class Used(NamedTuple):
    """A chain that came back. ``length`` is the used length as the device wrote it."""

    chain: Chain
    length: int


class Places(NamedTuple):
    """Guest-physical addresses of the parts of a ring."""

    desc: int
    avail: int
    used: int


def need_event(event: int, new: int, old: int) -> bool:
    """Whether moving an index from ``old`` to ``new`` steps over ``event`` (section 2.7.7.1)."""
    return (new - event - 1) & 0xFFFF < (new - old) & 0xFFFF


class DriverRing:
    """One ring. ``base`` is the value that both indices start from (SET_VRING_BASE).

    ``within`` (address, bytes) is where the ring is put. With ``guarded`` set to False the memory
    of chains is not checked, for buffers that the case itself changes.
    """

    def __init__(
        self,
        memory: GuestMemory,
        allocator: Allocator,
        log: Log,
        queue: int,
        size: int,
        *,
        event_idx: bool = False,
        base: int = 0,
        within: tuple[int, int] | None = None,
    ) -> None:
        if not 1 <= size <= c.MAX_RING_SIZE or size & (size - 1):
            raise ValueError(f"ring size {size} is not a power of two in 1..{c.MAX_RING_SIZE}")
        self.memory = memory
        self.trace = log.trace
        self.queue = queue
        self.size = size
        self.event_idx = event_idx
        self.guarded = True
        self.broken: str | None = None
        self._allocator = allocator
        self._log = log
        self._within = within
        self._mask = size - 1
        used_size = c.used_bytes(size)
        self.places = Places(
            allocator.allocate(c.desc_bytes(size), c.DESC_ALIGN, within),
            allocator.allocate(c.avail_bytes(size), c.AVAIL_ALIGN, within),
            allocator.allocate(used_size + GUARD_SIZE, c.USED_ALIGN, within),
        )
        memory.write(self.places.desc, bytes(c.desc_bytes(size)))
        memory.write(self.places.avail, bytes(c.avail_bytes(size)))
        self._guard = bytes([0xA5]) * GUARD_SIZE
        entries = b"\xff" * (c.used_bytes(size) - 6)
        memory.write(self.places.used, bytes(4) + entries + bytes(2) + self._guard)
        self._desc = memory.view(self.places.desc, c.desc_bytes(size))
        self._avail = memory.view(self.places.avail, c.avail_bytes(size), "H")
        self._used = memory.view(self.places.used, used_size, "H")
        self._used_entries = memory.view(self.places.used, used_size - 2, "I")
        # What the device has to leave alone, as this side wrote it.
        self._desc_copy = bytearray(c.desc_bytes(size))
        self._avail_copy = array("H", bytes(c.avail_bytes(size)))

        self._free: deque[int] = deque(range(size))
        self._posted: dict[int, Chain] = {}
        self._state = bytearray(size)
        self._next_avail = base
        self._published = base
        self._next_used = base
        self._interrupts = True
        #: Used entries collected since the last forget_calls(), and whether notifications were
        #: asked for all that time.
        self.collected = 0
        self.always_interrupts = True
        self._avail[1] = self._avail_copy[1] = base
        self._used[1] = base
        self._set_used_event(base)

    def close(self) -> None:
        """Give the memory of the ring back. The device must have stopped using it."""
        for view in (self._desc, self._avail, self._used, self._used_entries):
            self.memory.release(view)
        for chain in self._posted.values():
            if chain.table is not None:
                self._allocator.free(chain.table)
        for place in self.places:
            self._allocator.free(place)

    # --- making buffers available -------------------------------------------------------------

    @property
    def free_descriptors(self) -> int:
        """Descriptors that no chain uses."""
        return len(self._free)

    @property
    def outstanding(self) -> int:
        """Chains that the device has not returned."""
        return len(self._posted)

    @property
    def posted(self) -> dict[int, Chain]:
        """Those chains by their heads; a copy."""
        return dict(self._posted)

    @property
    def avail_index(self) -> int:
        """avail.idx as last published."""
        return self._published

    @property
    def used_index(self) -> int:
        """used.idx up to which entries were collected."""
        return self._next_used

    def add(
        self,
        segments: Sequence[Segment],
        *,
        indirect: bool = False,
        owner: object = None,
        contents: bytes | None = None,
    ) -> int:
        """Put a chain into the available ring; the device sees it after publish().

        Device-readable segments have to come first. ``contents`` are the bytes of a single readable
        segment, for a caller who knows them. ``owner`` comes back with the chain. Returns the head.
        Raises RingFull, BadAddress, and ValueError for a chain that the rules forbid.
        """
        if not segments:
            raise ValueError("a chain needs a segment")
        needed = 1 if indirect else len(segments)
        if needed > len(self._free):
            raise RingFull(f"queue {self.queue}: {needed} descriptors, {len(self._free)} free")
        readable = writable = 0
        for segment in segments:
            if segment.writable:
                writable += segment.length
            elif writable:
                raise ValueError("a device-readable segment follows a device-writable one")
            else:
                readable += segment.length
        kept = self._keep(segments, contents) if self.guarded else ()
        ids = tuple(self._free.popleft() for _ in range(needed))
        table = None
        if indirect:
            table = self._write_table(segments)
            self._write_desc(ids[0], table, c.DESC_SIZE * len(segments), c.DESC_F_INDIRECT, 0)
        else:
            last = needed - 1
            for number, segment in enumerate(segments):
                flags = c.DESC_F_WRITE if segment.writable else 0
                following = 0
                if number < last:
                    flags |= c.DESC_F_NEXT
                    following = ids[number + 1]
                self._write_desc(ids[number], segment.address, segment.length, flags, following)
        head = ids[0]
        self._posted[head] = Chain(
            head, tuple(segments), ids, readable, writable, kept, table, owner
        )
        self._enter(head)
        return head

    def publish(self) -> bool:
        """Show the device what was added. Returns True when it wants a notification for it."""
        new, old = self._next_avail, self._published
        if new == old:
            return False
        barrier()
        self._avail[1] = self._avail_copy[1] = new
        self._published = new
        barrier()
        if self.event_idx:
            return need_event(self._used[2 + 4 * self.size], new, old)
        return not self._used[0] & c.USED_F_NO_NOTIFY

    def reserve(self, count: int = 1) -> tuple[int, ...]:
        """Take descriptors for the raw half to fill; offer() makes use of them. Raises RingFull."""
        if count > len(self._free):
            raise RingFull(f"queue {self.queue}: {count} descriptors, {len(self._free)} free")
        return tuple(self._free.popleft() for _ in range(count))

    def offer(
        self, descriptors: Sequence[int], *, writable: int = 0, owner: object = None
    ) -> int:
        """Put reserved descriptors, filled by the raw half, into the available ring as one chain.

        The first one is the head; ``writable`` are the bytes that the device may write by them.
        Nothing of the memory that they point to is checked. Visible after publish().
        """
        head = descriptors[0]
        for number in descriptors:
            at = number * c.DESC_SIZE
            self._desc_copy[at : at + c.DESC_SIZE] = self._desc[at : at + c.DESC_SIZE]
        self._posted[head] = Chain(head, (), tuple(descriptors), 0, writable, (), None, owner)
        self._enter(head)
        return head

    # --- taking buffers back ------------------------------------------------------------------

    @property
    def interrupts(self) -> bool:
        """Whether the device is asked for notifications."""
        return self._interrupts

    def set_interrupts(self, on: bool) -> None:
        """Ask the device for a notification with the next used buffer, or for none.

        After switching on, collect() once more: what the device returned before it saw the request
        comes without a notification.
        """
        self._interrupts = on
        self.always_interrupts = False
        if self.event_idx:
            self._set_used_event(self._next_used if on else self._next_used - 1)
        else:
            self._avail[0] = self._avail_copy[0] = 0 if on else c.AVAIL_F_NO_INTERRUPT
        barrier()

    def set_used_event(self, index: int) -> None:
        """Ask for a notification once used.idx steps over ``index``, until the next collect().

        Needs EVENT_IDX. Switches the automatic update off until set_interrupts().
        """
        if not self.event_idx:
            raise ValueError("used_event has no meaning without EVENT_IDX")
        self._interrupts = self.always_interrupts = False
        self._set_used_event(index)
        barrier()

    def pending(self) -> int:
        """Used entries that were not collected yet, as the device's index says."""
        return (self._used[1] - self._next_used) & 0xFFFF

    def collect(self) -> list[Used]:
        """What the device has returned, in its order. Records anomalies.

        That is everything, unless the device goes on meanwhile: see pending().
        """
        found: list[Used] = []
        rounds = 0
        while self.broken is None and rounds < _ROUNDS:
            rounds += 1
            new = self._used[1]
            count = (new - self._next_used) & 0xFFFF
            if not count:
                break
            barrier()
            flags = self._used[0]
            if flags > (0 if self.event_idx else c.USED_F_NO_NOTIFY):
                allowed = "0 with EVENT_IDX" if self.event_idx else "0 or 1"
                self._log.record(Kind.USED_FLAGS, self.queue, None, allowed, flags)
            entries, mask, at = self._used_entries, self._mask, self._next_used
            for _ in range(count):
                slot = 1 + 2 * (at & mask)
                head, length = entries[slot], entries[slot + 1]
                if head == length == _UNWRITTEN:
                    self._jumped(at, new)
                    break
                entries[slot] = entries[slot + 1] = _UNWRITTEN
                used = self._return(head, length)
                if used is not None:
                    found.append(used)
                at = (at + 1) & 0xFFFF
            self.collected += (at - self._next_used) & 0xFFFF
            self._next_used = at
            if self.event_idx and self._interrupts:
                self._set_used_event(at)
                barrier()
        return found

    def forget_calls(self) -> None:
        """Begin a new period for ``collected`` and ``always_interrupts``."""
        self.collected = 0
        self.always_interrupts = self._interrupts

    def check_memory(self) -> None:
        """Record it when the device wrote where it never may: tables, and behind the used ring."""
        if self._desc.tobytes() != self._desc_copy:
            self._table_written("descriptor table", self._desc.tobytes(), self._desc_copy)
        if self._avail.tobytes() != self._avail_copy.tobytes():
            self._table_written(
                "available ring", self._avail.tobytes(), bytearray(self._avail_copy.tobytes())
            )
        behind = self.places.used + c.used_bytes(self.size)
        if self.memory.read(behind, GUARD_SIZE) != self._guard:
            seen = self.memory.read(behind, GUARD_SIZE).hex()
            self._log.record(
                Kind.OUTSIDE_WRITTEN, self.queue, None, "nothing behind the used ring", seen
            )
        for chain in self._posted.values():
            self._check_kept(chain)

    def forgive(self, head: int) -> None:
        """Do not check the memory of an outstanding chain: the case has changed it itself."""
        self._posted[head] = self._posted[head]._replace(kept=())

    def resync(self) -> None:
        """Take the shared memory as it is for what this side wrote (after use of the raw half)."""
        self._desc_copy = bytearray(self._desc.tobytes())
        self._avail_copy = array("H", self._avail.tobytes())
        self._next_avail = self._published = self._avail[1]

    # --- inside -------------------------------------------------------------------------------

    def _enter(self, head: int) -> None:
        self._state[head] = _POSTED
        slot = 2 + (self._next_avail & self._mask)
        self._avail[slot] = self._avail_copy[slot] = head
        self._next_avail = (self._next_avail + 1) & 0xFFFF

    def _set_used_event(self, index: int) -> None:
        at = 2 + self.size
        self._avail[at] = self._avail_copy[at] = index & 0xFFFF

    def _write_desc(self, number: int, address: int, length: int, flags: int, nxt: int) -> None:
        at = number * c.DESC_SIZE
        _DESC.pack_into(self._desc, at, address, length, flags, nxt)
        _DESC.pack_into(self._desc_copy, at, address, length, flags, nxt)

    def _write_table(self, segments: Sequence[Segment]) -> int:
        last = len(segments) - 1
        data = b"".join(
            _DESC.pack(
                segment.address,
                segment.length,
                (c.DESC_F_WRITE if segment.writable else 0) | (c.DESC_F_NEXT if n < last else 0),
                n + 1 if n < last else 0,
            )
            for n, segment in enumerate(segments)
        )
        table = self._allocator.allocate(len(data), c.DESC_ALIGN, self._within)
        self.memory.write(table, data)
        return table

    def _keep(
        self, segments: Sequence[Segment], contents: bytes | None
    ) -> tuple[tuple[int, bytes, Kind], ...]:
        kept = []
        for address, length, writable in segments:
            if not writable:
                known = contents if contents is not None and len(segments) == 1 else None
                data = self.memory.read(address, length) if known is None else known
                kept.append((address, data, Kind.READABLE_WRITTEN))
            else:
                end = address + length
                size = GUARD_SIZE
                for other in segments:
                    if end <= other.address < end + size:
                        size = other.address - end
                if size and self.memory.contains(end, size):
                    kept.append((end, self.memory.read(end, size), Kind.OUTSIDE_WRITTEN))
        return tuple(kept)

    def _check_kept(self, chain: Chain) -> None:
        for address, data, kind in chain.kept:
            now = self.memory.read(address, len(data))
            if now != data:
                first = next(n for n in range(len(data)) if now[n] != data[n])
                end = min(first + 16, len(data))
                self._log.record(
                    kind,
                    self.queue,
                    chain.head,
                    f"{data[first:end].hex()} at offset {first} of {address:#x}",
                    now[first:end].hex(),
                )

    def _return(self, head: int, length: int) -> Used | None:
        chain = self._posted.pop(head, None)
        if chain is None:
            self._unknown(head)
            return None
        self._state[head] = _RETURNED
        self._free.extend(chain.descriptors)
        if chain.table is not None:
            self._allocator.free(chain.table)
        if length > chain.writable:
            kind = Kind.USED_LENGTH if chain.writable else Kind.USED_LENGTH_OF_READABLE
            self._log.record(kind, self.queue, head, f"at most {chain.writable}", length)
        for address, data, _ in chain.kept:
            if self.memory.read(address, len(data)) != data:
                self._check_kept(chain)
                break
        return Used(chain, length)

    def _jumped(self, at: int, to: int) -> None:
        left = len(self._posted)
        expected = f"at most {left} entries from index {at} on"
        seen = f"used.idx {to}, where no entry was written"
        self._log.record(Kind.USED_INDEX_JUMP, self.queue, None, expected, seen)
        self.broken = f"used.idx moved from {at} to {to} with {left} buffers at the device"

    def _unknown(self, head: int) -> None:
        if head >= self.size:
            self._log.record(Kind.USED_ID_RANGE, self.queue, None, f"below {self.size}", head)
            return
        for chain in self._posted.values():
            if head in chain.descriptors:
                expected = f"head {chain.head} of the chain"
                self._log.record(Kind.USED_ID_NOT_HEAD, self.queue, head, expected, head)
                return
        twice = self._state[head] == _RETURNED
        kind = Kind.USED_TWICE if twice else Kind.USED_ID_FREE
        self._log.record(kind, self.queue, head, "a buffer that the device has", head)

    def _table_written(self, what: str, now: bytes, before: bytearray) -> None:
        first = next(n for n in range(len(now)) if now[n] != before[n])
        self._log.record(
            Kind.TABLE_WRITTEN,
            self.queue,
            None,
            f"{what} unchanged, {before[first]:02x} at byte {first}",
            f"{now[first]:02x}",
        )


def segments_of(address: int, lengths: Iterable[int], writable: bool = False) -> list[Segment]:
    """Segments that lie one behind the other from ``address`` on."""
    found = []
    for length in lengths:
        found.append(Segment(address, length, writable))
        address += length
    return found
