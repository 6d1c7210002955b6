# SPDX-License-Identifier: BSD-2-Clause
"""Endpoints: who gets a message, who answers, and which addresses there are."""

from __future__ import annotations

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import EXCHANGE_ADDR, NOBODY, RemoteHost
from rpmsg_conformance.virtio import codec
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.host import LOCAL_ADDR


@pytest.mark.requirement("EP-010")
@pytest.mark.parametrize("dst", [0, 1, 52, 54, 1023, 0x10000, 0x80000000, NOBODY, 0xFFFFFFFE])
def test_endpoints_message_to_nobody_is_dropped(dst: int, host: RemoteHost) -> None:
    if dst in [channel.addr for channel in host.channels.open] or dst == host.echo_addr:
        pytest.skip(f"a service has the address {dst:#x}")
    head = host.send(LOCAL_ADDR, dst, b"is anyone there")
    host.check()
    host.drain()
    expect(
        all(message.src != dst for message in host.inbox),
        expected="no answer from an address that nobody has",
        observed=list(host.inbox),
    )
    expect(
        head in [returned for returned, _ in host.returned],
        expected="the buffer comes back",
        observed=host.returned,
    )


@pytest.mark.requirement("EP-010")
def test_endpoints_many_messages_to_nobody_cost_no_buffer(host: RemoteHost) -> None:
    for _ in range(3 * host.output.ring.size):
        host.send(LOCAL_ADDR, NOBODY, b"lost")
    host.drain()
    host.check()


@pytest.mark.requirement("EP-011")
@pytest.mark.parametrize("src", [0, 1, 1025, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE])
def test_endpoints_first_message_makes_the_peer(src: int, host: RemoteHost) -> None:
    host.send(src, host.echo_addr, b"first")
    message = host.receive()
    expect_equal("address of the answer", message.dst, src)


@pytest.mark.requirement("EP-012")
def test_endpoints_nothing_goes_to_an_unknown_address(host: RemoteHost) -> None:
    spoken = {c.ADDR_NS, EXCHANGE_ADDR}
    host.burst(20)
    for src in (7, 0x70000):
        host.check(src=src)
        spoken.add(src)
    for raw in host.wire:
        dst = codec.decode_header(raw).dst
        expect(dst in spoken, expected="an address that has spoken", observed=f"{dst:#x}")


@pytest.mark.requirement("EP-013")
def test_endpoints_no_address_is_announced_twice(host: RemoteHost) -> None:
    host.check()
    addresses = [channel.addr for channel in host.channels.open]
    if not addresses:
        pytest.skip("the remote announces nothing")
    expect_equal("addresses", len(set(addresses)), len(addresses))


@pytest.mark.requirement("EP-014")
def test_endpoints_dynamic_addresses_are_high(host: RemoteHost, observe: Observe) -> None:
    host.check()
    for channel in host.channels.open:
        observe(f"'{channel.name}' has the address {channel.addr}")
    low = [channel for channel in host.channels.open if channel.addr < c.ADDR_FIRST_DYNAMIC]
    expect(not low, expected="addresses from 1024 on", observed=low)


@pytest.mark.requirement("EP-015")
def test_endpoints_53_is_no_service(host: RemoteHost) -> None:
    host.check()
    taken = [channel for channel in host.channels.open if channel.addr == c.ADDR_NS]
    expect(not taken, expected="no service at 53", observed=taken)


@pytest.mark.requirement("EP-016")
@pytest.mark.parametrize("size", [0, 1, 3, 255, 496])
@pytest.mark.parametrize("byte", [0x00, 0x25, 0xFF])
def test_endpoints_useless_messages_do_not_end_the_remote(
    size: int, byte: int, connect: Connect, echo: object
) -> None:
    host = connect()
    for channel in host.channels.open:
        host.send(LOCAL_ADDR + 1, channel.addr, bytes([byte]) * size)
    host.check()
