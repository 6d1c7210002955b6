# SPDX-License-Identifier: BSD-2-Clause
"""Faults through the program: switched on at start and at run time, told, counted, captured.

What each of them does to the bytes is tested in test_fault_*.c; here it is the way there.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

import pytest

from daemon_frontend import (
    DEADLINE_S,
    GET_FEATURES,
    GET_STATUS,
    F_NS,
    F_VERSION_1,
    HEADER,
    INPUT,
    OUTPUT,
    SET_FEATURES,
    SET_MEM_TABLE,
    SET_STATUS,
    SET_VRING_ADDR,
    Attach,
    Connect,
    Control,
    FrontEnd,
    Host,
    Run,
    Sim,
    Start,
)
from test_daemon_capture import dissect, only

REFUSED = -32000
STATUS_NEEDS_RESET = 64
SET_BACKEND_REQ_FD = 21
BACKEND_CONFIG_CHANGE = 2
PROTOCOL_F_BACKEND_REQ = 1 << 5
PROTOCOL_F_CONFIG = 1 << 9
ANY = 0xFFFFFFFF


def fault(control: Control, name: str) -> dict[str, Any]:
    return next(f for f in control.call("faults")["faults"] if f["name"] == name)


def headers(host: Host, count: int) -> list[tuple[int, ...]]:
    """Headers of the next messages, as they stand in memory; each echoes one that is sent."""
    seen = []
    for _ in range(count):
        host.send(2000, 9, b"echo")
        [(index, _)] = host.rings[INPUT].wait_used()
        at = host.rings[INPUT].buffer(index)
        seen.append(HEADER.unpack_from(host.memory, at))
        host.rings[INPUT].expose(index)
        host.rings[INPUT].notify()
    return seen


# ---- the list ----


def test_faults_are_listed_with_requirement_and_text(run: Run) -> None:
    result = run("--list-faults")

    lines = result.stdout.splitlines()
    assert (result.returncode, result.stderr) == (0, "")
    assert len(lines) >= 45
    assert any(line.split()[:2] == ["hdr-src-any", "HD-005"] for line in lines)


def test_faults_as_json_are_those_of_the_list_and_of_the_control_socket(
    run: Run, start: Start, connect: Connect
) -> None:
    listed = [line.split()[0] for line in run("--list-faults").stdout.splitlines()]
    as_json = json.loads(run("--list-faults=json").stdout)
    at_run_time = connect(start()).call("faults")["faults"]

    assert [entry["name"] for entry in as_json] == listed
    assert [(e["name"], e["requirement"], e["text"]) for e in as_json] == [
        (e["name"], e["requirement"], e["text"]) for e in at_run_time
    ]
    flags = next(entry for entry in as_json if entry["name"] == "hdr-flags")
    assert flags["argument"] == {"means": "value", "default": 0xA5A5, "max": 0xFFFF}


# ---- on and off ----


def test_faults_of_the_command_line_fire_as_often_as_they_are_told(
    start: Start, attach: Attach
) -> None:
    host = attach(
        start(
            *["--service", "echo=echo,addr=9,quiet"],
            *["--fault", "hdr-src-any,once"],
            *["--fault", "hdr-reserved=7,after=1,count=2"],
            *["--fault", "hdr-flags"],
        )
    )

    assert headers(host, 4) == [
        (ANY, 2000, 0, 4, 0xA5A5),
        (9, 2000, 7, 4, 0xA5A5),
        (9, 2000, 7, 4, 0xA5A5),
        (9, 2000, 0, 4, 0xA5A5),
    ]


def test_faults_are_set_and_cleared_at_run_time(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "echo=echo,addr=9,quiet")
    control, host = connect(sim), attach(sim)
    clean = (9, 2000, 0, 4, 0)
    assert headers(host, 1) == [clean]

    control.call("fault_set", name="hdr-flags", arg=1)
    control.call("fault_set", name="hdr-reserved", mode="once")
    assert headers(host, 2) == [(9, 2000, 0xA5A5A5A5, 4, 1), (9, 2000, 0, 4, 1)]

    control.call("fault_clear", name="hdr-flags")
    assert headers(host, 1) == [clean]

    control.call("fault_set", name="hdr-flags")
    control.call("fault_set", name="hdr-reserved")
    control.call("fault_clear")
    assert headers(host, 1) == [clean]


def test_faults_tell_how_they_are_set_and_how_often_they_fired(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "echo=echo,addr=9,quiet")
    control, host = connect(sim), attach(sim)

    answer = control.call("fault_set", name="hdr-flags", count=3, after=1, arg=2)
    assert answer == fault(control, "hdr-flags")
    assert (answer["mode"], answer["left"], answer["after"], answer["arg"]) == ("count", 3, 1, 2)
    headers(host, 3)

    after = fault(control, "hdr-flags")
    assert (after["mode"], after["left"], after["fired"]) == ("count", 1, 2)
    assert "after" not in after
    assert control.call("stats")["faults"] == {"hdr-flags": 2}
    headers(host, 2)
    assert (fault(control, "hdr-flags")["mode"], fault(control, "hdr-flags")["fired"]) == ("off", 3)


def test_faults_each_can_be_set_and_cleared_without_a_host(start: Start, connect: Connect) -> None:
    control = connect(start())

    for entry in control.call("faults")["faults"]:
        assert entry["mode"] == "off"
        assert control.call("fault_set", name=entry["name"], mode="once")["mode"] == "count"
        control.call("fault_clear", name=entry["name"])

    assert all(f["mode"] == "off" and f["fired"] == 0 for f in control.call("faults")["faults"])


def test_faults_firing_is_an_event_before_that_of_what_it_broke(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "echo=echo,addr=9,quiet", "--fault", "used-len-8")
    control, host = connect(sim), attach(sim)
    control.call("events", types=["fault", "sent"])

    host.send(2000, 9, b"x")

    told, sent = control.read()["params"], control.read()["params"]
    assert (told["type"], told["fault"], told["queue"]) == ("fault", "used-len-8", INPUT)
    assert (sent["type"], sent["used_len"]) == ("sent", 8)
    assert told["desc_id"] == sent["desc_id"]


def test_faults_firing_stands_in_the_log_and_in_the_capture(
    start: Start, attach: Attach, tmp_path: Any
) -> None:
    path = tmp_path / "fault.pcap"
    sim = start(
        *["--service", "echo=echo,addr=9,quiet", "--fault", "hdr-src-any", "--capture", str(path)]
    )
    host = attach(sim, features=F_VERSION_1)
    headers(host, 1)
    assert sim.stop() == 0

    question, answer = dissect(path)

    assert "rpmsg.fault" not in question
    assert only(answer, "rpmsg.fault") == "hdr-src-any"
    assert only(answer, "rpmsg.src") == "0xffffffff"
    assert "Fault injected: hdr-src-any" in answer["_ws.expert.message"]
    assert "remote: fault hdr-src-any, queue 0" in sim.log_text()


def test_faults_of_one_remote_leave_the_others_alone(start: Start, tmp_path: Any) -> None:
    options = ["--service", "echo=echo,addr=9,quiet"]
    start(
        *["--remote", "bad", "--socket-path", str(tmp_path / "bad.sock"), *options],
        *["--fault", "hdr-flags"],
        *["--remote", "good", "--socket-path", str(tmp_path / "good.sock"), *options],
    )
    flags = {}
    for name in ("bad", "good"):
        host = Host(FrontEnd(tmp_path / f"{name}.sock"))
        host.start()
        flags[name] = headers(host, 1)[0][4]
        host.close()

    assert flags == {"bad": 0xA5A5, "good": 0}


# ---- life cycle ----

CRASHES = {
    "life-crash-at-features": SET_FEATURES,
    "life-crash-at-memory": SET_MEM_TABLE,
    "life-crash-at-vring": SET_VRING_ADDR,
    "life-crash-at-driver-ok": SET_STATUS,
}


@pytest.mark.parametrize("name", CRASHES)
def test_faults_crash_ends_the_connection_at_its_point_and_the_next_host_is_served(
    start: Start, connect: Connect, attach: Attach, name: str
) -> None:
    sim = start("--service", "echo,addr=9", "--fault", f"{name},once")
    control = connect(sim)
    control.call("events", types=["fault", "disconnected"])
    host = Host(FrontEnd(sim.socket_path))
    requests: list[int] = []
    send = host.front_end.send

    def note(request: int, *args: Any) -> None:
        requests.append(request)
        send(request, *args)

    setattr(host.front_end, "send", note)
    with pytest.raises((EOFError, ConnectionError)):
        host.start()

    assert requests[-1] == CRASHES[name]
    assert control.event("fault")["fault"] == name
    assert control.event("disconnected")["reason"] == "the remote crashed"
    assert attach(sim).receive_announcement() == ("echo", 9, 0)
    host.close()


@pytest.mark.parametrize("name", ["life-crash-at-first-kick", "life-crash-at-first-message"])
def test_faults_crash_in_mid_traffic_returns_no_buffer(
    start: Start, attach: Attach, name: str
) -> None:
    sim = start("--service", "echo,addr=9")
    control = Control(sim.control_path)
    host = attach(sim)
    host.receive_announcement()
    control.call("fault_set", name=name)
    control.call("stats")  # the turn that followed is over: nothing is taken without a kick

    host.send(2000, 9, b"last")

    assert host.front_end.closed_by_peer()
    assert host.rings[OUTPUT].take_used() == []
    control.call("fault_clear")
    control.close()
    assert attach(sim).receive_announcement() == ("echo", 9, 0)


def test_faults_without_replies_nothing_is_answered_until_it_is_over(start: Start) -> None:
    sim = start("--fault", "life-no-replies,once")
    front_end = FrontEnd(sim.socket_path)

    front_end.send(GET_FEATURES)  # this one is not answered
    assert front_end.ask_u64(GET_FEATURES) & F_NS

    front_end.sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        front_end.reply()
    front_end.close()


def test_faults_slow_reply_comes_late_and_the_next_request_waits(start: Start) -> None:
    front_end = FrontEnd(start("--fault", "life-slow-replies=150,once").socket_path)

    began = time.monotonic()
    front_end.send(GET_FEATURES)
    front_end.send(GET_STATUS)
    front_end.reply()
    assert time.monotonic() - began >= 0.149
    front_end.reply()

    assert time.monotonic() - began < DEADLINE_S
    front_end.close()


def test_faults_front_end_that_leaves_before_a_slow_reply_is_noticed(
    start: Start, connect: Connect
) -> None:
    sim = start("--fault", "life-slow-replies=3600000,once")
    control = connect(sim)
    control.call("events", types=["disconnected", "fault"])
    front_end = FrontEnd(sim.socket_path)
    front_end.send(GET_FEATURES)
    control.event("fault")

    front_end.close()

    assert control.event("disconnected")["reason"] == "it closed the connection"
    following = FrontEnd(sim.socket_path)
    assert following.ask_u64(GET_FEATURES)
    following.close()


def test_faults_silent_remote_takes_nothing_until_it_is_cleared(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "echo=echo,addr=9,quiet")
    control, host = connect(sim), attach(sim)
    control.call("fault_set", name="life-silent")
    control.call("events", types=["fault", "message"])

    host.send(2000, 9, b"hello?")
    control.event("fault")
    assert control.call("stats")["messages"]["received"] == 0
    control.call("fault_clear")

    assert host.receive() == (9, 2000, b"hello?")


def test_faults_reset_in_flight_never_returns_the_buffer_and_announces_anew(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "echo,addr=9")
    control, host = connect(sim), attach(sim)
    host.receive_announcement()
    control.call("fault_set", name="life-reset-in-flight", mode="once")

    lost = host.send(2000, 9, b"lost")

    assert host.receive_announcement() == ("echo", 9, 0)
    host.send(2000, 9, b"kept")
    assert host.receive() == (9, 2000, b"kept")
    assert lost not in host.free + [index for index, _ in host.rings[OUTPUT].take_used()]
    messages = control.call("stats")["messages"]
    assert (messages["received"], messages["delivered"]) == (2, 1)
    assert messages["dropped"] == {"fault": 1}


# ---- the same by methods ----


def test_faults_method_reset_announces_the_services_anew(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "echo,addr=9")
    control, host = connect(sim), attach(sim)
    host.receive_announcement()

    control.call("reset")

    assert host.receive_announcement() == ("echo", 9, 0)


def test_faults_method_crash_ends_the_connection_with_buffers_held(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "echo=echo,addr=9,quiet")
    control, host = connect(sim), attach(sim)
    control.call("hold", queue=OUTPUT)
    control.call("events", types=["message"])
    host.send(2000, 9, b"held")
    control.event("message")

    assert control.call("crash") == {}

    assert host.front_end.closed_by_peer()
    assert host.rings[OUTPUT].take_used() == []
    assert FrontEnd(sim.socket_path).ask_u64(GET_FEATURES)


def test_faults_method_crash_keeps_the_next_front_end_waiting_as_long_as_asked(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    control = connect(sim)
    attach(sim)

    began = time.monotonic()
    control.call("crash", down_ms=200)
    following = FrontEnd(sim.socket_path)
    following.ask_u64(GET_FEATURES)

    assert 0.199 <= time.monotonic() - began < DEADLINE_S
    following.close()


@pytest.mark.parametrize("method", ["reset", "crash", "config_change", "needs_reset"])
def test_faults_methods_of_life_need_a_host(start: Start, connect: Connect, method: str) -> None:
    error = connect(start()).request(method)["error"]

    assert (error["code"], error["data"]) == (REFUSED, {"errno": "ENOTCONN"})


def attach_with_channel(sim: Sim) -> tuple[Host, socket.socket]:
    """A host that reads the configuration, and its end of the back-end's own channel."""
    host = Host(FrontEnd(sim.socket_path))
    host.protocol |= PROTOCOL_F_BACKEND_REQ | PROTOCOL_F_CONFIG
    host.start()
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    host.front_end.acked(SET_BACKEND_REQ_FD, fds=(theirs.fileno(),))
    theirs.close()
    return host, ours


