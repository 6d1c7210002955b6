# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-ctl: each mistake gets one line and its exit status, and nothing is sent."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ctl_support import Ctl, Done, Impostor, environment
from daemon_frontend import Connect, Start

pytest_plugins = ("ctl_fixtures",)


def assert_complaint(done: Done, status: int, *parts: str) -> None:
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("rpmsg-ctl: ") and done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


USAGE = {
    "no_command": ([], "give a command"),
    "unknown_option": (["--bogus", "stats"], "unknown option --bogus"),
    "short_option": (["-j", "stats"], "unknown option -j"),
    "missing_value": (["stats", "--timeout"], "--timeout needs a value: S"),
    "surplus_value": (["stats", "--json=1"], "--json takes no value"),
    "empty_path": (["--control-path=", "stats"], "--control-path: the path is empty"),
    "empty_remote": (["--remote=", "stats"], "--remote: the name is empty"),
    "timeout_text": (["--timeout", "soon", "stats"], '--timeout: "soon" is not a number of'),
    "timeout_nan": (["--timeout", "nan", "stats"], "is not a number of seconds from 0.1"),
    "interval_small": (["--interval", "0.01", "watch"], "--interval: "),
    "json_and_names": (["--json", "--names", "stats"], "exclude each other"),
    "watch_word": (["watch", "a=1"], 'watch takes options only, not "a=1"'),
    "unknown_command": (["nope"], 'there is no command "nope": "rpmsg-ctl help" lists them'),
    "unknown_help": (["help", "nope"], 'there is no command "nope"'),
    "help_of_two": (["help", "stats", "send"], "help takes one method at most"),
    "no_key": (["announce", "hello"], "hello: write KEY=VALUE; of announce, it takes name, kind"),
    "unknown_key": (["hold", "colour=1"], "colour=1: hold has no such parameter; it takes queue"),
    "twice": (["hold", "queue=1", "queue=1"], "queue=1: queue is given twice"),
    "missing_parameter": (["send", "src=1", "dst=2"], "send needs data=...: payload"),
    "not_a_number": (["hold", "queue=x"], 'queue=x: "x" is not a number'),
    "number_with_rest": (["hold", "queue=1x"], '"1x" is not a number'),
    "number_out_of_range": (["hold", "queue=99999999999999999999"], "the number is out of range"),
    "hex_without_digits": (["hold", "queue=0x"], '"0x" is not a number'),
    "odd_digits": (["send", "src=1", "dst=2", "data=123"], "data=123: bytes are pairs of"),
    "no_digits": (["send", "src=1", "dst=2", "data=hello"], "or text:..."),
    "remote_of_global": (["--remote", "remote", "help-less"], "there is no command"),
}


@pytest.mark.parametrize("args, message", USAGE.values(), ids=USAGE.keys())
def test_ctl_mistake_is_status_2(
    start: Start, run_ctl: Ctl, args: list[str], message: str
) -> None:
    assert_complaint(run_ctl(start().control_path, *args), 2, message)


def test_ctl_without_a_path_says_how_to_give_one(run_ctl: Ctl) -> None:
    assert_complaint(run_ctl(None, "stats"), 2, "--control-path", "RPMSG_CONTROL")


def test_ctl_mistake_changes_nothing(start: Start, run_ctl: Ctl, connect: Connect) -> None:
    sim = start()

    run_ctl(sim.control_path, "announce", "name=hello", "addr=x")

    assert connect(sim).call("stats")["endpoints"] == []


def test_ctl_refusal_is_status_1_with_the_daemons_message(start: Start, run_ctl: Ctl) -> None:
    path = start().control_path

    assert_complaint(run_ctl(path, "announce", "name=a", "kind=b"), 1, 'kind: there is no kind "b"')
    assert_complaint(run_ctl(path, "withdraw", "name=a"), 1, "no service is named a (ENOENT)")
    assert_complaint(run_ctl(path, "events", "nope"), 1, 'no event type "nope"')


def test_ctl_full_output_is_status_1(start: Start, ctl: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [ctl, "stats"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(start().control_path),
        )

    assert done.returncode == 1
    assert "cannot print" in done.stderr


def test_ctl_no_socket_file_is_status_3(run_ctl: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "none"

    assert_complaint(run_ctl(path, "stats"), 3, str(path), "there is no such file", "is it running")


def test_ctl_dead_socket_is_status_3(run_ctl: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

    assert_complaint(run_ctl(path, "stats"), 3, str(path), "nobody listens there")


def test_ctl_file_that_is_no_socket_is_status_3(run_ctl: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()

    assert_complaint(run_ctl(path, "stats"), 3, str(path), "no control socket")


def test_ctl_long_path_is_status_3(run_ctl: Ctl) -> None:
    assert_complaint(run_ctl("/" + "x" * 200, "stats"), 3, "at most 107 bytes")


def test_ctl_help_lists_methods_though_the_daemon_is_away(run_ctl: Ctl, tmp_path: Path) -> None:
    done = run_ctl(tmp_path / "none", "help")

    assert done.returncode == 3
    assert "announce" in done.stdout and "there is no such file" in done.stderr


def test_ctl_daemon_that_does_not_answer_is_status_3(impostor: Impostor, run_ctl: Ctl) -> None:
    path = impostor(lambda request: b"")

    done = run_ctl(path, "--timeout", "0.2", "stats")

    assert_complaint(done, 3, str(path), "no answer within 0.2 s")


def test_ctl_full_backlog_is_status_3(run_ctl: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "full"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind(str(path))
        listener.listen(0)
        other.connect(str(path))

        done = run_ctl(path, "--timeout", "0.2", "stats")

    assert_complaint(done, 3, "it takes no connection")


def test_ctl_daemon_that_goes_is_status_3(impostor: Impostor, run_ctl: Ctl) -> None:
    done = run_ctl(impostor(lambda request: None), "stats")

    assert_complaint(done, 3, "has closed the connection")


GARBAGE = {
    "no_json": b"hello\n",
    "no_object": b"[1]\n",
    "no_result": b'{"jsonrpc":"2.0","id":1}\n',
    "empty_line": b"\n",
    "not_utf8": b'{"a":"\xff"}\n',
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_ctl_peer_that_is_no_daemon_is_status_3(
    impostor: Impostor, run_ctl: Ctl, answer: bytes
) -> None:
    done = run_ctl(impostor(lambda request: answer), "stats")

    assert_complaint(done, 3, "is no rpmsg-sim")


def test_ctl_help_of_odd_shape_is_no_crash(impostor: Impostor, run_ctl: Ctl) -> None:
    def answer(request: dict[str, Any]) -> bytes:
        result = {"methods": [1, {}, {"name": 5}], "events": {"a": []}}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode() + b"\n"

    path = impostor(answer)

    assert run_ctl(path, "help").returncode == 0
