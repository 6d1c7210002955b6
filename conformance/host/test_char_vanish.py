# SPDX-License-Identifier: BSD-2-Clause
"""An endpoint, a channel or a whole link goes while its character device is in use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.link import Channel, Link
from rpmsg_conformance.sim import SimulatorClient

#: Seconds within which a thread that was told has to have come back.
SOON = 2.0

#: What takes an endpoint away, by name.
Vanish = Callable[[Link, Channel], None]


def by_withdrawal(link: Link, channel: Channel) -> None:
    """The remote withdraws the service."""
    link.sim.withdraw(channel.name, channel.remote)
    link.agent.expect_no_path(channel.path)


def by_unplug(link: Link, channel: Channel) -> None:
    """The device is unplugged."""
    link.unplug()


def by_unbind(link: Link, channel: Channel) -> None:
    """The virtio driver is taken off the device; the case gives it back."""
    link.unbind()


def by_crash(link: Link, channel: Channel) -> None:
    """The remote ends without a word, and the device is unplugged, as remoteproc does then."""
    link.crash()
    link.unplug()


WAYS = [
    pytest.param(by_withdrawal, id="withdrawal"),
    pytest.param(by_unplug, id="unplug"),
    pytest.param(by_unbind, id="unbind"),
    pytest.param(by_crash, id="crash"),
]

ways = pytest.mark.parametrize("vanish", WAYS)


@pytest.fixture
def waiting(link: Link, channel: Channel) -> int:
    """The character device of ``channel``, opened without O_NONBLOCK."""
    return link.open(channel.path, "rdwr")


def restore(link: Link, vanish: Vanish) -> None:
    """Give the driver back what by_unbind() took from it."""
    if vanish is by_unbind:
        link.bind()


@ways
@pytest.mark.requirement("LC-006")
def test_vanish_waiting_reader_wakes(
    vanish: Vanish, link: Link, agent: AgentClient, channel: Channel, waiting: int
) -> None:
    reader = agent.begin("read", worker=1, fd=waiting, len=512)
    vanish(link, channel)
    reader.wait(SOON).expect_errno("EPIPE")
    restore(link, vanish)


@ways
@pytest.mark.requirement("LC-006")
def test_vanish_reading_and_writing_fail(
    vanish: Vanish, link: Link, agent: AgentClient, channel: Channel, waiting: int
) -> None:
    vanish(link, channel)
    agent.read(waiting).expect_errno("EPIPE")
    agent.write(waiting, b"to nobody").expect_errno("EPIPE")
    restore(link, vanish)


@ways
@pytest.mark.requirement("LC-006")
def test_vanish_messages_that_were_waiting_do_no_harm(
    vanish: Vanish,
    link: Link,
    sim: SimulatorClient,
    agent: AgentClient,
    channel: Channel,
    waiting: int,
) -> None:
    for number in range(20):
        sim.send(src=channel.remote, dst=channel.local, data=bytes([number]))
    expect_equal("a message waits", agent.poll_in(waiting, 5.0), True)
    vanish(link, channel)
    # Whether they can still be read is not said anywhere; the descriptor has to close.
    agent.read(waiting)
    link.close(waiting)
    restore(link, vanish)


@ways
@pytest.mark.requirement("UA-050")
def test_vanish_waiting_poller_wakes(
    vanish: Vanish, link: Link, agent: AgentClient, channel: Channel, waiting: int
) -> None:
    poller = agent.begin("poll", worker=1, fds=[waiting], events=["in"], timeout_ms=5000)
    vanish(link, channel)
    reply = poller.wait(SOON + 5.0).expect_success()
    restore(link, vanish)
    expect("err" in reply["revents"][0], expected="POLLERR", observed=reply["revents"][0])
    expect(reply.seconds < 4.0, expected="it wakes", observed=f"after {reply.seconds:.1f} s")


@pytest.mark.requirement("UA-017")
def test_vanish_destroyed_endpoint_wakes_its_reader(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    fd = link.open(f"/dev/{link.create_endpoint('short-lived', 0x660, channel.remote)}", "rdwr")
    reader = agent.begin("read", worker=1, fd=fd, len=512)
    agent.call("rpmsg_destroy_ept", fd=fd)
    reader.wait(SOON).expect_errno("EPIPE")


@pytest.mark.requirement("UA-017")
def test_vanish_destroyed_endpoint_wakes_all_of_its_readers(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    fd = link.open(f"/dev/{link.create_endpoint('short-lived', 0x661, channel.remote)}", "rdwr")
    readers = [agent.begin("read", worker=n, fd=fd, len=512) for n in range(1, 6)]
    agent.call("rpmsg_destroy_ept", fd=fd)
    for reader in readers:
        reader.wait(SOON).expect_errno("EPIPE")


@pytest.mark.requirement("UA-017")
def test_vanish_destroyed_endpoint_fails_reads_and_writes(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    fd = link.open(f"/dev/{link.create_endpoint('short-lived', 0x662, channel.remote)}")
    agent.call("rpmsg_destroy_ept", fd=fd)
    agent.read(fd).expect_errno("EPIPE")
    agent.write(fd, b"x").expect_errno("EPIPE")


@pytest.mark.requirement("UA-024")
def test_vanish_destroyed_endpoint_polls_as_an_error(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    fd = link.open(f"/dev/{link.create_endpoint('short-lived', 0x663, channel.remote)}")
    expect_equal("events before", agent.poll_now(fd, "in"), [])
    agent.call("rpmsg_destroy_ept", fd=fd)
    events = agent.poll_now(fd, "in")
    expect("err" in events, expected="POLLERR", observed=events)


@ways
@pytest.mark.requirement("UA-024")
def test_vanish_endpoint_of_a_link_that_went_polls_as_an_error(
    vanish: Vanish, link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    vanish(link, channel)
    events = agent.poll_now(endpoint, "in")
    restore(link, vanish)
    expect("err" in events, expected="POLLERR", observed=events)


@pytest.mark.requirement("UA-050")
def test_vanish_destroyed_endpoint_wakes_its_poller(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    fd = link.open(f"/dev/{link.create_endpoint('short-lived', 0x664, channel.remote)}")
    poller = agent.begin("poll", worker=1, fds=[fd], events=["in"], timeout_ms=5000)
    agent.call("rpmsg_destroy_ept", fd=fd)
    reply = poller.wait(SOON + 5.0).expect_success()
    expect("err" in reply["revents"][0], expected="POLLERR", observed=reply["revents"][0])


@pytest.mark.requirement("EP-005")
def test_vanish_messages_to_a_destroyed_endpoint_are_dropped(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    fd = link.open(f"/dev/{link.create_endpoint('short-lived', 0x665, channel.remote)}")
    agent.write(fd, b"alive").expect_success()
    expect_equal("echo", agent.receive(fd), b"alive")
    agent.call("rpmsg_destroy_ept", fd=fd)
    mark = sim.mark()
    for number in range(link.buffers + 8):
        sim.send(src=channel.remote, dst=0x665, data=number.to_bytes(2, "little"))
    sim.send(src=channel.remote, dst=channel.local, data=b"still served")
    sim.wait_events(link.buffers + 8, "sent", since=mark, dst=0x665)
    expect_equal("message to another endpoint", agent.receive(endpoint), b"still served")


@pytest.mark.requirement("EP-005")
def test_vanish_message_to_a_reused_address_reaches_its_new_owner(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    for round_number in range(3):
        node = link.create_endpoint(f"owner-{round_number}", 0x666, channel.remote)
        fd = link.open(f"/dev/{node}")
        sim.send(src=channel.remote, dst=0x666, data=b"for owner %d" % round_number)
        expect_equal("message", agent.receive(fd), b"for owner %d" % round_number)
        agent.call("rpmsg_destroy_ept", fd=fd)
        link.close(fd)


@pytest.mark.device(vq_size=4)
@pytest.mark.requirement("UA-051")
def test_vanish_destroying_does_not_wait_for_a_waiting_write(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    sink = link.announce(kind="sink")
    fd = link.open(f"/dev/{link.create_endpoint('short-lived', 0x667, sink.remote)}", "rdwr")
    filler = link.open(sink.path)
    sim.hold(1)
    link.exhaust(filler)
    writer = agent.begin("write", worker=1, fd=fd, data="01")
    destroyer = agent.submit("rpmsg_destroy_ept", worker=2, fd=fd)
    agent.call("sleep", ms=300)
    early = destroyer.poll()
    sim.release(1)
    destroyer.wait().expect_success()
    writer.wait()
    expect(
        early is not None,
        expected="the endpoint is destroyed at once",
        observed="not within 300 ms, while a write() on it waited for a buffer",
    )