def backend_request(channel: socket.socket) -> tuple[int, int]:
    """(request, payload bytes) of the back-end's next message."""
    request, _, size = struct.unpack("<III", channel.recv(12))
    return request, size


@pytest.mark.parametrize("by", ["method", "fault"])
def test_faults_config_change_is_told_over_the_back_end_channel(
    start: Start, connect: Connect, by: str
) -> None:
    sim = start("--profile", "linux-bufsz")
    control = connect(sim)
    host, channel = attach_with_channel(sim)

    if by == "method":
        control.call("config_change")
    else:
        control.call("fault_set", name="life-config-change", mode="once")

    assert backend_request(channel) == (BACKEND_CONFIG_CHANGE, 0)
    channel.close()
    host.close()


@pytest.mark.parametrize("by", ["method", "fault"])
def test_faults_needs_reset_is_set_in_the_status_and_told(
    start: Start, connect: Connect, by: str
) -> None:
    sim = start("--profile", "linux-bufsz")
    control = connect(sim)
    host, channel = attach_with_channel(sim)

    if by == "method":
        control.call("needs_reset")
    else:
        control.call("fault_set", name="life-needs-reset", mode="once")

    assert backend_request(channel) == (BACKEND_CONFIG_CHANGE, 0)
    assert host.front_end.ask_u64(GET_STATUS) & STATUS_NEEDS_RESET
    channel.close()
    host.close()


