# SPDX-License-Identifier: BSD-2-Clause
"""Captures: made by rpmsg-sim, read by tshark with scripts/wireshark/rpmsg.lua."""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import (
    BUFFER_SIZE,
    DEADLINE_S,
    F_VERSION_1,
    GET_FEATURES,
    HEADER,
    OUTPUT,
    Attach,
    Connect,
    FrontEnd,
    Run,
    Start,
)

DISSECTOR = Path(__file__).resolve().parents[2] / "scripts/wireshark/rpmsg.lua"
REFUSED = -32000
NANOSECOND_MAGIC = 0xA1B23C4D  # of a libpcap file with nanoseconds
LINKTYPE_USER0 = 147

Packet = dict[str, list[str]]


def dissect(path: Path, display_filter: str = "") -> list[Packet]:
    """What tshark shows of a capture: of each packet, all values of each rpmsg field."""
    command = ["tshark", "-X", f"lua_script:{DISSECTOR}", "-r", str(path), "-T", "json"]
    command += ["-Y", display_filter] if display_filter else []
    result = subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE_S)
    assert result.returncode == 0, result.stderr
    assert "Lua" not in result.stderr
    packets = []
    for packet in json.loads(result.stdout, object_pairs_hook=list):
        fields: Packet = {}
        collect(packet, fields)
        packets.append(fields)
    return packets


def collect(node: Any, fields: Packet) -> None:
    """Flatten nested pairs of names and values; a name may come again."""
    for name, value in node:
        if isinstance(value, list):
            for pairs in value if value and isinstance(value[0][0], list) else [value]:
                collect(pairs, fields)
        if isinstance(value, str) and name.startswith(("rpmsg.", "_ws.expert.message")):
            fields.setdefault(name, []).append(value)


def only(packet: Packet, name: str) -> str:
    [value] = packet[name]
    return value


def payload(packet: Packet) -> bytes:
    return bytes.fromhex(only(packet, "rpmsg.payload").replace(":", ""))


