# SPDX-License-Identifier: BSD-2-Clause
"""A rpmsg-sim that plays a scenario, and hosts for it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from daemon_frontend import DEADLINE_S, F_NS, F_VERSION_1, FrontEnd, Host, Sim
from wire_support import Wire

CHECKOUT = Path(__file__).resolve().parents[2]
SCENARIOS = CHECKOUT / "fixtures" / "scenarios"
HOST_ADDR = 0x700
ECHO_ADDR = 1024

#: Starts rpmsg-sim with a scenario: the text of one, or the name of one of fixtures/scenarios.
Play = Callable[..., Sim]


def ended(sim: Sim, status: int = 0) -> str:
    """Wait until the scenario has come to its end, with this exit status; returns the log."""
    sim.expected_status = status
    assert sim.process.wait(DEADLINE_S) == status, sim.log_text()
    return sim.log_text()


def host_of(sim: Sim, size: int = 8, features: int = F_NS | F_VERSION_1) -> Host:
    """A host whose driver is ready."""
    host = Host(FrontEnd(sim.socket_path), size)
    host.start(features)
    return host


def converse(host: Host, dst: int, payloads: list[bytes]) -> list[bytes]:
    """Send each payload and wait for one answer to it; announcements in between are skipped."""
    answers = []
    for payload in payloads:
        host.send(HOST_ADDR, dst, payload)
        answers.append(answer(host))
    return answers


def answer(host: Host) -> bytes:
    """Payload of the next message that is no announcement."""
    while True:
        _, dst, payload = host.receive()
        if dst != 53:
            return payload


def shove(sim: Sim, payloads: list[bytes], dst: int = ECHO_ADDR) -> None:
    """Send some messages one after the other and leave, whatever comes back."""
    wire = Wire(sim)
    host = wire.attach_ns()
    for payload in payloads:
        host.send(HOST_ADDR, dst, payload)
        wire.settle()
    wire.close()


def rpmsg_host(binary: str, sim: Sim, *args: str) -> str:
    """Run rpmsg-host of the same build against it, and return what it prints."""
    program = Path(binary).with_name("rpmsg-host")
    done = subprocess.run(
        [str(program), "--socket-path", str(sim.socket_path), *args],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