def test_faults_config_change_without_a_channel_is_logged(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    control = connect(sim)
    attach(sim)

    control.call("config_change")

    while "cannot be told that the configuration changed" not in sim.log_text():
        pass
    assert control.call("stats")["driver_ok"]


# ---- checks ----


def send_wrong(host: Host, control: Control) -> None:
    """Break a MUST (HD-005) and a SHOULD (HD-007), and wait until both were seen."""
    control.call("events", types=["message"])
    host.send(ANY, 9, b"")
    at = host.rings[OUTPUT].buffer(host.free[0])
    host.memory[at : at + HEADER.size] = HEADER.pack(2000, 9, 1, 0, 0)
    host.rings[OUTPUT].describe(host.free[0], Host.GUEST + at, HEADER.size, 0)
    host.rings[OUTPUT].expose(host.free.pop(0))
    host.rings[OUTPUT].notify()
    control.event("message")
    control.event("message")


@pytest.mark.parametrize(
    "level, status, violations",
    [
        ("off", 0, {}),
        ("report", 0, {"hd-src-any": 1, "hd-reserved": 1}),
        ("strict", 1, {"hd-src-any": 1, "hd-reserved": 1}),
    ],
)
def test_check_decides_what_a_violation_leads_to(
    start: Start, connect: Connect, attach: Attach, level: str, status: int, violations: Any
) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet", f"--check={level}")
    sim.expected_status = status
    control, host = connect(sim), attach(sim)

    send_wrong(host, control)

    assert control.call("stats")["violations"] == violations
    assert ("violation hd-src-any" in sim.log_text()) == bool(violations)


def test_check_strict_lets_a_broken_should_pass(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--check=strict", "--service", "sink=sink,addr=9,quiet")
    control, host = connect(sim), attach(sim)
    at = host.rings[OUTPUT].buffer(0)
    control.call("events", types=["violation"])

    host.memory[at : at + HEADER.size] = HEADER.pack(2000, 9, 1, 0, 0)
    host.rings[OUTPUT].describe(0, Host.GUEST + at, HEADER.size, 0)
    host.rings[OUTPUT].expose(0)
    host.rings[OUTPUT].notify()

    event = control.event("violation")
    assert (event["name"], event["level"]) == ("hd-reserved", "should")
    assert sim.stop() == 0


def test_check_level_changes_at_run_time(start: Start, connect: Connect, attach: Attach) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet")
    control, host = connect(sim), attach(sim)

    assert control.call("check", level="off") == {"level": "off"}
    send_wrong(host, control)
    assert control.call("stats")["violations"] == {}

    assert control.call("check", level="report") == {"level": "report"}
    send_wrong(host, control)
    assert control.call("stats")["violations"] == {"hd-src-any": 1, "hd-reserved": 1}
