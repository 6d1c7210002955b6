# SPDX-License-Identifier: BSD-2-Clause
"""Lines, requests and replies: what the agent makes of what it reads, whatever that is."""

from __future__ import annotations

import json
import os
import platform
import pty
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import DEADLINE, Agent

LINE_MAX = 1 << 20


def malformed(agent: Agent, line: bytes) -> str:
    """Send a line that must be refused; returns the error's text."""
    agent.send_raw(line + b"\n")
    reply = agent.next_message()
    assert reply["ok"] is False and reply["errno"] == "EINVAL" and reply["errnum"] == 22, reply
    return str(reply["error"])


def test_hello_says_who_speaks(agent: Agent) -> None:
    assert agent.hello["hello"] == "rpmsg-agent"
    assert agent.hello["version"] == 1
    assert agent.hello["kernel"] == platform.release()
    assert agent.hello["machine"] == platform.machine()
    assert agent.hello["pid"] == agent.pid
    assert 0 < agent.hello["time_ns"] <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def test_hello_again_on_request(agent: Agent) -> None:
    assert agent.ok("hello")["pid"] == agent.pid


def test_fresh_hello_drops_replies_that_are_still_to_come(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    old = agent.send("read", fd=fd, len=1, worker=1)
    agent.wait_blocked(1)
    assert agent.ok("hello", fresh=True)["hello"] == "rpmsg-agent"
    agent.ok("write", fd=fd, data="0102")
    new = agent.send("read", fd=fd, len=1, worker=1)
    assert agent.reply(new)["data"] == "02"
    assert not agent.has_reply(old)


def test_reply_has_times_of_the_call(agent: Agent) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    reply = agent.ok("sleep", ms=20)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert before <= reply["t0"] < reply["t1"] <= after
    assert reply["t1"] - reply["t0"] >= 20_000_000


def test_failure_has_times_of_the_call(agent: Agent) -> None:
    reply = agent.call("open", path="/nowhere")
    assert 0 < reply["t0"] <= reply["t1"]


def test_failure_says_what_was_tried(agent: Agent) -> None:
    reply = agent.call("open", path="/nowhere/at all")
    assert (reply["errno"], reply["errnum"]) == ("ENOENT", 2)
    assert reply["error"] == "open /nowhere/at all"


def test_every_command_is_listed(agent: Agent) -> None:
    listed = {c["name"]: c["arguments"] for c in agent.ok("commands")["commands"]}
    contract = (
        "ping open close read write poll ioctl rpmsg_create_ept rpmsg_create_dev "
        "rpmsg_release_dev rpmsg_destroy_ept channels sysfs_read file_write list readlink "
        "wait_path insmod rmmod dmesg sleep signal kmsg poweroff"
    ).split()
    assert set(contract) <= set(listed)
    assert listed["open"] == ["path", "flags?", "mode?"]


def test_requests_are_answered_in_order(agent: Agent) -> None:
    ids = [agent.send("ping") for _ in range(200)]
    assert [agent.next_message()["id"] for _ in ids] == ids


def test_id_of_64_bits_comes_back_exactly(agent: Agent) -> None:
    for value in (0, 2**53 + 1, 2**63, 2**64 - 1):
        agent.send_raw(b'{"id":%d,"cmd":"ping"}\n' % value)
        assert agent.next_message()["id"] == value


def test_line_in_pieces_is_one_request(agent: Agent) -> None:
    for byte in b'{"id":7,"cmd":"ping"}':
        agent.send_raw(bytes([byte]))
    agent.send_raw(b"\n")
    assert agent.next_message()["id"] == 7


def test_lines_in_one_piece_are_many_requests(agent: Agent) -> None:
    agent.send_raw(b"".join(b'{"id":%d,"cmd":"ping"}\n' % i for i in range(50)))
    assert [agent.next_message()["id"] for _ in range(50)] == list(range(50))


def test_blanks_around_the_parts_are_allowed(agent: Agent) -> None:
    agent.send_raw(b' \t{ "id" : 7 , "cmd" : "ping" , "worker" : 1 } \r\n')
    assert agent.next_message()["id"] == 7


def test_empty_line_is_no_request(agent: Agent) -> None:
    agent.send_raw(b'\n\n{"id":7,"cmd":"ping"}\n')
    assert agent.next_message()["id"] == 7


def test_unknown_command_is_named(agent: Agent) -> None:
    reply = agent.call("no such")
    assert reply["errno"] == "EINVAL"
    assert reply["error"] == 'unknown command "no such"'


@pytest.mark.parametrize(
    ("request_line", "error"),
    [
        (b'{"cmd":"ping"}', 'member "id" is missing'),
        (b'{"id":"1","cmd":"ping"}', 'member "id" is not an unsigned integer'),
        (b'{"id":-1,"cmd":"ping"}', 'member "id" is not an unsigned integer'),
        (b'{"id":1}', 'member "cmd" is missing'),
        (b'{"id":1,"cmd":5}', 'member "cmd" is not a string'),
        (b'{"id":1,"cmd":"ping","worker":0}', 'member "worker" is not an integer from 1 to 15'),
        (b'{"id":1,"cmd":"ping","worker":16}', 'member "worker" is not an integer from 1 to 15'),
        (b'{"id":1,"cmd":"ping","fd":1}', 'ping: argument "fd" is unknown'),
        (b'{"id":1,"cmd":"read","fd":1}', 'read: argument "len" is missing'),
        (b'{"id":1,"cmd":"read","len":1}', 'read: argument "fd" is missing'),
        (b'{"id":1,"cmd":"signal"}', 'signal: argument "worker" is missing'),
        (b'{"id":1,"cmd":"spawn","run":"read","fd":1}', 'spawn: argument "len" is missing'),
        (b'{"id":1,"cmd":"read","fd":"1","len":1}', 'read: argument "fd" is not a descriptor'),
        (b'{"id":1,"cmd":"read","fd":-2,"len":1}', 'read: argument "fd" is not a descriptor'),
        (b'{"id":1,"cmd":"read","fd":4294967296,"len":1}',
         'read: argument "fd" is not a descriptor'),
        (b'{"id":1,"cmd":"read","fd":1,"len":-1}',
         'read: argument "len" is not an unsigned integer'),
        (b'{"id":1,"cmd":"read","fd":1,"len":999999999}', 'read: argument "len" is out of range'),
        (b'{"id":1,"cmd":"write","fd":1,"data":"abc"}',
         'write: argument "data" has an odd number of hex digits'),
        (b'{"id":1,"cmd":"write","fd":1,"data":"0g"}',
         'write: argument "data" has a character that is no hex digit'),
        (b'{"id":1,"cmd":"write","fd":1,"data":7}',
         'write: argument "data" is not a string of hex digits'),
        (b'{"id":1,"cmd":"write","fd":1}', 'write: argument "data" or "len" is missing'),
        (b'{"id":1,"cmd":"open","path":""}', 'open: argument "path" is not a path'),
        (b'{"id":1,"cmd":"open","path":"/","flags":"rdwr"}',
         'open: argument "flags" is not an array of strings'),
        (b'{"id":1,"cmd":"open","path":"/","flags":[1]}',
         'open: argument "flags" is not an array of strings'),
        (b'{"id":1,"cmd":"open","path":"/","flags":["rw"]}', 'open: unknown flag "rw"'),
        (b'{"id":1,"cmd":"poll","fds":[1],"events":["input"]}', 'poll: unknown event "input"'),
        (b'{"id":1,"cmd":"poll","fds":[-2],"events":[]}',
         'poll: argument "fds" is not an array of descriptors that a command may use'),
        (b'{"id":1,"cmd":"wait_path","path":"/","timeout_ms":-2}',
         'wait_path: argument "timeout_ms" is out of range'),
        (b'{"id":1,"cmd":"wait_path","path":"/","present":1}',
         'wait_path: argument "present" is neither true nor false'),
        (b'{"id":1,"cmd":"rpmsg_create_ept","fd":1,"name":"123456789012345678901234567890123"}',
         'rpmsg_create_ept: argument "name" is too long'),
        (b'{"id":1,"cmd":"rpmsg_create_ept","fd":1,"name":"a","src":4294967296}',
         'rpmsg_create_ept: argument "src" is not an address of 32 bits, or -1'),
        (b'{"id":1,"cmd":"kill","pid":1,"sig":"SIGNONE"}',
         'kill: argument "sig" is neither the number nor the name of a signal'),
        (b'{"id":1,"cmd":"spawn","run":"spawn"}',
         'spawn: argument "run": no command for a child: "spawn"'),
    ],
)  # fmt: skip
def test_wrong_request_is_told_what_is_wrong(
    agent: Agent, request_line: bytes, error: str
) -> None:
    assert malformed(agent, request_line) == error


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"ping", "expected '{' at byte 0"),
        (b" ", "expected '{' at byte 1"),
        (b"[]", "expected '{' at byte 0"),
        (b"{", "expected a string at byte 1"),
        (b'{"id"', "expected ':' at byte 5"),
        (b'{"id":', "expected a value at byte 6"),
        (b'{"id":1', "expected ',' or '}' at byte 7"),
        (b'{"id":1,}', "expected a string at byte 8"),
        (b'{"id":1}x', "something follows the object at byte 8"),
        (b'{"id":01}', "integer with a leading zero at byte 6"),
        (b'{"id":1.5}', "only integers are understood at byte 6"),
        (b'{"id":1e3}', "only integers are understood at byte 6"),
        (b'{"id":18446744073709551616}', "integer beyond 64 bits at byte 6"),
        (b'{"id":-9223372036854775809}', "integer beyond 64 bits at byte 6"),
        (b'{"id":tru}', "expected a value at byte 6"),
        (b'{"id":{}}', "nested too deeply (one object, with arrays of plain values) at byte 6"),
        (b'{"id":[[]]}', "nested too deeply (one object, with arrays of plain values) at byte 7"),
        (b'{"id":[1', "expected ',' or ']' at byte 8"),
        (b'{"a":"\x01"}', "control character in a string at byte 6"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xc0\x80"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8 at byte 6"),
        (b'{"a":"\\x"}', "unknown escape at byte 7"),
        (b'{"a":"\\u12g4"}', "expected four hex digits after \\u at byte 10"),
        (b'{"a":"\\u0000"}', "NUL in a string at byte 8"),
        (b'{"a":"\\ud800"}', "high surrogate without a low one at byte 12"),
        (b'{"a":"\\udc00"}', "low surrogate without a high one at byte 8"),
        (b'{"a":"b', "string without an end at byte 7"),
        (b'{"a":1,"a":2}', "member that is there already at byte 7"),
        (b"{%s}" % b",".join(b'"%d":1' % i for i in range(33)),
         "object with more than 32 members at byte 215"),
        (b'{"a":[%s]}' % b",".join([b"1"] * 257), "array with more than 256 values at byte 518"),
    ],
)  # fmt: skip
def test_malformed_line_is_told_where(agent: Agent, line: bytes, error: str) -> None:
    assert malformed(agent, line) == "malformed request: " + error
    assert agent.ok("ping")


