# SPDX-License-Identifier: BSD-2-Clause
"""The driver side of the split ring, against a device that keeps the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from virtio_device import Device

from rpmsg_conformance.virtio.allocator import Allocator
from rpmsg_conformance.virtio.anomaly import Log
from rpmsg_conformance.virtio.memory import GuestMemory, RegionSpec
from rpmsg_conformance.virtio.ring import DriverRing, RingFull, Segment, need_event

START, SIZE = 0x4000_0000, 4 << 20
BUFFERS = START + (2 << 20)


class Bench:
    """A ring with both ends."""

    def __init__(self, size: int, *, event_idx: bool = False, base: int = 0) -> None:
        self.memory = GuestMemory([RegionSpec(START, SIZE)])
        self.allocator = Allocator([(START, BUFFERS - START)])
        self.buffers = Allocator([(BUFFERS, START + SIZE - BUFFERS)])
        self.log = Log()
        self.ring = DriverRing(
            self.memory, self.allocator, self.log, 0, size, event_idx=event_idx, base=base
        )
        self.device = Device(self.ring, event_idx, base)


BenchMaker = Callable[..., Bench]


@pytest.fixture
def make_bench() -> Iterator[BenchMaker]:
    """Maker of rings with both ends, with ring size and options of DriverRing."""
    made: list[Bench] = []

    def make(size: int, *, event_idx: bool = False, base: int = 0) -> Bench:
        made.append(Bench(size, event_idx=event_idx, base=base))
        return made[-1]

    yield make
    for bench in made:
        bench.memory.close()


@pytest.mark.parametrize("size", [0, 3, 65536, -1])
def test_ring_size_that_is_not_a_power_of_two_up_to_32768_is_refused(
    make_bench: BenchMaker, size: int
) -> None:
    with pytest.raises(ValueError, match="ring size"):
        make_bench(size)


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("base", [0, 65535])
@pytest.mark.parametrize("size", [1, 2, 256, 32768])
def test_ring_can_be_filled_and_emptied_twice(
    make_bench: BenchMaker, size: int, base: int, event_idx: bool
) -> None:
    bench = make_bench(size, base=base, event_idx=event_idx)
    for _ in range(2):
        for number in range(size):
            bench.ring.add([Segment(BUFFERS + 32 * (number % 1024), 16, True)], owner=number)
        with pytest.raises(RingFull):
            bench.ring.add([Segment(BUFFERS, 16, True)])
        assert bench.ring.publish()
        assert bench.device.available == size
        for _ in range(size):
            head, _ = bench.device.pop()
            bench.device.push(head, 7)
        assert bench.device.publish()
        used = bench.ring.collect()
        assert [u.chain.owner for u in used] == list(range(size))
        assert {u.length for u in used} == {7}
    bench.ring.check_memory()
    assert bench.log.entries == []


def test_ring_nothing_is_visible_before_publish(make_bench: BenchMaker) -> None:
    bench = make_bench(4)
    bench.ring.add([Segment(BUFFERS, 16, True)])
    assert bench.device.available == 0
    bench.ring.publish()
    assert bench.device.available == 1


def test_ring_no_notification_without_something_new(make_bench: BenchMaker) -> None:
    bench = make_bench(4)
    assert not bench.ring.publish()


def test_ring_no_notify_flag_is_respected(make_bench: BenchMaker) -> None:
    bench = make_bench(4)
    bench.memory.write(bench.ring.places.used, b"\x01\x00")
    bench.ring.add([Segment(BUFFERS, 16, True)])
    assert not bench.ring.publish()


def test_ring_avail_event_is_respected(make_bench: BenchMaker) -> None:
    bench = make_bench(8, event_idx=True, base=65534)
    bench.device.want_kick_at(0)
    wanted = []
    for _ in range(4):
        bench.ring.add([Segment(BUFFERS, 16, True)])
        wanted.append(bench.ring.publish())
    assert wanted == [False, False, True, False]


@pytest.mark.parametrize("event_idx", [False, True])
def test_ring_interrupts_are_suppressed_and_asked_for_again(
    make_bench: BenchMaker, event_idx: bool
) -> None:
    bench = make_bench(4, event_idx=event_idx, base=65534)
    called = []
    for on in (True, False, False, True, True):
        bench.ring.set_interrupts(on)
        bench.ring.add([Segment(BUFFERS, 16, True)])
        bench.ring.publish()
        head, _ = bench.device.pop()
        bench.device.push(head, 0)
        called.append(bench.device.publish())
        bench.ring.collect()
    assert called == [True, False, False, True, True]


def test_ring_used_event_can_be_set_ahead(make_bench: BenchMaker) -> None:
    bench = make_bench(8, event_idx=True)
    bench.ring.set_used_event(2)
    called = []
    for _ in range(4):
        bench.ring.add([Segment(BUFFERS, 16, True)])
        bench.ring.publish()
        bench.device.push(bench.device.pop()[0], 0)
        called.append(bench.device.publish())
        bench.ring.collect()
    assert called == [False, False, True, False]


def test_ring_readable_after_writable_is_refused(make_bench: BenchMaker) -> None:
    bench = make_bench(4)
    with pytest.raises(ValueError, match="readable segment follows"):
        bench.ring.add([Segment(BUFFERS, 16, True), Segment(BUFFERS + 64, 16)])


def test_ring_indirect_chain_takes_one_descriptor(make_bench: BenchMaker) -> None:
    bench = make_bench(1)
    bench.memory.write(BUFFERS, b"0123456789")
    segments = [Segment(BUFFERS + n, 1) for n in range(10)]
    bench.ring.add(segments, indirect=True)
    bench.ring.publish()
    head, pieces = bench.device.pop()
    assert bench.device.gather(pieces) == b"0123456789"
    bench.device.push(head, 0)
    bench.device.publish()
    before = bench.allocator.free_bytes
    assert len(bench.ring.collect()) == 1
    assert bench.allocator.free_bytes == before + 160
    assert bench.log.entries == []


def test_ring_close_gives_all_its_memory_back(make_bench: BenchMaker) -> None:
    bench = make_bench(16)
    bench.ring.add([Segment(BUFFERS, 1)], indirect=True)
    bench.ring.close()
    assert bench.allocator.allocated == {}


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 300))
def test_need_event_is_true_when_the_event_lies_in_the_step(
    event: int, old: int, step: int
) -> None:
    new = (old + step) & 0xFFFF
    stepped_over = {(old + n) & 0xFFFF for n in range(step)}
    assert need_event(event, new, old) == (event in stepped_over)


class RingMachine(RuleBasedStateMachine):
    """Random legal use of a ring from both ends, compared with plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.bench: Bench | None = None

    @initialize(
        order=st.integers(0, 4), event_idx=st.booleans(), base=st.sampled_from((0, 65530, 65535))
    )
    def start(self, order: int, event_idx: bool, base: int) -> None:
        self.bench = Bench(1 << order, event_idx=event_idx, base=base)
        self.added = 0
        self.unpublished: list[int] = []
        self.at_device: list[int] = []
        self.sent: dict[int, tuple[bytes, int]] = {}
        self.popped: list[tuple[int, int, bytes]] = []
        self.pushed: list[tuple[int, bytes]] = []
        self.returned: list[tuple[int, bytes]] = []
        self.areas: dict[int, list[int]] = {}

    def teardown(self) -> None:
        if self.bench is not None:
            self.bench.memory.close()

    @rule(
        readable=st.lists(st.binary(max_size=40), max_size=3),
        writable=st.lists(st.integers(0, 40), max_size=3),
        indirect=st.booleans(),
    )
    def add(self, readable: list[bytes], writable: list[int], indirect: bool) -> None:
        assert self.bench is not None
        segments, areas = [], []
        for data in readable:
            area = self.bench.buffers.allocate(len(data) + 16)
            self.bench.memory.write(area, data)
            segments.append(Segment(area, len(data)))
            areas.append(area)
        for length in writable:
            area = self.bench.buffers.allocate(length + 16)
            segments.append(Segment(area, length, True))
            areas.append(area)
        if not segments:
            return
        number = self.added
        needed = 1 if indirect else len(segments)
        if needed > self.bench.ring.free_descriptors:
            with pytest.raises(RingFull):
                self.bench.ring.add(segments, indirect=indirect)
            for area in areas:
                self.bench.buffers.free(area)
            return
        self.bench.ring.add(segments, indirect=indirect, owner=number)
        self.added += 1
        self.areas[number] = areas
        self.sent[number] = (b"".join(readable), sum(writable))
        self.unpublished.append(number)

    @rule()
    def publish(self) -> None:
        assert self.bench is not None
        # The device asks for a kick with the next chain that it has not seen.
        idle = self.bench.device.available == 0
        assert self.bench.ring.publish() == bool(
            self.unpublished and (idle or not self.bench.device.event_idx)
        )
        self.at_device += self.unpublished
        self.unpublished.clear()
        assert self.bench.device.available == len(self.at_device)

    @precondition(lambda self: self.bench is not None and self.at_device)
    @rule(data=st.data())
    def device_pops_and_fills(self, data: st.DataObject) -> None:
        assert self.bench is not None
        number = self.at_device.pop(0)
        head, pieces = self.bench.device.pop()
        sent, room = self.sent[number]
        assert self.bench.device.gather(pieces) == sent
        assert sum(p.length for p in pieces if p.writable) == room
        filled = data.draw(st.binary(max_size=room))
        self.bench.device.scatter(pieces, filled)
        self.popped.append((number, head, filled))

    @precondition(lambda self: self.bench is not None and self.popped)
    @rule(data=st.data())
    def device_pushes(self, data: st.DataObject) -> None:
        assert self.bench is not None
        which = data.draw(st.integers(0, len(self.popped) - 1))
        number, head, filled = self.popped.pop(which)
        self.bench.device.push(head, len(filled))
        self.pushed.append((number, filled))

    @rule()
    def device_publishes(self) -> None:
        assert self.bench is not None
        self.bench.device.publish()
        self.returned += self.pushed
        self.pushed.clear()

    @rule()
    def collect(self) -> None:
        assert self.bench is not None
        assert self.bench.ring.pending() == len(self.returned)
        used = self.bench.ring.collect()
        got = []
        for chain, length in used:
            assert isinstance(chain.owner, int)
            data = b"".join(
                self.bench.memory.read(s.address, s.length) for s in chain.segments if s.writable
            )
            got.append((chain.owner, data[:length]))
            for area in self.areas.pop(chain.owner):
                self.bench.buffers.free(area)
        assert got == self.returned
        self.returned.clear()

    @invariant()
    def nothing_is_odd(self) -> None:
        if self.bench is not None:
            self.bench.ring.check_memory()
            assert self.bench.log.entries == []
            assert self.bench.ring.outstanding == len(self.areas)


RingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRing = RingMachine.TestCase
