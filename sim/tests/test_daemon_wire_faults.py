# SPDX-License-Identifier: BSD-2-Clause
"""Every fault of the list, on the wire of the program: what a front-end finds in its memory and on
its socket, byte for byte, and that the next message is as it should be.

The host's driver is a raw one (wire_support.py). A fault without a case fails the suite.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from daemon_frontend import (
    BUFFER_SIZE,
    F_NS,
    F_VERSION_1,
    FLAG_NEED_REPLY,
    GET_FEATURES,
    GET_STATUS,
    HEADER,
    INPUT,
    OUTPUT,
    SET_FEATURES,
    SET_MEM_TABLE,
    SET_STATUS,
    SET_VRING_ADDR,
    STATUS_DRIVER_OK,
    FrontEnd,
    Host,
    Start,
)
from wire_support import (
    ECHO,
    ECHO_ADDR,
    HOST_ADDR,
    MESSAGE_BYTES,
    NOTICE,
    NOTICE_BYTES,
    PAYLOAD,
    RING_SIZE,
    Wire,
    message,
    names_of,
    notice,
)

ANY = 0xFFFFFFFF
FLAG_REPLY = 4
SET_BACKEND_REQ_FD = 21
GET_CONFIG = 24
PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_CONFIG = 1 << 5, 1 << 9
#: A fault's name and the wire; fails unless the fault did what it says, and nothing else.
Case = Callable[[Wire, str], None]
cases: dict[str, Case] = {}


def case(*names: str) -> Callable[[Case], Case]:
    """Make a function the case of these faults."""

    def add(function: Case) -> Case:
        cases.update(dict.fromkeys(names, function))
        return function

    return add


@pytest.fixture
def wire(start: Start) -> Iterator[Wire]:
    """A remote with an echo service "echo" at ECHO_ADDR; no host is attached yet."""
    made = Wire(start("--profile", "linux-bufsz", "--service", f"echo,addr={ECHO_ADDR}"))
    yield made
    made.close()


def test_wire_faults_each_has_a_case(binary: str) -> None:
    assert sorted(names_of(binary, "--list-faults=json")) == sorted(cases)


# ---- messages ----

#: source, destination, reserved, len, flags, used length of the echo of PAYLOAD
MESSAGES = {
    "hdr-len-above-descriptor": (ECHO_ADDR, HOST_ADDR, 0, 497, 0, 512),
    "hdr-len-above-used": (ECHO_ADDR, HOST_ADDR, 0, 6, 0, 21),
    "hdr-len-above-buffer": (ECHO_ADDR, HOST_ADDR, 0, 65535, 0, 21),
    "hdr-len-below-payload": (ECHO_ADDR, HOST_ADDR, 0, 4, 0, 21),
    "hdr-reserved": (ECHO_ADDR, HOST_ADDR, 0xA5A5A5A5, 5, 0, 21),
    "hdr-flags": (ECHO_ADDR, HOST_ADDR, 0, 5, 0xA5A5, 21),
    "hdr-src-any": (ANY, HOST_ADDR, 0, 5, 0, 21),
    "hdr-src-ns": (53, HOST_ADDR, 0, 5, 0, 21),
    "hdr-src-unbound": (0x3FFFFF00, HOST_ADDR, 0, 5, 0, 21),
    "hdr-src-own": (HOST_ADDR, HOST_ADDR, 0, 5, 0, 21),
    "hdr-dst-any": (ECHO_ADDR, ANY, 0, 5, 0, 21),
    "hdr-dst-ns": (ECHO_ADDR, 53, 0, 5, 0, 21),
    "hdr-dst-unbound": (ECHO_ADDR, 0x3FFFFF01, 0, 5, 0, 21),
    "hdr-dst-own": (ECHO_ADDR, ECHO_ADDR, 0, 5, 0, 21),
    "used-len-0": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 0),
    "used-len-8": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 8),
    "used-len-15": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 15),
    "used-len-16": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 16),
    "used-len-513": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 513),
    "used-len-65535": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 65535),
    "used-len-0xffffffff": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 0xFFFFFFFF),
    "used-len-above-descriptor": (ECHO_ADDR, HOST_ADDR, 0, 5, 0, 513),
}


@case(*MESSAGES)
def message_is_broken_once(wire: Wire, name: str) -> None:
    *fields, used_len = MESSAGES[name]
    wire.attach()
    wire.set(name)
    wire.echo()
    wire.echo()
    wire.expect(0, HEADER.pack(*fields) + PAYLOAD, used_len)
    wire.expect(1, ECHO)
    assert wire.used_idx(INPUT) == 2
    wire.expect_returned(2)


@case("order-big-endian")
def message_is_big_endian(wire: Wire, name: str) -> None:
    wire.set(name, mode="count", count=2)
    wire.attach_ns()
    wire.echo()
    wire.echo()
    name_service = struct.pack(">IIIHH32sII", ECHO_ADDR, 53, 0, 40, 0, b"echo", ECHO_ADDR, 0)
    wire.expect(0, name_service)
    wire.expect(1, struct.pack(">IIIHH", ECHO_ADDR, HOST_ADDR, 0, 5, 0) + PAYLOAD)
    wire.expect(2, ECHO)


@case("used-len-output")
def send_buffer_comes_back_with_a_length(wire: Wire, name: str) -> None:
    wire.attach()
    wire.set(name)
    wire.echo()
    wire.echo()
    assert wire.used(OUTPUT) == [(0, 512), (1, 0)]
    wire.expect(0, ECHO)


# ---- announcements ----

NOTICES = {
    "ns-len-0": notice(size=0),
    "ns-len-1": notice(size=1),
    "ns-len-39": notice(size=39),
    "ns-len-41": notice(size=41),
    "ns-len-496": notice(size=496),
    "ns-name-unterminated": notice(b"echo" + b"x" * 28),
    "ns-name-empty": notice(b""),
    "ns-name-ff": notice(b"\xff" * 32),
    "ns-name-not-utf8": notice(b"\xc3(ho"),
    "ns-name-dirty": notice(b"echo\0" + b"\xa5" * 27),
    "ns-addr-any": notice(addr=ANY),
    "ns-addr-0": notice(addr=0),
    "ns-addr-53": notice(addr=53),
    "ns-addr-0x7fffffff": notice(addr=0x7FFFFFFF),
    "ns-addr-0x80000000": notice(addr=0x80000000),
    "ns-flags-unknown": notice(flags=0xFFFFFFFC),
    "ns-flags-ack": notice(flags=2),
}


@case(*NOTICES)
def announcement_is_broken_once(wire: Wire, name: str) -> None:
    wire.set(name)
    wire.attach_ns()
    wire.expect(0, NOTICES[name])
    wire.echo()
    wire.expect(1, ECHO)
    wire.attach_ns()
    wire.expect(0, NOTICE)


FOLLOWING = {
    "ns-duplicate": NOTICE,
    "ns-destroy-unknown": notice(b"no-such-channel", 0x3FFFFF02, 1),
    "ns-destroy-rpmsg-ns": notice(b"rpmsg_ns", 53, 1),
    "ns-destroy-rpmsg-ctrl": notice(b"rpmsg_ctrl", 0, 1),
    "ns-destroy-any": notice(b"echo", ANY, 1),
}


@case(*FOLLOWING)
def announcement_is_followed_by_another(wire: Wire, name: str) -> None:
    wire.set(name)
    wire.attach_ns()
    wire.expect(0, NOTICE)
    wire.expect(1, FOLLOWING[name])
    assert wire.used_idx(INPUT) == 2
    wire.set(name)  # with a host: at once
    wire.expect(2, FOLLOWING[name])
    assert wire.used_idx(INPUT) == 3
    wire.control.call("fault_clear")


def flood(number: int) -> bytes:
    addr = 0x10000 + number
    return notice(b"flood-%d" % number, addr, src=addr)


@case("ns-flood")
def announcements_flood_the_host(wire: Wire, name: str) -> None:
    wire.set(name, arg=40)
    wire.attach_ns()
    wire.expect(0, NOTICE)
    for number in range(RING_SIZE - 1):
        wire.expect(1 + number, flood(number))
    assert wire.used_idx(INPUT) == RING_SIZE
    assert wire.host.receive_announcement() == ("echo", ECHO_ADDR, 0)
    for number in range(40):
        assert wire.host.receive_announcement() == (f"flood-{number}", 0x10000 + number, 0)
    wire.echo()
    assert wire.host.receive() == (ECHO_ADDR, HOST_ADDR, PAYLOAD)


@case("ns-before-driver-ok")
def announcement_comes_before_driver_ok(wire: Wire, name: str) -> None:
    wire.set(name)
    wire.connect().set_up(F_VERSION_1 | F_NS)
    wire.settle()
    wire.expect(0, NOTICE)
    assert not wire.control.call("stats")["driver_ok"]
    wire.host.front_end.acked(SET_STATUS, struct.pack("<Q", STATUS_DRIVER_OK))
    wire.settle()
    assert wire.used(INPUT) == [(0, NOTICE_BYTES)]  # once is enough
    wire.echo()
    wire.expect(1, ECHO)
    wire.connect().set_up(F_VERSION_1 | F_NS)
    wire.settle()
    assert wire.used(INPUT) == []


@case("ns-without-feature")
def announcement_comes_without_the_feature(wire: Wire, name: str) -> None:
    wire.set(name)
    wire.attach(F_VERSION_1)
    wire.expect(0, NOTICE)
    wire.echo()
    wire.expect(1, ECHO)
    wire.attach(F_VERSION_1)
    assert wire.used(INPUT) == []


# ---- rings ----


def lengths(queue: int) -> int:
    """Used length of a sound echo on a queue."""
    return MESSAGE_BYTES if queue == INPUT else 0


def break_ring(wire: Wire, name: str, queue: int) -> None:
    """A new session, and an echo with the fault on one of the queues; the other one is sound."""
    wire.attach()
    wire.set(name, arg=queue)
    wire.echo()
    assert wire.buffer(INPUT, 0) == ECHO.ljust(BUFFER_SIZE, b"\0")
    other = OUTPUT if queue == INPUT else INPUT
    assert wire.used(other) == [(0, lengths(other))]


@case("ring-used-id-range")
def used_id_is_the_ring_size(wire: Wire, name: str) -> None:
    for queue in (INPUT, OUTPUT):
        break_ring(wire, name, queue)
        wire.echo()
        assert wire.used(queue) == [(RING_SIZE, lengths(queue)), (1, lengths(queue))]


@case("ring-used-id-idle")
def used_id_was_never_made_available(wire: Wire, name: str) -> None:
    break_ring(wire, name, OUTPUT)
    assert wire.used(OUTPUT) == [(1, 0)]

    host = wire.attach(size=2)
    wire.echo()
    host.receive()  # queue 0 has descriptors 1 and 0 now
    wire.echo()
    wire.host.rings[INPUT].take_used()  # and 0 alone
    wire.set(name, arg=INPUT)
    wire.echo()
    assert wire.slot(INPUT, 2) == (1, MESSAGE_BYTES)
    assert wire.used_idx(INPUT) == 3


@case("ring-used-id-twice")
def used_entry_stands_there_twice(wire: Wire, name: str) -> None:
    for queue in (INPUT, OUTPUT):
        break_ring(wire, name, queue)
        wire.echo()
        assert wire.used(queue) == [(index, lengths(queue)) for index in (0, 0, 1)]


@case("ring-used-entry-skipped")
def used_entry_is_left_out(wire: Wire, name: str) -> None:
    for queue in (INPUT, OUTPUT):
        break_ring(wire, name, queue)
        wire.echo()
        assert wire.used(queue) == [(0, 0), (0, lengths(queue)), (1, lengths(queue))]


@case("ring-used-idx-ahead")
def used_index_is_ahead_once(wire: Wire, name: str) -> None:
    for queue in (INPUT, OUTPUT):
        break_ring(wire, name, queue)
        assert wire.used_idx(queue) == 1 + RING_SIZE
        assert wire.slot(queue, 0) == (0, lengths(queue))
        wire.host.rings[OUTPUT].used_idx = 1  # what our own driver believes
        wire.host.free = [index for index in range(1, RING_SIZE)]
        wire.echo()
        assert wire.used(queue) == [(0, lengths(queue)), (1, lengths(queue))]


@case("ring-used-idx-back")
def used_index_goes_back_once(wire: Wire, name: str) -> None:
    for queue in (INPUT, OUTPUT):
        break_ring(wire, name, queue)
        assert wire.used_idx(queue) == 0xFFFF
        assert wire.slot(queue, 0) == (0, lengths(queue))
        wire.host.rings[OUTPUT].used_idx = 0xFFFF
        wire.echo()
        assert wire.used(queue) == [(0, lengths(queue)), (1, lengths(queue))]


@case("ring-write-readable")
def send_buffer_is_written_to(wire: Wire, name: str) -> None:
    wire.attach()
    wire.set(name)
    wire.echo()
    wire.echo()
    broken = message(HOST_ADDR, ECHO_ADDR, reserved=0xA5A5A5A5)
    sound = message(HOST_ADDR, ECHO_ADDR)
    assert wire.buffer(OUTPUT, 0) == broken.ljust(BUFFER_SIZE, b"\0")
    assert wire.buffer(OUTPUT, 1) == sound.ljust(BUFFER_SIZE, b"\0")
    wire.expect(0, ECHO)
    wire.expect_returned(2)


@case("ring-not-returned")
def buffer_never_comes_back(wire: Wire, name: str) -> None:
    for queue in (INPUT, OUTPUT):
        break_ring(wire, name, queue)
        assert wire.used(queue) == []
        wire.echo()
        assert wire.used(queue) == [(1, lengths(queue))]


@case("ring-returns-another")
def another_buffer_comes_back(wire: Wire, name: str) -> None:
    break_ring(wire, name, INPUT)
    assert wire.used(INPUT) == [(1, MESSAGE_BYTES)]
    assert wire.buffer(INPUT, 1) == bytes(BUFFER_SIZE)
    wire.echo()
    assert wire.used(INPUT) == [(index, MESSAGE_BYTES) for index in (1, 0, 2)]

    # On the output queue it takes two that are out; the other one's message is never read.
    wire.attach()
    wire.set(name, arg=OUTPUT)
    ring = wire.host.rings[OUTPUT]
    kick = ring.notify
    setattr(ring, "notify", lambda: None)
    wire.host.send(HOST_ADDR, ECHO_ADDR, PAYLOAD)
    wire.host.send(HOST_ADDR, ECHO_ADDR, b"never read")
    setattr(ring, "notify", kick)
    kick()
    wire.settle()
    assert wire.used(OUTPUT) == [(1, 0)]
    assert wire.used(INPUT) == [(0, MESSAGE_BYTES)]
    wire.echo()
    assert wire.used(OUTPUT) == [(1, 0), (0, 0), (2, 0)]
    wire.expect(1, ECHO)


# ---- life cycle ----

CRASHES = {
    "life-crash-at-features": SET_FEATURES,
    "life-crash-at-memory": SET_MEM_TABLE,
    "life-crash-at-vring": SET_VRING_ADDR,
    "life-crash-at-driver-ok": SET_STATUS,
}


def note_requests(front_end: FrontEnd) -> list[int]:
    """The requests that are sent from now on."""
    requests: list[int] = []
    send = front_end.send

    def noted(
        request: int, payload: bytes = b"", fds: tuple[int, ...] = (), flags: int = 0
    ) -> None:
        requests.append(request)
        send(request, payload, fds, flags)

    setattr(front_end, "send", noted)
    return requests


def expect_served_again(wire: Wire) -> None:
    wire.attach_ns()
    wire.expect(0, NOTICE)
    wire.echo()
    wire.expect(1, ECHO)
    wire.expect_returned(1)


@case(*CRASHES)
def connection_ends_at_a_point_of_the_handshake(wire: Wire, name: str) -> None:
    wire.set(name)
    host = wire.connect()
    requests = note_requests(host.front_end)
    with pytest.raises((EOFError, ConnectionError)):
        host.start(F_VERSION_1 | F_NS)
    assert requests[-1] == CRASHES[name]
    assert wire.used(INPUT) == [] and wire.used(OUTPUT) == []
    expect_served_again(wire)


@case("life-crash-at-first-kick", "life-crash-at-first-message")
def connection_ends_in_mid_traffic(wire: Wire, name: str) -> None:
    host = wire.attach()
    wire.echo()
    rings = bytes(host.memory)
    wire.set(name)
    index = host.send(HOST_ADDR, ECHO_ADDR, b"last")
    assert host.front_end.closed_by_peer()
    # Nothing but what the driver itself did: the message, its descriptor, the available ring. The
    # hint not to kick (used.flags) may have been left there.
    for queue in host.rings:
        host.memory[queue.used] = rings[queue.used]
    ring, at = host.rings[OUTPUT], host.rings[OUTPUT].buffer(index)
    expected = bytearray(rings)
    expected[at : at + 20] = message(HOST_ADDR, ECHO_ADDR, b"last")
    struct.pack_into("<QIHH", expected, ring.desc + 16 * index, Host.GUEST + at, 20, 0, 0)
    struct.pack_into("<H", expected, ring.avail + 2, 2)
    struct.pack_into("<H", expected, ring.avail + 4 + 2, index)
    assert host.memory[:] == expected
    expect_served_again(wire)


@case("life-silent")
def nothing_is_touched_while_silent(wire: Wire, name: str) -> None:
    host = wire.attach()
    wire.set(name, mode="always")
    host.send(HOST_ADDR, ECHO_ADDR, PAYLOAD)
    before = bytes(host.memory)
    wire.settle()
    host.rings[OUTPUT].notify()
    wire.settle()
    assert host.memory[:] == before
    assert wire.fired(name) == 2
    wire.control.call("fault_clear")
    wire.settle()
    wire.expect(0, ECHO)
    wire.expect_returned(1)


@case("life-no-replies")
def request_is_served_and_not_answered(wire: Wire, name: str) -> None:
    front_end = wire.connect().front_end
    wire.set(name, mode="count", count=2)
    front_end.send(GET_FEATURES)
    front_end.send(SET_FEATURES, struct.pack("<Q", F_VERSION_1))  # has no answer anyway
    front_end.send(GET_STATUS)  # nor one without F_STATUS: refused, with an empty answer
    front_end.send(GET_FEATURES, flags=FLAG_NEED_REPLY)
    header = front_end.sock.recv(12, socket.MSG_WAITALL)
    assert struct.unpack("<III", header) == (GET_FEATURES, 1 | FLAG_REPLY, 8)
    assert int.from_bytes(front_end.sock.recv(8), "little") & F_VERSION_1
    wire.settle()
    assert not select.select([front_end.sock], [], [], 0)[0]
    assert wire.fired(name) == 2
    assert wire.control.call("stats")["features"]["acked"] == F_VERSION_1


@case("life-slow-replies")
def answer_is_late_and_complete(wire: Wire, name: str) -> None:
    front_end = wire.connect().front_end
    wire.set(name, arg=200)
    began = time.monotonic()
    front_end.send(GET_FEATURES)
    front_end.send(GET_FEATURES)
    wire.settle()
    assert not select.select([front_end.sock], [], [], 0)[0]
    late = front_end.sock.recv(20, socket.MSG_WAITALL)
    assert time.monotonic() - began >= 0.199
    assert struct.unpack_from("<III", late) == (GET_FEATURES, 1 | FLAG_REPLY, 8)
    assert front_end.sock.recv(20, socket.MSG_WAITALL) == late


def open_channel(wire: Wire) -> socket.socket:
    """A host with a channel for the back-end's own messages, and its end of that."""
    host = wire.connect()
    host.protocol |= PROTOCOL_F_BACKEND_REQ | PROTOCOL_F_CONFIG
    host.start(F_VERSION_1)
    ours, theirs = socket.socketpair()
    with theirs:
        host.front_end.acked(SET_BACKEND_REQ_FD, fds=(theirs.fileno(),))
    return ours


