# SPDX-License-Identifier: BSD-2-Clause
"""Guest memory and its allocator."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rpmsg_conformance.virtio.allocator import Allocator, OutOfGuestMemory
from rpmsg_conformance.virtio.memory import BadAddress, GuestMemory, RegionSpec

LOW, HIGH = 0x1000_0000, 0x2_0000_0000


@pytest.fixture
def memory() -> Iterator[GuestMemory]:
    """Two adjoining regions at LOW, and one above 4 GiB."""
    made = GuestMemory(
        [RegionSpec(LOW, 0x2000), RegionSpec(LOW + 0x2000, 0x1000), RegionSpec(HIGH, 0x1000)]
    )
    yield made
    made.close()


def test_memory_is_shared_through_the_descriptor_at_the_offset() -> None:
    memory = GuestMemory([RegionSpec(LOW, 0x1000, mmap_offset=0x3000)])
    memory.write(LOW + 16, b"hello")
    region = memory.regions[0]
    with mmap.mmap(region.fd, 0x1000, offset=region.mmap_offset) as other:
        assert other[16:21] == b"hello"
        other[16:21] = b"world"
    assert memory.read(LOW + 16, 5) == b"world"
    memory.close()


@given(st.integers(0, 0x3000), st.binary(max_size=0x1000))
def test_memory_reads_back_what_was_written_across_adjoining_regions(
    offset: int, data: bytes
) -> None:
    memory = GuestMemory([RegionSpec(LOW, 0x2000), RegionSpec(LOW + 0x2000, 0x2000)])
    try:
        if offset + len(data) <= 0x4000:
            memory.write(LOW + offset, data)
            assert memory.read(LOW + offset, len(data)) == data
    finally:
        memory.close()


def test_memory_range_that_leaves_all_regions_is_refused(memory: GuestMemory) -> None:
    assert memory.contains(LOW, 0x3000)
    assert not memory.contains(LOW, 0x3001)
    with pytest.raises(BadAddress):
        memory.read(LOW + 0x2FFF, 2)
    with pytest.raises(BadAddress):
        memory.write(HIGH - 1, b"xy")


def test_memory_view_does_not_span_regions(memory: GuestMemory) -> None:
    with pytest.raises(BadAddress):
        memory.view(LOW + 0x1FFE, 4, "H")


def test_memory_user_addresses_differ_from_guest_addresses_and_never_adjoin(
    memory: GuestMemory,
) -> None:
    first, second, third = (memory.user_addr_of(r.guest_addr) for r in memory.regions)
    assert second - first != 0x2000
    assert len({first, second, third, LOW, LOW + 0x2000, HIGH}) == 6
    assert memory.user_addr_of(LOW + 7) == first + 7


def test_memory_regions_that_overlap_are_refused(memory: GuestMemory) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        memory.add(RegionSpec(LOW + 0x2FFF, 2))


def test_memory_view_is_unusable_after_close_and_no_descriptor_is_left() -> None:
    before = set(os.listdir("/proc/self/fd"))
    memory = GuestMemory([RegionSpec(LOW, 0x1000)])
    view = memory.view(LOW, 16, "H")
    memory.close()
    with pytest.raises(ValueError, match="released"):
        view[0]
    assert set(os.listdir("/proc/self/fd")) == before


def test_memory_region_can_be_added_and_removed(memory: GuestMemory) -> None:
    region = memory.add(RegionSpec(0x5000, 0x1000))
    memory.write(0x5000, b"x")
    memory.remove(region)
    assert not memory.contains(0x5000, 1)


class AllocatorMachine(RuleBasedStateMachine):
    """Random allocating and freeing against a plain list of what is in use."""

    RANGES = ((0x1003, 0x400), (0x1403, 0x100), (HIGH, 0x200))

    def __init__(self) -> None:
        super().__init__()
        self.allocator = Allocator(self.RANGES)
        self.model: dict[int, int] = {}

    @rule(
        size=st.integers(1, 0x180),
        align=st.sampled_from((1, 2, 4, 16, 64)),
        within=st.sampled_from((None, *RANGES)),
    )
    def allocate(self, size: int, align: int, within: tuple[int, int] | None) -> None:
        try:
            address = self.allocator.allocate(size, align, within)
        except OutOfGuestMemory:
            assert not self._would_fit(size, align, within)
            return
        assert address % align == 0
        ranges = self.RANGES if within is None else (within,)
        assert any(s <= address and address + size <= s + n for s, n in ranges)
        for start, length in self.model.items():
            assert address + size <= start or start + length <= address
        self.model[address] = size

    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        if self.model:
            address = data.draw(st.sampled_from(sorted(self.model)))
            del self.model[address]
            self.allocator.free(address)

    @invariant()
    def books_agree(self) -> None:
        assert self.allocator.allocated == self.model
        total = sum(size for _, size in self.RANGES)
        assert self.allocator.free_bytes == total - sum(self.model.values())

    def _would_fit(self, size: int, align: int, within: tuple[int, int] | None) -> bool:
        ranges = self.RANGES if within is None else (within,)
        for start, length in ranges:
            for address in range(-(-start // align) * align, start + length - size + 1, align):
                if all(address + size <= s or s + n <= address for s, n in self.model.items()):
                    return True
        return False


TestAllocator = AllocatorMachine.TestCase


def test_allocator_free_of_what_was_not_allocated_is_refused() -> None:
    with pytest.raises(KeyError):
        Allocator([(0, 16)]).free(0)


def test_allocator_everything_freed_can_be_had_in_one_piece() -> None:
    allocator = Allocator([(0x1000, 0x100)])
    pieces = [allocator.allocate(16) for _ in range(16)]
    for piece in pieces[::2] + pieces[1::2]:
        allocator.free(piece)
    assert allocator.allocate(0x100) == 0x1000


@pytest.mark.parametrize("first", [0, 1])
def test_allocator_ranges_that_adjoin_are_never_joined(first: int) -> None:
    allocator = Allocator([(0x1000, 0x100), (0x1100, 0x100)])
    halves = [allocator.allocate(0x100) for _ in range(2)]
    allocator.free(halves[first])
    allocator.free(halves[1 - first])
    with pytest.raises(OutOfGuestMemory):
        allocator.allocate(0x101, 1)
