# SPDX-License-Identifier: BSD-2-Clause
"""Messages that no well-meaning remote sends: their headers, and the lengths in the used ring.

Every receive buffer has carried a message of another endpoint before, so that what a reader gets too
much shows whose it is.
"""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.hostile import (
    SECRET,
    SMALL_RING,
    Observe,
    Reader,
    arm,
    fired,
    free_buffers,
    judge,
    lose,
    make_reader,
    name_delivery,
    settle,
)
from rpmsg_conformance.host_fixtures import NewLink
from rpmsg_conformance.link import BUFFER_SIZE, HEADER_SIZE, PAYLOAD_MAX, Link
from rpmsg_conformance.sim import SimulatorClient

#: Two payloads: read in the wrong byte order, the length of one is 1 and that of the other 25600.
PAYLOAD = bytes(range(100))
PAGE = bytes(range(256))

#: Sent after what is hostile: what came before it has been dealt with.
LAST = b"well-formed"

#: Without EVENT_IDX, with which a rejected message can make a link deaf: HD-035 is about that.
small = pytest.mark.device(vq_size=SMALL_RING, options=["--feature", "-event-idx"])


@pytest.fixture
def reader(link: Link) -> Reader:
    """Who gets the hostile message."""
    return make_reader(link)


def fault(name: str, requirement: pytest.MarkDecorator, *allowed: str) -> object:
    """A row of the table below: a fault, what it is about, and what a host may make of it."""
    return pytest.param(name, allowed, marks=requirement, id=name)


@small
@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        fault("hdr-len-above-descriptor", pytest.mark.requirement("HD-015"), "dropped"),
        fault("hdr-len-above-used", pytest.mark.requirement("HD-015"), "dropped"),
        fault("hdr-len-above-buffer", pytest.mark.requirement("HD-015"), "dropped"),
        fault("hdr-len-below-payload", pytest.mark.requirement("HD-030"), "cut"),
        fault("hdr-reserved", pytest.mark.requirement("HD-013"), "delivered"),
        fault("hdr-flags", pytest.mark.requirement("HD-013"), "delivered"),
        fault("hdr-src-any", pytest.mark.requirement("HD-021"), "delivered", "dropped"),
        fault("hdr-src-ns", pytest.mark.requirement("HD-021"), "delivered", "dropped"),
        fault("hdr-src-unbound", pytest.mark.requirement("HD-021"), "delivered", "dropped"),
        fault("hdr-src-own", pytest.mark.requirement("HD-021"), "delivered", "dropped"),
        fault("hdr-dst-any", pytest.mark.requirement("EP-002"), "dropped"),
        fault("hdr-dst-unbound", pytest.mark.requirement("EP-002"), "dropped"),
        fault("hdr-dst-own", pytest.mark.requirement("EP-002"), "dropped"),
        fault("hdr-dst-ns", pytest.mark.requirement("NS-008"), "dropped"),
        fault("used-len-0", pytest.mark.requirement("HD-017"), "dropped"),
        fault("used-len-8", pytest.mark.requirement("HD-017"), "dropped"),
        fault("used-len-15", pytest.mark.requirement("HD-017"), "dropped"),
        fault("used-len-16", pytest.mark.requirement("HD-015"), "dropped"),
        fault("used-len-513", pytest.mark.requirement("HD-016"), "dropped"),
        fault("used-len-65535", pytest.mark.requirement("HD-016"), "dropped"),
        fault("used-len-0xffffffff", pytest.mark.requirement("HD-016"), "dropped"),
        fault("used-len-above-descriptor", pytest.mark.requirement("HD-016"), "dropped"),
    ],
)
def test_hostile_message(
    name: str, allowed: tuple[str, ...], link: Link, reader: Reader, observe: Observe
) -> None:
    mark = arm(link, name)
    reader.send(PAYLOAD)
    fired(link, name, mark)
    settle(link)
    reader.send(LAST)
    judge(observe, name_delivery(reader.until(LAST), PAYLOAD), allowed)


@small
@pytest.mark.requirement("HD-031")
@pytest.mark.parametrize("payload", [PAYLOAD, PAGE], ids=["order-big-endian", "order-fits"])
def test_hostile_byte_order(
    payload: bytes, link: Link, reader: Reader, observe: Observe
) -> None:
    mark = arm(link, "order-big-endian")
    reader.send(payload)
    fired(link, "order-big-endian", mark)
    settle(link)
    reader.send(LAST)
    judge(observe, name_delivery(reader.until(LAST), payload), ["dropped"])


@small
@pytest.mark.requirement("HD-034")
@pytest.mark.parametrize("length", [PAYLOAD_MAX + 1, 4096])
@pytest.mark.parametrize("used", [0, 8, 15])
def test_hostile_used_length_below_a_header_shows_nobody_elses_bytes(
    used: int, length: int, reader: Reader, observe: Observe
) -> None:
    reader.send(PAYLOAD, len=length, used_len=used)
    settle(reader.link)
    reader.send(LAST)
    got = reader.until(LAST)
    detail = ""
    if got:
        found = got[0].count(SECRET)
        detail = (
            f"read() returned {len(got[0])} bytes, with the text '{SECRET.decode()}' {found} times"
        )
    judge(observe, name_delivery(got, PAYLOAD), ["dropped"], detail)


