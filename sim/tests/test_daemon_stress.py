# SPDX-License-Identifier: BSD-2-Clause
"""Every method of the control socket from several clients at once, in all shapes, while messages
go to and fro: no client holds them up, and none is lost.

One remote, "calm", has the traffic that is measured; only what is refused and what looks on is
asked of it. The other, "wild", is asked for everything, while a host of it comes and goes. Clients
are processes of their own. The same machine runs them all, so bounds are wide; what they are
compared with is measured in the same run.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import statistics
import struct
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from daemon_frontend import (
    DEADLINE_S,
    F_VERSION_1,
    Connect,
    Control,
    FrontEnd,
    Host,
    Sim,
    Start,
)
from rpc_noise import REFUSED, Description, Noise, request
from wire_support import names_of

SEED = 3
CLIENTS = 4
SECONDS_ALONE, SECONDS_TOGETHER = 0.5, 4.0
#: A round trip while everything happens at once; clients that want the processors are half of it.
LONGEST_ROUND_TRIP_S, MEDIAN_ROUND_TRIP_S = 2.0, 0.1
#: What calm may be asked: it changes nothing that its messages could notice.
LOOKS_ON = {"stats", "faults", "config", "events", "help", "remotes"}


# ---- processes beside the test ----


class Child:
    """A process that does something until it is told to stop, and then says what it did."""

    def __init__(self, work: Callable[[Callable[[], bool]], Any]) -> None:
        """work: is given a function that is true while it shall go on; its result is reported."""
        stop_reader, self.stop_writer = os.pipe()
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stop_writer)
            self._run(work, stop_reader, writer)
        os.close(stop_reader)
        os.close(writer)

    @staticmethod
    def _run(work: Callable[[Callable[[], bool]], Any], stop: int, report: int) -> NoReturn:
        try:
            result = {"done": work(lambda: not select.select([stop], [], [], 0)[0])}
        except BaseException:
            result = {"failed": traceback.format_exc()}
        with os.fdopen(report, "w") as file:
            json.dump(result, file)
        os._exit(0)

    def stop(self) -> Any:
        os.write(self.stop_writer, b".")
        with os.fdopen(self.reader) as file:
            result = json.loads(file.read() or '{"failed": "it said nothing"}')
        os.close(self.stop_writer)
        os.waitpid(self.pid, 0)
        self.pid = 0
        assert "failed" not in result, result["failed"]
        return result["done"]

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@pytest.fixture
def spawn() -> Iterator[Callable[[Callable[[Callable[[], bool]], Any]], Child]]:
    children: list[Child] = []

    def spawn_it(work: Callable[[Callable[[], bool]], Any]) -> Child:
        children.append(Child(work))
        return children[-1]

    yield spawn_it
    for child in children:
        child.kill()


Spawn = Callable[[Callable[[Callable[[], bool]], Any]], Child]


def call_everything(path: Path, noise: Noise, methods: list[Description]) -> Any:
    """A client that calls all methods in all shapes; counts of "METHOD ok" and "METHOD CODE"."""

    def work(going: Callable[[], bool]) -> Counter[str]:
        counts: Counter[str] = Counter()
        control = Control(path)
        order: list[Description] = []
        while going() or order:
            order = order or noise.random.sample(methods, len(methods))
            method = order.pop()
            name = str(method["name"])
            is_global = not any(p["name"] == "remote" for p in method["params"])
            wrong, code = noise.wrong(method)
            answer = control.request(name, wrong)
            assert answer.get("error", {}).get("code") == code, (name, wrong, answer)
            if name == "crash" and noise.random.random() < 0.8:
                continue  # the others need a host that is there
            params = noise.params(method)
            if not is_global:
                looks_on = name in LOOKS_ON
                params["remote"] = noise.random.choice(["calm", "wild"]) if looks_on else "wild"
            answer = control.request(name, params)
            verdict = answer["error"]["code"] if "error" in answer else "ok"
            assert verdict in ("ok", REFUSED, code), (name, params, answer)
            counts[f"{name} {verdict}"] += 1
            counts[f"{name} wrong"] += 1
            control.events.clear()
        control.close()
        return counts

    return work


def talk_rubbish(path: Path, noise: Noise) -> Any:
    """Clients that send what is no request, lines without an end, or hang up in the middle."""

    def too_long(control: Control) -> None:
        control.send_raw(b"x" * 65537)
        assert control.read()["error"]["code"] == -32600
        with pytest.raises(EOFError):
            control.read()

    def work(going: Callable[[], bool]) -> int:
        count = 0
        while going():
            control = Control(path)
            for _ in range(5):
                line, code = noise.rubbish()
                control.send_raw(line + b"\n")
                assert control.read()["error"]["code"] == code, line[:80]
                count += 1
            if noise.random.random() < 0.5:
                too_long(control)
            elif noise.random.random() < 0.5:
                control.send_raw(request("help", {}, 1) * 100 + b'{"json')
            control.close()
        return count

    return work


def never_read(path: Path) -> Any:
    """A client that asks for all events and for the longest answers, and reads nothing."""

    def work(going: Callable[[], bool]) -> int:
        dropped = 0
        while going():
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(str(path))
            sock.sendall(request("events", {}, 1))
            sock.settimeout(0.01)
            while going():
                try:
                    sock.send(request("faults", {}, 1))
                except TimeoutError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    dropped += 1
                    break
            sock.close()
        return dropped

    return work


def come_and_go(path: Path) -> Any:
    """Hosts of the wild remote: whatever it does, they come again."""

    def work(going: Callable[[], bool]) -> int:
        sessions = 0
        while going():
            host = Host(FrontEnd(path), 16)
            host.front_end.sock.settimeout(0.2)
            try:
                host.start(F_VERSION_1)
                sessions += 1
                for number in range(200):
                    host.send(2000, 9, struct.pack("<I", number))
                    if number % 8 == 7:
                        select.select([host.front_end.sock, host.rings[0].call], [], [], 0.01)
                    for index, _ in host.rings[0].take_used():
                        host.rings[0].expose(index % 16)
                    host.rings[0].notify()
            except (AssertionError, EOFError, OSError, IndexError, struct.error):
                pass  # a fault, a crash, no buffer left: that is what it is here for
            host.close()
        return sessions

    return work


# ---- the traffic that is measured ----


class Traffic:
    """Echoes one after the other; each answer has to be the one to the message before."""

    def __init__(self, path: Path) -> None:
        self.host = Host(FrontEnd(path))
        self.host.start(F_VERSION_1)
        self.number = 0

    def round_trip(self) -> float:
        payload = struct.pack("<Q", self.number) + b"\x5a" * 64
        self.number += 1
        began = time.monotonic()
        self.host.send(2000, 9, payload)
        assert self.host.receive() == (9, 2000, payload)
        return time.monotonic() - began

    def measure(self, seconds: float) -> list[float]:
        end = time.monotonic() + seconds
        times = []
        while time.monotonic() < end:
            times.append(self.round_trip())
        return times


def shown(times: list[float]) -> str:
    times = sorted(times)
    return (
        f"{len(times)} round trips, median {statistics.median(times) * 1e6:.0f} us, "
        f"99% {times[len(times) * 99 // 100] * 1e6:.0f} us, longest {times[-1] * 1e6:.0f} us"
    )


def start_two(start: Start, folder: Path, *options: str) -> tuple[Sim, Path]:
    """The simulator with both remotes; the path of the wild one's socket."""
    wild = folder / "wild.sock"
    sim = start(
        *["--remote", "calm", "--socket-path", str(folder / "sim.sock")],
        *["--service", "echo,addr=9,quiet"],
        *["--remote", "wild", "--socket-path", str(wild), "--service", "echo,addr=9,quiet"],
        *["--log-level", "error", *options],
    )
    return sim, wild