def test_malformed_line_keeps_an_id_that_came_before(agent: Agent) -> None:
    agent.send_raw(b'{"id":77,"cmd":"ping",}\n')
    assert agent.next_message()["id"] == 77


def test_malformed_line_without_id_is_answered_with_null(agent: Agent) -> None:
    agent.send_raw(b'{"cmd":"ping","id":77\n')
    agent.send_raw(b'{"cmd":oops,"id":77}\n')
    assert agent.next_message()["id"] == 77
    assert agent.next_message()["id"] is None


def test_escapes_are_understood(agent: Agent) -> None:
    agent.send_raw(b'{"id":1,"cmd":"open","path":"/\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"}\n')
    assert agent.next_message()["error"] == 'open /"\\/\b\f\n\r\té\U0001f600'


def test_longest_line_is_a_request(agent: Agent) -> None:
    request_line = b'{"id":7,"cmd":"ping"}'
    agent.send_raw(request_line.ljust(LINE_MAX) + b"\n")
    assert agent.next_message()["ok"] is True


def test_line_that_is_too_long_gets_one_error(agent: Agent) -> None:
    for length in (LINE_MAX + 1, LINE_MAX + 2, 3 * LINE_MAX):
        agent.send_raw(b'{"id":7,"cmd":"ping"}'.ljust(length) + b"\n")
        agent.send_raw(b'{"id":8,"cmd":"ping"}\n')
        reply = agent.next_message()
        assert (reply["id"], reply["errno"]) == (None, "EINVAL")
        assert reply["error"] == "malformed request: line of more than 1048576 bytes"
        assert agent.next_message()["id"] == 8


