# SPDX-License-Identifier: BSD-2-Clause
"""The suite's host with the exchanges that the cases of the remote suite have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.expect import expect_reaction as expect_reaction  # with the reactions below
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.anomaly import Anomaly, Kind
from rpmsg_conformance.virtio.config import EXACT, Config, Layout
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, Status, bit
from rpmsg_conformance.virtio.errors import PeerClosed, PeerTimeout, Refused, RingBroken
from rpmsg_conformance.virtio.host import LOCAL_ADDR, Host, Message
from rpmsg_conformance.virtio.ring import Used
from rpmsg_conformance.virtio.ring_raw import RawRing
from rpmsg_conformance.virtio.trace import Trace

#: An address that nothing uses on either side.
NOBODY: Final = 0x5EADBEE0

#: Address from which the well-formed exchanges come: what a case itself sends gets in no way.
EXCHANGE_ADDR: Final = 1031

#: How long a queue that says nothing has before it counts as stopped, in seconds.
_SILENCE: Final = 0.3


class EchoService(NamedTuple):
    """The service that the well-formed exchanges go to. ``name`` None: it is not announced."""

    name: str | None
    addr: int

    def __str__(self) -> str:
        return f"{self.name or 'not announced'} at {self.addr:#x}"


class RemoteHost(Host):
    """A host that knows which service echoes. ``last`` is what the last exchange brought."""

    def __init__(
        self,
        path: str | Path,
        config: Config | None = None,
        echo: EchoService | None = None,
        trace: Trace | None = None,
    ) -> None:
        super().__init__(path, config, trace)
        self.service = echo
        self._serial = 0
        #: Every message as the used length covers it, name service included.
        self.wire: list[bytes] = []
        #: What came back of receive buffers that a case has made itself.
        self.foreign: list[Used] = []

    def _take_in(self, used: Used) -> None:
        if used.chain.owner is None:
            self.foreign.append(used)
            self.trace.returned(
                self.session.number, c.QUEUE_INPUT, used.chain.head, used.length
            )
            return
        if len(used.chain.segments) == 1:
            segment = used.chain.segments[0]
            self.wire.append(
                self.session.memory.read(segment.address, min(used.length, segment.length))
            )
        super()._take_in(used)

    def wire_of_session(self) -> list[bytes]:
        """Those of the messages that came since the last start or restart."""
        return self.wire[len(self.wire) - self.received :]

    @property
    def echo_addr(self) -> int:
        """Address of the echo service in this session."""
        service = self.service
        assert service is not None
        if service.name is not None:
            channel = self.channels.find(service.name)
            if channel is not None:
                return channel.addr
        return service.addr

    def await_echo(self) -> None:
        """Wait until the echo service is announced, where announcements can be expected."""
        service = self.service
        if service is None or service.name is None:
            return
        if self.session.features & bit(Feature.NS):
            self.wait_for_channel(service.name)

    def check(
        self, payload: bytes | None = None, *, layout: Layout = EXACT, src: int = EXCHANGE_ADDR,
        timeout: float | None = None,
    ) -> Message | None:
        """A well-formed exchange that has to succeed: an echo, else the return of a send buffer.

        Raises Unmet when something else comes back, and PeerError.
        """
        if payload is None:
            self._serial += 1
            payload = b"exchange %d" % self._serial
        if self.service is None:
            self.send(src, NOBODY, payload, layout=layout, timeout=timeout)
            self.wait(lambda: not self.output.ring.outstanding, timeout, "return of a send buffer")
            return None
        # Known by where it goes: what it says about its source is for one case to judge.
        self.send(src, self.echo_addr, payload, layout=layout, timeout=timeout)
        message = self.receive(timeout, dst=src)
        expect_equal("the echo", message.payload, payload)
        return message

    def burst(self, count: int, size: int = 24, first: int = 0) -> None:
        """Send ``count`` numbered messages, wait for all echoes, and see that each came once and in
        order. Raises Unmet and PeerError."""
        wanted = [b"%d " % number + bytes(size) for number in range(first, first + count)]
        for payload in wanted:
            self.send(EXCHANGE_ADDR, self.echo_addr, payload)
        expect_equal("the echoes", self.take(count, dst=EXCHANGE_ADDR), wanted)

    def take(
        self, count: int, timeout: float | None = None, *, dst: int = LOCAL_ADDR
    ) -> list[bytes]:
        """Payloads of the next ``count`` echoes to ``dst``."""
        return [self.receive(timeout, dst=dst).payload for _ in range(count)]

    @property
    def queue_errors(self) -> list[Anomaly]:
        """Errors of rings that the back-end has signalled."""
        return self.log.of(Kind.VRING_ERROR)

    def clear_way(self, queue: int) -> None:
        """See that what is made available next is what the device looks at next.

        Receive buffers are all used up and kept here until let_go().
        """
        if queue == c.QUEUE_OUTPUT:
            self.wait(lambda: not self.output.ring.outstanding, what="return of send buffers")
            return
        self.hold_receive()
        while self.input.ring.outstanding:
            self.check()

    def let_go(self, queue: int) -> None:
        """Give the device its receive buffers back, behind what was made available meanwhile."""
        if queue == c.QUEUE_INPUT:
            self.hold_receive(False)
            self.repost()

    def prompt(self, count: int) -> None:
        """Send messages whose answers need receive buffers, and wait for nothing."""
        try:
            for _ in range(count):
                self.send(LOCAL_ADDR, self.echo_addr, b"prompt", timeout=0)
        except (PeerClosed, PeerTimeout):
            pass

    def settle(self) -> None:
        """Give the device time to have looked at what it was notified of."""
        try:
            for _ in range(2):
                self.session.frontend.sync()
                self.session.wait(0.0005)
        except PeerClosed:
            pass

    def raw(self, queue: int) -> RawRing:
        """The raw half of a queue's ring."""
        return RawRing.of(self.session.queues[queue].ring)

    def reaction(self) -> str:
        """What the remote did about something hostile in a ring, shown by an exchange.

        "closed": the connection; "queue-broken": it says so on the err descriptor or with
        NEEDS_RESET; "stopped": it says nothing and serves nothing; "ignored": the exchange works.
        An answer to what is not hostile in it may come before, and is put aside.
        """
        frontend = self.session.frontend
        addr = self.service.addr if self.service is not None else None
        self._serial += 1
        payload = b"after hostility %d" % self._serial
        try:
            self.send(
                EXCHANGE_ADDR, NOBODY if addr is None else self.echo_addr, payload, timeout=0
            )
            before = self.output.ring.outstanding
        except PeerClosed:
            return "closed"
        except (PeerTimeout, RingBroken):
            before = -1

        def answered() -> bool:
            if addr is None:
                return 0 <= self.output.ring.outstanding < before
            return any(m.payload == payload for m in self.inbox)

        def over() -> bool:
            return answered() or bool(self.queue_errors) or frontend.closed is not None

        try:
            self.wait(over, _SILENCE * self.config.timeout / 2, "reaction")
        except PeerClosed:
            return "closed"
        except (PeerTimeout, RingBroken):
            pass
        if frontend.closed is not None:
            return "closed"
        if answered():
            for message in [m for m in self.inbox if m.payload == payload]:
                self.inbox.remove(message)
            # An error may be on its way although the other queue goes on.
            return "queue-broken" if self.queue_errors else "ignored"
        if self.queue_errors or self.needs_reset():
            return "queue-broken"
        return "stopped"

    def needs_reset(self) -> bool:
        """Whether the device status says so."""
        frontend = self.session.frontend
        if not frontend.has(ProtocolFeature.STATUS):
            return False
        try:
            return bool(frontend.get_status() & Status.NEEDS_RESET)
        except PeerClosed:
            return False

    def recover(self) -> None:
        """Reset the device on this connection, and see that it serves again."""
        self.reset()
        self.log.clear()
        self.restart()
        self.await_echo()
        self.check()


def refusal(act: Callable[[], object]) -> str:
    """What a back-end did about a request: "refused", "closed" or "accepted".

    ``act`` sends it with REPLY_ACK negotiated, so that silence cannot be taken for anything.
    """
    try:
        act()
    except Refused:
        return "refused"
    except PeerClosed:
        return "closed"
    return "accepted"


@contextmanager
def quiet(host: RemoteHost) -> Iterator[None]:
    """While the block runs, neither queue asks for notifications."""
    for queue in host.session.queues:
        queue.ring.set_interrupts(False)
    try:
        yield
    finally:
        for queue in host.session.queues:
            queue.ring.set_interrupts(True)


def other_queue(number: int) -> int:
    """The other of the two."""
    return c.QUEUE_OUTPUT if number == c.QUEUE_INPUT else c.QUEUE_INPUT
