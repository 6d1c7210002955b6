#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small remote in Python: what the conformance suite is tested against, right and wrong.

    python3 remote.py SOCKET [--mutant NAME]

A vhost-user back-end with the two rings of rpmsg, a service that echoes and one that swallows. It
shares nothing with sim/ and nothing with the host that the suite plays. With --mutant it breaks one
requirement; table.py says which.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import stat
import struct
import sys
from collections.abc import Callable
from pathlib import Path

# Started as a program, it finds its modules as the self-tests do.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutants.chosen import choose, die, mutant
from mutants.device_ring import Broken, DeviceRing
from mutants.memory import DirtyLog, Memory, Outside, Refused, Region, open_region, overlap
from mutants.messages import Endpoints
from mutants.table import MUTANTS

# Feature bits: name service, buffer sizes, indirect, event index, protocol features, version 1.
NS, BUFSZ, INDIRECT, EVENT_IDX, PROTOCOL, VERSION_1 = 1, 2, 1 << 28, 1 << 29, 1 << 30, 1 << 32
#: All writes to memory are logged.
LOG_ALL = 1 << 26
MQ, REPLY_ACK, CONFIG, RESET_DEVICE, SLOTS, STATUS = 1, 1 << 3, 1 << 9, 1 << 13, 1 << 15, 1 << 16
LOG_SHMFD = 1 << 1
PROTOCOL_FEATURES = MQ | LOG_SHMFD | REPLY_ACK | CONFIG | RESET_DEVICE | SLOTS | STATUS
DRIVER_OK, NEEDS_RESET = 4, 64
KNOWN_STATUS = 1 | 2 | 4 | 8 | 64 | 128
MAX_SLOTS = 16
LONGEST = 2048
CONFIGURATION = struct.pack("<BHII", 1, 11, 512, 512)

_MESSAGE = struct.Struct("=III")
_U64 = struct.Struct("=Q")
_LOG = struct.Struct("=QQ")
_STATE = struct.Struct("=II")
_ADDRESS = struct.Struct("=IIQQQQ")
_REGION = struct.Struct("=QQQQ")
_CONFIG = struct.Struct("=III")

_ALL = (1 << 64) - 1

#: Requests with a reply of their own.
ANSWERED = {1, 11, 15, 17, 24, 36, 40}

#: Requests that carry descriptors.
WITH_FDS = {5, 6, 12, 13, 14, 37, 38}


class Closed(Exception):
    """The connection is over."""


def offered() -> int:
    """The feature bits."""
    features = NS | BUFSZ | LOG_ALL | INDIRECT | EVENT_IDX | PROTOCOL | VERSION_1
    if mutant("ns-not-offered"):
        features &= ~NS
    if mutant("ft-no-version-1"):
        features &= ~VERSION_1
    if mutant("ft-no-event-idx"):
        features &= ~EVENT_IDX
    return features


