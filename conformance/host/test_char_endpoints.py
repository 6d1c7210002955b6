# SPDX-License-Identifier: BSD-2-Clause
"""Endpoint devices of Linux: made and destroyed by ioctl, opened and closed, shown in sysfs."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.link import ADDRESS_ANY, PAYLOAD_MAX, RPMSG_CLASS, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

#: RPMSG_CREATE_EPT_IOCTL and RPMSG_DESTROY_EPT_IOCTL of include/uapi/linux/rpmsg.h, and a number
#: like the first for a struct of 36 bytes; as most machines have them, see AgentClient.ioctl_number().
CREATE_EPT = 0x4028B501
CREATE_EPT_OF_36 = 0x4024B501
DESTROY_EPT = 0x0000B502

#: Addresses that Linux gives out by itself begin here.
FIRST_DYNAMIC = 1024


def attributes(agent: AgentClient, node: str) -> dict[str, str]:
    """What sysfs says of an endpoint device."""
    return {
        name: agent.file_text(f"{RPMSG_CLASS}/{node}/{name}") for name in ("name", "src", "dst")
    }


def nodes(agent: AgentClient) -> set[str]:
    """Endpoint devices there are."""
    return {name for name in agent.entries(RPMSG_CLASS) if not name.startswith("rpmsg_ctrl")}


@pytest.mark.requirement("UA-001")
def test_userspace_link_has_a_control_device(link: Link, agent: AgentClient) -> None:
    path = link.control_path()
    agent.expect_path(path)
    link.open(path, "rdwr")


@pytest.mark.requirement("UA-001")
@pytest.mark.device(options=["--feature", "-ns"])
def test_userspace_link_without_name_service_has_a_control_device(
    link: Link, agent: AgentClient
) -> None:
    path = link.control_path()
    agent.expect_path(path)
    link.open(path, "rdwr")


@pytest.mark.requirement("UA-002")
@pytest.mark.parametrize(
    ("name", "src", "dst"),
    [
        pytest.param("an-endpoint", 0x321, 0x7654, id="ordinary"),
        pytest.param("e" * 31, 1, 0, id="longest-name-and-small-addresses"),
    ],
)
def test_userspace_create_ept_makes_a_device_with_these_attributes(
    name: str, src: int, dst: int, link: Link, agent: AgentClient
) -> None:
    node = link.create_endpoint(name, src, dst)
    wanted = {"name": name, "src": str(src), "dst": str(dst)}
    expect_equal(f"attributes of {node}", attributes(agent, node), wanted)


@pytest.mark.requirement("UA-002")
def test_userspace_created_endpoint_carries_messages(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    node = link.create_endpoint("own-endpoint", 0x777, channel.remote)
    fd = link.open(f"/dev/{node}")
    agent.write(fd, b"from an endpoint of our own").expect_success()
    expect_equal("echo", agent.receive(fd), b"from an endpoint of our own")


@pytest.mark.requirement("UA-002")
def test_userspace_several_endpoints_use_their_own_addresses(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    sources = [0x500 + number for number in range(4)]
    fds = [
        link.open(f"/dev/{link.create_endpoint(f'ept-{src}', src, channel.remote)}")
        for src in sources
    ]
    for src, fd in zip(sources, fds, strict=True):
        agent.write(fd, b"%d" % src).expect_success()
    seen = [
        (event["src"], event["dst"], event.payload) for event in sim.wait_events(4, "message")
    ]
    expect_equal(
        "messages on the ring", seen, [(src, channel.remote, b"%d" % src) for src in sources]
    )
    echoes = [agent.receive(fd) for fd in fds]
    expect_equal("echo of each endpoint", echoes, [b"%d" % src for src in sources])


@pytest.mark.requirement("UA-003")
def test_userspace_second_open_is_ebusy(
    link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    agent.try_call("open", path=channel.path, flags=["rdwr"]).expect_errno("EBUSY")


@pytest.mark.requirement("UA-003")
def test_userspace_second_open_of_a_created_endpoint_is_ebusy(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    path = f"/dev/{link.create_endpoint('only-once', 0x600, channel.remote)}"
    link.open(path)
    agent.try_call("open", path=path, flags=["rdonly"]).expect_errno("EBUSY")


@pytest.mark.requirement("UA-003")
def test_userspace_open_succeeds_again_after_close(
    link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    link.close(endpoint)
    again = link.open(channel.path)
    agent.write(again, b"once more").expect_success()
    expect_equal("echo", agent.receive(again), b"once more")


@pytest.mark.requirement("UA-009")
def test_userspace_address_in_use_shows_at_open(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    first = link.create_endpoint("first", 0x610, channel.remote)
    second = link.create_endpoint("second", 0x610, channel.remote)
    link.open(f"/dev/{first}")
    agent.try_call("open", path=f"/dev/{second}", flags=["rdwr"]).expect_errno("EINVAL")


@pytest.mark.requirement("UA-054")
def test_userspace_close_frees_the_address(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    first = link.create_endpoint("first", 0x611, channel.remote)
    second = link.create_endpoint("second", 0x611, channel.remote)
    link.close(link.open(f"/dev/{first}"))
    fd = link.open(f"/dev/{second}")
    agent.write(fd, b"mine now").expect_success()
    expect_equal("echo", agent.receive(fd), b"mine now")


@pytest.mark.requirement("UA-010")
def test_userspace_source_any_gets_a_free_address_at_open(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    node = link.create_endpoint("any-source", ADDRESS_ANY, channel.remote)
    fd = link.open(f"/dev/{node}")
    agent.write(fd, b"from where?").expect_success()
    src = sim.wait_event("message", dst=channel.remote)["src"]
    expect_equal("the address is dynamic and not in use", src >= FIRST_DYNAMIC, True)
    expect_equal("it is not the channel's own", src != channel.local, True)
    expect_equal("echo", agent.receive(fd), b"from where?")
    expect_equal("src in sysfs", attributes(agent, node)["src"], "-1")


@pytest.mark.requirement("UA-011")
@pytest.mark.parametrize("src", [0x80000000, 0xFFFFFFFE])
def test_userspace_source_above_31_bits_is_refused_at_open(
    src: int, link: Link, agent: AgentClient, channel: Channel
) -> None:
    # What the kernel says about it in its log is judged as after every case.
    node = link.create_endpoint("large-source", src, channel.remote)
    agent.try_call("open", path=f"/dev/{node}", flags=["rdwr"]).expect_errno("EINVAL")


@pytest.mark.requirement("UA-012")
def test_userspace_open_of_a_destroyed_endpoint_is_enetreset(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    node = link.create_endpoint("short-lived", 0x620, channel.remote)
    fd = link.open(f"/dev/{node}")
    agent.call("rpmsg_destroy_ept", fd=fd)
    # Its name is gone from /dev; the file that is still open can be opened anew all the same.
    path = f"/proc/self/fd/{fd}"
    agent.try_call("open", path=path, flags=["rdwr"]).expect_errno("ENETRESET")


@pytest.mark.requirement("UA-012")
def test_userspace_open_after_the_link_went_is_enetreset(
    link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    link.unplug()
    path = f"/proc/self/fd/{endpoint}"
    agent.try_call("open", path=path, flags=["rdwr"]).expect_errno("ENETRESET")


@pytest.mark.requirement("UA-028")
def test_userspace_destroy_ept_removes_the_device(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    node = link.create_endpoint("short-lived", 0x630, channel.remote)
    fd = link.open(f"/dev/{node}")
    agent.call("rpmsg_destroy_ept", fd=fd)
    agent.expect_no_path(f"/dev/{node}")
    agent.expect_no_path(f"{RPMSG_CLASS}/{node}")


@pytest.mark.requirement("UA-028")
def test_userspace_destroy_ept_leaves_the_others_alone(
    link: Link, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    kept = link.open(f"/dev/{link.create_endpoint('kept', 0x631, channel.remote)}")
    gone = link.open(f"/dev/{link.create_endpoint('gone', 0x632, channel.remote)}")
    agent.call("rpmsg_destroy_ept", fd=gone)
    for fd in (kept, endpoint):
        agent.write(fd, b"still here").expect_success()
        expect_equal("echo", agent.receive(fd), b"still here")


@pytest.mark.destructive
@pytest.mark.requirement("UA-029")
def test_userspace_destroy_ept_twice_does_no_harm(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    node = link.create_endpoint("twice", 0x633, channel.remote)
    fd = link.open(f"/dev/{node}")
    agent.call("rpmsg_destroy_ept", fd=fd)
    # In a process of its own, since the kernel may end it. Any errno is right.
    destroy = agent.ioctl_number(DESTROY_EPT)
    child = int(agent.call("spawn", run="ioctl", fd=fd, request=destroy, arg=0)["pid"])
    ended = agent.call("wait", pid=child, timeout_ms=5000)
    expect_equal("signal that ended the process", ended["signal"], None)
    agent.write(fd, b"x").expect_errno("EPIPE")


@pytest.mark.requirement("UA-030")
@pytest.mark.parametrize("name", ["rpmsg-raw", "rpmsg_chrdev"])
def test_userspace_destroy_ept_of_a_channel_is_einval(
    name: str, link: Link, agent: AgentClient
) -> None:
    channel = link.announce(name)
    fd = link.open(channel.path)
    agent.try_call("rpmsg_destroy_ept", fd=fd).expect_errno("EINVAL")
    agent.write(fd, b"still here").expect_success()
    expect_equal("echo", agent.receive(fd), b"still here")


@pytest.mark.requirement("UA-036")
def test_userspace_name_without_nul_is_cut(
    link: Link, agent: AgentClient, channel: Channel
) -> None:
    name = "".join(chr(ord("A") + number) for number in range(26)) + "abcdef"
    node = link.create_endpoint(name, 0x640, channel.remote)
    expect_equal("name in sysfs", attributes(agent, node)["name"], name[:31])


@pytest.mark.requirement("UA-046")
def test_userspace_endpoint_info_is_40_bytes_with_these_offsets(
    link: Link, agent: AgentClient
) -> None:
    info = bytearray(40)
    info[0:6] = b"offset"
    info[32:36] = (0x01020304).to_bytes(4, agent.byte_order)
    info[36:40] = (0x05060708).to_bytes(4, agent.byte_order)
    before = nodes(agent)
    fd = link.open(link.control_path(), "rdwr")
    agent.ioctl(fd, CREATE_EPT, data=info.hex()).expect_success()
    made = sorted(nodes(agent) - before)
    expect_equal("devices made", len(made), 1)
    wanted = {"name": "offset", "src": str(0x01020304), "dst": str(0x05060708)}
    expect_equal(f"attributes of {made[0]}", attributes(agent, made[0]), wanted)


@pytest.mark.requirement("UA-046")
def test_userspace_endpoint_info_of_36_bytes_makes_nothing(link: Link, agent: AgentClient) -> None:
    before = nodes(agent)
    fd = link.open(link.control_path(), "rdwr")
    agent.ioctl(fd, CREATE_EPT_OF_36, data=bytes(40).hex()).expect_errno("EINVAL", "ENOTTY")
    expect_equal("devices made", sorted(nodes(agent) - before), [])


@pytest.mark.requirement("UA-047")
def test_userspace_sequence_of_the_ocaml_binding_can_be_repeated(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    # Ctrl.open_, Ctrl.create_endpoint ~name ~src ~dst, Endpoint.open_, send and receive up to
    # 496 bytes, close, destroy, Ctrl.close, with the addresses of its own example.
    sim.announce("ocaml-peer", "echo", 1025)
    before = nodes(agent)
    for length in (5, PAYLOAD_MAX, 0):
        control = link.open(link.control_path(), "rdwr")
        agent.call("rpmsg_create_ept", fd=control, name="my-ep", src=1024, dst=1025)
        made = sorted(nodes(agent) - before)
        expect_equal("devices made", len(made), 1)
        fd = link.open(f"/dev/{made[0]}", "rdwr")
        text = (b"hello" * 100)[:length]
        agent.write(fd, text).expect_success()
        expect_equal("echo", agent.receive(fd), text)
        agent.call("rpmsg_destroy_ept", fd=fd)
        link.close(fd)
        link.close(control)
        agent.expect_no_path(f"/dev/{made[0]}")
        expect_equal("devices left", sorted(nodes(agent) - before), [])


@pytest.mark.requirement("UA-018")
def test_userspace_messages_before_open_are_kept_for_a_channel(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    for number in range(3):
        sim.send(src=channel.remote, dst=channel.local, data=b"early %d" % number)
    sim.wait_events(3, "sent", dst=channel.local)
    fd = link.open(channel.path)
    got = [agent.receive(fd) for _ in range(3)]
    expect_equal("messages read", got, [b"early %d" % number for number in range(3)])


@pytest.mark.requirement("UA-018")
def test_userspace_messages_before_open_are_dropped_for_a_created_endpoint(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    node = link.create_endpoint("not-open-yet", 0x650, channel.remote)
    sim.send(src=channel.remote, dst=0x650, data=b"early")
    # Messages are handled in order: once the next one can be read, that one was handled.
    sim.send(src=channel.remote, dst=channel.local, data=b"marker")
    expect_equal("marker", agent.receive(link.open(channel.path)), b"marker")
    fd = link.open(f"/dev/{node}")
    sim.send(src=channel.remote, dst=0x650, data=b"late")
    expect_equal("first message read", agent.receive(fd), b"late")


@pytest.mark.requirement("UA-039")
@pytest.mark.parametrize("name", ["rpmsg-raw", "rpmsg_chrdev"])
def test_userspace_channel_makes_a_device_by_itself(
    name: str, link: Link, agent: AgentClient
) -> None:
    channel = link.announce(name)
    fd = link.open(channel.path)
    agent.write(fd, b"by itself").expect_success()
    expect_equal("echo", agent.receive(fd), b"by itself")


@pytest.mark.requirement("UA-039")
def test_userspace_channel_of_another_name_makes_no_device(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    before = nodes(agent)
    sim.announce("rpmsg-other", "echo", 0x700)
    path = f"/sys/bus/rpmsg/devices/{link.device}.rpmsg-other.-1.{0x700}"
    agent.expect_path(path)
    expect_equal("devices made", sorted(nodes(agent) - before), [])
