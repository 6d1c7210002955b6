# SPDX-License-Identifier: BSD-2-Clause
"""The ioctls of the control device beside CREATE_EPT, and those of endpoint devices for flow control."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.link import ADDRESS_ANY, RPMSG_DEVICES, Link
from rpmsg_conformance.sim import SimulatorClient

# Numbers of include/uapi/linux/rpmsg.h as most machines have them, and one that is none of them.
CREATE_EPT = 0x4028B501
CREATE_DEV = 0x4028B503
RELEASE_DEV = 0x4028B504
GET_OUTGOING_FLOWCONTROL = 0x8004B505
SET_INCOMING_FLOWCONTROL = 0x8004B506
UNKNOWN = 0x4028B57F

#: Address of the name service.
NAME_SERVICE = 53

#: Seconds within which an ioctl has to have come back.
SOON = 3.0


@pytest.fixture
def control(link: Link) -> int:
    """The link's control device, opened."""
    return link.open(link.control_path(), "rdwr")


@pytest.mark.requirement("UA-007")
@pytest.mark.parametrize("request_number", [CREATE_EPT, CREATE_DEV, RELEASE_DEV, UNKNOWN])
def test_ctrl_bad_pointer_is_efault(
    request_number: int, agent: AgentClient, control: int
) -> None:
    agent.ioctl(control, request_number, bad_pointer=True).expect_errno("EFAULT")


@pytest.mark.requirement("UA-008")
@pytest.mark.parametrize("request_number", [UNKNOWN, 0x0000B502, 0x5401])
def test_ctrl_unknown_command_is_einval(
    request_number: int, agent: AgentClient, control: int
) -> None:
    agent.ioctl(control, request_number, data=bytes(40).hex()).expect_errno("EINVAL")


@pytest.mark.requirement("UA-008")
def test_ctrl_unknown_command_of_an_endpoint_is_einval(agent: AgentClient, endpoint: int) -> None:
    agent.ioctl(endpoint, UNKNOWN, data=bytes(40).hex()).expect_errno("EINVAL")


@pytest.mark.requirement("UA-026")
def test_ctrl_outgoing_flow_control_is_0(agent: AgentClient, endpoint: int) -> None:
    reply = agent.ioctl(endpoint, GET_OUTGOING_FLOWCONTROL, data="ffffffff").expect_success()
    expect_equal("value", reply["data"], "00000000")


@pytest.mark.requirement("UA-026")
def test_ctrl_outgoing_flow_control_to_a_bad_pointer_is_efault(
    agent: AgentClient, endpoint: int
) -> None:
    agent.ioctl(endpoint, GET_OUTGOING_FLOWCONTROL, bad_pointer=True).expect_errno("EFAULT")


@pytest.mark.requirement("UA-027")
@pytest.mark.parametrize(
    ("value", "errno"), [(0, "EOPNOTSUPP"), (1, "EOPNOTSUPP"), (2, "EINVAL"), (0xFFFF, "EINVAL")]
)
def test_ctrl_incoming_flow_control_is_not_supported(
    value: int, errno: str, agent: AgentClient, endpoint: int
) -> None:
    agent.ioctl(endpoint, SET_INCOMING_FLOWCONTROL, arg=value).expect_errno(errno)


