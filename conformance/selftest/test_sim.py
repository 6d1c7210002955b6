# SPDX-License-Identifier: BSD-2-Clause
"""The client of the control socket, against a peer made for the test and against rpmsg-sim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import Handler, Peer

from rpmsg_conformance.expect import Unmet
from rpmsg_conformance.sim import (
    RpcError,
    Simulator,
    SimulatorClient,
    SimulatorError,
    decode_header,
)


def result(request: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "result": fields}


def event(seq: int, type: str, **fields: Any) -> dict[str, Any]:
    params = {"seq": seq, "time_ns": seq * 10, "type": type, **fields}
    return {"jsonrpc": "2.0", "method": "event", "params": params}


@pytest.fixture
def connect(socket_folder: Path) -> Iterator[Callable[[Handler], SimulatorClient]]:
    """connect(handler): a client whose peer answers as the handler says."""
    clients: list[SimulatorClient] = []

    def make(handler: Handler) -> SimulatorClient:
        path = socket_folder / f"control{len(clients)}.sock"
        Peer(handler).listen(path)
        client = SimulatorClient(path, timeout_factor=0.05)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


Connect = Callable[[Handler], SimulatorClient]


def test_sim_client_returns_the_result(connect: Connect) -> None:
    client = connect(lambda request: [result(request, method=request["method"])])
    assert client.call("stats") == {"method": "stats"}


def test_sim_client_takes_the_reply_with_its_own_id(connect: Connect) -> None:
    client = connect(
        lambda request: [{"jsonrpc": "2.0", "id": 999, "result": {"n": 1}}, result(request, n=2)]
    )
    assert client.call("stats") == {"n": 2}


def test_sim_client_raises_a_refusal(connect: Connect) -> None:
    error = {"code": -32602, "message": "queue: 7 is not 0 or 1"}
    client = connect(lambda request: [{"jsonrpc": "2.0", "id": request["id"], "error": error}])
    with pytest.raises(RpcError, match=r"hold: queue: 7 is not 0 or 1 \(-32602\)") as caught:
        client.hold(7)
    assert caught.value.code == -32602


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        (lambda request: [], "no reply within"),
        (lambda request: None, "closed the connection"),
        (lambda request: [b"rubbish\n"], "not JSON"),
        (lambda request: [b"[1]\n"], "not a JSON object"),
        (lambda request: [{"id": request["id"]}], "neither result nor error"),
        (lambda request: [{"hello": 1}], "neither an event nor a reply"),
    ],
)
def test_sim_client_broken_peer_is_our_own_fault(
    handler: Handler, complaint: str, connect: Connect
) -> None:
    with pytest.raises(SimulatorError, match=complaint):
        connect(handler).call("stats")


def test_sim_client_missing_socket_is_named(socket_folder: Path) -> None:
    with pytest.raises(SimulatorError, match="nothing.sock: No such file"):
        SimulatorClient(socket_folder / "nothing.sock")


def test_sim_client_keeps_events_that_come_before_the_reply(connect: Connect) -> None:
    client = connect(
        lambda request: [event(1, "kick", queue=0), event(2, "kick", queue=1), result(request)]
    )
    client.call("stats")
    found = client.wait_event("kick", queue=1)
    assert (found.seq, found.time_ns, found["queue"]) == (2, 20, 1)


def test_sim_client_waits_for_an_event_that_comes_later(connect: Connect) -> None:
    client = connect(
        lambda request: [result(request), event(1, "reset"), event(2, "kick", queue=1)]
    )
    client.call("stats")
    assert client.wait_event("kick").seq == 2


def test_sim_client_finds_no_event_before_the_mark(connect: Connect) -> None:
    client = connect(lambda request: [event(request["id"], "reset"), result(request)])
    mark = client.mark()
    client.call("stats")
    assert client.wait_event("reset", since=mark).seq == 2


def test_sim_client_events_are_complete_when_asked_for(connect: Connect) -> None:
    numbers = iter(range(1, 10))
    client = connect(lambda request: [event(next(numbers), "reset"), result(request)])
    assert [e.seq for e in client.events("reset")] == [1]
    assert [e.seq for e in client.events()] == [1, 2]


def test_sim_client_event_that_does_not_come_is_unmet(connect: Connect) -> None:
    client = connect(lambda request: [event(1, "kick", queue=0), result(request)])
    client.call("stats")
    with pytest.raises(Unmet) as caught:
        client.wait_event("message", expected="a message of the host", timeout=1)
    assert caught.value.expected == "a message of the host"
    assert caught.value.observed.startswith("0 within 0.05 s; last events: kick")


def test_sim_client_wait_ends_when_the_peer_goes(connect: Connect) -> None:
    client = connect(lambda request: [result(request)] if request["method"] == "a" else None)
    client.call("a")
    with pytest.raises(SimulatorError):
        client.call("b")
    with pytest.raises(SimulatorError, match="closed the connection"):
        client.wait_event("kick", timeout=1000)


def test_sim_client_missing_field_of_an_event_is_our_own_fault(connect: Connect) -> None:
    client = connect(lambda request: [event(1, "kick"), result(request)])
    with pytest.raises(SimulatorError, match="event kick has no field 'queue'"):
        client.events("kick")[0]["queue"]


def test_sim_client_writes_events_as_json_lines(connect: Connect, tmp_path: Path) -> None:
    client = connect(lambda request: [event(1, "kick", queue=0), result(request)])
    client.call("stats")
    client.write_events(tmp_path / "events.jsonl")
    text = (tmp_path / "events.jsonl").read_text()
    assert text == '{"seq": 1, "time_ns": 10, "type": "kick", "queue": 0}\n'


def test_sim_header_is_decoded_as_little_endian() -> None:
    header = bytes.fromhex("04030201 0d0c0b0a 01000000 e501 0200")
    assert decode_header(header) == {
        "src": 0x01020304,
        "dst": 0x0A0B0C0D,
        "reserved": 1,
        "len": 0x01E5,
        "flags": 2,
    }


# --- starting a program -----------------------------------------------------------------------


def write_program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("echo a reason >&2; exit 3", "exited with status 3; a reason"),
        ('while [ "$1" != --ready-fd ]; do shift; done; eval "echo no >&$2"', "wrote b'no"),
    ],
)
def test_sim_program_that_does_not_get_ready_is_explained(
    body: str, complaint: str, tmp_path: Path, socket_folder: Path
) -> None:
    program = write_program(tmp_path / "fake-sim", body)
    with pytest.raises(SimulatorError, match=complaint):
        Simulator(program, socket_folder, tmp_path / "sim.log")


def test_sim_program_that_says_nothing_is_given_up(tmp_path: Path, socket_folder: Path) -> None:
    program = write_program(tmp_path / "fake-sim", "exec sleep 1000")
    with pytest.raises(SimulatorError, match="did not get ready within 0.2 s"):
        Simulator(program, socket_folder, tmp_path / "sim.log", timeout_factor=0.02)


def test_sim_program_that_does_not_exist_is_named(tmp_path: Path, socket_folder: Path) -> None:
    with pytest.raises(SimulatorError, match="cannot start /does/not/exist"):
        Simulator(Path("/does/not/exist"), socket_folder, tmp_path / "sim.log")


# --- the real one -----------------------------------------------------------------------------


@pytest.fixture
def simulator(simulator_path: Path, socket_folder: Path, tmp_path: Path) -> Iterator[Simulator]:
    started = Simulator(
        simulator_path, socket_folder, tmp_path / "sim.log", services=["a-service,addr=1030"]
    )
    yield started
    started.stop()


def test_sim_real_one_reports_its_state(simulator: Simulator) -> None:
    stats = simulator.control.stats()
    assert stats["connected"] is False
    assert [(e["addr"], e["name"]) for e in stats["endpoints"]] == [(1030, "a-service")]
    assert len(stats["queues"]) == 2
    for queue in stats["queues"]:
        assert {"popped", "returned", "avail_pending", "held"} <= set(queue)


def test_sim_real_one_announces_and_withdraws(simulator: Simulator) -> None:
    control = simulator.control
    assert control.announce("rpmsg-raw", "sink", 2000)["addr"] == 2000
    assert [e["name"] for e in control.stats()["endpoints"]] == ["a-service", "rpmsg-raw"]
    control.withdraw("rpmsg-raw", 2000)
    assert [e["name"] for e in control.stats()["endpoints"]] == ["a-service"]


def test_sim_real_one_refuses_what_it_does_not_know(simulator: Simulator) -> None:
    with pytest.raises(RpcError) as caught:
        simulator.control.call("no-such-method")
    assert caught.value.code == -32601
    with pytest.raises(RpcError) as caught:
        simulator.control.hold(7)
    assert caught.value.code == -32602


def test_sim_real_one_leaves_no_socket(
    simulator_path: Path, socket_folder: Path, tmp_path: Path
) -> None:
    started = Simulator(simulator_path, socket_folder, tmp_path / "sim.log")
    assert started.socket_path.exists()
    started.stop()
    assert not started.running
    assert list(socket_folder.iterdir()) == []
