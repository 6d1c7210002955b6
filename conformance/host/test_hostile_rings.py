# SPDX-License-Identifier: BSD-2-Clause
"""Used rings that no well-meaning remote writes, and buffers that it keeps, mixes up or scribbles on."""

from __future__ import annotations

import re

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.host_fixtures import NewLink
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.hostile import (
    SECRET,
    SMALL_RING,
    Observe,
    Reader,
    arm,
    fired,
    free_buffers,
    judge,
    make_reader,
    settle,
)
from rpmsg_conformance.link import Link
from rpmsg_conformance.sim import RpcError, SimulatorClient

#: What Linux says of a queue that it serves no more.
BROKEN = re.compile(r"id \d+ (out of range|is not a head)")

#: Seconds within which a queue that works has worked, before scaling.
WORKS_SECONDS = 2.0

pytestmark = pytest.mark.device(vq_size=SMALL_RING)


@pytest.fixture
def reader(link: Link) -> Reader:
    """An endpoint; every receive buffer has carried a message of another one."""
    return make_reader(link)


def fault(name: str, requirement: pytest.MarkDecorator, *allowed: str) -> list[object]:
    """Two rows of the table below: a fault of queue 0 and of queue 1, and what a host may make of it."""
    return [
        pytest.param(name, queue, allowed, marks=requirement, id=f"{name}-queue-{queue}")
        for queue in (0, 1)
    ]


@pytest.mark.parametrize(
    ("name", "queue", "allowed"),
    [
        *fault("ring-used-id-range", pytest.mark.requirement("VQ-031"), "link-lost", "goes-on"),
        *fault("ring-used-id-idle", pytest.mark.requirement("VQ-031"), "link-lost", "goes-on"),
        *fault("ring-used-id-twice", pytest.mark.requirement("VQ-031"), "link-lost", "goes-on"),
        *fault(
            "ring-used-entry-skipped",
            pytest.mark.requirement("VQ-042"),
            "link-lost", "goes-on", "repeated",
        ),
        *fault(
            "ring-used-idx-ahead",
            pytest.mark.requirement("VQ-042"),
            "link-lost", "goes-on", "repeated",
        ),
        *fault(
            "ring-used-idx-back",
            pytest.mark.requirement("VQ-042"),
            "link-lost", "goes-on", "repeated",
        ),
        *fault(
            "ring-returns-another",
            pytest.mark.requirement("VQ-042"),
            "link-lost", "goes-on", "repeated",
        ),
    ],
)
def test_hostile_used_ring(
    name: str,
    queue: int,
    allowed: tuple[str, ...],
    host: HostTarget,
    link: Link,
    new_link: NewLink,
    reader: Reader,
    observe: Observe,
) -> None:
    go_around(reader)
    mark = arm(link, name, arg=queue)
    sent: list[bytes] = []
    got: list[bytes] = []
    works = exchange(reader, sent, got)
    fired(link, name, mark)
    said = sorted({match.group() for line in host.recent_log() if (match := BROKEN.search(line))})
    # A queue that the kernel has given up need not be waited for.
    works = works and not said and exchange(reader, sent, got)
    seen = "goes-on" if works else "link-lost"
    strange = [data for data in got if data not in sent]
    if strange:
        seen = "leaked" if any(SECRET in data for data in strange) else "repeated"
    if not works:
        link.dismiss()
        new_link()
    lost = "" if works else "the link is lost"
    judge(observe, seen, allowed, "; ".join(filter(None, [*said, lost])))


def go_around(reader: Reader) -> None:
    """Use each send buffer once, as make_reader() has each receive buffer."""
    for number in range(reader.link.buffers):
        reader.link.agent.write(reader.fd, b"before %d" % number).expect_success()
        reader.link.agent.receive(reader.fd)


def exchange(reader: Reader, sent: list[bytes], got: list[bytes]) -> bool:
    """A message of the remote's and an echo; False when not both have come.

    What the reader should get is added to ``sent``, what it gets to ``got``.
    """
    link = reader.link
    number = len(sent)
    alone, echoed = b"alone %d" % number, b"echoed %d" % number
    sent += [alone, echoed]
    try:
        reader.send(alone)
    except RpcError:
        return False
    settle(link)
    if not link.agent.write(reader.fd, echoed).ok:
        return False
    while not {alone, echoed} <= set(got):
        if not link.agent.poll_in(reader.fd, WORKS_SECONDS):
            return False
        got += reader.waiting()
    return True


@pytest.mark.requirement("VQ-041")
def test_hostile_send_buffer_that_never_comes_back_costs_one_buffer(
    link: Link, sim: SimulatorClient, reader: Reader, observe: Observe
) -> None:
    go_around(reader)
    mark = arm(link, "ring-not-returned", arg=1)
    works = exchange(reader, [], [])
    fired(link, "ring-not-returned", mark)
    judge(observe, "goes-on" if works else "link-lost", ["goes-on"])
    sink = link.open(link.announce(kind="sink").path)
    sim.hold(1)
    count, _ = link.exhaust(sink)
    expect_equal("sends while the remote keeps every buffer", count, link.buffers - 1)


@pytest.mark.requirement("VQ-041")
def test_hostile_receive_buffer_that_never_comes_back_costs_one_buffer(
    link: Link, reader: Reader, observe: Observe
) -> None:
    mark = arm(link, "ring-not-returned", arg=0)
    reader.send(b"never shown")
    fired(link, "ring-not-returned", mark)
    works = all(exchange(reader, [], []) for _ in range(link.buffers + 1))
    judge(observe, "goes-on" if works else "link-lost", ["goes-on"])
    free = free_buffers(link, link.buffers - 1)
    expect_equal("receive buffers that the remote can use", free, link.buffers - 1)


@pytest.mark.requirement("VQ-043")
def test_hostile_scribbling_on_send_buffers_goes_out_with_no_later_message(
    link: Link, sim: SimulatorClient, agent: AgentClient, reader: Reader, observe: Observe
) -> None:
    mark = arm(link, "ring-write-readable", mode="always")
    count = 2 * link.buffers
    for number in range(count):
        agent.write(reader.fd, bytes([number])).expect_success()
        agent.receive(reader.fd)
    fired(link, "ring-write-readable", mark)
    messages = sim.wait_events(count, "message", since=mark, src=reader.channel.local)
    observe("reaction: every message is written anew, its reserved field included")
    reserved = {int(event["reserved"]) for event in messages}
    expect_equal("reserved fields", reserved, {0})
    expect_equal(
        "payloads", [event.payload for event in messages], [bytes([n]) for n in range(count)]
    )
