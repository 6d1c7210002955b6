# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-host against remotes that misbehave, die, or cannot be reached at all."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import DEADLINE_S, Connect, Start
from host_backend import (
    F_BUFSZ,
    F_NS,
    F_VERSION_1,
    HEADER,
    INPUT,
    OUTPUT,
    SET_VRING_ADDR,
    Backend,
    HostRun,
    HostStart,
    echo,
)

pytest_plugins = ["host_fixtures"]

ECHO = ("--service", "rpmsg-echo=echo,addr=1030")
MakeBackend = Callable[..., Backend]


def objects(text: str) -> list[dict[str, Any]]:
    return [dict(json.loads(line)) for line in text.splitlines()]


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[MakeBackend]:
    """Start a remote in a thread; its end is awaited at the end of the test."""
    made: list[Backend] = []

    def make(**kwargs: Any) -> Backend:
        made.append(Backend(tmp_path / f"{len(made)}.sock", **kwargs))
        made[-1].start()
        return made[-1]

    yield make
    for thread in made:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


# ---- messages that break a rule ----


@pytest.mark.parametrize(
    ("fields", "name", "requirement", "seen"),
    [
        ({"used_len": 0}, "used-len-short", "VQ-052", 0),
        ({"used_len": 15}, "used-len-short", "VQ-052", 15),
        ({"used_len": 513}, "used-len-long", "VQ-052", 513),
        ({"used_len": 0xFFFFFFFF}, "used-len-long", "VQ-052", 0xFFFFFFFF),
        ({"len": 3}, "hdr-len", "HD-024", 3),
        ({"len": 0xFFFF}, "hdr-len", "HD-024", 0xFFFF),
        ({"src": 0xFFFFFFFF}, "hdr-src-any", "HD-005", 0xFFFFFFFF),
        ({"dst": 0xFFFFFFFF}, "hdr-dst-any", "HD-006", 0xFFFFFFFF),
        ({"dst": 53}, "ns-length", "NS-003", 2),
    ],
)
def test_host_message_that_breaks_a_must_is_named_and_fails(
    start: Start,
    connect: Connect,
    host_start: HostStart,
    fields: dict[str, int],
    name: str,
    requirement: str,
    seen: int,
) -> None:
    sim = start(*ECHO)
    process = host_start(sim.socket_path, "--json", "listen", "--count", "1")
    assert process.stdout
    assert json.loads(process.stdout.readline())["type"] == "announced"
    control = connect(sim)

    control.call("send", **{"src": 7, "dst": 1024, "data": "0000", **fields})
    # The rest is still served (HD-020).
    control.request("send", {"src": 7, "dst": 1024, "data": "1234"})

    out, _ = process.communicate(timeout=DEADLINE_S)
    found = [o for o in objects(out) if o["type"] == "finding"]
    assert process.returncode == 1
    assert [(f["name"], f["requirement"], f["level"], f["seen"]) for f in found] == [
        (name, requirement, "must", seen)
    ]
    assert objects(out)[-1]["findings"] == {name: 1}
    assert "message" in [o["type"] for o in objects(out)]


@pytest.mark.parametrize(
    ("fields", "name", "requirement"),
    [
        ({"reserved": 1}, "hdr-reserved", "HD-007"),
        ({"flags": 0x8000}, "hdr-flags", "HD-008"),
        ({"dst": 4711}, "hdr-dst-unbound", "EP-012"),
    ],
)
def test_host_message_that_breaks_a_should_is_named_and_no_failure(
    start: Start,
    connect: Connect,
    host_start: HostStart,
    fields: dict[str, int],
    name: str,
    requirement: str,
) -> None:
    sim = start(*ECHO)
    control = connect(sim)
    process = host_start(sim.socket_path, "ping", "rpmsg-echo", "-i", "100")
    assert process.stdout
    while "seq=0" not in process.stdout.readline():
        pass
    payload = struct.pack("<Q", 0) + bytes(range(48))  # the first answer again

    control.call("send", **{"src": 1030, "dst": 1024, "data": payload.hex(), **fields})
    assert process.stderr
    told = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert re.match(rf"rpmsg-host: the remote: {name}: .*\(should, {requirement}\)", told)
    assert f"remote: {name} 1 (should, {requirement})" in out


