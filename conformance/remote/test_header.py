# SPDX-License-Identifier: BSD-2-Clause
"""The 16 bytes in front of every message: those of the remote, and what it makes of ours."""

from __future__ import annotations

import time

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import NOBODY, RemoteHost
from rpmsg_conformance.virtio import codec
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.constants import Feature
from rpmsg_conformance.virtio.host import LOCAL_ADDR
from rpmsg_conformance.virtio.ring import Segment
from rpmsg_conformance.virtio.ring_raw import flipping

MODERN = Config().with_features(Feature.VERSION_1)

#: An address and a length of which no two bytes are the same.
SRC, LENGTH = 0x01020304, 0x01E5

#: While a header changes: messages at least, how many at once, how often this side has to see it
#: changed between two batches, and how long it waits for that, in seconds.
FLIPPED, BATCH, CHANGES, FLIPPED_SECONDS = 320, 32, 40, 3.0

#: What may not come back when it lies behind a message.
SECRET = b"\xc3\x5a" * 64


@pytest.mark.requirement("HD-002")
@pytest.mark.parametrize("src", [SRC, 0xFF, 0xFF00, 0xFF0000, 0xFE000000])
def test_header_received_is_taken_as_little_endian(
    src: int, connect: Connect, echo: object
) -> None:
    message = connect(MODERN).check(b"byte order", src=src)
    assert message is not None
    expect_equal("address that the answer goes to", message.dst, src)


@pytest.mark.requirement("HD-012")
def test_header_sent_is_little_endian(connect: Connect, echo: object) -> None:
    host = connect(MODERN)
    message = host.check(bytes(LENGTH), src=SRC)
    assert message is not None
    expect_equal("destination on the wire", message.raw[4:8], bytes.fromhex("04030201"))
    expect_equal("len on the wire", message.raw[12:14], bytes.fromhex("e501"))


@pytest.mark.requirement("HD-012")
def test_header_of_announcements_is_little_endian(connect: Connect) -> None:
    host = connect(MODERN)
    host.check()
    headers = [codec.decode_header(raw) for raw in host.wire if len(raw) >= 16]
    if not host.channels.announcements:
        swapped = int.from_bytes(c.ADDR_NS.to_bytes(4, "little"), "big")
        expect(
            not any(header.dst == swapped for header in headers),
            expected="announcements go to 53, little-endian",
            observed="a message to 53 in the other byte order",
        )
        pytest.skip("the remote announces nothing")
    expect(
        any(header.dst == c.ADDR_NS for header in headers),
        expected="a message to 53",
        observed=headers,
    )


@pytest.mark.requirement("HD-005")
def test_header_source_is_never_any(host: RemoteHost) -> None:
    host.burst(20)
    for raw in host.wire:
        header = codec.decode_header(raw)
        expect(header.src != c.ADDR_ANY, expected="a source address", observed=header)


@pytest.mark.requirement("HD-005")
def test_header_with_source_any_does_no_harm(host: RemoteHost, observe: Observe) -> None:
    host.send(c.ADDR_ANY, host.echo_addr, b"from anywhere")
    host.check()
    observe("answered" if any(m.dst == c.ADDR_ANY for m in host.inbox) else "dropped")


@pytest.mark.requirement("HD-006")
def test_header_destination_is_never_any(host: RemoteHost) -> None:
    # The answer to this one would have to go to ANY.
    host.send(c.ADDR_ANY, host.echo_addr, b"from anywhere")
    host.burst(5)
    for raw in host.wire:
        header = codec.decode_header(raw)
        expect(header.dst != c.ADDR_ANY, expected="a destination", observed=header)


@pytest.mark.requirement("HD-006")
def test_header_with_destination_any_is_not_delivered(host: RemoteHost) -> None:
    host.send(LOCAL_ADDR, c.ADDR_ANY, b"to anyone")
    host.check()
    host.drain()
    expect(
        all(m.payload != b"to anyone" for m in host.inbox),
        expected="no answer to a message to ANY",
        observed=list(host.inbox),
    )


@pytest.mark.requirement("HD-007")
@pytest.mark.parametrize("reserved", [0, 1, 0xFFFFFFFF])
def test_header_reserved_is_zero(reserved: int, host: RemoteHost) -> None:
    host.send(LOCAL_ADDR, host.echo_addr, b"reserved", reserved=reserved)
    host.burst(3)
    seen = {codec.decode_header(raw).reserved for raw in host.wire}
    expect_equal("values of the reserved field", seen, {0})


@pytest.mark.requirement("HD-008")
@pytest.mark.parametrize("flags", [0, 1, 0x8000, 0xFFFF])
def test_header_flags_are_zero(flags: int, host: RemoteHost) -> None:
    host.send(LOCAL_ADDR, host.echo_addr, b"flags", flags=flags)
    host.burst(3)
    seen = {codec.decode_header(raw).flags for raw in host.wire}
    expect_equal("values of the flags field", seen, {0})


@pytest.mark.requirement("HD-010")
@pytest.mark.parametrize("size", [1, 4, 8, 12, 14, 15])
def test_header_that_is_cut_off_is_dropped(size: int, host: RemoteHost) -> None:
    whole = codec.encode_packet(LOCAL_ADDR, host.echo_addr, b"")
    # What would complete the header lies behind it, in the buffer and not in the descriptor.
    area = host.session.allocator.allocate(64)
    host.session.memory.write(area, whole)
    head = host.post([Segment(area, size)])
    host.check()
    expect(not host.inbox, expected="no answer to part of a header", observed=list(host.inbox))
    host.drain()
    expect(
        head in [returned for returned, _ in host.returned],
        expected="the buffer comes back",
        observed=host.returned,
    )


