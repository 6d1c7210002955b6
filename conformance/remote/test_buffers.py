# SPDX-License-Identifier: BSD-2-Clause
"""Buffers: their sizes, running out of them in both directions, and nothing getting lost."""

from __future__ import annotations

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import NOBODY, RemoteHost, expect_reaction
from rpmsg_conformance.virtio import codec
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.anomaly import Kind
from rpmsg_conformance.virtio.config import FULL, Config, Layout
from rpmsg_conformance.virtio.errors import NoBuffer
from rpmsg_conformance.virtio.host import LOCAL_ADDR
from rpmsg_conformance.virtio.ring import Segment


def pattern(size: int) -> bytes:
    """Bytes that tell where they stand."""
    return bytes(n * 31 + (n >> 8) & 0xFF for n in range(size))


@pytest.mark.requirement("BF-012")
@pytest.mark.parametrize("size", [1, 8, 15])
def test_buffers_receive_buffer_below_a_header_does_no_harm(
    size: int, connect: Connect, echo: object, observe: Observe
) -> None:
    host = connect(Config(ring_sizes=(8, 8), buffers=(2, None)))
    host.clear_way(c.QUEUE_INPUT)
    area = host.session.allocator.allocate(64)
    host.session.memory.write(area, b"\xa5" * 64)
    host.input.ring.add([Segment(area, size, writable=True)])
    host.let_go(c.QUEUE_INPUT)
    seen = host.reaction()
    observe(seen)
    expect_reaction(seen, {"ignored", "queue-broken", "stopped", "closed"})
    expect_equal(
        "bytes behind the buffer",
        host.session.memory.read(area + size, 64 - size),
        b"\xa5" * (64 - size),
    )
    if seen != "closed":
        host.recover()


@pytest.mark.requirement("BF-020")
@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_buffers_remote_waits_for_a_buffer_and_goes_on_in_order(
    count: int, connect: Connect, echo: object
) -> None:
    host = connect(Config(ring_sizes=(count, 64)))
    host.hold_receive()
    total = count + 20
    for number in range(total):
        host.send(LOCAL_ADDR, host.echo_addr, b"%d" % number)
    seen: list[bytes] = []
    while len(seen) < total:
        # Something else, an announcement for example, may take a buffer as well.
        host.wait(lambda: not host.input.ring.outstanding, what="use of the receive buffers")
        seen += [message.payload for message in host.inbox]
        host.inbox.clear()
        if len(seen) < total:
            host.repost(1)
    expect_equal("the echoes", seen, [b"%d" % number for number in range(total)])


@pytest.mark.requirement("BF-021")
@pytest.mark.parametrize("size", [16, 17, 32, 64, 128, 511])
@pytest.mark.parametrize("payload", [1, 113, 496])
def test_buffers_no_more_is_sent_than_the_buffer_holds(
    size: int, payload: int, open_host: Connect, echo: object, observe: Observe
) -> None:
    host = open_host(Config(buffer_sizes=(size, 512)))
    host.start()
    host.send(LOCAL_ADDR, host.echo_addr, pattern(payload))
    # An empty message fits into anything that holds a header.
    host.send(LOCAL_ADDR + 1, host.echo_addr, b"")
    host.receive(dst=LOCAL_ADDR + 1)
    for message in host.inbox:
        observe(f"{payload} bytes into {size}: {len(message.payload)} bytes came")
        expect(
            message.header.len <= size - 16,
            expected=f"len at most {size - 16}",
            observed=f"{message.header}, used length {message.used_len}",
        )
    host.check_memory()
    outside = host.log.of(Kind.OUTSIDE_WRITTEN)
    expect(not outside, expected="nothing behind the buffer", observed=outside)


@pytest.mark.requirement("BF-022")
@pytest.mark.parametrize("layout", [Layout(), FULL], ids=["exact", "full"])
@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 17, 255, 256, 257, 494, 495, 496])
def test_buffers_payload_is_taken_whole(size: int, layout: Layout, host: RemoteHost) -> None:
    host.check(pattern(size), layout=layout)


@pytest.mark.requirement("BF-023")
@pytest.mark.parametrize("size", range(16))
def test_buffers_descriptor_below_a_header_is_returned(size: int, host: RemoteHost) -> None:
    area = host.session.allocator.allocate(64)
    data = codec.encode_packet(LOCAL_ADDR, host.echo_addr, b"beyond")
    host.session.memory.write(area, data)
    head = host.post([Segment(area, size)])
    host.check()
    host.drain()
    expect(not host.inbox, expected="no answer", observed=list(host.inbox))
    expect(
        head in [returned for returned, _ in host.returned],
        expected="the buffer comes back",
        observed=host.returned,
    )


@pytest.mark.requirement("BF-024")
@pytest.mark.parametrize("size", [1024, 2048, 65536])
def test_buffers_larger_ones_are_used_at_their_size(
    size: int, connect: Connect, echo: object
) -> None:
    host = connect(Config(ring_sizes=(16, 16), buffer_sizes=(size, size)))
    for payload in (496, 497, 1000, size - 16):
        host.check(pattern(min(payload, 65535)))


@pytest.mark.requirement("BF-024")
@pytest.mark.parametrize("size", [56, 64, 100, 511])
def test_buffers_smaller_ones_are_used_at_their_size(
    size: int, connect: Connect, echo: object
) -> None:
    host = connect(Config(buffer_sizes=(size, size)))
    for payload in (0, 1, size - 17, size - 16):
        host.check(pattern(payload))


@pytest.mark.requirement("BF-024")
@pytest.mark.parametrize("length", [16, 17, 512, 65536])
def test_buffers_descriptor_length_says_nothing_about_the_message(
    length: int, host: RemoteHost
) -> None:
    payload = pattern(min(length - 16, 5))
    host.check(payload, layout=Layout(desc_len=length))


@pytest.mark.requirement("BF-025")
@pytest.mark.parametrize("rings", [(4, 4), (1, 1), (2, 16), (16, 2)])
def test_buffers_both_directions_exhausted_lose_nothing(
    rings: tuple[int, int], connect: Connect, echo: object, observe: Observe
) -> None:
    host = connect(Config(ring_sizes=rings))
    host.hold_receive()
    sent = 0
    # Until nothing more goes in; a remote that keeps answers itself takes any number.
    while sent < 200:
        try:
            host.send(LOCAL_ADDR, host.echo_addr, b"%d" % sent, timeout=0.005)
        except NoBuffer:
            break
        sent += 1
    observe(f"the remote took {sent} messages with {rings[0]} receive buffers held")
    host.hold_receive(False)
    host.repost()
    expect_equal("the echoes", host.take(sent), [b"%d" % number for number in range(sent)])
    host.burst(20)
    host.drain()


@pytest.mark.requirement("BF-025")
def test_buffers_held_for_long_stay_untouched(host: RemoteHost) -> None:
    host.hold_receive()
    host.send(LOCAL_ADDR, host.echo_addr, b"kept")
    kept = host.receive(dst=LOCAL_ADDR)
    for _ in range(50):
        host.send(LOCAL_ADDR, NOBODY, b"other")
    host.drain()
    host.hold_receive(False)
    host.repost()
    host.burst(300)
    expect_equal("the echo", kept.payload, b"kept")


@pytest.mark.requirement("BF-026")
@pytest.mark.parametrize("rings", [(256, 256), (16, 8), (2, 256)])
def test_buffers_long_burst_is_answered_in_order(
    rings: tuple[int, int], connect: Connect, echo: object
) -> None:
    host = connect(Config(ring_sizes=rings))
    host.burst(1000)
    host.drain()