@pytest.mark.parametrize(
    ("message", "finding"),
    [
        ((b"a" * 32, 7, 0), "ns-unterminated"),
        ((b"\xff" * 32, 7, 0), "ns-unterminated"),
        ((b"a\0b", 7, 0), "ns-padding"),
        ((b"a", 7, 2), "ns-flags"),
        ((b"a", 0xFFFFFFFF, 0), "ns-addr-any"),
        ((b"", 7, 0), "ns-name-empty"),
        ((b"unknown", 7, 1), "ns-unknown"),
        ((b"twice", 7, 0), "ns-twice"),
    ],
)
def test_host_announcement_oddity_is_counted_by_name(
    backend: MakeBackend, host: HostRun, message: tuple[bytes, int, int], finding: str
) -> None:
    def ready(remote: Backend) -> None:
        remote.announce(b"twice", 7)
        remote.announce(*message)
        remote.announce(b"last", 9)

    result = host(backend(ready=ready).path, "--json", "services")

    *others, summary = objects(result.stdout)
    assert summary["findings"] == {finding: 1}
    assert {"type": "channel", "name": "last", "addr": 9} in others
    assert result.returncode == (1 if finding == "ns-unterminated" else 0)


def test_host_withdrawn_channel_is_not_listed(backend: MakeBackend, host: HostRun) -> None:
    def ready(remote: Backend) -> None:
        remote.announce(b"a", 7)
        remote.announce(b"b", 8)
        remote.announce(b"a", 7, 1)

    result = host(backend(ready=ready).path, "services")

    assert result.stdout.split() == ["b", "8"]


def test_host_announcement_without_the_feature_is_a_violation(
    backend: MakeBackend, host: HostRun
) -> None:
    remote = backend(
        ready=lambda remote: remote.announce(b"a", 7), output=echo, features=F_VERSION_1
    )

    result = host(remote.path, "--json", "ping", "7", "-c", "1")

    assert result.returncode == 1
    assert objects(result.stdout)[-1]["findings"] == {"ns-not-negotiated": 1}
    assert objects(result.stdout)[-1]["received"] == 1


def test_host_name_without_the_name_service_asks_for_an_address(
    backend: MakeBackend, host: HostRun
) -> None:
    result = host(backend(features=F_VERSION_1).path, "ping", "a")

    assert result.returncode == 1
    assert "give the address of the endpoint" in result.stderr


def test_host_send_buffers_returned_with_a_length_are_allowed_and_counted(
    backend: MakeBackend, host: HostRun
) -> None:
    def output(remote: Backend, index: int, message: bytes) -> None:
        remote.use(OUTPUT, index, len(message))

    result = host(backend(output=output).path, "--json", "send", "7", "--text", "x", "--count=3")

    assert result.returncode == 0
    assert objects(result.stdout)[-1]["findings"] == {"tx-used-len": 3}


# ---- answers that are wrong ----


def answer(change: Callable[[Backend, int, int, bytes], None]) -> Callable[..., None]:
    """A remote that returns the buffer and then answers in its own way."""

    def output(remote: Backend, index: int, message: bytes) -> None:
        src, dst, _, length, _ = HEADER.unpack_from(message)
        remote.use(OUTPUT, index, 0)
        change(remote, dst, src, message[16 : 16 + length])

    return output


def test_host_ping_damaged_answer_is_told(backend: MakeBackend, host: HostRun) -> None:
    remote = backend(
        output=answer(lambda r, src, dst, data: r.send(src, dst, data[:-1] + b"\xaa"))
    )

    result = host(remote.path, "ping", "7", "-c", "1", "-W", "0.1")

    assert result.returncode == 1
    assert "1 packets transmitted, 0 received, +1 damaged, 100% packet loss" in result.stdout
    assert "payload 1 (must)" in result.stdout


def test_host_ping_double_answer_is_told(backend: MakeBackend, host_start: HostStart) -> None:
    def twice(remote: Backend, src: int, dst: int, data: bytes) -> None:
        remote.send(src, dst, data)
        remote.send(src, dst, data)

    process = host_start(backend(output=answer(twice)).path, "ping", "7", "-c2", "-i", "0.2")
    out, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert re.search(r"seq=0 time=\d+\.\d+ ms \(DUP!\)", out)
    assert re.search(r"2 packets transmitted, 2 received, \+[12] duplicates, 0% packet loss", out)


def test_host_ping_answer_from_elsewhere_is_a_violation(
    backend: MakeBackend, host: HostRun
) -> None:
    remote = backend(output=answer(lambda r, src, dst, data: r.send(src + 1, dst, data)))

    result = host(remote.path, "--json", "ping", "7", "-c", "1")

    assert result.returncode == 1
    assert objects(result.stdout)[-1]["findings"] == {"hdr-src-other": 1}


