# SPDX-License-Identifier: BSD-2-Clause
"""The rpmsg codec: encoding and decoding are inverses, and what is odd is reported."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpmsg_conformance.virtio import codec
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.codec import Header, Oddity, Order

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
orders = st.sampled_from(Order)
headers = st.builds(Header, u32, u32, u32, u16, u16)


@given(headers, orders)
def test_header_decode_is_inverse_of_encode(header: Header, order: Order) -> None:
    encoded = header.encode(order)
    assert len(encoded) == c.RPMSG_HEADER_SIZE
    assert codec.decode_header(encoded, order) == header


@given(st.binary(min_size=16, max_size=16), orders)
def test_header_encode_is_inverse_of_decode(data: bytes, order: Order) -> None:
    assert codec.decode_header(data, order).encode(order) == data


@given(headers)
def test_header_big_endian_is_little_endian_field_by_field_reversed(header: Header) -> None:
    little, big = header.encode(Order.LITTLE), header.encode(Order.BIG)
    for start, end in ((0, 4), (4, 8), (8, 12), (12, 14), (14, 16)):
        assert big[start:end] == little[start:end][::-1]


@pytest.mark.parametrize("size", range(16))
def test_packet_below_sixteen_bytes_is_short(size: int) -> None:
    assert codec.decode_packet(bytes(size)) == (None, b"", (Oddity.SHORT,))


@given(u32, u32, st.binary(max_size=600), orders)
def test_packet_of_a_well_behaved_sender_has_nothing_odd(
    src: int, dst: int, payload: bytes, order: Order
) -> None:
    packet = codec.decode_packet(codec.encode_packet(src, dst, payload, order), order)
    assert packet.payload == payload
    assert packet.header == Header(src, dst, 0, len(payload), 0)
    any_address = {Oddity.SRC_ANY, Oddity.DST_ANY}
    assert set(packet.oddities) <= any_address
    assert (Oddity.SRC_ANY in packet.oddities) == (src == c.ADDR_ANY)
    assert (Oddity.DST_ANY in packet.oddities) == (dst == c.ADDR_ANY)


@given(st.binary(max_size=64), u16)
def test_packet_length_field_is_compared_with_the_bytes_there(payload: bytes, stated: int) -> None:
    packet = codec.decode_packet(codec.encode_packet(1, 2, payload, length=stated))
    assert (Oddity.LENGTH_ABOVE_DATA in packet.oddities) == (stated > len(payload))
    assert (Oddity.TRAILING_BYTES in packet.oddities) == (stated < len(payload))
    assert packet.payload == payload[:stated]


@pytest.mark.parametrize(
    ("reserved", "flags", "oddity"), [(1, 0, Oddity.RESERVED), (0, 0x8000, Oddity.FLAGS)]
)
def test_packet_reports_fields_that_ought_to_be_zero(
    reserved: int, flags: int, oddity: Oddity
) -> None:
    packet = codec.decode_packet(codec.encode_packet(1, 2, b"", reserved=reserved, flags=flags))
    assert packet.oddities == (oddity,)


def test_value_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(struct.error):
        codec.encode_packet(1 << 32, 0, b"")


names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=31)


@given(names, st.integers(0, c.ADDR_ANY - 1), st.sampled_from((0, 1)), orders)
def test_ns_of_a_well_behaved_sender_decodes_to_what_was_encoded(
    name: str, addr: int, flags: int, order: Order
) -> None:
    encoded = codec.encode_ns(name, addr, flags, order)
    assert len(encoded) == c.NS_SIZE
    ns = codec.decode_ns(encoded, order)
    assert ns is not None
    assert (ns.name, ns.addr, ns.flags, ns.oddities) == (name, addr, flags, ())
    assert ns.creates == (flags == c.NS_CREATE)


@given(st.binary(min_size=40, max_size=40), orders)
def test_ns_decode_loses_nothing(data: bytes, order: Order) -> None:
    ns = codec.decode_ns(data, order)
    assert ns is not None
    assert codec.encode_ns(ns.raw_name, ns.addr, ns.flags, order) == data
    assert ns.raw_name.startswith(ns.name.encode("latin-1"))


@given(st.binary(max_size=39))
def test_ns_below_forty_bytes_is_none(data: bytes) -> None:
    assert codec.decode_ns(data) is None


@pytest.mark.parametrize(
    ("payload", "oddity"),
    [
        (codec.encode_ns("x", 1) + b"\0", Oddity.NS_SIZE),
        (codec.encode_ns(b"A" * 32, 1), Oddity.NS_UNTERMINATED),
        (codec.encode_ns("", 1), Oddity.NS_EMPTY),
        (codec.encode_ns(b"x\0y", 1), Oddity.NS_PADDING),
        (codec.encode_ns(b"\xff", 1), Oddity.NS_NOT_PRINTABLE),
        (codec.encode_ns("x", 1, 2), Oddity.NS_FLAGS),
        (codec.encode_ns("x", c.ADDR_ANY), Oddity.NS_ADDR_ANY),
    ],
)
def test_ns_reports_what_is_odd(payload: bytes, oddity: Oddity) -> None:
    ns = codec.decode_ns(payload)
    assert ns is not None
    assert ns.oddities == (oddity,)


def test_order_is_little_with_version_1_and_native_without() -> None:
    assert codec.order_of(1 << 32) is Order.LITTLE
    assert codec.order_of(1) is codec.NATIVE
