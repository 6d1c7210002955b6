# SPDX-License-Identifier: BSD-2-Clause
"""An rpmsg host: sends and receives messages, keeps the buffers of both queues, knows the channels.

Everything that waits has a deadline, waits for events, and handles both queues meanwhile, so that
messages never pile up unseen. All times are in seconds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.anomaly import Anomaly, Log
from rpmsg_conformance.virtio.channels import Channel, Channels
from rpmsg_conformance.virtio.codec import (
    Header,
    Oddity,
    Order,
    decode_header,
    decode_ns,
    decode_packet,
    encode_ns,
    encode_packet,
    order_of,
)
from rpmsg_conformance.virtio.config import EXACT, Config, Layout
from rpmsg_conformance.virtio.errors import NoBuffer, PeerTimeout, RingBroken
from rpmsg_conformance.virtio.ring import GUARD_SIZE, Segment, Used
from rpmsg_conformance.virtio.session import Queue, Session
from rpmsg_conformance.virtio.trace import Trace

#: Address of the host's own endpoint, from which it speaks unless told otherwise.
LOCAL_ADDR: Final = 1024

#: Address from which find_echo() speaks; what comes to it is never handed out.
PROBE_ADDR: Final = 1000

#: While notifications are switched off there is nothing to wait for: look this often.
_POLL_SECONDS: Final = 0.0005

#: How long a notification may come after the used entry that it is for.
_LATE_CALL_SECONDS: Final = 0.05


class Message(NamedTuple):
    """A message from the remote. ``raw`` is what the used length covers, header included.

    ``number`` counts all messages of the session, ``capacity`` is the buffer's size in bytes,
    ``used_len`` what the device wrote, even if it is more than that.
    """

    number: int
    head: int
    capacity: int
    used_len: int
    header: Header
    payload: bytes
    raw: bytes
    order: Order

    @property
    def src(self) -> int:
        """Sender's address."""
        return self.header.src

    @property
    def dst(self) -> int:
        """Receiver's address."""
        return self.header.dst

    @property
    def oddities(self) -> tuple[Oddity, ...]:
        """What is unusual about it."""
        return decode_packet(self.raw, self.order).oddities


class ShortMessage(NamedTuple):
    """What came with a used length below that of a header, and so is no message."""

    number: int
    head: int
    capacity: int
    used_len: int
    raw: bytes


class _Slot(NamedTuple):
    """A buffer of one of the queues: its pieces, and an area of its own if it was made for one."""

    segments: tuple[Segment, ...]
    private: int | None = None


