# SPDX-License-Identifier: BSD-2-Clause
"""The character and control devices of Linux."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.link import RPMSG_CLASS, Channel, Link


@pytest.mark.requirement("UA-001")
def test_userspace_link_has_a_control_device(link: Link, agent: AgentClient) -> None:
    path = link.control_path()
    agent.expect_path(path)
    link.open(path, "rdwr")


@pytest.mark.requirement("UA-002")
@pytest.mark.parametrize(
    ("name", "src", "dst"),
    [
        pytest.param("an-endpoint", 0x321, 0x7654, id="ordinary"),
        pytest.param("e" * 31, 1, 0, id="longest-name-and-small-addresses"),
    ],
)
def test_userspace_create_ept_makes_a_device_with_these_attributes(
    name: str, src: int, dst: int, link: Link, agent: AgentClient
) -> None:
    node = link.create_endpoint(name, src, dst)
    seen = {
        attribute: agent.file_text(f"{RPMSG_CLASS}/{node}/{attribute}")
        for attribute in ("name", "src", "dst")
    }
    expect_equal(f"attributes of {node}", seen, {"name": name, "src": str(src), "dst": str(dst)})


@pytest.mark.requirement("UA-002")
def test_userspace_created_endpoint_carries_messages(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    node = link.create_endpoint("own-endpoint", 0x777, channel.remote)
    fd = link.open(f"/dev/{node}")
    agent.write(fd, b"from an endpoint of our own").expect_success()
    expect_equal("echo", agent.receive(fd), b"from an endpoint of our own")


@pytest.mark.requirement("UA-003")
def test_userspace_second_open_is_ebusy(
    link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    agent.try_call("open", path=channel.path, flags=["rdwr"]).expect_errno("EBUSY")


@pytest.mark.requirement("UA-003")
def test_userspace_open_succeeds_again_after_close(
    link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    link.close(endpoint)
    link.open(channel.path)


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
