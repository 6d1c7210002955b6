# SPDX-License-Identifier: BSD-2-Clause
"""Each command of rpmsg-host, as a program, against the real rpmsg-sim."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import DEADLINE_S, Connect, Sim, Start
from host_backend import HostRun, HostStart

pytest_plugins = ["host_fixtures"]

ECHO = ("--service", "rpmsg-echo=echo,addr=1030")

def objects(text: str) -> list[dict[str, Any]]:
    """Every line has to be one JSON object."""
    return [dict(json.loads(line)) for line in text.splitlines()]


def wait_line(process: subprocess.Popen[str], pattern: str) -> str:
    """The next line of standard output that matches; all before it are dropped."""
    assert process.stdout
    for line in process.stdout:
        if re.search(pattern, line):
            return line
    pytest.fail(f"ended without a line that matches {pattern}")


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Ctrl-C; returns status, and the rest of standard output and standard error."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


@pytest.fixture
def echo_sim(start: Start) -> Sim:
    return start(*ECHO, "--service", "a-sink=sink", "--service", "a-source=source")


# ---- services ----


def test_host_services_lists_what_is_announced(echo_sim: Sim, host: HostRun) -> None:
    result = host(echo_sim.socket_path, "services")

    assert result.returncode == 0, result.stderr
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["rpmsg-echo", "1030"],
        ["a-sink", "1024"],
        ["a-source", "1025"],
    ]


def test_host_services_json_is_one_object_a_channel(echo_sim: Sim, host: HostRun) -> None:
    *channels, summary = objects(host(echo_sim.socket_path, "--json", "services").stdout)

    assert {"type": "channel", "name": "a-sink", "addr": 1024} in channels
    assert len(channels) == 3
    assert summary["type"] == "summary"
    assert summary["channels"] == 3
    assert summary["findings"] == {}


def test_host_services_of_a_silent_remote_is_nothing(start: Start, host: HostRun) -> None:
    result = host(start().socket_path, "services", "--quiet", "0.05")

    assert result.returncode == 0
    assert result.stdout == "the remote announces nothing\n"


def test_host_services_shows_a_name_of_any_byte_as_ascii(start: Start, host: HostRun) -> None:
    result = host(start("--service", "a\x1b[1m\u00fc=echo").socket_path, "services")

    assert result.stdout.split() == [r"a\x1b[1m\xc3\xbc", "1024"]


# ---- ping ----


def test_host_ping_tells_each_answer_and_the_statistics(echo_sim: Sim, host: HostRun) -> None:
    result = host(echo_sim.socket_path, "ping", "rpmsg-echo", "-c", "3", "-i", "0.01")

    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "PING rpmsg-echo (1030) 56 bytes of payload"
    for number in range(3):
        assert re.fullmatch(
            rf"56 bytes from 1030: seq={number} time=\d+\.\d{{3}} ms", lines[1 + number]
        )
    assert lines[5] == "--- rpmsg-echo ping statistics ---"
    assert re.match(r"3 packets transmitted, 3 received, 0% packet loss, time \d+ms", lines[6])
    assert re.fullmatch(
        r"rtt min/avg/max/mdev = [\d.]+/[\d.]+/[\d.]+/[\d.]+ ms", lines[7]
    )


@pytest.mark.parametrize("size", [0, 1, 7, 8, 496])
def test_host_ping_of_any_size_comes_back(echo_sim: Sim, host: HostRun, size: int) -> None:
    result = host(
        echo_sim.socket_path, "--json", "ping", "1030", "-c", "20", "-i0", "-s", str(size)
    )

    *replies, summary = objects(result.stdout)
    assert result.returncode == 0
    assert [(r["seq"], r["bytes"]) for r in replies] == [(n, size) for n in range(20)]
    assert (summary["sent"], summary["received"], summary["lost"]) == (20, 20, 0)
    rtt = summary["rtt_us"]
    assert 0 < rtt["min"] <= rtt["avg"] <= rtt["max"]


def test_host_ping_above_the_buffer_is_refused(echo_sim: Sim, host: HostRun) -> None:
    result = host(echo_sim.socket_path, "ping", "1030", "-s", "497")

    assert result.returncode == 2
    assert "holds 496 bytes" in result.stderr


def test_host_ping_without_an_answer_is_loss(echo_sim: Sim, host: HostRun) -> None:
    result = host(
        echo_sim.socket_path, "ping", "a-sink", "-c", "2", "-i", "0.01", "-W", "0.05"
    )

    assert result.returncode == 1
    assert "no answer: seq=0\nno answer: seq=1\n" in result.stdout
    assert "2 packets transmitted, 0 received, 100% packet loss" in result.stdout


def test_host_ping_of_an_unbound_address_is_loss_in_json(echo_sim: Sim, host: HostRun) -> None:
    result = host(echo_sim.socket_path, "--json", "ping", "77", "-c1", "-W", "0.05")

    timeout, summary = objects(result.stdout)
    assert result.returncode == 1
    assert timeout == {"type": "timeout", "seq": 0}
    assert (summary["lost"], summary["rtt_us"]) == (1, None)


def test_host_ping_ctrl_c_prints_the_statistics_so_far(
    echo_sim: Sim, host_start: HostStart
) -> None:
    process = host_start(echo_sim.socket_path, "ping", "rpmsg-echo", "-i", "100")
    wait_line(process, "seq=0")

    status, out, err = interrupt(process)

    assert status == 0, err
    assert "1 packets transmitted, 1 received, 0% packet loss" in out


def test_host_ping_a_channel_announced_later_is_waited_for(
    start: Start, connect: Connect, host_start: HostStart
) -> None:
    sim = start("--service", "other")
    control = connect(sim)
    control.call("events", types=["driver_ok"])
    process = host_start(sim.socket_path, "ping", "late", "-c", "1")
    control.event("driver_ok")
    control.call("announce", name="late")

    out, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0, err
    assert "1 received" in out


def test_host_ping_of_an_unknown_channel_names_those_there_are(
    echo_sim: Sim, host: HostRun
) -> None:
    result = host(echo_sim.socket_path, "--timeout", "0.2", "ping", "nobody")

    assert result.returncode == 1
    assert (
        'no channel "nobody" was announced within 0.2 s; rpmsg-echo, a-sink, a-source were'
        in result.stderr
    )


# ---- send ----


def test_host_send_text_arrives(
    echo_sim: Sim, host: HostRun, connect: Connect
) -> None:
    control = connect(echo_sim)
    control.call("events", types=["message"])

    result = host(
        echo_sim.socket_path, "send", "a-sink", "--text", "hello", "--src", "2000", "--count", "2"
    )

    assert result.returncode == 0, result.stderr
    assert "sent 2 of 5 bytes from 2000 to 1024, 2 taken by the remote" in result.stdout
    for _ in range(2):
        event = control.event("message")
        assert (event["src"], event["dst"], event["data"]) == (2000, 1024, b"hello".hex())


def test_host_send_hex_and_file_are_the_same_bytes(
    echo_sim: Sim, host: HostRun, connect: Connect, tmp_path: Path
) -> None:
    control = connect(echo_sim)
    control.call("events", types=["message"])
    file = tmp_path / "payload"
    file.write_bytes(b"\x00\xff\x10")

    host(echo_sim.socket_path, "send", "1024", "--hex", "00:ff 10")
    host(echo_sim.socket_path, "send", "1024", "--file", str(file))

    assert [control.event("message")["data"] for _ in range(2)] == ["00ff10", "00ff10"]


def test_host_send_of_more_than_a_buffer_is_refused(
    echo_sim: Sim, host: HostRun, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(497))

    result = host(echo_sim.socket_path, "send", "1024", "--file", str(file))

    assert result.returncode == 2
    assert "497 bytes or more, a message to this remote holds 496" in result.stderr


def test_host_send_held_buffers_are_told(
    start: Start, connect: Connect, host: HostRun
) -> None:
    sim = start(*ECHO)
    connect(sim).call("hold", queue=1)

    result = host(
        sim.socket_path, "--json", "--timeout", "0.2", "--queue-size", "4", "send", "1030",
        "--text", "x", "--count", "9",
    )

    assert result.returncode == 1
    assert "did not return" in result.stderr
    (summary,) = objects(result.stdout)
    assert (summary["sent"], summary["returned"]) == (4, 0)


def test_host_send_more_than_the_ring_holds_waits_for_buffers(
    echo_sim: Sim, host: HostRun
) -> None:
    result = host(
        echo_sim.socket_path, "--json", "--queue-size", "2", "send", "a-sink", "--text", "x",
        "--count", "500",
    )

    (summary,) = objects(result.stdout)
    assert (summary["sent"], summary["returned"]) == (500, 500)


# ---- listen ----


def test_host_listen_dumps_like_tcpdump(
    echo_sim: Sim, connect: Connect, host_start: HostStart
) -> None:
    process = host_start(echo_sim.socket_path, "listen", "--count", "1")
    wait_line(process, "a-source announced at 1025")
    connect(echo_sim).call("send", src=7, dst=1024, data=b"hello world! 123.\x00".hex())

    out, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0, err
    assert re.match(r"\d\d:\d\d:\d\d\.\d{6} 7 > 1024: length 18\n", out)
    assert out.splitlines()[1:3] == [
        "\t0x0000:  6865 6c6c 6f20 776f 726c 6421 2031 3233  hello world! 123",
        "\t0x0010:  2e00                                     ..",
    ]


def test_host_listen_json_has_all_fields(
    echo_sim: Sim, connect: Connect, host_start: HostStart
) -> None:
    process = host_start(echo_sim.socket_path, "--json", "listen", "--count", "1")
    wait_line(process, "a-source")
    connect(echo_sim).call("send", src=7, dst=8, data="00ff", reserved=5, flags=9)

    status = process.wait(DEADLINE_S)
    assert process.stdout
    messages = [o for o in objects(process.stdout.read()) if o["type"] == "message"]

    assert status == 0
    (message,) = messages
    del message["time"]
    assert message == {
        "type": "message", "src": 7, "dst": 8, "len": 2, "reserved": 5, "flags": 9,
        "used_len": 18, "data": "00ff",
    }  # fmt: skip


def test_host_listen_with_an_address_shows_only_what_comes_from_there(
    echo_sim: Sim, connect: Connect, host_start: HostStart
) -> None:
    process = host_start(echo_sim.socket_path, "--json", "listen", "1030", "--count", "1")
    wait_line(process, "a-source")
    control = connect(echo_sim)
    control.call("send", src=7, dst=1024, data="01")
    control.call("send", src=1030, dst=1024, data="02")

    out, _ = process.communicate(timeout=DEADLINE_S)

    assert [o["data"] for o in objects(out) if o["type"] == "message"] == ["02"]


def test_host_listen_announces_and_withdraws_its_channel(
    echo_sim: Sim, connect: Connect, host_start: HostStart
) -> None:
    control = connect(echo_sim)
    control.call("events", types=["ns"])
    process = host_start(echo_sim.socket_path, "listen", "--announce", "host-channel")

    def from_host() -> dict[str, Any]:
        while True:
            event = control.event("ns")
            if event["name"] == "host-channel":
                return event

    created = from_host()
    status, out, err = interrupt(process)
    destroyed = from_host()

    assert status == 0, err
    assert (created["addr"], destroyed["addr"]) == (1024, 1024)
    assert (created["action"], destroyed["action"]) == ("create", "destroy")
    assert "0 messages" in out


# ---- bench ----


@pytest.mark.parametrize("extra", [(), ("--poll",), ("--window", "64", "--batch", "16")])
@pytest.mark.parametrize("queue_size", [1, 64])
def test_host_bench_echo_counts_every_round_trip(
    echo_sim: Sim, host: HostRun, extra: tuple[str, ...], queue_size: int
) -> None:
    if queue_size == 1 and extra[:1] == ("--window",):
        extra = ("--window", "1")
    result = host(
        echo_sim.socket_path, "--json", "bench", "rpmsg-echo", "--count", "3000", "-s", "496",
        "--queue-size", str(queue_size), *extra,
    )

    assert result.returncode == 0, result.stderr
    (summary,) = objects(result.stdout)
    assert (summary["sent"], summary["messages"]) == (3000, 3000)
    for counter in ("lost", "duplicated", "reordered", "damaged"):
        assert summary[counter] == 0
    latency = summary["latency_us"]
    percentiles = [latency[key] for key in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert percentiles == sorted(percentiles)
    assert percentiles[0] > 0


@pytest.mark.parametrize("extra", [(), ("--poll",), ("--no-event-idx",), ("--queue-size", "1")])
def test_host_bench_sink_has_every_buffer_returned(
    echo_sim: Sim, host: HostRun, connect: Connect, extra: tuple[str, ...]
) -> None:
    result = host(
        echo_sim.socket_path, "--json", "bench", "a-sink", "--mode", "sink", "--count", "5000",
        *extra,
    )

    assert result.returncode == 0, result.stderr
    (summary,) = objects(result.stdout)
    assert (summary["sent"], summary["messages"], summary["lost"]) == (5000, 5000, 0)
    assert connect(echo_sim).call("stats")["messages"]["delivered"] == 5000


def test_host_bench_into_what_is_no_sink_is_told(echo_sim: Sim, host: HostRun) -> None:
    """An echo, for instance, that somebody named so: the figure is not that of one way."""
    args = ("bench", "rpmsg-echo", "--mode", "sink", "--count", "100")

    text = host(echo_sim.socket_path, *args)
    (summary,) = objects(host(echo_sim.socket_path, "--json", *args).stdout)

    assert re.search(r"^  \d+ messages came back: rpmsg-echo is no sink", text.stdout, re.MULTILINE)
    assert "latency" not in text.stdout
    assert 0 < summary["answered"] <= 100
    assert summary["latency_us"] is None


def test_host_bench_source_counts_what_arrives(echo_sim: Sim, host: HostRun) -> None:
    result = host(
        echo_sim.socket_path, "--json", "bench", "a-source", "--mode", "source", "--count", "20"
    )

    assert result.returncode == 0, result.stderr
    (summary,) = objects(result.stdout)
    assert (summary["messages"], summary["lost"], summary["bytes"]) == (20, 0, 64)


def test_host_bench_source_takes_all_that_a_fast_source_has(start: Start, host: HostRun) -> None:
    sim = start("--service", "fast=source,rate=4294967295,size=32,messages=20000")

    result = host(
        sim.socket_path, "--json", "bench", "fast", "--mode", "source", "--count", "20000"
    )

    assert result.returncode == 0, result.stderr
    (summary,) = objects(result.stdout)
    seen = [summary[name] for name in ("messages", "lost", "duplicated", "reordered", "bytes")]
    assert seen == [20000, 0, 0, 0, 32]


def test_host_bench_source_measures_the_rate_of_a_source(start: Start, host: HostRun) -> None:
    sim = start("--service", "paced=source,rate=500")

    result = host(
        sim.socket_path, "--json", "bench", "paced", "--mode", "source", "--count", "101"
    )

    assert result.returncode == 0, result.stderr
    (summary,) = objects(result.stdout)
    # 101 messages are 100 intervals of 2 ms; a loaded machine may be late, none is early.
    assert summary["seconds"] >= 0.199
    assert 1 < summary["per_second"] <= 101 / 0.199


def test_host_bench_for_a_time_ends(echo_sim: Sim, host: HostRun) -> None:
    result = host(echo_sim.socket_path, "bench", "rpmsg-echo", "--seconds", "0.2")

    assert result.returncode == 0, result.stderr
    assert re.search(r"round trips [1-9]\d* in 0\.\d+ s", result.stdout)
    assert "lost 0, duplicated 0, reordered 0, damaged 0" in result.stdout


@pytest.mark.parametrize("mode", ["echo", "sink", "source"])
def test_host_bench_ctrl_c_prints_the_result_so_far(
    echo_sim: Sim, host_start: HostStart, connect: Connect, mode: str
) -> None:
    control = connect(echo_sim)
    control.call("events", types=["message"])
    target = {"echo": "rpmsg-echo", "sink": "a-sink", "source": "a-source"}[mode]
    process = host_start(
        echo_sim.socket_path, "--json", "bench", target, "--mode", mode, "--seconds", "100"
    )
    control.event("message")
    control.close()

    status, out, err = interrupt(process)

    assert status in (0, 1), err  # 1: what was on its way was not waited for
    (summary,) = objects(out)
    assert summary["mode"] == mode


def test_host_bench_silent_remote_is_given_up(
    echo_sim: Sim, host: HostRun
) -> None:
    result = host(
        echo_sim.socket_path, "--json", "--timeout", "0.2", "bench", "a-sink", "--window", "4",
    )

    assert result.returncode == 1
    assert "the remote answered nothing for 0.2 s" in result.stderr
    (summary,) = objects(result.stdout)
    assert summary["lost"] == summary["sent"] == 4


# ---- launch ----


def launch_command(binary: str, *args: str) -> str:
    return " ".join([binary, "--log-level", "warn", "--socket-path", "{socket}", *args])


def test_host_launch_starts_and_ends_the_remote(
    binary: str, host_launch: HostRun, launch_dir: Path, tmp_path: Path
) -> None:
    command = launch_command(binary, *ECHO)

    result = host_launch(f"echo $$ >{tmp_path}/pid; exec {command}", "ping", "rpmsg-echo", "-c1")

    assert result.returncode == 0, result.stderr
    assert "1 received" in result.stdout
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
    assert list(launch_dir.iterdir()) == []


def test_host_launch_output_of_the_remote_is_no_result(
    binary: str, host_launch: HostRun
) -> None:
    command = launch_command(binary, *ECHO)

    result = host_launch(f"echo chatter; exec {command}", "--json", "services")

    assert objects(result.stdout)[0]["name"] == "rpmsg-echo"
    assert "chatter" in result.stderr


def test_host_launch_that_fails_is_told(host_launch: HostRun, launch_dir: Path) -> None:
    result = host_launch("exit 7 # {socket}", "services")

    assert result.returncode == 3
    assert "the launched back-end has ended" in result.stderr
    assert list(launch_dir.iterdir()) == []


def test_host_launch_without_the_placeholder_is_wrong_usage(host_launch: HostRun) -> None:
    result = host_launch("true", "services")

    assert result.returncode == 2
    assert "{socket} is not in the command" in result.stderr


# ---- usage ----


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "no command is given"),
        (("--socket-path", "x"), "no command is given"),
        (("frobnicate",), 'there is no command "frobnicate"'),
        (("services",), "give --socket-path PATH or --launch CMD"),
        (("--socket-path", "x", "--launch", "{socket}", "services"), "exclude each other"),
        (("--socket-path", "x", "services", "y"), 'unexpected argument "y"'),
        (("--socket-path", "x", "ping"), "needs the name or the address"),
        (("--socket-path", "x", "ping", "a", "-c", "0"), "is not a number from 1"),
        (("--socket-path", "x", "ping", "a", "-c"), "--count needs a value"),
        (("--socket-path", "x", "ping", "a", "-q"), "unknown option -q"),
        (("--socket-path", "x", "ping", "a", "-i", "nan"), "not a number of seconds"),
        (("--socket-path", "x", "ping", "a", "-W", "0"), "seconds above 0"),
        (("--socket-path", "x", "ping", "a", "--text", "b"), "--text is not an option of ping"),
        (("--socket-path", "x", "--json", "--json", "services"), "--json is given twice"),
        (("--socket-path", "x", "--json=1", "services"), "--json takes no value"),
        (("--socket-path", "x", "--queue-size", "3", "services"), "not a power of two"),
        (("--socket-path", "x", "--buffers", "300", "services"), "do not fit the rings"),
        (("--socket-path", "", "services"), "the path is empty"),
        (("--socket-path", "x" * 108, "services"), "108 bytes long"),
        (("--socket-path", "x", "send", "a"), "needs one of --text, --hex and --file, none"),
        (("--socket-path", "x", "send", "a", "--text", "b", "--hex", "00"), "several are given"),
        (("--socket-path", "x", "send", "a", "--text", "b", "--src", "53"), "name service"),
        (("--socket-path", "x", "bench", "a", "-s", "7"), "numbers its messages"),
        (("--socket-path", "x", "bench", "a", "--mode", "b"), "none of echo, sink and source"),
        (("--socket-path", "x", "bench", "a", "--batch", "4", "--window", "2"), "never be sent"),
        (("--socket-path", "x", "bench", "a", "--count", "4", "--seconds", "2"), "exclude each"),
        (("--socket-path", "x", "listen", "--announce", "a" * 32), "1 to 31 bytes"),
    ],
)
def test_host_wrong_usage_is_told(host_raw: HostRun, args: tuple[str, ...], says: str) -> None:
    result = host_raw(*args)

    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_host_help_names_every_command(host_raw: HostRun) -> None:
    result = host_raw("--help")

    assert result.returncode == 0
    for command in ("services", "ping", "send", "listen", "bench"):
        assert f"\n  {command}" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_host_version_is_one_line(host_raw: HostRun) -> None:
    assert re.fullmatch(r"rpmsg-host \d+\.\d+\.\d+\n", host_raw("--version").stdout)
