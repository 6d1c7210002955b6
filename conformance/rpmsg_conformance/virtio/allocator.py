# SPDX-License-Identifier: BSD-2-Clause
"""Which part of guest memory is in use: first fit over sorted free ranges of addresses."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable


class OutOfGuestMemory(Exception):
    """No free range is large enough: the configuration asks for too much. Our own fault."""


class Allocator:
    """Hands out address ranges. Ranges given to it that adjoin stay apart, like their regions."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges: list[tuple[int, int]] = []
        self._free: list[tuple[int, int]] = []
        self._used: dict[int, int] = {}
        for start, size in ranges:
            self.add_range(start, size)

    def add_range(self, start: int, size: int) -> None:
        """Make ``size`` bytes from ``start`` available. Raises ValueError when they overlap."""
        end = start + size
        if size <= 0 or any(start < e and s < end for s, e in self._ranges):
            raise ValueError(f"range {start:#x}..{end:#x} is empty or overlaps another")
        self._ranges.append((start, end))
        self._insert(start, end)

    def allocate(self, size: int, align: int = 16, within: tuple[int, int] | None = None) -> int:
        """Address of ``size`` free bytes, a multiple of ``align``; inside ``within`` (start, size).

        Raises OutOfGuestMemory.
        """
        if size <= 0 or align <= 0:
            raise ValueError(f"cannot allocate {size} bytes aligned to {align}")
        low, high = (0, 1 << 64) if within is None else (within[0], within[0] + within[1])
        for number, (start, end) in enumerate(self._free):
            at = -(-max(start, low) // align) * align
            if at + size <= min(end, high):
                pieces = [(start, at), (at + size, end)]
                self._free[number : number + 1] = [(a, b) for a, b in pieces if a < b]
                self._used[at] = size
                return at
        raise OutOfGuestMemory(f"no {size} bytes aligned to {align} are free")

    def free(self, address: int) -> None:
        """Give back what allocate() returned. Raises KeyError for anything else."""
        size = self._used.pop(address)
        self._insert(address, address + size)

    @property
    def allocated(self) -> dict[int, int]:
        """Address and size of everything in use; a copy."""
        return dict(self._used)

    @property
    def free_bytes(self) -> int:
        """Bytes that are not in use."""
        return sum(end - start for start, end in self._free)

    def _insert(self, start: int, end: int) -> None:
        at = bisect_left(self._free, (start, end))
        if at > 0 and self._free[at - 1][1] == start and self._joinable(start):
            start = self._free[at - 1][0]
            at -= 1
            del self._free[at]
        if at < len(self._free) and self._free[at][0] == end and self._joinable(end):
            end = self._free[at][1]
            del self._free[at]
        self._free.insert(at, (start, end))

    def _joinable(self, boundary: int) -> bool:
        return all(boundary != start for start, _ in self._ranges)
