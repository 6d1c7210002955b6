# SPDX-License-Identifier: BSD-2-Clause
"""The driver side of the split ring, against devices that err: each is found out, as what it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from virtio_device import Device

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.allocator import Allocator
from rpmsg_conformance.virtio.anomaly import TOLERATED, Kind, Log
from rpmsg_conformance.virtio.memory import GuestMemory, RegionSpec
from rpmsg_conformance.virtio.ring import DriverRing, Segment
from rpmsg_conformance.virtio.ring_raw import RawDesc, RawRing, flipping

START, BUFFERS = 0x4000_0000, 0x4000_8000


class Bench:
    """A ring of 8 with both ends and a log; two readable and two writable buffers are posted."""

    def __init__(self, event_idx: bool) -> None:
        self.memory = GuestMemory([RegionSpec(START, 0x10000)])
        self.log = Log()
        allocator = Allocator([(START, 0x8000)])
        self.ring = DriverRing(self.memory, allocator, self.log, 1, 8, event_idx=event_idx)
        self.device = Device(self.ring, event_idx, 0)
        for number in range(2):
            self.ring.add([Segment(BUFFERS + 0x100 * number, 64)])
        for number in range(2, 4):
            self.ring.add([Segment(BUFFERS + 0x100 * number, 64, True)])
        self.ring.publish()
        self.heads = [self.device.pop()[0] for _ in range(4)]

    def give(self, *entries: tuple[int, int]) -> int:
        """Return these (id, length) together; returns how many the driver accepted."""
        for head, length in entries:
            self.device.push(head, length)
        self.device.publish()
        return len(self.ring.collect())

    @property
    def kinds(self) -> list[Kind]:
        """What was recorded."""
        return [entry.kind for entry in self.log.entries]


@pytest.fixture(params=[False, True], ids=["flags", "event_idx"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    yield made
    made.memory.close()


def test_device_that_keeps_the_rules_is_blameless(bench: Bench) -> None:
    bench.memory.write(BUFFERS + 0x200, bytes(range(64)))
    assert bench.give(*[(head, 0) for head in bench.heads[:2]], (bench.heads[2], 64)) == 3
    bench.ring.check_memory()
    assert bench.kinds == []


def test_id_out_of_range_is_recorded_and_the_rest_goes_on(bench: Bench) -> None:
    assert bench.give((8, 0), (bench.heads[0], 0)) == 1
    assert bench.kinds == [Kind.USED_ID_RANGE]
    assert bench.ring.broken is None


@pytest.mark.parametrize("head", [0x10000, 0xFFFF, 0x80000000])
def test_id_is_judged_in_all_its_32_bits(bench: Bench, head: int) -> None:
    assert bench.give((head, 0)) == 0
    assert bench.kinds == [Kind.USED_ID_RANGE]


def test_id_never_made_available_is_recorded(bench: Bench) -> None:
    assert bench.give((7, 0)) == 0
    assert bench.kinds == [Kind.USED_ID_FREE]


def test_buffer_returned_twice_in_one_batch_is_recorded_once(bench: Bench) -> None:
    assert bench.give((bench.heads[1], 0), (bench.heads[1], 0)) == 1
    assert bench.kinds == [Kind.USED_TWICE]


def test_buffer_returned_again_later_is_recorded(bench: Bench) -> None:
    bench.give(*[(head, 0) for head in bench.heads])
    assert bench.kinds == []
    assert bench.give((bench.heads[0], 0)) == 0
    assert bench.kinds == [Kind.USED_TWICE]


def test_descriptor_inside_a_chain_is_no_head(bench: Bench) -> None:
    head = bench.ring.add([Segment(BUFFERS + 0x500, 4), Segment(BUFFERS + 0x600, 4)])
    bench.ring.publish()
    bench.device.pop()
    inner = bench.ring.posted[head].descriptors[1]
    assert bench.give((inner, 0)) == 0
    assert bench.kinds == [Kind.USED_ID_NOT_HEAD]


def test_used_length_above_the_writable_bytes_is_recorded(bench: Bench) -> None:
    assert bench.give((bench.heads[2], 64), (bench.heads[3], 65)) == 2
    assert bench.kinds == [Kind.USED_LENGTH]


def test_used_length_of_a_readable_buffer_is_recorded_as_tolerated(bench: Bench) -> None:
    assert bench.give((bench.heads[0], 64)) == 1
    assert bench.kinds == [Kind.USED_LENGTH_OF_READABLE]
    assert bench.kinds[0] in TOLERATED
    assert bench.log.forbidden() == []


@pytest.mark.parametrize("step", [9, 1000, 65535])
def test_index_jump_beyond_the_ring_breaks_it(bench: Bench, step: int) -> None:
    RawRing.of(bench.ring).used_index = step
    assert bench.ring.collect() == []
    assert bench.kinds == [Kind.USED_INDEX_JUMP]
    assert bench.ring.broken is not None
    assert bench.ring.collect() == []
    assert len(bench.kinds) == 1


def test_index_that_moves_without_an_entry_breaks_the_ring_after_what_was_written(
    bench: Bench,
) -> None:
    bench.device.push(bench.heads[0], 0)
    RawRing.of(bench.ring).used_index = 2
    assert len(bench.ring.collect()) == 1
    assert bench.kinds == [Kind.USED_INDEX_JUMP]
    assert bench.ring.broken is not None


def test_index_that_moves_without_an_entry_is_found_in_a_later_round_too(bench: Bench) -> None:
    for _ in range(3):
        bench.give(*[(head, 0) for head in bench.heads])
        bench.heads = [bench.ring.add([Segment(BUFFERS, 8)]) for _ in range(4)]
        bench.ring.publish()
        for _ in range(4):
            bench.device.pop()
    RawRing.of(bench.ring).used_index = 13
    bench.ring.collect()
    assert bench.kinds == [Kind.USED_INDEX_JUMP]


def test_device_that_never_stops_does_not_hold_the_driver_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_more(kind: Kind, *rest: object) -> None:
        bench.device.push(8, 0)
        bench.device.publish()

    monkeypatch.setattr(bench.log, "record", one_more)
    bench.device.push(8, 0)
    bench.device.publish()
    assert bench.ring.collect() == []
    assert bench.ring.pending() == 1


def test_write_into_a_readable_buffer_is_recorded_with_its_place(bench: Bench) -> None:
    bench.memory.write(BUFFERS + 8, b"\x01")
    assert bench.give((bench.heads[0], 0)) == 1
    assert bench.kinds == [Kind.READABLE_WRITTEN]
    assert "offset 8" in bench.log.entries[0].expected
    assert bench.log.entries[0].seen.startswith("01")


def test_write_behind_a_writable_buffer_is_recorded(bench: Bench) -> None:
    bench.memory.write(BUFFERS + 0x200, bytes(range(65)))
    assert bench.give((bench.heads[2], 64)) == 1
    assert bench.kinds == [Kind.OUTSIDE_WRITTEN]


def test_write_within_a_writable_buffer_beyond_the_used_length_is_allowed(bench: Bench) -> None:
    bench.memory.write(BUFFERS + 0x200, bytes(range(64)))
    bench.give((bench.heads[2], 16))
    assert bench.kinds == []


def test_write_behind_one_descriptor_of_a_chain_is_recorded(bench: Bench) -> None:
    apart = [Segment(BUFFERS + 0x700, 4, True), Segment(BUFFERS + 0x740, 4, True)]
    head = bench.ring.add(apart)
    bench.ring.publish()
    bench.device.pop()
    bench.memory.write(BUFFERS + 0x700, b"12345678")
    bench.give((head, 8))
    assert bench.kinds == [Kind.OUTSIDE_WRITTEN]


def test_chain_whose_descriptors_adjoin_has_no_guard_inside(bench: Bench) -> None:
    adjoining = [Segment(BUFFERS + 0x700, 4, True), Segment(BUFFERS + 0x704, 4, True)]
    head = bench.ring.add(adjoining)
    bench.ring.publish()
    bench.device.pop()
    bench.memory.write(BUFFERS + 0x700, b"12345678")
    bench.give((head, 8))
    assert bench.kinds == []


def test_memory_of_an_outstanding_chain_is_checked_on_demand_unless_forgiven(bench: Bench) -> None:
    bench.memory.write(BUFFERS, b"\x01")
    bench.memory.write(BUFFERS + 0x100, b"\x01")
    bench.ring.forgive(bench.heads[1])
    bench.ring.check_memory()
    assert [(e.kind, e.head) for e in bench.log.entries] == [
        (Kind.READABLE_WRITTEN, bench.heads[0])
    ]


@pytest.mark.parametrize("offset", [0, 15, 127])
def test_write_into_the_descriptor_table_is_recorded(bench: Bench, offset: int) -> None:
    bench.memory.write(bench.ring.places.desc + offset, b"\xee")
    bench.ring.check_memory()
    assert bench.kinds == [Kind.TABLE_WRITTEN]
    assert f"byte {offset}" in bench.log.entries[0].expected


@pytest.mark.parametrize("offset", [0, 2, 4, 21])
def test_write_into_the_available_ring_is_recorded(bench: Bench, offset: int) -> None:
    bench.memory.write(bench.ring.places.avail + offset, b"\xee")
    bench.ring.check_memory()
    assert bench.kinds == [Kind.TABLE_WRITTEN]


def test_write_behind_the_used_ring_is_recorded(bench: Bench) -> None:
    bench.memory.write(bench.ring.places.used + c.used_bytes(8), b"\0")
    bench.ring.check_memory()
    assert bench.kinds == [Kind.OUTSIDE_WRITTEN]


def test_used_flags_that_do_not_exist_are_recorded(bench: Bench) -> None:
    bench.memory.write(bench.ring.places.used, b"\x02\x00")
    bench.give((bench.heads[0], 0))
    assert bench.kinds == [Kind.USED_FLAGS]


def test_no_notify_is_a_flag_only_without_event_idx(bench: Bench) -> None:
    bench.memory.write(bench.ring.places.used, b"\x01\x00")
    bench.give((bench.heads[0], 0))
    assert bench.kinds == ([Kind.USED_FLAGS] if bench.ring.event_idx else [])


def test_anomaly_says_what_where_expected_and_seen(bench: Bench) -> None:
    bench.give((bench.heads[3], 700))
    text = str(bench.log.entries[0])
    assert text == (
        "used length is above the device-writable bytes of the buffer "
        f"(queue 1, descriptor {bench.heads[3]}): expected at most 64, saw 700"
    )


def test_log_keeps_counting_beyond_its_limit() -> None:
    log = Log()
    for _ in range(Log.LIMIT + 5):
        log.record(Kind.USED_TWICE, 0, 0, 0, 0)
    assert (len(log.entries), log.total) == (Log.LIMIT, Log.LIMIT + 5)
    assert len(log.clear()) == Log.LIMIT
    assert (log.entries, log.total) == ([], 0)


def test_raw_half_writes_every_field_where_the_device_finds_it(bench: Bench) -> None:
    raw = RawRing.of(bench.ring)
    memory, places = bench.memory, bench.ring.places
    raw.write_desc(5, 0x1122334455667788, 0x99AABBCC, 0xDDEE, 0xF00F)
    assert memory.read(places.desc + 80, 16).hex() == "8877665544332211ccbbaa99eedd0ff0"
    assert raw.read_desc(5) == RawDesc(0x1122334455667788, 0x99AABBCC, 0xDDEE, 0xF00F)
    raw.avail_flags, raw.avail_index, raw.used_event = 0x0102, 0x0304, 0x0506
    raw.write_avail(7, 0x0708)
    avail = memory.read(places.avail, c.avail_bytes(8))
    assert (avail[:4], avail[18:]) == (b"\x02\x01\x04\x03", b"\x08\x07\x06\x05")
    raw.used_flags, raw.used_index, raw.avail_event = 0x1112, 0x1314, 0x1516
    raw.write_used(7, 0x21222324, 0x25262728)
    used = memory.read(places.used, c.used_bytes(8))
    assert (used[:4], used[60:].hex()) == (b"\x12\x11\x14\x13", "24232221282726251615")
    assert raw.read_used(7) == (0x21222324, 0x25262728)
    assert (raw.avail_flags, raw.avail_index, raw.used_event) == (0x0102, 0x0304, 0x0506)
    assert (raw.used_flags, raw.used_index, raw.avail_event) == (0x1112, 0x1314, 0x1516)


def test_raw_offer_appends_behind_the_published_index_and_wraps(bench: Bench) -> None:
    raw = RawRing.of(bench.ring)
    raw.avail_index = 65535
    raw.offer(3)
    assert raw.avail_index == 0
    assert bench.memory.read(bench.ring.places.avail + 4 + 2 * 7, 2) == b"\x03\0"


def test_raw_changes_are_no_anomaly_after_resync(bench: Bench) -> None:
    raw = RawRing.of(bench.ring)
    raw.write_desc(6, 1, 2, 3, 4)
    raw.offer(6)
    bench.ring.resync()
    bench.ring.check_memory()
    assert bench.kinds == []
    assert bench.ring.avail_index == 5


_WATCH = """
import mmap, sys
with mmap.mmap(int(sys.argv[1]), 0) as memory:
    seen = set()
    while not {b"aa", b"bb"} <= seen:
        seen.add(memory[0x8000:0x8002])
"""


def test_flipping_shows_both_values_to_another_process_and_leaves_the_second(bench: Bench) -> None:
    fd = bench.memory.regions[0].fd
    with flipping(bench.memory, BUFFERS, b"aa", b"bb"):
        watch = [sys.executable, "-c", _WATCH, str(fd)]
        subprocess.run(watch, pass_fds=[fd], timeout=30, check=True)
    assert bench.memory.read(BUFFERS, 2) == b"bb"
