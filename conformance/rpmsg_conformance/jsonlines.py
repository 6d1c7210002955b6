# SPDX-License-Identifier: BSD-2-Clause
"""A connection that carries one JSON object a line, read by a thread of its own.

The control socket of rpmsg-sim, QMP and the guest agent all speak this way. The reader thread hands
every object to the owner at once, so that a case that is busy elsewhere is never a slow reader;
waiting is always for a condition, with a deadline, never for a fixed time.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: Longest line accepted. The longest legitimate one is a kernel log (the agent's ``dmesg``).
LINE_LIMIT = 16 * 1024 * 1024


class ConnectionLost(Exception):
    """The peer closed the connection, or sent what is not a JSON object a line."""


class JsonLineConnection:
    """One connected stream socket and the thread that reads it.

    ``on_message`` runs in the reader thread with ``changed`` held; the owner keeps its state under
    that condition and waits with wait_for().
    """

    def __init__(
        self, sock: socket.socket, name: str, on_message: Callable[[dict[str, Any]], None]
    ) -> None:
        self.name = name
        self.changed = threading.Condition()
        self._sock = sock
        self._on_message = on_message
        self._lost: str | None = None
        self._send_lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name=f"{name} reader", daemon=True)
        self._reader.start()

    @property
    def lost(self) -> str | None:
        """Why the connection is over, or None while it is up."""
        with self.changed:
            return self._lost

    def send(self, message: dict[str, Any]) -> None:
        """Send one object. Raises ConnectionLost."""
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._send_lock:
                self._sock.sendall(data)
        except OSError as error:
            raise ConnectionLost(f"{self.name}: {self.lost or error.strerror}") from error

    def wait_for(self, condition: Callable[[], T | None], timeout: float) -> T | None:
        """Wait until ``condition`` returns something other than None, and return it.

        ``condition`` is called with ``changed`` held, after each message. Returns None when
        ``timeout`` seconds have passed. Raises ConnectionLost when the connection ends first.
        """
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                result = condition()
                if result is not None:
                    return result
                if self._lost is not None:
                    raise ConnectionLost(f"{self.name}: {self._lost}")
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return None
                self.changed.wait(remaining)

    def close(self) -> None:
        """Close the socket and end the reader thread."""
        with self.changed:
            if self._lost is None:
                self._lost = "closed by this side"
            self.changed.notify_all()
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(timeout=5)
        self._sock.close()

    def _read(self) -> None:
        reason = "the peer closed the connection"
        pending = bytearray()
        try:
            while data := self._sock.recv(65536):
                pending += data
                *lines, rest = pending.split(b"\n")
                for line in lines:
                    if line.strip():
                        self._dispatch(bytes(line))
                pending = rest
                if len(pending) > LINE_LIMIT:
                    raise ValueError(f"a line is longer than {LINE_LIMIT} bytes")
        except OSError as error:
            reason = f"the connection broke: {error.strerror}"
        except ValueError as error:
            reason = f"the peer broke the protocol: {error}"
        with self.changed:
            if self._lost is None:
                self._lost = reason
            self.changed.notify_all()

    def _dispatch(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            raise ValueError(f"not JSON: {line[:120]!r}") from None
        if not isinstance(message, dict):
            raise ValueError(f"not a JSON object: {line[:120]!r}")
        with self.changed:
            self._on_message(message)
            self.changed.notify_all()
