# SPDX-License-Identifier: BSD-2-Clause
"""The QMP client, against a peer made for the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from peers import Handler, Peer

from rpmsg_conformance.jsonlines import ConnectionLost
from rpmsg_conformance.qmp import QmpClient, QmpError

VERSION = {"major": 11, "minor": 1, "micro": 2}
GREETING = {"QMP": {"version": {"qemu": VERSION, "package": ""}, "capabilities": []}}

Connect = Callable[..., QmpClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """connect(handler, greeting): a client whose peer answers as the handler says."""
    clients: list[QmpClient] = []

    def make(handler: Handler, greeting: list[Any] | None = None) -> QmpClient:
        peer = Peer(handler, [GREETING] if greeting is None else greeting)
        clients.append(QmpClient(peer.over_pair(), timeout_factor=0.02))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def done(request: dict[str, Any], value: Any = None) -> dict[str, Any]:
    return {"return": {} if value is None else value, "id": request["id"]}


def test_qmp_handshake_returns_the_version(connect: Connect) -> None:
    seen: list[str] = []

    def handler(request: dict[str, Any]) -> list[Any]:
        seen.append(request["execute"])
        return [done(request)]

    assert connect(handler).handshake() == "11.1.2"
    assert seen == ["qmp_capabilities"]


def test_qmp_without_a_greeting_is_an_error(connect: Connect) -> None:
    with pytest.raises(QmpError, match="no greeting"):
        connect(lambda request: [], greeting=[]).handshake()


def test_qmp_passes_arguments_and_returns_the_result(connect: Connect) -> None:
    client = connect(lambda request: [done(request, request["arguments"])])
    assert client.execute("device_add", {"virtio-id": 7}) == {"virtio-id": 7}


def test_qmp_refusal_is_raised(connect: Connect) -> None:
    refusal = {"class": "GenericError", "desc": "Bus 'pcie.0' does not support hotplugging"}
    client = connect(lambda request: [{"error": refusal, "id": request["id"]}])
    with pytest.raises(QmpError, match="device_add: Bus 'pcie.0'"):
        client.execute("device_add")


def test_qmp_without_an_answer_is_an_error(connect: Connect) -> None:
    with pytest.raises(QmpError, match="stop: QEMU did not answer"):
        connect(lambda request: []).execute("stop")


def test_qmp_end_of_qemu_is_noticed(connect: Connect) -> None:
    with pytest.raises(ConnectionLost, match="closed the connection"):
        connect(lambda request: None).execute("quit")


def test_qmp_event_is_found_by_its_data(connect: Connect) -> None:
    def handler(request: dict[str, Any]) -> list[Any]:
        events = [
            {"event": "DEVICE_DELETED", "data": {"path": "/machine/x"}, "timestamp": {}},
            {"event": "DEVICE_DELETED", "data": {"device": "rpmsg1"}, "timestamp": {}},
        ]
        return [*events, done(request)]

    client = connect(handler)
    client.execute("device_del")
    found = client.wait_event("DEVICE_DELETED", 1, device="rpmsg1")
    assert found is not None and found["data"] == {"device": "rpmsg1"}
    assert client.wait_event("DEVICE_DELETED", 1, device="rpmsg2") is None
    assert client.wait_event("DEVICE_DELETED", 1, client.mark(), device="rpmsg1") is None
