# SPDX-License-Identifier: BSD-2-Clause
"""Rings as a device has to use them, with a driver that keeps every rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import NOBODY, RemoteHost, quiet
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.anomaly import Kind
from rpmsg_conformance.virtio.config import FULL, HIGH_MEMORY, INDIRECT, Config, Layout
from rpmsg_conformance.virtio.constants import Feature, bit
from rpmsg_conformance.virtio.host import LOCAL_ADDR
from rpmsg_conformance.virtio.memory import RegionSpec
from rpmsg_conformance.virtio.ring import Segment

SIZES = [1 << n for n in range(16)]
PAYLOADS = (0, 1, 495, 496)

LAYOUTS = {
    "exact": Layout(),
    "full": FULL,
    "100": Layout(desc_len=100),
    "65536": Layout(desc_len=65536),
}

SPLITS = [(16,), (1,), (15, 1), (1, 2, 3), (8, 8), (4, 4, 4, 2, 2), (20,), (17, 1, 1, 1), (1,) * 12]


def none_of(host: RemoteHost, *kinds: Kind) -> None:
    """See that nothing of these kinds was found."""
    host.check_memory()
    found = host.log.of(*kinds)
    expect(not found, expected="none of: " + ", ".join(kinds), observed=found[0] if found else "")


def with_event_idx(config: Config, on: bool) -> Config:
    return config.with_features(Feature.RING_EVENT_IDX) if on else config


both_ways = pytest.mark.parametrize("event_idx", [False, True], ids=["flags", "event_idx"])


@pytest.mark.requirement("VQ-050")
@both_ways
@pytest.mark.parametrize("ring", [2, 256])
def test_rings_only_available_receive_buffers_are_used(
    ring: int, event_idx: bool, connect: Connect, echo: object
) -> None:
    host = connect(with_event_idx(Config(ring_sizes=(ring, ring)), event_idx))
    host.hold_receive()
    for number in range(2 * ring if ring < 100 else ring + 5):
        host.send(LOCAL_ADDR, host.echo_addr, b"%d" % number, timeout=0.05)
        if host.output.ring.free_descriptors == 0:
            break
    host.wait(lambda: not host.input.ring.outstanding, what="use of all receive buffers")
    host.session.frontend.sync()
    host.process()
    none_of(host, Kind.USED_ID_FREE, Kind.USED_ID_RANGE, Kind.USED_TWICE, Kind.USED_INDEX_JUMP)


@pytest.mark.requirement("VQ-050")
@pytest.mark.provokes
def test_rings_device_readable_receive_buffer_is_not_written(
    connect: Connect, echo: object, observe: Observe
) -> None:
    host = connect(Config(ring_sizes=(8, 8), buffers=(2, 4)))
    host.clear_way(c.QUEUE_INPUT)
    area = host.session.allocator.allocate(512)
    host.session.memory.write(area, b"\x5a" * 512)
    host.input.ring.add([Segment(area, 512, writable=False)])
    host.let_go(c.QUEUE_INPUT)
    observe(host.reaction())
    expect_equal(
        "device-readable buffer", host.session.memory.read(area, 512), b"\x5a" * 512
    )


@pytest.mark.requirement("VQ-051")
@both_ways
@pytest.mark.parametrize("ring", [1, 4, 256])
def test_rings_each_buffer_is_returned_once(
    ring: int, event_idx: bool, connect: Connect, echo: object
) -> None:
    host = connect(with_event_idx(Config(ring_sizes=(ring, ring)), event_idx))
    host.burst(300)
    host.drain()
    none_of(
        host, Kind.USED_TWICE, Kind.USED_ID_FREE, Kind.USED_ID_RANGE, Kind.USED_ID_NOT_HEAD,
        Kind.USED_INDEX_JUMP,
    )
    expect_equal("send buffers returned", len(host.returned), 300)


@pytest.mark.requirement("VQ-052")
@pytest.mark.parametrize("payload", [0, 1, 15, 16, 17, 255, 495, 496])
def test_rings_used_length_covers_the_message(payload: int, host: RemoteHost) -> None:
    host.send(LOCAL_ADDR, host.echo_addr, bytes(payload))
    message = host.receive(dst=LOCAL_ADDR)
    expect(
        16 + message.header.len <= message.used_len <= message.capacity,
        expected=f"used length from {16 + message.header.len} to {message.capacity}",
        observed=message.used_len,
    )


@pytest.mark.requirement("VQ-052")
def test_rings_used_length_of_announcements_covers_them(host: RemoteHost) -> None:
    host.check()
    expect(not host.short, expected="no used length below 16", observed=host.short)
    for raw in host.wire:
        length = int.from_bytes(raw[12:14], "little")
        expect(len(raw) >= 16 + length, expected=f"{16 + length} bytes", observed=len(raw))


@pytest.mark.requirement("VQ-053")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_rings_used_length_of_a_send_buffer(
    layout: Layout, host: RemoteHost, observe: Observe
) -> None:
    for payload in (0, 1, 84):
        host.check(bytes(payload), layout=layout)
    host.drain()
    lengths = sorted({length for _, length in host.returned})
    observe(f"used lengths {', '.join(map(str, lengths))}")
    expect_equal("used lengths of send buffers", lengths, [0])


@pytest.mark.requirement("VQ-054")
@pytest.mark.parametrize("split", SPLITS, ids=lambda split: "+".join(map(str, split)))
@pytest.mark.parametrize("payload", [0, 5, 480])
def test_rings_message_in_pieces_is_one(
    payload: int, split: tuple[int, ...], host: RemoteHost
) -> None:
    if sum(split) > 16 + payload:
        split = split[:1] if split[0] <= 16 else (8,)
    host.check(bytes(n & 0xFF for n in range(payload)), layout=Layout(split=split))
    host.drain()


@pytest.mark.requirement("VQ-055")
@pytest.mark.parametrize("split", [(), *SPLITS], ids=lambda split: "+".join(map(str, split)) or "1")
def test_rings_indirect_descriptors_are_handled_or_not_offered(
    split: tuple[int, ...], connect: Connect, echo: object, observe: Observe
) -> None:
    host = connect(Config(features=Config().features | bit(Feature.RING_INDIRECT_DESC)))
    if not host.session.features & bit(Feature.RING_INDIRECT_DESC):
        observe("not offered")
        return
    layout = Layout(split=split, indirect=True) if split else INDIRECT
    host.check(bytes(range(100)), layout=layout)
    host.drain()


@pytest.mark.requirement("VQ-055")
@pytest.mark.parametrize("pieces", [(512,), (16, 496), (1, 15, 100, 396)])
def test_rings_indirect_receive_buffers_are_handled(
    pieces: tuple[int, ...], connect: Connect, echo: object
) -> None:
    config = Config(ring_sizes=(16, 16), receive_split=pieces, receive_indirect=True)
    host = connect(config.with_features(Feature.RING_INDIRECT_DESC))
    for payload in PAYLOADS:
        host.check(bytes(n & 0xFF for n in range(payload)))


@pytest.mark.requirement("VQ-056")
@pytest.mark.parametrize("queue", [0, 1])
def test_rings_no_interrupt_is_respected(queue: int, host: RemoteHost) -> None:
    host.check()
    host.drain()
    one = host.session.queues[queue]
    one.ring.set_interrupts(False)
    # What was decided before the flag was seen may still come.
    host.check()
    host.drain()
    host.session.frontend.sync()
    host.session.wait(0.001)
    one.take_calls()
    before = one.calls
    host.burst(20)
    host.drain()
    host.session.frontend.sync()
    host.session.wait(0.001)
    one.take_calls()
    expect_equal(f"notifications of queue {queue} that were not wanted", one.calls - before, 0)
    one.ring.set_interrupts(True)
    host.check()


@pytest.mark.requirement("VQ-057")
@pytest.mark.parametrize("ring", [1, 2, 4, 256])
@pytest.mark.parametrize("batch", [1, 3, 7])
def test_rings_event_idx_loses_no_kick(
    batch: int, ring: int, connect: Connect, echo: object
) -> None:
    host = connect(with_event_idx(Config(ring_sizes=(ring, ring)), True))
    sent = 0
    for _ in range(60):
        # Idle in between: the device has gone to sleep, and has to be woken.
        for _ in range(min(batch, ring)):
            host.send(LOCAL_ADDR, host.echo_addr, b"%d" % sent, kick=False)
            sent += 1
        host.flush()
        expect_equal(
            "the echoes",
            host.take(min(batch, ring)),
            [b"%d" % n for n in range(sent - min(batch, ring), sent)],
        )
        host.wait(lambda: not host.output.ring.outstanding, what="return of send buffers")


@pytest.mark.requirement("VQ-057")
@pytest.mark.parametrize("base", [0, 65530, 32765])
def test_rings_event_idx_loses_no_kick_of_receive_buffers(
    base: int, connect: Connect, echo: object
) -> None:
    host = connect(with_event_idx(Config(ring_sizes=(2, 64), bases=(base, base)), True))
    host.hold_receive()
    for number in range(40):
        host.send(LOCAL_ADDR, host.echo_addr, b"%d" % number)
    seen = host.take(2)
    while len(seen) < 40:
        # The device waits for a buffer, and hears of it only if it said so in avail_event.
        host.repost(1)
        seen += host.take(1)
    expect_equal("the echoes", seen, [b"%d" % number for number in range(40)])


@pytest.mark.requirement("VQ-058")
@pytest.mark.parametrize("queue", [0, 1])
@pytest.mark.parametrize("ahead", [1, 2, 10])
def test_rings_event_idx_interrupts_when_asked_to(
    ahead: int, queue: int, connect: Connect, echo: object
) -> None:
    host = connect(with_event_idx(Config(), True))
    host.check()
    host.drain()
    one = host.session.queues[queue]
    host.session.frontend.sync()
    one.take_calls()
    start = one.ring.used_index
    one.ring.set_used_event(start + ahead)
    before = one.calls
    # The other queue is polled: neither wakes this side for the one that is looked at.
    for number in range(ahead):
        host.send(LOCAL_ADDR, host.echo_addr, b"%d" % number)
        host.wait(lambda: host.raw(queue).used_index == (start + number + 1) & 0xFFFF)
    host.session.frontend.sync()
    one.take_calls()
    expect_equal(f"notifications before used_event {ahead} ahead", one.calls - before, 0)
    host.send(LOCAL_ADDR, host.echo_addr, b"the one that was asked for")
    host.wait(
        lambda: one.calls > before or one.take_calls() > 0, what="notification at used_event"
    )


@pytest.mark.requirement("VQ-059")
@both_ways
def test_rings_returned_send_buffers_are_notified(
    event_idx: bool, connect: Connect, echo: object
) -> None:
    host = connect(with_event_idx(Config(), event_idx))
    host.check()
    host.drain()
    host.log.clear()
    for _ in range(10):
        host.output.take_calls()
        before = host.output.calls
        host.send(LOCAL_ADDR, NOBODY, b"to nobody")
        host.wait(
            lambda: host.output.calls > before or host.output.take_calls() > 0,
            what="notification of queue 1",
        )
        host.drain()


@pytest.mark.requirement("VQ-060")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dst", ["echo", "nobody", "names"])
def test_rings_send_buffers_are_not_written_to(
    dst: str, layout: Layout, host: RemoteHost
) -> None:
    address = {"echo": host.echo_addr, "nobody": NOBODY, "names": c.ADDR_NS}[dst]
    for payload in (0, 1, 40, 84):
        host.send(LOCAL_ADDR, address, b"\xee" * payload, layout=layout, reserved=0xAAAAAAAA)
    host.check()
    host.drain()
    none_of(host, Kind.READABLE_WRITTEN)


@pytest.mark.requirement("VQ-060")
def test_rings_descriptors_and_available_ring_are_not_written_to(host: RemoteHost) -> None:
    host.burst(100)
    host.drain()
    none_of(host, Kind.READABLE_WRITTEN, Kind.TABLE_WRITTEN)


@pytest.mark.requirement("VQ-061")
@pytest.mark.parametrize("ring", SIZES)
def test_rings_of_every_size_work(ring: int, connect: Connect, echo: object) -> None:
    host = connect(Config(ring_sizes=(ring, ring)))
    for payload in PAYLOADS:
        host.check(bytes(payload))
    host.drain()


@pytest.mark.requirement("VQ-061")
@pytest.mark.parametrize("rings", [(1, 32768), (32768, 1), (2, 256), (1024, 4)])
def test_rings_of_different_sizes_work(
    rings: tuple[int, int], connect: Connect, echo: object
) -> None:
    host = connect(Config(ring_sizes=rings))
    host.burst(20)
    host.drain()


@pytest.mark.requirement("VQ-062")
@both_ways
@pytest.mark.parametrize("ring", [1, 2, 256, 1024, 32768])
@pytest.mark.parametrize("bases", [(65530, 65533), (65535, 65535), (32767, 32766)])
def test_rings_indices_wrap_with_traffic(
    bases: tuple[int, int], ring: int, event_idx: bool, connect: Connect, echo: object
) -> None:
    config = Config(ring_sizes=(ring, ring), buffers=(min(ring, 16), None), bases=bases)
    host = connect(with_event_idx(config, event_idx))
    host.burst(40)
    host.drain()
    expect_equal("used.idx of queue 1", host.raw(1).used_index, (bases[1] + 40) & 0xFFFF)
    expect_equal(
        "used.idx of queue 0", host.raw(0).used_index, (bases[0] + len(host.wire)) & 0xFFFF
    )


@pytest.mark.requirement("VQ-063")
@pytest.mark.parametrize(
    "config",
    [
        HIGH_MEMORY,
        Config(regions=(RegionSpec(0x1_0000_0000 - (1 << 22), 1 << 23),)),
        Config(regions=(RegionSpec((1 << 63) - (8 << 20), 8 << 20),)),
        Config(
            regions=(RegionSpec(0x1_4000_0000, 0), RegionSpec(0x4000_0000, 0)),
            buffer_regions=(1, 1),
        ),
    ],
    ids=["above 4 GiB", "across 4 GiB", "up to 2^63", "rings above"],
)
def test_rings_memory_above_4_gib_is_reached(
    config: Config, connect: Connect, echo: object
) -> None:
    host = connect(config)
    host.burst(20)
    host.drain()


@pytest.mark.requirement("VQ-063")
def test_rings_low_32_bits_are_not_the_address(connect: Connect, echo: object) -> None:
    # Two places whose addresses are the same but for the upper half.
    host = connect(
        Config(
            ring_sizes=(8, 8),
            regions=(RegionSpec(0x4000_0000, 1 << 22), RegionSpec(0x3_4000_0000, 1 << 22)),
            ring_region=0,
            buffer_regions=(1, 1),
        )
    )
    before = host.session.memory.regions[0].map[1 << 20 :]
    host.burst(30)
    host.drain()
    now = host.session.memory.regions[0].map[1 << 20 :]
    expect(now == before, expected="nothing below 4 GiB changes", observed="it changed")


@pytest.mark.requirement("VQ-064")
@pytest.mark.parametrize("size", [56, 64, 100, 511, 512])
def test_rings_nothing_is_written_behind_a_buffer(
    size: int, connect: Connect, echo: object
) -> None:
    host = connect(Config(ring_sizes=(16, 16), buffer_sizes=(size, 512)))
    for payload in (0, 1, size - 17, size - 16, size - 15, size, 496):
        host.send(LOCAL_ADDR, host.echo_addr, b"\xb7" * min(payload, 496))
    host.check()
    host.drain()
    none_of(host, Kind.OUTSIDE_WRITTEN)


@pytest.mark.requirement("VQ-065")
@both_ways
@pytest.mark.parametrize("ring", [1, 16, 256])
def test_rings_used_entries_are_complete_before_the_index(
    ring: int, event_idx: bool, connect: Connect, echo: object
) -> None:
    host = connect(with_event_idx(Config(ring_sizes=(ring, ring)), event_idx))
    # Polled as fast as it goes: an index before its entry would be seen.
    with quiet(host):
        host.burst(300)
    none_of(host, Kind.USED_INDEX_JUMP)


@pytest.mark.requirement("VQ-066")
@pytest.mark.parametrize(
    "pieces", [(16, 496), (1, 511), (15, 497), (8, 8, 496), (16, 100, 396), (500, 12), (64,) * 8]
)
def test_rings_receive_buffer_in_pieces_is_filled_as_one(
    pieces: tuple[int, ...], connect: Connect, echo: object
) -> None:
    host = connect(Config(ring_sizes=(64, 64), buffers=(7, 8), receive_split=pieces))
    for payload in (0, 1, 56, 100, 101, 484, 485, 496):
        host.check(bytes(n & 0xFF for n in range(payload)))
    none_of(host, Kind.OUTSIDE_WRITTEN)


@pytest.mark.requirement("VQ-067")
@pytest.mark.parametrize("rings", [(2, 64), (1, 8), (4, 4)])
def test_rings_held_buffers_are_returned_with_their_ids(
    rings: tuple[int, int], connect: Connect, echo: object
) -> None:
    host = connect(Config(ring_sizes=rings))
    host.drain()
    host.hold_receive()
    # Without receive buffers the remote has to keep answers, or the messages themselves.
    heads = [
        host.send(LOCAL_ADDR, host.echo_addr, b"%d" % n, layout=Layout(desc_len=16 + 8 + n))
        for n in range(rings[0] + min(2, rings[1] - 1))
    ]
    host.hold_receive(False)
    host.wait(lambda: not host.input.ring.outstanding or len(host.inbox) >= len(heads))
    host.repost()
    expect_equal("the echoes", host.take(len(heads)), [b"%d" % n for n in range(len(heads))])
    host.drain()
    expect_equal("ids that came back", sorted(h for h, _ in host.returned), sorted(heads))
    none_of(host, Kind.USED_TWICE, Kind.USED_ID_FREE, Kind.USED_ID_RANGE, Kind.USED_ID_NOT_HEAD)


@pytest.mark.requirement("VQ-068")
@pytest.mark.parametrize("queue", [0, 1])
def test_rings_kick_without_a_buffer_does_no_harm(queue: int, host: RemoteHost) -> None:
    host.check()
    host.drain()
    used = [host.raw(number).used_index for number in (0, 1)]
    for _ in range(50):
        host.session.queues[queue].kick()
    host.session.frontend.sync()
    expect_equal("used.idx", [host.raw(number).used_index for number in (0, 1)], used)
    host.burst(5)


@pytest.mark.requirement("VQ-069")
@both_ways
def test_rings_buffers_posted_while_kicks_are_suppressed_are_found(
    event_idx: bool, connect: Connect, echo: object, observe: Observe
) -> None:
    host = connect(with_event_idx(replace(Config(), ring_sizes=(64, 64)), event_idx))
    # Kicks are sent only when the device asks for them; a device that asks for none while it is
    # awake has to look once more before it sleeps.
    for round_ in range(20):
        host.burst(37, first=37 * round_)
    observe(f"{host.output.kicks} kicks for {host.sent} messages")
    host.drain()
