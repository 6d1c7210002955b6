# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg drivers: which channels they are probed for, and how a binding begins and ends."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import KernelApi, KernelChannel
from rpmsg_conformance.kernel_log import uses_of_freed_memory
from rpmsg_conformance.link import ADDRESS_ANY, RPMSG_DEVICES, Link
from rpmsg_conformance.sim import SimulatorClient


def announce(link: Link, name: str, addr: int | None = None) -> int:
    """Announce a service that answers nothing, and wait for its channel; returns its address."""
    remote = int(link.sim.announce(name, "sink", addr)["addr"])
    link.agent.expect_path(f"{RPMSG_DEVICES}/{link.device}.{name}.-1.{remote}")
    return remote


def probed(kernel: KernelApi, driver: int) -> list[int]:
    """Remote addresses of the channels that a driver was probed for, in order."""
    return [int(event["dst"]) for event in kernel.events(what="probe", driver=driver)]


@pytest.mark.requirement("KA-013")
def test_kernel_driver_is_probed_for_channels_that_are_there(
    kernel: KernelApi, link: Link
) -> None:
    remotes = [announce(link, name) for name in ("kapi-one", "kapi-two", "kapi-one")]
    driver = kernel.new_driver("kapi-one", "kapi-two")
    expect_equal("channels probed", sorted(probed(kernel, driver)), sorted(remotes))


@pytest.mark.requirement("KA-013")
def test_kernel_driver_is_probed_for_a_channel_that_comes(kernel: KernelApi, link: Link) -> None:
    driver = kernel.new_driver("kapi-one", "kapi-two", "kapi-three", "kapi-four")
    remote = announce(link, "kapi-four")
    kernel.channel(driver, "kapi-four", remote)
    expect_equal("channels probed", probed(kernel, driver), [remote])


@pytest.mark.requirement("KA-013")
def test_kernel_driver_is_probed_with_the_addresses_of_the_channel(
    kernel: KernelApi, link: Link
) -> None:
    driver = kernel.new_driver("kapi-one")
    remote = announce(link, "kapi-one", 0x12345)
    channel = kernel.channel(driver, "kapi-one")
    expect_equal("destination", channel.dst, remote)
    assert channel.ept is not None
    expect_equal("source in sysfs", source_in_sysfs(link.agent, channel), channel.ept.addr)


def source_in_sysfs(agent: AgentClient, channel: KernelChannel) -> int:
    return int(agent.file_text(f"{RPMSG_DEVICES}/{channel.device}/src"), 0)


@pytest.mark.requirement("KA-052")
@pytest.mark.parametrize("name", ["kapi-on", "kapi-one2", "KAPI-ONE", "other", "n" * 31])
def test_kernel_driver_is_not_probed_for_another_name(
    name: str, kernel: KernelApi, link: Link
) -> None:
    driver = kernel.new_driver("kapi-one")
    announce(link, name)
    remote = announce(link, "kapi-one")
    kernel.channel(driver, "kapi-one", remote)
    expect_equal("channels probed", probed(kernel, driver), [remote])


@pytest.mark.requirement("KA-052")
def test_kernel_longest_name_is_compared_to_its_end(kernel: KernelApi, link: Link) -> None:
    driver = kernel.new_driver("n" * 30 + "1")
    announce(link, "n" * 30 + "2")
    remote = announce(link, "n" * 30 + "1")
    kernel.channel(driver, "n" * 30 + "1", remote)
    expect_equal("channels probed", probed(kernel, driver), [remote])


