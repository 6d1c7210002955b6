# SPDX-License-Identifier: BSD-2-Clause
"""Commands on the machine: its kernel, log, memory and interrupts."""

from __future__ import annotations

import os
import platform
import uuid
from pathlib import Path

import pytest

from conftest import Agent


def test_uname_is_that_of_the_kernel(agent: Agent) -> None:
    reply = agent.ok("uname")
    assert (reply["sysname"], reply["release"]) == ("Linux", platform.release())
    assert reply["machine"] == platform.machine()


def test_meminfo_counts_kilobytes(agent: Agent) -> None:
    reply = agent.ok("meminfo")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    assert reply["MemTotal"] == total and reply["unit"] == "kB"
    assert 0 < reply["MemFree"] <= total
    assert reply["Slab"] == reply["SReclaimable"] + reply["SUnreclaim"]


def test_interrupts_are_those_of_proc(agent: Agent) -> None:
    lines = agent.ok("interrupts")["lines"]
    names = [x.split(":")[0].strip() for x in Path("/proc/interrupts").read_text().splitlines()[1:]]
    assert [line["irq"] for line in lines] == names
    assert all(line["total"] == sum(line["counts"]) for line in lines)
    processors = Path("/proc/interrupts").read_text().splitlines()[0].count("CPU")
    assert max(len(line["counts"]) for line in lines) == processors


def test_interrupts_that_match(agent: Agent) -> None:
    chosen = agent.ok("interrupts")["lines"][0]["text"]
    lines = agent.ok("interrupts", match=chosen)["lines"]
    assert lines and all(chosen in line["text"] for line in lines)
    assert agent.ok("interrupts", match="no such line")["lines"] == []


def test_module_that_is_not_there_is_enoent(agent: Agent, tmp_path: Path) -> None:
    assert agent.fails("insmod", path=str(tmp_path / "no.ko")) == "ENOENT"
    assert agent.fails("rmmod", name="no_such_module") in ("ENOENT", "EPERM", "ENOSYS")


def test_file_that_is_no_module_is_refused(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "bad.ko").write_bytes(b"not a module")
    errno = agent.fails("insmod", path=str(tmp_path / "bad.ko"), params="a=1")
    assert errno in ("ENOEXEC", "EPERM", "ENOSYS")


@pytest.mark.parametrize("command", ["poweroff", "reboot"])
def test_board_is_not_switched_off(agent: Agent, command: str) -> None:
    reply = agent.call(command)
    assert reply["errno"] == "EPERM" and "process 1" in reply["error"]


@pytest.fixture
def log_agent(agent: Agent) -> Agent:
    """An agent that may read and write the kernel log."""
    if not os.access("/dev/kmsg", os.R_OK | os.W_OK):
        pytest.skip("this user may not read and write /dev/kmsg")
    return agent


def test_dmesg_has_what_kmsg_wrote(log_agent: Agent) -> None:
    mark = log_agent.ok("dmesg")["mark"]
    text = f'agent test {uuid.uuid4()} "\\ ä'
    log_agent.ok("kmsg", text=f"<4>{text}")
    reply = log_agent.ok("dmesg", since=mark)
    line = next(x for x in reply["lines"] if x["text"] == text)
    assert line["level"] == 4 and line["seq"] >= mark and line["time_us"] > 0
    assert reply["mark"] > line["seq"] and reply["lost"] is False and reply["more"] is False


def test_dmesg_since_its_own_mark_tells_each_line_once(log_agent: Agent) -> None:
    name = str(uuid.uuid4())
    mark = log_agent.ok("dmesg")["mark"]
    seen = []
    for number in range(3):
        log_agent.ok("kmsg", text=f"{name} {number}")
        reply = log_agent.ok("dmesg", since=mark)
        mark = reply["mark"]
        seen += [x["text"] for x in reply["lines"] if name in x["text"]]
    assert seen == [f"{name} {number}" for number in range(3)]


def test_dmesg_since_an_older_mark_goes_back(log_agent: Agent) -> None:
    name = str(uuid.uuid4())
    mark = log_agent.ok("dmesg")["mark"]
    log_agent.ok("kmsg", text=name)
    for _ in range(2):
        lines = log_agent.ok("dmesg", since=mark)["lines"]
        assert [x["text"] for x in lines if name in x["text"]] == [name]
        assert all(x["seq"] >= mark for x in lines)
    sequence = [x["seq"] for x in log_agent.ok("dmesg")["lines"]]
    assert sequence == sorted(set(sequence)) and sequence[-1] >= mark


def test_dmesg_of_the_future_is_empty(log_agent: Agent) -> None:
    reply = log_agent.ok("dmesg", since=2**64 - 1)
    assert (reply["lines"], reply["mark"]) == ([], 2**64 - 1)
    assert log_agent.ok("dmesg")["lines"]
