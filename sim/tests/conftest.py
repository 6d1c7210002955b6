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

from daemon_frontend import (
    DEADLINE_S,
    F_NS,
    F_VERSION_1,
    Attach,
    Connect,
    Control,
    FrontEnd,
    Host,
    Run,
    Sim,
    Start,
)

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


@pytest.fixture
def instrumented(run: Run) -> bool:
    """Is this build one with a sanitizer or coverage, slow and with system calls of its own?"""
    return "which is instrumented" in " ".join(run("--help").stdout.split())


def wait_ready(fd: int, process: subprocess.Popen[bytes], log: Path) -> None:
    with os.fdopen(fd, "rb") as ready:
        said = ready.read()
    assert said == b"ready\n", f"not ready, exit {process.poll()}: {log.read_text()}"


@pytest.fixture
def start(binary: str, tmp_path: Path) -> Iterator[Start]:
    """Start rpmsg-sim and wait until it is ready.

    Adds --socket-path unless the arguments hold --fd or --remote, and --control-path. At the end of the
    test every process that still runs is ended by SIGTERM and has to leave cleanly: with
    expected_status, no socket file left, no sanitizer report in its log.
    """
    running: list[Sim] = []

    def start_it(*args: str, pass_fds: tuple[int, ...] = (), name: str = "sim") -> Sim:
        path, control_path, log_path = (tmp_path / f"{name}.{k}" for k in ("sock", "ctl", "log"))
        command = [binary, "--control-path", str(control_path)]
        if not {"--fd", "--remote"} & set(args):
            command += ["--socket-path", str(path)]
        read_end, write_end = os.pipe()
        with open(log_path, "wb") as log:
            process = subprocess.Popen(
                [*command, "--ready-fd", str(write_end), *args],
                pass_fds=(write_end, *pass_fds),
                stderr=log,
            )
        os.close(write_end)
        sim = Sim(process, path, control_path, log_path)
        running.append(sim)
        wait_ready(read_end, process, sim.log)
        return sim

    yield start_it
    for sim in running:
        status = sim.process.poll()
        if status is None:
            try:
                status = sim.stop()
            finally:
                sim.process.kill()  # nothing is left running, whatever the test found
        assert status == sim.expected_status, sim.log_text()
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


@pytest.fixture
def attach() -> Iterator[Attach]:
    """A host whose driver is ready; closed at the end of the test."""
    hosts: list[Host] = []

    def attach_it(
        sim: Sim, features: int = F_NS | F_VERSION_1, size: int = 8, kicks: bool = True
    ) -> Host:
        hosts.append(Host(FrontEnd(sim.socket_path), size))
        hosts[-1].start(features, kicks)
        return hosts[-1]

    yield attach_it
    for host in hosts:
        host.close()