def read_config(wire: Wire) -> bytes:
    wire.host.front_end.send(GET_CONFIG, struct.pack("<III", 0, 11, 0) + bytes(11))
    return wire.host.front_end.reply()[12:]


def expect_config_change_told(channel: socket.socket) -> None:
    assert channel.recv(64) == struct.pack("<III", 2, 1, 0)
    assert not select.select([channel], [], [], 0)[0]
    channel.close()


@case("life-config-change")
def configuration_changes_and_that_is_told(wire: Wire, name: str) -> None:
    channel = open_channel(wire)
    before = read_config(wire)
    assert before == struct.pack("<BHII", 1, 11, 512, 512)
    wire.set(name)
    expect_config_change_told(channel)
    assert read_config(wire) != before
    wire.connect().start(F_VERSION_1)
    wire.echo()
    wire.expect(0, ECHO)


@case("life-needs-reset")
def needs_reset_is_set_and_told(wire: Wire, name: str) -> None:
    channel = open_channel(wire)
    front_end = wire.host.front_end
    assert front_end.ask_u64(GET_STATUS) == STATUS_DRIVER_OK
    wire.set(name)
    expect_config_change_told(channel)
    assert front_end.ask_u64(GET_STATUS) == STATUS_DRIVER_OK | 64
    front_end.acked(SET_STATUS, struct.pack("<Q", 0))
    assert front_end.ask_u64(GET_STATUS) == 0


