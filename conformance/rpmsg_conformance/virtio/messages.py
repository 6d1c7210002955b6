# SPDX-License-Identifier: BSD-2-Clause
"""Payloads of vhost-user messages: fields to bytes and back. Nothing is judged.

"All numbers are in the machine native byte order" (vhost-user.rst, Message Specification).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from rpmsg_conformance.virtio import constants as c

HEADER: Final = struct.Struct("=III")
U64: Final = struct.Struct("=Q")
VRING_STATE: Final = struct.Struct("=II")
VRING_ADDR: Final = struct.Struct("=IIQQQQ")
MEM_TABLE: Final = struct.Struct("=II")
MEM_REGION: Final = struct.Struct("=QQQQ")
LOG: Final = struct.Struct("=QQ")
CONFIG: Final = struct.Struct("=III")


class MessageHeader(NamedTuple):
    """The 12 bytes in front of every vhost-user message. ``size`` is the payload's, in bytes."""

    request: int
    flags: int
    size: int

    @property
    def version(self) -> int:
        """The version bits; 1 in every known implementation."""
        return self.flags & c.VERSION_MASK

    def encode(self) -> bytes:
        """The 12 bytes."""
        return HEADER.pack(*self)


class VringState(NamedTuple):
    """A queue and a number: its size, its base index, or whether it is enabled."""

    queue: int
    num: int

    def encode(self) -> bytes:
        """The 8 bytes."""
        return VRING_STATE.pack(*self)


class VringAddr(NamedTuple):
    """Where the parts of a ring lie: front-end addresses, and a guest address for logging."""

    queue: int
    flags: int
    descriptor: int
    used: int
    available: int
    log: int

    def encode(self) -> bytes:
        """The 40 bytes."""
        return VRING_ADDR.pack(*self)


class MemoryRegion(NamedTuple):
    """One region of guest memory, as a message states it."""

    guest_addr: int
    size: int
    user_addr: int
    mmap_offset: int

    def encode(self) -> bytes:
        """The 32 bytes as they stand in a table."""
        return MEM_REGION.pack(*self)


def encode_message(
    request: int, payload: bytes = b"", *, flags: int = c.VERSION, size: int | None = None
) -> bytes:
    """Header and payload. ``size`` overrides the header's size field, in bytes."""
    return HEADER.pack(request, flags, len(payload) if size is None else size) + payload


def decode_message_header(data: bytes) -> MessageHeader:
    """Fields of the first 12 bytes. Raises struct.error when there are fewer."""
    return MessageHeader._make(HEADER.unpack_from(data))


def encode_mem_table(regions: Sequence[MemoryRegion], count: int | None = None) -> bytes:
    """Payload of SET_MEM_TABLE. ``count`` overrides the number of regions that it states."""
    stated = len(regions) if count is None else count
    return MEM_TABLE.pack(stated, 0) + b"".join(region.encode() for region in regions)


def encode_single_region(region: MemoryRegion) -> bytes:
    """Payload of ADD_MEM_REG and REM_MEM_REG: 64 bits of padding, then the region."""
    return U64.pack(0) + region.encode()


def encode_config(offset: int, data: bytes, flags: int = 0, size: int | None = None) -> bytes:
    """Payload of GET_CONFIG and SET_CONFIG. ``size`` overrides the stated number of bytes."""
    return CONFIG.pack(offset, len(data) if size is None else size, flags) + data


#: Fields of each request's payload, for decode_payload(). Requests without one carry nothing.
_U64_REQUESTS: Final = frozenset(
    (
        c.Request.SET_FEATURES,
        c.Request.SET_PROTOCOL_FEATURES,
        c.Request.SET_VRING_KICK,
        c.Request.SET_VRING_CALL,
        c.Request.SET_VRING_ERR,
        c.Request.SET_STATUS,
    )
)
_STATE_REQUESTS: Final = frozenset(
    (
        c.Request.SET_VRING_NUM,
        c.Request.SET_VRING_BASE,
        c.Request.GET_VRING_BASE,
        c.Request.SET_VRING_ENABLE,
        c.Request.SET_VRING_ENDIAN,
        c.Request.VRING_KICK,
    )
)


Field = int | bytes


def decode_payload(request: int, payload: bytes) -> dict[str, Field]:
    """The fields of a front-end request, by name. Raises struct.error when it is too short."""
    if request in _U64_REQUESTS:
        return {"u64": U64.unpack_from(payload)[0]}
    if request in _STATE_REQUESTS:
        return {**VringState._make(VRING_STATE.unpack_from(payload))._asdict()}
    if request == c.Request.SET_VRING_ADDR:
        return {**VringAddr._make(VRING_ADDR.unpack_from(payload))._asdict()}
    if request == c.Request.SET_MEM_TABLE:
        count, padding = MEM_TABLE.unpack_from(payload)
        fields: dict[str, Field] = {"regions": count, "padding": padding}
        for number in range(min(count, c.MAX_REGIONS)):
            region = _region(payload, MEM_TABLE.size + number * MEM_REGION.size)
            fields |= {f"region{number}.{n}": v for n, v in region._asdict().items()}
        return fields
    if request in (c.Request.ADD_MEM_REG, c.Request.REM_MEM_REG):
        region = _region(payload, U64.size)
        return {
            "padding": U64.unpack_from(payload)[0],
            "guest_addr": region.guest_addr,
            "region_size": region.size,
            "user_addr": region.user_addr,
            "mmap_offset": region.mmap_offset,
        }
    if request in (c.Request.GET_CONFIG, c.Request.SET_CONFIG):
        offset, size, flags = CONFIG.unpack_from(payload)
        contents = payload[CONFIG.size :]
        return {"offset": offset, "bytes": size, "config_flags": flags, "contents": contents}
    if request == c.Request.SET_LOG_BASE:
        size, offset = LOG.unpack_from(payload)
        return {"log_size": size, "log_offset": offset}
    return {}


def _region(payload: bytes, at: int) -> MemoryRegion:
    return MemoryRegion._make(MEM_REGION.unpack_from(payload, at))
