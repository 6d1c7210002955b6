# SPDX-License-Identifier: BSD-2-Clause
"""What the wire alone shows: these cases ask nothing of the guest but that its driver is there.

They run with an agent as well, and without one (--no-agent) are what there is besides the start of
the queues. That a host has taken a message is seen by its buffer's coming back: more messages are
sent than it has buffers.
"""

from __future__ import annotations

import pytest

from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.link import ADDRESS_ANY, BUFFER_SIZE, Link
from rpmsg_conformance.sim import Event, SimulatorClient

#: Where host and remote expect announcements.
NAME_SERVICE = 53

#: An address that no endpoint of the guest has.
NOBODY = 0x0BADADD0

#: Address of no service on the remote.
SOMEWHERE = 0x7000

#: Name, address and flags of an announcement on the wire; in flags 0 says create and 1 destroy.
CREATE, DESTROY = 0, 1


def announcement(name: bytes, addr: int, flags: int) -> bytes:
    """The 40 bytes of a name-service message."""
    return name.ljust(32, b"\0") + addr.to_bytes(4, "little") + flags.to_bytes(4, "little")


def send_around(
    link: Link, count: int, *, src: int = SOMEWHERE, dst: int = NOBODY, data: bytes = b"wire"
) -> list[Event]:
    """Send ``count`` equal messages more than the host has buffers; returns what was sent.

    Raises Unmet unless the host gives so many buffers back.
    """
    mark = link.sim.mark()
    total = link.buffers + count
    for _ in range(total):
        link.sim.send(src=src, dst=dst, data=data)
    return link.sim.wait_events(total, "sent", since=mark, dst=dst)


@pytest.mark.requirement("EP-002")
def test_wire_buffers_of_messages_to_nobody_come_back(link: Link) -> None:
    assert link.device
    send_around(link, 8)


@pytest.mark.requirement("BF-011")
@pytest.mark.parametrize(
    "ring",
    [pytest.param(size, marks=pytest.mark.device(vq_size=size)) for size in (256, 32, 512)],
)
def test_wire_receive_descriptors_are_single_writable_and_512_bytes(
    ring: int, link: Link
) -> None:
    assert link.device
    for sent in send_around(link, 16):
        shape = {name: sent[name] for name in ("desc_count", "readable", "writable")}
        expect_equal(
            "receive descriptor", shape, {"desc_count": 1, "readable": 0, "writable": BUFFER_SIZE}
        )


@pytest.mark.requirement("VQ-021")
def test_wire_no_more_buffers_come_back_than_were_used(link: Link, sim: SimulatorClient) -> None:
    assert link.device
    given = link.buffers
    sent = len(send_around(link, 64))
    queue = sim.stats()["queues"][0]
    outstanding = int(queue["popped"]) + int(queue["avail_pending"]) - sent
    # The last ones may be under way; one too many at any time is a buffer given twice.
    expect_equal("buffers given beyond what the host has", max(outstanding - given, 0), 0)


@pytest.mark.requirement("HD-021")
@pytest.mark.parametrize("source", [0, NAME_SERVICE, 0x80000000, ADDRESS_ANY])
def test_wire_message_from_a_strange_source_does_no_harm(source: int, link: Link) -> None:
    assert link.device
    send_around(link, 8, src=source)
    send_around(link, 8)


@pytest.mark.requirement("NS-014")
def test_wire_destroy_of_an_unknown_channel_does_no_harm(link: Link) -> None:
    assert link.device
    data = announcement(b"nobody-announced", 0x1234, DESTROY)
    send_around(link, 8, src=NAME_SERVICE, dst=NAME_SERVICE, data=data)
    send_around(link, 8)
