# SPDX-License-Identifier: BSD-2-Clause
"""The client of the guest agent, against a peer made for the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import Handler, Peer

from rpmsg_conformance.agent import AgentClient, AgentProtocolError
from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet

HELLO = {"hello": "rpmsg-agent", "version": 1, "kernel": "6.12", "pid": 1, "time_ns": 1}

Connect = Callable[..., AgentClient]


def ok(request: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": request["id"], "ok": True, "t0": 1_000_000_000, "t1": 3_500_000_000, **fields}


def failed(request: dict[str, Any], errno: str, errnum: int) -> dict[str, Any]:
    values = {"errno": errno, "errnum": errnum, "error": "a call", "t0": 0, "t1": 0}
    return {"id": request["id"], "ok": False, **values}


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """connect(handler, greeting): a client whose peer answers as the handler says."""
    clients: list[AgentClient] = []

    def make(handler: Handler, greeting: list[Any] | None = None) -> AgentClient:
        peer = Peer(handler, [HELLO] if greeting is None else greeting)
        client = AgentClient(peer.over_pair(), tmp_path / "agent.log", timeout_factor=0.05)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def test_agent_hello_is_returned(connect: Connect) -> None:
    hello = connect(lambda request: []).wait_hello(1)
    assert hello is not None and hello["kernel"] == "6.12"


def test_agent_that_does_not_report_gives_none(connect: Connect) -> None:
    assert connect(lambda request: [], greeting=[]).wait_hello(1) is None


def test_agent_of_another_version_is_refused(connect: Connect) -> None:
    client = connect(lambda request: [], greeting=[{**HELLO, "version": 2}])
    with pytest.raises(AgentProtocolError, match="version 2"):
        client.wait_hello(1)


def test_agent_success_has_fields_and_duration(connect: Connect) -> None:
    reply = connect(lambda request: [ok(request, ret=5)]).try_call("write", fd=3, data="00")
    assert (reply.ok, reply["ret"], reply.errno, reply.seconds) == (True, 5, None, 2.5)


def test_agent_call_that_fails_is_unmet(connect: Connect) -> None:
    client = connect(lambda request: [failed(request, "ENODEV", 19)])
    with pytest.raises(Unmet) as caught:
        client.call("open", path="/dev/x", flags=[])
    assert caught.value.expected == "open succeeds"
    assert "errno ENODEV" in caught.value.observed


def test_agent_expected_errno_is_accepted(connect: Connect) -> None:
    client = connect(lambda request: [failed(request, "EAGAIN", 11)])
    client.try_call("read", fd=1, len=1).expect_errno("EAGAIN", "EBUSY")


def test_agent_other_errno_is_unmet(connect: Connect) -> None:
    client = connect(lambda request: [failed(request, "512", 512)])
    with pytest.raises(Unmet, match="fails with EAGAIN.*errno 512"):
        client.try_call("write", fd=1, data="").expect_errno("EAGAIN")


def test_agent_success_instead_of_an_errno_is_unmet(connect: Connect) -> None:
    client = connect(lambda request: [ok(request, ret=497)])
    with pytest.raises(Unmet, match="fails with EMSGSIZE; observed write succeeded"):
        client.write(3, b"x").expect_errno("EMSGSIZE")


def test_agent_pending_command_is_answered_later(connect: Connect) -> None:
    waiting: list[dict[str, Any]] = []

    def handler(request: dict[str, Any]) -> list[Any]:
        if request.get("worker"):
            waiting.append(request)
            return []
        return [ok(request), *(ok(held, ret=7) for held in waiting)]

    client = connect(handler)
    pending = client.submit("write", worker=1, fd=3, data="00")
    assert pending.poll() is None
    client.call("ping")
    assert pending.wait()["ret"] == 7


def test_agent_that_does_not_answer_is_wedged(connect: Connect) -> None:
    client = connect(lambda request: [])
    with pytest.raises(GuestWedged, match="ping: the guest agent did not answer within 0.75 s"):
        client.call("ping")
    with pytest.raises(GuestWedged, match="within 0.05 s"):
        client.call("ping")


def test_agent_that_goes_away_has_died(connect: Connect) -> None:
    client = connect(lambda request: None)
    with pytest.raises(GuestDied, match="ping: .*closed the connection"):
        client.call("ping")
    with pytest.raises(GuestDied):
        client.call("ping")


def test_agent_rubbish_ends_the_connection(connect: Connect) -> None:
    client = connect(lambda request: [b"Kernel panic\n"])
    with pytest.raises(GuestDied, match="broke the protocol: not JSON: b'Kernel panic'"):
        client.call("ping")


def test_agent_reply_without_a_field_is_our_own_fault(connect: Connect) -> None:
    reply = connect(lambda request: [ok(request)]).call("open", path="x", flags=[])
    with pytest.raises(AgentProtocolError, match="open: the reply has no 'fd'"):
        reply["fd"]


def test_agent_kernel_log_is_text_lines(connect: Connect) -> None:
    line = {"seq": 7, "time_us": 1500000, "level": 4, "text": "a warning"}
    client = connect(lambda request: [ok(request, lines=[line], mark=8)])
    assert client.dmesg(7) == (["[    1.500000] <4> a warning"], 8)


def test_agent_transcript_has_both_directions(connect: Connect, tmp_path: Path) -> None:
    connect(lambda request: [ok(request)]).call("ping")
    kept = [line.split(" ", 2) for line in (tmp_path / "agent.log").read_text().splitlines()]
    text = (tmp_path / "agent.log").read_text()
    assert len(kept) == 3
    assert '> {"id": 1, "cmd": "ping"}' in text
    assert '< {"id": 1, "ok": true' in text
