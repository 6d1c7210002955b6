# SPDX-License-Identifier: BSD-2-Clause
"""The six functions of the in-kernel API that send."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import Endpoint, KernelApi, KernelChannel, PendingResult, Result
from rpmsg_conformance.kernel_api import wait_until_asleep, worker_state
from rpmsg_conformance.link import ADDRESS_ANY, PAYLOAD_MAX
from rpmsg_conformance.sim import Event, SimulatorClient

#: How often, 100 ms apart, a sender is looked for whose message was seen: it is about to return.
RETURN_LOOKS = 30

#: Addresses that nobody has: a message with one of them has it from the call.
ELSEWHERE, ELSEWHERE_TOO = 0x7654, 0x4567

#: What a function that does not wait may take; one that waits takes 15 s.
AT_ONCE_SECONDS = 1.0

SMALL_RING = pytest.mark.device(vq_size=32)

BLOCKING = ["send", "sendto", "send_offchannel"]
TRYING = ["trysend", "trysendto", "trysend_offchannel"]


def own(bound: KernelChannel) -> Endpoint:
    """The channel's own endpoint."""
    assert bound.ept is not None
    return bound.ept


def need(kernel: KernelApi, verb: str) -> None:
    """Skip the case when this kernel's API has no function of that name."""
    if verb.endswith("offchannel") and not kernel.features()["offchannel"]:
        pytest.skip(f"this kernel has no rpmsg_{verb}()")


def addresses(verb: str, bound: KernelChannel) -> dict[str, int]:
    """The addresses that a function takes beside the payload: the channel's own."""
    given: dict[str, int] = {}
    if verb.endswith(("to", "offchannel")):
        given["dst"] = bound.dst
    if verb.endswith("offchannel"):
        given["src"] = own(bound).addr
    return given


def sent(sim: SimulatorClient, data: bytes) -> Event:
    """The one message with this payload on the wire. Raises Unmet."""
    return sim.wait_event("message", data=data.hex())


def expect_addresses(message: Event, src: int, dst: int) -> None:
    expect_equal("src and dst on the wire", (message["src"], message["dst"]), (src, dst))


def fill(kernel: KernelApi, sim: SimulatorClient, bound: KernelChannel) -> int:
    """Send until no buffer is left; the remote keeps them all. Returns how many there were."""
    sim.hold(1)
    mark = sim.mark()
    for count in range(300):
        done = kernel.call("trysend", endpoint=own(bound).id, data=count.to_bytes(2, "little"))
        if done.ret:
            done.expect_errno("ENOMEM")
            sim.wait_events(count, "message", since=mark)
            return count
    raise AssertionError("300 messages were sent on a ring of 32")


def expect_waiting(agent: AgentClient, pending: PendingResult, worker: int) -> None:
    """Raise Unmet unless the call is in the kernel, asleep, and stays there."""
    wait_until_asleep(agent, worker)
    agent.call("sleep", ms=200)
    expect(not pending.poll(), expected="the sender sleeps", observed="the function returned")
    expect_equal("state of the sender's task", worker_state(agent, worker)["state"], "S")