def expect_balance(control: Control, remote: str) -> None:
    messages = control.call("stats", remote=remote)["messages"]
    assert messages["received"] == messages["delivered"] + sum(messages["dropped"].values())


def test_stress_every_method_from_several_clients_holds_up_no_message(
    start: Start, binary: str, tmp_path: Path, spawn: Spawn
) -> None:
    sim, wild = start_two(start, tmp_path)
    control = Control(sim.control_path)
    methods = control.call("help")["methods"]
    names = {
        "fault_set.name": names_of(binary, "--list-faults=json") + ["no-such-fault"],
        "fault_set.mode": ["once", "count"],
        "fault_clear.name": names_of(binary, "--list-faults=json"),
        "profile": names_of(binary, "--list-profiles=json"),
        "name": [f"service-{number}" for number in range(16)],
        "kind": ["echo", "sink", "source", "raw", "no-such-kind"],
        "types": control.call("help")["events"],
        "features": ["+in-order", "-ns", "+ns", "-event-idx"],
        "layout": ["linux", "nuttx", "none"],
        "file": [str(tmp_path / "a.pcap"), str(tmp_path / "b.pcap"), str(tmp_path), "/dev/null"],
    }
    traffic = Traffic(sim.socket_path)
    traffic.measure(0.1)
    alone = traffic.measure(SECONDS_ALONE)

    clients = [
        spawn(call_everything(sim.control_path, Noise(SEED + number, names), methods))
        for number in range(CLIENTS)
    ]
    without_host = traffic.measure(SECONDS_TOGETHER / 8)  # what is possible then only
    others = [
        spawn(talk_rubbish(sim.control_path, Noise(SEED, {}))),
        spawn(never_read(sim.control_path)),
        spawn(come_and_go(wild)),
    ]
    together = without_host + traffic.measure(SECONDS_TOGETHER)
    counts: Counter[str] = Counter()
    for client in clients:
        counts.update(client.stop())
    rubbish, dropped, sessions = (child.stop() for child in others)

    print(f"alone: {shown(alone)}\ntogether: {shown(together)}")
    print(f"{counts.total()} calls, {rubbish} lines of rubbish, {dropped} slow readers dropped")
    print(f"{sessions} sessions of the wild remote; {dict(sorted(counts.items()))}")
    assert max(together) < LONGEST_ROUND_TRIP_S
    assert statistics.median(together) < max(MEDIAN_ROUND_TRIP_S, 20 * statistics.median(alone))
    assert all(counts[f"{method['name']} wrong"] > 0 for method in methods)
    never = [method["name"] for method in methods if not counts[f"{method['name']} ok"]]
    assert len(never) <= 2, never  # one that needs a host or a name that is there may be unlucky
    assert rubbish > 0 and sessions > 10
    stats = control.call("stats", remote="calm")
    assert stats["messages"]["received"] == stats["messages"]["delivered"] == traffic.number
    assert stats["messages"]["sent"] == traffic.number
    assert stats["faults"] == {} and stats["violations"] == {}
    expect_balance(control, "wild")
    traffic.host.close()
    control.close()
    # What strict checking found of the wild hosts may have decided the status.
    sim.expected_status = sim.stop()
    assert sim.expected_status in (0, 1)
    assert "sandbox" not in sim.log_text()