def test_end_of_input_ends_it(agent: Agent) -> None:
    assert agent.finish() == 0


def test_end_of_input_within_a_line_is_told(agent: Agent) -> None:
    agent.send_raw(b'{"id":7,"cmd":"ping"}')
    assert agent.process.stdin is not None
    agent.process.stdin.close()
    assert agent.next_message()["error"] == "malformed request: the last line has no newline"
    assert agent.process.wait(DEADLINE) == 0


def test_end_of_input_waits_for_a_worker_that_is_about_to_answer(agent: Agent) -> None:
    request_id = agent.send("sleep", ms=50, worker=1)
    assert agent.finish() == 0
    assert agent.reply(request_id)["ok"] is True


def test_end_of_input_does_not_wait_for_a_worker_that_is_stuck(agent: Agent, fifo: Path) -> None:
    agent.send("open", path=str(fifo), worker=1)
    assert agent.finish() == 0


def test_nothing_stays_behind_when_it_is_killed(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    child = agent.ok("spawn", run="read", fd=fd, len=1)["pid"]
    handle = os.pidfd_open(child)
    agent.process.kill()
    assert select.select([handle], [], [], DEADLINE)[0], "the child goes on"
    os.close(handle)


def test_own_descriptors_are_out_of_reach(agent: Agent) -> None:
    own = [int(name) for name in os.listdir(f"/proc/{agent.pid}/fd") if int(name) > 2]
    assert own, "the agent has a port and a log"
    for fd in own:
        agent.send_raw(b'{"id":1,"cmd":"close","fd":%d}\n' % fd)
        assert agent.next_message()["error"] == (
            'close: argument "fd" is a descriptor of the agent\'s own'
        )


def test_standard_descriptors_are_not_the_protocol(agent: Agent) -> None:
    agent.ok("write", fd=1, data="ff0a")
    for fd in (0, 1, 2):
        agent.ok("close", fd=fd)
    assert agent.ok("ping")


def test_slow_reader_gets_every_line_whole(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * 256)
    fds = [agent.open(path, "rdonly") for _ in range(15)]
    ids = [
        agent.send("read", fd=fd, len=65536, offset=0, worker=i + 1)
        for i, fd in enumerate(fds)
        for _ in range(4)
    ]
    for request_id in ids:
        assert agent.reply(request_id)["data"] == path.read_bytes().hex()


def test_non_blocking_output_gets_every_line_whole(program: str) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=writer) as process:
        os.close(writer)
        assert process.stdin is not None
        # Replies of many times what the pipe holds, and nobody reads before the last request.
        for i in range(1000):
            process.stdin.write(b'{"id":%d,"cmd":"commands"}\n' % i)
        process.stdin.close()
        with os.fdopen(reader, "rb") as stream:
            messages = [json.loads(line) for line in stream]
        assert process.wait(DEADLINE) == 0
    assert [m.get("id") for m in messages[1:]] == list(range(1000))


