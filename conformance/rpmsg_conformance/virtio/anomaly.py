# SPDX-License-Identifier: BSD-2-Clause
"""What the peer did against the rules of rings and messages: a record, never an exception.

The safe half of the host writes one entry for each occurrence and goes on as well as it can; a case
looks at the list when it ends, and so does the fixture around every case.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from rpmsg_conformance.virtio.trace import Trace


class Kind(StrEnum):
    """One thing that a device or back-end can do wrong."""

    # The used ring.
    USED_INDEX_JUMP = "used.idx moved past the buffers that the device has"
    USED_ID_RANGE = "used entry names a descriptor that does not exist"
    USED_ID_NOT_HEAD = "used entry names a descriptor inside a chain, not its head"
    USED_ID_FREE = "used entry names a descriptor that was never made available"
    USED_TWICE = "used entry returns a buffer that was returned already"
    USED_LENGTH = "used length is above the device-writable bytes of the buffer"
    USED_LENGTH_OF_READABLE = "used length is not 0 for a buffer that is only read"
    USED_FLAGS = "used.flags holds a value that the device may not set"
    # Memory.
    READABLE_WRITTEN = "a device-readable buffer was written to"
    OUTSIDE_WRITTEN = "bytes behind a device-writable buffer were written to"
    TABLE_WRITTEN = "the descriptor table or the available ring was written to"
    # Notifications.
    CALL_MISSING = "buffers were returned without the notification that was asked for"
    VRING_ERROR = "the back-end signalled an error of a ring"
    # The vhost-user socket.
    UNSOLICITED = "the back-end sent a message that nobody asked for"
    REPLY_FLAGS = "flags of a reply are not version 1 with the reply bit"


#: Not forbidden: VIRTIO asks for 0, but OpenAMP and rpmsg-lite return the descriptor's length.
TOLERATED: Final = frozenset((Kind.USED_LENGTH_OF_READABLE,))


class Anomaly(NamedTuple):
    """One occurrence. ``queue`` is None for the socket; ``head`` is the descriptor concerned."""

    kind: Kind
    queue: int | None
    head: int | None
    expected: str
    seen: str

    def __str__(self) -> str:
        where = "socket" if self.queue is None else f"queue {self.queue}"
        if self.head is not None:
            where += f", descriptor {self.head}"
        return f"{self.kind.value} ({where}): expected {self.expected}, saw {self.seen}"


class Log:
    """The anomalies of one host, in the order in which they were found.

    ``trace`` takes everything that passes over the host's connections, anomalies included.
    """

    #: Kept in full; a device that errs more often is only counted.
    LIMIT: Final = 1000

    def __init__(self, trace: Trace | None = None) -> None:
        self.trace = trace if trace is not None else Trace()
        self.entries: list[Anomaly] = []
        self.total = 0

    def record(
        self, kind: Kind, queue: int | None, head: int | None, expected: object, seen: object
    ) -> None:
        """Add one occurrence."""
        self.total += 1
        if len(self.entries) < self.LIMIT:
            anomaly = Anomaly(kind, queue, head, str(expected), str(seen))
            self.entries.append(anomaly)
            self.trace.remark(str(anomaly), wrong=kind not in TOLERATED)

    def forbidden(self) -> list[Anomaly]:
        """Those that no rule allows."""
        return [entry for entry in self.entries if entry.kind not in TOLERATED]

    def of(self, *kinds: Kind) -> list[Anomaly]:
        """Those of the given kinds."""
        return [entry for entry in self.entries if entry.kind in kinds]

    def clear(self) -> list[Anomaly]:
        """Forget all, and return them: for a case that provoked them."""
        entries, self.entries, self.total = self.entries, [], 0
        return entries
