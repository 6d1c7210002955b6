# SPDX-License-Identifier: BSD-2-Clause
"""Callbacks of the in-kernel API: what they are given, where they run, what they may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import GuestWedged, Unmet, expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import Endpoint, KernelApi, KernelChannel
from rpmsg_conformance.link import PAYLOAD_MAX, Link
from rpmsg_conformance.sim import SimulatorClient


@pytest.mark.requirement("KA-016")
def test_kernel_own_endpoint_gets_messages_to_the_source(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    sim.send(src=bound.dst, dst=bound.src, data=b"to the channel")
    expect_equal("message", kernel.receive(bound.ept).data, b"to the channel")


@pytest.mark.requirement("KA-016")
def test_kernel_own_endpoint_gets_messages_of_any_sender(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    sim.send(src=4711, dst=bound.src, data=b"from a stranger")
    message = kernel.receive(bound.ept)
    expect_equal("sender and message", (message.src, message.data), (4711, b"from a stranger"))


@pytest.mark.requirement("KA-025")
@pytest.mark.parametrize("length", [0, 1, 17, PAYLOAD_MAX])
def test_kernel_callback_gets_source_length_and_bytes(
    length: int, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    endpoint = kernel.create(bound, 610)
    payload = bytes(number % 241 for number in range(length))
    sim.send(src=0x12345678, dst=610, data=payload)
    message = kernel.receive(endpoint)
    expect_equal("source", message.src, 0x12345678)
    expect_equal("bytes", message.data, payload)


@pytest.mark.requirement("KA-025")
def test_kernel_callback_gets_the_channel_of_its_endpoint(
    kernel: KernelApi, bound: KernelChannel, second: KernelChannel, sim: SimulatorClient
) -> None:
    for channel, addr in ((bound, 611), (second, 612)):
        endpoint = kernel.create(channel, addr)
        sim.send(src=9000, dst=addr, data=b"x")
        message = kernel.receive(endpoint)
        expect(
            message.channel_ok,
            expected="the callback gets the channel that its endpoint was created on",
            observed="it got another pointer",
        )


@pytest.mark.requirement("KA-047")
def test_kernel_callback_is_called_in_the_order_of_the_messages(
    link: Link, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    count = link.buffers + 44
    for number in range(count):
        sim.send(src=9000, dst=bound.src, data=number.to_bytes(2, "little"))
    received = [int.from_bytes(kernel.receive(bound.ept).data, "little") for _ in range(count)]
    expect_equal("messages in the order of the calls", received, list(range(count)))


@pytest.mark.requirement("KA-048")
def test_kernel_callback_runs_where_it_may_sleep(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient, observe: Callable[[str], None]
) -> None:
    assert bound.ept is not None
    sim.send(src=9000, dst=bound.src, data=b"where am I")
    message = kernel.receive(bound.ept)
    where = (
        f"task {message.task}, hard interrupt {message.hardirq}, atomic {message.atomic}, "
        f"interrupts off {message.irqs_off}"
    )
    observe(where)
    expect(
        not message.hardirq and not message.atomic and not message.irqs_off,
        expected="a callback in a task that may sleep, as the mutex held around it may",
        observed=where,
    )


@pytest.mark.requirement("KA-024")
@pytest.mark.parametrize("action", ["echo", "tryecho"])
@pytest.mark.parametrize("length", [0, 40, PAYLOAD_MAX])
def test_kernel_callback_may_send_an_answer(
    action: str, length: int, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    endpoint = kernel.create(bound, 613, action=action)
    payload = bytes(number % 239 for number in range(length))
    mark = sim.mark()
    sim.send(src=9001, dst=613, data=payload)
    answer = sim.wait_event("message", since=mark, src=613)
    expect_equal("destination of the answer", answer["dst"], 9001)
    expect_equal("answer", answer.payload, payload)
    expect_equal("what the send returned", kernel.receive(endpoint).answer, 0)


@pytest.mark.requirement("KA-024")
def test_kernel_callback_answers_every_message_of_a_batch(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    kernel.create(bound, 614, action="tryecho")
    mark = sim.mark()
    sim.hold(0)
    for number in range(100):
        sim.send(src=9001, dst=614, data=bytes([number]))
    sim.release(0)
    answers = sim.wait_events(100, "message", since=mark, src=614)
    expect_equal(
        "answers", [event.payload for event in answers], [bytes([n]) for n in range(100)]
    )


@pytest.mark.requirement("KA-050")
def test_kernel_callback_may_destroy_another_endpoint(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    victim = kernel.create(bound, 615)
    killer = kernel.create(bound, 616, action="destroy", target=victim.id)
    sim.send(src=9000, dst=616, data=b"destroy it")
    sim.send(src=9000, dst=615, data=b"too late")
    sim.send(src=9000, dst=616, data=b"the next one")
    expect_equal("what the destruction returned", kernel.receive(killer).answer, 0)
    kernel.receive(killer)
    expect_equal("calls of the destroyed one", kernel.state(victim)["called"], 0)


@pytest.mark.requirement("KA-051")
def test_kernel_endpoint_may_be_destroyed_by_what_its_callback_started(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    assert bound.ept is not None
    endpoint = kernel.create(bound, 617)
    kernel.set_action(endpoint, "destroy_later", target=endpoint.id)
    sim.send(src=9000, dst=617, data=b"destroy yourself")
    kernel.receive(endpoint)
    for _ in range(500):
        if kernel.state(endpoint)["destroyed"]:
            break
    expect_equal("destroyed", kernel.state(endpoint)["destroyed"], 1)
    sim.send(src=9000, dst=617, data=b"too late")
    sim.send(src=9000, dst=bound.src, data=b"the next one")
    kernel.receive(bound.ept)
    expect_equal("calls of the destroyed one", kernel.state(endpoint)["called"], 1)


#: Seconds after which a guest that does not answer stands still.
STANDSTILL_SECONDS = 6.0


def expect_callback_to_end(kernel: KernelApi, endpoint: Endpoint, host: HostTarget) -> None:
    """Raise Unmet unless the endpoint's callback ends. A guest that answers nothing is given up."""
    waiting = kernel.submit("receive", endpoint=endpoint.id, timeout_ms=2000)
    try:
        ended = waiting.wait(STANDSTILL_SECONDS).ret == 0
    except GuestWedged as error:
        host.discard("a callback that does not end stands in the way of everything else")
        raise Unmet("the callback ends", "it does not, and the whole guest stands still") from error
    expect(ended, expected="the callback ends", observed="it does not")