@pytest.mark.requirement("KA-053")
def test_kernel_channels_of_one_name_are_bindings_of_their_own(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one")
    first, second = (
        kernel.channel(driver, "kapi-one", announce(link, "kapi-one")) for _ in range(2)
    )
    assert first.ept is not None and second.ept is not None
    expect(first.src != second.src, expected="two sources", observed=f"both {first.src}")
    for channel, ept in ((first, first.ept), (second, second.ept)):
        sim.send(src=channel.dst, dst=channel.src, data=b"for %d" % channel.src)
        expect_equal("message", kernel.receive(ept).data, b"for %d" % channel.src)


@pytest.mark.requirement("KA-054")
def test_kernel_probe_may_send_on_its_channel(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one", sends=1)
    remote = announce(link, "kapi-one")
    message = sim.wait_event("message", dst=remote)
    channel = kernel.channel(driver, "kapi-one")
    expect_equal("message of the probe", (message["src"], message.payload), (channel.src, b"probe"))


@pytest.mark.requirement("KA-055")
def test_kernel_probes_come_in_the_order_of_the_channels(kernel: KernelApi, link: Link) -> None:
    remotes = [announce(link, f"kapi-{number}") for number in (4, 1, 3, 2)]
    driver = kernel.new_driver("kapi-1", "kapi-2", "kapi-3", "kapi-4")
    expect_equal("order of the probes", probed(kernel, driver), remotes)


@pytest.mark.requirement("KA-014")
def test_kernel_unregister_removes_the_driver_from_all_its_channels(
    kernel: KernelApi, link: Link
) -> None:
    driver = kernel.new_driver("kapi-one", "kapi-two")
    for name in ("kapi-one", "kapi-two", "kapi-one"):
        kernel.channel(driver, name, announce(link, name))
    bound = {event["channel"] for event in kernel.events(what="probe", driver=driver)}
    kernel.unregister(driver).expect_success()
    removed = [event["channel"] for event in kernel.events(what="remove", driver=driver)]
    expect_equal("channels with a call of remove", sorted(removed), sorted(bound))


@pytest.mark.requirement("KA-014")
def test_kernel_unregister_leaves_the_channels(kernel: KernelApi, link: Link) -> None:
    driver = kernel.new_driver("kapi-one")
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    kernel.unregister(driver).expect_success()
    listed = [c for c in link.agent.channels(link.device) if c["device"] == channel.device]
    expect_equal("channel and its driver", [c["driver"] for c in listed], [None])


@pytest.mark.requirement("KA-014")
def test_kernel_unregister_leaves_other_drivers(
    kernel: KernelApi, link: Link, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    other = kernel.new_driver("kapi-other")
    kernel.channel(other, "kapi-other", announce(link, "kapi-other"))
    kernel.unregister(other).expect_success()
    sim.send(src=bound.dst, dst=bound.src, data=b"still there")
    expect_equal("message", kernel.receive(bound.ept).data, b"still there")


@pytest.mark.requirement("KA-056")
def test_kernel_removes_come_in_the_reverse_order_of_the_probes(
    kernel: KernelApi, link: Link
) -> None:
    driver = kernel.new_driver("kapi-one")
    for _ in range(4):
        kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    order = [event["channel"] for event in kernel.events(what="probe", driver=driver)]
    kernel.unregister(driver).expect_success()
    removed = [event["channel"] for event in kernel.events(what="remove", driver=driver)]
    expect_equal("order of the removes", removed, order[::-1])


@pytest.mark.requirement("KA-021")
def test_kernel_remove_may_still_send(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one", sends=1)
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    kernel.unregister(driver).expect_success()
    message = sim.wait_event("message", data=b"remove".hex())
    expect_equal(
        "addresses of the message sent in remove",
        (message["src"], message["dst"]),
        (channel.src, channel.dst),
    )


@pytest.mark.requirement("KA-057")
def test_kernel_callback_is_not_called_after_unregister(
    kernel: KernelApi, link: Link, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    driver = kernel.new_driver("kapi-one")
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    assert channel.ept is not None
    sim.hold(0)
    for number in range(100):
        sim.send(src=channel.dst, dst=channel.src, data=bytes([number]))
    sim.send(src=bound.dst, dst=bound.src, data=b"the last one")
    ended = kernel.submit("driver_unregister", worker=1, driver=driver)
    sim.release(0)
    ended.wait().expect_success()
    kernel.receive(bound.ept)
    expect_equal("calls after the end", kernel.state(channel.ept)["late"], 0)


@pytest.mark.requirement("KA-058")
def test_kernel_withdrawn_channel_is_removed_from_its_driver(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one")
    gone, kept = (
        kernel.channel(driver, "kapi-one", announce(link, "kapi-one")) for _ in range(2)
    )
    sim.withdraw("kapi-one", gone.dst)
    link.agent.expect_no_path(f"{RPMSG_DEVICES}/{gone.device}")
    removed = [int(event["channel"]) for event in kernel.events(what="remove", driver=driver)]
    expect_equal("channels with a call of remove", removed, [gone.id])
    assert kept.ept is not None
    sim.send(src=kept.dst, dst=kept.src, data=b"still there")
    expect_equal("message", kernel.receive(kept.ept).data, b"still there")


@pytest.mark.requirement("KA-020")
def test_kernel_failed_probe_leaves_no_endpoint(
    kernel: KernelApi, link: Link, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    failing = kernel.new_driver("kapi-one", probe=-19)
    announce(link, "kapi-one")
    probe = kernel.events(what="probe", driver=failing)
    expect_equal("probes", len(probe), 1)
    addr = int(probe[0]["src"])
    endpoint = kernel.create(bound, addr)
    sim.send(src=9000, dst=addr, data=b"for the new one")
    expect_equal("message", kernel.receive(endpoint).data, b"for the new one")


@pytest.mark.requirement("KA-059")
def test_kernel_failed_probe_leaves_the_channel_to_the_next_driver(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    kernel.new_driver("kapi-one", probe=-19)
    remote = announce(link, "kapi-one")
    second = kernel.new_driver("kapi-one")
    channel = kernel.channel(second, "kapi-one", remote)
    assert channel.ept is not None
    sim.send(src=remote, dst=channel.src, data=b"for the second")
    expect_equal("message", kernel.receive(channel.ept).data, b"for the second")


@pytest.mark.requirement("KA-060")
def test_kernel_driver_without_a_callback_has_no_endpoint(kernel: KernelApi, link: Link) -> None:
    driver = kernel.new_driver("kapi-one", callback=0)
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    expect(channel.ept is None, expected="no endpoint", observed=channel.ept)
    expect_equal("source", channel.src, ADDRESS_ANY)


@pytest.mark.requirement("KA-060")
def test_kernel_driver_without_a_callback_may_create_an_endpoint(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one", callback=0)
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    endpoint = kernel.create(channel)
    kernel.call("send", endpoint=endpoint.id, data=b"by hand").expect_success()
    message = sim.wait_event("message", data=b"by hand".hex())
    expect_equal("addresses", (message["src"], message["dst"]), (endpoint.addr, channel.dst))


@pytest.mark.requirement("KA-061")
@pytest.mark.parametrize("probe", [0, -19], ids=["unbound", "probe-failed"])
def test_kernel_channel_keeps_no_endpoint_of_an_earlier_driver(
    probe: int, kernel: KernelApi, link: Link
) -> None:
    earlier = kernel.new_driver("kapi-one", probe=probe)
    announce(link, "kapi-one")
    kernel.unregister(earlier).expect_success()
    later = kernel.new_driver("kapi-one", callback=0)
    seen = kernel.events(what="probe", driver=later)
    expect_equal("probes", len(seen), 1)
    expect(
        seen[0]["stale"] == "0",
        expected="rpdev->ept is NULL when a driver without a callback is probed",
        observed="it points to the endpoint of the driver before, which is destroyed",
    )


@pytest.mark.requirement("KA-071")
def test_kernel_endpoint_of_an_earlier_driver_is_not_destroyed_again(
    kernel: KernelApi, link: Link
) -> None:
    earlier = kernel.new_driver("kapi-one")
    kernel.channel(earlier, "kapi-one", announce(link, "kapi-one"))
    kernel.unregister(earlier).expect_success()
    # A stand-in for the endpoint is what meets its end now: the real one is freed memory.
    later = kernel.new_driver("kapi-one", callback=0, leaves_stale=1)
    kernel.channel(later, "kapi-one")
    kernel.unregister(later).expect_success()
    again = kernel.events(what="destroyed_again")
    expect(
        not again,
        expected="nothing is destroyed when a driver without an endpoint leaves",
        observed="the core destroys the endpoint of the driver before once more, a use after free",
    )


@pytest.mark.destructive
@pytest.mark.requirement("KA-071")
def test_kernel_driver_without_an_endpoint_leaves_freed_memory_alone(
    kernel: KernelApi, link: Link, host: HostTarget
) -> None:
    if "KASAN" not in host.bundle.checks:
        pytest.skip("what frees memory twice tells of it only on a kernel with KASAN")
    earlier = kernel.new_driver("kapi-one")
    kernel.channel(earlier, "kapi-one", announce(link, "kapi-one"))
    kernel.unregister(earlier).expect_success()
    later = kernel.new_driver("kapi-one", callback=0, leaves_stale=2)
    kernel.channel(later, "kapi-one")
    # What it touches is in the kernel's log; it need not come back from that.
    kernel.submit("driver_unregister", worker=1, driver=later)
    link.agent.call("sleep", ms=500)
    used = uses_of_freed_memory(host.recent_log())
    expect(not used, expected="no use of the endpoint that is gone", observed="; ".join(used))


@pytest.mark.requirement("KA-062")
def test_kernel_driver_can_be_registered_again(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one")
    kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    kernel.unregister(driver).expect_success()
    kernel.register(driver).expect_success()
    channel = kernel.channel(driver, "kapi-one")
    assert channel.ept is not None
    sim.send(src=channel.dst, dst=channel.src, data=b"again")
    expect_equal("message", kernel.receive(channel.ept).data, b"again")


@pytest.mark.requirement("KA-062")
def test_kernel_channel_can_be_bound_again_when_its_address_was_taken(
    kernel: KernelApi, link: Link, bound: KernelChannel
) -> None:
    driver = kernel.new_driver("kapi-one")
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    kernel.unregister(driver).expect_success()
    kernel.create(bound, channel.src)
    kernel.register(driver).expect_success()
    again = kernel.find_channel(driver, "kapi-one", timeout=0.5)
    expect(
        again is not None,
        expected="the driver is bound again, with another source",
        observed="its probe was not called: the channel insists on the source that it had before",
    )


@pytest.mark.requirement("KA-063")
def test_kernel_channel_with_a_source_is_announced_after_probe(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-host", sends=1)
    make_channel(link, "kapi-host", 900, 901)
    channel = kernel.channel(driver, "kapi-host")
    announced = sim.wait_event("ns", direction="from-host", name="kapi-host")
    expect_equal("announcement", (announced["action"], announced["addr"]), ("create", 900))
    expect_equal("source", channel.src, 900)
    probe = sim.wait_event("message", data=b"probe".hex())
    expect(probe.seq < announced.seq, expected="probe before announcement", observed="after it")


def make_channel(link: Link, name: str, src: int, dst: int) -> None:
    """Create a channel from the host's side, through the control device."""
    fd = link.open(link.control_path(), "rdwr")
    link.agent.call("rpmsg_create_dev", fd=fd, name=name, src=src, dst=dst)
    link.close(fd)


@pytest.mark.requirement("KA-064")
def test_kernel_announced_channel_is_withdrawn_before_remove(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-host", sends=1)
    make_channel(link, "kapi-host", 902, 903)
    kernel.channel(driver, "kapi-host")
    # It is announced after its probe, which is all that was waited for.
    announced = sim.wait_event("ns", direction="from-host", name="kapi-host")
    expect_equal("announcement", (announced["action"], announced["addr"]), ("create", 902))
    mark = sim.mark()
    kernel.unregister(driver).expect_success()
    withdrawn = sim.wait_event("ns", since=mark, direction="from-host", name="kapi-host")
    expect_equal("announcement", (withdrawn["action"], withdrawn["addr"]), ("destroy", 902))


@pytest.mark.requirement("KA-065")
def test_kernel_channel_of_the_remote_is_not_announced_back(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one")
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    kernel.unregister(driver).expect_success()
    kernel.register(driver).expect_success()
    channel = kernel.channel(driver, "kapi-one")
    assert channel.ept is not None
    kernel.call("send", endpoint=channel.ept.id, data=b"done").expect_success()
    sim.wait_event("message", data=b"done".hex())
    seen = [event.brief() for event in sim.events("ns", direction="from-host")]
    expect_equal("announcements of the host", seen, [])


@pytest.mark.requirement("KA-066")
def test_kernel_driver_may_ask_for_an_announcement_in_probe(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one", announces=1)
    channel = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    announced = sim.wait_event("ns", direction="from-host", name="kapi-one")
    expect_equal("announcement", (announced["action"], announced["addr"]), ("create", channel.src))


@pytest.mark.requirement("KA-069")
def test_kernel_driver_is_removed_when_the_device_loses_its_driver(
    kernel: KernelApi, link: Link
) -> None:
    driver = kernel.new_driver("kapi-one", "kapi-two")
    for name in ("kapi-one", "kapi-two"):
        channel = kernel.channel(driver, name, announce(link, name))
        kernel.create(channel)
    bound = {event["channel"] for event in kernel.events(what="probe", driver=driver)}
    link.unbind()
    removed = [event["channel"] for event in kernel.events(what="removed", driver=driver)]
    expect_equal("channels with a call of remove", sorted(removed), sorted(bound))
    link.bind()


@pytest.mark.requirement("KA-069")
def test_kernel_driver_is_probed_again_when_the_device_has_its_driver_back(
    kernel: KernelApi, link: Link, sim: SimulatorClient
) -> None:
    driver = kernel.new_driver("kapi-one")
    before = kernel.channel(driver, "kapi-one", announce(link, "kapi-one"))
    link.unbind()
    link.bind()
    # The remote announces its services anew to a driver that has just come.
    after = kernel.channel(driver, "kapi-one", before.dst)
    assert after.ept is not None
    sim.send(src=after.dst, dst=after.src, data=b"again")
    expect_equal("message", kernel.receive(after.ept).data, b"again")
