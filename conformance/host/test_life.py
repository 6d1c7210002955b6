# SPDX-License-Identifier: BSD-2-Clause
"""The life of a link: what happens when devices, drivers and processors come and go."""

from __future__ import annotations

import re

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_fixtures import NewLink
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.link import RPMSG_CLASS, RPMSG_DEVICES, VIRTIO_DRIVER, Channel, Link
from rpmsg_conformance.long_waits import Beside, Removal
from rpmsg_conformance.sim import SimulatorClient

#: Services that are there before the guest has the device.
EARLY = tuple(f"rpmsg-raw,addr={addr}" for addr in (1024, 1025, 1026))

#: Seconds within which what does not wait for the remote has to be over.
SOON = 2.0

#: Times that something is repeated which might fail only now and then.
ROUNDS = 10


def told(seconds: float) -> str:
    """A duration in words, so that a baseline can name a long one however loaded the machine is."""
    return f"more than 10 s ({seconds:.1f})" if seconds > 10 else f"{seconds:.2f} s"


def channels(link: Link, name: str = "rpmsg-raw") -> list[int]:
    """Addresses of the link's channels of this name."""
    return sorted(c["dst"] for c in link.agent.channels(link.virtio_device) if c["name"] == name)


def endpoint_nodes(agent: AgentClient) -> list[str]:
    """Character devices of endpoints, of all links."""
    return [name for name in agent.entries(RPMSG_CLASS) if not name.startswith("rpmsg_ctrl")]


def expect_echo(link: Link, channel: Channel, text: bytes) -> None:
    """Raise Unmet unless a new descriptor of the channel's echoes."""
    fd = link.open(channel.path)
    link.agent.write(fd, text).expect_success()
    expect_equal("echo", link.agent.receive(fd), text)
    link.close(fd)


@pytest.mark.requirement("LC-004")
@pytest.mark.device(services=EARLY)
def test_life_old_channels_are_gone_after_a_reset(link: Link, agent: AgentClient) -> None:
    own = {link.channel("rpmsg-raw", addr).path[len("/dev/") :] for addr in (1024, 1025, 1026)}
    expect_equal("character devices of the link", own <= set(endpoint_nodes(agent)), True)
    link.unbind()
    expect_equal("channels without a driver", channels(link), [])
    left = set(endpoint_nodes(agent)) & own
    expect_equal("character devices without a driver", left, set())
    link.bind()


@pytest.mark.requirement("LC-004")
@pytest.mark.device(services=EARLY)
def test_life_driver_starts_anew_after_a_reset(link: Link, sim: SimulatorClient) -> None:
    link.channel("rpmsg-raw", 1024)
    for round_number in range(3):
        link.unbind()
        mark = sim.mark()
        link.bind()
        ready = sim.wait_event("driver_ok", since=mark)
        expect_equal("receive buffers at DRIVER_OK", ready["queues"], [link.buffers, 0])
        channel = link.channel("rpmsg-raw", 1024)
        expect_echo(link, channel, b"round %d" % round_number)


