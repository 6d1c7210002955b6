# SPDX-License-Identifier: BSD-2-Clause
"""read() and poll() of endpoint devices, with and without waiting."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.link import PAYLOAD_MAX, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

#: Seconds within which a thread that was told has to have come back.
SOON = 2.0


@pytest.fixture
def waiting(link: Link, channel: Channel) -> int:
    """The character device of ``channel``, opened without O_NONBLOCK."""
    return link.open(channel.path, "rdwr")


def deliver(sim: SimulatorClient, channel: Channel, *messages: bytes) -> None:
    """Send messages to a channel of the guest."""
    for message in messages:
        sim.send(src=channel.remote, dst=channel.local, data=message)


@pytest.mark.requirement("UA-004")
def test_userspace_nonblocking_read_of_nothing_is_eagain(
    agent: AgentClient, endpoint: int
) -> None:
    agent.read(endpoint).expect_errno("EAGAIN")


@pytest.mark.requirement("UA-004")
def test_userspace_nonblocking_read_after_the_last_message_is_eagain(
    agent: AgentClient, endpoint: int
) -> None:
    agent.write(endpoint, b"only one").expect_success()
    expect_equal("echo", agent.receive(endpoint), b"only one")
    agent.read(endpoint).expect_errno("EAGAIN")


@pytest.mark.requirement("UA-004")
def test_userspace_nonblocking_by_fcntl_is_as_by_open(agent: AgentClient, waiting: int) -> None:
    agent.call("fcntl_nonblock", fd=waiting, on=True)
    agent.read(waiting).expect_errno("EAGAIN")


@pytest.mark.requirement("UA-013")
def test_userspace_read_waits_for_a_message(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, waiting: int
) -> None:
    reader = agent.begin("read", worker=1, fd=waiting, len=512)
    deliver(sim, channel, b"here I am")
    reply = reader.wait().expect_success()
    expect_equal("message read", bytes.fromhex(reply["data"]), b"here I am")


@pytest.mark.requirement("UA-013")
def test_userspace_read_returns_one_message(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    deliver(sim, channel, b"first", b"second")
    expect_equal("first read", agent.receive(endpoint), b"first")
    expect_equal("second read", agent.receive(endpoint), b"second")


@pytest.mark.requirement("UA-014")
@pytest.mark.parametrize("length", [0, 1, 4])
def test_userspace_short_read_drops_the_rest(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    deliver(sim, channel, b"truncated", b"next")
    expect_equal("message waits", agent.poll_in(endpoint, 5.0), True)
    reply = agent.read(endpoint, length).expect_success()
    expect_equal("short read", bytes.fromhex(reply["data"]), b"truncated"[:length])
    expect_equal("next read", agent.receive(endpoint), b"next")


@pytest.mark.requirement("UA-015")
def test_userspace_message_without_payload_makes_read_return_0(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    deliver(sim, channel, b"")
    expect_equal("message waits", agent.poll_in(endpoint, 5.0), True)
    expect_equal("result of read()", agent.read(endpoint).expect_success()["ret"], 0)
    agent.read(endpoint).expect_errno("EAGAIN")


@pytest.mark.requirement("UA-016")
def test_userspace_signal_ends_a_waiting_read(agent: AgentClient, waiting: int) -> None:
    reader = agent.begin("read", worker=1, fd=waiting, len=512)
    agent.signal(1)
    reader.wait().expect_errno("EINTR")


@pytest.mark.requirement("UA-016")
def test_userspace_signal_restarts_a_read_where_that_is_asked_for(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, waiting: int
) -> None:
    reader = agent.begin("read", worker=1, fd=waiting, len=512)
    agent.signal(1, restart=True)
    deliver(sim, channel, b"after the signal")
    reply = reader.wait().expect_success()
    expect_equal("message read", bytes.fromhex(reply["data"]), b"after the signal")


@pytest.mark.requirement("UA-016")
def test_userspace_killed_reader_ends(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, waiting: int
) -> None:
    child = int(agent.call("spawn", run="read", fd=waiting, len=512)["pid"])
    for _ in range(2000):
        state = agent.call("proc_stat", pid=child)
        if state["in_call"] and state["state"] == "S":
            break
    agent.call("kill", pid=child, sig=9)
    ended = agent.call("wait", pid=child, timeout_ms=int(SOON * 1000))
    expect_equal("signal that ended the reader", ended["signal"], "SIGKILL")
    deliver(sim, channel, b"for another")
    reply = agent.read(waiting).expect_success()
    expect_equal("message read by another", bytes.fromhex(reply["data"]), b"for another")


@pytest.mark.requirement("UA-048")
@pytest.mark.parametrize("length", [1, PAYLOAD_MAX])
def test_userspace_bad_pointer_in_read_is_efault(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    deliver(sim, channel, bytes(length))
    expect_equal("message waits", agent.poll_in(endpoint, 5.0), True)
    agent.try_call("read", fd=endpoint, len=512, bad_pointer=True).expect_errno("EFAULT")
    deliver(sim, channel, b"next")
    # Whether the message is still there is not said anywhere.
    seen = [agent.receive(endpoint)]
    while agent.poll_now(endpoint, "in"):
        seen.append(agent.receive(endpoint))
    expect_equal("last message", seen[-1], b"next")


@pytest.mark.requirement("UA-057")
def test_userspace_several_readers_get_each_message_once(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, waiting: int
) -> None:
    readers = [
        agent.begin("read", worker=number, fd=waiting, len=512) for number in range(1, 5)
    ]
    sent = [b"message %d" % number for number in range(len(readers))]
    deliver(sim, channel, *sent)
    got = [bytes.fromhex(reader.wait().expect_success()["data"]) for reader in readers]
    expect_equal("messages read by all", sorted(got), sent)


@pytest.mark.requirement("UA-059")
@pytest.mark.parametrize("length", [1, 2, 63, 64, 255, 256, 495, 496])
def test_userspace_read_returns_the_whole_message(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    message = bytes((number * 11 + 3) & 0xFF for number in range(length))
    deliver(sim, channel, message)
    expect_equal("message read", agent.receive(endpoint), message)


@pytest.mark.requirement("UA-060")
def test_userspace_unread_messages_are_gone_after_close(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    deliver(sim, channel, b"old", b"older")
    expect_equal("message waits", agent.poll_in(endpoint, 5.0), True)
    expect_equal("first", agent.receive(endpoint), b"old")
    expect_equal("message waits", agent.poll_in(endpoint, 5.0), True)
    link.close(endpoint)
    again = link.open(channel.path)
    deliver(sim, channel, b"new")
    expect_equal("first message after opening again", agent.receive(again), b"new")


@pytest.mark.requirement("UA-022")
def test_userspace_poll_reports_a_message_that_waits(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    expect_equal("events before", agent.poll_now(endpoint, "in", "rdnorm"), [])
    deliver(sim, channel, b"message")
    expect_equal("poll() says so", agent.poll_in(endpoint, 5.0), True)
    events = agent.poll_now(endpoint, "in", "rdnorm")
    expect_equal("events", events, ["in", "rdnorm"])


@pytest.mark.requirement("UA-022")
def test_userspace_poll_that_waits_is_woken_by_a_message(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    poller = agent.begin("poll", worker=1, fds=[endpoint], events=["in"], timeout_ms=-1)
    deliver(sim, channel, b"message")
    expect_equal("events", poller.wait().expect_success()["revents"], [["in"]])


@pytest.mark.requirement("UA-022")
def test_userspace_poll_of_several_names_the_one_with_a_message(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    channels = [link.announce() for _ in range(3)]
    fds = [link.open(channel.path) for channel in channels]
    poller = agent.begin("poll", worker=1, fds=fds, events=["in"], timeout_ms=-1)
    deliver(sim, channels[1], b"for the second")
    expect_equal("events", poller.wait().expect_success()["revents"], [[], ["in"], []])


@pytest.mark.requirement("UA-058")
def test_userspace_poll_reports_nothing_after_the_last_message(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    deliver(sim, channel, b"one", b"two")
    expect_equal("first", agent.receive(endpoint), b"one")
    expect_equal("second", agent.receive(endpoint), b"two")
    expect_equal("events", agent.poll_now(endpoint, "in"), [])


@pytest.mark.requirement("UA-058")
def test_userspace_poll_gives_up_after_its_time(agent: AgentClient, endpoint: int) -> None:
    reply = agent.call("poll", fds=[endpoint], events=["in"], timeout_ms=50)
    expect_equal("descriptors with events", reply["ret"], 0)
    expect(
        0.045 <= reply.seconds < SOON,
        expected="poll() waits for its 50 ms",
        observed=f"{reply.seconds * 1000:.0f} ms",
    )


@pytest.mark.requirement("UA-049")
def test_userspace_signal_ends_a_waiting_poll(agent: AgentClient, endpoint: int) -> None:
    poller = agent.begin("poll", worker=1, fds=[endpoint], events=["in"], timeout_ms=-1)
    agent.signal(1)
    poller.wait().expect_errno("EINTR")


@pytest.mark.requirement("UA-023")
def test_userspace_poll_reports_a_free_send_buffer(agent: AgentClient, endpoint: int) -> None:
    events = agent.poll_now(endpoint, "out", "wrnorm")
    expect("out" in events, expected="POLLOUT", observed=events)


@pytest.mark.requirement("UA-023")
@pytest.mark.device(vq_size=16)
def test_userspace_poll_reports_no_send_buffer_while_there_is_none(
    link: Link, sim: SimulatorClient, agent: AgentClient, endpoint: int
) -> None:
    sim.hold(1)
    link.exhaust(endpoint)
    expect_equal("events", agent.poll_now(endpoint, "out"), [])


@pytest.mark.requirement("UA-023")
@pytest.mark.device(vq_size=16)
def test_userspace_poll_for_a_send_buffer_is_woken_when_one_comes_back(
    link: Link, sim: SimulatorClient, agent: AgentClient, endpoint: int
) -> None:
    sim.hold(1)
    link.exhaust(endpoint)
    poller = agent.begin("poll", worker=1, fds=[endpoint], events=["out"], timeout_ms=500)
    sim.release(1, 1)
    expect_equal("events", poller.wait().expect_success()["revents"], [["out"]])


@pytest.mark.requirement("UA-025")
def test_userspace_poll_reports_no_priority_event(agent: AgentClient, endpoint: int) -> None:
    # Virtio carries no flow control, so that nothing can have changed.
    expect_equal("events", agent.poll_now(endpoint, "pri"), [])
