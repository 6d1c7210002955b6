# SPDX-License-Identifier: BSD-2-Clause
"""Small peers, made for a test: the other end of a connection with one JSON object a line."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Given a request, returns the lines to answer with; None closes the connection.
Handler = Callable[[dict[str, Any]], list[Any] | None]


class Peer:
    """Serves one connection in a thread. A line that is not bytes is sent as JSON."""

    def __init__(self, handler: Handler, greeting: list[Any] | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self._handler = handler
        self._greeting = greeting or []
        self._thread: threading.Thread | None = None

    def over_pair(self) -> socket.socket:
        """Serve one end of a socket pair; returns the other."""
        ours, theirs = socket.socketpair()
        self._start(lambda: ours)
        return theirs

    def listen(self, path: Path) -> None:
        """Serve the first connection to a socket at ``path``."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen()

        def accept() -> socket.socket:
            with listener:
                return listener.accept()[0]

        self._start(accept)

    def join(self) -> None:
        """Wait for the thread's end."""
        assert self._thread is not None
        self._thread.join(10)

    def _start(self, connect: Callable[[], socket.socket]) -> None:
        def serve() -> None:
            with connect() as sock, sock.makefile("r", encoding="utf-8") as lines:
                self._send(sock, self._greeting)
                for line in lines:
                    request = json.loads(line)
                    self.requests.append(request)
                    answer = self._handler(request)
                    if answer is None:
                        return
                    self._send(sock, answer)

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()

    @staticmethod
    def _send(sock: socket.socket, answers: list[Any]) -> None:
        for answer in answers:
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n"
            try:
                sock.sendall(data)
            except OSError:
                return
