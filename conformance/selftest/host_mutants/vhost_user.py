# SPDX-License-Identifier: BSD-2-Clause
"""Mistakes on the vhost-user socket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from host_mutants.table import Stage, must, should

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.config import PROTOCOL_FEATURES
from rpmsg_conformance.virtio.constants import ProtocolFeature, Request, Status, bit
from rpmsg_conformance.virtio.errors import PeerClosed, Refused
from rpmsg_conformance.virtio.frontend import FrontEnd
from rpmsg_conformance.virtio.messages import MemoryRegion, VringAddr

_EVERYTHING = (
    PROTOCOL_FEATURES | bit(ProtocolFeature.CONFIGURE_MEM_SLOTS) | bit(ProtocolFeature.LOG_SHMFD)
)

#: A profile with a configuration space.
_WITH_CONFIG = ("--profile", "linux-bufsz")


@contextmanager
def _negotiated(stage: Stage, protocol_features: int = _EVERYTHING) -> Iterator[FrontEnd]:
    """A connection that has negotiated its protocol, and nothing else."""
    frontend = FrontEnd.connect(stage.socket)
    try:
        frontend.set_owner()
        frontend.get_features()
        offered = frontend.get_protocol_features()
        frontend.set_protocol_features(offered & protocol_features)
        yield frontend
        if frontend.closed is None:
            frontend.sync()
    finally:
        frontend.close()


@contextmanager
def _memfd(size: int) -> Iterator[int]:
    fd = os.memfd_create("host-mutant", os.MFD_CLOEXEC)
    try:
        os.ftruncate(fd, size)
        yield fd
    finally:
        os.close(fd)


def _refused(request: Callable[[], None]) -> None:
    """The request is answered with a refusal: without that the checker alone would know."""
    try:
        request()
    except Refused:
        return
    raise AssertionError("the request was not refused")


@must("vu-short-message", "VU-001")
def cut_message(stage: Stage) -> None:
    """The connection ends in the middle of a payload."""
    with _negotiated(stage) as frontend:
        frontend.sync()
        whole = m.encode_message(Request.SET_FEATURES, m.U64.pack(0))
        frontend.send_raw(whole[:-3])
        frontend.sock.shutdown(1)
        try:
            frontend.receive()
        except PeerClosed:
            return
        raise AssertionError("half a message was answered")


@must("vu-payload-size", "VU-002")
def short_payload(stage: Stage) -> None:
    """SET_FEATURES carries 4 bytes."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.tell(Request.SET_FEATURES, bytes(4)))


@must("vu-version", "VU-003")
def other_version(stage: Stage) -> None:
    """A message is of version 2."""
    with _negotiated(stage) as frontend:
        frontend.send(Request.GET_FEATURES, flags=2)
        try:
            frontend.receive()
        except PeerClosed:
            return
        raise AssertionError("a message of version 2 was answered")


@must("vu-unknown-request", "VU-004")
def unknown_request(stage: Stage) -> None:
    """Request 4242 is sent."""
    with _negotiated(stage) as frontend:
        frontend.send(4242, bytes(8))


@must("vu-fd-count", "VU-005")
def missing_descriptor(stage: Stage) -> None:
    """SET_VRING_KICK announces a descriptor that does not come."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.tell(Request.SET_VRING_KICK, m.U64.pack(0)))


@must("vu-queue-index", "VU-006")
def third_queue(stage: Stage) -> None:
    """The size of queue 2 is set."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.set_vring_num(c.QUEUES, 256))


@must("vu-queue-size", "VU-007")
def odd_ring_size(stage: Stage) -> None:
    """A ring is to have 3 entries."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.set_vring_num(0, 3))


@must("vu-queue-base", "VU-008")
def long_base(stage: Stage) -> None:
    """A ring is to start from index 65536."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.set_vring_base(0, 65536))


@must("vu-ring-address", "VU-009")
def odd_ring_address(stage: Stage) -> None:
    """A descriptor table lies at an odd address."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.set_vring_addr(VringAddr(0, 0, 0x1001, 0x3000, 0x2000, 0)))


@must("vu-features", "VU-010")
def feature_not_offered(stage: Stage) -> None:
    """RING_PACKED is taken, which was not offered."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.set_features(bit(c.Feature.RING_PACKED)))


