# SPDX-License-Identifier: BSD-2-Clause
"""Ten thousand front-ends in a row, none of which keeps to the protocol, and many that are killed:
nothing is leaked, which /proc shows, and the next one that is in order is served.

Everything random comes from SEED. The memory of a build with a sanitizer is not counted, since most
of it is the sanitizer's own; but that one reports leaks by itself when the program ends.
"""

from __future__ import annotations

import array
import os
import random
import signal
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon_frontend import (
    DEADLINE_S,
    F_NS,
    F_VERSION_1,
    FLAG_NEED_REPLY,
    GET_VRING_BASE,
    INPUT,
    OUTPUT,
    SET_FEATURES,
    SET_MEM_TABLE,
    SET_OWNER,
    SET_PROTOCOL_FEATURES,
    SET_VRING_CALL,
    SET_VRING_ERR,
    SET_VRING_KICK,
    Connect,
    Control,
    FrontEnd,
    Host,
    Sim,
    Start,
)

SEED = 20261121
CONNECTIONS = 10_000
BATCH = 100
WARM_UP = 500
#: What the private memory may grow by over all connections; a leak of 64 bytes each would be more.
GROWTH_BYTES = 512 << 10

SET_LOG_BASE, SET_LOG_FD, ADD_MEM_REG, REM_MEM_REG, SET_BACKEND_REQ_FD = 6, 7, 37, 38, 21
HIGHEST_REQUEST = 45
TAKES_FDS = [
    *[SET_MEM_TABLE, SET_LOG_BASE, SET_LOG_FD, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR],
    *[ADD_MEM_REG, REM_MEM_REG, SET_BACKEND_REQ_FD],
]
SERVICES = ("--service", "echo,addr=9", "--service", "more=sink,count=3")


# ---- what a process has ----


@dataclass
class Resources:
    """What /proc says that a process has; memory in bytes."""

    descriptors: int
    mappings: int
    guest_mappings: int
    private: int

    @staticmethod
    def of(sim: Sim) -> Resources:
        proc = Path(f"/proc/{sim.process.pid}")
        maps = (proc / "maps").read_text().splitlines()
        rollup = (proc / "smaps_rollup").read_text().splitlines()
        dirty = next(line.split()[1] for line in rollup if line.startswith("Private_Dirty:"))
        return Resources(
            descriptors=len(os.listdir(proc / "fd")),
            mappings=len(maps),
            guest_mappings=sum("memfd:" in line for line in maps),
            private=int(dirty) << 10,
        )


def expect_no_leak(before: Resources, after: Resources, instrumented: bool) -> None:
    assert after.descriptors == before.descriptors
    assert after.guest_mappings == before.guest_mappings == 0
    if not instrumented:
        assert after.mappings == before.mappings
        assert after.private - before.private < GROWTH_BYTES


def expect_balance(control: Control) -> None:
    """What came in is accounted for, whatever happened to the front-ends."""
    stats = control.call("stats")
    messages = stats["messages"]
    assert messages["received"] == messages["delivered"] + sum(messages["dropped"].values())
    assert messages["received"] == stats["queues"][OUTPUT]["popped"]
    assert [queue["held"] for queue in stats["queues"]] == [0, 0]
    assert not stats["connected"] and not stats["driver_ok"]
    assert stats["pending_sends"] == 0


def expect_served(sim: Sim, rounds: int = 1) -> None:
    """A session as it should be."""
    host = Host(FrontEnd(sim.socket_path))
    host.start()
    assert host.receive_announcement() == ("echo", 9, 0)
    for number in range(3):
        assert host.receive_announcement() == ("more", 1024 + number, 0)
    for number in range(rounds):
        host.send(2000, 9, b"sound %d" % number)
        assert host.receive() == (9, 2000, b"sound %d" % number)
    host.close()


# ---- front-ends that do not keep to the protocol ----


def connected(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(path))
    sock.settimeout(DEADLINE_S)
    return sock