class Host:
    """One host on one connection; a context manager that closes it."""

    def __init__(
        self, path: str | Path, config: Config | None = None, trace: Trace | None = None
    ) -> None:
        self.path = path
        self.config = config if config is not None else Config()
        self.log = Log(trace)
        #: What passed between this host and the device.
        self.trace = self.log.trace
        self.session = Session(path, self.config, self.log)
        self.order = Order.LITTLE
        self.channels = Channels()
        #: Messages that receive() has not handed out, and what was too short to be one.
        self.inbox: deque[Message] = deque()
        self.short: list[ShortMessage] = []
        #: Messages received and sent in this session, name service included.
        self.received = 0
        self.sent = 0
        #: Used lengths of send buffers, in the order in which they came back, by descriptor.
        self.returned: list[tuple[int, int]] = []
        self._holding = False
        self._held: deque[_Slot] = deque()
        self._free: deque[int] = deque()
        self._areas: list[int] = []

    @classmethod
    def connect(cls, path: str | Path, config: Config | None = None) -> Host:
        """A host whose device runs: everything up to DRIVER_OK and the first notification.

        Raises PeerError (Unreachable, PeerClosed, Refused, ReplyTimeout, NotOffered, ...).
        """
        host = cls(path, config)
        try:
            host.start()
        except BaseException:
            host.close()
            raise
        return host

    def __enter__(self) -> Host:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- life cycle ---------------------------------------------------------------------------

    def start(self) -> None:
        """Everything from negotiation to DRIVER_OK and the first notification."""
        self.session.start()
        self.prepare()
        self.go()

    def prepare(self) -> None:
        """Make the buffers, and make the receive buffers available without a notification.

        The session's rings have to exist. Afterwards the host is as Linux is before DRIVER_OK.
        """
        self.order = order_of(self.session.features)
        for area in self._areas:
            self.session.allocator.free(area)
        self._areas.clear()
        self.channels.clear()
        self.inbox.clear()
        self.short.clear()
        self.returned.clear()
        self.received = self.sent = 0
        self._held.clear()
        slots = self._make_slots(c.QUEUE_OUTPUT, (), False)
        self._free = deque(slot.segments[0].address for slot in slots)
        ring = self.input.ring
        for slot in self._make_slots(c.QUEUE_INPUT, self.config.receive_split, True):
            ring.add(slot.segments, indirect=self.config.receive_indirect, owner=slot)
        ring.publish()

    def go(self) -> None:
        """DRIVER_OK, then one notification on queue 0."""
        self.session.driver_ok()
        self.input.kick()

    def reset(self) -> None:
        """Reset the device. The rings of before are not looked at any more; restart() goes on."""
        self.session.reset()

    def restart(self, config: Config | None = None) -> None:
        """Start anew on the same connection after reset(), with new rings from the base index.

        ``config`` must keep the regions of the present one.
        """
        if config is not None:
            self.config = self.session.config = config
        self.start_device()

    def start_device(self) -> None:
        """What start() does on a connection that has negotiated its protocol."""
        self.session.start_device()
        self.prepare()
        self.go()

    def disconnect(self) -> list[int]:
        """Stop the rings and reset the device as an orderly host does, then close.

        Returns the indices up to which the device took buffers. Raises PeerError, closed anyway.
        """
        try:
            bases = self.session.stop_queues()
            self.process()
            self.check_memory()
            if self.session.status:
                self.session.reset()
        finally:
            self.close()
        return bases

    def reconnect(self, config: Config | None = None) -> None:
        """Close if that has not happened, and start anew on a new connection."""
        self.close()
        if config is not None:
            self.config = config
        self._areas.clear()
        self.session = Session(self.path, self.config, self.log)
        self.start()

    def close(self) -> None:
        """Close the connection at once. May be called any number of times."""
        self.session.close()

    # --- queues -------------------------------------------------------------------------------

    @property
    def input(self) -> Queue:
        """Queue 0: remote to host."""
        return self.session.queues[c.QUEUE_INPUT]

    @property
    def output(self) -> Queue:
        """Queue 1: host to remote."""
        return self.session.queues[c.QUEUE_OUTPUT]

    @property
    def anomalies(self) -> list[Anomaly]:
        """What the peer did on this host's connections that no rule allows."""
        return self.log.forbidden()

    def process(self) -> int:
        """Handle what the device has returned, without waiting. Returns how many buffers."""
        queues = self.session.queues
        returned = queues[c.QUEUE_OUTPUT].ring.collect()
        for used in returned:
            self._take_back(used)
        filled = queues[c.QUEUE_INPUT].ring.collect()
        if filled:
            for used in filled:
                self._take_in(used)
            self._publish(queues[c.QUEUE_INPUT])
        return len(returned) + len(filled)

    def wait(
        self, condition: Callable[[], bool], timeout: float | None = None, what: str = "an event"
    ) -> None:
        """Handle events until ``condition`` holds.

        Raises PeerTimeout naming ``what``, PeerClosed, and RingBroken.
        """
        seconds = self.config.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        session = self.session
        while True:
            self.process()
            if condition():
                return
            session.check_peer()
            for queue in session.queues:
                if queue.ring.broken is not None:
                    raise RingBroken(f"queue {queue.number}: {queue.ring.broken}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise PeerTimeout(f"no {what} within {seconds:g} s")
            if any(queue.ring.pending() for queue in session.queues):
                continue
            if not all(queue.ring.interrupts for queue in session.queues):
                session.wait(min(left, _POLL_SECONDS))
            else:
                session.wait(left)

    def drain(self, timeout: float | None = None) -> None:
        """Wait until the device has returned every send buffer, then look for anomalies that show
        only in hindsight: writes where it may not write, and notifications that never came.

        Raises PeerTimeout, PeerClosed and RingBroken.
        """
        ring = self.output.ring
        self.wait(lambda: not ring.outstanding, timeout, "return of all send buffers")
        self.check_memory()
        self.session.check_calls(_LATE_CALL_SECONDS)

    def check_memory(self) -> None:
        """Look for writes of the device where it may not write; they become anomalies."""
        for queue in self.session.queues:
            queue.ring.check_memory()

    # --- sending ------------------------------------------------------------------------------

    def send(
        self,
        src: int,
        dst: int,
        payload: bytes,
        *,
        layout: Layout = EXACT,
        reserved: int = 0,
        flags: int = 0,
        length: int | None = None,
        kick: bool = True,
        timeout: float | None = None,
    ) -> int:
        """Send one message; returns the head of its chain. ``length`` overrides the header's.

        With ``kick`` False it is only put into the ring, for flush(). When all send buffers are at
        the device it waits for one; ``timeout`` 0 does not. Raises NoBuffer, PeerClosed and
        RingBroken.
        """
        data = encode_packet(
            src, dst, payload, self.order, reserved=reserved, flags=flags, length=length
        )
        return self.send_bytes(data, layout=layout, kick=kick, timeout=timeout)

    def send_bytes(
        self,
        data: bytes,
        *,
        layout: Layout = EXACT,
        kick: bool = True,
        timeout: float | None = None,
    ) -> int:
        """Send bytes that need not be a message; otherwise like send()."""
        queue = self.session.queues[c.QUEUE_OUTPUT]
        lengths = self._lengths(len(data), layout)
        self._await_room(1 if layout.indirect else len(lengths), timeout)
        slot = self._place(data, lengths, timeout)
        whole = len(lengths) == 1 and lengths[0] == len(data)
        head = queue.ring.add(
            slot.segments,
            indirect=layout.indirect,
            owner=slot,
            contents=data if whole else None,
        )
        self.trace.sent(
            self.session.number, c.QUEUE_OUTPUT, head, sum(lengths), data, self.order,
            layout.indirect,
        )
        self.sent += 1
        if kick:
            self._publish(queue)
        return head

    def post(
        self, segments: Sequence[Segment], *, indirect: bool = False, kick: bool = True
    ) -> int:
        """Send what the caller has put into guest memory himself; returns the head of the chain.

        The host neither fills nor frees that memory. Raises NoBuffer, BadAddress and ValueError.
        """
        queue = self.output
        self._await_room(1 if indirect else len(segments), None)
        head = queue.ring.add(segments, indirect=indirect)
        self.trace.remark(
            f"send buffer made by the case (queue {c.QUEUE_OUTPUT}, descriptor {head}): "
            + ", ".join(f"{s.length} bytes at {s.address:#x}" for s in segments)
        )
        self.sent += 1
        if kick:
            self._publish(queue)
        return head

    def flush(self) -> None:
        """Publish what was sent with ``kick`` False, with one notification if one is wanted."""
        self._publish(self.output)

    def announce(self, name: str | bytes, addr: int, flags: int = c.NS_CREATE) -> int:
        """Send a name-service message as the host's endpoint ``addr``."""
        return self.send(addr, c.ADDR_NS, encode_ns(name, addr, flags, self.order))

    # --- receiving ----------------------------------------------------------------------------

    def receive(
        self,
        timeout: float | None = None,
        *,
        src: int | None = None,
        dst: int | None = None,
        where: Callable[[Message], bool] | None = None,
    ) -> Message:
        """The oldest message that fits, name service excepted; others stay for later calls.

        Raises PeerTimeout, PeerClosed and RingBroken.
        """
        found: list[Message] = []
        seen = 0

        def look() -> bool:
            nonlocal seen
            inbox = self.inbox
            while seen < len(inbox):
                message = inbox[seen]
                if (
                    (src is None or message.header.src == src)
                    and (dst is None or message.header.dst == dst)
                    and (where is None or where(message))
                ):
                    del inbox[seen]
                    found.append(message)
                    return True
                seen += 1
            return False

        self.wait(look, timeout, f"message from {_name(src)} to {_name(dst)}")
        return found[0]

    def hold_receive(self, on: bool = True) -> None:
        """Keep the buffers of messages that come from now on, instead of posting them again."""
        self._holding = on

    def repost(self, count: int | None = None) -> int:
        """Post the oldest ``count`` kept buffers again, or all of them; returns how many."""
        number = len(self._held) if count is None else min(count, len(self._held))
        ring = self.input.ring
        for _ in range(number):
            slot = self._held.popleft()
            ring.add(slot.segments, indirect=self.config.receive_indirect, owner=slot)
        self._publish(self.input)
        return number

    # --- channels -----------------------------------------------------------------------------

    def wait_for_channel(
        self, name: str | None = None, addr: int | None = None, timeout: float | None = None
    ) -> Channel:
        """The oldest announced channel that fits. Raises PeerTimeout, PeerClosed, RingBroken."""
        what = f"announcement of {name or 'a channel'}"
        self.wait(lambda: self.channels.find(name, addr) is not None, timeout, what)
        channel = self.channels.find(name, addr)
        assert channel is not None
        return channel

    def find_echo(self, timeout: float | None = None) -> Channel:
        """A channel that sends back what it gets: each one announced is tried.

        Raises PeerTimeout, PeerClosed and RingBroken.
        """
        tried: dict[int, bytes] = {}
        found: list[Channel] = []

        def look() -> bool:
            for channel in self.channels.open:
                if channel.addr not in tried:
                    probe = b"rpmsg-conform asks %08x" % channel.addr
                    tried[channel.addr] = probe
                    self.send(PROBE_ADDR, channel.addr, probe, timeout=0)
            for message in [m for m in self.inbox if m.dst == PROBE_ADDR]:
                self.inbox.remove(message)
                answered = self.channels.find(addr=message.src)
                if answered is not None and tried.get(message.src) == message.payload:
                    found.append(answered)
            return bool(found)

        self.wait(look, timeout, "channel that echoes")
        return found[0]

    def echo(
        self,
        addr: int,
        payload: bytes,
        *,
        src: int = LOCAL_ADDR,
        layout: Layout = EXACT,
        timeout: float | None = None,
    ) -> Message:
        """Send to an echo service and return the first message that comes back from it.

        Whether that is the same is for the caller to see. Raises as send() and receive().
        """
        self.send(src, addr, payload, layout=layout, timeout=timeout)
        return self.receive(timeout, src=addr, dst=src)

    # --- inside -------------------------------------------------------------------------------

    def _publish(self, queue: Queue) -> None:
        if queue.ring.publish():
            queue.kick()

    def _take_back(self, used: Used) -> None:
        self.returned.append((used.chain.head, used.length))
        self.trace.returned(self.session.number, c.QUEUE_OUTPUT, used.chain.head, used.length)
        slot = used.chain.owner
        if not isinstance(slot, _Slot):
            return
        if slot.private is None:
            self._free.append(slot.segments[0].address)
        else:
            self.session.allocator.free(slot.private)
            self._areas.remove(slot.private)

    def _take_in(self, used: Used) -> None:
        chain, length = used
        slot = chain.owner
        assert isinstance(slot, _Slot)
        memory = self.session.memory
        if len(chain.segments) == 1:
            raw = memory.read(chain.segments[0].address, min(length, chain.writable))
        else:
            raw = b"".join(memory.read(s.address, s.length) for s in chain.segments)[:length]
        self.trace.received(
            self.session.number, c.QUEUE_INPUT, chain.head, chain.writable, length, raw, self.order
        )
        number = self.received
        self.received = number + 1
        if len(raw) < c.RPMSG_HEADER_SIZE:
            self.short.append(ShortMessage(number, chain.head, chain.writable, length, raw))
        else:
            header = decode_header(raw, self.order)
            payload = raw[c.RPMSG_HEADER_SIZE : c.RPMSG_HEADER_SIZE + header.len]
            if header.dst == c.ADDR_NS:
                self.channels.note(number, header.src, decode_ns(payload, self.order), payload)
            else:
                self.inbox.append(
                    Message(
                        number, chain.head, chain.writable, length, header, payload, raw, self.order
                    )
                )
        if self._holding:
            self._held.append(slot)
        else:
            queue = self.session.queues[c.QUEUE_INPUT]
            queue.ring.add(slot.segments, indirect=self.config.receive_indirect, owner=slot)

    def _lengths(self, size: int, layout: Layout) -> list[int]:
        """Lengths of the descriptors for ``size`` bytes."""
        length = layout.desc_len
        if length is None:
            length = self.config.buffer_sizes[c.QUEUE_OUTPUT] if layout.full else size
        lengths = list(layout.split)
        if not lengths or sum(lengths) < length:
            lengths.append(length - sum(lengths))
        return lengths

    def _place(self, data: bytes, lengths: Sequence[int], timeout: float | None) -> _Slot:
        """Put ``data`` into a send buffer, or into memory of its own when it does not fit one."""
        size = self.config.buffer_sizes[c.QUEUE_OUTPUT]
        if len(lengths) > 1 or lengths[0] > size or len(data) > size:
            return self._place_apart(data, lengths)
        if not self._free:
            self._await(lambda: bool(self._free), timeout, "free send buffer")
        address = self._free.popleft()
        self.session.memory.write(address, data)
        return _Slot((Segment(address, lengths[0]),))

    def _place_apart(self, data: bytes, lengths: Sequence[int]) -> _Slot:
        session = self.session
        area = session.allocator.allocate(
            max(sum(lengths), len(data)) + (len(lengths) + 1) * 2 * GUARD_SIZE,
            within=session.extent(self.config.buffer_regions[c.QUEUE_OUTPUT]),
        )
        self._areas.append(area)
        segments = _apart(area, lengths, writable=False)
        done = 0
        for segment in segments:
            session.memory.write(segment.address, data[done : done + segment.length])
            done += segment.length
        return _Slot(segments, area)

    def _await_room(self, descriptors: int, timeout: float | None) -> None:
        ring = self.session.queues[c.QUEUE_OUTPUT].ring
        if ring.free_descriptors < descriptors:
            if descriptors > ring.size:
                raise ValueError(f"{descriptors} descriptors for a ring of {ring.size}")
            self._await(lambda: ring.free_descriptors >= descriptors, timeout, "free descriptor")

    def _await(self, condition: Callable[[], bool], timeout: float | None, what: str) -> None:
        try:
            self.wait(condition, timeout, what)
        except PeerTimeout as error:
            raise NoBuffer(str(error)) from None

    def _make_slots(self, queue: int, split: tuple[int, ...], writable: bool) -> Iterable[_Slot]:
        config, session = self.config, self.session
        count, stride = config.buffer_count(queue), config.stride(queue)
        within = session.extent(config.buffer_regions[queue])
        area = session.allocator.allocate(count * stride, within=within)
        self._areas.append(area)
        if not split:
            size = config.buffer_sizes[queue]
            return [_Slot((Segment(area + n * stride, size, writable),)) for n in range(count)]
        return [_Slot(_apart(area + n * stride, split, writable)) for n in range(count)]


def _apart(area: int, lengths: Sequence[int], writable: bool) -> tuple[Segment, ...]:
    """Segments in reverse order from ``area`` on, each followed by room for a guard."""
    segments = []
    at = area
    for length in reversed(lengths):
        segments.append(Segment(at, length, writable))
        at += -(-(length + GUARD_SIZE) // 16) * 16
    return tuple(reversed(segments))


def _name(address: int | None) -> str:
    return "anyone" if address is None else f"{address:#x}"
