# SPDX-License-Identifier: BSD-2-Clause
"""What keeps the host from going on. Each says something about the peer, not about the suite."""

from __future__ import annotations


class PeerError(Exception):
    """Base of everything that the peer did, or did not do, and that ends an operation."""


class Unreachable(PeerError):
    """The socket could not be connected."""


class PeerClosed(PeerError):
    """The peer closed the connection, or it died."""


class PeerTimeout(PeerError):
    """The peer did not do in time what was waited for."""


class ReplyTimeout(PeerTimeout):
    """A request got no reply in time."""


class ReplyMalformed(PeerError):
    """A reply cannot be taken for an answer: wrong request, version, flags, size or descriptors."""


class Refused(PeerError):
    """With REPLY_ACK: the peer answered a request with something other than 0."""

    def __init__(self, request: str, value: int) -> None:
        super().__init__(f"{request} was refused with {value:#x}")
        self.request = request
        self.value = value


class NotOffered(PeerError):
    """The peer does not offer what the configuration of the host demands."""


class RingBroken(PeerError):
    """The device's use of a ring cannot be followed any further."""


class NoBuffer(PeerTimeout):
    """All buffers of the send queue are at the device, and none came back in time."""
