# SPDX-License-Identifier: BSD-2-Clause
"""One connection to a back-end as a virtio device: negotiation, memory, rings, notifications.

The steps of connecting are methods of their own, so that a case can leave one out, repeat one or
put something in between; start() does all of them in the order of VIRTIO 1.2, section 3.1.1.
"""

from __future__ import annotations

import select
import time
from pathlib import Path

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.allocator import Allocator
from rpmsg_conformance.virtio.anomaly import Kind, Log
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, Status, bit
from rpmsg_conformance.virtio.errors import NotOffered, PeerClosed
from rpmsg_conformance.virtio.eventfd import EventFd
from rpmsg_conformance.virtio.frontend import FrontEnd
from rpmsg_conformance.virtio.memory import GuestMemory
from rpmsg_conformance.virtio.messages import VringAddr
from rpmsg_conformance.virtio.ring import DriverRing


class Queue:
    """One virtqueue: its ring, its descriptors for notifications, and what passed over them."""

    def __init__(self, number: int, ring: DriverRing) -> None:
        self.number = number
        self.ring = ring
        self.kicker = EventFd()
        self.caller = EventFd()
        self.error = EventFd()
        #: Notifications sent, and received (each may stand for several, as eventfds go).
        self.kicks = 0
        self.calls = 0
        self._calls_before = 0

    def kick(self) -> None:
        """Notify the device, whether it wants that or not."""
        self.kicks += 1
        self.kicker.signal()

    def take_calls(self) -> int:
        """Notifications since the last time."""
        count = self.caller.take()
        self.calls += count
        return count

    @property
    def owed_call(self) -> bool:
        """Whether buffers came back in this period, notifications were on, and there was none."""
        ring = self.ring
        return bool(
            ring.collected and ring.always_interrupts and self.calls == self._calls_before
        )

    def forget_calls(self) -> None:
        """Begin a new period for owed_call."""
        self._calls_before = self.calls
        self.ring.forget_calls()

    def close(self) -> None:
        """Close the descriptors. The ring is its owner's to close."""
        for counter in (self.kicker, self.caller, self.error):
            counter.close()


