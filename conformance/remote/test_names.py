# SPDX-License-Identifier: BSD-2-Clause
"""Name service: what the remote announces, and what it makes of the host's announcements."""

from __future__ import annotations

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import RemoteHost
from rpmsg_conformance.remote_target import RemoteTarget
from rpmsg_conformance.virtio import codec
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.channels import Announcement
from rpmsg_conformance.virtio.codec import Oddity
from rpmsg_conformance.virtio.config import BASIC_FEATURES, Config
from rpmsg_conformance.virtio.constants import Feature, bit
from rpmsg_conformance.virtio.host import LOCAL_ADDR

#: Name and address of a service that the host announces.
OURS, OUR_ADDR = "conform-service", 0x4321


@pytest.fixture
def announcements(host: RemoteHost, remote: RemoteTarget) -> list[Announcement]:
    """What the remote announced before it answered; skips when that is nothing."""
    with remote.judging():
        host.check()
    if not host.channels.announcements:
        pytest.skip("the remote announces nothing")
    return host.channels.announcements


@pytest.mark.requirement("NS-003")
def test_names_announcement_is_40_bytes(announcements: list[Announcement]) -> None:
    for announcement in announcements:
        expect_equal("length of an announcement", len(announcement.payload), 40)


@pytest.mark.requirement("NS-004")
def test_names_announced_name_ends_with_nul(announcements: list[Announcement]) -> None:
    for announcement in announcements:
        name = announcement.payload[: c.NAME_SIZE]
        expect(b"\0" in name, expected="a NUL within 32 bytes", observed=name)


@pytest.mark.requirement("NS-005")
def test_names_bytes_behind_the_nul_are_zero(announcements: list[Announcement]) -> None:
    for announcement in announcements:
        rest = announcement.payload[: c.NAME_SIZE].partition(b"\0")[2]
        expect_equal("bytes behind the NUL", rest.strip(b"\0"), b"")


@pytest.mark.requirement("NS-006")
@pytest.mark.parametrize("number", [1, 2, 7, 15, 31])
def test_names_unknown_flag_of_the_host_is_ignored(number: int, host: RemoteHost) -> None:
    host.announce(OURS, OUR_ADDR, bit(number))
    host.announce(OURS, OUR_ADDR, bit(number) | c.NS_DESTROY)
    host.check()
    host.drain()


@pytest.mark.requirement("NS-007")
def test_names_without_f_ns_nothing_is_announced(connect: Connect, echo: object) -> None:
    host = connect(Config(features=BASIC_FEATURES & ~bit(Feature.NS)))
    host.burst(5)
    expect_equal("announcements without F_NS", len(host.channels.announcements), 0)


@pytest.mark.requirement("NS-007")
def test_names_without_f_ns_the_hosts_announcement_does_no_harm(
    connect: Connect, echo: object
) -> None:
    host = connect(Config(features=BASIC_FEATURES & ~bit(Feature.NS)))
    host.announce(OURS, OUR_ADDR)
    host.check()
    host.drain()
    expect_equal("announcements without F_NS", len(host.channels.announcements), 0)


@pytest.mark.requirement("NS-030")
def test_names_announcement_follows_driver_ok(host: RemoteHost) -> None:
    if not host.session.features & bit(Feature.NS):
        pytest.skip("the remote does not offer F_NS")
    host.wait(lambda: bool(host.channels.announcements), what="announcement")


@pytest.mark.requirement("NS-030")
def test_names_announcement_waits_for_a_buffer(open_host: Connect, echo: object) -> None:
    host = open_host()
    session = host.session
    session.start()
    if not session.features & bit(Feature.NS):
        pytest.skip("the remote does not offer F_NS")
    session.driver_ok()
    host.input.kick()
    session.frontend.sync()
    # Only now are there buffers to announce in.
    host.prepare()
    host.input.kick()
    host.wait(lambda: bool(host.channels.announcements), what="announcement")
    host.await_echo()
    host.check()


