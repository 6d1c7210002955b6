# SPDX-License-Identifier: BSD-2-Clause
"""What hostile messages do to the kernel beyond the link that they come over.

Cases called fatal are known to kill a guest, or to leave one that is of no use any more; each has one
of its own. They are not part of the main job: scripts/conform --all, or --select 'test_hostile_fatal_*'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet, expect
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.hostile import (
    SECRET,
    SMALL_RING,
    Observe,
    arm,
    fired,
    judge,
    make_reader,
    settle,
)
from rpmsg_conformance.kernel_api import KernelApi
from rpmsg_conformance.link import BUFFER_SIZE, CHAR_CHANNEL, RPMSG_DEVICES, Link
from rpmsg_conformance.sim import RpcError, SimulatorClient

DYNAMIC_DEBUG = "/sys/kernel/debug/dynamic_debug/control"

SAMPLE = "rpmsg-client-sample"
SAMPLE_DRIVER = "/sys/bus/rpmsg/drivers/rpmsg_client_sample"

#: Seconds within which a guest that has not come to a standstill has answered, before scaling.
STANDSTILL_SECONDS = 3.0

#: Channels of a flood that shows whether there is a limit.
CHANNELS = 1500

#: The last of them; the simulator counts names and addresses from flood-0 at 65536 on.
LAST_OF_FLOOD = f"flood-{CHANNELS - 1}.-1.{65536 + CHANNELS - 1}"

#: Addresses of the services of these cases.
FIRST, SECOND = 0x4D5, 0x4D6


@pytest.fixture
def hex_dump(agent: AgentClient) -> Iterator[None]:
    """The kernel logs every message that it receives, for as long as the case runs."""
    if not agent.exists(DYNAMIC_DEBUG):
        pytest.skip("the kernel has no dynamic debug")
    agent.write_file(DYNAMIC_DEBUG, "func rpmsg_recv_single +p").expect_success()
    yield
    agent.write_file(DYNAMIC_DEBUG, "func rpmsg_recv_single -p")


@pytest.mark.device(vq_size=SMALL_RING)
@pytest.mark.requirement("HD-033")
def test_hostile_length_shows_nothing_in_the_kernels_log(
    host: HostTarget, link: Link, hex_dump: None, observe: Observe
) -> None:
    reader = make_reader(link)
    settle(link)
    before = len(host.recent_log())
    reader.send(b"short", len=4096)
    settle(link)
    logged = dumped(host.recent_log()[before:])
    foreign = logged.count(SECRET)
    observe(f"{len(logged)} bytes were logged of a message of 21, a text of others {foreign} times")
    expect(
        len(logged) <= BUFFER_SIZE,
        expected=f"what is logged ends with the buffer, after {BUFFER_SIZE} bytes at most",
        observed=f"{len(logged)} bytes are logged, with the text of another endpoint's messages"
        if foreign
        else f"{len(logged)} bytes are logged",
    )


def dumped(log: list[str]) -> bytes:
    """The bytes in lines of the kernel's hexadecimal dump of what it received."""
    found = [re.search(r"rpmsg_virtio RX: ((?:[0-9a-f]{2} )+)", line) for line in log]
    return bytes.fromhex("".join(match.group(1) for match in found if match))


@pytest.mark.patient
@pytest.mark.destructive
@pytest.mark.device(vq_size=1)
@pytest.mark.tolerates("Unable to handle kernel", "KASAN", "BUG: ")
@pytest.mark.requirement("HD-034")
def test_hostile_fatal_used_length_below_a_header_shows_no_other_memory(
    host: HostTarget, link: Link, agent: AgentClient, observe: Observe
) -> None:
    # One buffer a direction: 1024 bytes, in a page or two that nothing else lies in.
    own = 8192
    channel = link.announce(addr=FIRST)
    fd = link.open(channel.path)
    link.sim.send(src=channel.remote, dst=channel.local, data=b"short", len=65535, used_len=8)
    try:
        reply = agent.read(fd, 70000) if agent.poll_in(fd, STANDSTILL_SECONDS) else None
    except (GuestDied, GuestWedged) as error:
        host.discard("a used length below 16 has damaged it")
        judge(observe, "stands-still", ["dropped"], str(error).splitlines()[0])
        return
    data = bytes.fromhex(reply["data"]) if reply is not None and reply.ok else b""
    foreign = sum(byte != 0 for byte in data[own:])
    texts = {text.decode()[:40] for text in re.findall(rb"[ -~]{6,}", data[own:])}
    observe(f"texts in it: {', '.join(sorted(texts)[:8]) or 'none'}")
    seen = "leaked" if foreign else "garbled" if data else "dropped"
    detail = f"read() returned {len(data)} bytes, {foreign} of them not 0 and behind all buffers"
    judge(observe, seen, ["dropped"], detail)


