# SPDX-License-Identifier: BSD-2-Clause
"""Addresses that lead nowhere."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.link import ADDRESS_ANY, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

#: An address that no endpoint of the guest has.
NOBODY = 0x0BADADD0


@pytest.mark.requirement("EP-001")
def test_endpoints_sending_to_any_is_refused(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    name = link.create_endpoint("to-anybody", src=2048, dst=ADDRESS_ANY)
    fd = link.open(f"/dev/{name}")
    mark = sim.mark()
    agent.write(fd, b"to anybody").expect_errno("EINVAL")
    # That nothing came shows only once something sent later has come.
    agent.write(endpoint, b"to somebody").expect_success()
    agent.receive(endpoint)
    seen = [(event["src"], event.payload) for event in sim.events("message", since=mark)]
    expect_equal("messages on the ring", seen, [(channel.local, b"to somebody")])


@pytest.mark.requirement("EP-002")
def test_endpoints_message_to_nobody_is_dropped(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sim.send(src=channel.remote, dst=NOBODY, data=b"to nobody")
    sim.send(src=channel.remote, dst=channel.local, data=b"to somebody")
    expect_equal("first message in the guest", agent.receive(endpoint), b"to somebody")
    agent.read(endpoint).expect_errno("EAGAIN")


@pytest.mark.requirement("EP-002")
def test_endpoints_buffers_of_messages_to_nobody_come_back(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    # More than there are buffers: if dropped messages kept theirs, the last could not be sent.
    mark = sim.mark()
    for number in range(link.buffers + 8):
        sim.send(src=channel.remote, dst=NOBODY, data=number.to_bytes(2, "little"))
    sim.send(src=channel.remote, dst=channel.local, data=b"to somebody")
    sim.wait_events(link.buffers + 8, "sent", since=mark, dst=NOBODY)
    expect_equal("message in the guest", agent.receive(endpoint), b"to somebody")
