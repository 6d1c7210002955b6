# SPDX-License-Identifier: BSD-2-Clause
"""What the life of a session asks of the remote: resets, queues that start again, operations that
wait until the remote has returned, and the descriptors that a front-end may give.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time

import pytest

from daemon_frontend import (
    DEADLINE_S,
    F_NS,
    F_VERSION_1,
    GET_FEATURES,
    GET_STATUS,
    GET_VRING_BASE,
    INPUT,
    OUTPUT,
    SET_FEATURES,
    SET_PROTOCOL_FEATURES,
    SET_STATUS,
    SET_VRING_CALL,
    SET_VRING_KICK,
    Connect,
    FrontEnd,
    Host,
    Start,
)
from wire_support import ECHO, ECHO_ADDR, HOST_ADDR, MESSAGE_BYTES, NOTICE, PAYLOAD, Wire

GET_CONFIG, SET_CONFIG, RESET_DEVICE, SET_BACKEND_REQ_FD = 24, 25, 34, 21
PROTOCOL_F_CONFIG, PROTOCOL_F_STATUS, PROTOCOL_F_BACKEND_REQ = 1 << 9, 1 << 16, 1 << 5
ECHO_SERVICE = ("--service", f"echo,addr={ECHO_ADDR}")


def reset_by_status(front_end: FrontEnd) -> None:
    front_end.send(SET_STATUS, struct.pack("<Q", 0))


def reset_by_request(front_end: FrontEnd) -> None:
    front_end.send(RESET_DEVICE)


RESETS = [reset_by_status, reset_by_request]


# ---- reset ----


def read_config(front_end: FrontEnd, size: int) -> bytes:
    front_end.send(GET_CONFIG, struct.pack("<III", 0, size, 0) + bytes(size))
    return front_end.reply()[12:]


@pytest.mark.parametrize("reset", RESETS)
def test_life_reset_forgets_what_a_driver_wrote_that_never_got_ready(
    start: Start, reset: object
) -> None:
    front_end = FrontEnd(start("--profile", "openamp-bufsz").socket_path)
    protocol = PROTOCOL_F_CONFIG | PROTOCOL_F_STATUS
    front_end.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", protocol))
    at_first = read_config(front_end, 11)
    written = bytes(11)
    front_end.send(SET_CONFIG, struct.pack("<III", 0, 11, 0) + written)
    assert read_config(front_end, 11) == written != at_first

    assert callable(reset)
    reset(front_end)

    assert read_config(front_end, 11) == at_first
    front_end.close()


@pytest.mark.parametrize("reset", RESETS)
def test_life_reset_returns_what_is_held_and_forgets_the_session(
    start: Start, reset: object
) -> None:
    wire = Wire(start(*ECHO_SERVICE))
    host = wire.attach_ns()
    wire.control.call("hold", queue=OUTPUT)
    wire.echo()
    assert wire.used(OUTPUT) == []
    assert wire.control.call("stats")["endpoints"][0]["peer"] == HOST_ADDR

    assert callable(reset)
    reset(host.front_end)
    assert host.front_end.ask_u64(GET_FEATURES) & F_VERSION_1  # the reset is done

    wire.expect_returned(1)
    stats = wire.control.call("stats")
    assert not stats["driver_ok"] and stats["queues"][OUTPUT]["held"] == 0
    assert stats["endpoints"][0]["peer"] is None
    assert stats["messages"]["received"] == stats["messages"]["delivered"] == 1
    host.send(HOST_ADDR, ECHO_ADDR, b"nobody listens")
    wire.settle()
    assert wire.used_idx(INPUT) == 2  # the announcement and the echo of before
    wire.close()


def test_life_reset_while_announcements_came_early_starts_the_next_session_anew(
    start: Start,
) -> None:
    wire = Wire(start(*ECHO_SERVICE, "--fault", "ns-before-driver-ok"))
    wire.connect().set_up(F_VERSION_1 | F_NS)
    wire.settle()
    wire.expect(0, NOTICE)

    reset_by_status(wire.host.front_end)
    assert wire.host.front_end.ask_u64(GET_STATUS) == 0
    wire.control.call("fault_clear")

    wire.attach_ns()
    wire.expect(0, NOTICE)
    assert wire.used_idx(INPUT) == 1
    wire.close()


# ---- queues that start again ----


def restart_queue_0(host: Host) -> None:
    """GET_VRING_BASE stops it, SET_VRING_KICK starts it again where it stood."""
    host.front_end.send(GET_VRING_BASE, struct.pack("<II", INPUT, 0))
    assert struct.unpack("<II", host.front_end.reply())[0] == INPUT
    ring = host.rings[INPUT]
    host.front_end.acked(SET_VRING_KICK, struct.pack("<Q", INPUT), (ring.kick,))


def test_life_remote_is_told_each_time_that_queue_0_starts(start: Start) -> None:
    wire = Wire(start(*ECHO_SERVICE, "--fault", "ns-before-driver-ok"))
    host = wire.connect()
    host.set_up(F_VERSION_1 | F_NS)

    for count in (1, 2, 3):
        wire.settle()
        wire.expect(count - 1, NOTICE)
        assert wire.used_idx(INPUT) == count
        assert wire.fired("ns-before-driver-ok") == count
        restart_queue_0(host)
    wire.close()


# ---- operations wait until the remote has returned ----


def post_burst(host: Host, count: int) -> None:
    """Make messages available that are seen with one kick."""
    ring = host.rings[OUTPUT]
    kick = ring.notify
    setattr(ring, "notify", lambda: None)
    for _ in range(count):
        host.send(HOST_ADDR, ECHO_ADDR, PAYLOAD)
    setattr(ring, "notify", kick)
    kick()


def test_life_crash_in_a_burst_ends_the_session_after_the_event_of_its_message(
    start: Start, connect: Connect
) -> None:
    sim = start(*ECHO_SERVICE)
    wire, control = Wire(sim), connect(sim)
    host = wire.attach()
    control.call("events", types=["fault", "message", "returned", "sent", "disconnected"])
    wire.set("life-crash-at-first-message", after=3)

    post_burst(host, 8)
    assert host.front_end.closed_by_peer()

    seen: list[str] = []
    while not seen or seen[-1] != "disconnected":
        seen.append(control.read()["params"]["type"])
    assert seen[-3:] == ["fault", "message", "disconnected"]
    assert seen.count("message") == 4
    # What went back before stays so; nothing else is touched.
    wire.expect_returned(wire.used_idx(OUTPUT))
    assert wire.used_idx(OUTPUT) <= 3
    messages = control.call("stats")["messages"]
    assert (messages["received"], messages["delivered"]) == (4, 3)
    assert messages["dropped"] == {"fault": 1}
    wire.close()


def test_life_operations_asked_for_together_are_all_done_and_the_crash_is_last(
    start: Start, connect: Connect
) -> None:
    sim = start("--profile", "linux-bufsz", *ECHO_SERVICE)
    control = connect(sim)
    host = Host(FrontEnd(sim.socket_path))
    host.protocol |= PROTOCOL_F_BACKEND_REQ | PROTOCOL_F_CONFIG
    host.start(F_VERSION_1)
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    with theirs:
        host.front_end.acked(SET_BACKEND_REQ_FD, fds=(theirs.fileno(),))

    # In one write, so that all are served before the loop turns.
    control.send_raw(
        b'{"jsonrpc":"2.0","method":"crash"}\n'
        b'{"jsonrpc":"2.0","method":"fault_set","params":'
        b'{"name":"life-config-change","mode":"once"}}\n'
        b'{"jsonrpc":"2.0","method":"fault_set","params":'
        b'{"name":"life-needs-reset","mode":"once"}}\n'
    )

    assert host.front_end.closed_by_peer()
    assert ours.recv(24, socket.MSG_WAITALL) == struct.pack("<III", 2, 1, 0) * 2
    assert ours.recv(1) == b""
    ours.close()
    host.close()


def test_life_no_message_is_served_between_a_crash_and_the_end(start: Start) -> None:
    """The request lies behind the crash in the socket; it gets an end and no answer."""
    sim = start(*ECHO_SERVICE, "--fault", "life-crash-at-features,once")
    front_end = FrontEnd(sim.socket_path)
    front_end.sock.sendall(
        struct.pack("<IIIQ", SET_FEATURES, 1, 8, F_VERSION_1)
        + struct.pack("<III", GET_FEATURES, 1, 0)
    )

    assert front_end.closed_by_peer()
    front_end.close()


# ---- late replies ----


@pytest.mark.parametrize("delay_ms", [20, 150])
def test_life_late_reply_holds_back_all_requests_of_its_session_only(
    start: Start, connect: Connect, tmp_path: object, delay_ms: int
) -> None:
    others = f"{tmp_path}/other.sock"
    sim = start(
        *["--remote", "slow", "--socket-path", f"{tmp_path}/sim.sock"],
        *["--fault", f"life-slow-replies={delay_ms},count=3"],
        *["--remote", "other", "--socket-path", others],
    )
    slow, other = FrontEnd(sim.socket_path), FrontEnd()
    other.sock.connect(others)

    began = time.monotonic()
    for _ in range(4):
        slow.send(GET_FEATURES)
    assert other.ask_u64(GET_FEATURES)
    times = []
    for _ in range(4):
        slow.reply()
        times.append(time.monotonic() - began)

    for number in range(3):
        assert times[number] >= (number + 1) * delay_ms / 1000 - 0.001
    slow.close()
    other.close()


# ---- descriptors of other kinds ----


def test_life_interrupts_go_through_a_pipe_even_when_its_reader_leaves(start: Start) -> None:
    """The specification allows a pipe for an eventfd; SIGPIPE is kept away from the process."""
    wire = Wire(start(*ECHO_SERVICE))
    host = wire.attach()
    reader, writer = os.pipe()
    host.front_end.acked(SET_VRING_CALL, struct.pack("<Q", INPUT), (writer,))
    os.close(writer)

    wire.echo()
    assert select.select([reader], [], [], DEADLINE_S)[0]
    assert os.read(reader, 8) == struct.pack("<Q", 1)
    os.close(reader)
    wire.echo()

    wire.expect(1, ECHO)
    assert wire.used(INPUT) == [(0, MESSAGE_BYTES), (1, MESSAGE_BYTES)]
    wire.close()


def test_life_kicks_come_through_a_pipe(start: Start) -> None:
    wire = Wire(start(*ECHO_SERVICE))
    host = wire.attach()
    reader, writer = os.pipe()
    host.front_end.acked(SET_VRING_KICK, struct.pack("<Q", OUTPUT), (reader,))
    os.close(reader)
    setattr(host.rings[OUTPUT], "notify", lambda: os.write(writer, struct.pack("<Q", 1)))

    for count in (1, 2, 3):
        wire.echo()
        assert wire.used_idx(INPUT) == count
    os.close(writer)
    wire.settle()
    assert wire.control.call("stats")["driver_ok"]
    wire.close()


def test_life_interrupt_descriptor_that_blocks_and_is_full_holds_nothing_up(start: Start) -> None:
    """Whoever shares the file with us may make it blocking again, and fill it."""
    wire = Wire(start(*ECHO_SERVICE))
    call = wire.attach().rings[INPUT].call
    os.set_blocking(call, True)
    os.write(call, struct.pack("<Q", 2**64 - 2))

    for number in range(3):
        wire.echo()
        wire.expect(number, ECHO)
    wire.close()


def test_life_channel_of_the_back_end_that_blocks_and_is_full_holds_nothing_up(
    start: Start,
) -> None:
    wire = Wire(start("--profile", "linux-bufsz", *ECHO_SERVICE))
    host = wire.connect()
    host.protocol |= PROTOCOL_F_BACKEND_REQ | PROTOCOL_F_CONFIG
    host.start(F_VERSION_1)
    ours, theirs = socket.socketpair()
    host.front_end.acked(SET_BACKEND_REQ_FD, fds=(theirs.fileno(),))
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            theirs.send(bytes(65536))
    with pytest.raises(BlockingIOError):
        while True:
            theirs.send(b"x")
    theirs.setblocking(True)

    wire.control.call("config_change")
    wire.echo()
    wire.expect(0, ECHO)
    while "cannot be told that the configuration changed" not in wire.sim.log_text():
        pass
    ours.close()
    theirs.close()
    wire.close()


def test_life_services_come_back_after_each_of_many_resets(
    start: Start, connect: Connect
) -> None:
    sim = start(*ECHO_SERVICE)
    for session in range(50):
        host = Host(FrontEnd(sim.socket_path))
        host.start()
        assert host.receive_announcement() == ("echo", ECHO_ADDR, 0)
        host.send(HOST_ADDR, ECHO_ADDR, struct.pack("<I", session))
        assert host.receive() == (ECHO_ADDR, HOST_ADDR, struct.pack("<I", session))
        reset_by_status(host.front_end)
        host.front_end.ask_u64(GET_STATUS)
        host.close()
    assert connect(sim).call("stats")["sessions"] == 50


@pytest.mark.parametrize(
    "service, warns",
    [("sink", True), ("sink=sink", False), ("sink=echo", False), ("echo", False), ("pipe", False)],
)
def test_life_service_named_as_another_kind_is_warned_of(
    start: Start, service: str, warns: bool
) -> None:
    sim = start("--service", service)

    said = "service sink is of kind echo; for one of kind sink, --service sink=sink"
    assert (said in sim.log_text()) == warns
