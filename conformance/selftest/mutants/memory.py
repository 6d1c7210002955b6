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

#: Bytes for which a bit of the dirty log stands.
LOG_PAGE = 4096


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


class DirtyLog:
    """One bit for each page of guest memory, shared with the front-end."""

    def __init__(self, memory: Memory, fd: int, size: int, offset: int) -> None:
        """Map ``size`` bytes of a file. Raises Refused when they are not there or not enough."""
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or offset + size > status.st_size:
            raise Refused("a file cannot hold the log")
        end = max((region.start + region.size for region in memory.regions), default=0)
        if not mutant("vu-log-too-small") and (not size or end > 8 * LOG_PAGE * size):
            raise Refused("a log that is too small")
        self.at, self.size = offset, size
        self.map = mmap.mmap(fd, offset + size) if size else None

    def mark(self, address: int, length: int) -> None:
        """Say that some bytes were written."""
        for page in range(address // LOG_PAGE, (address + max(1, length) - 1) // LOG_PAGE + 1):
            if self.map is not None and page // 8 < self.size:
                self.map[self.at + page // 8] |= 1 << page % 8


class Memory:
    """All regions. ``log`` is where writes are noted, and is used when ``logging`` is on."""

    def __init__(self) -> None:
        self.regions: list[Region] = []
        self.log: DirtyLog | None = None
        self.logging = False

    def wrote(self, address: int, length: int) -> None:
        """Note a write at a guest address."""
        if self.logging and self.log is not None:
            self.log.mark(address, length)

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
        length = len(data)
        for region, at, part in self._pieces(address, length):
            region.map[at : at + part] = data[:part]
            data = data[part:]
        if not mutant("vu-log-forgets-buffers"):
            self.wrote(address, length)

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
        self.memory = memory
        #: Guest address by which writes are logged, if they are.
        self.logged: int | None = None
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
        if self.logged is not None and not mutant("vu-log-forgets-rings"):
            self.memory.wrote(self.logged + offset, len(data))
