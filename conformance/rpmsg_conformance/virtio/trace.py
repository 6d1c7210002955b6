# SPDX-License-Identifier: BSD-2-Clause
"""What passed between this host and the device, in order: the evidence of a case.

Only the last entries are kept, and as they were, so that recording costs next to nothing while a
case runs; trace_text.py makes lines of them, and rpmsg_conformance/capture.py a file.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final, NamedTuple

from rpmsg_conformance.virtio.codec import Order

#: How much of a message is kept, in bytes; ``length`` tells of the rest.
KEPT_BYTES: Final = 4096

#: Stands between a case's own exchanges and that of the suite which follows.
CASE_ENDED: Final = "the case has ended; what follows shows whether the remote still serves"


class Opened(NamedTuple):
    """A connection was made."""

    time_ns: int
    connection: int


class Closed(NamedTuple):
    """A connection ended. ``why`` says by whom."""

    time_ns: int
    connection: int
    why: str


class Request(NamedTuple):
    """Bytes on the vhost-user socket from this side, usually one message, with descriptors."""

    time_ns: int
    connection: int
    data: bytes
    length: int
    fds: int


class Reply(NamedTuple):
    """A message of the back-end on the vhost-user socket."""

    time_ns: int
    connection: int
    request: int
    flags: int
    payload: bytes
    fds: int


class Sent(NamedTuple):
    """A message made available to the device. ``room`` is the length of its descriptors."""

    time_ns: int
    connection: int
    queue: int
    head: int
    room: int
    data: bytes
    length: int
    order: Order
    indirect: bool


class Received(NamedTuple):
    """A buffer that came back filled. ``room`` is its length, ``used`` the used length."""

    time_ns: int
    connection: int
    queue: int
    head: int
    room: int
    used: int
    data: bytes
    order: Order


class Returned(NamedTuple):
    """A buffer that came back, and that holds nothing for this side."""

    time_ns: int
    connection: int
    queue: int
    head: int
    used: int


class Hostile(NamedTuple):
    """Something that a case wrote past the rules of the ring: the parts of a sentence."""

    time_ns: int
    queue: int
    what: tuple[object, ...]


class Remark(NamedTuple):
    """Something found wrong (``wrong``), or what the host itself did."""

    time_ns: int
    text: str
    wrong: bool


Entry = Opened | Closed | Request | Reply | Sent | Received | Returned | Hostile | Remark


class Trace:
    """The last ``limit`` entries of all connections of a case."""

    def __init__(self, limit: int = 400) -> None:
        self.entries: deque[Entry] = deque(maxlen=limit)
        self.total = 0
        #: Number of entries when the case had ended, and what follows is the suite's own exchange.
        self.end: int | None = None
        self._connections = 0

    def clear(self) -> None:
        """Begin anew."""
        self.entries.clear()
        self.total = self._connections = 0
        self.end = None

    def end_case(self) -> None:
        """What follows is no more the case's own doing."""
        if self.end is None:
            self.end = self.total
            self.remark(CASE_ENDED)

    def kept(self, whole: bool = True) -> list[Entry]:
        """The entries that are left; those of the case only, unless ``whole``."""
        entries = list(self.entries)
        if whole or self.end is None:
            return entries
        first = self.total - len(entries)
        return entries[: max(0, self.end - first)]

    def opened(self) -> int:
        """A new connection; returns its number, from 1."""
        self._connections += 1
        self._add(Opened(time.time_ns(), self._connections))
        return self._connections

    def closed(self, connection: int, why: str) -> None:
        """The connection's end."""
        self._add(Closed(time.time_ns(), connection, why))

    def request(self, connection: int, data: bytes, fds: int) -> None:
        """Bytes sent on the socket, with so many descriptors."""
        self._add(Request(time.time_ns(), connection, data[:KEPT_BYTES], len(data), fds))

    def reply(self, connection: int, request: int, flags: int, payload: bytes, fds: int) -> None:
        """A message that came on the socket."""
        self._add(Reply(time.time_ns(), connection, request, flags, payload, fds))

    def sent(
        self, connection: int, queue: int, head: int, room: int, data: bytes, order: Order,
        indirect: bool = False,
    ) -> None:
        """A message that the device can see from the next publication on."""
        self._add(
            Sent(
                time.time_ns(), connection, queue, head, room, data[:KEPT_BYTES], len(data), order,
                indirect,
            )
        )

    def received(
        self, connection: int, queue: int, head: int, room: int, used: int, data: bytes,
        order: Order,
    ) -> None:
        """A message that was found in the used ring."""
        self._add(
            Received(
                time.time_ns(), connection, queue, head, room, used, data[:KEPT_BYTES], order
            )
        )

    def returned(self, connection: int, queue: int, head: int, used: int) -> None:
        """A used entry without a message."""
        self._add(Returned(time.time_ns(), connection, queue, head, used))

    def hostile(self, queue: int, *what: object) -> None:
        """A field of a ring was written as no host may."""
        self._add(Hostile(time.time_ns(), queue, what))

    def remark(self, text: str, wrong: bool = False) -> None:
        """Anything else."""
        self._add(Remark(time.time_ns(), text, wrong))

    def _add(self, entry: Entry) -> None:
        self.total += 1
        self.entries.append(entry)