def test_host_bench_counts_loss_doubling_and_overtaking(
    backend: MakeBackend, host: HostRun
) -> None:
    held: list[tuple[int, int, bytes]] = []

    def shuffle(remote: Backend, src: int, dst: int, data: bytes) -> None:
        (number,) = struct.unpack_from("<Q", data)
        if number == 3:
            return  # lost
        if number == 5:
            held.append((src, dst, data))  # overtaken by 6
            return
        remote.send(src, dst, data)
        if number == 6:
            remote.send(*held.pop())
        if number == 8:
            remote.send(src, dst, data)  # doubled

    result = host(
        backend(output=answer(shuffle)).path, "--json", "--timeout", "0.3", "bench", "7",
        "--count", "10", "--window", "10", "--batch", "10",
    )

    summary = objects(result.stdout)[-1]
    assert result.returncode == 1
    assert (summary["lost"], summary["duplicated"], summary["reordered"]) == (1, 1, 1)
    assert summary["messages"] == 9


# ---- rings that are broken ----


def use_unknown(remote: Backend) -> None:
    remote.use(INPUT, 256, 16)


def use_idle(remote: Backend) -> None:
    remote.use(INPUT, 100, 16)


def jump(remote: Backend) -> None:
    remote.use(INPUT, remote.take(INPUT), 16, step=300)


def step_back(remote: Backend) -> None:
    remote.use(INPUT, remote.take(INPUT), 16, step=-1)


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (use_unknown, "used-id-range"),
        (use_idle, "used-id-not-outstanding"),
        (jump, "used-idx-jump"),
        (step_back, "used-idx-jump"),
    ],
)
def test_host_broken_ring_ends_with_a_message(
    backend: MakeBackend, host: HostRun, act: Callable[[Backend], None], name: str
) -> None:
    result = host(backend(ready=act).path, "--json", "--buffers", "8", "listen")

    assert result.returncode == 1
    assert "the remote broke queue 0: " in result.stderr
    assert objects(result.stdout)[-1]["findings"] == {name: 1}
    assert "broke queue 0" in objects(result.stdout)[-1]["error"]


def test_host_messages_before_a_broken_entry_are_delivered(
    backend: MakeBackend, host: HostRun
) -> None:
    def ready(remote: Backend) -> None:
        for number in range(3):
            remote.send(7, 1024, bytes([number]))
        remote.use(INPUT, 0xFFFF, 16)

    result = host(backend(ready=ready).path, "--json", "listen")

    assert result.returncode == 1
    assert [o["data"] for o in objects(result.stdout) if o["type"] == "message"] == [
        "00", "01", "02",
    ]  # fmt: skip


def test_host_send_buffer_returned_twice_ends_with_a_message(
    backend: MakeBackend, host: HostRun
) -> None:
    first: list[int] = []

    def output(remote: Backend, index: int, message: bytes) -> None:
        if not first:
            first.append(index)
            return
        remote.use(OUTPUT, first[0], 0)
        remote.use(OUTPUT, first[0], 0)

    result = host(backend(output=output).path, "--json", "send", "7", "--text=x", "--count=2")

    assert result.returncode == 1
    assert "the remote broke queue 1: " in result.stderr
    assert objects(result.stdout)[-1]["findings"] == {"used-id-not-outstanding": 1}


# ---- configuration ----


def bufsz(version: int, size: int, first: int, second: int) -> bytes:
    return struct.pack("<BHII", version, size, first, second)


def test_host_bufsz_sizes_are_used_for_each_direction(
    backend: MakeBackend, host: HostRun
) -> None:
    lengths: list[int] = []

    def ready(remote: Backend) -> None:
        lengths.append(remote.buffer(INPUT, remote.take(INPUT))[1])

    remote = backend(
        ready=ready,
        output=lambda r, index, message: r.use(OUTPUT, index, 0),
        features=F_NS | F_VERSION_1 | F_BUFSZ,
        config=bufsz(1, 11, 2048, 100),
    )

    result = host(remote.path, "--json", "bench", "7", "--mode", "sink", "--count=5", "-s", "84")
    assert result.returncode == 0, result.stderr
    assert lengths == [2048]


def test_host_messages_that_come_together_keep_their_bytes(
    backend: MakeBackend, host: HostRun
) -> None:
    """Shorter and longer than what is copied of a message at first, and just as long."""
    sizes = [1, 496, 497, 2032, 16, 1000, 495, 2032, 0, 498, 496, 3]
    payloads = [bytes([n]) * size for n, size in enumerate(sizes)]

    def ready(remote: Backend) -> None:
        for payload in payloads:
            remote.send(7, 1024, payload)

    remote = backend(
        ready=ready, features=F_VERSION_1 | F_BUFSZ, config=bufsz(1, 11, 2048, 512)
    )
    result = host(remote.path, "--json", "listen", "--count", str(len(sizes)))

    assert result.returncode == 0, result.stderr
    assert [o["data"] for o in objects(result.stdout) if o["type"] == "message"] == [
        payload.hex() for payload in payloads
    ]


