# SPDX-License-Identifier: BSD-2-Clause
"""The control socket: JSON-RPC, each method well and badly used, and clients that behave badly."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import DEADLINE_S, Connect, Control, FrontEnd, Host, Start

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, BAD_PARAMS = -32700, -32600, -32601, -32602
REFUSED = -32000
LINE_MAX = 65536
CLIENTS_MAX = 64


def services(control: Control) -> list[tuple[str, int, str]]:
    endpoints = control.call("stats")["endpoints"]
    return [(entry["name"], entry["addr"], entry["kind"]) for entry in endpoints]


def raw_reply(control: Control, line: bytes) -> dict[str, Any]:
    control.send_raw(line + b"\n")
    return control.read()


# ---- JSON-RPC ----


@pytest.mark.parametrize("line", [b"{", b"", b"nonsense", b'{"a":"\xff"}', b'{"a":1,"a":2}'])
def test_control_what_is_no_json_gets_a_parse_error(
    start: Start, connect: Connect, line: bytes
) -> None:
    control = connect(start())

    reply = raw_reply(control, line)

    assert reply["error"]["code"] == PARSE_ERROR
    assert reply["id"] is None
    assert control.call("stats")


NOT_REQUESTS = {
    "number": (1, "a request is an object"),
    "batch": ([], "batches are not served"),
    "no_version": ({"id": 1, "method": "stats"}, 'jsonrpc has to be "2.0"'),
    "old_version": ({"jsonrpc": "1.0", "id": 1, "method": "stats"}, "jsonrpc has to be"),
    "no_method": ({"jsonrpc": "2.0", "id": 1}, "method has to be a string"),
    "method_number": ({"jsonrpc": "2.0", "id": 1, "method": 5}, "method has to be a string"),
    "id_object": ({"jsonrpc": "2.0", "id": {}, "method": "stats"}, "id has to be"),
    "unknown_member": (
        {"jsonrpc": "2.0", "id": 1, "method": "stats", "parms": {}},
        "a request has the members jsonrpc, id, method and params only",
    ),
}


@pytest.mark.parametrize("request_, text", NOT_REQUESTS.values(), ids=NOT_REQUESTS.keys())
def test_control_what_is_no_request_is_refused(
    start: Start, connect: Connect, request_: Any, text: str
) -> None:
    control = connect(start())

    error = raw_reply(control, json.dumps(request_).encode())["error"]

    assert error["code"] == INVALID_REQUEST
    assert text in error["message"]


@pytest.mark.parametrize("request_id", ["seven", 7, -7, None, 2**62])
def test_control_reply_carries_the_id_of_its_request(
    start: Start, connect: Connect, request_id: Any
) -> None:
    body = {"jsonrpc": "2.0", "id": request_id, "method": "stats"}

    reply = raw_reply(connect(start()), json.dumps(body).encode())

    assert reply["jsonrpc"] == "2.0" and reply["id"] == request_id
    assert "result" in reply


def test_control_notification_is_served_and_not_answered(start: Start, connect: Connect) -> None:
    control = connect(start())

    notice = {"jsonrpc": "2.0", "method": "announce", "params": {"name": "quiet"}}
    control.send_raw(json.dumps(notice).encode() + b"\n")

    assert services(control) == [("quiet", 1024, "echo")]


def test_control_wrong_notification_is_not_answered(start: Start, connect: Connect) -> None:
    control = connect(start())

    control.send_raw(b'{"jsonrpc":"2.0","method":"nope"}\n')

    assert control.call("stats")["endpoints"] == []


def test_control_unknown_method_is_named(start: Start, connect: Connect) -> None:
    code, text = connect(start()).error("explode")

    assert code == NO_METHOD
    assert '"explode"' in text


def test_control_several_requests_in_one_packet_are_answered_in_order(
    start: Start, connect: Connect
) -> None:
    control = connect(start())
    requests = [{"jsonrpc": "2.0", "id": n, "method": "stats"} for n in range(100)]

    control.send_raw(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    assert [control.read()["id"] for _ in requests] == list(range(100))


def test_control_request_may_arrive_byte_by_byte(start: Start, connect: Connect) -> None:
    control = connect(start())
    control.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    for byte in b'{"jsonrpc":"2.0","id":1,"method":"stats"}\n':
        control.send_raw(bytes([byte]))

    assert "result" in control.read()


def test_control_client_that_ends_its_side_still_gets_its_answers(
    start: Start, connect: Connect
) -> None:
    control = connect(start())

    control.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"stats"}\n' * 50)
    control.sock.shutdown(socket.SHUT_WR)

    assert all("result" in control.read() for _ in range(50))
    with pytest.raises(EOFError):
        control.read()


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_control_deep_json_is_refused(start: Start, connect: Connect, bracket: bytes) -> None:
    control = connect(start())

    error = raw_reply(control, bracket * 5000)["error"]

    assert error["code"] == PARSE_ERROR
    assert "more than 16 levels of brackets" in error["message"]
    assert control.call("stats")


def test_control_brackets_in_strings_are_not_depth(start: Start, connect: Connect) -> None:
    code, text = connect(start()).error("[" * 100 + '"' + "{" * 100)

    assert code == NO_METHOD


def test_control_longest_line_is_served(start: Start, connect: Connect) -> None:
    line = b'{"jsonrpc":"2.0","id":1,"method":"stats"}'

    reply = raw_reply(connect(start()), line.ljust(LINE_MAX))

    assert "result" in reply


def test_control_longer_line_is_refused_and_its_client_disconnected(
    start: Start, connect: Connect
) -> None:
    sim = start()
    control = connect(sim)

    control.send_raw(b" " * (LINE_MAX + 1))

    error = control.read()["error"]
    assert error["code"] == INVALID_REQUEST
    assert f"at most {LINE_MAX} bytes" in error["message"]
    with pytest.raises(EOFError):
        control.read()
    assert connect(sim).call("stats")


# ---- parameters ----

BAD = {
    "params_by_position": ("send", [1], "params: has to be an object"),
    "unknown": ("stats", {"verbose": 1}, "params.verbose: the method stats has no such"),
    "announce_no_name": ("announce", {}, "params.name: is missing"),
    "announce_empty_name": ("announce", {"name": ""}, "params.name: has to be a string of 1 to 31"),
    "announce_long_name": ("announce", {"name": "n" * 32}, "params.name: has to be a string"),
    "announce_long_utf8": ("announce", {"name": "é" * 16}, "params.name: has to be a string"),
    "announce_name_type": ("announce", {"name": 5}, "params.name: has to be a string"),
    "announce_kind": ("announce", {"name": "a", "kind": "no"}, 'params.kind: there is no kind'),
    "announce_addr_string": ("announce", {"name": "a", "addr": "1024"}, "params.addr: has to be"),
    "announce_addr_real": ("announce", {"name": "a", "addr": 1024.0}, "params.addr: has to be"),
    "announce_addr_bool": ("announce", {"name": "a", "addr": True}, "params.addr: has to be"),
    "announce_addr_null": ("announce", {"name": "a", "addr": None}, "params.addr: has to be"),
    "announce_addr_negative": ("announce", {"name": "a", "addr": -1}, "params.addr: has to be"),
    "announce_addr_any": (
        "announce",
        {"name": "a", "addr": 0xFFFFFFFF},
        "params.addr: has to be an integer from 0 to 4294967294",
    ),
    "announce_addr_ns": ("announce", {"name": "a", "addr": 53}, "params.addr: 53 cannot be given"),
    "announce_addr_64": ("announce", {"name": "a", "addr": 2**64}, "params.addr: the number is"),
    "withdraw_no_name": ("withdraw", {"addr": 1}, "params.name: is missing"),
    "send_no_src": ("send", {"dst": 1, "data": ""}, "params.src: is missing"),
    "send_src": ("send", {"src": 2**32, "dst": 1, "data": ""}, "params.src: has to be"),
    "send_odd": ("send", {"src": 1, "dst": 1, "data": "abc"}, "params.data: has to be"),
    "send_not_hex": ("send", {"src": 1, "dst": 1, "data": "00zz"}, "params.data: byte 1 is not"),
    "send_too_much": ("send", {"src": 1, "dst": 1, "data": "00" * 32001}, "params.data: has to"),
    "send_flags": ("send", {"src": 1, "dst": 1, "data": "", "flags": 65536}, "params.flags: has"),
    "send_len": ("send", {"src": 1, "dst": 1, "data": "", "len": 65536}, "params.len: has to be"),
    "hold_no_queue": ("hold", {}, "params.queue: is missing"),
    "hold_queue": ("hold", {"queue": 2}, "params.queue: has to be an integer from 0 to 1"),
    "hold_count_0": ("hold", {"queue": 1, "count": 0}, "params.count: has to be"),
    "hold_both": ("hold", {"queue": 0, "count": 1, "every": 2}, "params.every: excludes"),
    "announce_quiet": ("announce", {"name": "a", "quiet": 1}, "params.quiet: has to be true or"),
    "announce_size": (
        "announce",
        {"name": "a", "kind": "source", "size": 1},
        "params.size: 1 is not possible for the kind",
    ),
    "announce_peer": ("announce", {"name": "a", "peer": -1}, "params.peer: has to be an integer"),
    "destroy_no_addr": ("endpoint_destroy", {}, "params.addr: is missing"),
    "pace_order": ("pace", {"queue": 0, "order": "up"}, "params.order: has to be one of in|rev"),
    "pace_order_part": ("pace", {"queue": 0, "order": "in|reversed"}, "params.order: has to be"),
    "pace_delay": ("pace", {"queue": 0, "delay_us": 3600000001}, "params.delay_us: has to be"),
    "pace_batch": ("pace", {"queue": 0, "batch": 40000}, "params.batch: no queue has so many"),
    "fault_name": ("fault_set", {"name": "no-such"}, 'params.name: there is no fault "no-such"'),
    "fault_arg": ("fault_set", {"name": "hdr-src-any", "arg": 1}, "params.arg: hdr-src-any takes"),
    "fault_arg_range": (
        "fault_set",
        {"name": "hdr-flags", "arg": 65536},
        "params.arg: has to be an integer from 0 to 65535 (value)",
    ),
    "fault_mode": ("fault_set", {"name": "hdr-flags", "mode": "off"}, "params.mode: has to be one"),
    "fault_no_count": (
        "fault_set",
        {"name": "hdr-flags", "mode": "count"},
        'params.count: is missing: mode "count" needs it',
    ),
    "fault_count_once": (
        "fault_set",
        {"name": "hdr-flags", "mode": "once", "count": 3},
        "params.count: goes with",
    ),
    "fault_clear": ("fault_clear", {"name": "x"}, 'params.name: there is no fault "x"'),
    "check_level": ("check", {"level": "lax"}, "params.level: has to be one of off|report|strict"),
    "configure_profile": (
        "configure",
        {"profile": "vxworks"},
        'params.profile: there is no profile "vxworks"; profiles are linux, linux-bufsz',
    ),
    "configure_layout": ("configure", {"layout": "x"}, 'params.layout: there is no layout "x"'),
    "configure_features": (
        "configure",
        {"features": ["+ns", "bufsz"]},
        'params.features[1]: "bufsz" is not + or -',
    ),
    "configure_packed": ("configure", {"features": ["+34"]}, "cannot be offered by choice"),
    "configure_size": ("configure", {"buffer_size_in": 16}, "params.buffer_size_in: has to be"),
    "crash_down": ("crash", {"down_ms": 3600001}, "params.down_ms: has to be an integer"),
    "release_queue": ("release", {"queue": "1"}, "params.queue: has to be"),
    "release_count": ("release", {"queue": 1, "count": 2**32}, "params.count: has to be"),
    "events_type": ("events", {"types": "kick"}, "params.types: has to be an array"),
    "events_item": ("events", {"types": ["kick", 1]}, "params.types[1]: has to be a string"),
    "events_unknown": ("events", {"types": ["kik"]}, "params.types[0]: there is no event type"),
    "help_param": ("help", {"method": "send"}, "params.method: the method help has no such"),
}


@pytest.fixture(scope="module")
def shared(binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """One simulator for all refused requests: a refusal must not change anything."""
    directory = tmp_path_factory.mktemp("shared")
    process = subprocess.Popen(
        [
            binary,
            "--socket-path",
            str(directory / "sock"),
            "--control-path",
            str(directory / "ctl"),
            "--service",
            "first",
            "--ready-fd",
            "1",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    control = Control(directory / "ctl")
    yield control
    control.close()
    process.terminate()
    process.stdout.close()
    assert process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("method, params, text", BAD.values(), ids=BAD.keys())
def test_control_bad_parameter_is_named_and_changes_nothing(
    shared: Control, method: str, params: Any, text: str
) -> None:
    before = shared.call("stats")

    code, message = shared.error(method, params)

    assert code == BAD_PARAMS
    assert text in message
    assert shared.call("stats") == before


# ---- methods without a host; test_daemon_session.py has those with one ----


def test_control_announce_gives_the_lowest_free_address_from_1024(
    start: Start, connect: Connect
) -> None:
    control = connect(start("--service", "taken,addr=1025"))

    answers = [control.call("announce", name="a") for _ in range(2)]

    assert answers == [
        {"name": "a", "addr": 1024, "announced": False},
        {"name": "a", "addr": 1026, "announced": False},
    ]


@pytest.mark.parametrize("kind", ["echo", "sink", "source", "client-sample"])
def test_control_announce_makes_a_service_of_the_kind(
    start: Start, connect: Connect, kind: str
) -> None:
    control = connect(start())

    control.call("announce", name="a", kind=kind, addr=5)

    assert services(control) == [("a", 5, kind)]


def test_control_announce_at_a_bound_address_is_refused(start: Start, connect: Connect) -> None:
    control = connect(start("--service", "a,addr=7"))

    error = control.request("announce", {"name": "b", "addr": 7})["error"]

    assert error["code"] == REFUSED
    assert error["data"] == {"errno": "EADDRINUSE"}
    assert "params.addr: 7 is bound already" == error["message"]
    assert services(control) == [("a", 7, "echo")]


def test_control_withdraw_removes_the_only_service_of_a_name(
    start: Start, connect: Connect
) -> None:
    control = connect(start("--service", "a,addr=7"))

    assert control.call("withdraw", name="a") == {"name": "a", "addr": 7}
    assert services(control) == []


def test_control_withdraw_of_one_of_several_needs_its_address(
    start: Start, connect: Connect
) -> None:
    control = connect(start("--service", "a,addr=7,count=2"))

    error = control.request("withdraw", {"name": "a"})["error"]
    assert error["data"] == {"errno": "ENOTUNIQ"}

    assert control.call("withdraw", name="a", addr=8) == {"name": "a", "addr": 8}
    assert services(control) == [("a", 7, "echo")]


@pytest.mark.parametrize("params", [{"name": "b"}, {"name": "a", "addr": 8}])
def test_control_withdraw_of_an_unknown_service_is_refused(
    start: Start, connect: Connect, params: Any
) -> None:
    control = connect(start("--service", "a,addr=7"))

    error = control.request("withdraw", params)["error"]

    assert (error["code"], error["data"]) == (REFUSED, {"errno": "ENOENT"})


def test_control_send_without_a_host_is_refused(start: Start, connect: Connect) -> None:
    control = connect(start())

    error = control.request("send", {"src": 1, "dst": 2, "data": "00"})["error"]

    assert (error["code"], error["data"]) == (REFUSED, {"errno": "ENOTCONN"})


def test_control_stats_without_a_host_are_complete(start: Start, connect: Connect) -> None:
    stats = connect(start()).call("stats")

    queue = {
        "size": 0,
        "enabled": False,
        "broken": False,
        "kicks": 0,
        "calls": 0,
        "popped": 0,
        "returned": 0,
        "held": 0,
        "avail_at_start": 0,
        "avail_pending": 0,
    }
    assert stats == {
        "connected": False,
        "driver_ok": False,
        "status": 0,
        "features": {"offered": 1 << 0 | 1 << 28 | 1 << 29 | 1 << 32, "acked": 0},
        "sessions": 0,
        "queues": [queue, queue],
        "endpoints": [],
        "endpoints_total": 0,
        "messages": {
            "received": 0,
            "delivered": 0,
            "dropped": {},
            "sent": 0,
            "send_failed": 0,
        },
        "violations": {},
        "faults": {},
        "pending_sends": 0,
    }


def test_control_help_lists_every_method_with_its_parameters(
    start: Start, connect: Connect
) -> None:
    answer = connect(start()).call("help")

    methods = {method["name"]: method for method in answer["methods"]}
    assert list(methods) == [
        "announce",
        "withdraw",
        "endpoint_create",
        "endpoint_destroy",
        "send",
        "hold",
        "release",
        "pace",
        "fault_set",
        "fault_clear",
        "faults",
        "check",
        "config",
        "configure",
        "reset",
        "crash",
        "config_change",
        "needs_reset",
        "stats",
        "events",
        "capture_start",
        "capture_stop",
        "remotes",
        "help",
    ]
    addr = next(param for param in methods["announce"]["params"] if param["name"] == "addr")
    assert addr["type"] == "integer" and addr["max"] == 0xFFFFFFFE and not addr["required"]
    order = next(param for param in methods["pace"]["params"] if param["name"] == "order")
    assert order["choices"] == ["in", "reversed", "shuffled"]
    assert methods["stats"]["params"][-1]["name"] == "remote"
    assert methods["help"]["params"] == []
    assert "driver_ok" in answer["events"]


def test_control_services_of_the_command_line_exist(start: Start, connect: Connect) -> None:
    sim = start(
        "--service",
        "dynamic=sink",
        "--service=many=source,addr=0x400,count=3",
        "--service",
        "low,addr=0",
    )

    assert services(connect(sim)) == [
        ("low", 0, "echo"),
        ("many", 1024, "source"),
        ("many", 1025, "source"),
        ("many", 1026, "source"),
        ("dynamic", 1027, "sink"),
    ]


# ---- events ----


def test_control_events_tell_that_a_front_end_came_and_left(start: Start, connect: Connect) -> None:
    sim = start()
    control = connect(sim)
    assert control.call("events") == {"subscribed": True, "seq": 0}

    FrontEnd(sim.socket_path).close()

    first, second = control.read()["params"], control.read()["params"]
    assert (first["type"], first["seq"]) == ("connected", 1)
    assert (second["type"], second["seq"]) == ("disconnected", 2)
    assert second["reason"] == "it closed the connection"
    assert 0 < first["time_ns"] <= second["time_ns"]


def test_control_events_are_limited_to_the_types_asked_for(start: Start, connect: Connect) -> None:
    sim = start()
    control = connect(sim)
    control.call("events", types=["disconnected"])

    FrontEnd(sim.socket_path).close()

    assert control.read()["params"]["type"] == "disconnected"


def test_control_events_end_with_an_empty_list(start: Start, connect: Connect) -> None:
    sim = start()
    control, witness = connect(sim), connect(sim)
    control.call("events")
    witness.call("events")

    assert control.call("events", types=[])["subscribed"] is False
    FrontEnd(sim.socket_path).close()
    witness.event("disconnected")

    control.call("stats")
    assert control.events == []


# ---- clients that behave badly ----


def test_control_subscriber_that_does_not_read_is_disconnected(
    start: Start, connect: Connect
) -> None:
    sim = start("--service", "a,addr=9")
    slow, control = connect(sim), connect(sim)
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.call("events")
    host = Host(FrontEnd(sim.socket_path))
    host.start()
    host.receive_announcement()

    payload = bytes(400)
    while "does not read its" not in sim.log_text():
        for _ in range(200):
            host.send(1024, 9, payload)
            assert host.receive()[2] == payload

    with pytest.raises(EOFError):
        while slow.read():
            pass
    assert control.call("stats")["driver_ok"]
    host.close()


def test_control_client_that_asks_and_never_reads_is_disconnected(
    start: Start, connect: Connect
) -> None:
    sim = start()
    greedy = connect(sim)
    request = b'{"jsonrpc":"2.0","id":1,"method":"help"}\n' * 1000

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            greedy.send_raw(request)

    assert "does not read its" in sim.log_text()
    assert connect(sim).call("stats")


def test_control_client_that_leaves_in_mid_request_does_no_harm(
    start: Start, connect: Connect
) -> None:
    sim = start()
    leaver = Control(sim.control_path)
    leaver.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"stats"}\n' * 200 + b'{"json')
    leaver.close()

    assert connect(sim).call("stats")


def test_control_many_clients_are_served_at_once(start: Start, connect: Connect) -> None:
    sim = start()
    clients = [connect(sim) for _ in range(CLIENTS_MAX)]

    for number, client in enumerate(clients):
        client.call("announce", name=f"service-{number}")

    assert len(services(clients[0])) == CLIENTS_MAX


def test_control_one_client_too_many_waits_for_another_to_leave(
    start: Start, connect: Connect
) -> None:
    sim = start()
    clients = [connect(sim) for _ in range(CLIENTS_MAX)]
    for client in clients:
        client.call("stats")
    late = connect(sim)
    late.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"stats"}\n')
    late.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        late.sock.recv(1, socket.MSG_PEEK)
    late.sock.settimeout(DEADLINE_S)

    clients[0].close()

    assert late.sock.recv(1, socket.MSG_PEEK)


def test_control_without_control_path_there_is_no_socket(
    binary: str, tmp_path: Path
) -> None:
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [binary, "--socket-path", str(tmp_path / "sock"), "--ready-fd", str(write_end)],
        pass_fds=(write_end,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end, "rb") as ready:
        assert ready.read() == b"ready\n"

    files = sorted(path.name for path in tmp_path.iterdir())
    process.terminate()

    assert process.wait(DEADLINE_S) == 0
    assert files == ["sock", "sock.lock"]
