# SPDX-License-Identifier: BSD-2-Clause
"""vhost-user requests that are wrong, and what a back-end does about them."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rpmsg_conformance.expect import expect_reaction
from rpmsg_conformance.remote_host import RemoteHost
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.config import PROTOCOL_FEATURES, Config
from rpmsg_conformance.virtio.constants import ProtocolFeature, Request, bit
from rpmsg_conformance.virtio.errors import PeerClosed
from rpmsg_conformance.virtio.frontend import Reply

#: A host that negotiates every protocol feature that it knows what to do with.
EVERYTHING: Final = Config(
    ring_sizes=(16, 16),
    protocol_features=PROTOCOL_FEATURES
    | bit(ProtocolFeature.CONFIGURE_MEM_SLOTS)
    | bit(ProtocolFeature.LOG_SHMFD),
)

#: Requests with a reply of their own.
ANSWERED: Final = frozenset(
    (
        Request.GET_FEATURES,
        Request.GET_PROTOCOL_FEATURES,
        Request.GET_QUEUE_NUM,
        Request.GET_VRING_BASE,
        Request.GET_CONFIG,
        Request.GET_MAX_MEM_SLOTS,
        Request.GET_STATUS,
    )
)

#: What may be done about a request that must be refused. "unanswered" is for back-ends without
#: REPLY_ACK, which cannot say more; what follows shows that nothing came of it.
REFUSALS: Final = frozenset(("refused", "closed", "unanswered"))


def replies_to(
    host: RemoteHost,
    request: int,
    payload: bytes = b"",
    fds: Sequence[int] = (),
    *,
    flags: int = c.VERSION | c.NEED_REPLY,
    size: int | None = None,
) -> list[Reply]:
    """Send one message as it is, then a good one; returns all replies before that one's.

    Raises PeerClosed, ReplyTimeout and ReplyMalformed.
    """
    frontend = host.session.frontend
    probe = (
        Request.GET_PROTOCOL_FEATURES
        if request == Request.GET_FEATURES
        else Request.GET_FEATURES
    )
    frontend.send_raw(m.encode_message(request, payload, flags=flags, size=size), fds)
    frontend.send(probe)
    replies: list[Reply] = []
    while True:
        reply = frontend.receive()
        for fd in reply.fds:
            os.close(fd)
        if reply.header.request == probe:
            return replies
        replies.append(reply)


def reaction_to(
    host: RemoteHost,
    request: int,
    payload: bytes = b"",
    fds: Sequence[int] = (),
    *,
    flags: int = c.VERSION | c.NEED_REPLY,
    size: int | None = None,
) -> str:
    """What the back-end did about a message: "refused", "accepted", "unanswered" or "closed"."""
    try:
        replies = replies_to(host, request, payload, fds, flags=flags, size=size)
    except PeerClosed:
        return "closed"
    if not replies:
        return "unanswered"
    reply = replies[0]
    if len(replies) > 1:
        return f"answered {len(replies)} times"
    if reply.header.request != request:
        return f"answered as request {reply.header.request}"
    if request in ANSWERED:
        return "refused" if not reply.payload else "accepted"
    return "refused" if any(reply.payload) else "accepted"


def expect_refused(host: RemoteHost, seen: str) -> None:
    """Raise Unmet unless a reaction is one to a request that must be refused."""
    allowed = set(REFUSALS)
    if host.session.frontend.has(ProtocolFeature.REPLY_ACK):
        allowed.discard("unanswered")
    expect_reaction(seen, allowed)


def finish(host: RemoteHost) -> None:
    """Whatever is still missing up to a running device, on a connection that has seen only
    negotiate_protocol(), and then a well-formed exchange."""
    host.start_device()
    host.await_echo()
    host.check()


def carry_on(host: RemoteHost) -> None:
    """After a refusal: the same connection serves, as if nothing had been said."""
    if host.session.frontend.closed is not None:
        return
    if host.session.queues:
        host.check()
    else:
        finish(host)


@contextmanager
def watched_descriptor() -> Iterator[tuple[int, int]]:
    """A pipe: (descriptor to send, descriptor that shows when all copies of it are closed)."""
    reading, writing = os.pipe()
    try:
        yield writing, reading
    finally:
        for fd in (reading, writing):
            try:
                os.close(fd)
            except OSError:
                pass


def all_closed(reading: int, timeout: float = 1.0) -> bool:
    """Whether nobody holds the other end of the pipe any more, ``timeout`` seconds at the most."""
    poll = select.poll()
    poll.register(reading, 0)
    return bool(poll.poll(timeout * 1000))
