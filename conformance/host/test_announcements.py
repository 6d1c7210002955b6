# SPDX-License-Identifier: BSD-2-Clause
"""Announcements beyond the ordinary: twice, unknown, from anywhere, with odd names and addresses."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.link import ADDRESS_ANY, RPMSG_DEVICES, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

NAME_SERVICE = 53

CREATE, DESTROY = 0, 1


def announcement(name: bytes, addr: int, flags: int = CREATE) -> bytes:
    """A name-service message as it lies on the wire (protocol, section 1.4)."""
    return name.ljust(32, b"\0") + addr.to_bytes(4, "little") + flags.to_bytes(4, "little")


def tell(
    sim: SimulatorClient, name: bytes, addr: int, flags: int = CREATE, src: int | None = None
) -> None:
    """Send an announcement made here, not the simulator's own."""
    sim.send(
        src=addr if src is None else src, dst=NAME_SERVICE, data=announcement(name, addr, flags)
    )


def settled(link: Link) -> None:
    """Return once everything sent before was handled: messages are handled in order."""
    channel = link.announce()
    assert channel.path


def addresses(link: Link, name: str) -> list[int]:
    """Destinations of the link's channels of this name."""
    return sorted(c["dst"] for c in link.agent.channels(link.device) if c["name"] == name)


@pytest.mark.requirement("NS-006")
@pytest.mark.parametrize("flags", [0x2, 0x80000000, 0xFFFFFFFE])
def test_names_unknown_flags_with_create_are_a_create(
    flags: int, link: Link, sim: SimulatorClient
) -> None:
    tell(sim, b"flagged", 5000, flags)
    settled(link)
    expect_equal("channels", addresses(link, "flagged"), [5000])


@pytest.mark.requirement("NS-022")
@pytest.mark.parametrize("flags", [0x3, 0x80000001, 0xFFFFFFFF])
def test_names_unknown_flags_with_destroy_are_a_destroy(
    flags: int, link: Link, sim: SimulatorClient
) -> None:
    tell(sim, b"flagged", 5001)
    tell(sim, b"flagged", 5002)
    settled(link)
    expect_equal("channels before", addresses(link, "flagged"), [5001, 5002])
    tell(sim, b"flagged", 5001, flags)
    settled(link)
    expect_equal("channels", addresses(link, "flagged"), [5002])


@pytest.mark.requirement("NS-008")
@pytest.mark.parametrize("length", [0, 1, 39, 41, 80, 496])
def test_names_announcement_of_another_length_is_refused(
    length: int, link: Link, sim: SimulatorClient
) -> None:
    data = (announcement(b"malformed", 5010) + bytes(496))[:length]
    sim.send(src=5010, dst=NAME_SERVICE, data=data)
    settled(link)
    expect_equal("channels", addresses(link, "malformed"), [])


@pytest.mark.requirement("NS-009")
def test_names_empty_name_does_no_harm(link: Link, sim: SimulatorClient) -> None:
    tell(sim, b"", 5020)
    settled(link)
    tell(sim, b"", 5020, DESTROY)
    settled(link)
    expect_equal("channels left", addresses(link, ""), [])