def post_with_secret(host: RemoteHost, stated: int, payload: bytes) -> None:
    """A message whose header states ``stated`` bytes, with a secret behind its descriptor."""
    data = codec.encode_packet(LOCAL_ADDR, host.echo_addr, payload, length=stated)
    area = host.session.allocator.allocate(4096)
    host.session.memory.write(area, data + SECRET * 16)
    host.post([Segment(area, len(data))])


def expect_no_secret(host: RemoteHost) -> None:
    for raw in host.wire:
        expect(
            SECRET[:4] not in raw[16:],
            expected="nothing from behind the descriptor",
            observed=f"{len(raw)} bytes: {raw[:64].hex()}",
        )


@pytest.mark.requirement("HD-011")
@pytest.mark.parametrize(
    ("stated", "held"),
    [(1, 0), (9, 8), (32, 8), (480, 8), (496, 495), (497, 496), (512, 496), (65535, 0),
     (65535, 496), (32768, 100)],
)
def test_header_len_above_the_descriptor_reads_nothing_beyond(
    stated: int, held: int, host: RemoteHost, observe: Observe
) -> None:
    post_with_secret(host, stated, bytes(held))
    host.check()
    expect_no_secret(host)
    observe(f"answered with {len(host.inbox[0].payload)} bytes" if host.inbox else "dropped")
    host.drain()


@pytest.mark.requirement("HD-011")
def test_header_len_below_the_descriptor_is_what_counts(host: RemoteHost) -> None:
    host.send(LOCAL_ADDR, host.echo_addr, b"meant" + SECRET, length=5)
    expect_equal("the echo", host.take(1), [b"meant"])


@pytest.mark.requirement("HD-014")
@pytest.mark.parametrize(
    ("reserved", "flags"),
    [(1, 0), (0x80000000, 0), (0xFFFFFFFF, 0), (0, 1), (0, 0x8000), (0xFFFFFFFF, 0xFFFF)],
)
def test_header_reserved_and_flags_are_ignored(
    reserved: int, flags: int, host: RemoteHost
) -> None:
    host.send(LOCAL_ADDR, host.echo_addr, b"odd header", reserved=reserved, flags=flags)
    expect_equal("the echo", host.take(1), [b"odd header"])


@pytest.mark.requirement("HD-022")
@pytest.mark.parametrize("src", [LOCAL_ADDR, 1, 0xFFFFFFFE])
def test_header_source_is_the_endpoint_that_answers(src: int, host: RemoteHost) -> None:
    host.send(src, host.echo_addr, b"who are you")
    message = host.receive(dst=src)
    expect_equal("source", message.src, host.echo_addr)


@pytest.mark.requirement("HD-023")
@pytest.mark.parametrize("other", [0, 400, 65535])
def test_header_len_changed_by_the_host_is_read_once(other: int, host: RemoteHost) -> None:
    flipped(host, 12, (8).to_bytes(2, "little"), other.to_bytes(2, "little"))
    for message in host.inbox:
        expect(
            codec.Oddity.LENGTH_ABOVE_DATA not in message.oddities and message.header.len <= 8,
            expected="an answer of at most 8 bytes whose len is what follows",
            observed=f"{message.header}, used length {message.used_len}",
        )
    expect_no_secret(host)


@pytest.mark.requirement("HD-023")
def test_header_destination_changed_by_the_host_is_read_once(host: RemoteHost) -> None:
    first, second = host.echo_addr.to_bytes(4, "little"), NOBODY.to_bytes(4, "little")
    flipped(host, 4, first, second)
    sources = {message.src for message in host.inbox}
    expect(
        sources <= {host.echo_addr},
        expected="answers of the echo service only",
        observed=[hex(src) for src in sources],
    )


def flipped(host: RemoteHost, offset: int, first: bytes, second: bytes) -> None:
    """Send one message again and again while part of its header is changed, then a usual one."""
    host.output.ring.guarded = False
    data = codec.encode_packet(LOCAL_ADDR, host.echo_addr, b"8 bytes.")
    area = host.session.allocator.allocate(4096)
    host.session.memory.write(area, data + SECRET * 16)
    # A device that reads twice does so within a microsecond or less: it takes many messages to be
    # in between, and batches of them, so that it is busy while the other process writes.
    with flipping(host.session.memory, area + offset, first, second):
        sent = changes = 0
        before, until = first, time.monotonic() + FLIPPED_SECONDS
        while sent < FLIPPED or changes < CHANGES and time.monotonic() < until:
            # On a busy machine the other process may rest for long.
            now = host.session.memory.read(area + offset, len(first))
            changes += now != before
            before = now
            sent += BATCH
            for _ in range(BATCH):
                host.post([Segment(area, len(data))], kick=False)
            host.flush()
            host.wait(lambda: not host.output.ring.outstanding, what="return of send buffers")
    host.output.ring.guarded = True
    host.check(b"a usual message")


@pytest.mark.requirement("HD-024")
@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 255, 256, 495, 496])
def test_header_len_is_the_payload_sent(size: int, host: RemoteHost) -> None:
    host.send(LOCAL_ADDR, host.echo_addr, bytes(n * 7 & 0xFF for n in range(size)))
    message = host.receive(dst=LOCAL_ADDR)
    expect_equal("len of the header", message.header.len, size)