class Session:
    """One connection. ``log`` collects what the peer does wrong."""

    def __init__(self, path: str | Path, config: Config, log: Log | None = None) -> None:
        self.path = path
        self.config = config
        self.log = log if log is not None else Log()
        self.offered = 0
        self.features = 0
        self.protocol_offered = 0
        self.status = 0
        self.queues: list[Queue] = []
        self.closed = False
        self.memory = GuestMemory(config.region_specs())
        self._extents = [(r.guest_addr, r.size) for r in self.memory.regions]
        self.allocator = Allocator(self._extents)
        self._epoll = select.epoll()
        try:
            self.frontend = FrontEnd.connect(path, self.log, config.timeout)
            #: Number of the connection in the trace.
            self.number = self.frontend.number
        except BaseException:
            self._epoll.close()
            self.memory.close()
            raise
        self._epoll.register(self.frontend.sock, select.EPOLLIN | select.EPOLLRDHUP)

    def close(self) -> None:
        """Close everything at once, as a host that died would. May be called again."""
        if self.closed:
            return
        self.closed = True
        self.frontend.close()
        self._epoll.close()
        self._drop_queues(release=False)
        self.memory.close()

    # --- steps --------------------------------------------------------------------------------

    def start(self) -> None:
        """All steps up to rings that the back-end knows; DRIVER_OK is still to come."""
        self.negotiate_protocol()
        self.start_device()

    def start_device(self) -> None:
        """The same on a connection that has negotiated its protocol, also after a reset."""
        self.negotiate()
        self.make_rings()
        with self.frontend.batch():
            self.share_memory()
            for queue in self.queues:
                self.start_queue(queue)

    def negotiate_protocol(self) -> None:
        """SET_OWNER, and the features of the vhost-user protocol; once a connection."""
        frontend = self.frontend
        frontend.set_owner()
        self.offered = frontend.get_features()
        if self.has_protocol_features:
            self.protocol_offered = frontend.get_protocol_features()
            frontend.set_protocol_features(self.protocol_offered & self.config.protocol_features)

    def negotiate(self) -> None:
        """Device status and feature bits, up to FEATURES_OK. Raises NotOffered."""
        config = self.config
        missing = config.required & ~self.offered
        if missing:
            names = c.names_of(missing, Feature)
            raise NotOffered(f"the device does not offer: {names}")
        self.features = config.features & self.offered
        with self.frontend.batch():
            self.add_status(Status.ACKNOWLEDGE)
            self.add_status(Status.DRIVER)
            self.frontend.set_features(self.features | self._protocol_bit)
            self.add_status(Status.FEATURES_OK)

    def make_rings(self) -> None:
        """Rings in our memory that the back-end does not know of yet."""
        self._drop_queues(release=True)
        config = self.config
        for number in range(c.QUEUES):
            ring = DriverRing(
                self.memory,
                self.allocator,
                self.log,
                number,
                config.ring_sizes[number],
                event_idx=bool(self.features & bit(Feature.RING_EVENT_IDX)),
                base=config.bases[number],
                within=self._extents[config.ring_region],
            )
            queue = Queue(number, ring)
            self.queues.append(queue)
            self._epoll.register(queue.caller.fd, select.EPOLLIN)
            self._epoll.register(queue.error.fd, select.EPOLLIN)

    def share_memory(self) -> None:
        """Tell the back-end the regions: one table, or one by one (``add_regions``)."""
        regions = self.memory.regions
        if self.config.add_regions:
            for region in regions:
                self.frontend.add_mem_reg(region.message, region.fd)
        else:
            self.frontend.set_mem_table([r.message for r in regions], [r.fd for r in regions])

    def start_queue(self, queue: Queue) -> None:
        """Tell the back-end everything about one ring, and enable it."""
        frontend, ring, number = self.frontend, queue.ring, queue.number
        frontend.set_vring_num(number, ring.size)
        # Not where the driver is: it may have made buffers available already.
        frontend.set_vring_base(number, ring.used_index)
        frontend.set_vring_addr(self.vring_addr(queue))
        frontend.set_vring_call(number, queue.caller.fd)
        frontend.set_vring_err(number, queue.error.fd)
        frontend.set_vring_kick(number, queue.kicker.fd)
        if self.has_protocol_features:
            frontend.set_vring_enable(number, True)

    def driver_ok(self) -> None:
        """Let the device go. Without STATUS the kick that follows is what starts it."""
        self.add_status(Status.DRIVER_OK)

    def stop_queues(self) -> list[int]:
        """Stop both rings; returns the indices up to which the device took buffers."""
        return [self.frontend.get_vring_base(queue.number) for queue in self.queues]

    def reset(self) -> None:
        """Reset the device: status 0, else RESET_DEVICE, else by stopping both rings.

        On return the device has taken note, so that its rings may be written over.
        """
        if self.frontend.has(ProtocolFeature.STATUS):
            self.status = 0
            self.frontend.set_status(0)
        elif self.frontend.has(ProtocolFeature.RESET_DEVICE):
            self.frontend.reset_device()
        else:
            self.stop_queues()
        if not self.frontend.has(ProtocolFeature.REPLY_ACK):
            self.frontend.sync()

    # --- for the steps ------------------------------------------------------------------------

    @property
    def has_protocol_features(self) -> bool:
        """Whether the back-end offers protocol features, and the host wants them."""
        wanted = self.config.protocol_features
        return bool(wanted and self.offered & bit(Feature.PROTOCOL_FEATURES))

    def add_status(self, status: Status) -> None:
        """Set one more bit of the device status; nothing happens without STATUS."""
        if self.frontend.has(ProtocolFeature.STATUS):
            self.status |= status
            self.frontend.set_status(self.status)

    def vring_addr(self, queue: Queue) -> VringAddr:
        """Where a ring lies, as SET_VRING_ADDR states it."""
        places, user = queue.ring.places, self.memory.user_addr_of
        return VringAddr(
            queue.number, 0, user(places.desc), user(places.used), user(places.avail), 0
        )

    # --- events -------------------------------------------------------------------------------

    def wait(self, timeout: float) -> bool:
        """Wait for a notification or for anything on the socket, ``timeout`` seconds at the most.

        Returns True when there was a notification. ``frontend.closed`` tells of the peer's end.
        """
        called = False
        for fd, _ in self._epoll.poll(max(0.0, timeout)):
            if fd == self.frontend.sock.fileno():
                if self.frontend.notice() is not None:
                    self._epoll.unregister(fd)
                continue
            for queue in self.queues:
                if fd == queue.caller.fd:
                    called = queue.take_calls() > 0 or called
                elif fd == queue.error.fd:
                    queue.error.take()
                    self.log.record(Kind.VRING_ERROR, queue.number, None, "no error", "an error")
        return called

    def check_calls(self, timeout: float) -> None:
        """See that each queue has called since the last time, if buffers came back over it.

        A notification may be late by ``timeout`` seconds; one that is missing is an anomaly. That
        there were too few of them cannot be told: one may stand for any number of buffers.
        """
        for queue in self.queues:
            if queue.owed_call and not queue.take_calls():
                deadline = time.monotonic() + timeout
                while queue.owed_call and (left := deadline - time.monotonic()) > 0:
                    self.wait(left)
                    if self.frontend.closed is not None:
                        return
                if queue.owed_call:
                    seen = f"{queue.ring.collected} used entries and no notification"
                    self.log.record(Kind.CALL_MISSING, queue.number, None, "one at least", seen)
            queue.forget_calls()

    def check_peer(self) -> None:
        """Raise PeerClosed when the connection is known to have ended."""
        if self.frontend.closed is not None:
            raise PeerClosed(self.frontend.closed)

    def extent(self, region: int) -> tuple[int, int]:
        """Guest-physical address and size of a region."""
        return self._extents[region]

    @property
    def _protocol_bit(self) -> int:
        return bit(Feature.PROTOCOL_FEATURES) if self.has_protocol_features else 0

    def _drop_queues(self, release: bool) -> None:
        for queue in self.queues:
            if release:
                self._epoll.unregister(queue.caller.fd)
                self._epoll.unregister(queue.error.fd)
                queue.ring.close()
            queue.close()
        self.queues.clear()