def push(sock: socket.socket, data: bytes, fds: list[int] | None = None) -> None:
    """Send; that the other side has hung up already is its right."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        sock.sendmsg([data or b"\0"], rights)
    except (BrokenPipeError, ConnectionResetError):
        pass


def packed(request: int, payload: bytes = b"", flags: int = 1, size: int | None = None) -> bytes:
    return struct.pack("<III", request, flags, len(payload) if size is None else size) + payload


class Rogue:
    """Makes one front-end after the other; each leaves before the next one comes."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.random = random.Random(seed)
        memfd = os.memfd_create("rogue")
        os.ftruncate(memfd, 1 << 20)
        short = os.memfd_create("short")
        os.ftruncate(short, 100)
        pair = socket.socketpair()
        self.sockets = pair
        self.fds = [
            *[memfd, short, os.open("/dev/null", os.O_RDWR), os.open("/", os.O_RDONLY)],
            *[*os.pipe(), getattr(os, "eventfd")(0), *(end.fileno() for end in pair)],
        ]
        self.kinds: list[Callable[[], None]] = [
            self.nothing,
            self.noise,
            self.wrong_sizes,
            self.surplus_descriptors,
            self.descriptors_in_the_middle,
            self.cut_handshake,
            self.mapped_memory,
            self.mapped_log_and_regions,
            self.running_rings_of_noise,
        ]

    def close(self) -> None:
        for end in self.sockets:
            end.detach()
        for fd in self.fds:
            os.close(fd)

    def run(self) -> None:
        self.random.choice(self.kinds)()

    def some_fds(self, count: int) -> list[int]:
        return [self.random.choice(self.fds) for _ in range(count)]

    def nothing(self) -> None:
        connected(self.path).close()

    def noise(self) -> None:
        with connected(self.path) as sock:
            push(sock, self.random.randbytes(self.random.randint(1, 2000)))

    def wrong_sizes(self) -> None:
        sizes = [0, 1, 7, 8, 9, 12, 1023, 1024, 1025, 65536, 0x7FFFFFFF, 0xFFFFFFFF]
        with connected(self.path) as sock:
            for _ in range(self.random.randint(1, 8)):
                request = self.random.randint(0, HIGHEST_REQUEST)
                payload = self.random.randbytes(self.random.choice([0, 4, 8, 16, 40, 300]))
                size = self.random.choice([len(payload)] * 4 + sizes)
                flags = self.random.choice([1, 1, 1, 1 | FLAG_NEED_REPLY, 0, 2, 5, 0xFFFFFFFF])
                push(sock, packed(request, payload, flags, size))

    def surplus_descriptors(self) -> None:
        with connected(self.path) as sock:
            for _ in range(self.random.randint(1, 5)):
                request = self.random.choice([*TAKES_FDS, self.random.randint(0, HIGHEST_REQUEST)])
                count = self.random.choice([1, 2, 3, 7, 8, 9, 16, 33, 253])
                payload = self.random.randbytes(self.random.choice([0, 8, 40]))
                push(sock, packed(request, payload), self.some_fds(count))

    def descriptors_in_the_middle(self) -> None:
        message = packed(self.random.choice(TAKES_FDS), self.random.randbytes(40))
        with connected(self.path) as sock:
            at = 0
            while at < len(message) - 1:
                end = at + self.random.randint(1, 20)
                push(sock, message[at:end], self.some_fds(self.random.randint(0, 4)))
                at = end

    def cut_handshake(self) -> None:
        steps = [
            packed(SET_OWNER),
            packed(SET_PROTOCOL_FEATURES, struct.pack("<Q", 1 << 3 | 1 << 16)),
            packed(SET_FEATURES, struct.pack("<Q", F_VERSION_1 | F_NS | 1 << 30)),
            packed(1) + packed(15),
        ]
        whole = b"".join(steps[: self.random.randint(1, len(steps))])
        with connected(self.path) as sock:
            push(sock, whole[: self.random.randint(1, len(whole))])

    def table(self, offset: int = 0) -> bytes:
        return struct.pack("<IIQQQQ", 1, 0, Host.GUEST, (1 << 20) - offset, Host.USER, offset)

    def mapped_memory(self) -> None:
        """Memory that is mapped, given again, and then all that can be wrong with rings in it."""
        with connected(self.path) as sock:
            for _ in range(self.random.randint(1, 3)):
                push(sock, packed(SET_MEM_TABLE, self.table(4096)), [self.fds[0]])
            for _ in range(self.random.randint(0, 6)):
                queue = self.random.randint(0, 3)
                number = self.random.choice([0, 3, 8, 32768, 65536])
                user = Host.USER + self.random.choice([0, 1, 0x1000, 0xFFFF0, 1 << 40])
                push(sock, packed(8, struct.pack("<II", queue, number)))
                push(sock, packed(9, struct.pack("<IIQQQQ", queue, 0, user, user, user, 0)))
                kind = self.random.choice([SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR])
                push(sock, packed(kind, struct.pack("<Q", queue)), self.some_fds(1))

    def mapped_log_and_regions(self) -> None:
        """The dirty log, regions one by one, and the back-end's own channel."""
        with connected(self.path) as sock:
            push(sock, packed(SET_PROTOCOL_FEATURES, struct.pack("<Q", 0x1 << 1 | 1 << 5 | 1 << 15)))
            push(sock, packed(SET_LOG_BASE, struct.pack("<QQ", 1 << 16, 0)), [self.fds[0]])
            for number in range(self.random.randint(1, 4)):
                region = struct.pack("<QQQQQ", 0, number << 20, 1 << 16, number << 20, 0)
                push(sock, packed(ADD_MEM_REG, region), [self.fds[0]])
                if self.random.random() < 0.3:
                    push(sock, packed(REM_MEM_REG, region), self.some_fds(1))
            push(sock, packed(SET_BACKEND_REQ_FD), self.some_fds(1))

    def running_rings_of_noise(self) -> None:
        """A driver that is ready and whose rings hold anything."""
        host = Host(FrontEnd(self.path))
        try:
            host.start(self.random.choice([F_VERSION_1, F_VERSION_1 | F_NS]))
            at = self.random.choice([ring.desc for ring in host.rings])
            noise = self.random.randbytes(0x800)
            host.memory[at : at + len(noise)] = noise
            for ring in host.rings:
                ring.notify()
            if self.random.random() < 0.5:
                host.front_end.acked(SET_OWNER)
        except (AssertionError, EOFError, ConnectionError):
            pass
        host.close()