@pytest.mark.requirement("NS-010")
def test_names_second_create_is_refused_and_the_first_lives_on(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    for _ in range(3):
        tell(sim, channel.name.encode(), channel.remote)
    agent.write(endpoint, b"still the first").expect_success()
    expect_equal("echo", agent.receive(endpoint), b"still the first")
    expect_equal("channels", addresses(link, channel.name), [channel.remote])


@pytest.mark.requirement("NS-011")
def test_names_same_name_at_other_addresses_are_more_channels(
    link: Link, agent: AgentClient
) -> None:
    several = [link.announce(addr=addr) for addr in (5030, 5031, 5032)]
    fds = [link.open(channel.path) for channel in several]
    for channel, fd in zip(several, fds, strict=True):
        agent.write(fd, b"%d" % channel.remote).expect_success()
        message = link.sim.wait_event("message", src=channel.local)
        expect_equal("destination", message["dst"], channel.remote)
    for channel, fd in zip(several, fds, strict=True):
        expect_equal("echo", agent.receive(fd), b"%d" % channel.remote)


@pytest.mark.requirement("NS-012")
def test_names_create_with_address_any_is_refused(link: Link, sim: SimulatorClient) -> None:
    tell(sim, b"anywhere", ADDRESS_ANY, src=5040)
    settled(link)
    expect_equal("channels", addresses(link, "anywhere"), [])


@pytest.mark.requirement("NS-013")
@pytest.mark.parametrize("addr", [0, 1, 52, 53, 54, 1023])
def test_names_create_with_a_low_address_is_accepted(
    addr: int, link: Link, sim: SimulatorClient
) -> None:
    tell(sim, b"low", addr)
    settled(link)
    expect_equal("channels", addresses(link, "low"), [addr])


@pytest.mark.requirement("NS-014")
@pytest.mark.parametrize(
    ("name", "addr"),
    [
        pytest.param(b"nobody", 5050, id="unknown"),
        pytest.param(b"rpmsg-raw", 5051, id="known-name"),
        pytest.param(b"", 5052, id="empty-name"),
    ],
)
def test_names_destroy_of_an_unknown_channel_does_no_harm(
    name: bytes, addr: int, sim: SimulatorClient, agent: AgentClient, endpoint: int, link: Link
) -> None:
    before = [c["device"] for c in agent.channels(link.device)]
    tell(sim, name, addr, DESTROY)
    agent.write(endpoint, b"unharmed").expect_success()
    expect_equal("echo", agent.receive(endpoint), b"unharmed")
    after = [c["device"] for c in agent.channels(link.device)]
    expect_equal("channels", after, before)


@pytest.mark.requirement("NS-014")
def test_names_second_destroy_does_no_harm(link: Link, sim: SimulatorClient) -> None:
    tell(sim, b"twice", 5053)
    for _ in range(3):
        tell(sim, b"twice", 5053, DESTROY)
    settled(link)
    expect_equal("channels", addresses(link, "twice"), [])


@pytest.mark.requirement("NS-015")
def test_names_destroy_with_address_any_removes_at_most_one(
    link: Link, sim: SimulatorClient
) -> None:
    for addr in (5060, 5061, 5062):
        tell(sim, b"several", addr)
    tell(sim, b"several", ADDRESS_ANY, DESTROY, src=5060)
    settled(link)
    left = len(addresses(link, "several"))
    expect(left >= 2, expected="2 or 3 channels left", observed=left)


@pytest.mark.requirement("NS-017")
@pytest.mark.parametrize("src", [1, 1024, 0x7FFFFFFF])
def test_names_announcement_from_any_source_is_accepted(
    src: int, link: Link, sim: SimulatorClient
) -> None:
    tell(sim, b"from-elsewhere", 5070, src=src)
    settled(link)
    expect_equal("channels", addresses(link, "from-elsewhere"), [5070])


@pytest.mark.requirement("NS-004")
def test_names_name_without_nul_is_cut(link: Link, sim: SimulatorClient) -> None:
    name = b"unterminated-name-of-32-bytes-xy"
    tell(sim, name, 5080)
    settled(link)
    expect_equal("channels", addresses(link, name[:31].decode()), [5080])
    path = f"{RPMSG_DEVICES}/{link.device}.{name[:31].decode()}.-1.5080"
    expect_equal("its device is there", link.agent.exists(path), True)


@pytest.mark.requirement("HD-013")
@pytest.mark.parametrize(
    "fields", [{"reserved": 0xFFFFFFFF}, {"flags": 0xFFFF}, {"reserved": 1, "flags": 1}]
)
def test_header_reserved_and_flags_of_a_received_message_are_ignored(
    fields: dict[str, int], sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sim.send(src=channel.remote, dst=channel.local, data=b"odd header", **fields)
    expect_equal("message", agent.receive(endpoint), b"odd header")


@pytest.mark.requirement("HD-018")
def test_header_used_length_of_a_send_buffer_is_ignored(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    sim.call("fault_set", name="used-len-output", mode="always")
    fd = link.open(channel.path, "rdwr")
    reply = agent.call("exchange", fd=fd, count=2 * link.buffers, window=8)
    expect_equal("echoes, and wrong ones", (reply["ret"], reply["wrong"]), (2 * link.buffers, 0))
    sim.call("fault_clear")


@pytest.mark.requirement("HD-021")
@pytest.mark.parametrize("src", [0, NAME_SERVICE, 0x80000000, ADDRESS_ANY])
def test_header_strange_source_does_no_harm(
    src: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sim.send(src=src, dst=channel.local, data=b"from a strange one")
    sim.send(src=channel.remote, dst=channel.local, data=b"from the usual one")
    got = agent.receive(endpoint)
    if got == b"from a strange one":
        got = agent.receive(endpoint)
    expect_equal("message", got, b"from the usual one")


@pytest.mark.requirement("EP-003")
@pytest.mark.parametrize("count", [2, 8])
def test_endpoints_messages_of_a_batch_each_reach_their_own(
    count: int, link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    several = [link.announce() for _ in range(count)]
    fds = [link.open(channel.path) for channel in several]
    sim.hold(0)
    for number in range(5 * count):
        channel = several[number * 3 % count]
        sim.send(src=channel.remote, dst=channel.local, data=b"%d" % number)
    sim.release(0)
    for index, fd in enumerate(fds):
        wanted = [b"%d" % number for number in range(5 * count) if number * 3 % count == index]
        got = [agent.receive(fd) for _ in wanted]
        expect_equal(f"messages of endpoint {index}", got, wanted)
