# SPDX-License-Identifier: BSD-2-Clause
"""What a host makes of one hostile message: how the message is sent, watched, and what came is named.

A name is one of expect.REACTIONS. Which of them a case allows is for the case to say; that the guest
lives, that its kernel does not complain and that a well-formed exchange works afterwards is demanded
after every case, by the fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from rpmsg_conformance.expect import Unmet, expect_reaction, reaction_text
from rpmsg_conformance.link import CHAR_CHANNEL, PAYLOAD_MAX, Channel, Link
from rpmsg_conformance.sim import Event

#: Faults of the simulator that have no case in the host suite, and why.
NOT_THE_HOSTS: Final = {
    "life-no-replies": "a vhost-user request without a reply stops QEMU, whose device_add never ends; "
    "the kernel in it sees nothing of it",
    **dict.fromkeys(
        (
            "life-crash-at-features",
            "life-crash-at-memory",
            "life-crash-at-vring",
            "life-crash-at-driver-ok",
        ),
        "QEMU 11.1 itself ends, by an assertion about its ioeventfds, when its back-end goes while it "
        "starts the device; see fault_run",
    ),
}

#: Entries of a ring on which all buffers have been used after a few messages.
SMALL_RING: Final = 16

#: Addresses of the two services. No host picks them for its endpoints, so that a fault which puts one
#: address in the place of another has something to change.
READERS_SERVICE: Final = 0x4D1
OTHER_SERVICE: Final = 0x4D2

#: Bytes that no message of any other endpoint has.
SECRET: Final = b"<of another endpoint>"

#: Longest message that a read() is prepared for: more than any len of a header says.
READ_MAX: Final = 70000

#: Seconds for a message that has to come, before scaling.
COMES_SECONDS: Final = 5.0

#: Seconds after which the message that has to come is sent once more, before scaling.
NUDGE_SECONDS: Final = (0.5, 1.0)

#: Seconds within which a processor that the agent does not run on has handled an interrupt, before scaling.
SETTLE_SECONDS: Final = 0.05

#: Takes a line for the report.
Observe = Callable[[str], None]


@dataclass(frozen=True)
class Reader:
    """An endpoint that reads what is hostile, on a link whose buffers hold another one's messages."""

    link: Link
    channel: Channel
    fd: int

    def send(self, data: bytes, **overrides: int) -> None:
        """Have the remote send this endpoint a message, with any header field or used length."""
        self.link.sim.send(
            src=self.channel.remote, dst=self.channel.local, data=data, **overrides
        )

    def waiting(self, limit: int = 64) -> list[bytes]:
        """The messages that can be read at once, ``limit`` of them at most."""
        got: list[bytes] = []
        while len(got) < limit:
            reply = self.link.agent.read(self.fd, READ_MAX)
            if not reply.ok:
                reply.expect_errno("EAGAIN")
                break
            got.append(bytes.fromhex(reply["data"]))
        return got

    def until(self, last: bytes) -> list[bytes] | None:
        """The messages read before one that is ``last``; None when that does not come in time.

        ``last`` was sent before. A host that has met it together with a message that it rejected may
        want one more interrupt: then it is sent once more.
        """
        agent = self.link.agent
        got: list[bytes] = []
        for wait in (*NUDGE_SECONDS, COMES_SECONDS):
            while (reply := agent.read(self.fd, READ_MAX)).ok or agent.poll_in(self.fd, wait):
                if not reply.ok:
                    continue
                data = bytes.fromhex(reply["data"])
                if data == last:
                    return got
                got.append(data)
            self.send(last)
        return None


def make_reader(link: Link) -> Reader:
    """An open endpoint. Every receive buffer of the link has carried a message for another one."""
    other = link.announce(CHAR_CHANNEL, "sink", OTHER_SERVICE)
    channel = link.announce(CHAR_CHANNEL, "echo", READERS_SERVICE)
    reader = Reader(link, channel, link.open(channel.path))
    fill_buffers(link, other)
    return reader


def fill_buffers(link: Link, other: Channel) -> None:
    """Let each receive buffer carry a full message of SECRET for the endpoint of ``other``."""
    secret = (SECRET * PAYLOAD_MAX)[:PAYLOAD_MAX]
    mark = link.sim.mark()
    for _ in range(link.buffers):
        link.sim.send(src=other.remote, dst=other.local, data=secret)
    # Otherwise what is armed next could meet one of these, still to be sent for want of a buffer.
    link.sim.wait_events(
        link.buffers, "sent", since=mark, src=other.remote, dst=other.local,
        expected="a full message finds a buffer",
    )
    settle(link)


def settle(link: Link) -> None:
    """Return once the guest has dealt with what was sent, as far as it ever will by itself.

    Its interrupt was raised before these commands came in, and goes before the agent. With several
    processors its thread may be on another one than the agent: no event tells that it has ended.
    """
    for _ in range(3):
        link.agent.call("ping")
    if link.guest.bundle.processors > 1:
        link.agent.call("sleep", ms=link.agent.scaled_ms(SETTLE_SECONDS))


def free_buffers(link: Link, expected: int) -> int:
    """Receive buffers that the remote can use, once these are ``expected`` or no more are to come."""
    for _ in range(20):
        queue = link.sim.stats()["queues"][0]
        free = int(queue["popped"]) + int(queue["avail_pending"]) - int(queue["returned"])
        if free >= expected:
            break
        link.agent.call("ping")
    return free


def lose(link: Link, new_link: Callable[[], Link]) -> None:
    """Give up a link that is lost, and make another one, which has to serve after the case.

    Without hot-plug the next case shows that. Raises Unmet, GuestWedged and GuestDied.
    """
    link.dismiss()
    if link.guest.bundle.hot_plug:
        new_link()


def arm(link: Link, fault: str, **settings: int | str) -> int:
    """Set a fault that fires once, unless ``settings`` say otherwise; returns a mark before that."""
    mark = link.sim.mark()
    words: dict[str, int | str] = {"mode": "once", **settings}
    link.sim.call("fault_set", name=fault, **words)
    return mark


def fired(link: Link, fault: str, mark: int) -> Event:
    """The event of the fault's firing. Raises Unmet when the host gave it no occasion."""
    return link.sim.wait_event(
        "fault", since=mark, fault=fault, expected=f"the fault {fault} fires"
    )


def name_delivery(got: Sequence[bytes] | None, sent: bytes) -> str:
    """The reaction to a message ``sent``, given what its endpoint read before the next message."""
    if got is None:
        return "deaf"
    if not got:
        return "dropped"
    if any(SECRET in data.replace(sent, b"") for data in got):
        return "leaked"
    if list(got) == [sent]:
        return "delivered"
    if len(got) == 1 and sent.startswith(got[0]):
        return "cut"
    return "garbled"


def judge(observe: Observe, seen: str, allowed: Collection[str], detail: str = "") -> None:
    """Note the reaction and those that are allowed; raise Unmet unless it is one of them."""
    listed = ", ".join(sorted(allowed))
    more = f": {detail}" if detail else ""
    observe(f"reaction: {reaction_text(seen)}{more}; allowed: {listed}")
    try:
        expect_reaction(seen, allowed)
    except Unmet as error:
        raise Unmet(error.expected, f"{error.observed}{more}") from None
