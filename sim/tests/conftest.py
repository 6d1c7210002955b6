# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the tests that drive the built rpmsg-sim.

The binary is the one that the environment variable RPMSG_SIM names, as ctest sets it, else
build/dev/bin/rpmsg-sim of this checkout.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import DEADLINE_S, Connect, Control, Run, Sim, Start

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def binary() -> str:
    path = os.environ.get("RPMSG_SIM", str(CHECKOUT / "build/dev/bin/rpmsg-sim"))
    assert os.access(path, os.X_OK), f"{path} is not built: set RPMSG_SIM or build the preset dev"
    return path


@pytest.fixture
def run(binary: str) -> Run:
    """Run rpmsg-sim to its end with some arguments."""

    def run_it(*args: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [binary, *args], capture_output=True, text=True, timeout=DEADLINE_S, **kwargs
        )

    return run_it


def wait_ready(fd: int, process: subprocess.Popen[bytes], log: Path) -> None:
    with os.fdopen(fd, "rb") as ready:
        said = ready.read()
    assert said == b"ready\n", f"not ready, exit {process.poll()}: {log.read_text()}"


@pytest.fixture
def start(binary: str, tmp_path: Path) -> Iterator[Start]:
    """Start rpmsg-sim and wait until it is ready.

    Adds --socket-path unless the arguments hold --fd, and --control-path. At the end of the
    test every process that still runs is ended by SIGTERM and has to leave cleanly: status 0,
    no socket file left, no sanitizer report in its log.
    """
    running: list[Sim] = []

    def start_it(*args: str, pass_fds: tuple[int, ...] = (), name: str = "sim") -> Sim:
        sim_paths = [tmp_path / f"{name}.{kind}" for kind in ("sock", "ctl", "log")]
        command = [binary, "--control-path", str(sim_paths[1])]
        if "--fd" not in args:
            command += ["--socket-path", str(sim_paths[0])]
        read_end, write_end = os.pipe()
        with open(sim_paths[2], "wb") as log:
            process = subprocess.Popen(
                [*command, "--ready-fd", str(write_end), *args],
                pass_fds=(write_end, *pass_fds),
                stderr=log,
            )
        os.close(write_end)
        sim = Sim(process, *sim_paths)
        running.append(sim)
        wait_ready(read_end, process, sim.log)
        return sim

    yield start_it
    for sim in running:
        status = sim.process.poll()
        if status is None:
            status = sim.stop()
        assert status == 0, sim.log_text()
        assert "Sanitizer" not in sim.log_text() and "runtime error" not in sim.log_text()
        assert not sim.control_path.exists()
        assert not list(sim.log.parent.glob(f"{sim.log.stem}*.lock"))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect a client to the control socket; closed at the end of the test."""
    clients: list[Control] = []

    def connect_it(sim: Sim) -> Control:
        clients.append(Control(sim.control_path))
        return clients[-1]

    yield connect_it
    for client in clients:
        client.close()
