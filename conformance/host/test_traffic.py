# SPDX-License-Identifier: BSD-2-Clause
"""Rules that a host can only be watched for never breaking.

One session makes traffic of every kind; the simulator's checker judges every message, descriptor and
kick of it. A case then looks for violations of its own rule. All other cases are watched as well: a
violation fails the case during which it happens.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.link import PAYLOAD_MAX, Link
from rpmsg_conformance.sim import Event

#: A bit of vhost-user that QEMU takes for itself.
PROTOCOL_FEATURES = 1 << 30

#: Features that the simulator is told not to offer: rings are driven differently without them.
VARIANTS = ((), ("-event-idx",), ("-event-idx", "-indirect-desc"))


class Watched:
    """What the checker has seen during the sessions with traffic."""

    def __init__(self) -> None:
        self.messages = 0
        self.received = 0
        self.announcements = 0
        self.violations: list[Event] = []
        self.features: list[tuple[int, int]] = []
        self.restarts = 0
        self.sizes: Counter[int] = Counter()

    def take(self, link: Link) -> None:
        """Add what a session has seen."""
        history = link.sim.history()
        self.messages += sum(event.type == "message" for event in history)
        self.received += sum(event.type == "sent" for event in history)
        self.announcements += sum(
            event.type == "ns" and event["direction"] == "from-host" for event in history
        )
        self.restarts += sum(event.type == "driver_ok" for event in history)
        self.violations += [event for event in history if event.type == "violation"]
        self.sizes.update(event["len"] for event in history if event.type == "message")

    def of(self, requirement: str) -> list[str]:
        """Violations of one rule, in words."""
        return [event.brief() for event in self.violations if event["requirement"] == requirement]


def make_traffic(link: Link) -> None:
    """Messages of all sizes both ways, channels of both sides, queues used up, a new start."""
    agent, sim = link.agent, link.sim
    channel = link.announce()
    fd = link.open(channel.path, "rdwr")
    for size in (0, 1, 15, 16, 17, 255, 256, PAYLOAD_MAX - 1, PAYLOAD_MAX):
        agent.write(fd, bytes(size)).expect_success()
        agent.receive(fd)
    agent.write(fd, bytes(PAYLOAD_MAX + 1)).expect_errno("EMSGSIZE")
    agent.call("exchange", fd=fd, count=700, window=40)
    tty = sim.announce("rpmsg-tty", "echo")
    made = link.create_device("rpmsg-raw", 0x880, channel.remote)
    own = link.open(made.path)
    agent.write(own, b"own channel").expect_success()
    agent.receive(own)
    control = link.open(link.control_path(), "rdwr")
    agent.call("rpmsg_release_dev", fd=control, name="rpmsg-raw", src=0x880, dst=channel.remote)
    sim.call("pace", queue=1, order="shuffled")
    sim.hold(1)
    link.exhaust(own if agent.write(own, b"").ok else link.open(link.announce().path))
    sim.release(1)
    sim.call("pace", queue=1)
    sim.hold(0)
    for number in range(100):
        sim.send(src=channel.remote, dst=channel.local, data=bytes([number]))
    sim.release(0)
    for _ in range(100):
        agent.receive(fd)
    sim.withdraw("rpmsg-tty", tty["addr"])
    link.unbind()
    link.bind()
    again = link.channel(channel.name, channel.remote)
    fd = link.open(again.path, "rdwr")
    agent.call("exchange", fd=fd, count=300, window=16)


@pytest.fixture(scope="session")
def watched(host: HostTarget, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """The traffic of all variants, watched."""
    seen = Watched()
    for number, features in enumerate(VARIANTS):
        options = [word for feature in features for word in ("--feature", feature)]
        folder: Path = host.folder / "traffic"
        folder.mkdir(exist_ok=True)
        link = host.new_link(
            folder / f"sim-{number}.log", vq_size=64, options=("--check", "strict", *options)
        )
        try:
            make_traffic(link)
            stats = link.sim.stats()["features"]
            seen.features.append((stats["offered"], stats["acked"]))
            link.check_alive()
        finally:
            link.end()
            link.sim.write_events(folder / f"events-{number}.jsonl")
        seen.take(link)
    # What the cases rest on: a session in which nothing happened would break no rule.
    expect(seen.messages > 3000, expected="more than 3000 messages", observed=seen.messages)
    expect(seen.received > 3000, expected="more than 3000 received", observed=seen.received)
    expect(len(seen.sizes) > 9, expected="messages of all sizes", observed=dict(seen.sizes))
    expect_equal("sessions", seen.restarts, 2 * len(VARIANTS))
    expect(seen.announcements >= 6, expected="announcements", observed=seen.announcements)
    return seen


#: Rules of which the checker knows how they are broken (sim/wire/violation.h).
RULES = [
    pytest.param("VQ-001", marks=pytest.mark.requirement("VQ-001"), id="VQ-001"),
    pytest.param("VQ-002", marks=pytest.mark.requirement("VQ-002"), id="VQ-002"),
    pytest.param("VQ-003", marks=pytest.mark.requirement("VQ-003"), id="VQ-003"),
    pytest.param("VQ-004", marks=pytest.mark.requirement("VQ-004"), id="VQ-004"),
    pytest.param("VQ-005", marks=pytest.mark.requirement("VQ-005"), id="VQ-005"),
    pytest.param("VQ-006", marks=pytest.mark.requirement("VQ-006"), id="VQ-006"),
    pytest.param("VQ-007", marks=pytest.mark.requirement("VQ-007"), id="VQ-007"),
    pytest.param("VQ-008", marks=pytest.mark.requirement("VQ-008"), id="VQ-008"),
    pytest.param("VQ-009", marks=pytest.mark.requirement("VQ-009"), id="VQ-009"),
    pytest.param("VQ-010", marks=pytest.mark.requirement("VQ-010"), id="VQ-010"),
    pytest.param("VQ-011", marks=pytest.mark.requirement("VQ-011"), id="VQ-011"),
    pytest.param("VQ-012", marks=pytest.mark.requirement("VQ-012"), id="VQ-012"),
    pytest.param("VQ-013", marks=pytest.mark.requirement("VQ-013"), id="VQ-013"),
    pytest.param("VQ-028", marks=pytest.mark.requirement("VQ-028"), id="VQ-028"),
    pytest.param("HD-005", marks=pytest.mark.requirement("HD-005"), id="HD-005"),
    pytest.param("HD-006", marks=pytest.mark.requirement("HD-006"), id="HD-006"),
    pytest.param("HD-007", marks=pytest.mark.requirement("HD-007"), id="HD-007"),
    pytest.param("HD-008", marks=pytest.mark.requirement("HD-008"), id="HD-008"),
    pytest.param("HD-010", marks=pytest.mark.requirement("HD-010"), id="HD-010"),
    pytest.param("NS-003", marks=pytest.mark.requirement("NS-003"), id="NS-003"),
    pytest.param("NS-004", marks=pytest.mark.requirement("NS-004"), id="NS-004"),
    pytest.param("NS-006", marks=pytest.mark.requirement("NS-006"), id="NS-006"),
    pytest.param("BF-012", marks=pytest.mark.requirement("BF-012"), id="BF-012"),
]


@pytest.mark.parametrize("requirement", RULES)
def test_traffic_breaks_no_rule(requirement: str, watched: Watched) -> None:
    seen = watched.of(requirement)
    expect(
        not seen,
        expected=f"no violation of {requirement} in {watched.messages} messages",
        observed=f"{len(seen)}: {'; '.join(seen[:3])}",
    )


@pytest.mark.requirement("FT-002")
def test_traffic_uses_features_that_were_offered_only(watched: Watched) -> None:
    for offered, acked in watched.features:
        taken = acked & ~PROTOCOL_FEATURES
        expect_equal(f"features taken that {offered:#x} does not offer", taken & ~offered, 0)


@pytest.mark.requirement("VQ-030")
def test_traffic_needs_no_indirect_descriptors(link: Link, endpoint: int) -> None:
    link.agent.write(endpoint, b"one buffer").expect_success()
    message = link.sim.wait_event("message")
    expect_equal("descriptors of the message", message["desc_count"], 1)
