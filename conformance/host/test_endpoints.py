# SPDX-License-Identifier: BSD-2-Clause
"""Addresses that lead nowhere."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_log import uses_of_freed_memory
from rpmsg_conformance.link import ADDRESS_ANY, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

#: Endpoints that are made and destroyed.
ROUNDS = 20

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


@pytest.mark.requirement("EP-004")
def test_endpoints_destroyed_while_messages_come_are_not_used_after_that(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, host: HostTarget
) -> None:
    if "KASAN" not in host.bundle.checks:
        pytest.skip("a use of freed memory shows only on a kernel with KASAN")
    for number in range(ROUNDS):
        source = 0x700 + number
        fd = link.open(f"/dev/{link.create_endpoint('short-lived', source, channel.remote)}")
        for _ in range(link.buffers // 2):
            sim.send(src=channel.remote, dst=source, data=b"to somebody who goes")
        # It goes while its messages are delivered, and others wait in its backlog.
        agent.call("rpmsg_destroy_ept", fd=fd)
        link.close(fd)
    used = uses_of_freed_memory(host.recent_log())
    expect(not used, expected="no use of an endpoint that is gone", observed="; ".join(used))


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
