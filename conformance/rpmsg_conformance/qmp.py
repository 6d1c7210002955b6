# SPDX-License-Identifier: BSD-2-Clause
"""Client of QEMU's machine protocol (QMP)."""

from __future__ import annotations

import socket
from typing import Any

from rpmsg_conformance.jsonlines import JsonLineConnection

#: Seconds QEMU may take for an answer. Nothing asked here waits for the guest.
REPLY_SECONDS = 20.0


class QmpError(Exception):
    """QEMU refused a command, did not answer, or the connection is gone."""


class QmpClient:
    """One QMP connection over a connected socket; the events are kept."""

    def __init__(self, sock: socket.socket, timeout_factor: float = 1.0) -> None:
        self._factor = timeout_factor
        self._greeting: dict[str, Any] | None = None
        self._replies: dict[int, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._next_id = 1
        self._connection = JsonLineConnection(sock, "QMP", self._receive)

    def handshake(self) -> str:
        """Wait for the greeting and leave the negotiation mode; returns QEMU's version."""
        greeting = self._connection.wait_for(lambda: self._greeting, REPLY_SECONDS * self._factor)
        if greeting is None:
            raise QmpError("QEMU sent no greeting")
        self.execute("qmp_capabilities")
        version = greeting["QMP"]["version"]["qemu"]
        return f"{version['major']}.{version['minor']}.{version['micro']}"

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a command and return its result; one that is no object comes as {"value": ...}.

        Raises QmpError, and ConnectionLost when QEMU is gone.
        """
        request_id = self._next_id
        self._next_id += 1
        self._connection.send(
            {"execute": command, "arguments": arguments or {}, "id": request_id}
        )
        reply = self._connection.wait_for(
            lambda: self._replies.pop(request_id, None), REPLY_SECONDS * self._factor
        )
        if reply is None:
            raise QmpError(f"{command}: QEMU did not answer")
        if "error" in reply:
            raise QmpError(f"{command}: {reply['error'].get('desc', reply['error'])}")
        result = reply.get("return")
        return result if isinstance(result, dict) else {"value": result}

    def mark(self) -> int:
        """A position in the events, for wait_event()."""
        with self._connection.changed:
            return len(self._events)

    def wait_event(
        self, name: str, timeout: float, since: int = 0, **data: Any
    ) -> dict[str, Any] | None:
        """The first event after ``since`` of this name whose data has these values.

        Returns None when ``timeout`` seconds, scaled, have passed.
        """

        def find() -> dict[str, Any] | None:
            for event in self._events[since:]:
                event_data = event.get("data", {})
                if event["event"] == name and all(
                    event_data.get(key) == value for key, value in data.items()
                ):
                    return event
            return None

        return self._connection.wait_for(find, timeout * self._factor)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _receive(self, message: dict[str, Any]) -> None:
        if "QMP" in message:
            self._greeting = message
        elif "event" in message:
            self._events.append(message)
        elif isinstance(message.get("id"), int):
            self._replies[message["id"]] = message
        else:
            raise ValueError(f"neither greeting, event nor reply: {str(message)[:120]}")