def test_host_bufsz_limits_what_can_be_sent(backend: MakeBackend, host: HostRun) -> None:
    remote = backend(features=F_VERSION_1 | F_BUFSZ, config=bufsz(1, 11, 2048, 100))

    result = host(remote.path, "send", "7", "--text", "x" * 85)

    assert result.returncode == 2
    assert "holds 84" in result.stderr


@pytest.mark.parametrize(
    "config",
    [
        bufsz(0, 11, 512, 512),
        bufsz(1, 12, 512, 512),
        bufsz(1, 11, 15, 512),
        bufsz(1, 11, 512, 0xFFFFFFFF),
    ],
)
def test_host_bufsz_of_another_layout_is_refused(
    backend: MakeBackend, host: HostRun, config: bytes
) -> None:
    remote = backend(features=F_VERSION_1 | F_BUFSZ, config=config)

    result = host(remote.path, "services")

    assert result.returncode == 1
    assert "with --no-bufsz the bit is left alone" in result.stderr


@pytest.mark.parametrize("option", [("--no-bufsz",), ("--buffer-size", "512")])
def test_host_bufsz_is_left_alone_when_told(
    backend: MakeBackend, host: HostRun, option: tuple[str, ...]
) -> None:
    remote = backend(features=F_VERSION_1 | F_BUFSZ, config=bufsz(0, 0, 0, 0), output=echo)

    result = host(remote.path, *option, "ping", "7", "-c", "1")

    assert result.returncode == 0, result.stderr
    assert not remote.acked & F_BUFSZ


# ---- remotes that go away ----


def test_host_remote_that_closes_midway_is_a_lost_connection(
    backend: MakeBackend, host_start: HostStart
) -> None:
    remote = backend(output=echo)
    process = host_start(remote.path, "ping", "7", "-i", "0.01")
    assert process.stdout
    while "seq=2" not in process.stdout.readline():
        pass

    remote.sock.shutdown(socket.SHUT_RDWR)
    out, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1
    assert "closed" in err
    assert "ping statistics" in out


@pytest.mark.parametrize("extra", [(), ("--poll",)])
def test_host_launched_remote_that_crashes_is_told(
    binary: str, host_launch: HostRun, extra: tuple[str, ...], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    command = (
        f"echo $$ >{pid}; (sleep 0.4; kill -9 $$) & "
        f"exec {binary} --log-level warn --socket-path {{socket}} {' '.join(ECHO)}"
    )

    result = host_launch(command, "--json", "bench", "rpmsg-echo", "--seconds", "60", *extra)

    assert result.returncode == 1
    summary = objects(result.stdout)[-1]
    assert summary["messages"] > 0
    assert "closed" in summary["error"]
    assert "ended by signal 9" in result.stderr


def test_host_hang_up_in_the_handshake_is_unreachable(
    backend: MakeBackend, host: HostRun
) -> None:
    remote = backend(hang_up_at=SET_VRING_ADDR)

    result = host(remote.path, "services")

    assert result.returncode == 3
    assert str(remote.path) in result.stderr


# ---- nobody there ----


def test_host_no_socket_says_what_to_do(host: HostRun, tmp_path: Path) -> None:
    result = host(tmp_path / "none", "services")

    assert result.returncode == 3
    assert f"{tmp_path}/none" in result.stderr
    assert "No such file or directory" in result.stderr
    assert "start the back-end first" in result.stderr
    assert result.stdout == ""


def test_host_socket_nobody_listens_on_is_unreachable(host: HostRun, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "stale"))

    result = host(tmp_path / "stale", "services")

    assert result.returncode == 3
    assert "Connection refused" in result.stderr


def test_host_listener_that_stays_silent_is_given_up(host: HostRun, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent"))
        listener.listen(1)

        result = host(tmp_path / "silent", "--timeout", "0.2", "services")

    assert result.returncode == 3
    assert "rpmsg-host:" in result.stderr


def test_host_standard_output_that_is_full_is_told(
    start: Start, host_binary: str
) -> None:
    sim = start(*ECHO)
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [host_binary, "--socket-path", str(sim.socket_path), "ping", "1030", "-i", "0.01"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
        )

    assert result.returncode == 1
    assert "standard output takes no more" in result.stderr