class Connection:
    """One front-end. ``status`` is what an earlier one has left, 0 from a correct remote."""

    def __init__(self, sock: socket.socket, status: int) -> None:
        self.sock = sock
        self.memory = Memory()
        self.protocol = self.features = 0
        self.owned = False
        self.status = status
        self.driver_ok = False
        self.resets = 0
        self.cut = False
        self.configured = 0
        self.old: DeviceRing | None = None
        self.rings = [DeviceRing(number, self.memory) for number in (0, 1)]
        self.endpoints = self._endpoints()
        self.requests: dict[int, Callable[[bytes, list[int]], bytes | None]] = {
            1: self.get_features, 2: self.set_features, 3: self.set_owner, 4: self.nothing,
            5: self.set_mem_table, 6: self.set_log, 8: self.set_num, 9: self.set_addr, 10: self.set_base,
            11: self.get_base, 12: self.set_kick, 13: self.set_call, 14: self.set_err,
            15: self.get_protocol, 16: self.set_protocol, 17: self.get_queues,
            18: self.set_enable, 24: self.get_config, 25: self.set_config,
            34: self.reset_device, 36: self.get_slots, 37: self.add_region,
            38: self.remove_region, 39: self.set_status, 40: self.get_status,
        }

    def _endpoints(self) -> Endpoints:
        return Endpoints(self.memory, self.rings[0], self.rings[1], self.resets)

    # --- the loop -----------------------------------------------------------------------------

    def serve(self) -> None:
        """Until the front-end leaves. Raises Closed."""
        busy = False
        while True:
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            kicks = {ring.kick: ring for ring in self.rings if ring.kick is not None}
            for fd in kicks:
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll(0 if busy else None):
                if fd in kicks:
                    try:
                        self.kicked(kicks[fd], int.from_bytes(os.read(fd, 8), "little"))
                    except OSError:
                        pass
                else:
                    self.message()
            busy = self.work()

    def kicked(self, ring: DeviceRing, count: int) -> None:
        """Count kicks, for a remote that takes offence at them."""
        if ring.runs and ring.available_or_0() == 0:
            ring.empty_kicks += count
        else:
            ring.empty_kicks = 0
        if mutant("vq-empty-kicks-break") and ring.empty_kicks >= 30:
            ring.break_down()

    @property
    def ready(self) -> bool:
        """Whether the driver lets the device go."""
        return self.driver_ok or not self.protocol & STATUS or mutant("lc-early")

    def work(self) -> bool:
        """A bounded amount of it; whether there is more."""
        if not self.ready:
            return False
        receive, send = self.rings
        endpoints = self.endpoints
        try:
            if receive.runs and not endpoints.announced:
                if self.features & NS or mutant("ns-unasked") or mutant("ns-not-offered"):
                    endpoints.announce()
            for count in range(64):
                if mutant("vq-sleeps-too-soon") and count == 5 and send.taken > 400:
                    send.tell_next()
                    return False
                if not endpoints.work():
                    more = False
                    for ring in (send, receive):
                        if ring.runs:
                            endpoints.at = ring
                            new = ring.tell_next()
                            more = more or new and ring is send and not endpoints.waiting
                    return more
        except (Broken, Outside):
            self.broke()
            return True
        return True

    def broke(self) -> None:
        """Stop the queue that cannot be followed: the one that was being looked at."""
        self.endpoints.at.break_down()
        self.status |= NEEDS_RESET

    # --- messages -----------------------------------------------------------------------------

    def message(self) -> None:
        """Take and answer one. Raises Closed."""
        data = b""
        fds: list[int] = []
        try:
            while len(data) < _MESSAGE.size:
                part, ancillary, _, _ = self.sock.recvmsg(
                    _MESSAGE.size - len(data), socket.CMSG_SPACE(64)
                )
                for level, kind, body in ancillary:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        fds += struct.unpack(f"={len(body) // 4}i", body[: len(body) // 4 * 4])
                if not part:
                    self.cut = bool(data)
                    raise Closed
                data += part
            request, flags, size = _MESSAGE.unpack(data)
            if size > LONGEST:
                if mutant("vu-random-bytes-die") and flags & 3 != 1:
                    die("a size beyond reason")
                raise Closed
            payload = b""
            while len(payload) < size:
                part = self.sock.recv(size - len(payload))
                if not part:
                    raise Closed
                payload += part
            self.answer(request, flags, payload, fds)
        except OSError as error:
            raise Closed from error
        finally:
            for fd in fds:
                os.close(fd)

    def answer(self, request: int, flags: int, payload: bytes, fds: list[int]) -> None:
        """Carry a request out, and reply. What is taken from ``fds`` is closed by its new owner."""
        wrong_version = flags & 3 != 1
        if wrong_version and not mutant("vu-version-unchecked"):
            raise Closed
        code = 0
        reply: bytes | None = None
        try:
            if flags & ~0xB and not (wrong_version and mutant("vu-version-unchecked")):
                if not mutant("vu-odd-flags-accepted"):
                    raise Refused("flags")
            elif wrong_version:
                pass
            else:
                act = self.requests.get(request)
                if act is None:
                    if not mutant("vu-unknown-accepted"):
                        raise Refused(f"request {request}")
                else:
                    if fds and request not in WITH_FDS:
                        if mutant("vu-descriptors-leak"):
                            fds.pop()
                        raise Refused("descriptors")
                    reply = act(payload, fds)
        except (Refused, struct.error):
            code = 1
        if request in ANSWERED:
            self.send(request, reply if reply is not None else b"")
        elif flags & 8 and self.protocol & REPLY_ACK or request == 6 and self.protocol & LOG_SHMFD:
            self.send(request, _U64.pack(code))
            if mutant("vu-two-replies") and request == 14 and _U64.unpack(payload)[0] & 0x100:
                self.send(request, _U64.pack(code))

    def send(self, request: int, payload: bytes) -> None:
        """A reply."""
        self.sock.sendall(_MESSAGE.pack(request, 5, len(payload)) + payload)

    def need(self, feature: int) -> None:
        """Raises Refused when a protocol feature was not negotiated."""
        if not self.protocol & feature:
            raise Refused("a protocol feature that was not negotiated")

    def empty(self, payload: bytes) -> None:
        """Raises Refused when there is a payload."""
        if payload:
            raise Refused("a payload that does not belong there")

    def u64(self, payload: bytes) -> int:
        """A payload of one number."""
        return int(_U64.unpack(payload)[0])

    def ring(self, number: int) -> DeviceRing:
        """A queue. Raises Refused."""
        if number >= len(self.rings):
            raise Refused(f"queue {number}")
        return self.rings[number]

    def stopped(self, ring: DeviceRing) -> DeviceRing:
        """The queue, if it does not run. Raises Refused."""
        if ring.started:
            raise Refused("the queue runs")
        return ring

    # --- requests -----------------------------------------------------------------------------

    def nothing(self, payload: bytes, fds: list[int]) -> None:
        """RESET_OWNER: deprecated, and without effect."""
        self.empty(payload)

    def get_features(self, payload: bytes, fds: list[int]) -> bytes:
        """GET_FEATURES."""
        self.empty(payload)
        if self.old is not None and self.old.desc is not None:
            if mutant("lc-writes-after-reset"):
                self.old.used.put16(2, self.old.used_index + 1)
            self.old = None
        return _U64.pack(offered())

    def set_features(self, payload: bytes, fds: list[int]) -> None:
        """SET_FEATURES."""
        value = self.u64(payload)
        beyond = value & ~offered()
        if mutant("ft-all-accepted") and value == _ALL:
            return
        if beyond and not mutant("vu-features-unchecked"):
            raise Refused("features that were not offered")
        # The log is switched while the device runs.
        if any(ring.started for ring in self.rings) and (value ^ self.features) & ~LOG_ALL:
            raise Refused("the device runs")
        self.features = value
        self.memory.logging = bool(value & LOG_ALL)
        for ring in self.rings:
            ring.event_idx = bool(value & EVENT_IDX)
            ring.indirect = bool(value & INDIRECT)
            if not value & PROTOCOL:
                ring.enabled = True

    def set_owner(self, payload: bytes, fds: list[int]) -> None:
        """SET_OWNER."""
        self.empty(payload)
        if self.owned:
            raise Refused("there is an owner")
        self.owned = True

    def get_protocol(self, payload: bytes, fds: list[int]) -> bytes:
        """GET_PROTOCOL_FEATURES."""
        self.empty(payload)
        return _U64.pack(PROTOCOL_FEATURES)

    def set_protocol(self, payload: bytes, fds: list[int]) -> None:
        """SET_PROTOCOL_FEATURES."""
        value = self.u64(payload)
        if value & ~PROTOCOL_FEATURES and not mutant("vu-protocol-unchecked"):
            raise Refused("protocol features that were not offered")
        if any(ring.started for ring in self.rings):
            raise Refused("the device runs")
        self.protocol = value & PROTOCOL_FEATURES

    def get_queues(self, payload: bytes, fds: list[int]) -> bytes:
        """GET_QUEUE_NUM."""
        self.empty(payload)
        return _U64.pack(1 if mutant("ft-one-queue") else 2)

    def replace(self, regions: list[Region]) -> None:
        """Use these regions from now on, and find the rings in them again."""
        if overlap(regions) and not mutant("vu-overlap-accepted"):
            raise Refused("regions overlap")
        self.memory.regions[:] = regions
        for ring in self.rings:
            if ring.addresses is None:
                continue
            try:
                ring.place(*ring.addresses)
            except Refused:
                ring.desc = None
                if ring.started:
                    ring.break_down()

    def set_mem_table(self, payload: bytes, fds: list[int]) -> None:
        """SET_MEM_TABLE."""
        count, _ = _STATE.unpack_from(payload)
        if count > 8 and mutant("vu-many-regions-accepted"):
            return
        if count > 8 or len(payload) != 8 + 32 * count or len(fds) != count:
            raise Refused("a table of wrong size")
        if mutant("vq-memory-kept") and any(ring.started for ring in self.rings):
            return
        entries: list[tuple[int, int, int, int]] = [
            _REGION.unpack_from(payload, 8 + 32 * n) for n in range(count)  # type: ignore[misc]
        ]
        self.replace([open_region(*e, fd) for e, fd in zip(entries, fds)])

    def one_region(self, payload: bytes) -> tuple[int, int, int, int]:
        """The payload of ADD_MEM_REG and REM_MEM_REG."""
        self.need(SLOTS)
        if len(payload) != 40:
            raise Refused("a region of wrong size")
        start, size, user, offset = _REGION.unpack_from(payload, 8)
        return start, size, user, offset

    def add_region(self, payload: bytes, fds: list[int]) -> None:
        """ADD_MEM_REG."""
        entry = self.one_region(payload)
        if mutant("vu-slots-unchecked") and len(self.memory.regions) >= MAX_SLOTS:
            return
        if len(fds) != 1 or len(self.memory.regions) >= MAX_SLOTS:
            raise Refused("no slot, or no descriptor")
        if mutant("vu-short-file-accepted") and os.fstat(fds[0]).st_size < entry[1]:
            return
        region = open_region(*entry, fds[0])
        region.used = not (mutant("vu-added-not-used") and any(r.started for r in self.rings))
        self.replace([*self.memory.regions, region])

    def remove_region(self, payload: bytes, fds: list[int]) -> None:
        """REM_MEM_REG."""
        key = self.one_region(payload)[:3]
        left = [region for region in self.memory.regions if region.key != key]
        if len(left) == len(self.memory.regions) and not mutant("vu-removes-nothing"):
            raise Refused("no such region")
        self.replace(left)

    def get_slots(self, payload: bytes, fds: list[int]) -> bytes:
        """GET_MAX_MEM_SLOTS."""
        self.empty(payload)
        self.need(SLOTS)
        return _U64.pack(MAX_SLOTS)

    def set_num(self, payload: bytes, fds: list[int]) -> None:
        """SET_VRING_NUM."""
        if mutant("vu-size-unchecked") and len(payload) > 8:
            return
        number, size = _STATE.unpack(payload)
        if number > 1 and mutant("vu-queue-unchecked"):
            return
        ring = self.ring(number)
        good = 0 < size <= 32768 and not size & (size - 1)
        if not good and mutant("vu-ring-size-unchecked"):
            return
        if mutant("vq-no-16384") and size == 16384:
            good = False
        if not good:
            raise Refused(f"size {size}")
        if mutant("vu-late-size-accepted") and ring.started:
            return
        self.stopped(ring).size = size

    def set_addr(self, payload: bytes, fds: list[int]) -> None:
        """SET_VRING_ADDR."""
        number, flags, desc, used, avail, log = _ADDRESS.unpack(payload)
        ring = self.ring(number)
        if flags & ~1:
            raise Refused("flags")
        if ring.started and (desc, used, avail) != ring.addresses:
            raise Refused("the queue runs")
        ring.log_address = log if flags else None
        ring.place(desc, used, avail)

    def set_log(self, payload: bytes, fds: list[int]) -> None:
        """SET_LOG_BASE: where the dirty log lies."""
        self.need(LOG_SHMFD)
        size, offset = _LOG.unpack(payload)
        if len(fds) != 1:
            raise Refused("a log without a file")
        self.memory.log = DirtyLog(self.memory, fds[0], size, offset)

    def set_base(self, payload: bytes, fds: list[int]) -> None:
        """SET_VRING_BASE."""
        number, base = _STATE.unpack(payload)
        ring = self.ring(number)
        if base > 0xFFFF:
            if mutant("vu-base-unchecked"):
                return
            raise Refused(f"base {base}")
        self.stopped(ring)
        ring.next = ring.used_index = base

    def get_base(self, payload: bytes, fds: list[int]) -> bytes:
        """GET_VRING_BASE: also stops the ring."""
        number, _ = _STATE.unpack(payload)
        ring = self.ring(number)
        ran = ring.started
        ring.stop()
        if ran and not any(other.started for other in self.rings):
            # Without device status this is how a driver resets.
            self.resets += 1
            self.endpoints = self._endpoints()
        elif number == 1:
            # What was looked at and not returned is looked at again.
            self.forget()
        return _STATE.pack(number, ring.next + mutant("vu-base-off-by-one"))

    def forget(self) -> None:
        """Drop the message that waits, not the announcements."""
        if self.endpoints.head is not None:
            self.endpoints.waiting.clear()
            self.endpoints.head = None

    def descriptor(self, payload: bytes, fds: list[int]) -> tuple[DeviceRing, int | None]:
        """Ring and descriptor of SET_VRING_KICK, _CALL, _ERR. Raises Refused."""
        value = self.u64(payload)
        ring = self.ring(value & 0xFF)
        if value & ~0x1FF or len(fds) != (0 if value & 0x100 else 1):
            raise Refused("descriptors")
        if not fds:
            return ring, None
        mode = os.fstat(fds[0]).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            if not (mutant("vu-file-accepted") and stat.S_ISREG(mode)):
                raise Refused("a descriptor that is no event")
        return ring, fds.pop()

    def set_kick(self, payload: bytes, fds: list[int]) -> None:
        """SET_VRING_KICK."""
        ring, fd = self.descriptor(payload, fds)
        if fd is None:
            raise Refused("polling is not supported")
        if ring.kick is not None:
            os.close(ring.kick)
        os.set_blocking(fd, False)
        ring.kick = fd

    def set_call(self, payload: bytes, fds: list[int]) -> None:
        """SET_VRING_CALL."""
        ring, fd = self.descriptor(payload, fds)
        if ring.call is not None:
            os.close(ring.call)
        ring.call = fd

    def set_err(self, payload: bytes, fds: list[int]) -> None:
        """SET_VRING_ERR."""
        ring, fd = self.descriptor(payload, fds)
        if ring.err is not None:
            os.close(ring.err)
        ring.err = fd

    def set_enable(self, payload: bytes, fds: list[int]) -> None:
        """SET_VRING_ENABLE."""
        number, value = _STATE.unpack(payload)
        ring = self.ring(number)
        if value > 1 and not mutant("vu-enable-2-accepted"):
            raise Refused(f"enable {value}")
        ring.enabled = bool(value)

    def get_config(self, payload: bytes, fds: list[int]) -> bytes:
        """GET_CONFIG."""
        self.need(CONFIG)
        offset, size, flags = _CONFIG.unpack_from(payload)
        data = bytearray(CONFIGURATION)
        if mutant("ft-bufsz-version"):
            data[0] = 2
        if mutant("ft-config-changes") and self.endpoints.answered > 10:
            data[3] ^= 1
        if len(payload) != _CONFIG.size + size:
            raise Refused("a configuration request of wrong size")
        if offset + size > len(data):
            if not mutant("vu-config-unchecked") or offset < 256:
                raise Refused("a configuration request out of range")
        if mutant("vu-config-offset-ignored"):
            offset = 0
        part = bytes(data[offset : offset + size]).ljust(size, b"\0")
        return _CONFIG.pack(offset, size, flags) + part

    def set_config(self, payload: bytes, fds: list[int]) -> None:
        """SET_CONFIG: nothing in it can be written."""
        raise Refused("the configuration is read-only")

    def reset(self) -> None:
        """To the state before the driver came."""
        self.resets += 1
        if mutant("lc-fifth-reset-dies") and self.resets == 5:
            die("reset too often")
        if mutant("lc-ninetieth-reset-dies") and self.resets == 90:
            die("out of something")
        self.old = self.rings[0]
        for ring in self.rings:
            ring.stop()
        self.close_fds()
        self.rings = [DeviceRing(number, self.memory) for number in (0, 1)]
        for ring in self.rings:
            ring.enabled = not self.features & PROTOCOL
        self.status = 0
        self.driver_ok = False
        self.endpoints = self._endpoints()

    def reset_device(self, payload: bytes, fds: list[int]) -> None:
        """RESET_DEVICE."""
        self.empty(payload)
        self.need(RESET_DEVICE)
        if mutant("vu-reset-device-closes"):
            raise Closed
        self.reset()

    def set_status(self, payload: bytes, fds: list[int]) -> None:
        """SET_STATUS."""
        self.need(STATUS)
        value = self.u64(payload)
        if value & ~KNOWN_STATUS:
            if mutant("vu-status-dies"):
                die(f"status {value:#x}")
            raise Refused(f"status {value:#x}")
        if value == 0:
            self.reset()
        else:
            self.status = value | self.status & NEEDS_RESET
            self.driver_ok = bool(value & DRIVER_OK)

    def get_status(self, payload: bytes, fds: list[int]) -> bytes:
        """GET_STATUS."""
        self.empty(payload)
        if not mutant("vu-status-unasked"):
            self.need(STATUS)
        return _U64.pack(self.status & ~(2 if mutant("vu-status-loses-a-bit") else 0))

    # --- the end ------------------------------------------------------------------------------

    def close_fds(self) -> None:
        """Give all descriptors of the rings back."""
        for ring in self.rings:
            ring.stop()
            for fd in (ring.call, ring.err):
                if fd is not None:
                    os.close(fd)
            ring.call = ring.err = None

    def close(self) -> None:
        """The front-end has gone."""
        if mutant("lc-vanishing-dies") and self.memory.regions and not self.rings[0].started:
            if self.driver_ok is False and self.resets == 0:
                die("the front-end vanished during the handshake")
        self.close_fds()
        self.sock.close()


def main() -> int:
    """Serve one front-end after the other until SIGTERM."""
    parser = argparse.ArgumentParser(description="A small remote to test the suite with.")
    parser.add_argument("socket")
    parser.add_argument("--mutant", choices=[one.name for one in MUTANTS], metavar="NAME")
    options = parser.parse_args()
    choose(options.mutant)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(options.socket)
    listener.listen(8)
    left_open: list[Connection] = []
    status = 0
    while True:
        sock, _ = listener.accept()
        connection = Connection(sock, status)
        try:
            connection.serve()
        except Closed:
            pass
        status = connection.status if mutant("vu-status-survives") else 0
        if connection.cut and mutant("vu-cut-message-kept"):
            left_open.append(connection)
        else:
            connection.close()


if __name__ == "__main__":
    sys.exit(main())