@pytest.mark.requirement("NS-031")
def test_names_each_endpoint_is_announced_once(
    host: RemoteHost, announcements: list[Announcement]
) -> None:
    host.burst(50)
    repeated = [a.ns for a in announcements if a.ns is not None and a.ns.creates and a.known]
    expect(not repeated, expected="one announcement of each endpoint", observed=repeated)


@pytest.mark.requirement("NS-033")
def test_names_after_destroy_the_peer_is_not_spoken_to(host: RemoteHost) -> None:
    name = echo_name(host)
    host.announce(name, OUR_ADDR)
    host.send(OUR_ADDR, host.echo_addr, b"bound")
    host.receive(dst=OUR_ADDR)
    host.announce(name, OUR_ADDR, c.NS_DESTROY)
    host.burst(5)
    late = [message for message in host.inbox if message.dst == OUR_ADDR]
    expect(not late, expected="nothing to the withdrawn address", observed=late)
    # Whoever speaks to the endpoint next becomes its peer.
    host.check(src=OUR_ADDR + 1)


def echo_name(host: RemoteHost) -> str:
    service = host.service
    return service.name if service is not None and service.name is not None else OURS


@pytest.mark.requirement("NS-034")
def test_names_f_ns_is_offered_by_a_remote_that_announces(
    host: RemoteHost, announcements: list[Announcement]
) -> None:
    expect(
        bool(host.session.offered & bit(Feature.NS)),
        expected="F_NS among the features",
        observed=f"{len(announcements)} announcements, features {host.session.offered:#x}",
    )


@pytest.mark.requirement("NS-035")
@pytest.mark.parametrize("size", [0, 1, 31, 32, 36, 39, 41, 48, 80, 496])
def test_names_announcement_of_wrong_length_is_ignored(size: int, host: RemoteHost) -> None:
    whole = codec.encode_ns(OURS, OUR_ADDR) * 13
    head = host.send(OUR_ADDR, c.ADDR_NS, whole[:size])
    host.check()
    host.drain()
    expect(
        head in [returned for returned, _ in host.returned],
        expected="the buffer comes back",
        observed=host.returned,
    )


@pytest.mark.requirement("NS-036")
@pytest.mark.parametrize("flags", [c.NS_CREATE, c.NS_DESTROY])
@pytest.mark.parametrize("byte", [b"A", b"\xff", b"%"])
def test_names_unterminated_name_is_safe(byte: bytes, flags: int, host: RemoteHost) -> None:
    host.announce(byte * c.NAME_SIZE, OUR_ADDR, flags)
    host.announce(byte * (c.NAME_SIZE - 1), OUR_ADDR, flags)
    host.check()
    host.drain()


@pytest.mark.requirement("NS-037")
@pytest.mark.parametrize("flags", [0x2, 0x3, 0xFFFFFFFE, 0xFFFFFFFF])
def test_names_odd_flags_do_no_harm(flags: int, host: RemoteHost, observe: Observe) -> None:
    before = len(host.wire)
    host.announce(OURS, OUR_ADDR, flags)
    host.check()
    host.drain()
    if len(host.wire) > before + 1:
        observe("the remote answered the announcement")


@pytest.mark.requirement("NS-037")
def test_names_any_sequence_of_announcements_does_no_harm(host: RemoteHost) -> None:
    for name in ("", "x", OURS, echo_name(host)):
        for addr in (0, c.ADDR_NS, LOCAL_ADDR, c.ADDR_ANY):
            for flags in (c.NS_DESTROY, c.NS_CREATE, c.NS_CREATE, c.NS_DESTROY, c.NS_DESTROY):
                host.announce(name, addr, flags)
    host.check(src=OUR_ADDR)
    host.drain()
    odd = [a.ns for a in host.channels.announcements if a.ns and Oddity.NS_FLAGS in a.ns.oddities]
    expect(not odd, expected="no announcements with odd flags", observed=odd)