def test_stress_wild_remote_serves_again_when_all_is_cleared(
    start: Start, binary: str, tmp_path: Path, spawn: Spawn
) -> None:
    """Every fault at once, all pacing at once, and then none."""
    sim, wild = start_two(start, tmp_path)
    control = Control(sim.control_path)
    hosts = spawn(come_and_go(wild))
    for name in names_of(binary, "--list-faults=json"):
        control.call("fault_set", remote="wild", name=name, mode="count", count=50)
    for queue in (0, 1):
        control.call(
            "pace",
            **dict(remote="wild", queue=queue, every=3, order="shuffled", delay_us=50),
            **dict(interrupt="spurious", interrupt_delay_us=100, batch=3),
        )
    traffic = Traffic(sim.socket_path)
    traffic.measure(1.0)
    hosts.stop()
    assert len(control.call("stats", remote="wild")["faults"]) > 5

    control.call("fault_clear", remote="wild")
    for queue in (0, 1):
        control.call("pace", remote="wild", queue=queue)
    traffic.host.close()
    healthy = Traffic(wild)
    for _ in range(100):
        healthy.round_trip()
    expect_balance(control, "wild")
    healthy.host.close()
    control.close()


def test_stress_sixty_clients_that_flood_share_the_time_of_one(
    start: Start, tmp_path: Path, spawn: Spawn
) -> None:
    """However many requests wait: between two turns of a remote there is time for a few only."""
    sim, _ = start_two(start, tmp_path)
    with_help = request("help", {}, 1)
    control = Control(sim.control_path)
    began = time.monotonic()
    for _ in range(20):
        control.call("help")
    one_request = (time.monotonic() - began) / 20

    def flood(going: Callable[[], bool]) -> int:
        clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(60)]
        unsent = {client: b"" for client in clients}
        answered = 0
        for client in clients:
            client.connect(str(sim.control_path))
            client.setblocking(False)
        while going():
            readable, writable, _ = select.select(clients, clients, [], 1)
            for client in readable:
                answered += client.recv(1 << 20).count(b"\n")
            for client in writable:
                unsent[client] = unsent[client] or with_help * 64
                try:
                    unsent[client] = unsent[client][client.send(unsent[client]) :]
                except BlockingIOError:
                    pass
        return answered

    traffic = Traffic(sim.socket_path)
    alone = traffic.measure(0.3)
    flooding = spawn(flood)
    end = time.monotonic() + DEADLINE_S
    while traffic.round_trip() < 0.0005 and time.monotonic() < end:
        pass  # until it is felt
    together = traffic.measure(2.0)
    answered = flooding.stop()

    print(f"alone: {shown(alone)}\nflooded: {shown(together)}; {answered} answers")
    print(f"one request: {one_request * 1e6:.0f} us")
    assert answered > 200
    assert statistics.median(together) < 10 * (one_request + 0.001)
    traffic.host.close()
    control.close()


def test_stress_stats_of_very_many_endpoints_come_in_pieces(
    start: Start, connect: Connect
) -> None:
    """One answer about all 65536 that there may be would take a good part of a second."""
    control = connect(start("--service", "many=sink,addr=5000,count=10000,quiet"))

    addresses: list[int] = []
    pieces = 0
    while len(addresses) < 10000:
        stats = control.call("stats", endpoints_from=addresses[-1] + 1 if addresses else 0)
        assert stats["endpoints_total"] == 10000
        addresses += [endpoint["addr"] for endpoint in stats["endpoints"]]
        pieces += 1

    assert addresses == list(range(5000, 15000))
    assert pieces == 3
    assert len(control.call("stats")["endpoints"]) == 4096
