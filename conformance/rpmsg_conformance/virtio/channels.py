# SPDX-License-Identifier: BSD-2-Clause
"""What the remote has announced: the host's view of the name service."""

from __future__ import annotations

from typing import NamedTuple

from rpmsg_conformance.virtio.codec import NameService


class Channel(NamedTuple):
    """A service of the remote: its name and its endpoint's address."""

    name: str
    addr: int


class Announcement(NamedTuple):
    """One name-service message. ``ns`` is None when it was shorter than 40 bytes.

    ``number`` is the message's place among all that came; ``known`` tells whether the channel was
    announced when it came: a CREATE of a known one, and a DESTROY of one that is not, are odd.
    """

    number: int
    src: int
    ns: NameService | None
    payload: bytes
    known: bool


class Channels:
    """Channels by announcement, and every announcement in order."""

    def __init__(self) -> None:
        self.announcements: list[Announcement] = []
        self._open: dict[Channel, None] = {}

    def note(self, number: int, src: int, ns: NameService | None, payload: bytes) -> None:
        """Take one name-service message into account."""
        known = False
        if ns is not None:
            channel = Channel(ns.name, ns.addr)
            known = channel in self._open
            if ns.creates:
                self._open[channel] = None
            else:
                self._open.pop(channel, None)
        self.announcements.append(Announcement(number, src, ns, payload, known))

    @property
    def open(self) -> list[Channel]:
        """The channels that are announced and not withdrawn, oldest first."""
        return list(self._open)

    def find(self, name: str | None = None, addr: int | None = None) -> Channel | None:
        """The oldest open channel of this name and address; None stands for any."""
        for channel in self._open:
            if name in (None, channel.name) and addr in (None, channel.addr):
                return channel
        return None

    def clear(self) -> None:
        """Forget everything: the device was reset."""
        self.announcements.clear()
        self._open.clear()
