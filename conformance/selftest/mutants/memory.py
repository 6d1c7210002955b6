# SPDX-License-Identifier: BSD-2-Clause
"""Guest memory as the back-end maps it: regions, and addresses checked before they are used."""

from __future__ import annotations

import mmap
import os
import stat
import struct
from dataclasses import dataclass

from mutants.chosen import die, mutant

_TOP = 1 << 64


class Outside(Exception):
    """Bytes that are not guest memory."""


class Refused(Exception):
    """A request that is not carried out."""


@dataclass
class Region:
    """One region. ``start`` is its guest address, ``user`` the front-end's, all in bytes."""

    start: int
    size: int
    user: int
    offset: int
    map: mmap.mmap
    used: bool = True

    @property
    def key(self) -> tuple[int, int, int]:
        """What REM_MEM_REG names it by."""
        return self.start, self.size, self.user


def open_region(start: int, size: int, user: int, offset: int, fd: int) -> Region:
    """Map a region from its file. Raises Refused."""
    if not size or start + size > _TOP or user + size > _TOP or offset + size > _TOP:
        raise Refused("a region is empty or wraps around")
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size < offset + size:
        raise Refused("a file cannot back its region")
    try:
        return Region(start, size, user, offset, mmap.mmap(fd, offset + size))
    except (OSError, ValueError) as error:
        raise Refused(f"a region cannot be mapped: {error}") from error


def overlap(regions: list[Region]) -> bool:
    """Whether two of them share a guest address or an address of the front-end."""
    for which in ("start", "user"):
        spans = sorted((getattr(r, which), getattr(r, which) + r.size) for r in regions)
        if any(one[1] > two[0] for one, two in zip(spans, spans[1:])):
            return True
    return False


class Memory:
    """All regions."""

    def __init__(self) -> None:
        self.regions: list[Region] = []

    def _pieces(self, address: int, length: int) -> list[tuple[Region, int, int]]:
        """(region, place in its map, bytes) of a span. Raises Outside."""
        if mutant("vq-address-of-32-bits"):
            address &= 0xFFFFFFFF
        if mutant("vq-outside-dies") and address + length > _TOP:
            die("address wraps")
        found = []
        while True:
            for region in self.regions:
                if region.used and region.start <= address < region.start + region.size:
                    break
            else:
                raise Outside(f"{address:#x}")
            part = min(length, region.start + region.size - address)
            found.append((region, region.offset + address - region.start, part))
            length -= part
            address += part
            if not length:
                return found
            if mutant("vu-border"):
                raise Outside("the region ends")

    def read(self, address: int, length: int) -> bytes:
        """Bytes at a guest address. Raises Outside."""
        return b"".join(r.map[at : at + part] for r, at, part in self._pieces(address, length))

    def check(self, address: int, length: int) -> None:
        """Raises Outside unless all bytes are memory."""
        self._pieces(address, length)

    def write(self, address: int, data: bytes) -> None:
        """Change bytes at a guest address. Raises Outside."""
        for region, at, part in self._pieces(address, len(data)):
            region.map[at : at + part] = data[:part]
            data = data[part:]

    def part_of_ring(self, user: int, length: int) -> tuple[Region, int]:
        """Where a part of a ring lies that the front-end names by its own address."""
        for region in self.regions:
            if region.user <= user and user + length <= region.user + region.size:
                return region, region.offset + user - region.user
        raise Refused("a ring is not in memory")


class Field:
    """A part of a ring: bytes in the map of one region."""

    def __init__(self, memory: Memory, user: int, length: int) -> None:
        self.user, self.length = user, length
        self.region, self.at = memory.part_of_ring(user, length)

    def u16(self, offset: int) -> int:
        """A little-endian u16, read at once."""
        return int(struct.unpack_from("<H", self.region.map, self.at + offset)[0])

    def put16(self, offset: int, value: int) -> None:
        """Write a little-endian u16 at once, which struct.pack_into does not: it clears first."""
        self.put(offset, (value & 0xFFFF).to_bytes(2, "little"))

    def copy(self, offset: int, length: int) -> bytes:
        """A copy of some bytes."""
        start = self.at + offset
        return self.region.map[start : start + length]

    def put(self, offset: int, data: bytes) -> None:
        """Write some bytes."""
        start = self.at + offset
        self.region.map[start : start + len(data)] = data