@pytest.mark.patient
@pytest.mark.destructive
@pytest.mark.deadline(180)
@pytest.mark.requirement("NS-041")
def test_hostile_fatal_flood_of_announcements_meets_a_limit(
    host: HostTarget, link: Link, agent: AgentClient, observe: Observe
) -> None:
    before = int(agent.call("meminfo")["MemAvailable"])
    mark = arm(link, "ns-flood", arg=CHANNELS)
    fired(link, "ns-flood", mark)
    try:
        agent.wait_path(f"{RPMSG_DEVICES}/{link.device}.{LAST_OF_FLOOD}", timeout=90.0)
        made = len([name for name in agent.entries(RPMSG_DEVICES) if ".flood-" in name])
        taken = before - int(agent.call("meminfo")["MemAvailable"])
    except (GuestDied, GuestWedged) as error:
        host.discard("a flood of announcements has damaged it")
        judge(observe, "stands-still", ["no-channel"], str(error).splitlines()[0])
        return
    expect(
        made < CHANNELS,
        expected=f"fewer channels than the {CHANNELS} that were announced",
        observed=f"no limit: {made} channels, which take {taken} kB",
    )


def announce_while_full(
    host: HostTarget, link: Link, service: str, sim: SimulatorClient, observe: Observe
) -> None:
    """Announce a service whose driver sends in its probe, while the remote keeps all send buffers.

    An endpoint that has nothing to do with it must go on hearing.
    """
    hearing = link.announce(CHAR_CHANNEL, "sink", FIRST)
    fd = link.open(hearing.path)
    filler = link.open(link.announce(CHAR_CHANNEL, "sink", SECOND).path)
    sim.hold(1)
    link.exhaust(filler)
    sim.announce(service, "sink")
    try:
        link.agent.submit("sleep", ms=100).wait(STANDSTILL_SECONDS)
        sim.send(src=hearing.remote, dst=hearing.local, data=b"for somebody else")
        heard = link.agent.poll_in(fd, STANDSTILL_SECONDS)
        seen = "goes-on" if heard else "deaf"
    except (GuestDied, GuestWedged):
        seen = "stands-still"
    detail = ""
    if seen != "goes-on":
        # Not even when the buffers are there again?
        try:
            sim.release(1)
            link.agent.submit("ping").wait(STANDSTILL_SECONDS)
            detail = "until buffers came back" if link.agent.poll_in(fd, 1.0) else "for good"
        except (GuestDied, GuestWedged, RpcError):
            detail = "for good, also after all buffers had come back"
        host.discard("a driver's probe that waits stands in the way of everything else")
    judge(observe, seen, ["goes-on"], f"while a probe waits {detail}")


@pytest.mark.patient
@pytest.mark.destructive
@pytest.mark.device(vq_size=SMALL_RING)
@pytest.mark.requirement("NS-044")
def test_hostile_fatal_probe_that_waits_stops_nobody_else(
    host: HostTarget, kernel: KernelApi, link: Link, sim: SimulatorClient, observe: Observe
) -> None:
    kernel.new_driver("kapi-sends", sends=1)
    announce_while_full(host, link, "kapi-sends", sim, observe)


@pytest.mark.patient
@pytest.mark.destructive
@pytest.mark.device(vq_size=SMALL_RING)
@pytest.mark.requirement("NS-044")
def test_hostile_fatal_sample_client_whose_first_send_waits_stops_nobody_else(
    host: HostTarget, link: Link, agent: AgentClient, sim: SimulatorClient, observe: Observe
) -> None:
    if not agent.exists(SAMPLE_DRIVER):
        pytest.skip("this kernel comes without the driver rpmsg_client_sample")
    announce_while_full(host, link, SAMPLE, sim, observe)


@pytest.mark.requirement("UA-070")
def test_hostile_flow_control_of_a_destroyed_endpoint_does_no_harm(
    link: Link, agent: AgentClient
) -> None:
    fd = link.open("/dev/" + link.create_endpoint("gone", 0x7A0, FIRST))
    agent.call("rpmsg_destroy_ept", fd=fd)
    reply = agent.ioctl(fd, SET_INCOMING_FLOWCONTROL, arg=1)
    expect(not reply.ok, expected="the ioctl fails", observed=reply.describe())


#: _IOR(0xb5, 6, int) of include/uapi/linux/rpmsg.h
SET_INCOMING_FLOWCONTROL = 0x8004B506
