# SPDX-License-Identifier: BSD-2-Clause
"""vhost-user messages that a back-end has to refuse, before the rings run and while they do."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from rpmsg_conformance.expect import expect
from rpmsg_conformance.remote_fixtures import Connect, Observe
from rpmsg_conformance.remote_host import RemoteHost
from rpmsg_conformance.remote_requests import (
    ANSWERED,
    EVERYTHING,
    all_closed,
    carry_on,
    expect_refused,
    finish,
    reaction_to,
    watched_descriptor,
)
from rpmsg_conformance.remote_target import RemoteTarget
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, Request, Status, bit
from rpmsg_conformance.virtio.errors import PeerClosed, PeerError, ReplyTimeout
from rpmsg_conformance.virtio.eventfd import EventFd
from rpmsg_conformance.virtio.messages import MemoryRegion, VringAddr, VringState

#: A guest address at which no configuration of the suite has memory.
FAR = 0x7F_0000_0000
PAGE = 4096


def name_of(request: Request) -> str:
    """Name of a request, for the names of cases."""
    return str(request.name)


@pytest.fixture(params=["fresh", "running"])
def peer(request: pytest.FixtureRequest, remote: RemoteTarget) -> RemoteHost:
    """A host on a connection where only protocol features were agreed upon, or all runs."""
    with remote.judging():
        if request.param == "running":
            return remote.connect(EVERYTHING)
        host = remote.open(EVERYTHING)
        host.session.negotiate_protocol()
        return host


@pytest.fixture
def fresh(remote: RemoteTarget) -> RemoteHost:
    """A host on a connection where only protocol features were agreed upon."""
    with remote.judging():
        host = remote.open(EVERYTHING)
        host.session.negotiate_protocol()
        return host


@pytest.fixture
def running(remote: RemoteTarget) -> RemoteHost:
    """A host whose device runs."""
    with remote.judging():
        return remote.connect(EVERYTHING)


MakeFile = Callable[[int], int]


@pytest.fixture
def memfd() -> Iterator[MakeFile]:
    """memfd(size): a descriptor of a file in memory, closed at the end."""
    made: list[int] = []

    def make(size: int) -> int:
        fd = os.memfd_create("case", os.MFD_CLOEXEC)
        os.ftruncate(fd, size)
        made.append(fd)
        return fd

    yield make
    for fd in made:
        os.close(fd)


def needs(host: RemoteHost, feature: ProtocolFeature) -> None:
    """Skip the case where the back-end does not offer a protocol feature."""
    if not host.session.frontend.has(feature):
        pytest.skip(f"the back-end does not offer {feature.name}")


def refused(
    host: RemoteHost, observe: Observe, request: int, payload: bytes = b"", fds: tuple[int, ...] = ()
) -> None:
    """Send it, see that it is refused, and that the connection goes on if it is still there."""
    seen = reaction_to(host, request, payload, fds)
    observe(seen)
    expect_refused(host, seen)
    carry_on(host)


#: Requests with a payload of fixed size that need no descriptor.
SIZES: dict[Request, int] = {
    Request.SET_FEATURES: 8,
    Request.SET_PROTOCOL_FEATURES: 8,
    Request.SET_VRING_NUM: 8,
    Request.SET_VRING_BASE: 8,
    Request.GET_VRING_BASE: 8,
    Request.SET_VRING_ADDR: 40,
    Request.SET_VRING_ENABLE: 8,
    Request.SET_VRING_KICK: 8,
    Request.SET_VRING_CALL: 8,
    Request.SET_VRING_ERR: 8,
    Request.SET_STATUS: 8,
    Request.SET_MEM_TABLE: 8,
}

NEEDS = {
    Request.SET_STATUS: ProtocolFeature.STATUS,
    Request.GET_STATUS: ProtocolFeature.STATUS,
    Request.SET_VRING_ENABLE: ProtocolFeature.REPLY_ACK,
}


@pytest.mark.requirement("VU-001")
@pytest.mark.parametrize("length", [1, 4, 11, 12, 13, 19])
def test_requests_message_that_ends_early_closes_the_connection(
    length: int, peer: RemoteHost
) -> None:
    frontend = peer.session.frontend
    whole = m.encode_message(Request.SET_VRING_NUM, VringState(0, 256).encode())
    frontend.send_raw(whole[:length])
    frontend.sock.shutdown(socket.SHUT_WR)
    expect_closed(peer)


def expect_closed(host: RemoteHost) -> None:
    """See the back-end close the connection."""
    try:
        while True:
            host.session.frontend.receive()
    except PeerClosed:
        return
    except ReplyTimeout:
        pass
    expect(False, expected="the connection is closed", observed="it stays open")


@pytest.mark.requirement("VU-001")
@pytest.mark.parametrize("cut", [1, 4, 11, 12, 13, 19])
def test_requests_message_in_two_pieces_is_one(cut: int, peer: RemoteHost) -> None:
    frontend = peer.session.frontend
    whole = m.encode_message(Request.GET_VRING_BASE, VringState(0, 0).encode())
    whole = m.encode_message(Request.GET_FEATURES) if cut < 12 else whole
    frontend.send_raw(whole[:cut])
    peer.session.wait(0.002)
    frontend.send_raw(whole[cut:])
    reply = frontend.receive()
    expect(
        reply.header.request in (Request.GET_FEATURES, Request.GET_VRING_BASE),
        expected="the reply to the request",
        observed=reply.header,
    )


@pytest.mark.requirement("VU-002")
@pytest.mark.parametrize("change", [-1, 1, 8, 500], ids="{:+d}".format)
@pytest.mark.parametrize("request_", SIZES, ids=name_of)
def test_requests_payload_of_wrong_size_is_refused(
    request_: Request, change: int, peer: RemoteHost, observe: Observe
) -> None:
    if request_ in NEEDS:
        needs(peer, NEEDS[request_])
    refused(peer, observe, request_, bytes(SIZES[request_] + change))


@pytest.mark.requirement("VU-002")
@pytest.mark.parametrize("request_", SIZES, ids=name_of)
def test_requests_without_their_payload_are_refused(
    request_: Request, peer: RemoteHost, observe: Observe
) -> None:
    if request_ in NEEDS:
        needs(peer, NEEDS[request_])
    refused(peer, observe, request_)


@pytest.mark.requirement("VU-002")
@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize(
    "request_",
    [Request.GET_FEATURES, Request.GET_PROTOCOL_FEATURES, Request.GET_QUEUE_NUM,
     Request.GET_STATUS, Request.SET_OWNER],
    ids=name_of,
)
def test_requests_with_a_payload_that_they_do_not_have_are_refused(
    request_: Request, size: int, peer: RemoteHost, observe: Observe
) -> None:
    if request_ in NEEDS:
        needs(peer, NEEDS[request_])
    refused(peer, observe, request_, bytes(size))


@pytest.mark.requirement("VU-002")
@pytest.mark.parametrize("size", [4096, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_requests_huge_size_field_does_not_hold_the_back_end(
    size: int, peer: RemoteHost
) -> None:
    frontend = peer.session.frontend
    frontend.send_raw(m.encode_message(Request.SET_FEATURES, bytes(64), size=size))
    try:
        # It may wait for the rest, if there is memory for that, or close at once.
        frontend.sock.shutdown(socket.SHUT_WR)
    except OSError:
        return
    expect_closed(peer)


@pytest.mark.requirement("VU-003")
@pytest.mark.parametrize("version", [0, 2, 3])
def test_requests_other_version_is_refused(
    version: int, peer: RemoteHost, observe: Observe
) -> None:
    payload = m.U64.pack(0)
    seen = reaction_to(peer, Request.SET_FEATURES, payload, flags=version | c.NEED_REPLY)
    observe(seen)
    expect_refused(peer, seen)
    carry_on(peer)


@pytest.mark.requirement("VU-004")
@pytest.mark.parametrize("size", [0, 8])
@pytest.mark.parametrize("number", [0, 41 + 60, 200, 255, 256, 0x10002, 0x7FFFFFFF, 0xFFFFFFFF])
def test_requests_unknown_ones_are_refused(
    number: int, size: int, peer: RemoteHost, observe: Observe
) -> None:
    refused(peer, observe, number, bytes(size))


@pytest.mark.requirement("VU-005")
@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize(
    "request_",
    [Request.SET_VRING_NUM, Request.SET_VRING_BASE, Request.SET_FEATURES, Request.GET_FEATURES,
     Request.SET_OWNER],
    ids=name_of,
)
def test_requests_surplus_descriptors_are_refused_and_closed(
    request_: Request, count: int, peer: RemoteHost, observe: Observe
) -> None:
    payload = bytes(0 if request_ in (Request.GET_FEATURES, Request.SET_OWNER) else 8)
    descriptors_are_closed(peer, observe, request_, payload, count)


@pytest.mark.requirement("VU-005")
@pytest.mark.parametrize(
    "request_", [Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR],
    ids=name_of,
)
@pytest.mark.parametrize("count", [2, 8])
def test_requests_with_more_than_their_descriptor_are_refused(
    request_: Request, count: int, peer: RemoteHost, observe: Observe
) -> None:
    descriptors_are_closed(peer, observe, request_, m.U64.pack(0), count)


def descriptors_are_closed(
    host: RemoteHost, observe: Observe, request: Request, payload: bytes, count: int
) -> None:
    """Send copies of a pipe's end along, see the request refused, and all copies closed."""
    with watched_descriptor() as (writing, reading):
        seen = reaction_to(host, request, payload, [writing] * count)
        observe(seen)
        os.close(writing)
        expect_refused(host, seen)
        expect(
            all_closed(reading), expected="all descriptors closed", observed="one is still open"
        )
    carry_on(host)