@small
@pytest.mark.requirement("HD-018")
@pytest.mark.parametrize("used", [512, 65535, 0xFFFFFFFF], ids=lambda n: f"used-len-output-{n}")
def test_hostile_used_length_of_a_send_buffer(
    used: int, link: Link, sim: SimulatorClient, agent: AgentClient, observe: Observe
) -> None:
    # Twice around the ring, so that every such buffer is used again.
    count = 2 * link.buffers
    channel = link.announce(kind="sink")
    fd = link.open(channel.path, "rdwr")
    mark = arm(link, "used-len-output", mode="always", arg=used)
    for number in range(count):
        agent.write(fd, bytes([number]) * 20).expect_success()
    fired(link, "used-len-output", mark)
    messages = sim.wait_events(count, "message", src=channel.local)
    expected = [bytes([number]) * 20 for number in range(count)]
    whole = [event.payload for event in messages] == expected
    judge(observe, "goes-on" if whole else "garbled", ["goes-on"])


#: How a message can be wrong: fields of it, or of its entry in the used ring.
REJECTED = [
    pytest.param({"len": PAYLOAD_MAX + 1}, id="len-above-buffer"),
    pytest.param({"len": len(PAYLOAD) + 1}, id="len-above-used"),
    pytest.param({"used_len": BUFFER_SIZE + 1}, id="used-above-buffer"),
    pytest.param({"used_len": HEADER_SIZE}, id="used-without-payload"),
]


@small
@pytest.mark.requirement("HD-019")
@pytest.mark.parametrize("wrong", REJECTED)
def test_hostile_buffer_of_a_rejected_message_comes_back(
    wrong: dict[str, int], link: Link, reader: Reader
) -> None:
    reader.send(PAYLOAD, **wrong)
    settle(link)
    reader.send(LAST)
    expect_equal("messages before the next one", reader.until(LAST), [])
    free = free_buffers(link, SMALL_RING)
    expect_equal("receive buffers that the remote can use", free, SMALL_RING)


@pytest.mark.device(vq_size=8)
@pytest.mark.requirement("HD-032")
@pytest.mark.parametrize("wrong", REJECTED)
def test_hostile_any_number_of_rejected_messages_leaves_the_link_receiving(
    wrong: dict[str, int], link: Link, new_link: NewLink, reader: Reader, observe: Observe
) -> None:
    for number in range(2 * link.buffers):
        reader.send(PAYLOAD, **wrong)
        # Each in an interrupt of its own.
        settle(link)
        if free_buffers(link, 1) == 0:
            lose(link, new_link)
            detail = f"after {number + 1} such messages the remote had no buffer left to send with"
            judge(observe, "deaf", ["goes-on"], detail)
    reader.send(LAST)
    judge(observe, "deaf" if reader.until(LAST) is None else "goes-on", ["goes-on"])


def come_of_a_batch(reader: Reader, place: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Four messages at once with one interrupt, the one at ``place`` wrong, then three more.

    Returns the good ones of the batch, those that were read before and those after the three came.
    """
    link = reader.link
    batch = [b"number %d" % number for number in range(4)]
    link.sim.hold(0)
    for number, message in enumerate(batch):
        wrong = {"len": PAYLOAD_MAX + 1} if number == place else {}
        reader.send(message, **wrong)
    mark = link.sim.mark()
    link.sim.release(0)
    link.sim.wait_events(len(batch), "sent", since=mark)
    settle(link)
    early = reader.waiting()
    for _ in range(3):
        reader.send(LAST)
        settle(link)
    late = [data for data in reader.waiting() if data != LAST]
    return [data for number, data in enumerate(batch) if number != place], early, late


@small
@pytest.mark.requirement("HD-020")
@pytest.mark.parametrize("place", [0, 1, 3], ids=["first", "second", "last"])
def test_hostile_rest_of_a_batch_is_delivered(
    place: int, reader: Reader, observe: Observe
) -> None:
    good, early, late = come_of_a_batch(reader, place)
    observe(f"of {len(good)} good messages {len(early)} came at once, {len(late)} later")
    expect_equal("good messages, in order", early + late, good)
    expect_equal("good messages that came without another interrupt", len(early), len(good))


@pytest.mark.device(vq_size=SMALL_RING)
@pytest.mark.requirement("HD-035")
@pytest.mark.parametrize("place", [0, 1, 3], ids=["first", "second", "last"])
def test_hostile_rejected_message_of_a_batch_leaves_the_link_receiving(
    place: int, link: Link, new_link: NewLink, reader: Reader, observe: Observe
) -> None:
    # With EVENT_IDX, where the host itself says when it is to be interrupted next.
    good, early, late = come_of_a_batch(reader, place)
    reader.send(LAST)
    settle(link)
    if reader.waiting():
        judge(observe, "goes-on", ["goes-on"])
        return
    lose(link, new_link)
    judge(
        observe,
        "deaf",
        ["goes-on"],
        f"of {len(good)} good messages {len(early) + len(late)} came, and of 4 after them none",
    )
