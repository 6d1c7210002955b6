# SPDX-License-Identifier: BSD-2-Clause
"""The name service: channels come and go as the remote announces them."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.link import RPMSG_DEVICES, Link
from rpmsg_conformance.sim import SimulatorClient


def named(link: Link, *names: str) -> list[tuple[str, int]]:
    """(name, destination) of the link's channels that have one of these names."""
    channels = link.agent.channels(link.device)
    return sorted((c["name"], c["dst"]) for c in channels if c["name"] in names)


@pytest.mark.requirement("NS-001")
@pytest.mark.parametrize(
    ("name", "addr"),
    [
        pytest.param("a-service", 1024, id="first-dynamic-address"),
        pytest.param("a-service", 0x7FFFFFF0, id="large-address"),
        pytest.param("x", 2000, id="shortest-name"),
        pytest.param("n" * 31, 2001, id="longest-name"),
    ],
)
def test_names_create_makes_the_channel_appear(
    name: str, addr: int, link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    expect_equal("channels before", named(link, name), [])
    sim.announce(name, addr=addr)
    path = f"{RPMSG_DEVICES}/{link.device}.{name[:31]}.-1.{addr}"
    agent.expect_path(path)
    expect_equal("channels of that name", named(link, name), [(name, addr)])


@pytest.mark.requirement("NS-001")
def test_names_channel_leads_to_the_service(
    link: Link, agent: AgentClient, endpoint: int
) -> None:
    agent.write(endpoint, b"through the channel").expect_success()
    expect_equal("echo", agent.receive(endpoint), b"through the channel")


@pytest.mark.requirement("NS-002")
def test_names_destroy_removes_the_channel(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    sim.announce("short-lived", addr=3000)
    path = f"{RPMSG_DEVICES}/{link.device}.short-lived.-1.3000"
    agent.expect_path(path)
    sim.withdraw("short-lived", 3000)
    agent.expect_no_path(path)
    expect_equal("channels of that name", named(link, "short-lived"), [])


@pytest.mark.requirement("NS-002")
def test_names_destroy_leaves_other_channels_alone(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    kept = [("same-name", 3001), ("same-name", 3003), ("other-name", 3004)]
    for name, addr in [*kept, ("same-name", 3002)]:
        sim.announce(name, addr=addr)
        agent.expect_path(f"{RPMSG_DEVICES}/{link.device}.{name}.-1.{addr}")
    sim.withdraw("same-name", 3002)
    gone = f"{RPMSG_DEVICES}/{link.device}.same-name.-1.3002"
    agent.expect_no_path(gone)
    expect_equal("channels left", named(link, "same-name", "other-name"), sorted(kept))


@pytest.mark.requirement("NS-002")
def test_names_destroy_leaves_a_channel_in_use_working(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    first, second = link.announce(), link.announce()
    fd = link.open(second.path)
    sim.withdraw(first.name, first.remote)
    agent.expect_no_path(first.path)
    agent.write(fd, b"still here").expect_success()
    expect_equal("echo over the channel that was kept", agent.receive(fd), b"still here")
