# SPDX-License-Identifier: BSD-2-Clause
"""Peers that are no remotes, as programs: ``remote_peer.py SOCKET MODE``.

null: accepts, and says nothing; close: accepts, and closes; mute: closes after the first request;
exit: ends before it listens; leave: ends when somebody connects; babble: answers with random bytes.
"""

from __future__ import annotations

import socket
import sys


def main(path: str, mode: str) -> int:
    """Serve until killed; returns the exit status."""
    if mode == "exit":
        print("no licence for this board", file=sys.stderr)
        return 3
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(8)
    kept = []
    while True:
        connection, _ = listener.accept()
        if mode == "null":
            kept.append(connection)
        elif mode == "leave":
            return 7
        elif mode == "mute":
            connection.recv(12)
            connection.close()
        elif mode == "babble":
            connection.sendall(bytes(range(256)))
            kept.append(connection)
        else:
            connection.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
