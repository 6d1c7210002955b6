# SPDX-License-Identifier: BSD-2-Clause
"""Used rings that no well-meaning remote writes, and buffers that it keeps, mixes up or scribbles on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

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
    lose,
    make_reader,
    settle,
)
from rpmsg_conformance.link import Link
from rpmsg_conformance.sim import RpcError, SimulatorClient

#: What Linux says of a queue that it serves no more.
BROKEN = re.compile(r"id \d+ (out of range|is not a head)")

#: Seconds within which a queue that works has worked, before scaling.
WORKS_SECONDS = 2.0

#: Times as many messages too many as a ring has buffers after which no more are read.
STORM = 2

#: What a host may make of a used ring whose entries it cannot know to be wrong.
ANY = ("goes-on", "link-lost", "repeated")

pytestmark = pytest.mark.device(vq_size=SMALL_RING)


@pytest.fixture
def reader(link: Link) -> Reader:
    """An endpoint; every receive buffer has carried a message of another one."""
    return make_reader(link)


def fault(name: str, queue: int, requirement: pytest.MarkDecorator, *allowed: str) -> object:
    """A row of the table below: a fault of a queue, what it is about, and what a host may make of it.

    Of a queue whose used ring is wrong nobody can say what is in the buffers: that messages come once
    more is allowed. That the host, in turn, makes more buffers available than the ring has is a
    consequence.
    """
    marks = [requirement, pytest.mark.tolerates("VQ-001", "VQ-011")]
    return pytest.param(name, queue, allowed, marks=marks, id=f"{name}-queue-{queue}")


@pytest.mark.parametrize(
    ("name", "queue", "allowed"),
    [
        fault("ring-used-id-range", 0, pytest.mark.requirement("VQ-031"), "link-lost", "goes-on"),
        fault("ring-used-id-range", 1, pytest.mark.requirement("VQ-031"), "link-lost", "goes-on"),
        fault("ring-used-id-idle", 1, pytest.mark.requirement("VQ-031"), "link-lost", "goes-on"),
        fault("ring-used-id-twice", 0, pytest.mark.requirement("VQ-031"), "link-lost", "repeated"),
        fault("ring-used-id-twice", 1, pytest.mark.requirement("VQ-031"), "link-lost", "goes-on"),
        fault("ring-used-entry-skipped", 0, pytest.mark.requirement("VQ-042"), *ANY),
        fault("ring-used-entry-skipped", 1, pytest.mark.requirement("VQ-042"), *ANY),
        fault("ring-used-idx-ahead", 0, pytest.mark.requirement("VQ-044"), "link-lost", "goes-on"),
        fault("ring-used-idx-ahead", 1, pytest.mark.requirement("VQ-042"), *ANY),
        fault("ring-used-idx-back", 0, pytest.mark.requirement("VQ-044"), "link-lost", "goes-on"),
        fault("ring-used-idx-back", 1, pytest.mark.requirement("VQ-042"), *ANY),
        fault("ring-returns-another", 0, pytest.mark.requirement("VQ-042"), *ANY),
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
    use_ring(name, queue, allowed, host, link, new_link, reader, observe)


@pytest.mark.device(vq_size=512)
@pytest.mark.requirement("VQ-031")
def test_hostile_used_id_of_a_receive_buffer_that_was_not_given(
    host: HostTarget, link: Link, new_link: NewLink, reader: Reader, observe: Observe
) -> None:
    # ring-used-id-idle of queue 0: the ring has more entries than Linux has buffers.
    use_ring("ring-used-id-idle", 0, ("link-lost", "goes-on"), host, link, new_link, reader, observe)


def use_ring(
    name: str,
    queue: int,
    allowed: Collection[str],
    host: HostTarget,
    link: Link,
    new_link: NewLink,
    reader: Reader,
    observe: Observe,
) -> None:
    """Let a fault fire once, have the host come by it in the ring, and judge what it made of it."""

    def given_up() -> list[str]:
        found = (BROKEN.search(line) for line in host.recent_log())
        said = sorted({match.group() for match in found if match})
        if any(queue["broken"] for queue in link.sim.stats()["queues"]):
            said.append("the simulator's queue has stopped over what the host put into it")
        return said

    talk = Talk(reader, given_up)
    if queue == 1:
        # Until each send buffer was used once the host does not look for used ones.
        talk.go_around()
    # An index that goes back is behind the host only when it has taken all that came before.
    expect_equal("receive buffers given back", free_buffers(link, link.buffers), link.buffers)
    mark = arm(link, name, arg=queue)
    works = talk.exchange()
    fired(link, name, mark)
    if queue == 1:
        # It takes used entries in their order, one for each message that it sends.
        works = works and talk.go_around()
    works = works and talk.exchange()
    seen = "goes-on" if works else "link-lost"
    more = Counter(talk.got) - Counter(talk.sent)
    if more:
        strange = any(data not in talk.sent for data in more)
        leaked = any(SECRET in data for data in more)
        seen = "leaked" if leaked else "garbled" if strange else "repeated"
    if not works:
        lose(link, new_link)
    details = [*given_up(), f"{more.total()} messages too many" if more else ""]
    details.append("" if works else "the link is lost")
    judge(observe, seen, allowed, "; ".join(filter(None, details)))


@dataclass
class Talk:
    """Messages both ways over a link that may be lost: what the reader should get, and what it gets."""

    reader: Reader
    given_up: Callable[[], list[str]]
    """Why a queue is not served any more, by the kernel or by the simulator; empty while it is."""
    sent: list[bytes] = field(default_factory=list)
    got: list[bytes] = field(default_factory=list)

    def go_around(self) -> bool:
        """Use each send buffer once."""
        return all(self.exchange(alone=False) for _ in range(self.reader.link.buffers))

    def exchange(self, alone: bool = True) -> bool:
        """An echo and, before it, a message of the remote's; False when not all have come."""
        link = self.reader.link
        due = [b"echoed %d" % len(self.sent)]
        if alone:
            due.append(b"alone %d" % len(self.sent))
            try:
                self.reader.send(due[1])
            except RpcError:
                # The simulator's own queue has stopped over what the host put into it.
                return False
            settle(link)
        if not link.agent.write(self.reader.fd, due[0]).ok:
            return False
        self.sent += due
        while not set(due) <= set(self.got):
            more = self.reader.waiting()
            self.got += more
            if not more and (self.given_up() or not link.agent.poll_in(self.reader.fd, WORKS_SECONDS)):
                return False
            if len(self.got) > len(self.sent) + STORM * link.buffers:
                return False
        return True


@pytest.mark.requirement("VQ-041")
def test_hostile_send_buffer_that_never_comes_back_costs_one_buffer(
    link: Link, sim: SimulatorClient, reader: Reader, observe: Observe
) -> None:
    talk = Talk(reader, list)
    talk.go_around()
    mark = arm(link, "ring-not-returned", arg=1)
    works = talk.exchange()
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
    talk = Talk(reader, list)
    works = all(talk.exchange() for _ in range(link.buffers + 1))
    judge(observe, "goes-on" if works else "link-lost", ["goes-on"])
    # One more is with the remote for ever.
    free = free_buffers(link, link.buffers) - 1
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