def rush(control: Control, rogue: Rogue, count: int) -> None:
    """So many connections in a row, each of which the simulator has to have seen and ended."""
    for _ in range(count):
        rogue.run()
    for _ in range(count):
        control.event("disconnected")


def test_hostile_front_ends_ten_thousand_in_a_row_leak_nothing(
    start: Start, connect: Connect, instrumented: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8")
    sim = start(*SERVICES, "--log-level", "error")
    control, asking = connect(sim), connect(sim)
    rogue = Rogue(sim.socket_path, SEED)
    control.call("events", types=["disconnected"])
    rush(control, rogue, WARM_UP)
    expect_served(sim)
    control.event("disconnected")
    before = Resources.of(sim)

    for _ in range(CONNECTIONS // BATCH):
        rush(control, rogue, BATCH)

    after = Resources.of(sim)
    print(f"{CONNECTIONS} connections: {before} -> {after}")
    expect_no_leak(before, after, instrumented)
    expect_served(sim, rounds=100)
    control.event("disconnected")
    expect_balance(asking)
    assert sum(asking.call("stats")["violations"].values()) > CONNECTIONS
    rogue.close()


# ---- front-ends that are killed, and those that come again ----


def echo_for_ever(path: Path, report: int) -> None:
    """A front-end in a process of its own; reports a byte for each echo. Never returns."""
    try:
        host = Host(FrontEnd(path))
        host.start(F_VERSION_1)
        number = 0
        while True:
            for _ in range(4):
                host.send(2000, 9, struct.pack("<I", number) + b"\xa5" * 100)
                number += 1
            for _ in range(4):
                host.receive()
            os.write(report, b".")
    finally:
        os._exit(1)


def test_hostile_front_end_killed_in_mid_traffic_is_followed_by_another(
    start: Start, connect: Connect, instrumented: bool
) -> None:
    sim = start(*SERVICES, "--log-level", "error")
    control, asking = connect(sim), connect(sim)
    chance = random.Random(SEED)
    control.call("events", types=["disconnected"])
    kills = 200
    before: Resources | None = None
    for number in range(kills):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            echo_for_ever(sim.socket_path, writer)
        os.close(writer)
        for _ in range(chance.randint(1, 20)):
            assert os.read(reader, 1) == b".", "a front-end was not served"
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        os.close(reader)
        control.event("disconnected")
        if number == kills // 10:
            before = Resources.of(sim)

    assert before
    after = Resources.of(sim)
    print(f"{kills} kills: {before} -> {after}")
    expect_no_leak(before, after, instrumented)
    expect_balance(asking)
    assert asking.call("stats")["sessions"] == kills
    expect_served(sim)


def leave_orderly(host: Host) -> None:
    for queue in (INPUT, OUTPUT):
        host.front_end.send(GET_VRING_BASE, struct.pack("<II", queue, 0))
        host.front_end.reply()


def leave_with_messages_under_way(host: Host) -> None:
    for _ in range(4):
        host.send(2000, 9, b"who reads the answer?")


def leave_in_the_middle_of_a_message(host: Host) -> None:
    host.front_end.sock.sendall(packed(SET_OWNER)[:7])


def test_hostile_front_end_that_comes_1000_times_is_served_each_time(
    start: Start, connect: Connect, instrumented: bool
) -> None:
    sim = start(*SERVICES, "--log-level", "error")
    control, asking = connect(sim), connect(sim)
    leave = [leave_orderly, leave_with_messages_under_way, leave_in_the_middle_of_a_message]
    leave.append(lambda host: None)
    control.call("events", types=["disconnected"])
    before: Resources | None = None
    for number in range(1000):
        host = Host(FrontEnd(sim.socket_path))
        host.start()
        assert host.receive_announcement() == ("echo", 9, 0)
        for _ in range(3):
            host.receive_announcement()
        host.send(2000, 9, struct.pack("<I", number))
        assert host.receive() == (9, 2000, struct.pack("<I", number))
        leave[number % len(leave)](host)
        host.close()
        control.event("disconnected")
        if number == 100:
            before = Resources.of(sim)

    assert before
    after = Resources.of(sim)
    print(f"1000 sessions: {before} -> {after}")
    expect_no_leak(before, after, instrumented)
    stats = asking.call("stats")
    assert stats["sessions"] == 1000
    assert [endpoint["addr"] for endpoint in stats["endpoints"]] == [9, 1024, 1025, 1026]
    assert 1000 <= stats["endpoints"][0]["received"] <= 1000 + 4 * 250
    assert stats["violations"] == {"vu-short-message": 250}
    expect_balance(asking)
