# SPDX-License-Identifier: BSD-2-Clause
"""Guest memory: regions in memfds, at any guest-physical addresses, shared with the back-end.

Front-end ("user") addresses are labels that only messages carry. They are chosen far away from the
guest-physical ones and never adjoin, so that a back-end that mixes the two up is found out.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rpmsg_conformance.virtio.messages import MemoryRegion

_FIRST_USER_ADDR: Final = 0x7000_0000_0000
_USER_ADDR_STEP: Final = 0x100_0000_0000


class BadAddress(ValueError):
    """A range is not, or not as a whole, guest memory: a mistake of the suite."""


@dataclass(frozen=True)
class RegionSpec:
    """A region to be made. ``user_addr`` None: chosen; ``mmap_offset``: bytes of the file before
    the region begins (a multiple of the page size)."""

    guest_addr: int
    size: int
    user_addr: int | None = None
    mmap_offset: int = 0


class Region:
    """One region: a mapping of a memfd of its own. ``map`` starts at ``mmap_offset``."""

    def __init__(self, spec: RegionSpec, user_addr: int) -> None:
        if spec.size <= 0:
            raise ValueError(f"region at {spec.guest_addr:#x} has no size")
        self.guest_addr = spec.guest_addr
        self.size = spec.size
        self.user_addr = user_addr
        self.mmap_offset = spec.mmap_offset
        self.fd = os.memfd_create("rpmsg-conform", os.MFD_CLOEXEC)
        try:
            os.ftruncate(self.fd, spec.mmap_offset + spec.size)
            self.map = mmap.mmap(self.fd, spec.size, offset=spec.mmap_offset)
        except BaseException:
            os.close(self.fd)
            raise

    @property
    def message(self) -> MemoryRegion:
        """The region as SET_MEM_TABLE or ADD_MEM_REG states it."""
        return MemoryRegion(self.guest_addr, self.size, self.user_addr, self.mmap_offset)

    def close(self) -> None:
        """Unmap, and close the descriptor. Views of the region have to be released already."""
        self.map.close()
        os.close(self.fd)


class GuestMemory:
    """All regions. Addresses are guest-physical unless the name says otherwise."""

    def __init__(self, specs: Sequence[RegionSpec] = ()) -> None:
        self.regions: list[Region] = []
        self._views: list[memoryview] = []
        self._next_user_addr = _FIRST_USER_ADDR
        try:
            for spec in specs:
                self.add(spec)
        except BaseException:
            self.close()
            raise

    def add(self, spec: RegionSpec) -> Region:
        """Make one more region. Raises ValueError when it overlaps another."""
        for other in self.regions:
            before = spec.guest_addr + spec.size <= other.guest_addr
            if not before and spec.guest_addr < other.guest_addr + other.size:
                raise ValueError(f"region at {spec.guest_addr:#x} overlaps another")
        user_addr = spec.user_addr
        if user_addr is None:
            user_addr = self._next_user_addr
            self._next_user_addr += _USER_ADDR_STEP
        region = Region(spec, user_addr)
        self.regions.append(region)
        return region

    def remove(self, region: Region) -> None:
        """Unmap one region. Views of it become unusable, as after close()."""
        self.regions.remove(region)
        kept = []
        for view in self._views:
            if view.obj is region.map:
                view.release()
            else:
                kept.append(view)
        self._views = kept
        region.close()

    def close(self) -> None:
        """Unmap everything. A view that somebody still holds raises ValueError when used."""
        for view in self._views:
            view.release()
        self._views.clear()
        while self.regions:
            self.regions.pop().close()

    def region_of(self, address: int, size: int = 1) -> Region:
        """The region that holds the whole range. Raises BadAddress."""
        for region in self.regions:
            offset = address - region.guest_addr
            if 0 <= offset and offset + size <= region.size:
                return region
        raise BadAddress(f"{address:#x}, {size} bytes: not inside one region")

    def user_addr_of(self, address: int) -> int:
        """Front-end address of the byte at ``address``. Raises BadAddress."""
        region = self.region_of(address)
        return region.user_addr + address - region.guest_addr

    def read(self, address: int, size: int) -> bytes:
        """Copy of a range, which may span adjoining regions. Raises BadAddress."""
        for region in self.regions:
            offset = address - region.guest_addr
            if 0 <= offset and offset + size <= region.size:
                return region.map[offset : offset + size]
        return b"".join(
            region.map[offset : offset + part]
            for region, offset, part in self._parts(address, size)
        )

    def write(self, address: int, data: bytes | bytearray) -> None:
        """Copy ``data`` in, across adjoining regions where needed. Raises BadAddress."""
        size = len(data)
        for region in self.regions:
            offset = address - region.guest_addr
            if 0 <= offset and offset + size <= region.size:
                region.map[offset : offset + size] = data
                return
        done = 0
        for region, offset, part in self._parts(address, size):
            region.map[offset : offset + part] = data[done : done + part]
            done += part

    def contains(self, address: int, size: int) -> bool:
        """Whether every byte of the range is memory, adjoining regions counted together."""
        try:
            self._parts(address, size)
        except BadAddress:
            return False
        return True

    def view(self, address: int, size: int, code: Literal["B", "H", "I", "Q"] = "B") -> memoryview:
        """View of a range inside one region, as integers of the machine's own order.

        ``code`` is B, H, I or Q, as in struct: each access of an element is one load or store,
        which struct.pack_into with a byte order is not. Raises BadAddress.
        """
        region = self.region_of(address, size)
        offset = address - region.guest_addr
        with memoryview(region.map) as whole, whole[offset : offset + size] as part:
            view = part.cast(code)
        self._views.append(view)
        return view

    def release(self, view: memoryview) -> None:
        """Release one view early."""
        self._views = [other for other in self._views if other is not view]
        view.release()

    def _parts(self, address: int, size: int) -> list[tuple[Region, int, int]]:
        parts: list[tuple[Region, int, int]] = []
        at, left = address, size
        while left or not parts:
            region = self.region_of(at)
            offset = at - region.guest_addr
            part = min(left, region.size - offset)
            parts.append((region, offset, part))
            at, left = at + part, left - part
        return parts


def _barrier() -> Callable[[], None]:
    """A full memory barrier, for the one order that nothing else gives: store, then load."""
    lock = threading.Lock()

    def locked() -> None:
        # Taking a lock is a locked instruction, and that is a full barrier.
        with lock:
            pass

    if platform.machine() in ("x86_64", "amd64", "i386", "i686"):
        return locked
    numbers = {"aarch64": 283, "riscv64": 283, "loongarch64": 283, "arm": 389, "ppc64le": 365}
    machine = "arm" if platform.machine().startswith("arm") else platform.machine()
    if machine not in numbers or sys.byteorder != "little":
        raise ImportError(f"the suite's host does not run on {platform.machine()}")
    syscall = ctypes.CDLL(None).syscall
    number = numbers[machine]

    def by_kernel() -> None:
        # MEMBARRIER_CMD_GLOBAL_EXPEDITED: the caller passes a full barrier on its way in and out.
        syscall(number, 2, 0, 0)

    return by_kernel


#: Call between a store and a load that must not overtake it, and between dependent ring accesses.
barrier: Final = _barrier()
