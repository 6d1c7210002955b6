# SPDX-License-Identifier: BSD-2-Clause
"""What a host is to be like: features, rings, buffers and where all of it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, bit
from rpmsg_conformance.virtio.memory import RegionSpec
from rpmsg_conformance.virtio.ring import GUARD_SIZE

#: Room in a region beyond rings and buffers: indirect tables, messages above the buffer size. It
#: costs nothing before it is used.
_SLACK: Final = 2 << 20

_PAGE: Final = 4096

BASIC_FEATURES: Final = bit(Feature.NS) | bit(Feature.VERSION_1)

PROTOCOL_FEATURES: Final = (
    bit(ProtocolFeature.MQ)
    | bit(ProtocolFeature.REPLY_ACK)
    | bit(ProtocolFeature.CONFIG)
    | bit(ProtocolFeature.RESET_DEVICE)
    | bit(ProtocolFeature.STATUS)
)

#: Buffers of a direction unless the ring is smaller; what Linux uses.
USUAL_BUFFERS: Final = 256


@dataclass(frozen=True)
class Layout:
    """How a message is laid out in descriptors.

    Default: one descriptor, exactly as long as the message. ``desc_len``: as long as this, whatever
    the message's length. ``full``: as long as the buffer. ``split``: lengths of the first
    descriptors of a chain, whose last one holds the rest; they lie apart and in reverse order.
    ``indirect``: through an indirect table.
    """

    desc_len: int | None = None
    full: bool = False
    split: tuple[int, ...] = ()
    indirect: bool = False


EXACT: Final = Layout()
FULL: Final = Layout(full=True)
INDIRECT: Final = Layout(indirect=True)


@dataclass(frozen=True)
class Config:
    """One host. Pairs are (queue 0, queue 1), that is (receive, send); sizes are in bytes.

    ``features`` are taken when offered; ``required`` ones have to be. ``buffers`` None: as many as
    ring entries, 256 at most. Regions of size 0 are made as large as what is put there needs.
    ``receive_split`` and ``receive_indirect`` say how receive buffers are posted, as in Layout,
    with all lengths given. ``timeout`` is how long the peer may take for anything, in seconds.
    """

    features: int = BASIC_FEATURES
    required: int = 0
    protocol_features: int = PROTOCOL_FEATURES
    ring_sizes: tuple[int, int] = (256, 256)
    bases: tuple[int, int] = (0, 0)
    buffers: tuple[int | None, int | None] = (None, None)
    buffer_sizes: tuple[int, int] = (c.BUFFER_SIZE, c.BUFFER_SIZE)
    receive_split: tuple[int, ...] = ()
    receive_indirect: bool = False
    regions: tuple[RegionSpec, ...] = (RegionSpec(0x4000_0000, 0),)
    ring_region: int = 0
    buffer_regions: tuple[int, int] = (0, 0)
    add_regions: bool = False
    timeout: float = 2.0

    def with_features(self, *features: Feature) -> Config:
        """The same with these features wanted as well, and required."""
        mask = 0
        for feature in features:
            mask |= bit(feature)
        return replace(self, features=self.features | mask, required=self.required | mask)

    def buffer_count(self, queue: int) -> int:
        """Buffers of a queue."""
        count = self.buffers[queue]
        return min(self.ring_sizes[queue], USUAL_BUFFERS) if count is None else count

    def stride(self, queue: int) -> int:
        """Bytes from one buffer of a queue to the next, guards included."""
        pieces = max(1, len(self.receive_split)) if queue == c.QUEUE_INPUT else 1
        return -(-(self.buffer_sizes[queue] + pieces * (GUARD_SIZE + 16)) // 16) * 16

    def region_specs(self) -> list[RegionSpec]:
        """The regions with their sizes."""
        needed = [0] * len(self.regions)
        for queue in range(c.QUEUES):
            size = self.ring_sizes[queue]
            needed[self.ring_region] += (
                c.desc_bytes(size) + c.avail_bytes(size) + c.used_bytes(size) + 256
            )
            count = self.buffer_count(queue)
            needed[self.buffer_regions[queue]] += count * self.stride(queue) + 256
        specs = []
        for number, spec in enumerate(self.regions):
            size = spec.size or -(-(needed[number] + _SLACK) // _PAGE) * _PAGE
            specs.append(replace(spec, size=size))
        return specs


#: Several regions: rings, receive buffers and send buffers apart, the last one above 4 GiB.
THREE_REGIONS: Final = Config(
    regions=(
        RegionSpec(0x1000_0000, 0),
        RegionSpec(0x8000_0000, 0, mmap_offset=0x3000),
        RegionSpec(0x2_4000_0000, 0),
    ),
    ring_region=0,
    buffer_regions=(1, 2),
)

#: Everything above 4 GiB.
HIGH_MEMORY: Final = Config(regions=(RegionSpec(0x12_3450_0000, 0),))
