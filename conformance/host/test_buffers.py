# SPDX-License-Identifier: BSD-2-Clause
"""Sizes of messages, and what happens when the remote keeps every send buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from rpmsg_conformance.agent import AgentClient, Pending, Reply
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_log import complaints
from rpmsg_conformance.link import PAYLOAD_MAX, Channel, Link
from rpmsg_conformance.sim import SimulatorClient

RINGS = [
    pytest.param(size, marks=pytest.mark.device(vq_size=size), id=f"ring-{size}")
    for size in (256, 1, 2, 64, 512)
]

SMALL_RINGS = [
    pytest.param(size, marks=pytest.mark.device(vq_size=size), id=f"ring-{size}")
    for size in (1, 2, 4, 128)
]

LARGE_RINGS = [
    pytest.param(size, marks=pytest.mark.device(vq_size=size), id=f"ring-{size}")
    for size in (512, 1024)
]

#: Seconds within which a writer has to have gone on.
SOON = 3.0

#: How often, 30 ms apart, a write() is looked for whose message was seen: it is about to return.
RETURN_LOOKS = 100

#: Seconds Linux and OpenAMP wait for a send buffer, and by how much a run may miss it: timers
#: never fire early beyond their granularity, and late by what a loaded machine needs.
SEND_SECONDS = 15.0
EARLY_SECONDS = 0.1
LATE_SECONDS = 2.0


def pattern(length: int) -> bytes:
    """Bytes that show a shift, a repetition and a cut."""
    return bytes(number * 7 + number // 256 & 0xFF for number in range(length))


@pytest.fixture
def sink(link: Link) -> Channel:
    """A channel to a service that answers nothing."""
    return link.announce(kind="sink")


@dataclass
class Writer:
    """A write() that waits for a send buffer, on an endpoint of its own."""

    pending: Pending
    source: int
    text: bytes
    reply: Reply | None = None

    def ended(self) -> Reply | None:
        """Its result if it has one, without waiting."""
        if self.reply is None:
            self.reply = self.pending.poll()
        return self.reply

    def result(self, timeout: float = 15.0) -> Reply:
        """Its result. Raises GuestWedged when there is none after ``timeout`` seconds."""
        if self.reply is None:
            self.reply = self.pending.wait(timeout)
        return self.reply


class Exhausted:
    """A link whose send buffers are all in the remote's hands."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._remote = link.announce(kind="sink")
        filler = link.open(self._remote.path)
        self._fds = [
            link.open(f"/dev/{link.create_endpoint(f'writer-{n}', 0x800 + n, 0x900)}", "rdwr")
            for n in range(8)
        ]
        link.sim.hold(1)
        link.exhaust(filler)

    def writers(self, count: int) -> list[Writer]:
        """Start ``count`` writes, at most 8, that all wait."""
        started = []
        for number in range(count):
            text = b"writer %d" % number
            pending = self._link.agent.begin(
                "write", worker=number + 1, fd=self._fds[number], data=text.hex()
            )
            started.append(Writer(pending, 0x800 + number, text))
        return started


@pytest.fixture
def exhausted(link: Link) -> Exhausted:
    """The case's link, its send buffers used up."""
    return Exhausted(link)


@pytest.mark.requirement("BF-001")
@pytest.mark.parametrize("length", [1, PAYLOAD_MAX - 1, PAYLOAD_MAX])
def test_buffers_payload_is_echoed_whole(length: int, agent: AgentClient, endpoint: int) -> None:
    reply = agent.write(endpoint, pattern(length)).expect_success()
    expect_equal("result of write()", reply["ret"], length)
    expect_equal("echo", agent.receive(endpoint), pattern(length))