@must("vu-protocol-features", "VU-011")
def protocol_feature_not_offered(stage: Stage) -> None:
    """The protocol feature CRYPTO_SESSION is taken, which was not offered."""
    with _negotiated(stage) as frontend:
        payload = m.U64.pack(_EVERYTHING | bit(ProtocolFeature.CRYPTO_SESSION))
        _refused(lambda: frontend.tell(Request.SET_PROTOCOL_FEATURES, payload))


@must("vu-mem-region", "VU-012")
def empty_region(stage: Stage) -> None:
    """A memory region has no size."""
    with _negotiated(stage) as frontend, _memfd(4096) as fd:
        _refused(lambda: frontend.set_mem_table([MemoryRegion(0, 0, 0x10000, 0)], [fd]))


@must("vu-mem-count", "VU-013")
def nine_regions(stage: Stage) -> None:
    """A memory table states 9 regions."""
    with _negotiated(stage) as frontend:
        table = m.encode_mem_table([MemoryRegion(0, 4096, 0x10000, 0)], count=c.MAX_REGIONS + 1)
        _refused(lambda: frontend.tell(Request.SET_MEM_TABLE, table))


@must("vu-mem-fd", "VU-014")
def short_file(stage: Stage) -> None:
    """The file behind a memory region is shorter than the region."""
    with _negotiated(stage) as frontend, _memfd(4096) as fd:
        _refused(lambda: frontend.set_mem_table([MemoryRegion(0, 8192, 0x10000, 0)], [fd]))


@must("vu-mem-unknown", "VU-015")
def removes_nothing(stage: Stage) -> None:
    """A region is removed that was never added."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.rem_mem_reg(MemoryRegion(0, 4096, 0x10000, 0)))


@must("vu-config", "VU-016", options=_WITH_CONFIG)
def config_beyond_its_end(stage: Stage) -> None:
    """Bytes behind the configuration space are read."""
    with _negotiated(stage) as frontend:
        assert frontend.get_config(200, 4) == b""


@must("vu-not-negotiated", "VU-017")
def status_not_negotiated(stage: Stage) -> None:
    """GET_STATUS is sent without STATUS."""
    without = _EVERYTHING & ~bit(ProtocolFeature.STATUS)
    with _negotiated(stage, without) as frontend:
        frontend.send(Request.GET_STATUS)
        frontend.receive()


@should("vu-status", "VU-018")
def impossible_status(stage: Stage) -> None:
    """The device status gets a bit that does not exist."""
    with _negotiated(stage) as frontend:
        _refused(lambda: frontend.set_status(Status.ACKNOWLEDGE | 0x20))


@must("vu-out-of-order", "VU-019")
def two_owners(stage: Stage) -> None:
    """SET_OWNER is sent twice."""
    with _negotiated(stage) as frontend:
        _refused(frontend.set_owner)


@must("vu-not-eventfd", "VU-020")
def file_for_an_eventfd(stage: Stage) -> None:
    """The kick descriptor is a file."""
    with _negotiated(stage) as frontend, _memfd(4096) as fd:
        _refused(lambda: frontend.set_vring_kick(0, fd))


@must("vu-log", "VU-021")
def short_log(stage: Stage) -> None:
    """The dirty log is too small for the memory that was shared."""
    with _negotiated(stage) as frontend, _memfd(1 << 20) as fd:
        frontend.set_mem_table([MemoryRegion(0, 1 << 20, 0x10000, 0)], [fd])
        frontend.set_log_base(1, 0, fd)


@should("vu-reply-flag", "VU-022")
def reply_flag(stage: Stage) -> None:
    """A request says that it is a reply."""
    with _negotiated(stage) as frontend:
        frontend.send(Request.SET_VRING_BASE, bytes(8), flags=c.VERSION | c.REPLY)


@must("vu-value", "VU-023")
def enables_twice_as_much(stage: Stage) -> None:
    """SET_VRING_ENABLE says 2."""
    with _negotiated(stage) as frontend:
        state = m.VringState(0, 2).encode()
        _refused(lambda: frontend.tell(Request.SET_VRING_ENABLE, state))
