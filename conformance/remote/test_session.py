# SPDX-License-Identifier: BSD-2-Clause
"""What a back-end has to do for a well-behaved front-end: rings, memory, log, reset, replies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import RemoteHost
from rpmsg_conformance.remote_requests import EVERYTHING, replies_to
from rpmsg_conformance.virtio import codec
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.config import PROTOCOL_FEATURES, THREE_REGIONS, Config
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, Request, Status, bit
from rpmsg_conformance.virtio.host import LOCAL_ADDR
from rpmsg_conformance.virtio.memory import RegionSpec
from rpmsg_conformance.virtio.messages import VringState
from rpmsg_conformance.virtio.ring import Segment

SEAM = 0x5000_0000


def needs(host: RemoteHost, feature: ProtocolFeature) -> None:
    """Skip the case where the back-end does not offer a protocol feature."""
    if not host.session.frontend.has(feature):
        pytest.skip(f"the back-end does not offer {feature.name}")


@pytest.mark.requirement("VU-030")
@pytest.mark.parametrize("base", [0, 7, 0xFFFE])
def test_session_get_vring_base_answers_the_next_index(
    base: int, connect: Connect, echo: object
) -> None:
    host = connect(Config(bases=(base, base)))
    host.burst(9)
    host.drain()
    expect_equal(
        "index of queue 1", host.session.frontend.get_vring_base(1), (base + 9) & 0xFFFF
    )
    taken = host.raw(0).used_index
    expect_equal("index of queue 0", host.session.frontend.get_vring_base(0), taken)


@pytest.mark.requirement("VU-030")
def test_session_stopped_ring_is_not_served(host: RemoteHost) -> None:
    host.check()
    host.drain()
    frontend = host.session.frontend
    index = frontend.get_vring_base(1)
    host.send(LOCAL_ADDR, host.echo_addr, b"while stopped")
    host.output.kick()
    for _ in range(3):
        frontend.sync()
        host.session.wait(0.001)
    expect_equal("used.idx of a stopped queue 1", host.raw(1).used_index, index)
    frontend.set_vring_base(1, index)
    frontend.set_vring_kick(1, host.output.kicker.fd)
    host.output.kick()
    expect_equal("the echo", host.take(1), [b"while stopped"])


@pytest.mark.requirement("VU-030")
def test_session_stopped_ring_goes_on_elsewhere(host: RemoteHost) -> None:
    host.burst(5)
    bases = host.session.stop_queues()
    host.process()
    expect_equal("index of queue 1", bases[1], host.output.ring.avail_index)


@pytest.mark.requirement("VU-031")
@pytest.mark.parametrize(
    ("request_", "payload"),
    [
        (Request.GET_FEATURES, b""),
        (Request.GET_PROTOCOL_FEATURES, b""),
        (Request.GET_QUEUE_NUM, b""),
        (Request.SET_VRING_CALL, m.U64.pack(c.VRING_NO_FD)),
        (Request.SET_VRING_ERR, m.U64.pack(c.VRING_NO_FD | 1)),
        (Request.SET_VRING_ENABLE, VringState(0, 1).encode()),
        (Request.SET_VRING_NUM, VringState(0, 3).encode()),
        (Request.SET_VRING_NUM, VringState(9, 256).encode()),
        (Request.SET_FEATURES, m.U64.pack((1 << 64) - 1)),
    ],
)
@pytest.mark.parametrize("stage", ["fresh", "running"])
def test_session_request_for_a_reply_gets_exactly_one(
    request_: Request, payload: bytes, stage: str, connect: Connect, open_host: Connect
) -> None:
    host = connect(EVERYTHING) if stage == "running" else open_host(EVERYTHING)
    if stage == "fresh":
        host.session.negotiate_protocol()
    needs(host, ProtocolFeature.REPLY_ACK)
    replies = replies_to(host, request_, payload)
    expect_equal("requests answered", [r.header.request for r in replies], [int(request_)])


@pytest.mark.requirement("VU-031")
def test_session_request_for_no_reply_gets_none(open_host: Connect) -> None:
    host = open_host(EVERYTHING)
    host.session.negotiate_protocol()
    replies = replies_to(
        host, Request.SET_VRING_NUM, VringState(0, 256).encode(), flags=c.VERSION
    )
    expect_equal("replies", len(replies), 0)


@pytest.mark.requirement("VU-032")
def test_session_next_front_end_finds_a_fresh_state(connect: Connect, echo: object) -> None:
    host = connect(Config(bases=(100, 200)))
    host.burst(30)
    announced = host.channels.open
    host.close()
    host = connect()
    host.check()
    host.drain()
    expect_equal("announced services", host.channels.open, announced)
    expect_equal("used.idx of queue 1", host.raw(1).used_index, 1)
    expect_equal("used.idx of queue 0", host.raw(0).used_index, len(host.wire))


@pytest.mark.requirement("VU-032")
def test_session_next_front_end_finds_no_status(
    connect: Connect, open_host: Connect
) -> None:
    connect().close()
    host = open_host()
    host.session.negotiate_protocol()
    needs(host, ProtocolFeature.STATUS)
    expect_equal("status", host.session.frontend.get_status(), 0)


@pytest.mark.requirement("VU-033")
def test_session_reset_device_leaves_the_connection_usable(
    connect: Connect, echo: object
) -> None:
    without = PROTOCOL_FEATURES & ~bit(ProtocolFeature.STATUS)
    host = connect(Config(protocol_features=without))
    needs(host, ProtocolFeature.RESET_DEVICE)
    for _ in range(3):
        host.burst(5)
        host.session.frontend.reset_device()
        host.session.frontend.sync()
        host.restart()
        host.await_echo()
    host.burst(5)


@pytest.mark.requirement("VU-034")
@pytest.mark.parametrize("before", [1, 8, 15, 16, 17, 30])
def test_session_message_across_adjoining_regions_is_read(
    before: int, connect: Connect, echo: object
) -> None:
    host = connect(
        Config(regions=(RegionSpec(SEAM - (4 << 20), 4 << 20), RegionSpec(SEAM, 1 << 16)))
    )
    data = codec.encode_packet(LOCAL_ADDR, host.echo_addr, b"across the border")
    host.session.memory.write(SEAM - before, data)
    host.post([Segment(SEAM - before, len(data))])
    expect_equal("the echo", host.take(1), [b"across the border"])


@pytest.mark.requirement("VU-034")
@pytest.mark.parametrize("before", [1, 8, 16, 20, 300])
def test_session_receive_buffer_across_adjoining_regions_is_filled(
    before: int, connect: Connect, echo: object
) -> None:
    host = connect(
        Config(
            ring_sizes=(8, 8),
            buffers=(2, None),
            regions=(RegionSpec(SEAM - (4 << 20), 4 << 20), RegionSpec(SEAM, 1 << 16)),
        )
    )
    host.clear_way(c.QUEUE_INPUT)
    host.input.ring.add([Segment(SEAM - before, 512, writable=True)])
    host.let_go(c.QUEUE_INPUT)
    payload = bytes(range(256))
    host.send(LOCAL_ADDR, host.echo_addr, payload)
    host.wait(lambda: bool(host.foreign), what="buffer across the border")
    expect_equal("payload", host.session.memory.read(SEAM - before + 16, 256), payload)


@pytest.mark.requirement("VU-034")
def test_session_rings_and_buffers_lie_in_regions_of_their_own(
    connect: Connect, echo: object
) -> None:
    host = connect(THREE_REGIONS)
    host.burst(50)
    host.drain()


@pytest.mark.requirement("VU-035")
def test_session_regions_come_and_go_while_rings_run(
    connect: Connect, echo: object
) -> None:
    host = connect(EVERYTHING)
    needs(host, ProtocolFeature.CONFIGURE_MEM_SLOTS)
    frontend, memory = host.session.frontend, host.session.memory
    for number in range(5):
        region = memory.add(RegionSpec(0x9_0000_0000 + number * 0x10000, 0x4000))
        frontend.add_mem_reg(region.message, region.fd)
        data = codec.encode_packet(LOCAL_ADDR, host.echo_addr, b"in region %d" % number)
        memory.write(region.guest_addr + 0x3FF0 - len(data), data)
        host.post([Segment(region.guest_addr + 0x3FF0 - len(data), len(data))])
        expect_equal("the echo", host.take(1), [b"in region %d" % number])
        host.drain()
        frontend.rem_mem_reg(region.message)
        memory.remove(region)
        host.check()


@pytest.mark.requirement("VU-035")
def test_session_regions_may_all_be_added_one_by_one(connect: Connect, echo: object) -> None:
    host = connect(
        replace(
            THREE_REGIONS,
            protocol_features=EVERYTHING.protocol_features,
            add_regions=True,
        )
    ) if offers_slots(connect) else None
    if host is None:
        pytest.skip("the back-end does not offer CONFIGURE_MEM_SLOTS")
    host.burst(20)
    host.drain()


def offers_slots(connect: Connect) -> bool:
    """Whether the back-end takes regions one by one."""
    host = connect(EVERYTHING)
    offered = host.session.frontend.has(ProtocolFeature.CONFIGURE_MEM_SLOTS)
    host.close()
    return offered


@pytest.mark.requirement("VU-036")
@pytest.mark.parametrize("queue", [0, 1])
def test_session_disabled_ring_waits_until_it_is_enabled(
    queue: int, host: RemoteHost
) -> None:
    host.check()
    host.drain()
    frontend = host.session.frontend
    if not host.session.has_protocol_features:
        pytest.skip("without protocol features rings cannot be disabled")
    before = host.raw(queue).used_index
    frontend.set_vring_enable(queue, False)
    host.send(LOCAL_ADDR, host.echo_addr, b"while disabled")
    host.session.queues[queue].kick()
    for _ in range(3):
        frontend.sync()
        host.session.wait(0.001)
    expect_equal("used.idx of the disabled queue", host.raw(queue).used_index, before)
    frontend.set_vring_enable(queue, True)
    expect_equal("the echo", host.take(1), [b"while disabled"])


@pytest.mark.requirement("VU-037")
@pytest.mark.provokes
@pytest.mark.parametrize("queue", [0, 1])
@pytest.mark.parametrize("form", ["head", "index"])
def test_session_broken_queue_signals_its_err_descriptor(
    form: str, queue: int, connect: Connect, echo: object, observe: Observe
) -> None:
    host = connect(Config(ring_sizes=(8, 8), buffers=(2, 4)))
    host.clear_way(queue)
    raw = host.raw(queue)
    if form == "head":
        raw.offer(8)
    else:
        raw.avail_index = raw.avail_index + 9
    host.session.queues[queue].ring.resync()
    host.session.queues[queue].kick()
    if queue == 0:
        host.send(LOCAL_ADDR, host.echo_addr, b"needs a buffer")
    seen = host.reaction()
    observe(seen)
    if seen in ("ignored", "closed"):
        pytest.skip(f"no queue broke: {seen}")
    expect(bool(host.queue_errors), expected="an error on the err descriptor", observed=seen)
    expect_equal("queue of the error", {entry.queue for entry in host.queue_errors}, {queue})


@pytest.mark.requirement("VU-039")
def test_session_configuration_is_readable_at_its_size(host: RemoteHost) -> None:
    needs(host, ProtocolFeature.CONFIG)
    frontend = host.session.frontend
    sizes = [n for n in range(1, c.MAX_CONFIG_SIZE + 1) if frontend.get_config(0, n)]
    expect(bool(sizes), expected="one byte of configuration at least", observed=sizes)
    whole = frontend.get_config(0, max(sizes))
    expect_equal("sizes that can be read", sizes, list(range(1, max(sizes) + 1)))
    for at in range(len(whole)):
        expect_equal(f"byte {at}", frontend.get_config(at, 1), whole[at : at + 1])


@pytest.fixture
def log_file() -> Iterator[int]:
    """A file for the dirty log, 64 KiB: enough for 2 GiB of memory."""
    fd = os.memfd_create("log", os.MFD_CLOEXEC)
    os.ftruncate(fd, 1 << 16)
    yield fd
    os.close(fd)


def logged_pages(fd: int) -> set[int]:
    """Page numbers that the log marks."""
    data = os.pread(fd, 1 << 16, 0)
    return {
        8 * at + n for at, byte in enumerate(data) if byte for n in range(8) if byte >> n & 1
    }


@pytest.mark.requirement("VU-040")
@pytest.mark.parametrize("size", [0, 100, 496])
def test_session_pages_that_the_device_writes_are_logged(
    size: int, connect: Connect, echo: object, log_file: int
) -> None:
    host = connect(replace(EVERYTHING, ring_sizes=(64, 64)))
    session, frontend = host.session, host.session.frontend
    needs(host, ProtocolFeature.LOG_SHMFD)
    if not session.offered & bit(Feature.LOG_ALL):
        pytest.skip("the back-end does not offer LOG_ALL")
    host.check()
    host.drain()
    frontend.set_log_base(1 << 16, 0, log_file)
    for queue in session.queues:
        places = queue.ring.places
        frontend.set_vring_addr(
            session.vring_addr(queue)._replace(flags=bit(c.VRING_F_LOG), log=places.used)
        )
    frontend.set_features(
        session.features | bit(Feature.PROTOCOL_FEATURES) | bit(Feature.LOG_ALL)
    )
    posted = host.input.ring.posted
    message = host.check(bytes(size))
    assert message is not None
    host.drain()
    start = posted[message.head].segments[0].address
    written = {start // c.LOG_PAGE, (start + message.used_len - 1) // c.LOG_PAGE}
    for queue in session.queues:
        index = (queue.ring.used_index - 1) % queue.ring.size
        written.add(queue.ring.places.used // c.LOG_PAGE)
        written.add((queue.ring.places.used + 4 + 8 * index) // c.LOG_PAGE)
    marked = logged_pages(log_file)
    expect(
        written <= marked,
        expected="marks for pages " + ", ".join(hex(page) for page in sorted(written)),
        observed=", ".join(hex(page) for page in sorted(marked)) or "no marks",
    )


@pytest.mark.requirement("VU-041")
def test_session_status_reads_back(open_host: Connect, observe: Observe) -> None:
    host = open_host()
    session, frontend = host.session, host.session.frontend
    session.negotiate_protocol()
    needs(host, ProtocolFeature.STATUS)
    session.features = session.config.features & session.offered
    status = 0
    for step in (Status.ACKNOWLEDGE, Status.DRIVER, Status.FEATURES_OK, Status.DRIVER_OK):
        if step is Status.FEATURES_OK:
            frontend.set_features(session.features | bit(Feature.PROTOCOL_FEATURES))
        status |= step
        frontend.set_status(status)
        seen = frontend.get_status()
        expect(
            seen & ~Status.NEEDS_RESET == status,
            expected=f"status {status:#x}, perhaps with NEEDS_RESET",
            observed=f"{seen:#x}",
        )
    frontend.set_status(0)
    expect_equal("status after a reset", frontend.get_status(), 0)
