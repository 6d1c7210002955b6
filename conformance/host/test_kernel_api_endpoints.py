# SPDX-License-Identifier: BSD-2-Clause
"""Endpoints of the in-kernel API: their addresses, their life, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import KernelApi, KernelChannel, wait_until_asleep
from rpmsg_conformance.link import PAYLOAD_MAX
from rpmsg_conformance.sim import SimulatorClient

#: RPMSG_RESERVED_ADDRESSES of Linux: the ones below are not assigned by themselves.
FIRST_DYNAMIC = 1024

#: Address of the name service.
NS_ADDRESS = 53

POLLOUT = 0x004


@pytest.mark.requirement("KA-009")
@pytest.mark.parametrize("addr", [0, 1, 1023, 1500, 0x7FFFFFFF])
def test_kernel_given_address_is_bound_to_the_callback(
    addr: int, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    endpoint = kernel.create(bound, addr)
    expect_equal("address of the endpoint", endpoint.addr, addr)
    sim.send(src=9000, dst=addr, data=b"for the given address")
    expect_equal("message", kernel.receive(endpoint).data, b"for the given address")


@pytest.mark.requirement("KA-010")
def test_kernel_taken_address_gives_null(kernel: KernelApi, bound: KernelChannel) -> None:
    kernel.create(bound, 600)
    again = kernel.try_create(bound, 600)
    expect(again is None, expected="NULL for a taken address", observed=f"endpoint {again}")


@pytest.mark.requirement("KA-010")
def test_kernel_address_of_another_channel_gives_null(
    kernel: KernelApi, bound: KernelChannel, second: KernelChannel
) -> None:
    again = kernel.try_create(bound, second.src)
    expect(again is None, expected="NULL for a taken address", observed=f"endpoint {again}")


@pytest.mark.requirement("KA-010")
def test_kernel_refused_address_stays_with_its_first_endpoint(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    first = kernel.create(bound, 601)
    kernel.try_create(bound, 601)
    sim.send(src=9000, dst=601, data=b"for the first one")
    expect_equal("message of the first", kernel.receive(first).data, b"for the first one")


@pytest.mark.requirement("KA-046")
def test_kernel_address_of_the_name_service_gives_null(
    kernel: KernelApi, bound: KernelChannel
) -> None:
    made = kernel.try_create(bound, NS_ADDRESS)
    expect(made is None, expected=f"NULL for address {NS_ADDRESS}", observed=f"endpoint {made}")


@pytest.mark.requirement("KA-011")
def test_kernel_any_binds_a_free_address_from_1024(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    made = [kernel.create(bound) for _ in range(8)]
    numbers = [endpoint.addr for endpoint in made]
    expect(
        min(numbers) >= FIRST_DYNAMIC and bound.src not in numbers and len(set(numbers)) == 8,
        expected=f"8 different addresses from {FIRST_DYNAMIC} up",
        observed=numbers,
    )
    sim.send(src=9000, dst=numbers[-1], data=b"for the last one")
    expect_equal("message", kernel.receive(made[-1]).data, b"for the last one")


@pytest.mark.requirement("KA-011")
def test_kernel_channel_has_a_source_from_1024(bound: KernelChannel) -> None:
    expect(
        FIRST_DYNAMIC <= bound.src < 0xFFFFFFFF,
        expected=f"a source from {FIRST_DYNAMIC} up",
        observed=bound.src,
    )


@pytest.mark.requirement("KA-040")
def test_kernel_any_takes_the_lowest_free_address(
    kernel: KernelApi, bound: KernelChannel
) -> None:
    made = [kernel.create(bound) for _ in range(5)]
    kernel.destroy(made[1]).expect_success()
    again = kernel.create(bound)
    expect_equal("address given next", again.addr, made[1].addr)


@pytest.mark.tolerates("idr_alloc")
@pytest.mark.requirement("KA-045")
def test_kernel_address_above_2_31_can_be_bound(
    kernel: KernelApi, bound: KernelChannel
) -> None:
    made = kernel.try_create(bound, 0x80000000)
    expect(
        made is not None,
        expected="an endpoint at address 0x80000000",
        observed="rpmsg_create_ept() returned NULL",
    )


@pytest.mark.requirement("KA-026")
@pytest.mark.parametrize("addr", [602, "any"])
def test_kernel_freed_address_can_be_bound_again(
    addr: int | str, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    first = kernel.create(bound, addr)
    kernel.destroy(first).expect_success()
    again = kernel.create(bound, first.addr)
    sim.send(src=9000, dst=first.addr, data=b"for the new one")
    expect_equal("message", kernel.receive(again).data, b"for the new one")
    expect_equal("calls of the old one", kernel.state(first)["called"], 0)


@pytest.mark.requirement("KA-017")
def test_kernel_endpoints_of_one_channel_each_get_their_own(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    endpoints = [bound.ept, *(kernel.create(bound) for _ in range(6))]
    sim.hold(0)
    for turn in range(3):
        for endpoint in endpoints:
            sim.send(src=9000, dst=endpoint.addr, data=b"%d for %d" % (turn, endpoint.addr))
    sim.release(0)
    for endpoint in endpoints:
        expected = [b"%d for %d" % (turn, endpoint.addr) for turn in range(3)]
        received = [kernel.receive(endpoint).data for _ in range(3)]
        expect_equal(f"messages of the endpoint at {endpoint.addr}", received, expected)
        expect_equal("calls", kernel.state(endpoint)["called"], 3)


@pytest.mark.requirement("KA-012")
def test_kernel_destroyed_endpoint_gets_no_message(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    endpoint = kernel.create(bound, 603)
    sim.send(src=9000, dst=603, data=b"before")
    kernel.receive(endpoint)
    kernel.destroy(endpoint).expect_success()
    sim.send(src=9000, dst=603, data=b"after")
    sim.send(src=9000, dst=bound.src, data=b"later")
    kernel.receive(bound.ept)
    expect_equal("calls of the destroyed one's callback", kernel.state(endpoint)["called"], 1)


@pytest.mark.requirement("KA-012")
@pytest.mark.parametrize("turn", range(3))
def test_kernel_destroy_with_messages_in_flight_is_the_last_of_the_callback(
    turn: int,
    kernel: KernelApi,
    bound: KernelChannel,
    sim: SimulatorClient,
    observe: Callable[[str], None],
) -> None:
    assert bound.ept is not None
    endpoint = kernel.create(bound, 604)
    sim.hold(0)
    for number in range(200):
        sim.send(src=9000, dst=604, data=number.to_bytes(2, "little"))
    sim.send(src=9000, dst=bound.src, data=b"the last one")
    destroyed = kernel.submit("endpoint_destroy", worker=1, endpoint=endpoint.id)
    sim.release(0)
    destroyed.wait().expect_success()
    kernel.receive(bound.ept)
    state = kernel.state(endpoint)
    observe(f"{state['called']} of 200 messages came before the end of rpmsg_destroy_ept()")
    expect_equal("calls after rpmsg_destroy_ept() had returned", state["late"], 0)


#: How often a guest with more than one processor gets the chance to do something during a callback.
CHANCES = 20


@pytest.mark.requirement("KA-041")
def test_kernel_destroy_waits_for_a_callback_that_runs(
    host: HostTarget,
    kernel: KernelApi,
    bound: KernelChannel,
    sim: SimulatorClient,
    agent: AgentClient,
) -> None:
    # A callback with interrupts off keeps its processor. Whether the module's call happens to have
    # another one is the scheduler's choice, and a call that begins too late shows nothing.
    for _ in range(CHANCES if host.bundle.processors > 1 else 1):
        endpoint = kernel.create(bound, 605, action="hold", hold_ms=300)
        # The module begins to destroy when the callback has begun: nobody else is that fast.
        destroyed = kernel.submit("endpoint_destroy", worker=1, endpoint=endpoint.id, inside=1)
        wait_until_asleep(agent, 1)
        sim.send(src=9000, dst=605, data=b"held")
        if destroyed.wait()["inside"] == "1":
            break
    else:
        pytest.skip("callbacks of this guest let nothing else run, so nothing happens during one")
    order = [event["what"] for event in kernel.events(endpoint=endpoint.id)]
    expect_equal("order of the ends of callback and destruction", order, ["held", "destroyed"])


@pytest.mark.tolerates("rpmsg_core.c")
@pytest.mark.requirement("KA-022")
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("send", {"data": b"x"}),
        ("sendto", {"data": b"x", "dst": 5}),
        ("trysend", {"data": b"x"}),
        ("trysendto", {"data": b"x", "dst": 5}),
        ("get_mtu", {}),
    ],
)
def test_kernel_call_without_an_endpoint_is_einval(
    verb: str, words: dict[str, bytes | int], kernel: KernelApi, bound: KernelChannel
) -> None:
    kernel.call(verb, endpoint="null", **words).expect_errno("EINVAL")


@pytest.mark.requirement("KA-015")
def test_kernel_mtu_is_496(kernel: KernelApi, bound: KernelChannel) -> None:
    assert bound.ept is not None
    expect_equal("MTU", kernel.call("get_mtu", endpoint=bound.ept.id).ret, PAYLOAD_MAX)


@pytest.mark.requirement("KA-015")
def test_kernel_mtu_is_the_same_for_another_endpoint(
    kernel: KernelApi, bound: KernelChannel
) -> None:
    endpoint = kernel.create(bound)
    expect_equal("MTU", kernel.call("get_mtu", endpoint=endpoint.id).ret, PAYLOAD_MAX)


@pytest.mark.requirement("KA-043")
def test_kernel_poll_says_that_there_is_room_to_send(
    kernel: KernelApi, bound: KernelChannel, observe: Callable[[str], None]
) -> None:
    assert bound.ept is not None
    mask = kernel.call("poll", endpoint=bound.ept.id).ret
    observe(f"rpmsg_poll() = {mask:#x}")
    expect(bool(mask & POLLOUT), expected="POLLOUT", observed=f"{mask:#x}")


@pytest.mark.requirement("KA-043")
@pytest.mark.device(vq_size=32)
def test_kernel_poll_says_that_there_is_no_room_to_send(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    sim.hold(1)
    for number in range(40):
        if kernel.call("trysend", endpoint=bound.ept.id, data=bytes([number])).ret:
            break
    mask = kernel.call("poll", endpoint=bound.ept.id).ret
    expect(not mask & POLLOUT, expected="no POLLOUT", observed=f"{mask:#x}")


@pytest.mark.requirement("KA-044")
@pytest.mark.parametrize("pause", [0, 1])
def test_kernel_flow_control_is_not_supported_by_virtio(
    pause: int, kernel: KernelApi, bound: KernelChannel
) -> None:
    assert bound.ept is not None
    if not kernel.features()["flow_control"]:
        pytest.skip("this kernel has no rpmsg_set_flow_control()")
    kernel.call(
        "set_flow_control", endpoint=bound.ept.id, pause=pause, dst=bound.dst
    ).expect_errno("EOPNOTSUPP")
