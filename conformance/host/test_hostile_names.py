# SPDX-License-Identifier: BSD-2-Clause
"""Announcements that no well-meaning remote sends, and withdrawals of what is none of its business."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet, expect, expect_equal
from rpmsg_conformance.host_fixtures import NewLink
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.hostile import SMALL_RING, Observe, arm, fired, judge, settle
from rpmsg_conformance.link import CHAR_CHANNEL, RPMSG_DEVICES, Link
from rpmsg_conformance.sim import SimulatorClient

#: The service whose announcement goes wrong.
NAME, ADDRESS = "hostile", 0x4D3

NAME_SERVICE = 53

#: Seconds within which a guest that has not come to a standstill has answered, before scaling.
STANDSTILL_SECONDS = 3.0

#: Channels of a flood: enough for a limit to show that a driver might have, and few enough for a case.
FLOOD = 200

pytestmark = pytest.mark.device(vq_size=SMALL_RING)


def fault(name: str, requirement: pytest.MarkDecorator, *allowed: str) -> object:
    """A row of the tables below: a fault, what it is about, and what a host may make of it."""
    return pytest.param(name, allowed, marks=requirement, id=name)


def devices(link: Link) -> list[str]:
    """Names of the link's devices on the rpmsg bus, channels and the host's own ones."""
    prefix = f"{link.device}."
    return [name for name in link.agent.entries(RPMSG_DEVICES) if name.startswith(prefix)]


def served(link: Link) -> bool:
    """Whether the name service still makes channels, and they carry messages."""
    link.agent.call("ping")
    try:
        channel = link.announce()
        fd = link.open(channel.path)
        link.agent.write(fd, b"still here").expect_success()
        return link.agent.receive(fd) == b"still here"
    except Unmet:
        return False


def name_channels(link: Link, made: list[str]) -> str:
    """The reaction to an announcement of NAME at ADDRESS, given the devices that it made."""
    if not made:
        return "no-channel"
    return "channel" if made == [f"{link.device}.{NAME}.-1.{ADDRESS}"] else "other-channel"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        fault("ns-len-0", pytest.mark.requirement("NS-008"), "no-channel"),
        fault("ns-len-1", pytest.mark.requirement("NS-008"), "no-channel"),
        fault("ns-len-39", pytest.mark.requirement("NS-008"), "no-channel"),
        fault("ns-len-41", pytest.mark.requirement("NS-008"), "no-channel"),
        fault("ns-len-496", pytest.mark.requirement("NS-008"), "no-channel"),
        fault(
            "ns-name-unterminated", pytest.mark.requirement("NS-004"), "other-channel", "no-channel"
        ),
        fault("ns-name-empty", pytest.mark.requirement("NS-009"), "other-channel", "no-channel"),
        fault("ns-name-ff", pytest.mark.requirement("NS-004"), "other-channel", "no-channel"),
        fault(
            "ns-name-not-utf8", pytest.mark.requirement("NS-040"), "other-channel", "no-channel"
        ),
        fault("ns-name-dirty", pytest.mark.requirement("NS-001"), "channel"),
        fault("ns-addr-any", pytest.mark.requirement("NS-012"), "no-channel"),
        fault("ns-addr-0", pytest.mark.requirement("NS-013"), "other-channel"),
        fault("ns-addr-53", pytest.mark.requirement("NS-013"), "other-channel"),
        fault("ns-addr-0x7fffffff", pytest.mark.requirement("NS-001"), "other-channel"),
        fault("ns-addr-0x80000000", pytest.mark.requirement("NS-001"), "other-channel"),
        fault("ns-flags-unknown", pytest.mark.requirement("NS-006"), "channel"),
        fault("ns-flags-ack", pytest.mark.requirement("NS-006"), "channel"),
        fault("ns-duplicate", pytest.mark.requirement("NS-010"), "channel"),
    ],
)
def test_hostile_announcement(
    name: str, allowed: tuple[str, ...], link: Link, sim: SimulatorClient, observe: Observe
) -> None:
    before = devices(link)
    mark = arm(link, name)
    sim.announce(NAME, "sink", ADDRESS)
    fired(link, name, mark)
    settle(link)
    made = [device for device in devices(link) if device not in before]
    addresses = [c["dst"] for c in link.agent.channels(link.device) if c["device"] in made]
    detail = f"{', '.join(map(repr, made))} to {addresses}" if made else ""
    judge(observe, name_channels(link, made), allowed, detail)


@pytest.mark.requirement("NS-040")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"a/b", id="slash"),
        pytest.param(b"../../x", id="parent"),
        pytest.param(b".", id="dot"),
        pytest.param(b" ", id="blank"),
        pytest.param(b"%s%n%x", id="format"),
        pytest.param(b"\x01\x1b[2J", id="control"),
        pytest.param(b"rpmsg_chrdev.-1.-1", id="looks-like-a-device"),
        pytest.param(b"virtio", id="of-another-bus"),
    ],
)
def test_hostile_name_does_no_harm(
    name: bytes, link: Link, sim: SimulatorClient, observe: Observe
) -> None:
    before = devices(link)
    announce_raw(sim, name)
    settle(link)
    made = [device for device in devices(link) if device not in before]
    expect(len(made) <= 1, expected="one channel at most", observed=made)
    judge(
        observe,
        "other-channel" if made else "no-channel",
        ["other-channel", "no-channel"],
        ", ".join(map(repr, made)),
    )


def announce_raw(sim: SimulatorClient, name: bytes, flags: int = 0, addr: int = ADDRESS) -> None:
    """Send a name-service message made here (protocol, section 1.4)."""
    data = name.ljust(32, b"\0") + addr.to_bytes(4, "little") + flags.to_bytes(4, "little")
    sim.send(src=addr, dst=NAME_SERVICE, data=data)


@pytest.mark.requirement("NS-043")
def test_hostile_line_feed_in_a_name_adds_no_line_to_uevent(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    before = devices(link)
    announce_raw(sim, b"x\nDEVNAME=mem")
    settle(link)
    made = [device for device in devices(link) if device not in before]
    lines = [
        line
        for device in made
        for line in agent.file_text(f"{RPMSG_DEVICES}/{device}/uevent").splitlines()
    ]
    expect("DEVNAME=mem" not in lines, expected="no line DEVNAME=mem in uevent", observed=lines)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        fault("ns-destroy-unknown", pytest.mark.requirement("NS-014"), "kept"),
        fault("ns-destroy-any", pytest.mark.requirement("NS-015"), "kept", "removed"),
        fault("ns-destroy-rpmsg-ctrl", pytest.mark.requirement("NS-016"), "kept"),
    ],
)
def test_hostile_withdrawal(
    name: str, allowed: tuple[str, ...], link: Link, sim: SimulatorClient, observe: Observe
) -> None:
    for addr in (ADDRESS, ADDRESS + 1):
        sim.announce(NAME, "sink", addr)
    settle(link)
    before = devices(link)
    mark = arm(link, name)
    fired(link, name, mark)
    settle(link)
    gone = [device for device in before if device not in devices(link)]
    judge(observe, name_removal(gone), allowed, ", ".join(gone))


def name_removal(gone: list[str]) -> str:
    """The reaction to a withdrawal, given the devices that went."""
    if not gone:
        return "kept"
    if any(".rpmsg_" in device for device in gone):
        return "removed-internal"
    return "removed" if len(gone) == 1 else "removed-more"


@pytest.mark.requirement("NS-006")
def test_hostile_acknowledgement_makes_no_second_channel(
    link: Link, sim: SimulatorClient, observe: Observe
) -> None:
    # NuttX sends flags 2 after each CREATE of the host's; to Linux that is a CREATE once more.
    sim.announce(NAME, "sink", ADDRESS)
    settle(link)
    before = devices(link)
    announce_raw(sim, NAME.encode(), flags=2)
    settle(link)
    expect_equal("devices of the link", devices(link), before)
    assert served(link)


@pytest.mark.requirement("NS-042")
def test_hostile_flood_of_announcements_leaves_the_host_serving(
    link: Link, observe: Observe
) -> None:
    before = devices(link)
    mark = arm(link, "ns-flood", arg=FLOOD)
    fired(link, "ns-flood", mark)
    # The simulator counts their names and addresses from flood-0 at 65536 on.
    last = f"{link.device}.flood-{FLOOD - 1}.-1.{65536 + FLOOD - 1}"
    link.agent.wait_path(f"{RPMSG_DEVICES}/{last}", timeout=10.0)
    seen = "goes-on" if served(link) else "deaf"
    made = len(devices(link)) - len(before) - 1
    judge(observe, seen, ["goes-on"], f"{made} of {FLOOD} channels were made")


@pytest.mark.device(vq_size=SMALL_RING, options=["--feature", "-ns"])
@pytest.mark.requirement("NS-020")
def test_hostile_announcement_without_the_feature(
    link: Link, sim: SimulatorClient, observe: Observe
) -> None:
    before = devices(link)
    mark = arm(link, "ns-without-feature", mode="always")
    sim.announce(NAME, "sink", ADDRESS)
    fired(link, "ns-without-feature", mark)
    sim.call("fault_clear")
    settle(link)
    made = [device for device in devices(link) if device not in before]
    judge(observe, name_channels(link, made), ["no-channel"], ", ".join(made))


@pytest.mark.patient
@pytest.mark.destructive
@pytest.mark.tolerates("blocked for more than", "rcu", "recursive locking", "rtmutex")
@pytest.mark.requirement("NS-045")
def test_hostile_withdrawal_of_the_name_service_itself(
    host: HostTarget, link: Link, observe: Observe
) -> None:
    before = devices(link)
    mark = arm(link, "ns-destroy-rpmsg-ns")
    fired(link, "ns-destroy-rpmsg-ns", mark)
    try:
        link.agent.submit("ping").wait(STANDSTILL_SECONDS)
        gone = [device for device in before if device not in devices(link)]
        seen = "removed-internal" if gone else "kept"
        if not gone and not served(link):
            seen = "deaf"
    except (GuestWedged, GuestDied):
        seen, gone = "stands-still", []
    if seen != "kept":
        host.discard("a withdrawal of the name service has damaged it")
    detail = ", ".join(["after one DESTROY of rpmsg_ns", *gone])
    judge(observe, seen, ["kept"], detail)