@pytest.mark.patient
@pytest.mark.destructive
@pytest.mark.tolerates("rtmutex", "blocked for more than")
@pytest.mark.requirement("KA-067")
def test_kernel_callback_may_destroy_its_own_endpoint(
    host: HostTarget, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    endpoint = kernel.create(bound, 618)
    kernel.set_action(endpoint, "destroy", target=endpoint.id)
    sim.send(src=9000, dst=618, data=b"destroy yourself")
    expect_callback_to_end(kernel, endpoint, host)


@pytest.mark.patient
@pytest.mark.destructive
@pytest.mark.device(vq_size=32)
@pytest.mark.requirement("KA-068")
def test_kernel_callback_that_waits_for_a_buffer_gets_one(
    host: HostTarget,
    kernel: KernelApi,
    bound: KernelChannel,
    sim: SimulatorClient,
    agent: AgentClient,
) -> None:
    assert bound.ept is not None
    endpoint = kernel.create(bound, 619, action="echo")
    sim.hold(1)
    while not kernel.call("trysend", endpoint=bound.ept.id, data=b"fill").ret:
        pass
    mark = sim.mark()
    sim.send(src=9001, dst=619, data=b"answer me")
    sim.wait_event("sent", since=mark, dst=619)
    # By the time that the guest has answered this, the callback waits. It need not answer.
    try:
        agent.submit("sleep", ms=200).wait(2.0)
    except GuestWedged:
        pass
    sim.release(1)
    returned = sim.wait_events(32, "returned", since=mark, queue=1)[-1]
    try:
        message = sim.wait_event("message", since=mark, timeout=STANDSTILL_SECONDS, src=619)
        # Deadlines are longer on a busy machine. One that waited for its 15 s to end got nothing.
        in_time = message.time_ns - returned.time_ns < STANDSTILL_SECONDS * 1e9
    except Unmet:
        in_time = False
    if not in_time:
        host.discard("a callback that waits for a buffer stands in the way of everything else")
        raise Unmet(
            "the callback sends its answer once buffers have come back",
            f"it had not {STANDSTILL_SECONDS:g} s after all of them had come back",
        )
    expect_equal("result of the send", kernel.receive(endpoint).answer, 0)
