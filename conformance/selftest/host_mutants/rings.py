# SPDX-License-Identifier: BSD-2-Clause
"""Mistakes in the rings: descriptors, indices, kicks, and the order in which a host starts."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from host_mutants.table import Stage, must, should

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.codec import encode_packet
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.constants import DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, Feature
from rpmsg_conformance.virtio.host import LOCAL_ADDR, Host
from rpmsg_conformance.virtio.memory import RegionSpec
from rpmsg_conformance.virtio.ring_raw import RawDesc, RawRing

_INDIRECT = Config().with_features(Feature.RING_INDIRECT_DESC)


class _Sender:
    """A running host with a whole message in its memory, and the raw half of its send ring."""

    def __init__(self, stage: Stage, config: Config | None = None) -> None:
        self.host = stage.running(config)
        self.raw = RawRing.of(self.host.output.ring)
        data = encode_packet(LOCAL_ADDR, stage.echo, b"an odd way to send this", self.host.order)
        self.size = len(data)
        self.message = self.host.session.allocator.allocate(4096)
        self.host.session.memory.write(self.message, data)
        #: Room for an indirect table.
        self.table = self.host.session.allocator.allocate(4096, 16)

    def offer(self, *descriptors: RawDesc) -> Host:
        """Write descriptors from number 0 on, and make 0 available."""
        for number, descriptor in enumerate(descriptors):
            self.raw.write_desc(number, *descriptor)
        self.raw.offer(0)
        self.host.output.kick()
        return self.host

    def offer_table(self, *descriptors: RawDesc, size: int | None = None, flags: int = 0) -> Host:
        """The same through an indirect table. ``size`` overrides its length in bytes."""
        self.raw.write_table(self.table, list(descriptors))
        length = c.DESC_SIZE * len(descriptors) if size is None else size
        return self.offer(RawDesc(self.table, length, DESC_F_INDIRECT | flags))


@should("vq-avail-jump", "VQ-001")
def index_jumps(stage: Stage) -> Host:
    """avail.idx moves by more than the ring has entries."""
    sender = _Sender(stage)
    sender.raw.avail_index += 300
    sender.host.output.kick()
    return sender.host


@must("vq-head-range", "VQ-002")
def head_beyond_the_table(stage: Stage) -> Host:
    """The available ring names descriptor 300 of 256."""
    sender = _Sender(stage)
    sender.raw.offer(300)
    sender.host.output.kick()
    return sender.host


@must("vq-next-range", "VQ-003")
def next_beyond_the_table(stage: Stage) -> Host:
    """next names descriptor 300 of 256."""
    sender = _Sender(stage)
    return sender.offer(RawDesc(sender.message, sender.size, DESC_F_NEXT, 300))


@must("vq-loop", "VQ-004")
def endless_chain(stage: Stage) -> Host:
    """A chain leads back to its own head."""
    sender = _Sender(stage)
    return sender.offer(
        RawDesc(sender.message, sender.size, DESC_F_NEXT, 1),
        RawDesc(sender.message, sender.size, DESC_F_NEXT, 0),
    )


@must("vq-address", "VQ-005")
def outside_of_memory(stage: Stage) -> Host:
    """A descriptor points outside of guest memory."""
    return _Sender(stage).offer(RawDesc(0x10, 100))


@must("vq-order", "VQ-006")
def readable_after_writable(stage: Stage) -> Host:
    """A device-readable descriptor follows a device-writable one."""
    sender = _Sender(stage)
    return sender.offer(
        RawDesc(sender.message + 2048, 64, DESC_F_WRITE | DESC_F_NEXT, 1),
        RawDesc(sender.message, sender.size),
    )


@must("vq-indirect-not-negotiated", "VQ-007")
def indirect_not_negotiated(stage: Stage) -> Host:
    """An indirect table is used without RING_INDIRECT_DESC."""
    sender = _Sender(stage)
    return sender.offer_table(RawDesc(sender.message, sender.size))


@must("vq-indirect-size", "VQ-008")
def indirect_of_17_bytes(stage: Stage) -> Host:
    """An indirect table has 17 bytes."""
    sender = _Sender(stage, _INDIRECT)
    return sender.offer_table(RawDesc(sender.message, sender.size), size=17)


@must("vq-indirect-nested", "VQ-009")
def indirect_in_indirect(stage: Stage) -> Host:
    """An indirect table refers to another."""
    sender = _Sender(stage, _INDIRECT)
    return sender.offer_table(RawDesc(sender.table, 16, DESC_F_INDIRECT))


@must("vq-indirect-next", "VQ-010")
def indirect_and_next(stage: Stage) -> Host:
    """A descriptor has INDIRECT and NEXT."""
    sender = _Sender(stage, _INDIRECT)
    return sender.offer_table(RawDesc(sender.message, sender.size), flags=DESC_F_NEXT)


@must("vq-inflight", "VQ-011")
def offered_twice(stage: Stage) -> Host:
    """A descriptor is made available while the device has it."""
    sender = _Sender(stage)
    stage.control.hold(c.QUEUE_OUTPUT)
    sender.offer(RawDesc(sender.message, sender.size))
    sender.host.receive(src=stage.echo)
    sender.raw.offer(0)
    sender.host.output.kick()
    stage.control.wait_event("violation")
    stage.control.release(c.QUEUE_OUTPUT)
    return sender.host


@should("vq-total-length", "VQ-012")
def six_gigabytes(stage: Stage) -> Host:
    """A chain describes 6 GiB, all of it guest memory."""
    half = 1 << 31
    config = Config(regions=(RegionSpec(0x4000_0000, 0), RegionSpec(0x1_0000_0000, half)))
    sender = _Sender(stage, config)
    return sender.offer(
        RawDesc(0x1_0000_0000, half, DESC_F_NEXT, 1),
        RawDesc(0x1_0000_0000, half, DESC_F_NEXT, 2),
        RawDesc(0x1_0000_0000, half),
    )


@must("vq-ring-memory", "VQ-013")
def memory_goes(stage: Stage) -> Host:
    """The memory table is replaced by one without the rings, which are in use."""
    host = stage.running()
    region = host.session.memory.add(RegionSpec(0x9000_0000, 1 << 20))
    host.session.frontend.set_mem_table([region.message], [region.fd])
    return host


@should("vq-kick-unasked", "VQ-028")
def kicks_without_end(stage: Stage) -> Host:
    """The device is kicked 50 times at once, though with EVENT_IDX it asked for one kick."""
    host = stage.running(Config().with_features(Feature.RING_EVENT_IDX))
    # In one piece: each kick that finds the device asleep lets it ask for another.
    os.write(host.output.kicker.fd, (50).to_bytes(8, sys.byteorder))
    return host


@must("lc-output-early", "LC-002")
def sends_too_early(stage: Stage) -> Host:
    """A message is on queue 1 before DRIVER_OK."""
    host = Host(stage.socket)
    host.session.start()
    host.prepare()
    host.send(LOCAL_ADDR, stage.echo, b"early", kick=False)
    host.output.ring.publish()
    host.go()
    return host


@should("lc-input-late", "LC-001")
def receives_too_late(stage: Stage) -> Host:
    """There is no receive buffer at DRIVER_OK."""
    host = Host(stage.socket, replace(Config(), ring_sizes=(4, 4)))
    host.session.start()
    host.session.driver_ok()
    host.session.frontend.sync()
    host.prepare()
    host.input.kick()
    return host
