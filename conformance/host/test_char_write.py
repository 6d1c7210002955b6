# SPDX-License-Identifier: BSD-2-Clause
"""write() of endpoint devices: sizes, bad pointers, and waiting for a send buffer."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.link import PAYLOAD_MAX, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

#: A ring that is soon used up.
SMALL = pytest.mark.device(vq_size=4)

#: Seconds within which a thread that was told has to have come back.
SOON = 2.0


def expect_only(sim: SimulatorClient, mark: int, messages: list[bytes]) -> None:
    """Raise Unmet unless exactly these messages came to the remote after ``mark``."""
    seen = [event.payload for event in sim.events("message", since=mark)]
    expect_equal("messages on the ring", seen, messages)


@pytest.fixture
def full(link: Link, sim: SimulatorClient) -> int:
    """A descriptor that waits for a send buffer when written to: the remote holds them all."""
    filler, other = link.announce(kind="sink"), link.announce(kind="sink")
    fd = link.open(filler.path)
    waiting = link.open(other.path, "rdwr")
    sim.hold(1)
    link.exhaust(fd)
    return waiting


@pytest.mark.requirement("UA-019")
@pytest.mark.parametrize("length", [1 << 20, 64 << 20, (1 << 31) - 4096])
def test_userspace_huge_write_is_emsgsize(
    length: int, sim: SimulatorClient, agent: AgentClient, endpoint: int
) -> None:
    mark = sim.mark()
    agent.try_call("write", fd=endpoint, len=length).expect_errno("EMSGSIZE")
    agent.write(endpoint, b"fits").expect_success()
    agent.receive(endpoint)
    expect_only(sim, mark, [b"fits"])


@pytest.mark.requirement("UA-020")
@pytest.mark.parametrize("length", [1, PAYLOAD_MAX])
def test_userspace_bad_pointer_in_write_is_efault(
    length: int, sim: SimulatorClient, agent: AgentClient, endpoint: int
) -> None:
    mark = sim.mark()
    reply = agent.try_call("write", fd=endpoint, len=length, bad_pointer=True)
    reply.expect_errno("EFAULT")
    agent.write(endpoint, b"good").expect_success()
    agent.receive(endpoint)
    expect_only(sim, mark, [b"good"])


@SMALL
@pytest.mark.requirement("UA-020")
def test_userspace_bad_pointers_use_up_no_buffer(
    link: Link, agent: AgentClient, endpoint: int
) -> None:
    for _ in range(2 * link.buffers):
        agent.try_call("write", fd=endpoint, len=8, bad_pointer=True).expect_errno("EFAULT")
    agent.write(endpoint, b"still room").expect_success()
    expect_equal("echo", agent.receive(endpoint), b"still room")


@SMALL
@pytest.mark.requirement("UA-021")
def test_userspace_signal_ends_a_waiting_write(
    sim: SimulatorClient, agent: AgentClient, full: int
) -> None:
    writer = agent.begin("write", worker=1, fd=full, data="77")
    agent.signal(1)
    before = agent.worker_state(1)
    agent.call("sleep", ms=500)
    reply = writer.poll()
    after = agent.worker_state(1)
    spent = after["stime"] - before["stime"]
    sim.release(1)
    writer.wait()
    expect(
        reply is not None,
        expected="write() ends soon after the signal",
        observed=f"after 500 ms it is in state {after['state']}, with {spent} of "
        f"{int(0.5 * after['hz'])} ticks spent in the kernel",
    )
    assert reply is not None
    reply.expect_errno("EINTR")


@SMALL
@pytest.mark.requirement("UA-021")
def test_userspace_killed_writer_ends(
    sim: SimulatorClient, agent: AgentClient, full: int
) -> None:
    child = int(agent.call("spawn", run="write", fd=full, data="77")["pid"])
    for _ in range(2000):
        state = agent.call("proc_stat", pid=child)
        if state["in_call"] and state["state"] in "SD":
            break
    agent.call("kill", pid=child, sig=9)
    ended = agent.try_call("wait", pid=child, timeout_ms=500)
    state = agent.try_call("proc_stat", pid=child)
    sim.release(1)
    if not ended.ok:
        agent.call("wait", pid=child, timeout_ms=5000)
    expect(
        ended.ok,
        expected="a writer that is killed ends soon",
        observed=f"500 ms after SIGKILL it is in state {state.message.get('state')}",
    )


@SMALL
@pytest.mark.requirement("UA-053")
def test_userspace_signal_ends_a_write_behind_another_one(
    sim: SimulatorClient, agent: AgentClient, full: int
) -> None:
    first = agent.begin("write", worker=1, fd=full, data="01")
    second = agent.begin("write", worker=2, fd=full, data="02")
    agent.signal(2)
    second.wait(SOON).expect_errno("EINTR")
    sim.release(1)
    first.wait().expect_success()


@SMALL
@pytest.mark.requirement("UA-052")
def test_userspace_poll_does_not_wait_for_a_write(
    sim: SimulatorClient, agent: AgentClient, full: int
) -> None:
    writer = agent.begin("write", worker=1, fd=full, data="01")
    poller = agent.submit("poll", worker=2, fds=[full], events=["in"], timeout_ms=0)
    agent.call("sleep", ms=300)
    early = poller.poll()
    sim.release(1)
    poller.wait().expect_success()
    writer.wait().expect_success()
    expect(
        early is not None,
        expected="poll() with a time of 0 answers at once",
        observed="no answer within 300 ms, while a write() waited for a buffer",
    )


@pytest.mark.requirement("BF-001")
@pytest.mark.parametrize("length", [0, 1, PAYLOAD_MAX - 1, PAYLOAD_MAX])
def test_userspace_write_returns_what_it_sent(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    message = bytes((number * 5 + 1) & 0xFF for number in range(length))
    reply = agent.write(endpoint, message).expect_success()
    expect_equal("result of write()", reply["ret"], length)
    expect_equal("message", sim.wait_event("message", src=channel.local).payload, message)