@pytest.mark.requirement("UA-031")
def test_ctrl_created_channel_is_announced_and_has_its_driver(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    sim.announce("peer", "echo", 0x4321)
    mark = sim.mark()
    made = link.create_device("rpmsg-raw", 0x432, 0x4321)
    told = sim.wait_event("ns", since=mark, direction="from-host")
    seen = {name: told[name] for name in ("action", "name", "addr")}
    expect_equal(
        "announcement", seen, {"action": "create", "name": "rpmsg-raw", "addr": 0x432}
    )
    fd = link.open(made.path)
    agent.write(fd, b"through a channel of our own").expect_success()
    message = sim.wait_event("message", dst=0x4321)
    expect_equal("source of the message", message["src"], 0x432)
    expect_equal("echo", agent.receive(fd), b"through a channel of our own")


@pytest.mark.requirement("UA-031")
def test_ctrl_created_channel_without_source_is_not_announced(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    mark = sim.mark()
    link.create_device("rpmsg-raw", ADDRESS_ANY, 0x4322)
    # In order: when the one with a source was heard of, one for the other would have been.
    link.create_device("rpmsg-raw", 0x433, 0x4322)
    sim.wait_event("ns", since=mark, direction="from-host", addr=0x433)
    told = [event["addr"] for event in sim.events("ns", since=mark, direction="from-host")]
    expect_equal("announced addresses", told, [0x433])


@pytest.mark.requirement("UA-032")
def test_ctrl_channel_that_exists_is_enxio(
    link: Link, agent: AgentClient, control: int
) -> None:
    link.create_device("rpmsg-raw", 0x434, 0x4323)
    reply = agent.try_call(
        "rpmsg_create_dev", fd=control, name="rpmsg-raw", src=0x434, dst=0x4323
    )
    reply.expect_errno("ENXIO")


@pytest.mark.requirement("UA-033")
def test_ctrl_released_channel_goes_and_is_withdrawn(
    link: Link, sim: SimulatorClient, agent: AgentClient, control: int
) -> None:
    made = link.create_device("rpmsg-raw", 0x435, 0x4324)
    sim.wait_event("ns", direction="from-host", action="create")
    mark = sim.mark()
    agent.call("rpmsg_release_dev", fd=control, name="rpmsg-raw", src=0x435, dst=0x4324)
    agent.expect_no_path(f"{RPMSG_DEVICES}/{made.device}")
    agent.expect_no_path(made.path)
    told = sim.wait_event("ns", since=mark, direction="from-host")
    seen = {name: told[name] for name in ("action", "name", "addr")}
    expect_equal(
        "announcement", seen, {"action": "destroy", "name": "rpmsg-raw", "addr": 0x435}
    )


@pytest.mark.requirement("UA-033")
def test_ctrl_release_of_an_unknown_channel_is_einval(agent: AgentClient, control: int) -> None:
    reply = agent.try_call("rpmsg_release_dev", fd=control, name="nobody", src=0x436, dst=0x4325)
    reply.expect_errno("EINVAL")


@pytest.mark.requirement("UA-033")
def test_ctrl_release_takes_the_channel_that_is_named(
    link: Link, agent: AgentClient, control: int
) -> None:
    kept = [link.create_device("rpmsg-raw", 0x437, 0x4326)]
    gone = link.create_device("rpmsg-raw", 0x438, 0x4326)
    kept.append(link.create_device("rpmsg-raw", 0x439, 0x4326))
    agent.call("rpmsg_release_dev", fd=control, name="rpmsg-raw", src=0x438, dst=0x4326)
    agent.expect_no_path(gone.path)
    there = [agent.exists(channel.path) for channel in kept]
    expect_equal("others are there", there, [True, True])


@pytest.mark.requirement("UA-034")
@pytest.mark.destructive
def test_ctrl_release_of_the_control_device_does_not_hang(
    link: Link, agent: AgentClient, control: int
) -> None:
    pending = agent.submit(
        "rpmsg_release_dev",
        worker=1,
        fd=control,
        name="rpmsg_ctrl",
        src=ADDRESS_ANY,
        dst=ADDRESS_ANY,
    )
    agent.call("sleep", ms=int(SOON * 1000))
    reply = pending.poll()
    state = agent.worker_state(1)
    expect(
        reply is not None,
        expected="the ioctl returns",
        observed=f"after {SOON:g} s its thread is in state {state.get('state')}",
    )


@pytest.mark.requirement("UA-035")
def test_ctrl_release_of_the_name_service_is_refused(
    link: Link, sim: SimulatorClient, agent: AgentClient, control: int
) -> None:
    reply = agent.try_call(
        "rpmsg_release_dev", fd=control, name="rpmsg_ns", src=ADDRESS_ANY, dst=ADDRESS_ANY
    )
    left = f"{RPMSG_DEVICES}/{link.device}.rpmsg_ns.{NAME_SERVICE}.{NAME_SERVICE}"
    there = agent.exists(left)
    # Without its name service the link serves no more; a new start gives it another one.
    link.unbind()
    link.bind()
    expect(
        not reply.ok and there,
        expected="an errno, and the name service stays",
        observed=f"{reply.describe()}; {left} {'is there' if there else 'is gone'}",
    )


@pytest.mark.requirement("UA-061")
def test_ctrl_of_a_link_that_went_fails_and_can_be_closed(
    link: Link, agent: AgentClient, control: int
) -> None:
    link.unplug()
    reply = agent.try_call("rpmsg_create_ept", fd=control, name="too-late", src=5, dst=6)
    expect(not reply.ok, expected="an errno", observed=reply.describe())
    link.close(control)


@pytest.mark.requirement("NS-018")
def test_ctrl_channels_of_the_host_are_announced_once_each(
    link: Link, sim: SimulatorClient
) -> None:
    mark = sim.mark()
    wanted = [("rpmsg-raw", 0x500), ("rpmsg_chrdev", 0x501), ("rpmsg-raw", 0x502)]
    for name, src in wanted:
        link.create_device(name, src, 0x7000)
    told = sim.wait_events(len(wanted), "ns", since=mark, direction="from-host")
    seen = [(event["action"], event["name"], event["addr"]) for event in told]
    expect_equal("announcements", seen, [("create", name, src) for name, src in wanted])


@pytest.mark.requirement("NS-019")
def test_ctrl_channels_of_the_host_are_withdrawn_when_released(
    link: Link, sim: SimulatorClient, agent: AgentClient, control: int
) -> None:
    for src in (0x510, 0x511):
        link.create_device("rpmsg-raw", src, 0x7001)
    sim.wait_events(2, "ns", direction="from-host", action="create")
    mark = sim.mark()
    for src in (0x511, 0x510):
        agent.call("rpmsg_release_dev", fd=control, name="rpmsg-raw", src=src, dst=0x7001)
    told = sim.wait_events(2, "ns", since=mark, direction="from-host")
    seen = [(event["action"], event["addr"]) for event in told]
    expect_equal("withdrawals", seen, [("destroy", 0x511), ("destroy", 0x510)])


@pytest.mark.requirement("NS-021")
def test_ctrl_announcement_comes_from_the_endpoint_that_it_names(
    link: Link, sim: SimulatorClient
) -> None:
    mark = sim.mark()
    link.create_device("rpmsg-raw", 0x520, 0x7002)
    message = sim.wait_event("message", since=mark, dst=NAME_SERVICE)
    expect_equal("source of the announcement", message["src"], 0x520)
    expect_equal("address in it", message.payload[32:36], (0x520).to_bytes(4, "little"))


@pytest.mark.requirement("NS-005")
@pytest.mark.parametrize("name", ["rpmsg-raw", "rpmsg_chrdev"])
def test_ctrl_announcement_is_40_bytes_with_a_padded_name(
    name: str, link: Link, sim: SimulatorClient
) -> None:
    mark = sim.mark()
    link.create_device(name, 0x521, 0x7003)
    message = sim.wait_event("message", since=mark, dst=NAME_SERVICE)
    wire = name.encode().ljust(32, b"\0") + (0x521).to_bytes(4, "little") + bytes(4)
    expect_equal("announcement", message.payload, wire)


@pytest.mark.requirement("NS-007")
@pytest.mark.device(options=["--feature", "-ns"])
def test_ctrl_channels_are_not_announced_without_the_feature(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    sim.announce("peer", "echo", 0x7004)
    made = link.create_device("rpmsg-raw", 0x530, 0x7004)
    fd = link.open(made.path)
    agent.write(fd, b"a message").expect_success()
    expect_equal("echo", agent.receive(fd), b"a message")
    seen = [event["dst"] for event in sim.events("message")]
    expect_equal("destinations of messages", seen, [0x7004])


@pytest.mark.requirement("NS-020")
@pytest.mark.device(options=["--feature", "-ns"])
def test_ctrl_address_53_is_an_ordinary_one_without_the_feature(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    sim.announce("peer", "echo", 0x7005)
    fd = link.open(f"/dev/{link.create_endpoint('fifty-three', NAME_SERVICE, 0x7005)}")
    agent.write(fd, b"from 53").expect_success()
    expect_equal("source", sim.wait_event("message", dst=0x7005)["src"], NAME_SERVICE)
    expect_equal("echo", agent.receive(fd), b"from 53")


@pytest.mark.requirement("NS-020")
@pytest.mark.device(options=["--feature", "-ns"])
def test_ctrl_announcement_without_the_feature_makes_no_channel(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    announcement = b"sneaky".ljust(32, b"\0") + (0x7006).to_bytes(4, "little") + bytes(4)
    sim.send(src=0x7006, dst=NAME_SERVICE, data=announcement)
    # Something sent later shows that it was handled.
    sim.announce("peer", "echo", 0x7007)
    fd = link.open(f"/dev/{link.create_endpoint('later', 0x541, 0x7007)}")
    agent.write(fd, b"later").expect_success()
    expect_equal("echo", agent.receive(fd), b"later")
    names = [channel["name"] for channel in agent.channels(link.device)]
    expect_equal("channels", "sneaky" in names, False)