@pytest.mark.requirement("VU-005")
@pytest.mark.parametrize(
    "request_", [Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR],
    ids=name_of,
)
def test_requests_without_their_descriptor_are_refused(
    request_: Request, peer: RemoteHost, observe: Observe
) -> None:
    # The bit that says that there is none is not set.
    refused(peer, observe, request_, m.U64.pack(0))


@pytest.mark.requirement("VU-005")
@pytest.mark.parametrize(("regions", "count"), [(1, 0), (1, 2), (2, 1), (0, 1)])
def test_requests_table_with_wrong_number_of_descriptors_is_refused(
    regions: int, count: int, peer: RemoteHost, observe: Observe
) -> None:
    table = m.encode_mem_table(
        [MemoryRegion(FAR + n * PAGE, PAGE, FAR + n * PAGE, 0) for n in range(regions)]
    )
    descriptors_are_closed(peer, observe, Request.SET_MEM_TABLE, table, count)


QUEUE_REQUESTS: dict[Request, Callable[[int], bytes]] = {
    Request.SET_VRING_NUM: lambda queue: VringState(queue, 256).encode(),
    Request.SET_VRING_BASE: lambda queue: VringState(queue, 0).encode(),
    Request.GET_VRING_BASE: lambda queue: VringState(queue, 0).encode(),
    Request.SET_VRING_ENABLE: lambda queue: VringState(queue, 1).encode(),
    Request.SET_VRING_ADDR: lambda queue: VringAddr(queue, 0, 0, 0, 0, 0).encode(),
}


