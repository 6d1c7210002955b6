# SPDX-License-Identifier: BSD-2-Clause
"""Remotes that go, fall silent, answer late, start again or speak too early."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import Unmet, expect, expect_equal
from rpmsg_conformance.host_fixtures import NewLink
from rpmsg_conformance.hostile import SMALL_RING, Observe, arm, fired, judge, lose, settle
from rpmsg_conformance.link import RPMSG_DEVICES, Link
from rpmsg_conformance.sim import SimulatorClient

#: Milliseconds by which each answer to a request of QEMU's is late.
LATE_MS = 5

pytestmark = pytest.mark.device(vq_size=SMALL_RING)


def fault(name: str, requirement: pytest.MarkDecorator) -> object:
    """A row of a table below: a fault, and what it is about."""
    return pytest.param(name, marks=requirement, id=name)


def echoes(link: Link, fd: int, text: bytes) -> bool:
    """Whether a message comes back, perhaps after earlier ones; not when it cannot be sent."""
    if not link.agent.write(fd, text).ok:
        return False
    try:
        while link.agent.receive(fd) != text:
            pass
    except Unmet:
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [
        fault("life-crash-at-first-kick", pytest.mark.requirement("LC-006")),
        fault("life-crash-at-first-message", pytest.mark.requirement("LC-006")),
    ],
)
def test_hostile_remote_that_ends(
    name: str, link: Link, new_link: NewLink, agent: AgentClient, endpoint: int, observe: Observe
) -> None:
    expect_equal("the echo before", echoes(link, endpoint, b"before"), True)
    mark = arm(link, name)
    agent.write(endpoint, b"the last one").expect_success()
    fired(link, name, mark)
    link.sim.wait_event("disconnected", since=mark, expected="the remote ends")
    # A sender without O_NONBLOCK would wait; this one has to be told each time.
    more = 0
    while agent.write(endpoint, b"to nobody").ok:
        more += 1
        expect(more <= link.buffers, expected=f"{link.buffers} writes at most", observed=more)
    link.sim.call("fault_clear")
    lose(link, new_link)
    judge(observe, "link-lost", ["link-lost"], f"{more} more writes succeeded, the next failed")


@pytest.mark.requirement("LC-051")
def test_hostile_silent_remote_holds_up_nobody_else(
    link: Link, new_link: NewLink, agent: AgentClient, endpoint: int, observe: Observe
) -> None:
    other = new_link(vq_size=SMALL_RING)
    other_fd = other.open(other.announce().path)
    mark = arm(link, "life-silent", mode="always")
    taken = 0
    while agent.write(endpoint, b"who is there").ok:
        taken += 1
        expect(taken <= link.buffers, expected=f"{link.buffers} writes at most", observed=taken)
    fired(link, "life-silent", mark)
    expect_equal("messages over another link", echoes(other, other_fd, b"beside it"), True)
    link.sim.call("fault_clear", name="life-silent")
    link.sim.wait_events(taken, "message", since=mark)
    judge(observe, "goes-on", ["goes-on"], f"{taken} writes succeeded before it failed at once")


@pytest.mark.device(
    vq_size=SMALL_RING, options=["--fault", f"life-slow-replies={LATE_MS}", "--service", "slow"]
)
@pytest.mark.requirement("LC-051")
def test_hostile_slow_remote_is_waited_for(link: Link, observe: Observe) -> None:
    assert link.device
    link.agent.expect_path(f"{RPMSG_DEVICES}/{link.device}.slow.-1.1024")
    late = len(link.sim.events("fault", fault="life-slow-replies"))
    expect(late > 0, expected="answers that come late", observed=late)
    judge(observe, "goes-on", ["goes-on"], f"{late} answers of its back-end came {LATE_MS} ms late")


@pytest.mark.parametrize(
    "name",
    [
        fault("life-config-change", pytest.mark.requirement("LC-052")),
        fault("life-reset-in-flight", pytest.mark.requirement("LC-052")),
        fault("life-needs-reset", pytest.mark.requirement("LC-005")),
        fault("life-reboot", pytest.mark.requirement("LC-033")),
    ],
)
def test_hostile_remote_that_changes(
    name: str, link: Link, agent: AgentClient, endpoint: int, observe: Observe
) -> None:
    expect_equal("the echo before", echoes(link, endpoint, b"before"), True)
    mark = arm(link, name)
    # Some fire at once, some when a message comes, which then gets no answer.
    agent.write(endpoint, b"meanwhile").expect_success()
    fired(link, name, mark)
    settle(link)
    works = echoes(link, endpoint, b"after")
    judge(observe, "goes-on" if works else "link-lost", ["goes-on"])


@pytest.mark.requirement("LC-050")
def test_hostile_announcement_before_driver_ok(new_link: NewLink, observe: Observe) -> None:
    link = new_link(
        vq_size=SMALL_RING,
        options=["--fault", "ns-before-driver-ok"],
        services=["early=sink,addr=1300"],
    )
    assert link.device
    fired(link, "ns-before-driver-ok", 0)
    settle(link)
    made = link.agent.exists(f"{RPMSG_DEVICES}/{link.device}.early.-1.1300")
    judge(observe, "channel" if made else "no-channel", ["channel", "no-channel"])


@pytest.mark.requirement("UA-038")
def test_hostile_flood_that_nobody_reads_takes_bounded_memory(
    link: Link, sim: SimulatorClient, agent: AgentClient, observe: Observe
) -> None:
    channel = link.announce(kind="sink")
    fd = link.open(channel.path)
    before = available(agent)
    mark = sim.mark()
    sim.call(
        "endpoint_create",
        kind="source",
        rate=0xFFFFFFFF,
        size=FLOOD_BYTES,
        messages=FLOOD,
        peer=channel.local,
    )
    sim.wait_events(FLOOD, "sent", since=mark, dst=channel.local, timeout=30.0)
    settle(link)
    taken = before - available(agent)
    link.close(fd)
    freed = available(agent) - before + taken
    observe(
        f"{FLOOD} unread messages took {taken} kB; closing the file gave {freed} kB back"
    )
    expect(
        taken < BOUND_KB,
        expected=f"at most {BOUND_KB} kB for messages that nobody reads",
        observed=f"{FLOOD} messages are kept, all that were sent",
    )


#: Messages that nobody reads, their payload, and what a host may keep of them: a ring of any size
#: has fewer buffers than this.
FLOOD, FLOOD_BYTES, BOUND_KB = 6000, 496, 2048


def available(agent: AgentClient) -> int:
    """Memory that programs of the guest could still have, in kB."""
    return int(agent.call("meminfo")["MemAvailable"])
