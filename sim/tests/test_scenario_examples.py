# SPDX-License-Identifier: BSD-2-Clause
"""Each file of fixtures/scenarios, played against a host that does what it is about."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from daemon_frontend import F_VERSION_1, FrontEnd, Host, Sim
from scenario_support import (
    ECHO_ADDR,
    HOST_ADDR,
    SCENARIOS,
    Play,
    answer,
    converse,
    ended,
    host_of,
    rpmsg_host,
    shove,
)

pytest_plugins = ("scenario_fixtures",)

#: What plays the host: gets the simulator and the path of its program, and leaves in the end.
Act = Callable[[Sim, str], None]

acts: dict[str, Act] = {}


def act(name: str) -> Callable[[Act], Act]:
    def register(function: Act) -> Act:
        acts[name] = function
        return function

    return register


def test_scenario_files_each_have_a_test() -> None:
    apart = {"mixed"}  # test_scenario_repeat.py

    assert {path.stem for path in SCENARIOS.glob("*.yaml")} == set(acts) | apart


@pytest.mark.parametrize("name", acts)
def test_scenario_holds(name: str, play: Play, binary: str) -> None:
    sim = play(name)

    acts[name](sim, binary)

    assert "expectations hold" in ended(sim)


@act("echo")
def _(sim: Sim, binary: str) -> None:
    rpmsg_host(binary, sim, "ping", "rpmsg-echo", "-c", "20", "-i", "0")


@act("host-speaks-first")
def _(sim: Sim, binary: str) -> None:
    rpmsg_host(binary, sim, "listen", "--announce", "sensor", "-c", "5")


@act("remote-speaks-first")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    for _ in range(20):
        assert host.receive()[:2] == (0x401, 0x500)
    assert host.front_end.closed_by_peer()  # the expectations hold, so it ends
    host.close()


@act("name-service-storm")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    assert converse(host, ECHO_ADDR, [b"%d" % n for n in range(8)])[-1] == b"7"
    host.close()


@act("buffer-exhaustion")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim, size=8)
    for number in range(8):
        host.send(HOST_ADDR, ECHO_ADDR, b"%d" % number)
        assert answer(host) == b"%d" % number
    assert host.rings[1].take_used() == []
    host.free += [index for index, _ in host.rings[1].wait_used()]
    assert converse(host, ECHO_ADDR, [b"ninth"]) == [b"ninth"]
    host.wait_returned()
    host.close()


@act("pacing")
def _(sim: Sim, binary: str) -> None:
    rpmsg_host(binary, sim, "ping", "rpmsg-echo", "-c", "50", "-i", "0", "-W", "10")


@act("faults-header")
def _(sim: Sim, binary: str) -> None:
    shove(sim, [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"go", b"10", b"11"])


@act("faults-used-length")
@act("faults-name-service")
@act("faults-ring")
@act("faults-byte-order")
def _(sim: Sim, binary: str) -> None:
    shove(sim, [b"1", b"2", b"3", b"4", b"5", b"6"])


@act("crash-and-return")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"1", b"2"])
    host.send(HOST_ADDR, ECHO_ADDR, b"3")
    host.send(HOST_ADDR, ECHO_ADDR, b"4")
    assert host.front_end.closed_by_peer()
    host.close()
    again = host_of(sim)
    assert again.receive_announcement()[0] == "rpmsg-echo"
    wait_for(sim, "life-needs-reset")
    again.close()


@act("reboot")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"%d" % number for number in range(25)])
    host.close()


@act("dialect-nuttx")
@act("dialect-rpmsg-lite")
def _(sim: Sim, binary: str) -> None:
    # What is Linux' bit for buffer sizes means something else to NuttX.
    rpmsg_host(binary, sim, "--no-bufsz", "ping", "rpmsg-echo", "-c", "3", "-i", "0")


@act("script-protocol")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    assert host.receive_announcement()[0] == "shell"
    assert converse(host, 0x600, [b"hi", b"login", b"wrong", b"login", b"secret"]) == [
        b"login first",
        b"password?",
        b"denied",
        b"password?",
        b"welcome",
    ]
    assert converse(host, 0x600, [b"\x01", b"say what"]) == [b"\x81\0", b"say what"]
    assert converse(host, 0x600, [b"dump"]) + [answer(host), answer(host)] == [b"line"] * 3
    assert converse(host, 0x600, [b"slow"]) == [b"done"]
    host.send(HOST_ADDR, 0x600, b"x" * 100)  # is dropped
    assert converse(host, 0x600, [b"bye"]) == [b"bye"]
    assert host.receive_announcement() == ("shell", 0x600, 1)
    host.close()


@act("script-greeting")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    assert host.receive_announcement()[0] == "greeter"
    assert [answer(host), answer(host)] == [b"hello", b"hello"]
    seen = []
    for payload in (b"a", b"b", b"c"):
        host.send(HOST_ADDR, 0x600, payload)
        seen.append(host.receive())
    assert seen == [(0x600, 0x701, b"\0\xff")] * 2 + [(0x600, HOST_ADDR, b"c")]
    host.close()


@act("heartbeat")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    assert host.receive_announcement()[0] == "rpmsg-echo"
    received = sorted([host.receive(), host.receive()], key=lambda message: message[1])
    assert received[0][:2] == (2000, 53)
    assert received[1] == (ECHO_ADDR, 0x700, b"\xbe\xef")
    assert host.front_end.closed_by_peer()  # after two seconds
    host.close()


@act("strict-host")
def _(sim: Sim, binary: str) -> None:
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"nothing wrong"])
    host.close()


def wait_for(sim: Sim, text: str) -> None:
    """Wait until the log says something."""
    end = time.monotonic() + 30
    while text not in sim.log_text():
        assert time.monotonic() < end, sim.log_text()
        time.sleep(0.01)


# ---- the same scenarios with hosts that do not do what they should -------------------------------


def test_scenario_fails_with_a_host_that_stops_too_early(play: Play) -> None:
    sim = play("echo")
    host = host_of(sim)
    converse(host, 0x400, [b"%d" % number for number in range(19)])
    host.close()

    log = ended(sim, 1)

    path = SCENARIOS / "echo.yaml"
    assert f"{path}:12: expect[0]: messages echoed by 1024: expected at least 20, seen 19" in log
    assert log.count("expect[") == 1


def test_scenario_fails_with_a_host_that_breaks_a_rule(play: Play) -> None:
    sim = play("strict-host")
    host = host_of(sim)
    host.send(HOST_ADDR, ECHO_ADDR, b"short", length=400)
    host.wait_returned()
    host.close()

    log = ended(sim, 1)

    path = SCENARIOS / "strict-host.yaml"
    assert f"{path}:8: expect[0]: violation of any rule: expected exactly 0, seen 1" in log
    assert f"{path}:9: expect[1]: dropped-length: expected exactly 0, seen 1" in log


def test_scenario_fails_when_nobody_comes(play: Play) -> None:
    sim = play("remote-speaks-first")

    assert sim.stop() == 1

    assert "expect[1]: event sent" in ended(sim, 1)


def test_scenario_fails_at_its_deadline(play: Play) -> None:
    sim = play("description: x\nend: {deadline_ms: 100}\n")

    log = ended(sim, 1)

    assert f"{sim.log.with_suffix('.yaml')}:2: end: the scenario did not end within 100 ms" in log


def test_scenario_front_end_without_a_driver_is_no_event(play: Play) -> None:
    sim = play("strict-host")

    FrontEnd(sim.socket_path).close()

    assert "event driver_ok: expected at least 1, seen 0" in ended(sim, 1)


def test_scenario_host_without_name_service_is_served(play: Play) -> None:
    sim = play("expect: [{counter: delivered, exactly: 1}]\nservices: [{name: a, addr: 1024}]\n")
    host = Host(FrontEnd(sim.socket_path))
    host.start(F_VERSION_1)

    assert converse(host, ECHO_ADDR, [b"x"]) == [b"x"]
    host.close()

    ended(sim)