@case("life-reset-in-flight")
def message_in_flight_is_lost_with_its_buffer(wire: Wire, name: str) -> None:
    wire.attach_ns()
    wire.set(name)
    wire.echo(b"lost!")
    wire.expect(0, NOTICE)
    wire.expect(1, NOTICE)
    assert wire.used_idx(INPUT) == 2
    assert wire.used(OUTPUT) == []
    wire.echo()
    wire.expect(2, ECHO)
    assert wire.used(OUTPUT) == [(1, 0)]


@case("life-reboot")
def services_are_announced_anew(wire: Wire, name: str) -> None:
    wire.set(name)
    wire.attach_ns()
    wire.expect(0, NOTICE)
    wire.expect(1, NOTICE)
    wire.control.call("hold", queue=OUTPUT, count=1)
    wire.echo()
    assert wire.used(OUTPUT) == []
    wire.set(name)
    wire.expect(2, ECHO)
    wire.expect(3, NOTICE)
    wire.expect_returned(1)  # what was held comes back
    wire.echo()
    wire.expect(4, ECHO)
    assert wire.used_idx(INPUT) == 5


# ---- all of them ----


@pytest.mark.parametrize("name", cases)
def test_wire_faults(wire: Wire, name: str) -> None:
    cases[name](wire, name)
    assert wire.fired(name) >= 1
    assert list(wire.control.call("stats")["faults"]) == [name]
    messages = wire.control.call("stats")["messages"]
    assert messages["received"] == messages["delivered"] + sum(messages["dropped"].values())
