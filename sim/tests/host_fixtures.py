# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the tests that drive the built rpmsg-host, a plugin of pytest.

The binary is the one that the environment variable RPMSG_HOST names, as ctest sets it, else
build/dev/bin/rpmsg-host of this checkout.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_backend import HostRun, HostStart

DEADLINE_S = 60.0
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def host_binary() -> str:
    path = os.environ.get("RPMSG_HOST", str(CHECKOUT / "build/dev/bin/rpmsg-host"))
    assert os.access(path, os.X_OK), f"{path} is not built: set RPMSG_HOST or build the preset dev"
    return path


def judge(stderr: str) -> None:
    assert "Sanitizer" not in stderr and "runtime error" not in stderr, stderr


@pytest.fixture
def host_raw(host_binary: str) -> HostRun:
    """Run rpmsg-host to its end with some arguments and nothing else."""

    def run(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [host_binary, *args],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env={**os.environ, **(env or {})},
        )
        judge(result.stderr)
        return result

    return run


@pytest.fixture
def host(host_raw: HostRun) -> HostRun:
    """Run rpmsg-host to its end against a socket."""

    def run(path: Path, *args: str) -> subprocess.CompletedProcess[str]:
        return host_raw("--socket-path", str(path), *args)

    return run


@pytest.fixture
def launch_dir() -> Iterator[Path]:
    """Where --launch makes its directory: a path short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="h") as path:
        yield Path(path)


@pytest.fixture
def host_launch(host_raw: HostRun, launch_dir: Path) -> HostRun:
    """Run rpmsg-host to its end with --launch."""

    def run(command: str, *args: str) -> subprocess.CompletedProcess[str]:
        return host_raw("--launch", command, *args, env={"TMPDIR": str(launch_dir)})

    return run


@pytest.fixture
def host_start(host_binary: str) -> Iterator[HostStart]:
    """Start rpmsg-host against a socket; killed at the end of the test if it still runs."""
    running: list[subprocess.Popen[str]] = []

    def start(path: Path, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [host_binary, "--socket-path", str(path), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        with process:
            if process.stderr and not process.stderr.closed:
                judge(process.stderr.read())