@pytest.mark.requirement("BF-001")
@pytest.mark.parametrize("length", [PAYLOAD_MAX + 1, 512, 4096])
def test_buffers_payload_too_long_is_refused(
    length: int, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    mark = sim.mark()
    agent.write(endpoint, pattern(length)).expect_errno("EMSGSIZE")
    # That nothing came shows only once something sent later has come.
    agent.write(endpoint, b"fits").expect_success()
    agent.receive(endpoint)
    seen = [event.payload for event in sim.events("message", since=mark)]
    expect_equal("messages on the ring", seen, [b"fits"])


@pytest.mark.requirement("BF-002")
def test_buffers_empty_message_can_be_sent(
    sim: SimulatorClient, agent: AgentClient, sink: Channel, link: Link
) -> None:
    fd = link.open(sink.path)
    expect_equal("result of write()", agent.write(fd, b"").expect_success()["ret"], 0)
    message = sim.wait_event("message", src=sink.local)
    expect_equal("payload", message.payload, b"")
    expect_equal("len of the header", message["len"], 0)


@pytest.mark.requirement("BF-002")
def test_buffers_empty_message_can_be_received(
    sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    sim.send(src=channel.remote, dst=channel.local, data=b"")
    sim.send(src=channel.remote, dst=channel.local, data=b"next")
    expect_equal("first message", agent.receive(endpoint), b"")
    expect_equal("second message", agent.receive(endpoint), b"next")


@pytest.mark.requirement("BF-003")
@pytest.mark.parametrize("ring", RINGS)
def test_buffers_as_many_sends_succeed_as_there_are_buffers(
    ring: int,
    link: Link,
    sim: SimulatorClient,
    agent: AgentClient,
    sink: Channel,
    observe: Callable[[str], None],
) -> None:
    fd = link.open(sink.path)
    sim.hold(1)
    count, _ = link.exhaust(fd)
    observe(f"{count} sends on a ring of {ring}")
    expect_equal("sends while the remote holds every buffer", count, min(ring, 256))
    held = sim.wait_events(count, "message", src=sink.local)
    numbers = [int.from_bytes(event.payload, "little") for event in held]
    expect_equal("messages that the remote holds", numbers, list(range(count)))


@pytest.mark.requirement("UA-005")
@pytest.mark.device(vq_size=64)
def test_buffers_nonblocking_write_without_a_buffer_is_eagain(
    link: Link, sim: SimulatorClient, agent: AgentClient, sink: Channel
) -> None:
    fd = link.open(sink.path)
    sim.hold(1)
    _, reply = link.exhaust(fd)
    reply.expect_errno("EAGAIN")
    expect(reply.seconds < 1.0, expected="EAGAIN at once", observed=f"after {reply.seconds:.2f} s")


@pytest.mark.requirement("UA-005")
@pytest.mark.device(vq_size=64)
def test_buffers_nonblocking_write_succeeds_again_after_a_release(
    link: Link, sim: SimulatorClient, agent: AgentClient, sink: Channel
) -> None:
    fd = link.open(sink.path)
    sim.hold(1)
    link.exhaust(fd)
    sim.release(1, 1)
    agent.write(fd, b"one more").expect_success()
    agent.write(fd, b"one too many").expect_errno("EAGAIN")


@pytest.mark.requirement("UA-005")
@pytest.mark.parametrize("ring", RINGS)
def test_buffers_all_sends_succeed_again_after_all_were_released(
    ring: int, link: Link, sim: SimulatorClient, sink: Channel
) -> None:
    fd = link.open(sink.path)
    for _ in range(2):
        sim.hold(1)
        count, reply = link.exhaust(fd)
        reply.expect_errno("EAGAIN")
        expect_equal("sends while the remote holds every buffer", count, min(ring, 256))
        expect_equal("buffers released", sim.release(1), count)


@pytest.mark.requirement("BF-005")
@pytest.mark.device(vq_size=64)
def test_buffers_blocked_write_goes_on_when_a_buffer_comes_back(
    sim: SimulatorClient, agent: AgentClient, exhausted: Exhausted
) -> None:
    (writer,) = exhausted.writers(1)
    mark = sim.mark()
    sim.release(1, 1)
    message = sim.wait_event("message", since=mark, src=writer.source)
    reply = writer.pending.wait().expect_success()
    expect_equal("result of write()", reply["ret"], len(writer.text))
    expect_equal("payload", message.payload, writer.text)
    released = sim.wait_event("returned", since=mark, queue=1)
    waited = (message.time_ns - released.time_ns) / 1e9
    expect(
        waited < 5.0,
        expected="the write goes on at once, long before its 15 s",
        observed=f"{waited:.1f} s after the buffer's return",
    )


@pytest.mark.requirement("BF-013")
@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("released", ["one", "half", "all"])
@pytest.mark.device(vq_size=16)
def test_buffers_as_many_writers_go_on_as_buffers_come_back(
    count: int, released: str, sim: SimulatorClient, agent: AgentClient, exhausted: Exhausted
) -> None:
    writers = exhausted.writers(count)
    number = {"one": 1, "half": max(1, count // 2), "all": count}[released]
    mark = sim.mark()
    sim.release(1, number)
    sim.wait_events(number, "message", since=mark)
    # Those that did not get one have to sleep on; what comes in between gives them the time to err.
    for _ in range(RETURN_LOOKS):
        agent.call("sleep", ms=30)
        if sum(writer.ended() is not None for writer in writers) >= number:
            break
    done = [writer for writer in writers if writer.ended() is not None]
    expect_equal("writers that went on", len(done), number)
    expect_equal("messages", len(sim.events("message", since=mark)), number)
    sim.release(1)
    for writer in writers:
        writer.result().expect_success()


@pytest.mark.requirement("BF-016")
@pytest.mark.parametrize("ring", RINGS)
def test_buffers_returned_one_at_a_time_let_one_message_each_through(
    ring: int, link: Link, sim: SimulatorClient, agent: AgentClient, sink: Channel
) -> None:
    fd = link.open(sink.path)
    sim.hold(1)
    link.exhaust(fd)
    rounds = 2 * min(ring, 32) + 1
    mark = sim.mark()
    for number in range(rounds):
        expect_equal("buffers released", sim.release(1, 1), 1)
        agent.write(fd, b"%d" % number).expect_success()
        agent.write(fd, b"too many").expect_errno("EAGAIN")
        # It is in the remote's hands before the next one goes back.
        sim.wait_events(number + 1, "message", since=mark)
    seen = [event.payload for event in sim.events("message", since=mark)]
    expect_equal("messages", seen, [b"%d" % number for number in range(rounds)])


@pytest.mark.requirement("BF-016")
@pytest.mark.device(vq_size=8)
def test_buffers_returned_out_of_order_let_one_message_each_through(
    link: Link, sim: SimulatorClient, agent: AgentClient, sink: Channel
) -> None:
    fd = link.open(sink.path)
    sim.call("pace", queue=1, order="reversed")
    for _ in range(4):
        sim.hold(1)
        count, _ = link.exhaust(fd)
        expect_equal("sends", count, 8)
        expect_equal("buffers released", sim.release(1), 8)


# With EVENT_IDX the host has asked for one interrupt only, and a lost one stays lost (VIRTIO 2.7.7).
@pytest.mark.requirement("BF-014")
@pytest.mark.device(vq_size=16, options=["--feature", "-event-idx"])
def test_buffers_lost_interrupt_is_made_up_for_by_the_next(
    sim: SimulatorClient, agent: AgentClient, exhausted: Exhausted, observe: Callable[[str], None]
) -> None:
    (writer,) = exhausted.writers(1)
    sim.call("pace", queue=1, interrupt="never")
    sim.release(1, 1)
    agent.call("sleep", ms=100)
    early = writer.ended()
    observe(f"without the interrupt the writer {'slept on' if early is None else 'went on'}")
    sim.call("pace", queue=1, interrupt="normal")
    sim.release(1, 1)
    writer.result(SOON).expect_success()


@pytest.mark.requirement("BF-014")
@pytest.mark.device(vq_size=16)
def test_buffers_late_interrupt_lets_the_writer_go_on(
    sim: SimulatorClient, agent: AgentClient, exhausted: Exhausted
) -> None:
    (writer,) = exhausted.writers(1)
    sim.call("pace", queue=1, interrupt="late", interrupt_delay_us=200_000)
    sim.release(1, 1)
    writer.result(SOON).expect_success()


@pytest.mark.requirement("BF-006")
@pytest.mark.parametrize("ring", RINGS)
def test_buffers_flood_loses_no_receive_buffer(
    ring: int, link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    count = link.buffers + 10
    for _ in range(1 if ring > 64 else 3):
        mark = sim.mark()
        for number in range(count):
            sim.send(src=channel.remote, dst=channel.local, data=number.to_bytes(2, "little"))
        sim.wait_events(count, "sent", since=mark, dst=channel.local)
        got = [int.from_bytes(data, "little") for data in agent.receive_all(endpoint, count)]
        expect_equal("messages read", got, list(range(count)))


@pytest.mark.requirement("BF-015")
@pytest.mark.parametrize("ring", RINGS)
def test_buffers_starved_receive_queue_goes_on_in_order_when_refilled(
    ring: int, link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, endpoint: int
) -> None:
    # The host does not hear of its messages, so that it returns nothing: all buffers get used up.
    sim.call("pace", queue=0, interrupt="never")
    mark = sim.mark()
    before = sim.stats()["queues"][0]["popped"]
    count = link.buffers + 20
    for number in range(count):
        sim.send(src=channel.remote, dst=channel.local, data=number.to_bytes(2, "little"))
    used = sim.stats()["queues"][0]["popped"] - before
    expect(
        used <= link.buffers,
        expected=f"at most {link.buffers} receive buffers",
        observed=f"{used} were taken",
    )
    sim.call("pace", queue=0, interrupt="normal")
    sim.send(src=channel.remote, dst=channel.local, data=b"last")
    # With a ring that is used up the last one waits as well: some interrupt has to come.
    sim.call("pace", queue=0, interrupt="spurious", interrupt_delay_us=10_000)
    sim.wait_events(count + 1, "sent", since=mark, dst=channel.local)
    sim.call("pace", queue=0, interrupt="normal")
    got = agent.receive_all(endpoint, count + 1)
    wanted = [number.to_bytes(2, "little") for number in range(count)] + [b"last"]
    expect_equal("messages read", got, wanted)


@pytest.mark.requirement("BF-015")
@pytest.mark.device(vq_size=8)
def test_buffers_both_directions_used_up_recover(
    link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel, sink: Channel
) -> None:
    fd, other = link.open(sink.path), link.open(channel.path)
    sim.hold(1)
    link.exhaust(fd)
    mark = sim.mark()
    for number in range(3 * link.buffers):
        sim.send(src=channel.remote, dst=channel.local, data=bytes([number]))
    sim.wait_events(3 * link.buffers, "sent", since=mark, dst=channel.local)
    got = agent.receive_all(other, 3 * link.buffers)
    expect_equal("messages read", got, [bytes([number]) for number in range(3 * link.buffers)])
    sim.release(1)
    agent.write(other, b"and back").expect_success()
    expect_equal("echo", agent.receive(other), b"and back")


@pytest.mark.requirement("VQ-026")
@pytest.mark.parametrize("ring", SMALL_RINGS)
def test_buffers_small_ring_is_used_to_its_size(
    ring: int, link: Link, sim: SimulatorClient, agent: AgentClient, channel: Channel
) -> None:
    ready = sim.wait_event("driver_ok")
    expect_equal("buffers at DRIVER_OK", ready["queues"], [ring, 0])
    # An echo may be there before its request's buffer is back, so that a write may have to wait.
    fd = link.open(channel.path, "rdwr")
    reply = agent.call("exchange", fd=fd, count=3 * ring + 2)
    expect_equal("echoes, and wrong ones", (reply["ret"], reply["wrong"]), (3 * ring + 2, 0))


@pytest.mark.requirement("VQ-027")
@pytest.mark.parametrize("ring", LARGE_RINGS)
def test_buffers_large_ring_is_used_with_256_buffers(
    ring: int, link: Link, sim: SimulatorClient, sink: Channel
) -> None:
    ready = sim.wait_event("driver_ok")
    fd = link.open(sink.path)
    sim.hold(1)
    count, _ = link.exhaust(fd)
    expect_equal("receive and send buffers", (ready["queues"][0], count), (256, 256))


@pytest.mark.patient
@pytest.mark.requirement("BF-004")
def test_buffers_blocking_write_gives_up_after_15_s(
    host: HostTarget, given_up: Reply, observe: Callable[[str], None]
) -> None:
    expect(not given_up.ok, expected="the write fails", observed=given_up.describe())
    latest = SEND_SECONDS + LATE_SECONDS * host.timeout_factor
    observe(f"gave up after {given_up.seconds:.2f} s")
    expect(
        SEND_SECONDS - EARLY_SECONDS <= given_up.seconds <= latest,
        expected=f"the write gives up after {SEND_SECONDS:g} s",
        observed=f"after {given_up.seconds:.2f} s",
    )


@pytest.mark.patient
@pytest.mark.requirement("UA-006")
def test_buffers_blocking_write_gives_up_with_a_known_errno(given_up: Reply) -> None:
    given_up.expect_errno("ETIMEDOUT", "EAGAIN", "ENOBUFS")


@pytest.mark.patient
@pytest.mark.requirement("BF-017")
@pytest.mark.device(vq_size=16)
def test_buffers_waiting_sender_takes_no_lock_on_its_way_to_sleep(
    sim: SimulatorClient, exhausted: Exhausted, host: HostTarget
) -> None:
    if "DEBUG_ATOMIC_SLEEP" not in host.bundle.checks:
        pytest.skip("only a kernel with DEBUG_ATOMIC_SLEEP tells of it")
    (writer,) = exhausted.writers(1)
    sim.release(1, 1)
    writer.result(SOON).expect_success()
    # The kernel says it once after a boot: any case whose sender had to wait may have been the first.
    seen = [text for requirement, _, text in host.known_complaints if requirement == "BF-017"]
    seen += [
        complaint.describe()
        for complaint in complaints(host.recent_log())
        if "blocking ops when !TASK_RUNNING" in complaint.text
    ]
    expect(
        not seen,
        expected="no complaint of the kernel about a sender on its way to sleep",
        observed="; ".join(dict.fromkeys(seen)),
    )
