#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Peers that are no remote: one accepts and says nothing, with --close one closes at once."""

from __future__ import annotations

import argparse
import signal
import socket
import sys


def main() -> int:
    """Accept connections until SIGTERM."""
    parser = argparse.ArgumentParser(description="A peer that is no remote.")
    parser.add_argument("socket")
    parser.add_argument("--close", action="store_true", help="close every connection at once")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(options.socket)
    listener.listen(8)
    kept = []
    while True:
        connection, _ = listener.accept()
        if options.close:
            connection.close()
        else:
            kept.append(connection)


if __name__ == "__main__":
    sys.exit(main())
