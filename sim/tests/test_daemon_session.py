# SPDX-License-Identifier: BSD-2-Clause
"""Whole sessions: a front-end, a driver with real rings, and the control socket beside it."""

from __future__ import annotations

import os
import re
import select
import signal
import struct
from typing import Any

import pytest

from daemon_frontend import (
    BUFFER_SIZE,
    DEADLINE_S,
    GET_FEATURES,
    F_NS,
    F_VERSION_1,
    HEADER,
    INPUT,
    OUTPUT,
    SET_FEATURES,
    SET_STATUS,
    Attach,
    Connect,
    FrontEnd,
    Host,
    Sim,
    Start,
)


# ---- messages ----


def test_session_service_is_announced_and_echoes(start: Start, attach: Attach) -> None:
    host = attach(start("--service", "rpmsg-echo,addr=1030"))

    assert host.receive_announcement() == ("rpmsg-echo", 1030, 0)
    for payload in (b"", b"x", bytes(range(256)), b"\xa5" * 496):
        host.send(2000, 1030, payload)
        assert host.receive() == (1030, 2000, payload)


def test_session_thousand_messages_come_back_in_order(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    host = attach(sim)
    host.receive_announcement()

    for number in range(1000):
        host.send(2000, 1030, struct.pack("<I", number))
        assert host.receive() == (1030, 2000, struct.pack("<I", number))

    messages = connect(sim).call("stats")["messages"]
    assert messages["received"] == messages["delivered"] == 1000
    assert messages["sent"] == 1001  # and the announcement


def test_session_without_f_ns_nothing_is_announced(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    host = attach(sim, features=F_VERSION_1)

    host.send(2000, 1030, b"first")

    assert host.receive() == (1030, 2000, b"first")


def test_session_ring_without_kick_descriptors_is_polled(start: Start, attach: Attach) -> None:
    host = attach(start("--service", "rpmsg-echo,addr=1030"), kicks=False)
    host.receive_announcement()

    for number in range(3):
        host.send(2000, 1030, bytes([number]))
        assert host.receive() == (1030, 2000, bytes([number]))


def test_session_announce_and_withdraw_reach_the_host_at_once(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)

    assert control.call("announce", name="late") == {
        "name": "late",
        "addr": 1024,
        "announced": True,
    }
    assert host.receive_announcement() == ("late", 1024, 0)
    assert control.call("withdraw", name="late") == {"name": "late", "addr": 1024}
    assert host.receive_announcement() == ("late", 1024, 1)


def test_session_send_writes_exactly_the_fields_asked_for(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)

    answer = control.call(
        "send",
        src=0xFFFFFFFF,
        dst=53,
        data="00ff10",
        reserved=0x01020304,
        flags=0x0506,
        len=4096,
        used_len=8,
    )

    [(index, used_len)] = host.rings[INPUT].wait_used()
    at = host.rings[INPUT].buffer(index)
    assert answer == {"queued": False}
    assert used_len == 8
    assert HEADER.unpack_from(host.memory, at) == (0xFFFFFFFF, 53, 0x01020304, 4096, 0x0506)
    assert host.memory[at + 16 : at + 19] == b"\x00\xff\x10"


def test_session_send_waits_while_the_input_queue_is_held(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)

    assert control.call("hold", queue=0) == {"queue": 0, "holding": True}
    assert control.call("send", src=1, dst=2, data="aa") == {"queued": True}
    assert control.call("stats")["pending_sends"] == 1
    assert control.call("release", queue=0) == {"released": 1}

    assert host.receive() == (1, 2, b"\xaa")
    assert control.call("stats")["pending_sends"] == 0


def test_session_held_buffers_are_returned_oldest_first(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9")
    host, control = attach(sim), connect(sim)
    control.call("events", types=["message"])
    control.call("hold", queue=1)
    sent = [host.send(1024, 9, b"kept") for _ in range(3)]
    for _ in sent:
        control.event("message")
    assert control.call("stats")["queues"][OUTPUT]["held"] == 3

    assert control.call("release", queue=1, count=2) == {"released": 2}
    first = host.rings[OUTPUT].wait_used()
    assert control.call("release", queue=1) == {"released": 1}
    last = host.rings[OUTPUT].wait_used()

    assert [index for index, _ in first + last] == sent
    assert control.call("stats")["queues"][OUTPUT]["held"] == 0


def test_session_hold_with_count_keeps_only_so_many(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9")
    host, control = attach(sim), connect(sim)
    control.call("hold", queue=1, count=1)

    kept, returned = host.send(1024, 9, b"a"), host.send(1024, 9, b"b")

    assert [index for index, _ in host.rings[OUTPUT].wait_used()] == [returned]
    assert control.call("release", queue=1) == {"released": 1}
    assert [index for index, _ in host.rings[OUTPUT].wait_used()] == [kept]


# ---- what is told about it ----


def test_session_events_tell_the_handshake_in_order(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    control = connect(sim)
    control.call("events")

    attach(sim)

    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["type"] != "driver_ok":
        seen.append(control.read()["params"])
    kinds = [event["type"] for event in seen if event["type"] != "kick"]
    assert kinds == ["connected", "features", "status", "queue", "queue", "status", "driver_ok"]
    features = next(event for event in seen if event["type"] == "features")
    assert features["acked"] & (F_NS | F_VERSION_1) == F_NS | F_VERSION_1
    queues = [event for event in seen if event["type"] == "queue"]
    assert [(event["queue"], event["state"]) for event in queues] == [
        (0, "started"),
        (1, "started"),
    ]
    assert [event["avail_at_start"] for event in queues] == [8, 0]
    statuses = [event["names"] for event in seen if event["type"] == "status"]
    assert statuses[0] == ["ACKNOWLEDGE", "DRIVER", "FEATURES_OK"]
    assert set(statuses[1]) == {"ACKNOWLEDGE", "DRIVER", "FEATURES_OK", "DRIVER_OK"}
    assert seen[-1]["session"] == 1 and seen[-1]["queues"] == [8, 0]
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))


def test_session_events_tell_a_message_and_its_answer(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    host, control = attach(sim), connect(sim)
    host.receive_announcement()
    control.call("events", types=["message", "sent", "returned"])

    index = host.send(2000, 1030, b"\x01\x02")
    host.receive()

    seen = [control.read()["params"] for _ in range(3)]
    message = next(event for event in seen if event["type"] == "message")
    sent = next(event for event in seen if event["type"] == "sent")
    returned = next(event for event in seen if event["type"] == "returned")
    common: dict[str, Any] = {"reserved": 0, "flags": 0, "len": 2, "data": "0102", "desc_count": 1}
    assert {**message, **common, "src": 2000, "dst": 1030} == message
    assert (message["desc_id"], message["desc_len"]) == (index, HEADER.size + 2)
    assert (message["readable"], message["writable"]) == (HEADER.size + 2, 0)
    assert message["verdict"] == "delivered" and "reason" not in message
    assert {**sent, **common, "src": 1030, "dst": 2000} == sent
    assert (sent["desc_len"], sent["used_len"]) == (BUFFER_SIZE, HEADER.size + 2)
    assert (returned["queue"], returned["desc_id"]) == (OUTPUT, index)


def test_session_message_to_nobody_is_told_and_counted_as_dropped(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)
    control.call("events", types=["message"])

    host.send(2000, 77, b"lost")

    event = control.event("message")
    assert (event["verdict"], event["reason"]) == ("dropped", "no-endpoint")
    assert host.rings[OUTPUT].wait_used()
    messages = control.call("stats")["messages"]
    assert (messages["received"], messages["delivered"]) == (1, 0)
    assert messages["dropped"] == {"no-endpoint": 1}


def test_session_announcements_are_told(start: Start, connect: Connect, attach: Attach) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)
    control.call("events", types=["ns"])

    control.call("announce", name="channel", addr=9)
    control.call("withdraw", name="channel")

    created, destroyed = control.event("ns"), control.event("ns")
    assert created == {
        "action": "create",
        "name": "channel",
        "addr": 9,
        "direction": "to-host",
        "type": "ns",
        "remote": "remote",
        "seq": created["seq"],
        "time_ns": created["time_ns"],
    }
    assert destroyed["action"] == "destroy"
    host.receive_announcement()


def test_session_stats_show_a_served_session(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    host, control = attach(sim), connect(sim)
    host.receive_announcement()
    host.send(2000, 1030, b"one")
    host.receive()

    stats = control.call("stats")

    assert (stats["connected"], stats["driver_ok"], stats["sessions"]) == (True, True, 1)
    assert stats["status"] == 15
    assert stats["features"]["acked"] & F_VERSION_1
    assert [queue["size"] for queue in stats["queues"]] == [8, 8]
    assert all(queue["enabled"] and not queue["broken"] for queue in stats["queues"])
    assert [queue["avail_at_start"] for queue in stats["queues"]] == [8, 0]
    assert stats["queues"][INPUT]["returned"] == 2
    assert stats["queues"][OUTPUT]["popped"] == stats["queues"][OUTPUT]["returned"] == 1
    assert stats["queues"][OUTPUT]["kicks"] == 1
    [endpoint] = stats["endpoints"]
    assert endpoint == {
        "addr": 1030,
        "name": "rpmsg-echo",
        "kind": "echo",
        "received": 1,
        "sent": 1,
        "peer": 2000,
        "announced": True,
    }
    assert stats["violations"] == {}


# ---- life ----


def test_session_next_host_is_served_and_told_the_services_anew(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    for number in range(1, 4):
        host = attach(sim)
        assert host.receive_announcement() == ("rpmsg-echo", 1030, 0)
        host.send(2000, 1030, b"again")
        assert host.receive() == (1030, 2000, b"again")
        assert connect(sim).call("stats")["sessions"] == number
        host.front_end.close()


def test_session_reset_by_the_driver_is_told_and_ends_the_session(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    control = connect(sim)
    host = attach(sim)
    control.call("events", types=["reset", "queue"])

    host.front_end.acked(SET_STATUS, struct.pack("<Q", 0))

    assert [control.event("queue")["state"] for _ in range(2)] == ["stopped", "stopped"]
    control.event("reset")
    stats = control.call("stats")
    assert (stats["connected"], stats["driver_ok"], stats["status"]) == (True, False, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_session_signal_in_mid_session_ends_cleanly(
    start: Start, attach: Attach, number: int
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    host = attach(sim)
    host.receive_announcement()
    host.send(2000, 1030, b"in flight")

    assert sim.stop(number) == 0
    assert not sim.socket_path.exists()
    assert host.front_end.closed_by_peer()


def test_session_once_ends_after_a_whole_session(start: Start, attach: Attach) -> None:
    sim = start("--once", "--service", "rpmsg-echo,addr=1030")
    host = attach(sim)
    host.receive_announcement()

    host.front_end.close()

    assert sim.process.wait(DEADLINE_S) == 0


def test_session_memory_and_descriptors_are_given_back(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    control = connect(sim)
    control.call("events", types=["disconnected"])

    def counts() -> tuple[int, int]:
        with open(f"/proc/{sim.process.pid}/maps") as maps:
            regions = sum("memfd:host" in line for line in maps)
        return len(os.listdir(f"/proc/{sim.process.pid}/fd")), regions

    before = counts()
    for _ in range(20):
        host = attach(sim)
        host.receive_announcement()
        host.front_end.close()
        control.event("disconnected")

    assert counts() == before


# ---- what front-ends and hosts do wrong ----

GARBAGE = {
    "zeroes": bytes(64),
    "ones": b"\xff" * 64,
    "text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "huge_size": struct.pack("<III", GET_FEATURES, 1, 0xFFFFFFFF),
    "wrong_version": struct.pack("<III", GET_FEATURES, 2, 0),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_session_garbage_closes_the_connection_and_the_next_is_served(
    start: Start, connect: Connect, attach: Attach, garbage: bytes
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    front_end = FrontEnd(sim.socket_path)

    front_end.sock.sendall(garbage)

    assert front_end.closed_by_peer()
    front_end.close()
    assert attach(sim).receive_announcement() == ("rpmsg-echo", 1030, 0)
    violations = connect(sim).call("stats")["violations"]
    assert sum(violations.values()) == 1
    [name] = violations
    assert f"violation {name} (VU-" in sim.log_text()


def test_session_half_a_message_and_a_close_is_a_violation(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    control = connect(sim)
    control.call("events", types=["violation", "disconnected"])
    front_end = FrontEnd(sim.socket_path)
    front_end.sock.sendall(struct.pack("<III", SET_FEATURES, 1, 8)[:7])
    front_end.close()

    violation = control.event("violation")

    assert (violation["name"], violation["requirement"]) == ("vu-short-message", "VU-001")
    assert (violation["queue"], violation["desc_id"]) == (None, None)
    assert control.event("disconnected")["reason"] == "it broke the vhost-user protocol"


def test_session_front_end_that_stops_in_a_message_holds_nothing_up(
    start: Start, connect: Connect
) -> None:
    sim = start()
    front_end = FrontEnd(sim.socket_path)
    front_end.sock.sendall(struct.pack("<I", GET_FEATURES))

    assert connect(sim).call("stats")["connected"]

    front_end.sock.sendall(struct.pack("<II", 1, 0))
    assert front_end.reply()
    front_end.close()


def test_session_front_end_that_does_not_read_is_disconnected(
    start: Start, connect: Connect
) -> None:
    sim = start()
    front_end = FrontEnd(sim.socket_path)
    request = struct.pack("<III", GET_FEATURES, 1, 0) * 100

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            front_end.sock.sendall(request)

    assert "it does not read its replies" in sim.log_text()
    assert FrontEnd(sim.socket_path).ask_u64(GET_FEATURES)


def test_session_impossible_index_breaks_the_queue_and_signals_its_error(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    host, control = attach(sim), connect(sim)
    host.receive_announcement()
    control.call("events", types=["violation"])
    ring = host.rings[OUTPUT]

    struct.pack_into("<H", host.memory, ring.avail + 2, 1000)
    ring.notify()

    violation = control.event("violation")
    assert (violation["name"], violation["queue"]) == ("vq-avail-jump", OUTPUT)
    assert (violation["expected"], violation["seen"]) == (8, 1000)
    assert select.select([ring.err], [], [], DEADLINE_S)[0]
    stats = control.call("stats")
    assert [queue["broken"] for queue in stats["queues"]] == [False, True]
    assert stats["violations"] == {"vq-avail-jump": 1}


def test_session_queue_that_breaks_under_stats_signals_its_error_too(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)
    ring = host.rings[OUTPUT]

    struct.pack_into("<H", host.memory, ring.avail + 2, 1000)

    assert control.call("stats")["queues"][OUTPUT]["broken"]
    assert select.select([ring.err], [], [], DEADLINE_S)[0]


def test_session_after_a_broken_queue_the_next_host_is_served(start: Start, attach: Attach) -> None:
    sim = start("--service", "rpmsg-echo,addr=1030")
    host = attach(sim)
    host.rings[OUTPUT].expose(5000)
    host.rings[OUTPUT].notify()
    assert select.select([host.rings[OUTPUT].err], [], [], DEADLINE_S)[0]
    host.front_end.close()

    host = attach(sim)

    assert host.receive_announcement() == ("rpmsg-echo", 1030, 0)
    host.send(2000, 1030, b"well again")
    assert host.receive() == (1030, 2000, b"well again")


def test_session_violations_are_logged_at_a_limited_rate_and_counted(
    start: Start, connect: Connect
) -> None:
    sim = start()
    control = connect(sim)
    control.call("events", types=["disconnected"])
    front_end = FrontEnd(sim.socket_path)

    front_end.sock.sendall(struct.pack("<III", 200, 1, 0) * 500)
    front_end.ask_u64(GET_FEATURES)
    front_end.close()
    control.event("disconnected")

    assert control.call("stats")["violations"] == {"vu-unknown-request": 500}
    log = sim.log_text()
    shown = log.count("violation vu-unknown-request (VU-004)")
    hidden = sum(int(number) for number in re.findall(r"(\d+) more were not shown", log))
    assert 1 <= shown < 100
    assert shown + hidden == 500


def test_session_busy_host_does_not_stop_the_control_socket(
    start: Start, connect: Connect, attach: Attach
) -> None:
    """A ring that is never empty: the source fills every buffer that the host gives back."""
    sim = start("--service", "sink=sink,addr=9")
    host, control = attach(sim, size=256), connect(sim)
    ring = host.rings[OUTPUT]
    at = ring.buffer(0)
    host.memory[at : at + HEADER.size] = HEADER.pack(1024, 9, 0, 0, 0)
    for _ in range(200):
        for index in range(256):
            ring.describe(index, host.GUEST + at, HEADER.size, 0)
        ring.take_used()
        for index in range(256):
            ring.expose(index)
        ring.notify()
        assert control.call("stats")["driver_ok"]
        while ring.used_idx != ring.avail_idx:
            ring.wait_used()

    assert control.call("stats")["messages"]["delivered"] == 200 * 256
