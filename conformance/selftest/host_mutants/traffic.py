# SPDX-License-Identifier: BSD-2-Clause
"""Mistakes in messages, in the name service, and in the buffers of both queues."""

from __future__ import annotations

from host_mutants.table import Stage, must, should

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.codec import encode_ns
from rpmsg_conformance.virtio.config import BASIC_FEATURES, Config, Layout
from rpmsg_conformance.virtio.constants import DESC_F_NEXT, DESC_F_WRITE, bit
from rpmsg_conformance.virtio.host import LOCAL_ADDR, Host
from rpmsg_conformance.virtio.ring import Segment
from rpmsg_conformance.virtio.ring_raw import RawDesc, RawRing

#: Feature bit of Linux by which both sides agree on the sizes of buffers.
_F_BUFSZ = 1

_AGREED = Config(features=BASIC_FEATURES | bit(_F_BUFSZ), required=bit(_F_BUFSZ))
_BUFSZ = ("--profile", "linux-bufsz")


# --- messages ---------------------------------------------------------------------------------


@must("hd-short", "HD-010")
def fifteen_bytes(stage: Stage) -> Host:
    """A message has 15 bytes."""
    host = stage.running()
    host.send_bytes(bytes(15))
    return host


@must("hd-len", "HD-003")
def long_length(stage: Stage) -> Host:
    """The header states more bytes than there are."""
    host = stage.running()
    host.send(LOCAL_ADDR, stage.echo, b"four", length=5)
    return host


@must("hd-src-any", "HD-005")
def from_anyone(stage: Stage) -> Host:
    """A message comes from address ANY."""
    host = stage.running()
    host.send(c.ADDR_ANY, stage.echo, b"x")
    return host


@must("hd-dst-any", "HD-006")
def to_anyone(stage: Stage) -> Host:
    """A message goes to address ANY."""
    host = stage.running()
    host.send(LOCAL_ADDR, c.ADDR_ANY, b"x")
    return host


@should("hd-reserved", "HD-007")
def reserved_used(stage: Stage) -> Host:
    """The reserved field is 1."""
    host = stage.running()
    host.send(LOCAL_ADDR, stage.echo, b"x", reserved=1)
    return host


@should("hd-flags", "HD-008")
def flags_used(stage: Stage) -> Host:
    """The flags field is 0x8000."""
    host = stage.running()
    host.send(LOCAL_ADDR, stage.echo, b"x", flags=0x8000)
    return host


# --- name service -----------------------------------------------------------------------------


@must("ns-length", "NS-003")
def announcement_cut(stage: Stage) -> Host:
    """A name-service message has 39 bytes."""
    host = stage.running()
    host.send(LOCAL_ADDR, c.ADDR_NS, encode_ns("mutant", LOCAL_ADDR)[:39])
    return host


@must("ns-unterminated", "NS-004")
def name_without_end(stage: Stage) -> Host:
    """A name fills all its 32 bytes."""
    host = stage.running()
    host.announce(b"n" * 32, LOCAL_ADDR)
    return host


@should("ns-padding", "NS-005")
def bytes_behind_the_name(stage: Stage) -> Host:
    """Something stands behind the NUL of a name."""
    host = stage.running()
    host.announce(b"mutant\0rest", LOCAL_ADDR)
    return host


@should("ns-flags", "NS-006")
def unknown_ns_flag(stage: Stage) -> Host:
    """An announcement has flag 0x80."""
    host = stage.running()
    host.announce("mutant", LOCAL_ADDR, flags=0x80)
    return host


@must("ns-not-negotiated", "NS-007")
def announces_unasked(stage: Stage) -> Host:
    """A channel is announced without F_NS."""
    host = stage.running(Config(features=bit(c.Feature.VERSION_1)))
    host.announce("mutant", LOCAL_ADDR)
    return host


@should("ns-source", "NS-021")
def announces_another(stage: Stage) -> Host:
    """An announcement comes from another endpoint than the one that it names."""
    host = stage.running()
    host.send(LOCAL_ADDR + 1, c.ADDR_NS, encode_ns("mutant", LOCAL_ADDR))
    return host


@should("ns-addr-any", "NS-018")
def announces_anyone(stage: Stage) -> Host:
    """The announced address is ANY."""
    host = stage.running()
    host.send(LOCAL_ADDR, c.ADDR_NS, encode_ns("mutant", c.ADDR_ANY))
    return host