@pytest.mark.requirement("VU-006")
@pytest.mark.parametrize("queue", [2, 3, 255, 256, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("request_", QUEUE_REQUESTS, ids=name_of)
def test_requests_queue_above_the_last_is_refused(
    request_: Request, queue: int, peer: RemoteHost, observe: Observe
) -> None:
    refused(peer, observe, request_, QUEUE_REQUESTS[request_](queue))


@pytest.mark.requirement("VU-006")
@pytest.mark.parametrize("queue", [2, 3, 255])
@pytest.mark.parametrize(
    "request_", [Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR],
    ids=name_of,
)
def test_requests_descriptor_for_a_queue_above_the_last_is_refused(
    request_: Request, queue: int, peer: RemoteHost, observe: Observe
) -> None:
    event = EventFd()
    refused(peer, observe, request_, m.U64.pack(queue), (event.fd,))
    event.close()


@pytest.mark.requirement("VU-007")
@pytest.mark.parametrize("queue", [0, 1])
@pytest.mark.parametrize("size", [0, 3, 255, 32767, 32769, 0x10000, 0x80000000, 0xFFFFFFFF])
def test_requests_impossible_queue_size_is_refused(
    size: int, queue: int, peer: RemoteHost, observe: Observe
) -> None:
    refused(peer, observe, Request.SET_VRING_NUM, VringState(queue, size).encode())


@pytest.mark.requirement("VU-008")
@pytest.mark.parametrize("queue", [0, 1])
@pytest.mark.parametrize("base", [0x10000, 0x10001, 0x80000000, 0xFFFFFFFF])
def test_requests_base_beyond_16_bits_is_refused(
    base: int, queue: int, peer: RemoteHost, observe: Observe
) -> None:
    refused(peer, observe, Request.SET_VRING_BASE, VringState(queue, base).encode())


@pytest.mark.requirement("VU-009")
@pytest.mark.parametrize("part", ["descriptor", "available", "used"])
@pytest.mark.parametrize("place", ["null", "far", "wraps", "end", "odd", "guest"])
def test_requests_impossible_ring_address_is_refused(
    place: str, part: str, fresh: RemoteHost, observe: Observe
) -> None:
    session = fresh.session
    session.negotiate()
    session.make_rings()
    session.share_memory()
    queue = session.queues[1]
    good = session.vring_addr(queue)
    region = session.memory.regions[0]
    address = {
        "null": 0,
        "far": FAR,
        "wraps": (1 << 64) - 16,
        # The last bytes of memory: the ring would end behind it.
        "end": region.user_addr + region.size - 16,
        "odd": getattr(good, part) + 1,
        # Right as a guest address, but the message carries front-end addresses.
        "guest": region.guest_addr,
    }[place]
    frontend = session.frontend
    frontend.set_vring_num(1, queue.ring.size)
    bad = good._replace(**{part: address})
    seen = reaction_to(fresh, Request.SET_VRING_ADDR, bad.encode())
    if seen == "accepted":
        # It may be found out when the ring starts.
        seen = reaction_to(
            fresh, Request.SET_VRING_KICK, m.U64.pack(1), [queue.kicker.fd]
        )
        if seen == "accepted":
            seen = reaction_to(fresh, Request.SET_VRING_ENABLE, VringState(1, 1).encode())
    observe(seen)
    expect_refused(fresh, seen)
    if session.frontend.closed is None:
        with frontend.batch():
            for each in session.queues:
                session.start_queue(each)
        fresh.prepare()
        fresh.go()
        fresh.await_echo()
        fresh.check()


@pytest.mark.requirement("VU-010")
@pytest.mark.parametrize("number", range(64))
def test_requests_feature_that_was_not_offered_is_refused(
    number: int, fresh: RemoteHost, observe: Observe
) -> None:
    session = fresh.session
    if session.offered >> number & 1:
        carry_on(fresh)
        return
    chosen = session.offered & session.config.features | bit(number)
    refused(fresh, observe, Request.SET_FEATURES, m.U64.pack(chosen))


@pytest.mark.requirement("VU-011")
@pytest.mark.parametrize("number", range(64))
def test_requests_protocol_feature_that_was_not_offered_is_refused(
    number: int, fresh: RemoteHost, observe: Observe
) -> None:
    session = fresh.session
    if session.protocol_offered >> number & 1:
        carry_on(fresh)
        return
    chosen = session.frontend.protocol_features | bit(number)
    refused(fresh, observe, Request.SET_PROTOCOL_FEATURES, m.U64.pack(chosen))


def region(address: int, size: int, offset: int = 0, user: int | None = None) -> MemoryRegion:
    return MemoryRegion(address, size, FAR + address if user is None else user, offset)


TOP = (1 << 64) - PAGE
REGIONS = {
    "empty": [region(FAR, 0)],
    "wraps": [region(TOP, 2 * PAGE, user=FAR)],
    "user address wraps": [region(FAR, 2 * PAGE, user=TOP)],
    "size wraps": [region(FAR, (1 << 64) - 1)],
    "offset wraps": [region(FAR, 2 * PAGE, offset=TOP)],
    "same twice": [region(FAR, PAGE), region(FAR, PAGE)],
    "overlap": [region(FAR, 2 * PAGE), region(FAR + PAGE, 2 * PAGE)],
    "inside": [region(FAR, 4 * PAGE), region(FAR + PAGE, PAGE)],
}


@pytest.mark.requirement("VU-012")
@pytest.mark.parametrize("which", REGIONS)
def test_requests_impossible_table_is_refused(
    which: str, peer: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    regions = REGIONS[which]
    fds = tuple(memfd(8 * PAGE) for _ in regions)
    refused(peer, observe, Request.SET_MEM_TABLE, m.encode_mem_table(regions), fds)


@pytest.mark.requirement("VU-012")
@pytest.mark.parametrize("which", [w for w, regions in REGIONS.items() if len(regions) == 1])
def test_requests_impossible_region_is_refused(
    which: str, peer: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    needs(peer, ProtocolFeature.CONFIGURE_MEM_SLOTS)
    payload = m.encode_single_region(REGIONS[which][0])
    refused(peer, observe, Request.ADD_MEM_REG, payload, (memfd(8 * PAGE),))


@pytest.mark.requirement("VU-012")
def test_requests_region_over_memory_in_use_is_refused(
    running: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    needs(running, ProtocolFeature.CONFIGURE_MEM_SLOTS)
    used = running.session.memory.regions[0]
    over = region(used.guest_addr + PAGE, PAGE)
    payload = m.encode_single_region(over)
    refused(running, observe, Request.ADD_MEM_REG, payload, (memfd(8 * PAGE),))


@pytest.mark.requirement("VU-013")
@pytest.mark.parametrize("count", [9, 0x7FFFFFFF, 0xFFFFFFFF])
def test_requests_table_of_too_many_regions_is_refused(
    count: int, peer: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    # As many as a message can carry; the count says more.
    regions = [region(FAR + n * PAGE, PAGE) for n in range(8)]
    payload = m.MEM_TABLE.pack(count, 0) + b"".join(r.encode() for r in regions)
    refused(peer, observe, Request.SET_MEM_TABLE, payload, tuple(memfd(PAGE) for _ in range(8)))


@pytest.mark.requirement("VU-013")
def test_requests_region_beyond_the_last_slot_is_refused(
    running: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    needs(running, ProtocolFeature.CONFIGURE_MEM_SLOTS)
    frontend = running.session.frontend
    slots = frontend.get_max_mem_slots()
    if slots > 1024:
        pytest.skip(f"the back-end has {slots} slots for memory")
    fd = memfd(PAGE)
    added = []
    for number in range(slots - len(running.session.memory.regions)):
        one = region(FAR + number * PAGE, PAGE)
        frontend.add_mem_reg(one, fd)
        added.append(one)
    last = region(FAR + slots * PAGE, PAGE)
    refused(running, observe, Request.ADD_MEM_REG, m.encode_single_region(last), (fd,))
    if running.session.frontend.closed is None:
        for one in added:
            frontend.rem_mem_reg(one)
        running.check()


@pytest.mark.requirement("VU-014")
@pytest.mark.parametrize("what", ["short", "beyond", "null", "pipe", "eventfd", "folder"])
@pytest.mark.parametrize("add", [False, True], ids=["table", "added"])
def test_requests_file_that_cannot_back_a_region_is_refused(
    what: str, add: bool, peer: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    if add:
        needs(peer, ProtocolFeature.CONFIGURE_MEM_SLOTS)
    one = region(FAR, 4 * PAGE)
    ours: list[int] = []
    if what in ("short", "beyond"):
        fd = memfd(3 * PAGE if what == "short" else 4 * PAGE)
        one = one if what == "short" else region(FAR, 4 * PAGE, offset=PAGE)
    elif what == "pipe":
        ours += os.pipe()
        fd = ours[0]
    elif what == "eventfd":
        ours.append(fd := EventFd().fd)
    else:
        ours.append(fd := os.open("/dev/null" if what == "null" else "/", os.O_RDONLY))
    try:
        if add:
            refused(peer, observe, Request.ADD_MEM_REG, m.encode_single_region(one), (fd,))
        else:
            refused(peer, observe, Request.SET_MEM_TABLE, m.encode_mem_table([one]), (fd,))
    finally:
        for number in ours:
            os.close(number)


@pytest.mark.requirement("VU-015")
@pytest.mark.parametrize("which", ["unknown", "size", "address", "user address"])
def test_requests_removal_of_no_region_is_refused(
    which: str, running: RemoteHost, observe: Observe
) -> None:
    needs(running, ProtocolFeature.CONFIGURE_MEM_SLOTS)
    there = running.session.memory.regions[0].message
    wrong = {
        "unknown": region(FAR, PAGE),
        "size": there._replace(size=there.size - PAGE),
        "address": there._replace(guest_addr=there.guest_addr + PAGE),
        "user address": there._replace(user_addr=there.user_addr + PAGE),
    }[which]
    refused(running, observe, Request.REM_MEM_REG, m.encode_single_region(wrong))


@pytest.mark.requirement("VU-016")
@pytest.mark.parametrize(
    ("offset", "size"),
    [(0, 257), (256, 1), (0x7FFFFFFF, 1), (0xFFFFFFFF, 1), (0xFFFFFFF0, 0x20), (1 << 16, 4)],
)
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_requests_configuration_out_of_range_is_refused(
    offset: int, size: int, write: bool, peer: RemoteHost, observe: Observe
) -> None:
    needs(peer, ProtocolFeature.CONFIG)
    request = Request.SET_CONFIG if write else Request.GET_CONFIG
    refused(peer, observe, request, m.encode_config(offset, bytes(size)))


NOT_NEGOTIATED: dict[Request, tuple[ProtocolFeature, bytes]] = {
    Request.GET_CONFIG: (ProtocolFeature.CONFIG, m.encode_config(0, bytes(1))),
    Request.SET_CONFIG: (ProtocolFeature.CONFIG, m.encode_config(0, bytes(1))),
    Request.GET_STATUS: (ProtocolFeature.STATUS, b""),
    Request.SET_STATUS: (ProtocolFeature.STATUS, m.U64.pack(Status.ACKNOWLEDGE)),
    Request.GET_MAX_MEM_SLOTS: (ProtocolFeature.CONFIGURE_MEM_SLOTS, b""),
    Request.REM_MEM_REG: (
        ProtocolFeature.CONFIGURE_MEM_SLOTS, m.encode_single_region(region(FAR, PAGE))
    ),
}


@pytest.mark.requirement("VU-017")
@pytest.mark.parametrize("request_", NOT_NEGOTIATED, ids=name_of)
def test_requests_of_a_feature_not_negotiated_are_refused(
    request_: Request, open_host: Connect, observe: Observe
) -> None:
    feature, payload = NOT_NEGOTIATED[request_]
    wanted = EVERYTHING.protocol_features & ~bit(feature)
    host = open_host(replace(EVERYTHING, protocol_features=wanted))
    host.session.negotiate_protocol()
    refused(host, observe, request_, payload)


@pytest.mark.requirement("VU-018")
@pytest.mark.parametrize(
    "status",
    [0x10, 0x20, 0x40, 0x100, 1 << 32, 1 << 63, (1 << 64) - 1,
     Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK, Status.DRIVER_OK],
    ids=hex,
)
def test_requests_impossible_status_does_not_end_the_back_end(
    status: int, fresh: RemoteHost, observe: Observe
) -> None:
    needs(fresh, ProtocolFeature.STATUS)
    seen = reaction_to(fresh, Request.SET_STATUS, m.U64.pack(status))
    observe(seen)
    if fresh.session.frontend.closed is None:
        # Whatever was made of it, a reset takes it back.
        fresh.session.reset()
        finish(fresh)


@pytest.mark.requirement("VU-019")
@pytest.mark.parametrize("which", ["owner", "features", "protocol", "size", "base", "address"])
def test_requests_that_come_too_late_are_refused(
    which: str, running: RemoteHost, observe: Observe
) -> None:
    session = running.session
    queue = session.queues[1]
    address = session.vring_addr(queue)
    moved = address._replace(used=address.used + 64)
    request, payload = {
        "owner": (Request.SET_OWNER, b""),
        "features": (Request.SET_FEATURES, m.U64.pack(bit(Feature.PROTOCOL_FEATURES))),
        "protocol": (
            Request.SET_PROTOCOL_FEATURES, m.U64.pack(bit(ProtocolFeature.REPLY_ACK))
        ),
        "size": (Request.SET_VRING_NUM, VringState(1, 8).encode()),
        "base": (Request.SET_VRING_BASE, VringState(1, 4).encode()),
        "address": (Request.SET_VRING_ADDR, moved.encode()),
    }[which]
    refused(running, observe, request, payload)


@pytest.mark.requirement("VU-019")
@pytest.mark.parametrize("order", range(12))
def test_requests_in_random_order_do_not_end_the_back_end(
    order: int, seed: int, open_host: Connect, observe: Observe
) -> None:
    rng = random.Random(seed * 100 + order)
    host = open_host(EVERYTHING)
    frontend, session = host.session.frontend, host.session
    session.make_rings()
    table = [r.message for r in session.memory.regions]
    fds = [r.fd for r in session.memory.regions]
    steps: list[tuple[int, bytes, list[int]]] = [
        (Request.SET_OWNER, b"", []),
        (Request.RESET_OWNER, b"", []),
        (Request.RESET_DEVICE, b"", []),
        (Request.SET_FEATURES, m.U64.pack(rng.getrandbits(64)), []),
        (Request.SET_FEATURES, m.U64.pack(1 << 32 | 1 << 30 | 1), []),
        (Request.SET_MEM_TABLE, m.encode_mem_table(table), fds),
        (Request.SET_MEM_TABLE, m.encode_mem_table([]), []),
        (Request.SET_STATUS, m.U64.pack(rng.getrandbits(4)), []),
    ]
    for queue in session.queues:
        number = queue.number
        steps += [
            (Request.SET_VRING_NUM, VringState(number, queue.ring.size).encode(), []),
            (Request.SET_VRING_BASE, VringState(number, rng.getrandbits(16)).encode(), []),
            (Request.SET_VRING_ADDR, session.vring_addr(queue).encode(), []),
            (Request.SET_VRING_KICK, m.U64.pack(number), [queue.kicker.fd]),
            (Request.SET_VRING_CALL, m.U64.pack(number), [queue.caller.fd]),
            (Request.SET_VRING_ENABLE, VringState(number, 1).encode(), []),
            (Request.GET_VRING_BASE, VringState(number, 0).encode(), []),
        ]
    try:
        session.frontend.get_features()
        for request, payload, sent in rng.choices(steps, k=60):
            frontend.send(request, payload, sent)
            if request in ANSWERED:
                frontend.receive()
        frontend.sync()
        observe("the connection stayed open")
    except PeerClosed:
        observe("closed")
    except PeerError as error:
        # Replies may come in any number here; that it goes on serving is what counts.
        observe(f"{type(error).__name__}")


@pytest.mark.requirement("VU-020")
@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize(
    "request_", [Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR],
    ids=name_of,
)
def test_requests_unusable_descriptor_of_a_ring_is_refused(
    request_: Request, what: str, fresh: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    fd = memfd(8) if what == "file" else os.open("/", os.O_RDONLY)
    try:
        refused(fresh, observe, request_, m.U64.pack(0), (fd,))
    finally:
        if what != "file":
            os.close(fd)


@pytest.mark.requirement("VU-021")
@pytest.mark.parametrize("what", ["empty", "small", "short file", "beyond", "pipe"])
def test_requests_unusable_dirty_log_is_refused(
    what: str, running: RemoteHost, memfd: MakeFile, observe: Observe
) -> None:
    needs(running, ProtocolFeature.LOG_SHMFD)
    memory = running.session.memory.regions
    size = max(r.guest_addr + r.size for r in memory) // c.LOG_PAGE // 8 + 1
    with watched_descriptor() as (writing, _):
        fd, stated, offset = {
            "empty": (memfd(size), 0, 0),
            "small": (memfd(size), PAGE // 8, 0),
            "short file": (memfd(PAGE), size, 0),
            "beyond": (memfd(size), size, 1 << 40),
            "pipe": (writing, size, 0),
        }[what]
        refused(running, observe, Request.SET_LOG_BASE, m.LOG.pack(stated, offset), (fd,))


@pytest.mark.requirement("VU-022")
@pytest.mark.parametrize("flags", [c.REPLY, 0x10, 0x20, 0x80000000, 0xFFFFFFF4], ids=hex)
def test_requests_odd_flags_are_refused_or_ignored(
    flags: int, peer: RemoteHost, observe: Observe
) -> None:
    payload = VringState(0, 3).encode()
    # Of wrong size on purpose: neither reaction may change anything.
    seen = reaction_to(peer, Request.SET_VRING_NUM, payload, flags=c.VERSION | c.NEED_REPLY | flags)
    observe(seen)
    expect(
        seen in ("refused", "unanswered", "closed"),
        expected="refused, unanswered or closed",
        observed=seen,
    )
    carry_on(peer)


@pytest.mark.requirement("VU-022")
@pytest.mark.parametrize("flags", [c.REPLY, 0x10, 0x80000000], ids=hex)
def test_requests_good_one_with_odd_flags_does_no_harm(
    flags: int, peer: RemoteHost, observe: Observe
) -> None:
    request = Request.SET_VRING_CALL
    observe(reaction_to(peer, request, m.U64.pack(0x100), flags=c.VERSION | c.NEED_REPLY | flags))
    if peer.session.frontend.closed is None and peer.session.queues:
        peer.session.frontend.set_vring_call(0, peer.input.caller.fd)
    carry_on(peer)


@pytest.mark.requirement("VU-023")
@pytest.mark.parametrize("value", [2, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("queue", [0, 1])
def test_requests_enable_takes_0_and_1(
    value: int, queue: int, peer: RemoteHost, observe: Observe
) -> None:
    refused(peer, observe, Request.SET_VRING_ENABLE, VringState(queue, value).encode())


@pytest.mark.requirement("VU-023")
@pytest.mark.parametrize("flags", [2, 0x80000000, 0xFFFFFFFE])
def test_requests_unknown_flags_of_a_ring_address_are_refused(
    flags: int, running: RemoteHost, observe: Observe
) -> None:
    address = running.session.vring_addr(running.output)._replace(flags=flags)
    refused(running, observe, Request.SET_VRING_ADDR, address.encode())


@pytest.mark.requirement("VU-038")
@pytest.mark.parametrize("number", range(24))
def test_requests_random_bytes_end_that_connection_only(
    number: int, seed: int, open_host: Connect, connect: Connect
) -> None:
    rng = random.Random(seed * 1000 + number)
    host = open_host()
    frontend = host.session.frontend
    try:
        frontend.send_raw(rng.randbytes(rng.randrange(12, 2000)))
        frontend.sock.shutdown(socket.SHUT_WR)
        expect_closed(host)
    except (PeerClosed, OSError):
        pass
    host.close()
    connect().check()
