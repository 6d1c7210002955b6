# SPDX-License-Identifier: BSD-2-Clause
"""Rings in the hands of a hostile driver. Every form comes on both queues, first in line.

A device may ignore what is wrong (give the buffer back, or drop it), stop the queue, with or without
saying so, or close the connection. It may not end, read or write elsewhere, or stop serving for good:
after a reset, or on a new connection, it works as before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import RemoteHost, expect_reaction
from rpmsg_conformance.remote_requests import EVERYTHING, reaction_to
from rpmsg_conformance.virtio import codec
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.constants import Feature, Request
from rpmsg_conformance.virtio.errors import PeerClosed
from rpmsg_conformance.virtio.host import LOCAL_ADDR, Message
from rpmsg_conformance.virtio.memory import RegionSpec
from rpmsg_conformance.virtio.messages import MemoryRegion
from rpmsg_conformance.virtio.ring_raw import RawDesc, RawRing

pytestmark = pytest.mark.provokes

RING = 8
SMALL = Config(ring_sizes=(RING, RING), buffers=(2, 4))
WITH_INDIRECT = SMALL.with_features(Feature.RING_INDIRECT_DESC)

ALLOWED = frozenset(("ignored", "queue-broken", "stopped", "closed"))

NEXT, WRITE, INDIRECT = c.DESC_F_NEXT, c.DESC_F_WRITE, c.DESC_F_INDIRECT

both_queues = pytest.mark.parametrize("queue", [0, 1], ids=["input", "output"])


class Attack:
    """One queue whose next available buffer is the case's to make up."""

    def __init__(self, host: RemoteHost, queue: int) -> None:
        host.clear_way(queue)
        self.host = host
        self.queue = queue
        self.raw: RawRing = host.raw(queue)
        self.ring = host.session.queues[queue].ring
        self.ring.guarded = False
        #: What is right for a descriptor of this queue.
        self.flags = WRITE if queue == c.QUEUE_INPUT else 0
        memory = host.session.memory
        self.area = host.session.allocator.allocate(1 << 16)
        #: Nothing has any business here.
        self.canary = host.session.allocator.allocate(4096)
        memory.write(self.canary, b"\x3c" * 4096)
        message = codec.encode_packet(LOCAL_ADDR, host.echo_addr, b"hostile")
        memory.write(self.area, message)
        self.length = 512 if queue == c.QUEUE_INPUT else len(message)
        #: Messages that came between the attack and the reset.
        self.came: list[Message] = []

    def chain(self, *descriptors: Callable[[Sequence[int]], RawDesc]) -> None:
        """Make a chain available whose descriptors are made from the numbers they got."""
        ids = self.ring.reserve(len(descriptors))
        for number, make in zip(ids, descriptors, strict=True):
            self.raw.write_desc(number, *make(ids))
        self.ring.offer(ids, writable=1 << 20)
        self.ring.publish()

    def one(self, address: int, length: int, flags: int | None = None, following: int = 0) -> None:
        """Make a single descriptor available."""
        bits = self.flags if flags is None else flags
        self.chain(lambda ids: RawDesc(address, length, bits, following))

    def finish(
        self, observe: Observe, allowed: frozenset[str] = ALLOWED, buffers: int = 1
    ) -> str:
        """Kick, see what the remote does, and that it serves again after a reset.

        ``buffers`` is how many the device finds before it comes to those that are in order.
        """
        host = self.host
        host.session.queues[self.queue].kick()
        if self.queue == c.QUEUE_INPUT:
            # It looks at a receive buffer when it has something to put there.
            host.prompt(buffers)
        host.settle()
        host.let_go(self.queue)
        seen = host.reaction()
        self.came = list(host.inbox)
        observe(seen)
        expect_reaction(seen, allowed)
        expect_equal(
            "memory that was never made available",
            host.session.memory.read(self.canary, 4096),
            b"\x3c" * 4096,
        )
        if seen != "closed":
            host.recover()
        return seen


Begin = Callable[..., Attack]


@pytest.fixture
def attack(connect: Connect, echo: object) -> Begin:
    """attack(queue, config): called in the case itself, so that what it rests on is judged too."""

    def begin(queue: int, config: Config = SMALL) -> Attack:
        return Attack(connect(config), queue)

    return begin


