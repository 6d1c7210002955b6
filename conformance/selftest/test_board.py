# SPDX-License-Identifier: BSD-2-Clause
"""``rpmsg-conform chardev``: cases on a board, and what is said when the board cannot be used.

The board here is a few lines of Python that know what the agent's protocol needs of them; a real
agent in a real kernel is in ``agent/tests/test_agent_board.py``.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CONFORMANCE = Path(__file__).resolve().parent.parent

BOARD = r"""
import json, os, sys
version, channel, lost_at = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
fds, queues, opens, endpoints = {}, {}, 0, []
def say(**reply):
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()
say(hello="rpmsg-agent", version=version, kernel="6.6.6", machine="board", pid=1, time_ns=1)
for line in sys.stdin:
    r = json.loads(line)
    c, path, fd = r["cmd"], r.get("path", ""), r.get("fd")
    ok, out = True, {}
    device = f"virtio7.{channel}.-1.1024"
    if c == "channels":
        out["channels"] = [dict(device=device, name=channel, src=1024, dst=1024, driver="rpmsg_chrdev")]
    elif c == "list":
        found = {"/sys/bus/rpmsg/devices": [device], "/sys/class/rpmsg": ["rpmsg0", *endpoints],
                 f"/sys/bus/rpmsg/devices/{device}/rpmsg": ["rpmsg0"]}
        out["entries"] = found.get(path, [])
    elif c == "open":
        opens += 1
        if opens == lost_at:
            sys.stderr.write("board: oops\n")
            sys.exit(7)
        fd = opens + 10
        ok = path not in fds.values()
        if ok:
            fds[fd], queues[fd], out["fd"] = path, [], fd
        else:
            out["errno"] = "EBUSY"
    elif c == "close":
        del fds[fd], queues[fd]
    elif c == "write":
        queues[fd].append(r["data"])
        out["ret"] = len(r["data"]) // 2
    elif c == "read":
        ok = bool(queues[fd])
        out = dict(data=queues[fd].pop(0), ret=1) if ok else dict(errno="EAGAIN")
    elif c == "poll":
        out["ret"] = int(any(queues[f] for f in r["fds"]))
        out["revents"] = [["in"] if queues[f] else [] for f in r["fds"]]
    elif c == "workers":
        out["workers"] = []
    elif c == "dmesg":
        out = dict(lines=[], mark=1)
    elif c not in ("ping", "wait_path", "fcntl_nonblock", "sysfs_read"):
        ok, out = False, dict(errno="EINVAL", error=c)
    say(id=r["id"], ok=ok, t0=1, t1=2, **out)
