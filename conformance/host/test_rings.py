# SPDX-License-Identifier: BSD-2-Clause
"""What a host does with its rings and interrupts, seen from the device."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.link import HEADER_SIZE, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

Observe = Callable[[str], None]

EVENT_IDX = 1 << 29
IN_ORDER = 1 << 35

WITHOUT_EVENT_IDX = pytest.mark.device(options=["--feature", "-event-idx"])

#: Messages each way after which both ring indices have passed 65535.
WRAP = 66_000


@pytest.mark.requirement("VQ-029")
def test_rings_kick_comes_when_avail_event_asks_for_it(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, link: Link
) -> None:
    acked = sim.stats()["features"]["acked"]
    expect_equal("EVENT_IDX was negotiated", bool(acked & EVENT_IDX), True)
    before = sim.stats()["queues"][1]["kicks"]
    count = 2 * link.buffers
    reply = agent.call("exchange", fd=link.open(channel.path, "rdwr"), count=count)
    expect_equal("echoes, and wrong ones", (reply["ret"], reply["wrong"]), (count, 0))
    kicks = sim.stats()["queues"][1]["kicks"] - before
    expect(kicks > 0, expected="kicks", observed=kicks)


@WITHOUT_EVENT_IDX
@pytest.mark.requirement("VQ-029")
def test_rings_kick_comes_for_each_message_without_event_idx(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    for number in range(50):
        agent.write(endpoint, b"%d" % number).expect_success()
        expect_equal("echo", agent.receive(endpoint), b"%d" % number)
    expect_equal("EVENT_IDX", sim.stats()["features"]["acked"] & EVENT_IDX, 0)


@pytest.mark.requirement("VQ-032")
@pytest.mark.parametrize("order", ["reversed", "shuffled"])
@pytest.mark.parametrize("queue", [0, 1])
def test_rings_used_ids_may_come_back_in_any_order(
    queue: int, order: str, link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    sim.call("pace", queue=queue, order=order)
    fd = link.open(channel.path)
    for _ in range(3):
        sim.hold(queue)
        for number in range(40):
            if queue == 0:
                sim.send(src=channel.remote, dst=channel.local, data=b"%d" % number)
            else:
                agent.write(fd, b"%d" % number).expect_success()
        sim.release(queue)
        got = sorted(agent.receive_all(fd, 40))
        expect_equal("messages read", got, sorted(b"%d" % number for number in range(40)))


@pytest.mark.patient
@pytest.mark.deadline(120)
@pytest.mark.requirement("VQ-033")
def test_rings_indices_wrap_with_traffic_both_ways(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    fd = link.open(channel.path, "rdwr")
    sim.subscribe_to_little()
    done = 0
    while done < WRAP:
        reply = agent.call("exchange", 60.0, fd=fd, count=6000, window=64)
        expect_equal("echoes, and wrong ones", (reply["ret"], reply["wrong"]), (6000, 0))
        done += 6000
    popped = [queue["popped"] for queue in sim.stats()["queues"]]
    expect(min(popped) > 65536, expected="more than 65536 buffers each way", observed=popped)


@pytest.mark.requirement("VQ-034")
def test_rings_interrupts_for_send_buffers(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int, observe: Observe
) -> None:
    before = sim.stats()["queues"][1]["calls"]
    for _ in range(20):
        agent.write(endpoint, b"x").expect_success()
        agent.receive(endpoint)
    calls = sim.stats()["queues"][1]["calls"] - before
    observe(f"{calls} interrupts for 20 returned send buffers while nobody waited")
    expect(calls <= 20, expected="at most one for each", observed=calls)


@pytest.mark.requirement("VQ-035")
def test_rings_one_kick_for_a_batch_of_receive_buffers(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int, observe: Observe
) -> None:
    sim.hold(0)
    for number in range(64):
        sim.send(src=channel.remote, dst=channel.local, data=bytes([number]))
    before = sim.stats()["queues"][0]["kicks"]
    sim.release(0)
    agent.receive_all(endpoint, 64)
    kicks = sim.stats()["queues"][0]["kicks"] - before
    observe(f"{kicks} kicks for a batch of 64")
    expect(kicks < 64, expected="fewer kicks than buffers", observed=kicks)


@pytest.mark.requirement("VQ-036")
@pytest.mark.parametrize("queue", [0, 1])
def test_rings_interrupt_without_used_buffers_does_no_harm(
    queue: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sim.call("pace", queue=queue, interrupt="spurious", interrupt_delay_us=500)
    for number in range(20):
        agent.call("sleep", ms=2)
        agent.write(endpoint, b"%d" % number).expect_success()
        expect_equal("echo", agent.receive(endpoint), b"%d" % number)
    sim.call("pace", queue=queue, interrupt="normal")


@pytest.mark.requirement("VQ-039")
def test_rings_receive_queue_is_kicked_after_driver_ok(link: Link, sim: SimulatorClient) -> None:
    assert link.device
    sim.wait_event("kick", queue=0, expected="a kick of queue 0 before any message")
    expect_equal("messages so far", len(sim.events("message")), 0)


@pytest.mark.requirement("VQ-040")
@pytest.mark.parametrize("length", [0, 1, 100, 496])
def test_rings_send_descriptor_is_as_long_as_the_message(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    agent.write(endpoint, bytes(length)).expect_success()
    message = sim.wait_event("message", src=channel.local)
    expect_equal("length of the descriptor", message["desc_len"], HEADER_SIZE + length)


@pytest.mark.requirement("VQ-038")
@pytest.mark.device(options=["--feature", "+in-order"])
def test_rings_in_order_works_or_is_not_taken(
    sim: SimulatorClient, agent: AgentClient, endpoint: int, observe: Observe
) -> None:
    acked = sim.stats()["features"]["acked"]
    observe(f"IN_ORDER was {'taken' if acked & IN_ORDER else 'not taken'}")
    for number in range(20):
        agent.write(endpoint, b"%d" % number).expect_success()
        expect_equal("echo", agent.receive(endpoint), b"%d" % number)
