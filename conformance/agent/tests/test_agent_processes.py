# SPDX-License-Identifier: BSD-2-Clause
"""Workers, signals and children: what blocks blocks only itself, and can be interrupted."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from conftest import Agent


def test_blocked_worker_stops_nobody_else(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    request_id = agent.send("read", fd=fd, len=10, worker=1)
    agent.wait_blocked(1)
    assert not agent.has_reply(request_id)
    assert agent.ok("ping", worker=2)
    agent.ok("write", fd=fd, data="abcd")
    assert agent.reply(request_id)["data"] == "abcd"


def test_worker_does_its_commands_in_order(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    ids = [agent.send("read", fd=fd, len=1, worker=1) for _ in range(5)]
    agent.ok("write", fd=fd, data="0102030405")
    assert [agent.reply(i)["data"] for i in ids] == ["01", "02", "03", "04", "05"]


def test_all_workers_block_at_once(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    ids = [agent.send("read", fd=fd, len=1, worker=n) for n in range(1, 16)]
    for number in range(1, 16):
        agent.wait_blocked(number)
    agent.ok("write", fd=fd, len=15)
    assert all(agent.reply(i)["ret"] == 1 for i in ids)


def test_worker_with_too_much_to_do_refuses_more(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    agent.send("read", fd=fd, len=1, worker=1)
    agent.wait_blocked(1)
    for _ in range(1024):
        agent.send("ping", worker=1)
    assert agent.worker(1)["queued"] == 1024
    assert agent.fails("ping", worker=1) == "EAGAIN"


def test_workers_tells_what_they_do(agent: Agent, fifo: Path) -> None:
    assert agent.ok("workers")["workers"] == []
    fd = agent.open(fifo)
    request_id = agent.send("read", fd=fd, len=1, worker=3)
    agent.wait_blocked(3)
    worker = agent.worker(3)
    assert (worker["cmd"], worker["busy"], worker["queued"]) == ("read", True, 0)
    assert agent.ok("proc_stat", pid=agent.pid, tid=worker["tid"])["state"] == "S"
    agent.ok("write", fd=fd, data="00")
    agent.reply(request_id)
    worker = agent.worker(3)
    assert (worker["cmd"], worker["busy"], worker["in_call"]) == (None, False, False)


def test_signal_interrupts_a_read(agent: Agent, fifo: Path) -> None:
    request_id = agent.send("read", fd=agent.open(fifo), len=1, worker=1)
    agent.wait_blocked(1)
    assert agent.ok("signal", worker=1, sig="SIGUSR1")["in_call"] is True
    assert agent.reply(request_id)["errno"] == "EINTR"


@pytest.mark.parametrize("sig", [signal.SIGTERM, "TERM", "SIGINT", "HUP", 34])
def test_signal_of_any_kind_does_not_end_the_agent(
    agent: Agent, fifo: Path, sig: int | str
) -> None:
    request_id = agent.send("poll", fds=[agent.open(fifo)], events=["in"], worker=1)
    agent.wait_blocked(1)
    agent.ok("signal", worker=1, sig=sig)
    assert agent.reply(request_id)["errno"] == "EINTR"


def test_signal_with_restart_lets_the_read_go_on(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    request_id = agent.send("read", fd=fd, len=1, worker=1)
    agent.wait_blocked(1)
    agent.ok("signal", worker=1, restart=True)
    agent.wait_blocked(1)
    assert not agent.has_reply(request_id)
    agent.ok("write", fd=fd, data="aa")
    assert agent.reply(request_id)["data"] == "aa"


def test_signal_for_an_idle_worker_disturbs_no_later_call(agent: Agent, fifo: Path) -> None:
    agent.ok("ping", worker=1)
    assert agent.ok("signal", worker=1)["in_call"] is False
    fd = agent.open(fifo)
    request_id = agent.send("read", fd=fd, len=1, worker=1)
    agent.wait_blocked(1)
    agent.ok("write", fd=fd, data="bb")
    assert agent.reply(request_id)["data"] == "bb"


def test_signal_for_a_worker_that_was_never_used_is_esrch(agent: Agent) -> None:
    assert agent.fails("signal", worker=9) == "ESRCH"


@pytest.mark.parametrize("sig", [0, "KILL", "STOP", "SEGV", "CHLD", "ABRT", 32])
def test_signal_that_would_harm_the_agent_is_refused(agent: Agent, sig: int | str) -> None:
    agent.ok("ping", worker=1)
    assert agent.fails("signal", worker=1, sig=sig) == "EINVAL"


def test_sleep_can_be_interrupted(agent: Agent) -> None:
    request_id = agent.send("sleep", ms=4_000_000_000, worker=1)
    agent.wait_blocked(1)
    agent.ok("signal", worker=1)
    assert agent.reply(request_id)["errno"] == "EINTR"


def test_child_carries_out_one_command(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    pid = agent.ok("spawn", run="read", fd=fd, len=4)["pid"]
    assert pid != agent.pid
    agent.ok("write", fd=fd, data="00112233")
    reply = agent.ok("wait", pid=pid, timeout_ms=20_000)
    assert (reply["pid"], reply["exited"], reply["status"], reply["signal"]) == (pid, True, 0, None)
    assert reply["result"]["ok"] is True and reply["result"]["data"] == "00112233"
    assert reply["result"]["t0"] <= reply["result"]["t1"]


def test_child_tells_its_errno(agent: Agent) -> None:
    pid = agent.ok("spawn", run="open", path="/nowhere")["pid"]
    result = agent.ok("wait", pid=pid, timeout_ms=20_000)["result"]
    assert (result["errno"], result["error"]) == ("ENOENT", "open /nowhere")


def test_child_with_too_long_a_result_says_so(agent: Agent) -> None:
    fd = agent.open("/dev/zero")
    pid = agent.ok("spawn", run="read", fd=fd, len=100_000)["pid"]
    assert agent.ok("wait", pid=pid, timeout_ms=20_000)["result"]["errno"] == "EMSGSIZE"


@pytest.mark.parametrize("sig", ["SIGKILL", "SIGTERM"])
def test_child_can_be_killed_while_it_waits(agent: Agent, fifo: Path, sig: str) -> None:
    pid = agent.ok("spawn", run="read", fd=agent.open(fifo), len=4)["pid"]

    def blocked() -> bool:
        status = agent.ok("proc_stat", pid=pid)
        return bool(status["in_call"]) and status["state"] == "S"

    agent.wait_until(blocked)
    agent.ok("kill", pid=pid, sig=sig)
    reply = agent.ok("wait", pid=pid, timeout_ms=20_000)
    assert (reply["exited"], reply["status"], reply["signal"]) == (False, None, sig)
    assert reply["result"] is None


def test_signal_for_a_worker_leaves_children_as_they_are(agent: Agent, fifo: Path) -> None:
    """The handler that the agent installs for a worker must not make a child immune."""
    fd = agent.open(fifo)
    agent.ok("ping", worker=1)
    agent.ok("signal", worker=1, sig="TERM")
    pid = agent.ok("spawn", run="read", fd=fd, len=4)["pid"]
    agent.ok("kill", pid=pid)
    assert agent.ok("wait", pid=pid, timeout_ms=20_000)["signal"] == "SIGTERM"


def test_wait_for_a_child_times_out_and_can_be_repeated(agent: Agent, fifo: Path) -> None:
    pid = agent.ok("spawn", run="read", fd=agent.open(fifo), len=4)["pid"]
    reply = agent.call("wait", pid=pid, timeout_ms=20)
    assert reply["errno"] == "ETIMEDOUT" and reply["t1"] - reply["t0"] >= 20_000_000
    agent.ok("kill", pid=pid, sig=9)
    agent.ok("wait", pid=pid)
    assert agent.fails("wait", pid=pid) == "ECHILD"
    assert agent.fails("kill", pid=pid) == "ESRCH"


def test_wait_in_a_worker_stops_nobody_else(agent: Agent, fifo: Path) -> None:
    pid = agent.ok("spawn", run="read", fd=agent.open(fifo), len=4)["pid"]
    request_id = agent.send("wait", pid=pid, worker=1)
    agent.wait_blocked(1)
    agent.ok("kill", pid=pid)
    assert agent.reply(request_id)["signal"] == "SIGTERM"


def test_only_children_can_be_killed_and_waited_for(agent: Agent) -> None:
    for pid in (0, 1, agent.pid, os.getpid(), 2**31 - 1):
        assert agent.fails("kill", pid=pid, sig=0) == "ESRCH"
        assert agent.fails("wait", pid=pid, timeout_ms=0) == "ECHILD"


def test_children_whose_end_nobody_asked_for_are_limited(agent: Agent) -> None:
    pids = [agent.ok("spawn", run="ping")["pid"] for _ in range(64)]
    assert agent.fails("spawn", run="ping") == "EAGAIN"
    agent.ok("wait", pid=pids[0])
    agent.ok("spawn", run="ping")


def test_ended_child_leaves_no_zombie(agent: Agent) -> None:
    pid = agent.ok("spawn", run="ping")["pid"]
    agent.wait_until(lambda: not agent.call("proc_stat", pid=pid)["ok"])
    assert agent.ok("wait", pid=pid)["result"]["ok"] is True


def test_child_does_not_hold_the_protocol_open(agent: Agent, fifo: Path) -> None:
    pid = agent.ok("spawn", run="read", fd=agent.open(fifo), len=4)["pid"]
    agent.wait_until(lambda: agent.ok("proc_stat", pid=pid)["in_call"] is True)
    streams = (agent.process.stdin, agent.process.stdout)
    protocol = {os.readlink(f"/proc/self/fd/{s.fileno()}") for s in streams if s is not None}
    held = {os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
    assert len(protocol) == 2 and not protocol & held


def test_spinning_and_sleeping_are_told_apart(agent: Agent, fifo: Path) -> None:
    """A case that asks whether a sender burns the processor while it waits looks at these ticks."""
    pid = agent.ok("spawn", run="read", fd=agent.open(fifo), len=4)["pid"]
    agent.wait_until(lambda: str(agent.ok("proc_stat", pid=pid)["state"]) == "S")
    status = agent.ok("proc_stat", pid=pid)
    assert status["hz"] == os.sysconf("SC_CLK_TCK")
    assert 0 <= status["utime"] + status["stime"] < status["hz"]
