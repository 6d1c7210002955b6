# SPDX-License-Identifier: BSD-2-Clause
"""The rpmsg header and the name-service message: bytes to fields and back, in both byte orders.

Decoding never refuses a value: it says what is odd (``oddities``) and leaves judging to the caller.
Source: Linux drivers/rpmsg/virtio_rpmsg_bus.c (struct rpmsg_hdr), include/linux/rpmsg/ns.h (struct
rpmsg_ns_msg), include/linux/rpmsg/byteorder.h.
"""

from __future__ import annotations

import struct
import sys
from enum import Enum, StrEnum
from typing import Final, NamedTuple

from rpmsg_conformance.virtio import constants as c


class Order(Enum):
    """Byte order of a link."""

    LITTLE = "little"
    BIG = "big"


#: What a legacy link uses: the machine's own order.
NATIVE: Final = Order(sys.byteorder)

_HEADER: Final = {Order.LITTLE: struct.Struct("<IIIHH"), Order.BIG: struct.Struct(">IIIHH")}
_NS: Final = {Order.LITTLE: struct.Struct("<32sII"), Order.BIG: struct.Struct(">32sII")}


def order_of(features: int) -> Order:
    """Byte order on a link with these negotiated features: little-endian with VERSION_1."""
    return Order.LITTLE if features & c.bit(c.Feature.VERSION_1) else NATIVE


class Oddity(StrEnum):
    """What is unusual about a message. Whether it is wrong depends on who sent it, and when."""

    SHORT = "shorter than its header"
    LENGTH_ABOVE_DATA = "header length is above the bytes that follow"
    TRAILING_BYTES = "more bytes than the header length says"
    SRC_ANY = "source address is ANY"
    DST_ANY = "destination address is ANY"
    RESERVED = "reserved field is not zero"
    FLAGS = "flags field is not zero"
    NS_SIZE = "name-service message is not 40 bytes"
    NS_UNTERMINATED = "name has no NUL in its 32 bytes"
    NS_EMPTY = "name is empty"
    NS_PADDING = "bytes after the name's NUL are not zero"
    NS_NOT_PRINTABLE = "name holds bytes other than printable ASCII"
    NS_FLAGS = "flags are neither CREATE (0) nor DESTROY (1)"
    NS_ADDR_ANY = "announced address is ANY"


class Header(NamedTuple):
    """The 16 bytes in front of every message. ``len`` is in bytes, header not counted."""

    src: int
    dst: int
    reserved: int = 0
    len: int = 0
    flags: int = 0

    def encode(self, order: Order = Order.LITTLE) -> bytes:
        """The 16 bytes. Raises struct.error when a value does not fit its field."""
        return _HEADER[order].pack(*self)


def decode_header(data: bytes | memoryview, order: Order = Order.LITTLE) -> Header:
    """Fields of the first 16 bytes of ``data``. Raises struct.error when there are fewer."""
    return Header._make(_HEADER[order].unpack_from(data))


class Packet(NamedTuple):
    """A message as it lay in memory. ``header`` is None when there were fewer than 16 bytes."""

    header: Header | None
    payload: bytes
    oddities: tuple[Oddity, ...]


def encode_packet(
    src: int, dst: int, payload: bytes, order: Order = Order.LITTLE, *, reserved: int = 0,
    flags: int = 0, length: int | None = None,
) -> bytes:
    """Header and payload. ``length`` overrides the header's length field, in bytes."""
    stated = len(payload) if length is None else length
    return _HEADER[order].pack(src, dst, reserved, stated, flags) + payload


def decode_packet(data: bytes, order: Order = Order.LITTLE) -> Packet:
    """Everything that ``data`` says. ``payload`` ends where the shorter of both lengths says."""
    if len(data) < c.RPMSG_HEADER_SIZE:
        return Packet(None, b"", (Oddity.SHORT,))
    header = decode_header(data, order)
    odd: list[Oddity] = []
    there = len(data) - c.RPMSG_HEADER_SIZE
    if header.len > there:
        odd.append(Oddity.LENGTH_ABOVE_DATA)
    elif header.len < there:
        odd.append(Oddity.TRAILING_BYTES)
    if header.src == c.ADDR_ANY:
        odd.append(Oddity.SRC_ANY)
    if header.dst == c.ADDR_ANY:
        odd.append(Oddity.DST_ANY)
    if header.reserved:
        odd.append(Oddity.RESERVED)
    if header.flags:
        odd.append(Oddity.FLAGS)
    end = c.RPMSG_HEADER_SIZE + header.len
    return Packet(header, data[c.RPMSG_HEADER_SIZE : end], tuple(odd))


class NameService(NamedTuple):
    """A name-service message. ``raw_name`` is the whole field, ``name`` what stands before NUL."""

    name: str
    addr: int
    flags: int
    raw_name: bytes
    oddities: tuple[Oddity, ...] = ()

    @property
    def creates(self) -> bool:
        """Whether bit 0 is clear, which is all that Linux looks at."""
        return not self.flags & c.NS_DESTROY


def encode_ns(
    name: str | bytes, addr: int, flags: int = c.NS_CREATE, order: Order = Order.LITTLE
) -> bytes:
    """The 40 bytes. Of ``name`` at most 32 bytes are used; 32 leave no room for the NUL."""
    raw = name.encode("latin-1") if isinstance(name, str) else name
    return _NS[order].pack(raw, addr, flags)


def decode_ns(payload: bytes, order: Order = Order.LITTLE) -> NameService | None:
    """Fields of a name-service message, or None when ``payload`` is shorter than 40 bytes.

    More than 40 bytes are decoded and reported as NS_SIZE. Bytes of the name become characters one
    by one (latin-1), so that nothing of it is lost.
    """
    if len(payload) < c.NS_SIZE:
        return None
    raw, addr, flags = _NS[order].unpack_from(payload)
    before, nul, after = raw.partition(b"\0")
    odd: list[Oddity] = []
    if len(payload) != c.NS_SIZE:
        odd.append(Oddity.NS_SIZE)
    if not nul:
        odd.append(Oddity.NS_UNTERMINATED)
    if not before:
        odd.append(Oddity.NS_EMPTY)
    if after.strip(b"\0"):
        odd.append(Oddity.NS_PADDING)
    if any(not 0x20 <= byte < 0x7F for byte in before):
        odd.append(Oddity.NS_NOT_PRINTABLE)
    if flags not in (c.NS_CREATE, c.NS_DESTROY):
        odd.append(Oddity.NS_FLAGS)
    if addr == c.ADDR_ANY:
        odd.append(Oddity.NS_ADDR_ANY)
    return NameService(before.decode("latin-1"), addr, flags, raw, tuple(odd))
