# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-ctl events: a line for each event, until somebody ends it."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess

import pytest

from ctl_support import Spawn, next_line
from daemon_frontend import DEADLINE_S, FrontEnd, Host, Sim, Start

pytest_plugins = ("ctl_fixtures",)

def wait_subscribed(process: subprocess.Popen[str], sim: Sim) -> str:
    """The first line; front-ends come and go until there is one."""
    assert process.stdout
    while True:
        FrontEnd(sim.socket_path).close()
        if select.select([process.stdout], [], [], 0.2)[0]:
            return next_line(process)


def test_ctl_events_are_lines_with_their_members(start: Start, spawn_ctl: Spawn) -> None:
    sim = start("--service", "hello")
    process = spawn_ctl(sim.control_path, "events", "connected", "ns")
    assert re.match(r"\d+\.\d{6} connected\b", wait_subscribed(process, sim))

    host = Host(FrontEnd(sim.socket_path))
    host.start()

    while " ns " not in (line := next_line(process)):
        pass
    assert "action=create" in line and "name=hello" in line and "addr=1024" in line
    host.close()


def test_ctl_events_of_other_types_are_not_shown(start: Start, spawn_ctl: Spawn) -> None:
    sim = start("--service", "hello")
    process = spawn_ctl(sim.control_path, "events", "connected", "driver_ok")
    wait_subscribed(process, sim)
    host = Host(FrontEnd(sim.socket_path))
    host.start()

    types = []
    while not types or types[-1] != "driver_ok":
        types.append(next_line(process).split()[1])

    assert set(types) <= {"connected", "driver_ok"}
    host.close()


def test_ctl_events_as_json_are_whole(start: Start, spawn_ctl: Spawn) -> None:
    sim = start("--service", "hello")
    process = spawn_ctl(sim.control_path, "--json", "events", "connected", "message")
    wait_subscribed(process, sim)
    host = Host(FrontEnd(sim.socket_path))
    host.start()
    host.send(5, 1024, b"x" * 100)

    while (event := json.loads(next_line(process)))["type"] != "message":
        pass

    assert event["data"] == "78" * 100
    host.close()


def test_ctl_events_show_the_beginning_of_long_data(start: Start, spawn_ctl: Spawn) -> None:
    sim = start("--service", "hello")
    process = spawn_ctl(sim.control_path, "events", "connected", "message")
    wait_subscribed(process, sim)
    host = Host(FrontEnd(sim.socket_path))
    host.start()
    host.send(5, 1024, b"x" * 100)

    while " message " not in (line := next_line(process)):
        pass

    assert f"data={'78' * 32}...(100 bytes) " in line
    host.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctl_events_end_with_0_on_a_signal(
    start: Start, spawn_ctl: Spawn, number: signal.Signals
) -> None:
    sim = start()
    process = spawn_ctl(sim.control_path, "events")
    wait_subscribed(process, sim)

    process.send_signal(number)

    _, complaint = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, complaint) == (0, "")


def test_ctl_events_end_with_3_when_the_daemon_goes(start: Start, spawn_ctl: Spawn) -> None:
    sim = start()
    process = spawn_ctl(sim.control_path, "events")
    wait_subscribed(process, sim)

    sim.stop()

    _, complaint = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3
    assert "has closed the connection" in complaint