def test_capture_of_a_session_shows_each_message_with_its_transport(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "session.pcap"
    sim = start("--capture", str(path), "--service", "channel,addr=1030")
    host = attach(sim)
    host.receive_announcement()
    index = host.send(2000, 1030, b"\x01\x02\x03")
    host.receive()
    assert sim.stop() == 0

    announcement, question, answer = dissect(path)

    assert only(question, "rpmsg.direction") == "0" and only(question, "rpmsg.queue") == "1"
    assert only(question, "rpmsg.desc_id") == str(index)
    assert only(question, "rpmsg.desc_len") == str(HEADER.size + 3)
    assert only(question, "rpmsg.src") == "0x000007d0"
    assert only(question, "rpmsg.dst") == "0x00000406"
    assert only(question, "rpmsg.len") == "3" and payload(question) == b"\x01\x02\x03"
    assert only(question, "rpmsg.dropped") == "0"
    assert only(question, "rpmsg.service") == "channel"
    assert only(question, "rpmsg.service.kind") == "echo"

    assert only(answer, "rpmsg.direction") == "1" and only(answer, "rpmsg.queue") == "0"
    assert only(answer, "rpmsg.desc_len") == str(BUFFER_SIZE)
    assert only(answer, "rpmsg.used_len") == str(HEADER.size + 3)
    assert only(answer, "rpmsg.src") == "0x00000406" and payload(answer) == b"\x01\x02\x03"

    assert only(announcement, "rpmsg.dst") == "0x00000035"
    assert only(announcement, "rpmsg.ns.name") == "channel"
    assert only(announcement, "rpmsg.ns.addr") == "0x00000406"
    assert only(announcement, "rpmsg.ns.flags") == "0x00000000"
    for packet in (announcement, question, answer):
        assert "rpmsg.remote" not in packet and "_ws.expert.message" not in packet


def test_capture_marks_violations_and_drops_as_expert_infos(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "bad.pcap"
    sim = start("--capture", str(path), "--service", "a=sink,addr=9")
    host = attach(sim, features=F_VERSION_1)
    host.send(0xFFFFFFFF, 9, b"nobody", length=400)
    host.send(5, 77, b"nowhere")
    host.wait_returned()
    assert sim.stop() == 0

    bad, lost = dissect(path)

    assert bad["rpmsg.violation"] == [
        "hd-len HD-003 expected=6 seen=400",
        "hd-src-any HD-005 expected=0 seen=4294967295",
    ]
    assert only(bad, "rpmsg.drop") == "length"
    assert {
        "Violation: hd-len HD-003 expected=6 seen=400",
        "Violation: hd-src-any HD-005 expected=0 seen=4294967295",
        "Not delivered: length",
        "Message ends before its length says",
    } == set(bad["_ws.expert.message"])
    assert only(lost, "rpmsg.drop") == "no-endpoint" and only(lost, "rpmsg.dropped") == "1"
    assert "rpmsg.violation" not in lost
    assert len(dissect(path, "rpmsg.expert.violation")) == 1


def test_capture_of_a_violation_without_message_is_a_packet_of_its_own(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "ring.pcap"
    sim = start("--capture", str(path))
    host = attach(sim)
    host.rings[OUTPUT].expose(4711)  # no such descriptor
    host.rings[OUTPUT].notify()
    while "vq-head-range" not in sim.log_text():
        pass
    host.front_end.sock.sendall(struct.pack("<III", GET_FEATURES, 2, 0))  # no such version
    assert host.front_end.closed_by_peer()
    assert sim.stop() == 0

    ring, request = sorted(dissect(path), key=lambda packet: packet["rpmsg.queue"])

    assert only(ring, "rpmsg.no_message") == "1" and only(ring, "rpmsg.queue") == "1"
    assert only(ring, "rpmsg.violation").startswith("vq-head-range VQ-002")
    assert only(request, "rpmsg.queue") == "255"
    assert only(request, "rpmsg.violation").startswith("vu-version VU-003")
    assert "rpmsg.src" not in ring and "rpmsg.src" not in request


PAYLOADS: dict[str, tuple[str, bytes, dict[str, list[str]]]] = {
    "counter": ("nxp-pingpong", struct.pack("<I", 7), {"rpmsg.pingpong.counter": ["7", "8"]}),
    "shutdown": (
        "openamp-demo",
        struct.pack("<I", 0xEF56A55A),
        {"rpmsg.demo.shutdown": ["0xef56a55a"]},
    ),
    "matrix": (
        "matrix",
        struct.pack("<I36I", 6, *range(36)) * 2,
        {"rpmsg.matrix.size": ["6", "6", "6"]},
    ),
    "ping": (
        "nuttx-ping",
        struct.pack("<IIQ", 1, 16, 0x1122334455667788),
        {
            "rpmsg.ping.command": ["1", "4"],
            "rpmsg.ping.cookie": ["0x1122334455667788", "0x1122334455667788"],
        },
    ),
    "sdb": (
        "st-sdb",
        b"B3A80000000L00001000",
        {"rpmsg.sdb.buffer": ["3", "3"], "rpmsg.sdb.addr": ["0x80000000"]},
    ),
    "text": ("tty", b"hello", {"rpmsg.text": ["hello", "hello"]}),
}


def test_capture_payloads_of_known_services_are_dissected(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "services.pcap"
    services = [
        f"--service=channel-{number}={kind},addr={100 + number}"
        for number, (kind, _, _) in enumerate(PAYLOADS.values())
    ]
    sim = start("--capture", str(path), *services)
    host = attach(sim, size=32)
    for _ in PAYLOADS:
        host.receive_announcement()
    for number, (_, message, _) in enumerate(PAYLOADS.values()):
        host.send(2000, 100 + number, message)
        host.receive()  # its answer; to the shutdown word, that the service is gone
    assert sim.stop() == 0

    packets = dissect(path)

    for number, (kind, _, expected) in enumerate(PAYLOADS.values()):
        seen: Packet = {}
        for packet in packets:
            if f"0x{100 + number:08x}" in packet["rpmsg.src"] + packet["rpmsg.dst"]:
                for name, values in packet.items():  # announcements included
                    seen.setdefault(name, []).extend(values)
        assert {name: seen.get(name) for name in expected} == expected, kind


def test_capture_is_a_libpcap_file_with_nanoseconds_and_the_time_of_day(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "times.pcap"
    before = time.time_ns()
    sim = start("--capture", str(path), "--service", "a,addr=9")
    host = attach(sim)
    host.receive_announcement()
    after = time.time_ns()
    assert sim.stop() == 0

    data = path.read_bytes()
    magic, _, _, _, _, _, link_type = struct.unpack_from("=IHHiIII", data)
    seconds, nanoseconds = struct.unpack_from("=II", data, 24)

    assert (magic, link_type) == (NANOSECOND_MAGIC, LINKTYPE_USER0)
    assert before <= seconds * 10**9 + nanoseconds <= after


def test_capture_is_started_and_stopped_at_run_time(
    start: Start, connect: Connect, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "part.pcap"
    sim = start("--service", "a,addr=9")
    control, host = connect(sim), attach(sim)
    host.receive_announcement()

    assert control.call("capture_start", file=str(path)) == {"file": str(path)}
    host.send(2000, 9, b"captured")
    host.receive()
    stopped = control.call("capture_stop")
    host.send(2000, 9, b"not captured")
    host.receive()

    assert stopped == {"file": str(path), "packets": 2}
    assert [payload(packet) for packet in dissect(path)] == [b"captured"] * 2


def test_capture_packets_reach_the_file_while_it_is_running(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "live.pcap"
    sim = start("--capture", str(path), "--service", "a,addr=9")
    empty = path.stat().st_size
    attach(sim).receive_announcement()

    deadline = time.monotonic() + DEADLINE_S
    while path.stat().st_size == empty:
        assert time.monotonic() < deadline, "nothing was written"
        time.sleep(0.01)


def record_times(path: Path) -> list[int]:
    """Nanoseconds since the epoch of each packet."""
    data, at, times = path.read_bytes(), 24, []
    while at < len(data):
        seconds, nanoseconds, size, _ = struct.unpack_from("=IIII", data, at)
        times.append(seconds * 10**9 + nanoseconds)
        at += 16 + size
    return times


@pytest.mark.parametrize("poll", ["--poll=0", "--poll=20000"])
def test_capture_times_are_those_of_the_messages(
    start: Start, attach: Attach, tmp_path: Path, poll: str
) -> None:
    path = tmp_path / "times.pcap"
    sim = start("--capture", str(path), "--service", "a,addr=9", poll)
    host = attach(sim)
    host.receive_announcement()
    spans = []
    for _ in range(3):
        before = time.time_ns()
        host.send(2000, 9, b"now")
        host.receive()
        spans.append((before, time.time_ns()))
        time.sleep(0.005)  # so that the next one has a time of its own, or is wrong
    assert sim.stop() == 0

    times = record_times(path)[1:]

    assert times == sorted(times)
    for (before, after), pair in zip(spans, zip(times[::2], times[1::2])):
        assert all(before - 10**6 <= moment <= after + 10**6 for moment in pair)


def test_capture_of_a_killed_process_is_readable(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "killed.pcap"
    sim = start("--capture", str(path), "--service", "a,addr=9")
    host = attach(sim)
    host.receive_announcement()
    host.send(2000, 9, b"before")
    host.receive()
    deadline = time.monotonic() + DEADLINE_S
    while path.stat().st_size == 24 or len(record_times(path)) < 3:
        assert time.monotonic() < deadline, "it is to be there after 200 ms"
        time.sleep(0.01)
    sim.expected_status = sim.stop(signal.SIGKILL)
    for left in (sim.socket_path, sim.control_path):
        left.unlink()
        Path(f"{left}.lock").unlink()

    assert [payload(packet) for packet in dissect(path)[1:]] == [b"before"] * 2


def test_capture_of_a_terminated_process_has_all(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    path = tmp_path / "terminated.pcap"
    sim = start("--capture", str(path), "--service", "a,addr=9")
    host = attach(sim)
    host.receive_announcement()
    for _ in range(1000):  # more than one block of the file
        host.send(2000, 9, bytes(400))
        host.receive()
    assert sim.stop(signal.SIGTERM) == 0

    assert len(record_times(path)) == 2001


def test_capture_of_two_at_a_time_is_refused(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    first = tmp_path / "first.pcap"
    control = connect(start("--capture", str(first)))

    error = control.request("capture_start", {"file": str(tmp_path / "second.pcap")})["error"]

    assert (error["code"], error["data"]) == (REFUSED, {"errno": "EBUSY"})
    assert str(first) in error["message"]
    assert not (tmp_path / "second.pcap").exists()


def test_capture_stop_without_capture_is_refused(start: Start, connect: Connect) -> None:
    error = connect(start()).request("capture_stop")["error"]

    assert (error["code"], error["data"]) == (REFUSED, {"errno": "ENOENT"})


@pytest.mark.parametrize("kind", ["pipe", "directory", "socket"])
def test_capture_into_what_is_no_regular_file_is_refused_and_leaves_it_alone(
    start: Start, connect: Connect, tmp_path: Path, kind: str
) -> None:
    sim = start()
    path = {"socket": sim.socket_path, "directory": tmp_path / "d", "pipe": tmp_path / "p"}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "directory":
        path.mkdir()

    error = connect(sim).request("capture_start", {"file": str(path)})["error"]

    assert error["code"] == REFUSED and "params.file: " in error["message"]
    assert path.exists()
    FrontEnd(sim.socket_path).close()


def test_capture_that_cannot_be_written_ends_the_start_with_its_path(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "none" / "file.pcap"

    result = run("--socket-path", str(tmp_path / "s"), "--capture", str(path))

    assert result.returncode == 1
    assert f"--capture: cannot write {path}: No such file or directory" in result.stderr
    assert not list(tmp_path.iterdir())


def test_capture_on_a_full_disk_ends_and_the_service_goes_on(
    start: Start, connect: Connect, attach: Attach, tmp_path: Path
) -> None:
    sim = start("--service", "a,addr=9")
    resource.prlimit(sim.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    control, host = connect(sim), attach(sim)
    host.receive_announcement()
    control.call("capture_start", file=str(tmp_path / "full.pcap"))

    while "is incomplete" not in sim.log_text():
        host.send(2000, 9, bytes(400))
        host.receive()

    assert control.request("capture_stop")["error"]["data"] == {"errno": "ENOENT"}
    host.send(2000, 9, b"still here")
    assert host.receive()[2] == b"still here"
    assert sim.process.poll() is None
    sim.expected_status = 1  # a capture is incomplete
