# SPDX-License-Identifier: BSD-2-Clause
"""Features, queues and configuration: what is offered, and what is used of it."""

from __future__ import annotations

import struct

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import RemoteHost, expect_reaction, refusal
from rpmsg_conformance.remote_target import RemoteTarget
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.config import BASIC_FEATURES, Config
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, bit

#: F_BUFSZ of Linux, and its configuration: version, size, two buffer sizes.
F_BUFSZ = 1
BUFSZ = struct.Struct("<BHII")


@pytest.mark.requirement("FT-001")
def test_features_there_are_two_queues(host: RemoteHost) -> None:
    if not host.session.frontend.has(ProtocolFeature.MQ):
        pytest.skip("without MQ a back-end cannot be asked for its queues")
    expect_equal("queues", host.session.frontend.get_queue_num(), c.QUEUES)


@pytest.mark.requirement("FT-001")
def test_features_both_queues_serve(host: RemoteHost) -> None:
    host.burst(10)
    host.drain()


@pytest.mark.requirement("FT-002")
def test_features_that_were_not_offered_are_not_acknowledged(
    open_host: Connect, observe: Observe
) -> None:
    host = open_host()
    session = host.session
    session.negotiate_protocol()
    if not session.frontend.has(ProtocolFeature.REPLY_ACK):
        pytest.skip("without REPLY_ACK a refusal cannot be told from an acceptance")
    beyond = ~session.offered & ((1 << 64) - 1)
    seen = refusal(lambda: session.frontend.set_features(session.offered | beyond))
    observe(seen)
    expect_reaction(seen, {"refused", "closed"})


@pytest.mark.requirement("FT-002")
@pytest.mark.parametrize("features", [0, bit(Feature.NS), BASIC_FEATURES], ids=hex)
def test_features_less_than_offered_is_enough(
    features: int, connect: Connect, echo: object
) -> None:
    host = connect(Config(features=features))
    host.burst(5)
    host.drain()


@pytest.mark.requirement("FT-003")
def test_features_version_1_is_offered(host: RemoteHost) -> None:
    expect(
        bool(host.session.offered & bit(Feature.VERSION_1)),
        expected="VERSION_1 among the features",
        observed=f"{host.session.offered:#x}",
    )


@pytest.fixture
def remote_bufsz(remote: RemoteTarget) -> RemoteHost:
    """A host with F_BUFSZ negotiated and DRIVER_OK still to come; skips where it is not offered."""
    with remote.judging():
        host = remote.open(Config(features=BASIC_FEATURES | bit(F_BUFSZ), required=bit(F_BUFSZ)))
        host.session.start()
    if not host.session.frontend.has(ProtocolFeature.CONFIG):
        pytest.skip("the back-end does not offer CONFIG")
    return host


@pytest.mark.requirement("FT-004")
def test_features_configuration_stays_the_same(remote_bufsz: RemoteHost) -> None:
    host = remote_bufsz
    first = host.session.frontend.get_config(0, BUFSZ.size)
    host.prepare()
    host.go()
    host.await_echo()
    host.burst(20)
    expect_equal("configuration", host.session.frontend.get_config(0, BUFSZ.size), first)


@pytest.mark.requirement("FT-005")
def test_features_bufsz_configuration_is_possible(remote_bufsz: RemoteHost) -> None:
    data = remote_bufsz.session.frontend.get_config(0, BUFSZ.size)
    expect_equal("bytes of the configuration", len(data), BUFSZ.size)
    version, size, receive, send = BUFSZ.unpack(data)
    expect_equal("version", version, 1)
    expect_equal("size", size, BUFSZ.size)
    for name, value in (("receive", receive), ("send", send)):
        expect(value >= 16, expected=f"{name} buffers hold a header", observed=value)


@pytest.mark.requirement("FT-006")
def test_features_without_event_idx_avail_event_is_not_written(host: RemoteHost) -> None:
    host.burst(50)
    host.drain()
    for queue in host.session.queues:
        expect_equal(
            f"bytes behind the used ring of queue {queue.number}",
            host.raw(queue.number).avail_event,
            0,
        )


@pytest.mark.requirement("FT-006")
def test_features_without_event_idx_used_event_is_not_looked_at(host: RemoteHost) -> None:
    # One that never interrupts for a queue does not look at used_event either.
    host.drain()
    before = [queue.calls for queue in host.session.queues]
    host.check()
    host.drain()
    host.settle()
    talking = [
        queue
        for queue, calls in zip(host.session.queues, before, strict=True)
        if queue.calls > calls or queue.take_calls()
    ]
    if not talking:
        pytest.skip("the remote interrupts for neither queue")
    for queue in talking:
        # With EVENT_IDX this would put the next notification off by half the index space.
        host.raw(queue.number).used_event = queue.ring.used_index + 0x8000
        queue.ring.resync()
        queue.take_calls()
    before = [queue.calls for queue in talking]
    host.check()
    host.wait(
        lambda: all(q.calls > b or q.take_calls() for q, b in zip(talking, before)),
        what="notification of " + " and ".join(f"queue {queue.number}" for queue in talking),
    )


@pytest.mark.requirement("FT-007")
@pytest.mark.parametrize("feature", [Feature.RING_EVENT_IDX, Feature.RING_INDIRECT_DESC])
def test_features_of_rings_are_offered(feature: Feature, host: RemoteHost) -> None:
    expect(
        bool(host.session.offered & bit(feature)),
        expected=f"{feature.name} is offered",
        observed=f"features {host.session.offered:#x}",
    )
