# SPDX-License-Identifier: BSD-2-Clause
"""A board for the tests: Linux in a guest, whose firmware the suite knows nothing of.

    board_standin.py --sim PROGRAM [--service SERVICE]... [--guest NAME]

Starts rpmsg-sim and a guest with a device of it, and passes standard input and output on to
the agent in it, as ``ssh board ./rpmsg-agent`` would. Ends, and everything with it, with its input.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

#: Seconds within which a program has to listen.
LISTEN_SECONDS = 60.0


def connect(path: Path, child: subprocess.Popen[bytes]) -> socket.socket:
    """Connect as soon as somebody listens."""
    deadline = time.monotonic() + LISTEN_SECONDS
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(path))
            return sock
        except OSError:
            sock.close()
        if child.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"board: {path.name}: nobody listens")
        time.sleep(0.02)


def load_modules(agent: socket.socket, bundle: Path) -> bytes:
    """Load what the guest's kernel has as modules, as a board has at its boot; returns the hello."""
    stream = agent.makefile("rw", encoding="utf-8")
    hello = stream.readline()
    described = json.loads((bundle / "guest.json").read_text(encoding="utf-8"))
    for path in [*described["modules"], *described.get("optional_modules", [])]:
        stream.write(json.dumps({"id": 0, "cmd": "insmod", "path": path}) + "\n")
        stream.flush()
        stream.readline()
    return hello.encode()


def relay(agent: socket.socket) -> None:
    """Pass both directions on until one of them ends."""
    while True:
        ready = select.select([0, agent], [], [])[0]
        if 0 in ready:
            data = os.read(0, 1 << 16)
            if not data:
                return
            agent.sendall(data)
        if agent in ready:
            data = agent.recv(1 << 16)
            if not data:
                return
            while data:
                data = data[os.write(1, data) :]


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sim", required=True)
    parser.add_argument("--service", action="append")
    parser.add_argument("--guest", default="linux-6.12")
    options = parser.parse_args()
    children: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="board-") as name:
        folder = Path(name)
        try:
            ready, told = os.pipe()
            command = [options.sim, "--socket-path", str(folder / "sim"), "--ready-fd", str(told)]
            for service in options.service or ["rpmsg-raw=echo"]:
                command += ["--service", service]
            children.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[told])
            )
            os.close(told)
            if os.read(ready, 16) != b"ready\n":
                sys.exit("board: rpmsg-sim did not start")
            run = [str(ROOT / "scripts/guest-run"), "--agent-socket", str(folder / "agent")]
            run += ["--socket", str(folder / "sim"), "--print", options.guest]
            printed = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True).stdout
            qemu = shlex.split(printed)
            bundle = Path(qemu[qemu.index("-kernel") + 1]).parent
            with (folder / "console").open("wb") as console:
                children.append(
                    subprocess.Popen(qemu, stdin=subprocess.DEVNULL, stdout=console, stderr=2)
                )
            with connect(folder / "agent", children[-1]) as agent:
                os.write(1, load_modules(agent, bundle))
                relay(agent)
        finally:
            for child in reversed(children):
                child.kill()
                child.wait()


main()