@pytest.mark.requirement("LC-004")
def test_life_reset_with_messages_under_way_does_no_harm(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sim.hold(1)
    for number in range(20):
        agent.write(endpoint, bytes([number])).expect_success()
        sim.send(src=channel.remote, dst=channel.local, data=bytes([number]))
    link.unbind()
    link.bind()
    sim.release(1)


@pytest.mark.requirement("LC-030")
@pytest.mark.device(services=EARLY)
def test_life_services_are_channels_again_after_unbind_and_bind(link: Link) -> None:
    first = [link.channel("rpmsg-raw", addr) for addr in (1024, 1025, 1026)]
    link.unbind()
    link.bind()
    for old in first:
        expect_echo(link, link.channel(old.name, old.remote), b"again")


@pytest.mark.requirement("UA-045")
@pytest.mark.device(services=EARLY)
def test_life_unbind_with_open_files_leaks_nothing(link: Link, agent: AgentClient) -> None:
    before = endpoint_nodes(agent)
    for _ in range(ROUNDS):
        fds = [link.open(link.channel("rpmsg-raw", addr).path) for addr in (1024, 1025, 1026)]
        link.unbind()
        for fd in fds:
            agent.read(fd).expect_errno("EPIPE")
            link.close(fd)
        link.bind()
    link.unbind()
    expect_equal("character devices left", set(endpoint_nodes(agent)) - set(before), set())
    link.bind()


@pytest.mark.requirement("UA-045")
def test_life_files_of_an_old_link_can_be_closed_late(
    link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    created = link.open(f"/dev/{link.create_endpoint('created', 0x670, channel.remote)}")
    control = link.open(link.control_path(), "rdwr")
    link.unbind()
    link.bind()
    expect_echo(link, link.announce(), b"the new link works")
    for fd in (endpoint, created):
        agent.write(fd, b"the old one does not").expect_errno("EPIPE")
        link.close(fd)
    link.close(control)


def unload(link: Link, *names: str) -> list[str]:
    """Unload modules that the guest loaded, in this order; the files to load them from again."""
    paths = {path.rpartition("/")[2].partition(".ko")[0]: path for path in link.guest.bundle.modules}
    known = {name.replace("-", "_"): path for name, path in paths.items()}
    if any(name not in known for name in names):
        pytest.skip(f"the guest's kernel has {', '.join(names)} built in")
    for name in names:
        link.agent.call("rmmod", name=name)
    return [known[name] for name in names]


@pytest.mark.requirement("LC-031")
@pytest.mark.device(services=EARLY)
def test_life_driver_module_can_be_unloaded_and_loaded(link: Link, agent: AgentClient) -> None:
    assert link.device
    link.channel("rpmsg-raw", 1024)
    for _ in range(3):
        (path,) = unload(link, "virtio_rpmsg_bus")
        expect_equal("the driver is there", agent.exists(VIRTIO_DRIVER), False)
        expect_equal("channels", channels(link), [])
        link.forget_device()
        agent.call("insmod", path=path, params="")
        expect_echo(link, link.channel("rpmsg-raw", 1024), b"loaded again")


@pytest.mark.requirement("LC-031")
def test_life_char_driver_in_use_is_not_unloaded(
    link: Link, agent: AgentClient, endpoint: int
) -> None:
    unload(link)
    if not agent.exists("/sys/module/rpmsg_char/refcnt"):
        pytest.skip("the guest's kernel has rpmsg_char built in")
    agent.try_call("rmmod", name="rpmsg_char").expect_errno("EAGAIN", "EBUSY", "EWOULDBLOCK")
    agent.write(endpoint, b"still here").expect_success()
    expect_equal("echo", agent.receive(endpoint), b"still here")


@pytest.mark.requirement("LC-031")
@pytest.mark.device(services=EARLY)
def test_life_char_driver_can_be_unloaded_and_loaded(link: Link, agent: AgentClient) -> None:
    link.channel("rpmsg-raw", 1024)
    ctrl, char = unload(link, "rpmsg_ctrl", "rpmsg_char")
    expect_equal("character devices", endpoint_nodes(agent), [])
    # The channels stay, without a driver.
    expect_equal("channels", channels(link), [1024, 1025, 1026])
    agent.call("insmod", path=char, params="")
    agent.call("insmod", path=ctrl, params="")
    expect_echo(link, link.channel("rpmsg-raw", 1026), b"loaded again")
    link.open(link.control_path(), "rdwr")


@pytest.mark.requirement("LC-032")
@pytest.mark.device(services=EARLY)
def test_life_device_is_unplugged_and_plugged_with_open_files(
    link: Link, agent: AgentClient
) -> None:
    old: list[int] = []
    for round_number in range(4):
        channel = link.channel("rpmsg-raw", 1025)
        fd = link.open(channel.path)
        agent.write(fd, b"round %d" % round_number).expect_success()
        expect_equal("echo", agent.receive(fd), b"round %d" % round_number)
        old.append(fd)
        link.unplug()
        link.plug()
    for fd in old:
        agent.write(fd, b"gone").expect_errno("EPIPE")


@pytest.mark.requirement("LC-032")
def test_life_other_links_go_on_when_one_is_unplugged(link: Link, new_link: NewLink) -> None:
    other = new_link()
    kept, gone = link.announce(), other.announce()
    fd = link.open(kept.path)
    stale = other.open(gone.path)
    other.unplug()
    link.agent.write(fd, b"undisturbed").expect_success()
    expect_equal("echo", link.agent.receive(fd), b"undisturbed")
    link.agent.write(stale, b"gone").expect_errno("EPIPE")


@pytest.mark.requirement("LC-032")
def test_life_two_links_have_the_same_addresses_apart(link: Link, new_link: NewLink) -> None:
    other = new_link()
    pairs = [(each, each.announce(addr=2000)) for each in (link, other)]
    fds = [each.open(channel.path) for each, channel in pairs]
    for number, ((each, channel), fd) in enumerate(zip(pairs, fds, strict=True)):
        text = b"over link %d" % number
        each.agent.write(fd, text).expect_success()
        seen = each.sim.wait_event("message", src=channel.local).payload
        expect_equal("message at its remote", seen, text)
        expect_equal("echo", each.agent.receive(fd), text)


@pytest.mark.requirement("LC-033")
def test_life_channels_survive_a_remote_that_starts_again(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    for round_number in range(3):
        sim.call("reset")
        text = b"round %d" % round_number
        agent.write(endpoint, text).expect_success()
        expect_equal("echo", agent.receive(endpoint), text)
    expect_equal("channels", channels(link), [channel.remote])


@pytest.mark.requirement("LC-033")
def test_life_service_of_a_remote_that_came_back_is_a_channel(
    link: Link, sim: SimulatorClient
) -> None:
    link.announce()
    link.crash()
    link.unplug()
    link.plug()
    expect_echo(link, link.announce(), b"after the crash")


#: Where the remote ends, and how often that place is passed first. QEMU 11.1 itself ends (an
#: assertion about the ioeventfd) when a back-end goes while QEMU starts the device, so that the
#: points before the first kicks cannot be shown to the guest.
CRASHES = (
    pytest.param("life-crash-at-first-kick", 4, id="kick"),
    pytest.param("life-crash-at-first-message", 0, id="message"),
)


@pytest.mark.requirement("LC-035")
@pytest.mark.parametrize(("point", "after"), CRASHES)
def test_life_crash_of_the_remote_does_no_harm(
    point: str, after: int, link: Link, new_link: NewLink, agent: AgentClient
) -> None:
    link.unbind()
    link.sim.call("fault_set", name=point, mode="count", count=1, after=after)
    mark = link.sim.mark()
    agent.write_file(f"{VIRTIO_DRIVER}/bind", link.virtio_device)
    for _ in range(12):
        if link.sim.events("disconnected", since=mark):
            break
        announced = link.sim.announce("rpmsg-raw")
        path = f"{RPMSG_DEVICES}/{link.virtio_device}.rpmsg-raw.-1.{announced['addr']}/rpmsg"
        if agent.wait_path(path, timeout=0.5):
            agent.write(link.open(f"/dev/{link.only_entry(path)}"), b"the last one")
    link.sim.wait_event("disconnected", since=mark, expected="the remote ends")
    link.unplug()
    link.sim.call("fault_clear")
    other = new_link()
    expect_echo(other, other.announce(), b"the next one works")


@pytest.mark.requirement("LC-036")
def test_life_announcements_at_once_with_driver_ok_all_arrive(new_link: NewLink) -> None:
    names = [f"at-once-{number},addr={3000 + number}" for number in range(40)]
    link = new_link(services=names)
    assert link.device
    for number in range(40):
        path = f"{RPMSG_DEVICES}/{link.device}.at-once-{number}.-1.{3000 + number}"
        link.agent.expect_path(path)


@pytest.mark.requirement("LC-036")
def test_life_device_goes_while_services_are_announced(
    new_link: NewLink, agent: AgentClient
) -> None:
    names = [f"rpmsg-raw,addr={3100 + number}" for number in range(20)]
    link = new_link(services=names)
    for _ in range(ROUNDS):
        # Nothing is waited for: removal meets announcements that are being handled.
        link.unplug()
        link.plug()
    assert link.device
    link.channel("rpmsg-raw", 3119)


@pytest.mark.requirement("LC-036")
def test_life_driver_goes_while_services_come_and_go(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    for _ in range(ROUNDS):
        sim.hold(0)
        for number in range(10):
            sim.announce("rpmsg-raw", "echo", 3200 + number)
            if number % 2:
                sim.withdraw("rpmsg-raw", 3200 + number)
        sim.release(0)
        link.unbind()
        link.bind()
        assert link.device
        for number in range(0, 10, 2):
            sim.withdraw("rpmsg-raw", 3200 + number)
    marker = link.announce("rpmsg-raw", addr=3300)
    assert marker.path
    expect_equal("channels", channels(link), [3300])


@pytest.mark.requirement("LC-036")
def test_life_service_that_leaves_as_soon_as_it_came_leaves_nothing(
    link: Link, sim: SimulatorClient
) -> None:
    sim.hold(0)
    for number in range(30):
        sim.announce("short-lived", "echo", 3400 + number)
        sim.withdraw("short-lived", 3400 + number)
    sim.release(0)
    link.announce()
    expect_equal("channels", channels(link, "short-lived"), [])


@pytest.mark.requirement("LC-005")
def test_life_needs_reset_does_no_harm(
    link: Link, sim: SimulatorClient, agent: AgentClient, endpoint: int
) -> None:
    sim.call("needs_reset")
    agent.write(endpoint, b"afterwards").expect_success()
    expect_equal("echo", agent.receive(endpoint), b"afterwards")


@pytest.mark.requirement("LC-003")
@pytest.mark.usefixtures("with_agent")
def test_life_device_with_one_queue_is_refused_cleanly(
    host: HostTarget, new_link: NewLink
) -> None:
    link = new_link(num_vqs=1)
    name = link.virtio_device
    driver = link.agent.exists(f"/sys/bus/virtio/devices/{name}/driver")
    ready = bool(link.sim.events("driver_ok"))
    link.dismiss()
    expect(
        not driver and not ready,
        expected="no driver for the device",
        observed=f"driver: {driver}, DRIVER_OK: {ready}",
    )


@pytest.mark.requirement("VQ-024")
def test_life_queue_of_size_0_is_refused(new_link: NewLink, agent: AgentClient) -> None:
    # To the driver a queue that the device does not have is one of size 0 (VIRTIO 4.1.5.1.3).
    link = new_link(num_vqs=1)
    mark = link.sim.mark()
    reply = agent.write_file(f"{VIRTIO_DRIVER}/bind", link.virtio_device)
    started = [event["queue"] for event in link.sim.events("queue", since=mark)]
    link.dismiss()
    reply.expect_errno("ENOENT", "EINVAL")
    expect_equal("queues started", started, [])


@pytest.mark.requirement("VQ-023")
@pytest.mark.usefixtures("with_agent")
@pytest.mark.parametrize("size", [3, 100, 255])
def test_life_ring_of_no_power_of_two_is_refused(size: int, new_link: NewLink) -> None:
    link = new_link(vq_size=size)
    name = link.virtio_device
    driver = link.agent.exists(f"/sys/bus/virtio/devices/{name}/driver")
    ready = bool(link.sim.events("driver_ok"))
    link.dismiss()
    expect(
        not driver and not ready,
        expected="no driver for the device",
        observed=f"driver: {driver}, DRIVER_OK: {ready}",
    )


@pytest.mark.patient
@pytest.mark.requirement("LC-038")
def test_life_waiting_write_fails_when_its_link_goes(removal_with_writer: Removal) -> None:
    assert removal_with_writer.writer is not None
    noticed = removal_with_writer.writer_seconds
    assert noticed is not None
    expect(
        not removal_with_writer.writer.ok,
        expected="the write fails",
        observed=removal_with_writer.writer.describe(),
    )
    expect(noticed < SOON, expected="soon", observed=f"{told(noticed)} after the link's end began")


@pytest.mark.patient
@pytest.mark.requirement("LC-037")
def test_life_announced_channels_do_not_hold_up_the_end_of_their_link(
    removal_with_announcement: Removal,
) -> None:
    seconds = removal_with_announcement.seconds
    expect(seconds < SOON, expected="it ends soon", observed=f"it took {told(seconds)}")


@pytest.mark.patient
@pytest.mark.deadline(150)
@pytest.mark.requirement("LC-034")
def test_life_link_works_after_the_host_has_started_again(rebooted: Beside) -> None:
    link = rebooted.reboot.result()
    names = [event.type for event in link.sim.events() if event.type in ("driver_ok", "reset")]
    expect_equal("times that the driver got ready", names.count("driver_ok"), 2)


@pytest.mark.patient
@pytest.mark.requirement("LC-007")
def test_life_receive_path_never_sleeps_where_it_must_not(host: HostTarget) -> None:
    if not host.bundle.has_agent:
        pytest.skip("the kernel's log takes an agent in the guest, and there is none (--no-agent)")
    # Every case before this one has had its messages; what their logs said of it was kept.
    seen = [complaint.describe() for complaint in host.boot_complaints]
    seen += [text for requirement, _, text in host.known_complaints if requirement == "LC-007"]
    # Once after each boot, and by another interrupt's thread: the same again says nothing more.
    seen = list({re.sub(r"PID: \d+", "PID: ...", text): None for text in seen})
    expect(
        not seen,
        expected="no complaint of the kernel about its receive path",
        observed=f"{len(seen)}: {'; '.join(seen)}",
    )
