# SPDX-License-Identifier: BSD-2-Clause
"""With --sandbox=on rpmsg-sim does all that it can do: every fault, every kind of service, every
method, every kind of pacing, captures that begin late, and the ends of its life.

A call that the sandbox does not allow ends the program with status 1, which the fixture start
notices. Builds with a sanitizer are in the sandbox here, too; only the search for leaks at their
end makes calls that are forbidden, and is off.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import test_daemon_wire_faults as wire_faults
import test_daemon_wire_services as wire_services
from daemon_frontend import (
    DEADLINE_S,
    F_NS,
    F_VERSION_1,
    GET_FEATURES,
    INPUT,
    OUTPUT,
    Connect,
    Control,
    FrontEnd,
    Host,
    Sim,
    Start,
)
from rpc_noise import request
from wire_support import ECHO_ADDR, HOST_ADDR, PAYLOAD, Wire

ON = "--sandbox=on"
ECHO_SERVICE = ("--service", f"echo,addr={ECHO_ADDR}")
SECCOMP_FILTER = "2"  # proc(5), Seccomp


@pytest.fixture(autouse=True)
def without_leak_search(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASAN_OPTIONS", "LSAN_OPTIONS"):
        monkeypatch.setenv(name, os.environ.get(name, "") + ":detect_leaks=0")


def in_sandbox(sim: Sim) -> bool:
    status = Path(f"/proc/{sim.process.pid}/status").read_text().splitlines()
    return f"Seccomp:\t{SECCOMP_FILTER}" in status


# ---- what remotes do ----


@pytest.mark.parametrize("name", wire_faults.cases)
def test_sandbox_allows_every_fault(start: Start, name: str) -> None:
    sim = start(ON, "--profile", "linux-bufsz", *ECHO_SERVICE)
    wire = Wire(sim)

    wire_faults.cases[name](wire, name)

    assert in_sandbox(sim) and sim.process.poll() is None
    wire.close()


@pytest.mark.parametrize("kind", wire_services.cases)
def test_sandbox_allows_every_kind_of_service(start: Start, kind: str) -> None:
    sim = start(ON)
    served = wire_services.Served(sim)

    wire_services.cases[kind](served, kind)

    assert in_sandbox(sim) and sim.process.poll() is None
    served.close()


PACES: list[dict[str, Any]] = [
    {"every": 2},
    {"order": "reversed", "batch": 2},
    {"order": "shuffled", "delay_us": 500},
    {"delay_us": 2000},
    {"interrupt": "never"},
    {"interrupt": "late", "interrupt_delay_us": 1000},
    {"interrupt": "spurious", "interrupt_delay_us": 50},
    {"interrupt": "spurious"},
    {"batch": 4, "interrupt_delay_us": 1000},
]


def test_sandbox_allows_every_kind_of_pacing_and_timer(start: Start) -> None:
    sim = start(ON, *ECHO_SERVICE, "--service", "ticks=source,addr=9,rate=2000,peer=8,quiet")
    wire = Wire(sim)
    for pace in PACES:
        for queue in (INPUT, OUTPUT):
            wire.control.call("pace", queue=queue, **pace)
        host = wire.attach()
        wire.echo()
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            host.rings[OUTPUT].notify()
        for queue in (INPUT, OUTPUT):
            wire.control.call("release", queue=queue)
            wire.control.call("pace", queue=queue)
    wire.host.front_end.close()
    polled = Host(FrontEnd(sim.socket_path))
    polled.start(F_VERSION_1, kicks=False)
    polled.send(HOST_ADDR, ECHO_ADDR, PAYLOAD)
    while polled.receive() != (ECHO_ADDR, HOST_ADDR, PAYLOAD):
        pass  # ticks

    assert in_sandbox(sim) and sim.process.poll() is None
    polled.close()
    wire.close()


# ---- what the control socket asks for ----


def calls_of_everything(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Each method in an order in which it works; a host is attached except to configure."""
    return [
        ("configure", {"profile": "nuttx", "seed": 5, "features": ["+in-order"]}),
        ("configure", {"profile": "linux-bufsz", "layout": "openamp", "buffer_size_in": 1024}),
        ("configure", {"profile": "linux-bufsz", "features": ["-event-idx"]}),
        ("attach", {}),
        ("help", {}),
        ("remotes", {}),
        ("config", {}),
        ("stats", {}),
        ("events", {}),
        ("capture_start", {"file": str(folder / "first.pcap")}),
        ("announce", {"name": "new", "kind": "source", "addr": 2000, "peer": 7, "rate": 1000}),
        ("endpoint_create", {"addr": 2001, "kind": "raw"}),
        ("send", {"src": 1, "dst": 2, "data": "00ff" * 100}),
        ("withdraw", {"name": "new"}),
        ("endpoint_destroy", {"addr": 2001}),
        ("capture_stop", {}),
        ("capture_start", {"file": str(folder / "first.pcap")}),
        ("capture_stop", {}),
        ("capture_start", {"file": str(folder / "second.pcap")}),
        ("hold", {"queue": 1, "count": 1}),
        ("release", {"queue": 1}),
        ("pace", {"queue": 0, "delay_us": 10}),
        ("check", {"level": "strict"}),
        ("check", {"level": "report"}),
        ("fault_set", {"name": "hdr-flags", "mode": "once"}),
        ("faults", {}),
        ("fault_clear", {}),
        ("config_change", {}),
        ("needs_reset", {}),
        ("reset", {}),
        ("crash", {"down_ms": 10}),
    ]