"""


@dataclass
class Ran:
    """One run: exit status, what was printed, the report."""

    status: int
    text: str
    errors: str
    report: Path

    def verdicts(self) -> dict[str, tuple[str, str]]:
        """Verdict and message of each case."""
        report: dict[str, Any] = json.loads((self.report / "report.json").read_text())
        return {
            case["name"]: (case["verdict"], case["message"])
            for requirement in report["requirements"]
            for case in requirement["cases"]
        }


def chardev(folder: Path, *arguments: str) -> Ran:
    """Run the program with these arguments."""
    report = folder / "report"
    command = [sys.executable, "-B", str(CONFORMANCE / "rpmsg-conform"), "chardev"]
    command += ["--report", str(report), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return Ran(done.returncode, done.stdout, done.stderr, report)


def board(folder: Path, version: int = 1, channel: str = "rpmsg-raw", lost_at: int = 0) -> str:
    """A command that behaves as a board does."""
    program = folder / "board.py"
    program.write_text(BOARD, encoding="utf-8")
    words = [sys.executable, "-B", str(program), str(version), channel, str(lost_at)]
    return shlex.join(words)


def test_board_runs_what_needs_an_agent_and_skips_what_needs_the_simulator(tmp_path: Path) -> None:
    ran = chardev(tmp_path, "--exec", board(tmp_path), "--select", "UA-004", "UA-013", "UA-023")
    verdicts = ran.verdicts()
    case = "test_userspace_nonblocking_read_after_the_last_message_is_eagain"
    assert verdicts[case] == ("PASS", "")
    verdict, why = verdicts["test_userspace_read_waits_for_a_message"]
    assert (verdict, why) == ("SKIP", "needs the simulator")
    verdict, why = verdicts["test_userspace_poll_reports_no_send_buffer_while_there_is_none"]
    assert (verdict, why) == ("SKIP", "needs the simulator")
    target = json.loads((ran.report / "report.json").read_text())["target"]
    assert (target["kernel"], target["arch"], target["echo"]) == ("6.6.6", "board", "rpmsg-raw")


def test_board_with_an_echo_service_of_another_name_is_judged_by_that(tmp_path: Path) -> None:
    command = board(tmp_path, channel="my-echo")
    ran = chardev(tmp_path, "--exec", command, "--echo", "my-echo", "--select", "UA-004")
    assert ran.status == 0, ran.text + ran.errors
    assert {verdict for verdict, _ in ran.verdicts().values()} == {"PASS"}


def test_board_plan_is_the_rows_of_user_space(tmp_path: Path) -> None:
    ran = chardev(tmp_path, "--list", "json")
    listed = {row["requirement"][:3] for row in json.loads(ran.text)}
    assert listed == {"UA-"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "chardev: give --exec 'COMMAND', for instance 'ssh board ./rpmsg-agent'"),
        (("--exec", ""), "--exec: the command is empty"),
        (("--exec", "'"), "--exec ''': No closing quotation"),
        (("--exec", "no-such-program x"), "there is no program 'no-such-program'"),
    ],
    ids=["none", "empty", "quote", "absent"],
)
def test_board_command_that_cannot_be_used_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = chardev(tmp_path, *arguments)
    assert ran.status == 2
    assert message in ran.errors
    assert len(ran.errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "sh -c 'echo sh: ./rpmsg-agent: not found >&2; exit 127'",
            "'sh' exited with status 127; its last words: sh: ./rpmsg-agent: not found",
        ),
        ("sleep 60", "the agent said nothing within 3 s"),
        ("echo Welcome to the board", "the peer broke the protocol: not JSON: b'Welcome to"),
    ],
    ids=["not-found-there", "silent", "banner"],
)
def test_board_without_an_agent_is_unreachable(tmp_path: Path, command: str, message: str) -> None:
    ran = chardev(tmp_path, "--exec", command, "--select", "UA-004", "--timeout-factor", "0.1")
    assert ran.status == 4
    assert message in ran.text


def test_board_with_an_agent_of_another_version_is_unreachable(tmp_path: Path) -> None:
    ran = chardev(tmp_path, "--exec", board(tmp_path, version=2), "--select", "UA-004")
    assert ran.status == 4
    assert "speaks version 2 of its protocol, this program 1: take the agent" in ran.text


def test_board_without_the_echo_service_is_unreachable(tmp_path: Path) -> None:
    ran = chardev(tmp_path, "--exec", board(tmp_path, channel="other"), "--select", "UA-004")
    assert ran.status == 4
    assert "--echo: no channel named 'rpmsg-raw' on the board; it has: other" in ran.text


def test_board_that_is_lost_in_mid_run_ends_it_with_one_message(tmp_path: Path) -> None:
    # The first exchange opens a file, and so does the first case.
    ran = chardev(tmp_path, "--exec", board(tmp_path, lost_at=3), "--select", "UA-004")
    assert ran.status == 4
    verdicts = [verdict for verdict, _ in ran.verdicts().values()]
    assert sorted(verdicts) == ["BLOCKED", "BLOCKED", "DIED"]
    assert "--exec: the agent was lost in mid-run" in ran.text
    assert "exited with status 7; its last words: board: oops" in ran.text
