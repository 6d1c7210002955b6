# SPDX-License-Identifier: BSD-2-Clause
"""Life cycle: before DRIVER_OK, reset, disconnection, and the sessions after them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect
from rpmsg_conformance.remote_host import RemoteHost
from rpmsg_conformance.virtio.config import PROTOCOL_FEATURES, Config
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, bit
from rpmsg_conformance.virtio.host import LOCAL_ADDR

#: Ways to reset, by the protocol features that are negotiated.
RESETS = {
    "status": PROTOCOL_FEATURES,
    "RESET_DEVICE": PROTOCOL_FEATURES & ~bit(ProtocolFeature.STATUS),
    "stopped rings": PROTOCOL_FEATURES
    & ~bit(ProtocolFeature.STATUS)
    & ~bit(ProtocolFeature.RESET_DEVICE),
}

by_every_reset = pytest.mark.parametrize("way", list(RESETS))


@pytest.fixture
def resettable(connect: Connect, echo: object) -> Callable[[str], RemoteHost]:
    """resettable(way): a host that resets the device in this way."""

    def make(way: str) -> RemoteHost:
        host = connect(Config(ring_sizes=(64, 64), protocol_features=RESETS[way]))
        needed = {"status": ProtocolFeature.STATUS, "RESET_DEVICE": ProtocolFeature.RESET_DEVICE}
        if way in needed and not host.session.frontend.has(needed[way]):
            pytest.skip(f"the back-end does not offer {needed[way].name}")
        return host

    return make


@pytest.mark.requirement("LC-010")
@pytest.mark.parametrize("first", ["rings", "buffers"])
def test_life_nothing_is_sent_before_driver_ok(
    first: str, open_host: Connect, echo: object
) -> None:
    host = open_host()
    session = host.session
    session.negotiate_protocol()
    if not session.frontend.has(ProtocolFeature.STATUS):
        pytest.skip("without STATUS the back-end does not learn of DRIVER_OK")
    session.negotiate()
    session.make_rings()
    if first == "buffers":
        # The device finds them when it gets to know the rings.
        host.prepare()
    session.share_memory()
    for queue in session.queues:
        session.start_queue(queue)
    if first == "rings":
        host.prepare()
    for queue in session.queues:
        queue.kick()
    for _ in range(5):
        session.frontend.sync()
        session.wait(0.002)
        expect_equal("used.idx of queue 0 before DRIVER_OK", host.raw(0).used_index, 0)
    host.go()
    host.await_echo()
    host.check()


@pytest.mark.requirement("LC-010")
def test_life_what_was_sent_before_driver_ok_is_answered_after_it(
    open_host: Connect, echo: object
) -> None:
    host = open_host()
    session = host.session
    session.start()
    if not session.frontend.has(ProtocolFeature.STATUS):
        pytest.skip("without STATUS the back-end does not learn of DRIVER_OK")
    host.prepare()
    host.send(LOCAL_ADDR, host.echo_addr, b"early")
    session.frontend.sync()
    expect_equal("used.idx of queue 0 before DRIVER_OK", host.raw(0).used_index, 0)
    host.go()
    host.output.kick()
    host.await_echo()
    host.check()


@pytest.mark.requirement("LC-011")
@by_every_reset
def test_life_after_a_reset_indices_start_at_zero(
    way: str, resettable: Callable[[str], RemoteHost]
) -> None:
    host = resettable(way)
    host.burst(10)
    host.reset()
    host.restart()
    host.await_echo()
    host.check()
    host.drain()
    expect_equal("used.idx of queue 1", host.raw(1).used_index, 1)
    expect_equal("used.idx of queue 0", host.raw(0).used_index, len(host.wire_of_session()))


@pytest.mark.requirement("LC-011")
@by_every_reset
def test_life_after_a_reset_services_are_announced_again(
    way: str, resettable: Callable[[str], RemoteHost]
) -> None:
    host = resettable(way)
    if not host.session.features & bit(Feature.NS) or not host.channels.open:
        pytest.skip("the remote announces nothing")
    first = host.channels.open
    for _ in range(3):
        host.reset()
        host.restart()
        host.await_echo()
        host.check()
    expect_equal("announced services", host.channels.open, first)


@pytest.mark.requirement("LC-012")
@by_every_reset
@pytest.mark.parametrize("backlog", [False, True], ids=["idle", "backlog"])
def test_life_after_a_reset_no_buffer_is_touched(
    way: str, backlog: bool, resettable: Callable[[str], RemoteHost]
) -> None:
    host = resettable(way)
    host.check()
    if backlog:
        host.hold_receive()
        # More answers than there are buffers for: some wait in the remote.
        for number in range(100):
            host.send(LOCAL_ADDR, host.echo_addr, b"%d" % number)
    host.reset()
    regions = host.session.memory.regions
    before = [region.map[:] for region in regions]
    for queue in host.session.queues:
        queue.kick()
    for _ in range(3):
        host.session.frontend.sync()
        host.session.wait(0.001)
    for region, old in zip(regions, before, strict=True):
        now = region.map[:]
        if now != old:
            at = next(n for n in range(len(old)) if now[n] != old[n])
            expect(
                False,
                expected="memory as it was when the reset was over",
                observed=f"{now[at : at + 16].hex()} at {region.guest_addr + at:#x}",
            )
    host.hold_receive(False)
    host.restart()
    host.await_echo()
    host.check()
    late = [m.payload for m in host.inbox if m.dst == LOCAL_ADDR]
    expect_equal("answers to messages from before the reset", late, [])


@pytest.mark.requirement("LC-013")
@pytest.mark.parametrize("messages", [0, 1, 50, 250])
def test_life_front_end_that_vanishes_leaves_a_remote_that_serves(
    messages: int, connect: Connect, echo: object
) -> None:
    for _ in range(3):
        host = connect()
        for number in range(messages):
            host.send(LOCAL_ADDR, host.echo_addr, b"%d" % number)
        host.close()
    host = connect()
    host.check()
    late = [m.payload for m in host.inbox]
    expect_equal("answers to messages of the front-end before", late, [])


@pytest.mark.requirement("LC-013")
def test_life_front_end_that_vanishes_during_the_handshake_does_no_harm(
    open_host: Connect, connect: Connect
) -> None:
    steps: list[Callable[[RemoteHost], object]] = [
        lambda host: host.session.negotiate_protocol(),
        lambda host: host.session.negotiate(),
        lambda host: host.session.make_rings(),
        lambda host: host.session.share_memory(),
        lambda host: host.session.start_queue(host.input),
        lambda host: host.session.start_queue(host.output),
        lambda host: host.prepare(),
        lambda host: host.go(),
    ]
    for count in range(len(steps) + 1):
        host = open_host()
        for step in steps[:count]:
            step(host)
        host.close()
    connect().check()


@pytest.mark.requirement("LC-014")
@by_every_reset
@pytest.mark.parametrize("messages", [1, 10, 60])
def test_life_reset_in_mid_traffic_does_no_harm(
    way: str, messages: int, resettable: Callable[[str], RemoteHost]
) -> None:
    host = resettable(way)
    for _ in range(5):
        for number in range(messages):
            host.send(LOCAL_ADDR, host.echo_addr, b"%d" % number)
        host.reset()
        host.restart()
        host.await_echo()
    host.burst(10)
    host.drain()


@pytest.mark.requirement("LC-015")
def test_life_hundred_sessions_work_like_the_first(connect: Connect) -> None:
    for _ in range(100):
        host = connect(Config(ring_sizes=(16, 16)))
        host.check()
        host.disconnect()


@pytest.mark.requirement("LC-015")
def test_life_hundred_resets_work_like_the_first(connect: Connect, echo: object) -> None:
    host = connect(Config(ring_sizes=(16, 16)))
    for _ in range(100):
        host.check()
        host.reset()
        host.restart()
        host.await_echo()
    host.check()