@pytest.mark.requirement("VQ-001")
@both_queues
@pytest.mark.parametrize("jump", [RING + 1, 2 * RING, 0x7FFF, 0x8000, 0xFFFF])
def test_hostile_index_that_jumps_does_no_harm(
    jump: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    it.raw.avail_index = it.raw.avail_index + jump
    it.ring.resync()
    # A device that goes on would serve buffers that were never made available.
    it.finish(observe, ALLOWED - {"ignored"})


@pytest.mark.requirement("VQ-002")
@both_queues
@pytest.mark.parametrize("head", [RING, RING + 1, 255, 0x7FFF, 0x8000, 0xFFFF])
def test_hostile_head_above_the_ring_does_no_harm(
    head: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    it.raw.offer(head)
    it.ring.resync()
    it.finish(observe)


@pytest.mark.requirement("VQ-003")
@both_queues
@pytest.mark.parametrize("following", [RING, 255, 0x8000, 0xFFFF])
@pytest.mark.parametrize("length", [4, 16, 300])
def test_hostile_next_above_the_ring_does_no_harm(
    length: int, following: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    it.one(it.area, length, it.flags | NEXT, following)
    it.finish(observe)


@pytest.mark.requirement("VQ-004")
@both_queues
@pytest.mark.parametrize("length", [0, 1, 16, 4096])
def test_hostile_chain_of_one_that_loops_does_no_harm(
    length: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    it.chain(lambda ids: RawDesc(it.area, length, it.flags | NEXT, ids[0]))
    it.finish(observe)


@pytest.mark.requirement("VQ-004")
@both_queues
@pytest.mark.parametrize("length", [0, 1, 16])
def test_hostile_chain_of_two_that_loops_does_no_harm(
    length: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    it.chain(
        lambda ids: RawDesc(it.area, length, it.flags | NEXT, ids[1]),
        lambda ids: RawDesc(it.area + length, length, it.flags | NEXT, ids[0]),
    )
    it.finish(observe)


@pytest.mark.requirement("VQ-004")
@both_queues
@pytest.mark.parametrize("form", ["loop", "long"])
def test_hostile_indirect_table_that_loops_does_no_harm(
    form: str, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue, WITH_INDIRECT)
    table = it.host.session.allocator.allocate(16 * 300)
    count = 2 if form == "loop" else 300
    it.raw.write_table(
        table,
        [
            RawDesc(it.area, 1, it.flags | NEXT, 0 if form == "loop" else (n + 1) % count)
            for n in range(count)
        ],
    )
    it.one(table, 16 * count, INDIRECT)
    it.finish(observe)


#: Names of places: (address, length) for a guest with memory from `low` to `high`.
PLACES: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "zero": lambda low, high: (0, 64),
    "below": lambda low, high: (low - 64, 64),
    "into from below": lambda low, high: (low - 16, 64),
    "above": lambda low, high: (high, 64),
    "out at the end": lambda low, high: (high - 16, 64),
    "one byte too long": lambda low, high: (high - 63, 64),
    "length of 4 GiB": lambda low, high: (low, 0xFFFFFFFF),
    "length of 2 GiB": lambda low, high: (low, 0x80000000),
    "last byte": lambda low, high: ((1 << 64) - 1, 1),
    "wraps": lambda low, high: ((1 << 64) - 32, 64),
    "wraps to memory": lambda low, high: ((1 << 64) - 16, 0xFFFFFFF0),
    "upper half": lambda low, high: (low | 1 << 63, 64),
    "above 4 GiB": lambda low, high: (low | 1 << 32, 64),
}


@pytest.mark.requirement("VQ-005")
@both_queues
@pytest.mark.parametrize("place", PLACES)
def test_hostile_address_outside_memory_does_no_harm(
    place: str, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    region = it.host.session.memory.regions[0]
    address, length = PLACES[place](region.guest_addr, region.guest_addr + region.size)
    it.one(address, length)
    it.finish(observe)


@pytest.mark.requirement("VQ-005")
@both_queues
@pytest.mark.parametrize("place", PLACES)
def test_hostile_second_descriptor_outside_memory_does_no_harm(
    place: str, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    region = it.host.session.memory.regions[0]
    address, length = PLACES[place](region.guest_addr, region.guest_addr + region.size)
    it.chain(
        lambda ids: RawDesc(it.area, 16, it.flags | NEXT, ids[1]),
        lambda ids: RawDesc(address, length, it.flags),
    )
    it.finish(observe)


@pytest.mark.requirement("VQ-005")
@both_queues
def test_hostile_address_in_a_gap_between_regions_does_no_harm(
    queue: int, attack: Begin, observe: Observe
) -> None:
    config = replace(
        SMALL, regions=(RegionSpec(0x4000_0000, 4 << 20), RegionSpec(0x4000_0000 + (5 << 20), 1 << 20))
    )
    it = attack(queue, config)
    # Begins in the first region, ends in the second; what lies between is no memory.
    it.one(0x4000_0000 + (4 << 20) - 64, (1 << 20) + 128)
    it.finish(observe)


@pytest.mark.requirement("VQ-005")
@both_queues
@pytest.mark.parametrize("place", ["zero", "above", "out at the end", "wraps", "last byte"])
def test_hostile_indirect_table_outside_memory_does_no_harm(
    place: str, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue, WITH_INDIRECT)
    region = it.host.session.memory.regions[0]
    address, _ = PLACES[place](region.guest_addr, region.guest_addr + region.size)
    it.one(address, 64, INDIRECT)
    it.finish(observe)


@pytest.mark.requirement("VQ-006")
@both_queues
def test_hostile_readable_after_writable_does_no_harm(
    queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    it.chain(
        lambda ids: RawDesc(it.area + 4096, 256, WRITE | NEXT, ids[1]),
        lambda ids: RawDesc(it.area, 32, 0),
    )
    it.finish(observe)


@pytest.mark.requirement("VQ-006")
@both_queues
def test_hostile_direction_of_the_other_queue_does_no_harm(
    queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    # The canary itself: readable on queue 0, where nothing may be written to it.
    if queue == c.QUEUE_INPUT:
        it.one(it.canary, 512, 0)
    else:
        it.one(it.area, it.length, WRITE)
    it.finish(observe)


@pytest.mark.requirement("VQ-007")
@both_queues
@pytest.mark.parametrize("extra", [0, WRITE])
def test_hostile_indirect_without_the_feature_does_no_harm(
    extra: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    table = it.host.session.allocator.allocate(64)
    it.raw.write_table(table, [RawDesc(it.area, it.length, it.flags)])
    before = it.host.session.memory.read(it.area, it.length)
    it.one(table, 16, INDIRECT | extra)
    it.finish(observe)
    late = [message for message in it.came if message.payload == b"hostile"]
    expect(not late, expected="no use of a feature that was not negotiated", observed=late)
    # Where the table points to: only a device that follows it writes there.
    expect_equal("bytes behind the table", it.host.session.memory.read(it.area, it.length), before)


@pytest.mark.requirement("VQ-008")
@both_queues
@pytest.mark.parametrize("length", [0, 1, 8, 15, 17, 31, 0xFFFFFFFF, 0xFFFFFFF0])
def test_hostile_indirect_table_of_odd_length_does_no_harm(
    length: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue, WITH_INDIRECT)
    table = it.host.session.allocator.allocate(64)
    it.raw.write_table(table, [RawDesc(it.area, it.length, it.flags)])
    it.one(table, length, INDIRECT)
    it.finish(observe)


@pytest.mark.requirement("VQ-009")
@both_queues
def test_hostile_indirect_in_an_indirect_table_does_no_harm(
    queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue, WITH_INDIRECT)
    table = it.host.session.allocator.allocate(64)
    # It names itself: without a check the walk never ends.
    it.raw.write_table(table, [RawDesc(table, 16, INDIRECT)])
    it.one(table, 16, INDIRECT)
    it.finish(observe)


@pytest.mark.requirement("VQ-009")
@both_queues
@pytest.mark.parametrize("following", [1, 2, 0xFFFF])
def test_hostile_next_beyond_an_indirect_table_does_no_harm(
    following: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue, WITH_INDIRECT)
    table = it.host.session.allocator.allocate(64)
    it.raw.write_table(table, [RawDesc(it.area, 16, it.flags | NEXT, following)])
    it.one(table, 16, INDIRECT)
    it.finish(observe)


@pytest.mark.requirement("VQ-010")
@both_queues
def test_hostile_indirect_with_next_does_no_harm(
    queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue, WITH_INDIRECT)
    table = it.host.session.allocator.allocate(64)
    it.raw.write_table(table, [RawDesc(it.area, it.length, it.flags)])
    it.chain(
        lambda ids: RawDesc(table, 16, INDIRECT | NEXT, ids[1]),
        lambda ids: RawDesc(it.area + 4096, 64, it.flags),
    )
    it.finish(observe)


@pytest.mark.requirement("VQ-011")
@both_queues
@pytest.mark.parametrize("times", [2, RING])
def test_hostile_buffer_made_available_again_does_no_harm(
    times: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    [head] = it.ring.reserve(1)
    it.raw.write_desc(head, it.area, it.length, it.flags)
    slot, index = it.raw.avail_index, it.raw.avail_index
    for number in range(times):
        it.raw.write_avail((slot + number) % RING, head)
    it.raw.avail_index = index + times
    it.ring.resync()
    it.finish(observe, buffers=times)


@pytest.mark.requirement("VQ-011")
def test_hostile_descriptor_shared_by_two_chains_does_no_harm(
    attack: Begin, observe: Observe
) -> None:
    it = attack(c.QUEUE_OUTPUT)
    first, second, tail = it.ring.reserve(3)
    it.raw.write_desc(first, it.area, 16, NEXT, tail)
    it.raw.write_desc(second, it.area, 16, NEXT, tail)
    it.raw.write_desc(tail, it.area + 16, 7)
    index = it.raw.avail_index
    for number, head in enumerate((first, second)):
        it.raw.write_avail((index + number) % RING, head)
    it.raw.avail_index = index + 2
    it.ring.resync()
    it.finish(observe)


@pytest.mark.requirement("VQ-012")
@both_queues
@pytest.mark.parametrize("parts", [2, 4])
def test_hostile_chain_above_4_gib_does_no_harm(
    parts: int, queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    it.chain(
        *(
            lambda ids, n=n: RawDesc(
                it.area,
                0xFFFFFFF0,
                it.flags | (NEXT if n < parts - 1 else 0),
                ids[n + 1] if n < parts - 1 else 0,
            )
            for n in range(parts)
        )
    )
    it.finish(observe)


@pytest.mark.requirement("VQ-012")
@both_queues
def test_hostile_chain_whose_sum_wraps_does_no_harm(
    queue: int, attack: Begin, observe: Observe
) -> None:
    it = attack(queue)
    # The sum of the lengths is 16 in 32 bits.
    it.chain(
        lambda ids: RawDesc(it.area, 32, it.flags | NEXT, ids[1]),
        lambda ids: RawDesc(it.area, 0xFFFFFFF0, it.flags),
    )
    it.finish(observe)


@pytest.mark.requirement("VQ-013")
@pytest.mark.parametrize("instead", ["nothing", "elsewhere", "the rest"])
def test_hostile_ring_that_loses_its_memory_stops(
    instead: str, connect: Connect, echo: object, observe: Observe
) -> None:
    host = connect(replace(EVERYTHING, ring_sizes=(RING, RING)))
    host.check()
    host.drain()
    region = host.session.memory.regions[0]
    other = MemoryRegion(region.guest_addr + (1 << 40), region.size, region.user_addr + (1 << 36), 0)
    rest = MemoryRegion(
        region.guest_addr + (1 << 20), region.size - (1 << 20), region.user_addr + (1 << 20), 1 << 20
    )
    tables: dict[str, list[MemoryRegion]] = {
        "nothing": [],
        "elsewhere": [other],
        "the rest": [rest],
    }
    regions = tables[instead]
    fds = [region.fd] * len(regions)
    seen = reaction_to(host, Request.SET_MEM_TABLE, m.encode_mem_table(regions), fds)
    observe(seen)
    if seen == "closed":
        return
    before = [host.raw(number).used_index for number in (0, 1)]
    try:
        host.send(LOCAL_ADDR, host.echo_addr, b"no memory")
        host.output.kick()
        for _ in range(3):
            host.session.frontend.sync()
            host.session.wait(0.001)
    except PeerClosed:
        observe("then closed")
        return
    if seen == "accepted":
        expect_equal(
            "used.idx after the memory is gone",
            [host.raw(number).used_index for number in (0, 1)],
            before,
        )
