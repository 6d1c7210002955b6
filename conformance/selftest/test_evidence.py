# SPDX-License-Identifier: BSD-2-Clause
"""What is kept of a case that does not pass: decoded messages, and a capture that tshark opens."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import CONFORMANCE

from rpmsg_conformance import capture, sim_trace
from rpmsg_conformance.sim import Event
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio import trace_text
from rpmsg_conformance.virtio.anomaly import Kind, Log
from rpmsg_conformance.virtio.codec import Order, encode_ns, encode_packet
from rpmsg_conformance.virtio.constants import Request
from rpmsg_conformance.virtio.trace import Trace

DISSECTOR = CONFORMANCE.parent / "scripts/wireshark/rpmsg.lua"
ASKING = c.VERSION | c.NEED_REPLY


def told(trace: Trace, whole: bool = True) -> list[str]:
    """The lines without their times."""
    return [line[14:] for line in trace_text.lines(trace.kept(whole))]


@pytest.fixture
def trace() -> Trace:
    """A trace of one connection."""
    made = Trace()
    made.opened()
    return made


@pytest.mark.parametrize(
    ("request_", "payload", "fds", "text"),
    [
        (Request.SET_OWNER, b"", 0, "SET_OWNER"),
        (Request.SET_VRING_NUM, m.VringState(1, 8).encode(), 0, "SET_VRING_NUM queue 1, num 8"),
        (Request.SET_VRING_KICK, m.U64.pack(1), 1, "SET_VRING_KICK queue 1, 1 descriptor"),
        (Request.SET_VRING_KICK, m.U64.pack(0x101), 0,
         "SET_VRING_KICK queue 1, without a descriptor"),
        (Request.SET_STATUS, m.U64.pack(3), 0, "SET_STATUS 0x3 (ACKNOWLEDGE, DRIVER)"),
        (Request.SET_STATUS, m.U64.pack(0), 0, "SET_STATUS 0 (reset)"),
        (Request.SET_STATUS, m.U64.pack(0x11), 0, "SET_STATUS 0x11 (ACKNOWLEDGE, unknown 0x10)"),
        (Request.SET_FEATURES, m.U64.pack(1), 0, "SET_FEATURES 0x1 (NS)"),
        (Request.SET_FEATURES, b"\1\2", 0, "SET_FEATURES with a payload of 2 bytes instead of 8: payload 0102"),
        (99, b"", 0, "request 99"),
    ],
)
def test_evidence_request_is_told_in_words(
    request_: int, payload: bytes, fds: int, text: str, trace: Trace
) -> None:
    trace.request(1, m.encode_message(request_, payload), fds)
    assert told(trace)[-1] == f"-> {text}"


def test_evidence_malformed_requests_are_told_as_they_were(trace: Trace) -> None:
    trace.request(1, b"\1\2\3", 0)
    trace.request(1, m.encode_message(Request.SET_OWNER, flags=0x40, size=7), 0)
    assert told(trace)[1:] == [
        "-> 3 bytes on the socket: 010203",
        "-> SET_OWNER, flags 0x40, header says 7 bytes of payload, 0 were sent",
    ]


def test_evidence_reply_stands_with_its_request(trace: Trace) -> None:
    for queue in (0, 1, 2):
        payload = m.VringState(queue, 8).encode()
        trace.request(1, m.encode_message(Request.SET_VRING_NUM, payload, flags=ASKING), 0)
    reply = c.VERSION | c.REPLY
    trace.reply(1, Request.SET_VRING_NUM, reply, m.U64.pack(0), 0)
    trace.reply(1, Request.SET_VRING_NUM, reply, m.U64.pack(22), 0)
    assert told(trace)[1:] == [
        "-> SET_VRING_NUM queue 0, num 8: accepted",
        "-> SET_VRING_NUM queue 1, num 8: refused with 0x16",
        "-> SET_VRING_NUM queue 2, num 8: no answer",
    ]


def test_evidence_reply_that_nobody_asked_for_has_a_line_of_its_own(trace: Trace) -> None:
    trace.reply(1, Request.GET_FEATURES, c.VERSION, m.U64.pack(0), 2)
    assert told(trace)[-1] == "<- GET_FEATURES 0, flags 0x1, 2 descriptors"


def test_evidence_message_is_told_with_its_buffer(trace: Trace) -> None:
    data = encode_packet(1031, 1024, b"hello")
    trace.sent(1, 1, 7, len(data), data, Order.LITTLE)
    trace.sent(1, 1, 8, 512, encode_packet(1, c.ADDR_ANY, b"\xff" * 40, length=41), Order.LITTLE)
    trace.returned(1, 1, 7, 0)
    trace.received(1, 0, 3, 512, 21, encode_packet(1024, 1031, b"hello"), Order.LITTLE)
    assert told(trace)[1:] == [
        '-> 0x407 > 0x400, 5 bytes "hello" (queue 1, descriptor 7; returned)',
        f"-> 0x1 > ANY, 41 bytes {'ff' * 32}..., but 40 bytes follow the header "
        "(queue 1, descriptor 8, 512 bytes; not returned)",
        '<- 0x400 > 0x407, 5 bytes "hello" (queue 0, descriptor 3, used 21 of 512)',
    ]


def test_evidence_name_service_is_decoded(trace: Trace) -> None:
    data = encode_packet(1024, c.ADDR_NS, encode_ns("echo", 1024))
    trace.received(1, 0, 0, 512, 56, data, Order.LITTLE)
    assert told(trace)[-1] == (
        '<- 0x400 > 0x35, name service: create "echo" at 0x400 '
        "(queue 0, descriptor 0, used 56 of 512)"
    )


def test_evidence_broken_rule_stands_where_it_was_found(trace: Trace) -> None:
    Log(trace).record(Kind.USED_TWICE, 0, 3, "once", "twice")
    trace.closed(1, "lost: the back-end closed the connection")
    assert told(trace)[1:] == [
        f"!! {Kind.USED_TWICE.value} (queue 0, descriptor 3): expected once, saw twice",
        "-- connection lost: the back-end closed the connection",
    ]


def test_evidence_keeps_the_last_entries_and_says_how_many_are_gone() -> None:
    trace = Trace(limit=3)
    for number in range(10):
        trace.remark(f"number {number}")
    lines = trace_text.lines(trace.kept(), trace.total - len(trace.entries))
    assert lines[0].strip() == "(7 earlier ones are not kept)"
    assert [line[-8:] for line in lines[1:]] == ["number 7", "number 8", "number 9"]


def test_evidence_of_an_unmet_expectation_ends_with_the_case(trace: Trace) -> None:
    trace.end_case()
    trace.opened()
    assert told(trace, whole=False) == ["-- connected"]
    assert told(trace)[0] == "-- [1] connected"
    assert told(trace)[-1] == "-- [2] connected"


def test_evidence_every_entry_can_be_told(trace: Trace) -> None:
    """Whatever a hostile case sends: rendering it must not fail."""
    for request in range(45):
        for size in (0, 1, 4, 8, 12, 40, 300):
            trace.request(1, m.encode_message(request, b"\xff" * size, flags=ASKING), size % 3)
            trace.reply(1, request, 0xFFFF, b"\xfe" * size, 0)
    for size in (0, 1, 15, 16, 17, 56, 600):
        for order in Order:
            trace.sent(1, 1, 0, size, b"\x35\0\0\0" * 150, order)
            trace.received(1, 0, 0, size, 1 << 32 - 1, (b"\x35\0\0\0" * 150)[:size], order)
    trace.hostile(1, "avail.idx =", 70000)
    assert len(told(trace)) > 100
    assert list(capture.of_trace(trace.kept()))


def sessions() -> Trace:
    """A trace with each kind of thing that a capture file holds."""
    trace = Trace()
    trace.opened()
    trace.request(1, m.encode_message(Request.SET_OWNER), 0)
    trace.received(
        1, 0, 5, 512, 56, encode_packet(1024, c.ADDR_NS, encode_ns("echo", 1024)), Order.LITTLE
    )
    trace.sent(1, 1, 7, 21, encode_packet(1031, 1024, b"hello"), Order.LITTLE, True)
    trace.received(1, 0, 6, 512, 21, encode_packet(1024, 1031, b"hello", Order.BIG), Order.BIG)
    Log(trace).record(Kind.USED_TWICE, 0, 3, "once", "twice")
    return trace


def dissect(path: Path) -> list[dict[str, str]]:
    """What tshark says of each packet."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    command = [tshark, "-X", f"lua_script:{DISSECTOR}", "-r", str(path), "-T", "fields"]
    names = ("_ws.col.Info", "rpmsg.src", "rpmsg.queue", "rpmsg.desc_id", "rpmsg.ns.name")
    command += [part for name in names for part in ("-e", name)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return [dict(zip(names, line.split("\t"))) for line in result.stdout.splitlines()]


def test_evidence_capture_opens_in_tshark(tmp_path: Path) -> None:
    path = tmp_path / "messages.pcap"
    capture.write(path, list(capture.of_trace(sessions().kept())))
    packets = dissect(path)
    assert [p["_ws.col.Info"] for p in packets] == [
        "-- connected",
        "-> SET_OWNER",
        'create "echo" at 0x400',
        "0x407 -> 0x400, 5 bytes, echo: hello",
        "0x400 -> 0x407, 5 bytes, echo: hello",
        f"[VIOLATION {Kind.USED_TWICE.value} (queue 0, descriptor 3): expected once, saw twice]",
    ]
    assert packets[2]["rpmsg.ns.name"] == "echo"
    assert (packets[3]["rpmsg.queue"], packets[3]["rpmsg.desc_id"]) == ("1", "7")
    assert packets[4]["rpmsg.src"] == "0x00000400"


def test_evidence_of_the_simulators_events(tmp_path: Path) -> None:
    header = {"header": encode_packet(1031, 1024, b"", length=5).hex(), "data": b"hello".hex()}
    events = [
        Event(1, 5_000_000, "driver_ok", {"session": 1, "remote": "remote"}),
        Event(2, 6_000_000, "sent", {**header, "desc_id": 4, "desc_len": 512, "used_len": 21}),
        Event(3, 6_500_000, "message",
              {**header, "desc_id": 0, "desc_len": 21, "verdict": "delivered"}),
        Event(4, 7_000_000, "violation", {"name": "HD-001", "seen": 3}),
    ]
    assert sim_trace.lines(events) == [
        "    0.000 ms  <- driver ok session 1",
        '    1.000 ms  -> 0x407 > 0x400, 5 bytes "hello" (queue 0, descriptor 4, used 21 of 512)',
        '    1.500 ms  <- 0x407 > 0x400, 5 bytes "hello" '
        "(queue 1, descriptor 0, 21 bytes; delivered)",
        "    2.000 ms  !! violation name HD-001, seen 3",
    ]
    path = tmp_path / "messages.pcap"
    capture.write(path, list(sim_trace.packets(events)))
    assert [p["_ws.col.Info"] for p in dissect(path)] == [
        "<- driver ok session 1",
        "0x407 -> 0x400, 5 bytes: hello",
        "0x407 -> 0x400, 5 bytes: hello",
        "[VIOLATION violation name HD-001, seen 3]",
    ]


def test_evidence_of_a_failure_is_in_every_report(
    simulator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rpmsg_conformance.cli import main

    command = f"{simulator_path} --socket-path {{socket}} --service echo --fault hdr-reserved"
    report = tmp_path / "report"
    options = ["--strict", "--select", "test_header_reserved_is_zero[0]", "--report", str(report)]
    assert main(["remote", "--launch", command, *options]) == 1
    text = capsys.readouterr().out
    [[case]] = [r["cases"] for r in json.loads((report / "report.json").read_text())["requirements"]]
    assert case["verdict"] == "WARN"
    assert any("name service: create" in line for line in case["messages"])
    assert case["files"] == [case["capture"]] == ["messages.pcap"]
    assert "| " in text and "-> from the suite" in text
    assert "last messages:" in (report / "junit.xml").read_text()
    page = (report / "index.html").read_text()
    assert f'href="./{case["artefacts"]}/messages.pcap"'.replace("[", "%5B") in page
    assert dissect(report / case["artefacts"] / case["capture"])
