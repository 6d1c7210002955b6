# SPDX-License-Identifier: BSD-2-Clause
"""The message header, judged on its 16 bytes as they lay in guest memory, and the integers of announcements."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.link import Channel, Link
from rpmsg_conformance.sim import SimulatorClient, SimulatorError, decode_header

VIRTIO_F_VERSION_1 = 1 << 32

#: Address of the name service.
NAME_SERVICE = 53

#: Addresses and a length of which no two bytes are the same.
SRC, DST, LENGTH = 0x01020304, 0x0A0B0C0D, 0x01E5


@pytest.fixture
def modern_link(link: Link) -> Link:
    """A link on which VIRTIO_F_VERSION_1 was negotiated; without it the byte order is native."""
    assert link.device
    acked = link.sim.stats()["features"]["acked"]
    number = int(acked, 0) if isinstance(acked, str) else int(acked)
    if not number & VIRTIO_F_VERSION_1:
        pytest.skip(f"the host did not acknowledge VIRTIO_F_VERSION_1 (features {number:#x})")
    return link


@pytest.mark.requirement("HD-001")
def test_header_carries_the_addresses_of_the_endpoint(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    agent.write(endpoint, b"some payload").expect_success()
    message = sim.wait_event("message", data=b"some payload".hex())
    expect_equal("length of the header", len(message.header), 16)
    fields = decode_header(message.header)
    expect_equal("src", fields["src"], channel.local)
    expect_equal("dst", fields["dst"], channel.remote)


@pytest.mark.requirement("HD-001")
def test_header_reserved_and_flags_are_zero_in_every_buffer(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    # Beyond one ring, so that buffers are seen that held a message before.
    count = link.buffers + 16
    mark = sim.mark()
    reply = agent.call("exchange", fd=link.open(channel.path, "rdwr"), count=count)
    expect_equal("echoes, and wrong ones", (reply["ret"], reply["wrong"]), (count, 0))
    for message in sim.wait_events(count, "message", since=mark, src=channel.local):
        fields = decode_header(message.header)
        expect_equal("reserved and flags", (fields["reserved"], fields["flags"]), (0, 0))


@pytest.mark.requirement("HD-002")
def test_header_sent_is_little_endian(
    modern_link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    name = modern_link.create_endpoint("byte-order", SRC, DST)
    fd = modern_link.open(f"/dev/{name}")
    agent.write(fd, bytes(LENGTH)).expect_success()
    message = sim.wait_event("message", src=SRC)
    expected = bytes.fromhex("04030201 0d0c0b0a 00000000 e501 0000")
    expect_equal("header on the wire", message.header, expected)


@pytest.mark.requirement("HD-002")
def test_header_received_is_taken_as_little_endian(
    modern_link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    name = modern_link.create_endpoint("byte-order", SRC, DST)
    fd = modern_link.open(f"/dev/{name}")
    sim.send(src=DST, dst=SRC, data=b"x" * LENGTH)
    sent = sim.wait_event("sent", dst=SRC)
    # What this case rests on: that the simulator itself wrote little-endian.
    wire = bytes.fromhex("0d0c0b0a 04030201 00000000 e501 0000")
    if sent.header != wire:
        raise SimulatorError(f"the simulator sent the header {sent.header.hex()}")
    expect_equal("message in the guest", agent.receive(fd), b"x" * LENGTH)


@pytest.mark.requirement("NS-023")
def test_header_announcements_sent_are_little_endian(
    modern_link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    name = "rpmsg-raw"
    mark = sim.mark()
    modern_link.create_device(name, SRC, DST)
    control = modern_link.open(modern_link.control_path(), "rdwr")
    agent.call("rpmsg_release_dev", fd=control, name=name, src=SRC, dst=DST)
    created, destroyed = sim.wait_events(2, "message", since=mark, dst=NAME_SERVICE)
    padded = name.encode().ljust(32, b"\0")
    addr, create, destroy = (bytes.fromhex(cell) for cell in ("04030201", "00000000", "01000000"))
    expect_equal("CREATE on the wire", created.payload, padded + addr + create)
    expect_equal("DESTROY on the wire", destroyed.payload, padded + addr + destroy)
    expected = bytes.fromhex("04030201 35000000 00000000 2800 0000")
    expect_equal("header of the CREATE on the wire", created.header, expected)


@pytest.mark.requirement("NS-023")
def test_header_announcements_received_are_taken_as_little_endian(
    modern_link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    name, gone, kept = b"rpmsg-raw".ljust(32, b"\0"), "0d0c0b0a", "0a0b0c0d"
    for addr, flags in ((gone, "00000000"), (kept, "00000000"), (gone, "01000000")):
        sim.send(src=DST, dst=NAME_SERVICE, data=name + bytes.fromhex(addr + flags))
    # Messages are handled in their order: after this channel there is no more to come.
    modern_link.announce()
    channels = agent.channels(modern_link.device)
    seen = {channel["dst"] for channel in channels if channel["dst"] in (DST, 0x0D0C0B0A)}
    expect_equal("destinations of the channels left", seen, {0x0D0C0B0A})


@pytest.mark.requirement("HD-003")
@pytest.mark.parametrize("length", [1, 2, 15, 16, 255, 256, 257, 495, 496])
def test_header_len_is_the_payload_given(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    payload = bytes(number * 7 & 0xFF for number in range(length))
    agent.write(endpoint, payload).expect_success()
    message = sim.wait_event("message", src=channel.local)
    expect_equal("len of the header", decode_header(message.header)["len"], length)
    expect_equal("payload", message.payload, payload)
