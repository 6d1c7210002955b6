# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the tests that drive rpmsg-ctl.

The binary is the one that the environment variable RPMSG_CTL names, as ctest sets it, else
build/dev/bin/rpmsg-ctl of this checkout.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ctl_support import Ctl, Done, Handler, Impostor, Spawn, environment
from daemon_frontend import DEADLINE_S

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def ctl() -> str:
    path = os.environ.get("RPMSG_CTL", str(CHECKOUT / "build/dev/bin/rpmsg-ctl"))
    assert os.access(path, os.X_OK), f"{path} is not built: set RPMSG_CTL or build the preset dev"
    return path


@pytest.fixture
def run_ctl(ctl: str) -> Ctl:
    """Run rpmsg-ctl to its end; the first argument is the control socket's path, or None."""

    def run_it(control_path: object, *args: str, **kwargs: Any) -> Done:
        done = subprocess.run(
            [ctl, *args],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env=environment(control_path),
            stdin=subprocess.DEVNULL,
            **kwargs,
        )
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        return done

    return run_it


@pytest.fixture
def spawn_ctl(ctl: str) -> Iterator[Spawn]:
    """Start rpmsg-ctl and leave it running; killed at the end of the test if it still is."""
    running: list[subprocess.Popen[str]] = []

    def spawn_it(control_path: object, *args: str, **kwargs: Any) -> subprocess.Popen[str]:
        kwargs = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL} | kwargs
        process = subprocess.Popen(
            [ctl, *args],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(control_path),
            **kwargs,
        )
        running.append(process)
        return process

    yield spawn_it
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Impostor]:
    """A control socket that answers as a test likes."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, handler: Handler) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                answer = handler(json.loads(line))
                if answer is None:
                    return
                connection.sendall(answer)

    def start(handler: Handler) -> Path:
        path = tmp_path / "impostor"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        listeners.append(listener)
        threads.append(threading.Thread(target=serve, args=(listener, handler), daemon=True))
        threads[-1].start()
        return path

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(DEADLINE_S)