def test_sandbox_allows_every_method(start: Start, tmp_path: Path) -> None:
    sim = start(ON, *ECHO_SERVICE)
    wire = Wire(sim)
    asked = calls_of_everything(tmp_path)
    listed = {method["name"] for method in wire.control.call("help")["methods"]}
    assert {name for name, _ in asked} - {"attach"} == listed

    for name, params in asked:
        if name == "attach":
            wire.attach(F_VERSION_1 | F_NS)
        else:
            wire.control.call(name, **params)
            wire.settle()

    assert wire.host.front_end.closed_by_peer()
    wire.attach()
    wire.echo()
    assert in_sandbox(sim) and sim.process.poll() is None
    wire.close()
    assert sim.stop() == 0  # which ends the capture
    assert (tmp_path / "second.pcap").stat().st_size > 24


def test_sandbox_allows_clients_that_go_beyond_the_limits(start: Start, connect: Connect) -> None:
    sim = start(ON)
    clients = []
    for _ in range(64):
        clients.append(Control(sim.control_path))
        clients[-1].call("events")
    clients += [Control(sim.control_path) for _ in range(6)]  # have to wait
    for client in clients[:10]:
        client.send_raw(b"x" * 70000)
        assert client.read()["error"]["code"] == -32600
    for client in clients:
        client.close()
    deaf = Control(sim.control_path)
    deaf.sock.settimeout(0.5)
    with pytest.raises((TimeoutError, OSError)):
        while True:  # until it is hung up on, or nothing more is taken
            deaf.send_raw(request("help", {}, 1) * 100)
    deaf.close()

    assert connect(sim).call("remotes")["remotes"][0]["connected"] is False
    assert in_sandbox(sim)


# ---- the ends of its life ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_sandbox_allows_the_end_in_mid_traffic(start: Start, tmp_path: Path, number: int) -> None:
    sim = start(ON, *ECHO_SERVICE, "--capture", str(tmp_path / "all.pcap"), "--log-level", "trace")
    wire = Wire(sim)
    wire.attach_ns()
    wire.echo()

    assert sim.stop(number) == 0
    wire.close()
    assert not sim.socket_path.exists()


def test_sandbox_allows_guest_memory_to_go_away(start: Start) -> None:
    sim = start(ON, *ECHO_SERVICE)
    wire = Wire(sim)
    host = wire.attach()

    os.ftruncate(host.memory_fd, 0)
    host.rings[OUTPUT].notify()

    assert host.front_end.closed_by_peer()
    wire.attach()
    wire.echo()
    assert in_sandbox(sim)
    wire.close()


def test_sandbox_allows_a_log_that_nobody_reads(binary: str, tmp_path: Path) -> None:
    """Standard error is a pipe that is full, and then one whose reader has left."""
    ready, ready_end = os.pipe()
    log, log_end = os.pipe()
    process = subprocess.Popen(
        [binary, "--socket-path", str(tmp_path / "s"), "--ready-fd", str(ready_end), ON]
        + ["--log-level", "trace"],
        pass_fds=(ready_end,),
        stderr=log_end,
    )
    os.close(ready_end)
    os.close(log_end)
    assert os.read(ready, 6) == b"ready\n"
    front_end = FrontEnd(tmp_path / "s")
    for _ in range(2):
        for _ in range(2000):
            front_end.ask_u64(GET_FEATURES)
        if log >= 0:
            os.close(log)
            log = -1
    front_end.close()

    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    os.close(ready)


def test_sandbox_without_a_control_socket_allows_whole_sessions(
    binary: str, tmp_path: Path
) -> None:
    """There files cannot be opened at all."""
    ready, ready_end = os.pipe()
    path = tmp_path / "s"
    process = subprocess.Popen(
        [binary, "--socket-path", str(path), "--ready-fd", str(ready_end), ON, *ECHO_SERVICE]
        + ["--capture", str(tmp_path / "c.pcap"), "--fault", "life-crash-at-first-kick,once"],
        pass_fds=(ready_end,),
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(ready_end)
    assert os.read(ready, 6) == b"ready\n"
    os.close(ready)
    crashed = Host(FrontEnd(path))
    crashed.start()
    crashed.send(HOST_ADDR, ECHO_ADDR, PAYLOAD)
    assert crashed.front_end.closed_by_peer()
    crashed.close()
    for _ in range(3):
        host = Host(FrontEnd(path))
        host.start()
        assert host.receive_announcement() == ("echo", ECHO_ADDR, 0)
        host.send(HOST_ADDR, ECHO_ADDR, PAYLOAD)
        assert host.receive() == (ECHO_ADDR, HOST_ADDR, PAYLOAD)
        host.front_end.sock.sendall(struct.pack("<III", 200, 1, 0))
        host.close()

    process.terminate()
    _, log = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, log
    assert "sandbox:" not in log


def test_sandbox_that_only_logs_has_a_filter_too(start: Start) -> None:
    sim = start("--sandbox=log", *ECHO_SERVICE)
    wire = Wire(sim)
    wire.attach_ns()
    wire.echo()

    assert in_sandbox(sim)
    wire.close()