@pytest.mark.requirement("KA-002")
@pytest.mark.parametrize("length", [1, 32, PAYLOAD_MAX])
def test_kernel_send_uses_the_addresses_of_the_channel(
    length: int, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    kernel.call("send", endpoint=own(bound).id, data=bytes([length & 0xFF]) * length).expect_success()
    message = sent(sim, bytes([length & 0xFF]) * length)
    expect_addresses(message, bound.src, bound.dst)


@pytest.mark.requirement("KA-030")
def test_kernel_trysend_uses_the_addresses_of_the_channel(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    kernel.call("trysend", endpoint=own(bound).id, data=b"trysend").expect_success()
    expect_addresses(sent(sim, b"trysend"), bound.src, bound.dst)


@pytest.mark.requirement("KA-003")
def test_kernel_sendto_uses_the_given_destination(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    kernel.call("sendto", endpoint=own(bound).id, dst=ELSEWHERE, data=b"to").expect_success()
    expect_addresses(sent(sim, b"to"), bound.src, ELSEWHERE)


@pytest.mark.requirement("KA-031")
def test_kernel_trysendto_uses_the_given_destination(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    kernel.call("trysendto", endpoint=own(bound).id, dst=ELSEWHERE, data=b"try").expect_success()
    expect_addresses(sent(sim, b"try"), bound.src, ELSEWHERE)


@pytest.mark.requirement("KA-003")
def test_kernel_sendto_leaves_the_channel_its_destination(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    kernel.call("sendto", endpoint=own(bound).id, dst=ELSEWHERE, data=b"once").expect_success()
    kernel.call("send", endpoint=own(bound).id, data=b"again").expect_success()
    expect_addresses(sent(sim, b"again"), bound.src, bound.dst)


@pytest.mark.requirement("KA-004")
def test_kernel_send_offchannel_uses_both_given_addresses(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    need(kernel, "send_offchannel")
    kernel.call(
        "send_offchannel", endpoint=own(bound).id, src=ELSEWHERE_TOO, dst=ELSEWHERE, data=b"off"
    ).expect_success()
    expect_addresses(sent(sim, b"off"), ELSEWHERE_TOO, ELSEWHERE)


@pytest.mark.requirement("KA-033")
def test_kernel_trysend_offchannel_uses_both_given_addresses(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    need(kernel, "trysend_offchannel")
    kernel.call(
        "trysend_offchannel", endpoint=own(bound).id, src=ELSEWHERE_TOO, dst=ELSEWHERE, data=b"off"
    ).expect_success()
    expect_addresses(sent(sim, b"off"), ELSEWHERE_TOO, ELSEWHERE)


@pytest.mark.requirement("KA-032")
@pytest.mark.parametrize("verb", ["send", "trysend"])
def test_kernel_send_of_another_endpoint_uses_its_address(
    verb: str, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    other = kernel.create(bound, 700)
    kernel.call(verb, endpoint=other.id, data=b"other").expect_success()
    expect_addresses(sent(sim, b"other"), 700, bound.dst)


@pytest.mark.requirement("KA-032")
@pytest.mark.parametrize("verb", ["sendto", "trysendto"])
def test_kernel_sendto_of_another_endpoint_uses_its_address(
    verb: str, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    other = kernel.create(bound, 701)
    kernel.call(verb, endpoint=other.id, dst=ELSEWHERE, data=b"other").expect_success()
    expect_addresses(sent(sim, b"other"), 701, ELSEWHERE)


@pytest.mark.requirement("KA-035")
@pytest.mark.parametrize("verb", BLOCKING + TRYING)
def test_kernel_message_of_the_mtu_is_sent_whole(
    verb: str, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    need(kernel, verb)
    payload = bytes(number % 251 for number in range(PAYLOAD_MAX))
    kernel.call(
        verb, endpoint=own(bound).id, data=payload, **addresses(verb, bound)
    ).expect_success()
    expect_equal("length in the header", sent(sim, payload)["len"], PAYLOAD_MAX)


@pytest.mark.requirement("KA-018")
@pytest.mark.parametrize("verb", BLOCKING + TRYING)
def test_kernel_message_above_the_mtu_is_refused(
    verb: str, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    need(kernel, verb)
    mark = sim.mark()
    for length in (PAYLOAD_MAX + 1, 512, 65535, 65536):
        kernel.call(
            verb, endpoint=own(bound).id, len=length, **addresses(verb, bound)
        ).expect_errno("EMSGSIZE")
    # That nothing came shows only once something sent later has come.
    kernel.call("send", endpoint=own(bound).id, data=b"fits").expect_success()
    sent(sim, b"fits")
    seen = [event.payload for event in sim.events("message", since=mark)]
    expect_equal("messages on the ring", seen, [b"fits"])


@pytest.mark.requirement("KA-019")
@pytest.mark.parametrize(
    ("verb", "given"),
    [
        pytest.param("sendto", {"dst": "any"}, id="sendto"),
        pytest.param("trysendto", {"dst": "any"}, id="trysendto"),
        pytest.param("send_offchannel", {"src": 5, "dst": "any"}, id="send_offchannel"),
        pytest.param("send_offchannel", {"src": "any", "dst": 5}, id="send_offchannel-src"),
        pytest.param("trysend_offchannel", {"src": 5, "dst": "any"}, id="trysend_offchannel"),
        pytest.param("trysend_offchannel", {"src": "any", "dst": 5}, id="trysend_offchannel-src"),
    ],
)
def test_kernel_message_to_or_from_any_is_refused(
    verb: str,
    given: dict[str, int | str],
    kernel: KernelApi,
    bound: KernelChannel,
    sim: SimulatorClient,
) -> None:
    need(kernel, verb)
    mark = sim.mark()
    kernel.call(verb, endpoint=own(bound).id, data=b"anybody", **given).expect_errno("EINVAL")
    kernel.call("send", endpoint=own(bound).id, data=b"somebody").expect_success()
    sent(sim, b"somebody")
    seen = [event.payload for event in sim.events("message", since=mark)]
    expect_equal("messages on the ring", seen, [b"somebody"])


@pytest.mark.requirement("KA-019")
def test_kernel_send_on_a_channel_to_any_is_refused(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    """A channel announced with address ANY has nowhere to send to, or does not come to be."""
    sim.announce("kapi-any", "sink", ADDRESS_ANY - 1)
    driver = kernel.new_driver("kapi-any")
    channel = kernel.channel(driver, "kapi-any")
    kernel.call("sendto", endpoint=own(channel).id, dst=ADDRESS_ANY, data=b"x").expect_errno(
        "EINVAL"
    )


@pytest.mark.requirement("KA-036")
@pytest.mark.parametrize("verb", BLOCKING + TRYING)
def test_kernel_empty_message_is_sent(
    verb: str, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    need(kernel, verb)
    mark = sim.mark()
    kernel.call(verb, endpoint=own(bound).id, **addresses(verb, bound)).expect_success()
    message = sim.wait_event("message", since=mark, src=bound.src)
    expect_equal("payload", message.payload, b"")
    expect_equal("len of the header", message["len"], 0)


@pytest.mark.requirement("KA-007")
@SMALL_RING
def test_kernel_trysend_without_a_buffer_is_enomem_at_once(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    fill(kernel, sim, bound)
    expect_enomem_at_once(kernel.call("trysend", endpoint=own(bound).id, data=b"one too many"))


@pytest.mark.requirement("KA-008")
@SMALL_RING
def test_kernel_trysendto_without_a_buffer_is_enomem_at_once(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    fill(kernel, sim, bound)
    expect_enomem_at_once(
        kernel.call("trysendto", endpoint=own(bound).id, dst=ELSEWHERE, data=b"one too many")
    )


@pytest.mark.requirement("KA-034")
@SMALL_RING
def test_kernel_trysend_offchannel_without_a_buffer_is_enomem_at_once(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    need(kernel, "trysend_offchannel")
    fill(kernel, sim, bound)
    expect_enomem_at_once(
        kernel.call("trysend_offchannel", endpoint=own(bound).id, src=5, dst=6, data=b"too many")
    )


def expect_enomem_at_once(result: Result) -> None:
    result.expect_errno("ENOMEM")
    expect(
        result.seconds < AT_ONCE_SECONDS,
        expected="-ENOMEM at once",
        observed=f"after {result.seconds:.2f} s",
    )


@pytest.mark.requirement("KA-037")
@SMALL_RING
@pytest.mark.parametrize("verb", TRYING)
def test_kernel_trysend_succeeds_again_when_a_buffer_has_come_back(
    verb: str, kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    need(kernel, verb)
    fill(kernel, sim, bound)
    sim.release(1, 1)
    given = addresses(verb, bound)
    kernel.call(verb, endpoint=own(bound).id, data=b"one more", **given).expect_success()
    kernel.call(verb, endpoint=own(bound).id, data=b"too many", **given).expect_errno("ENOMEM")


@pytest.mark.requirement("KA-005")
@SMALL_RING
@pytest.mark.parametrize("verb", BLOCKING)
def test_kernel_sender_without_a_buffer_sleeps_until_one_comes_back(
    verb: str,
    kernel: KernelApi,
    bound: KernelChannel,
    sim: SimulatorClient,
    agent: AgentClient,
    observe: Callable[[str], None],
) -> None:
    need(kernel, verb)
    fill(kernel, sim, bound)
    blocked = kernel.submit(
        verb, worker=1, endpoint=own(bound).id, data=b"blocked", **addresses(verb, bound)
    )
    expect_waiting(agent, blocked, 1)
    mark = sim.mark()
    sim.release(1, 1)
    message = sim.wait_event("message", since=mark, data=b"blocked".hex())
    blocked.wait().expect_success()
    expect_addresses(message, bound.src, bound.dst)
    waited = (message.time_ns - sim.wait_event("returned", since=mark, queue=1).time_ns) / 1e9
    observe(f"rpmsg_{verb}() went on {waited * 1000:.1f} ms after the buffer's return")
    expect(
        waited < 5.0,
        expected="the sender goes on at once, long before its 15 s",
        observed=f"{waited:.1f} s after the buffer's return",
    )


@pytest.mark.requirement("KA-023")
@SMALL_RING
def test_kernel_blocked_senders_go_on_one_for_each_buffer(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient, agent: AgentClient
) -> None:
    fill(kernel, sim, bound)
    blocked = {
        worker: kernel.submit("send", worker=worker, endpoint=own(bound).id, data=bytes([worker]))
        for worker in (1, 2, 3, 4)
    }
    for worker, pending in blocked.items():
        expect_waiting(agent, pending, worker)
    for count in range(1, 5):
        mark = sim.mark()
        sim.release(1, 1)
        sim.wait_event("message", since=mark)
        # The others have to sleep on; what comes in between gives them the time to err.
        for _ in range(RETURN_LOOKS):
            agent.call("sleep", ms=100)
            returned = [worker for worker, pending in blocked.items() if pending.poll()]
            if len(returned) >= count:
                break
        expect_equal(f"senders that went on with {count} buffers", len(returned), count)
    for pending in blocked.values():
        pending.wait().expect_success()


@pytest.mark.requirement("KA-070")
def test_kernel_messages_of_several_senders_at_once_all_arrive(
    kernel: KernelApi, bound: KernelChannel, sim: SimulatorClient
) -> None:
    count, workers = 40, (1, 2, 3, 4)
    mark = sim.mark()
    sending = [
        kernel.submit("send", worker=worker, endpoint=own(bound).id, data=bytes([worker, number]))
        for number in range(count)
        for worker in workers
    ]
    for pending in sending:
        pending.wait().expect_success()
    arrived = sim.wait_events(count * len(workers), "message", since=mark, src=bound.src)
    for worker in workers:
        numbers = [event.payload[1] for event in arrived if event.payload[0] == worker]
        expect_equal(f"messages of sender {worker}", numbers, list(range(count)))


@pytest.mark.requirement("KA-038")
@SMALL_RING
def test_kernel_signal_ends_the_wait_for_a_buffer(
    kernel: KernelApi,
    bound: KernelChannel,
    sim: SimulatorClient,
    agent: AgentClient,
) -> None:
    fill(kernel, sim, bound)
    blocked = kernel.submit("send", worker=1, endpoint=own(bound).id, data=b"blocked")
    expect_waiting(agent, blocked, 1)
    agent.call("signal", worker=1)
    agent.call("sleep", ms=1000)
    ended = blocked.poll()
    state = worker_state(agent, 1)
    # Whatever became of it, it gets its buffer now, so that it ends.
    sim.release(1, 1)
    result = blocked.wait()
    expect(
        ended,
        expected="rpmsg_send() returns when a signal comes",
        observed=f"1 s later the task was still in it, in state {state['state']}",
    )
    result.expect_errno("ERESTARTSYS", "EINTR")


@pytest.mark.patient
@pytest.mark.requirement("KA-006")
@pytest.mark.parametrize("verb", BLOCKING)
def test_kernel_sender_gives_up_after_15_s(
    verb: str,
    host: HostTarget,
    senders_given_up: dict[str, Result],
    observe: Callable[[str], None],
) -> None:
    if verb not in senders_given_up:
        pytest.skip(f"this kernel has no rpmsg_{verb}()")
    result = senders_given_up[verb]
    observe(result.describe())
    latest = 15.0 + 2.0 * host.timeout_factor
    expect(
        14.9 <= result.seconds <= latest,
        expected=f"rpmsg_{verb}() gives up after 15 s",
        observed=f"after {result.seconds:.2f} s",
    )


@pytest.mark.patient
@pytest.mark.requirement("KA-039")
@pytest.mark.parametrize("verb", BLOCKING)
def test_kernel_sender_that_gives_up_gets_erestartsys(
    verb: str, senders_given_up: dict[str, Result]
) -> None:
    if verb not in senders_given_up:
        pytest.skip(f"this kernel has no rpmsg_{verb}()")
    senders_given_up[verb].expect_errno("ERESTARTSYS")
