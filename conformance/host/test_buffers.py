# SPDX-License-Identifier: BSD-2-Clause
"""Sizes of messages, and what happens when the remote keeps every send buffer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpmsg_conformance.agent import AgentClient, Reply
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.link import PAYLOAD_MAX, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

RINGS = [
    pytest.param(size, marks=pytest.mark.device(vq_size=size), id=f"ring-{size}")
    for size in (256, 64, 512)
]

#: Seconds Linux and OpenAMP wait for a send buffer, and by how much a run may miss it: timers
#: never fire early beyond their granularity, and late by what a loaded machine needs.
SEND_SECONDS = 15.0
EARLY_SECONDS = 0.1
LATE_SECONDS = 2.0


def pattern(length: int) -> bytes:
    """Bytes that show a shift, a repetition and a cut."""
    return bytes(number * 7 + number // 256 & 0xFF for number in range(length))


@pytest.fixture
def sink(link: Link) -> Channel:
    """A channel to a service that answers nothing."""
    return link.announce(kind="sink")


@pytest.mark.requirement("BF-001")
@pytest.mark.parametrize("length", [1, PAYLOAD_MAX - 1, PAYLOAD_MAX])
def test_buffers_payload_is_echoed_whole(length: int, agent: AgentClient, endpoint: int) -> None:
    reply = agent.write(endpoint, pattern(length)).expect_success()
    expect_equal("result of write()", reply["ret"], length)
    expect_equal("echo", agent.receive(endpoint), pattern(length))


@pytest.mark.requirement("BF-001")
@pytest.mark.parametrize("length", [PAYLOAD_MAX + 1, 512, 4096])
def test_buffers_payload_too_long_is_refused(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    mark = sim.mark()
    agent.write(endpoint, pattern(length)).expect_errno("EMSGSIZE")
    # That nothing came shows only once something sent later has come.
    agent.write(endpoint, b"fits").expect_success()
    agent.receive(endpoint)
    seen = [event.payload for event in sim.events("message", since=mark)]
    expect_equal("messages on the ring", seen, [b"fits"])


@pytest.mark.requirement("BF-002")
def test_buffers_empty_message_can_be_sent(
    sim: SimulatorClient, agent: AgentClient, sink: Channel, link: Link
) -> None:
    fd = link.open(sink.path)
    expect_equal("result of write()", agent.write(fd, b"").expect_success()["ret"], 0)
    message = sim.wait_event("message", src=sink.local)
    expect_equal("payload", message.payload, b"")
    expect_equal("len of the header", message["len"], 0)


@pytest.mark.requirement("BF-002")
def test_buffers_empty_message_can_be_received(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sim.send(src=channel.remote, dst=channel.local, data=b"")
    sim.send(src=channel.remote, dst=channel.local, data=b"next")
    expect_equal("first message", agent.receive(endpoint), b"")
    expect_equal("second message", agent.receive(endpoint), b"next")


@pytest.mark.requirement("BF-003")
@pytest.mark.parametrize("ring", RINGS)
def test_buffers_as_many_sends_succeed_as_there_are_buffers(
    ring: int,
    link: Link,
    sim: SimulatorClient,
    agent: AgentClient,
    sink: Channel,
    observe: Callable[[str], None],
) -> None:
    fd = link.open(sink.path)
    sim.hold(1)
    count, _ = link.exhaust(fd)
    observe(f"{count} sends on a ring of {ring}")
    expect_equal("sends while the remote holds every buffer", count, min(ring, 256))
    held = sim.wait_events(count, "message", src=sink.local)
    numbers = [int.from_bytes(event.payload, "little") for event in held]
    expect_equal("messages that the remote holds", numbers, list(range(count)))


@pytest.mark.requirement("UA-005")
@pytest.mark.device(vq_size=64)
def test_buffers_nonblocking_write_without_a_buffer_is_eagain(
    link: Link, sim: SimulatorClient, agent: AgentClient, sink: Channel
) -> None:
    fd = link.open(sink.path)
    sim.hold(1)
    _, reply = link.exhaust(fd)
    reply.expect_errno("EAGAIN")
    expect(reply.seconds < 1.0, expected="EAGAIN at once", observed=f"after {reply.seconds:.2f} s")


@pytest.mark.requirement("UA-005")
@pytest.mark.device(vq_size=64)
def test_buffers_nonblocking_write_succeeds_again_after_a_release(
    link: Link, sim: SimulatorClient, agent: AgentClient, sink: Channel
) -> None:
    fd = link.open(sink.path)
    sim.hold(1)
    link.exhaust(fd)
    sim.release(1, 1)
    agent.write(fd, b"one more").expect_success()
    agent.write(fd, b"one too many").expect_errno("EAGAIN")


@pytest.mark.requirement("BF-005")
@pytest.mark.device(vq_size=64)
def test_buffers_blocked_write_goes_on_when_a_buffer_comes_back(
    link: Link, sim: SimulatorClient, agent: AgentClient, sink: Channel
) -> None:
    other = link.announce(kind="sink")
    filler = link.open(sink.path)
    blocking = link.open(other.path, "rdwr")
    sim.hold(1)
    link.exhaust(filler)
    blocked = agent.submit("write", worker=1, fd=blocking, data=b"blocked".hex())
    agent.call("sleep", ms=300)
    early = blocked.poll()
    expect(
        early is None, expected="the write blocks", observed=early.describe() if early else ""
    )
    mark = sim.mark()
    sim.release(1, 1)
    message = sim.wait_event("message", since=mark, src=other.local)
    blocked.wait().expect_success()
    expect_equal("payload", message.payload, b"blocked")
    released = sim.wait_event("returned", since=mark, queue=1)
    waited = (message.time_ns - released.time_ns) / 1e9
    expect(
        waited < 5.0,
        expected="the write goes on at once, long before its 15 s",
        observed=f"{waited:.1f} s after the buffer's return",
    )


@pytest.mark.patient
@pytest.mark.requirement("BF-004")
def test_buffers_blocking_write_gives_up_after_15_s(
    host: HostTarget, given_up: Reply, observe: Callable[[str], None]
) -> None:
    expect(not given_up.ok, expected="the write fails", observed=given_up.describe())
    latest = SEND_SECONDS + LATE_SECONDS * host.timeout_factor
    observe(f"gave up after {given_up.seconds:.2f} s")
    expect(
        SEND_SECONDS - EARLY_SECONDS <= given_up.seconds <= latest,
        expected=f"the write gives up after {SEND_SECONDS:g} s",
        observed=f"after {given_up.seconds:.2f} s",
    )


@pytest.mark.patient
@pytest.mark.requirement("UA-006")
def test_buffers_blocking_write_gives_up_with_a_known_errno(given_up: Reply) -> None:
    given_up.expect_errno("ETIMEDOUT", "EAGAIN", "ENOBUFS")