def test_help_and_version(program: str) -> None:
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage: rpmsg-agent")
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("rpmsg-agent ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--what"], "Try rpmsg-agent --help."),
        (["what"], "unexpected argument 'what'"),
        (["--port"], "Try rpmsg-agent --help."),
        (["--port", "/dev/null", "--stdio"], "exclude each other"),
    ],
)
def test_wrong_option_is_refused(program: str, arguments: list[str], said: str) -> None:
    shown = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=False)  # fmt: skip
    assert shown.returncode == 2 and said in shown.stderr and not shown.stdout


def test_port_that_is_not_there_is_named(program: str) -> None:
    shown = subprocess.run([program, "--port", "/dev/nowhere"], capture_output=True, text=True,
                           check=False)  # fmt: skip
    assert shown.returncode == 1
    assert shown.stderr == "rpmsg-agent: /dev/nowhere: ENOENT\n"


def test_port_option_talks_on_a_terminal(program: str) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen([program, "--port", os.ttyname(slave)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as process:  # fmt: skip
        with os.fdopen(os.dup(master), "rb", buffering=0) as stream:
            lines = iter(lambda: read_line(stream.fileno()), b"")
            assert json.loads(next(lines))["hello"] == "rpmsg-agent"
            # Raw: neither echoed nor turned into other line ends.
            os.write(master, b'{"id":5,"cmd":"ping"}\n')
            assert json.loads(next(lines))["id"] == 5
        os.close(slave)
        os.close(master)
        assert process.wait(DEADLINE) in (0, 1)


def read_line(fd: int) -> bytes:
    """One line from a raw descriptor."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(fd, 1)
    return line


def test_stdio_option_is_the_default(start: Callable[..., Agent]) -> None:
    assert start("--stdio").ok("ping")
