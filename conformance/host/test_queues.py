# SPDX-License-Identifier: BSD-2-Clause
"""The two virtqueues: which is which, what lies on them at the start, how buffers come back."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import Unmet, expect, expect_equal
from rpmsg_conformance.link import BUFFER_SIZE, HEADER_SIZE, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

#: Ring sizes: usual, smaller than Linux's 256 buffers a direction, larger.
RINGS = [
    pytest.param(size, marks=pytest.mark.device(vq_size=size), id=f"ring-{size}")
    for size in (256, 64, 512)
]


def buffers_given(sim: SimulatorClient) -> int:
    """Receive buffers that the host has put onto queue 0 since the session's start."""
    queue = sim.stats()["queues"][0]
    return int(queue["popped"]) + int(queue["avail_pending"])


def expect_buffers_given(sim: SimulatorClient, agent: AgentClient, count: int) -> None:
    """Raise Unmet unless the host comes to have given exactly ``count`` receive buffers.

    A reader in the guest can be faster than the interrupt handler that puts the last message's
    buffer back, so the guest gets some rounds of a command to finish; more than ``count`` is wrong
    at any time.
    """
    for _ in range(100):
        given = buffers_given(sim)
        if given >= count:
            break
        agent.call("ping")
    expect_equal("receive buffers given by the host", buffers_given(sim), count)


@pytest.mark.requirement("VQ-020")
def test_queues_two_are_started_by_the_probe(link: Link, sim: SimulatorClient) -> None:
    assert link.device
    started = [event["queue"] for event in sim.events("queue", state="started")]
    expect_equal("queues started at DRIVER_OK", sorted(started), [0, 1])


@pytest.mark.requirement("VQ-020")
def test_queues_messages_to_the_remote_use_queue_1(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    before = sim.stats()["queues"]
    agent.write(endpoint, b"to the remote").expect_success()
    sim.wait_event("message", src=channel.local)
    agent.receive(endpoint)
    after = sim.stats()["queues"]
    expect_equal("buffers taken from queue 1", after[1]["popped"] - before[1]["popped"], 1)


@pytest.mark.requirement("VQ-020")
def test_queues_messages_to_the_host_use_queue_0(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    before = sim.stats()["queues"]
    sim.send(src=channel.remote, dst=channel.local, data=b"to the host")
    expect_equal("message read in the guest", agent.receive(endpoint), b"to the host")
    after = sim.stats()["queues"]
    expect_equal("buffers taken from queue 0", after[0]["popped"] - before[0]["popped"], 1)
    expect_equal("buffers taken from queue 1", after[1]["popped"] - before[1]["popped"], 0)


@pytest.mark.requirement("LC-001")
@pytest.mark.parametrize("ring", RINGS)
def test_queues_receive_buffers_are_posted_before_driver_ok(
    ring: int, link: Link, sim: SimulatorClient
) -> None:
    ready = sim.wait_event("driver_ok", expected="the guest's driver sets DRIVER_OK")
    expect_equal("buffers on queue 0 at DRIVER_OK", ready["queues"][0], min(ring, 256))


@pytest.mark.requirement("LC-002")
@pytest.mark.parametrize("ring", RINGS)
def test_queues_nothing_is_to_be_sent_before_driver_ok(
    ring: int, link: Link, sim: SimulatorClient
) -> None:
    ready = sim.wait_event("driver_ok", expected="the guest's driver sets DRIVER_OK")
    expect_equal("buffers on queue 1 at DRIVER_OK", ready["queues"][1], 0)


@pytest.mark.requirement("BF-010")
@pytest.mark.parametrize("length", [0, 1, 100, 496])
def test_queues_send_descriptor_is_single_and_readable(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    agent.write(endpoint, bytes(length)).expect_success()
    message = sim.wait_event("message", src=channel.local)
    expect_equal("descriptors of the message", message["desc_count"], 1)
    expect_equal("device-writable bytes", message["writable"], 0)
    expect(
        message["readable"] >= HEADER_SIZE + length,
        expected=f"at least {HEADER_SIZE + length} device-readable bytes",
        observed=message["readable"],
    )


@pytest.mark.requirement("BF-011")
def test_queues_receive_descriptors_are_single_writable_and_512_bytes(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    # Once around the ring and on: every buffer as it was posted at first, some posted again.
    count = link.buffers + 16
    mark = sim.mark()
    for number in range(count):
        sim.send(src=channel.remote, dst=channel.local, data=number.to_bytes(2, "little"))
    for sent in sim.wait_events(count, "sent", since=mark, dst=channel.local):
        shape = {name: sent[name] for name in ("desc_count", "readable", "writable")}
        expect_equal(
            "receive descriptor", shape, {"desc_count": 1, "readable": 0, "writable": BUFFER_SIZE}
        )


@pytest.mark.requirement("VQ-021")
def test_queues_receive_buffer_comes_back_once_for_each_message(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    before = sim.stats()["queues"][0]["popped"]
    count = link.buffers + 44
    for first in range(0, count, 10):
        for number in range(first, first + 10):
            sim.send(src=channel.remote, dst=channel.local, data=number.to_bytes(2, "little"))
        agent.receive_all(endpoint, 10)
    expect_equal("messages sent", sim.stats()["queues"][0]["popped"] - before, count)
    expect_buffers_given(sim, agent, link.buffers + before + count)


@pytest.mark.requirement("VQ-021")
def test_queues_receive_buffers_of_a_batch_come_back_once_each(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    before = sim.stats()["queues"][0]["popped"]
    sim.hold(0)
    for number in range(40):
        sim.send(src=channel.remote, dst=channel.local, data=bytes([number]))
    sim.release(0)
    agent.receive_all(endpoint, 40)
    expect_buffers_given(sim, agent, link.buffers + before + 40)


@pytest.mark.requirement("VQ-022")
def test_queues_messages_of_a_batch_arrive_in_order(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sent = [b"%03d" % number for number in range(200)]
    sim.hold(0)
    for message in sent:
        if not sim.send(src=channel.remote, dst=channel.local, data=message):
            raise Unmet("the simulator queues the message", "it was sent at once")
    sim.release(0)
    received = agent.receive_all(endpoint, len(sent))
    expect_equal("messages in the order of arrival", received, sent)


@pytest.mark.requirement("VQ-022")
def test_queues_messages_stay_in_order_beyond_one_ring(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sent = [b"%03d" % number for number in range(link.buffers + 44)]
    for message in sent:
        sim.send(src=channel.remote, dst=channel.local, data=message)
    received = agent.receive_all(endpoint, len(sent))
    expect_equal("messages in the order of arrival", received, sent)