@should("ns-duplicate", "NS-019")
def announces_twice(stage: Stage) -> Host:
    """A channel is announced twice."""
    host = stage.running()
    host.announce("mutant", LOCAL_ADDR)
    host.announce("mutant", LOCAL_ADDR)
    return host


@should("ns-unknown", "NS-019")
def withdraws_nothing(stage: Stage) -> Host:
    """A channel is withdrawn that was never announced."""
    host = stage.running()
    host.announce("mutant", LOCAL_ADDR, flags=c.NS_DESTROY)
    return host


# --- buffers ----------------------------------------------------------------------------------


def _post(stage: Stage, *segments: Segment) -> Host:
    """Send 100 bytes, laid out in segments whose addresses count from the message's first byte."""
    host = stage.running()
    area = host.session.allocator.allocate(4096)
    message = (LOCAL_ADDR).to_bytes(4, "little") + stage.echo.to_bytes(4, "little")
    host.session.memory.write(area, message + bytes(4) + (84).to_bytes(2, "little") + bytes(86))
    host.post([s._replace(address=area + s.address) for s in segments])
    return host


@must("bf-tx-writable", "BF-010")
def writable_send_buffer(stage: Stage) -> Host:
    """The device may write to a part of a send buffer."""
    return _post(stage, Segment(0, 100), Segment(1024, 64, True))


@should("bf-tx-chain", "BF-010")
def send_buffer_in_pieces(stage: Stage) -> Host:
    """A message is in two descriptors."""
    return _post(stage, Segment(0, 16), Segment(16, 84))


@must("bf-tx-size", "BF-007", options=_BUFSZ)
def send_buffer_above_the_agreed_size(stage: Stage) -> Host:
    """A send buffer is larger than what F_BUFSZ agreed on."""
    host = stage.running(_AGREED)
    host.send(LOCAL_ADDR, stage.echo, b"x", layout=Layout(desc_len=65536))
    return host


def _second_receive_buffer(stage: Stage, *descriptors: RawDesc) -> Host:
    """A host whose second receive buffer is laid out as told, and which has got an echo there.

    Addresses count from the buffer's first byte. The first one, in order, is what the others are
    measured by; the announcement takes it.
    """
    host = Host(stage.socket, Config(ring_sizes=(16, 16), buffers=(8, 8)))
    host.session.start()
    host.prepare()
    raw = RawRing.of(host.input.ring)
    buffer = raw.read_desc(1).address
    for number, descriptor in zip((1, 9), descriptors, strict=False):
        raw.write_desc(number, buffer + descriptor.address, *descriptor[1:])
    host.go()
    host.wait_for_channel("echo", stage.echo)
    host.send(LOCAL_ADDR, stage.echo, b"x")
    return host


@should("bf-rx-readable", "BF-011")
def readable_receive_buffer(stage: Stage) -> Host:
    """A receive buffer has a device-readable part."""
    return _second_receive_buffer(
        stage, RawDesc(0, 16, DESC_F_NEXT, 9), RawDesc(0, c.BUFFER_SIZE, DESC_F_WRITE)
    )


@must("bf-rx-small", "BF-012")
def tiny_receive_buffer(stage: Stage) -> Host:
    """A receive buffer has 8 bytes."""
    return _second_receive_buffer(stage, RawDesc(0, 8, DESC_F_WRITE))


@should("bf-rx-chain", "BF-011")
def receive_buffer_in_pieces(stage: Stage) -> Host:
    """A receive buffer is in two descriptors."""
    half = c.BUFFER_SIZE // 2
    return _second_receive_buffer(
        stage, RawDesc(0, half, DESC_F_WRITE | DESC_F_NEXT, 9), RawDesc(half, half, DESC_F_WRITE)
    )


@should("bf-rx-size", "BF-011")
def receive_buffer_of_another_size(stage: Stage) -> Host:
    """A receive buffer is smaller than the first one."""
    return _second_receive_buffer(stage, RawDesc(0, 256, DESC_F_WRITE))


@must("bf-rx-agreed-size", "BF-007", options=_BUFSZ)
def receive_buffer_below_the_agreed_size(stage: Stage) -> Host:
    """The first receive buffer is smaller than what F_BUFSZ agreed on."""
    host = Host(stage.socket, _AGREED)
    host.session.start()
    host.prepare()
    raw = RawRing.of(host.input.ring)
    buffer = raw.read_desc(0)
    raw.write_desc(0, buffer.address, buffer.length // 2, DESC_F_WRITE)
    host.go()
    return host
