# SPDX-License-Identifier: BSD-2-Clause
"""vhost-user front-end: messages over a connected unix socket, with descriptors and deadlines.

ask() is for requests that have a reply of their own, tell() for those that have none: with
REPLY_ACK negotiated tell() asks for an acknowledgement and raises Refused when it is not 0. Inside
batch() the acknowledgements are awaited at the end, so that a session is set up in a few round
trips. send_raw() sends any bytes with any descriptors. All times are in seconds.
"""

from __future__ import annotations

import array
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.anomaly import Kind, Log
from rpmsg_conformance.virtio.constants import ProtocolFeature, Request
from rpmsg_conformance.virtio.errors import (
    PeerClosed,
    Refused,
    ReplyMalformed,
    ReplyTimeout,
    Unreachable,
)
from rpmsg_conformance.virtio.messages import MemoryRegion, VringAddr, VringState

#: Longest payload of a reply that is taken for a reply at all.
_LONGEST_REPLY: Final = 4096

_FDS_SPACE: Final = socket.CMSG_SPACE(16 * 4)


class Reply(NamedTuple):
    """A message from the back-end. Whoever receives it owns the descriptors."""

    header: m.MessageHeader
    payload: bytes
    fds: list[int]


class FrontEnd:
    """One connection. ``timeout`` is how long a reply may take."""

    def __init__(self, sock: socket.socket, log: Log | None = None, timeout: float = 2.0) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.log = log if log is not None else Log()
        #: Number of the connection in the trace.
        self.number = self.log.trace.opened()
        self.timeout = timeout
        self.protocol_features = 0
        self.closed: str | None = None
        self._unacknowledged: deque[Request] = deque()
        self._batching = False
        self._input = bytearray()
        self._input_fds: list[int] = []
        self._poll_in = select.poll()
        self._poll_in.register(sock, select.POLLIN)

    @classmethod
    def connect(cls, path: str | Path, log: Log | None = None, timeout: float = 2.0) -> FrontEnd:
        """Connect to a listening back-end. Raises Unreachable."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(timeout)
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            raise Unreachable(f"{path}: {error.strerror or error}") from error
        return cls(sock, log, timeout)

    def close(self) -> None:
        """Close the socket, at once and without a farewell."""
        if self.closed is None:
            self.closed = "closed by this side"
            self.log.trace.closed(self.number, self.closed)
        for fd in self._input_fds:
            os.close(fd)
        self._input_fds.clear()
        self.sock.close()

    # --- messages -----------------------------------------------------------------------------

    def send_raw(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send bytes with descriptors (which stay open here). Raises PeerClosed, ReplyTimeout.

        Descriptors travel with the first byte; without any byte nothing is sent.
        """
        ancillary = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        )
        self.log.trace.request(self.number, data, len(fds))
        view = memoryview(data)
        deadline = time.monotonic() + self.timeout
        while view:
            try:
                sent = self.sock.sendmsg([view], ancillary, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                if not select.select([], [self.sock], [], max(0, deadline - time.monotonic()))[1]:
                    raise ReplyTimeout("the back-end does not read its socket") from None
                continue
            except OSError as error:
                self._lost(f"sending failed: {error.strerror}", error)
            view = view[sent:]
            ancillary = []

    def send(
        self, request: int, payload: bytes = b"", fds: Sequence[int] = (), *, flags: int = c.VERSION
    ) -> None:
        """Send one message and wait for nothing."""
        self.send_raw(m.encode_message(request, payload, flags=flags), fds)

    def receive(self, timeout: float | None = None) -> Reply:
        """The next message of the back-end. Raises ReplyTimeout, PeerClosed, ReplyMalformed."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        data = self._input
        while True:
            if len(data) >= m.HEADER.size:
                header = m.decode_message_header(data)
                if header.size > _LONGEST_REPLY:
                    raise ReplyMalformed(f"reply states a payload of {header.size} bytes")
                end = m.HEADER.size + header.size
                if len(data) >= end:
                    payload = bytes(data[m.HEADER.size : end])
                    del data[:end]
                    fds, self._input_fds = self._input_fds, []
                    self.log.trace.reply(
                        self.number, header.request, header.flags, payload, len(fds)
                    )
                    return Reply(header, payload, fds)
            self._read(deadline)

    def ask(
        self, request: Request, payload: bytes = b"", fds: Sequence[int] = (), *,
        flags: int = c.VERSION,
    ) -> bytes:
        """Send a request that has a reply of its own, and return the reply's payload.

        Raises ReplyTimeout, PeerClosed, ReplyMalformed.
        """
        self.send(request, payload, fds, flags=flags)
        self.settle()
        return self._reply_to(request)

    def tell(self, request: Request, payload: bytes = b"", fds: Sequence[int] = ()) -> None:
        """Send a request that has no reply of its own; with REPLY_ACK, see that it is accepted.

        Raises Refused, ReplyTimeout, PeerClosed, ReplyMalformed.
        """
        if not self.has(ProtocolFeature.REPLY_ACK):
            self.send(request, payload, fds)
            return
        self.send(request, payload, fds, flags=c.VERSION | c.NEED_REPLY)
        self._unacknowledged.append(request)
        if not self._batching:
            self.settle()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Send all tell() of the block without waiting, and see to the answers at its end."""
        self._batching = True
        try:
            yield
        finally:
            self._batching = False
        self.settle()

    def settle(self) -> None:
        """Await what is still to be acknowledged. Raises Refused for the first that is not 0."""
        refused: Refused | None = None
        while self._unacknowledged:
            request = self._unacknowledged.popleft()
            value = self._u64(request, self._reply_to(request))
            if value != 0 and refused is None:
                refused = Refused(request.name, value)
        if refused is not None:
            raise refused

    def sync(self) -> None:
        """Return once the back-end has handled everything sent so far (one GET_FEATURES)."""
        self.get_features()

    def has(self, feature: ProtocolFeature) -> bool:
        """Whether a protocol feature was negotiated on this connection."""
        return bool(self.protocol_features >> feature & 1)

    def notice(self) -> str | None:
        """Look, without waiting, at what came unasked. Returns why the connection ended, or None.

        A message that nobody asked for is an anomaly.
        """
        while self.closed is None and self._poll_in.poll(0):
            try:
                reply = self.receive(0)
            except (PeerClosed, ReplyTimeout, ReplyMalformed):
                break
            for fd in reply.fds:
                os.close(fd)
            seen = f"request {reply.header.request}, {len(reply.payload)} bytes"
            self.log.record(Kind.UNSOLICITED, None, None, "nothing", seen)
        return self.closed

    # --- typed requests -----------------------------------------------------------------------

    def get_features(self) -> int:
        """Feature bits that the back-end offers."""
        return self._u64(Request.GET_FEATURES, self.ask(Request.GET_FEATURES))

    def set_features(self, features: int) -> None:
        """Choose feature bits."""
        self.tell(Request.SET_FEATURES, m.U64.pack(features))

    def get_protocol_features(self) -> int:
        """Protocol feature bits that the back-end offers."""
        request = Request.GET_PROTOCOL_FEATURES
        return self._u64(request, self.ask(request))

    def set_protocol_features(self, features: int) -> None:
        """Choose protocol feature bits. From here on they are in force."""
        self.tell(Request.SET_PROTOCOL_FEATURES, m.U64.pack(features))
        self.protocol_features = features

    def set_owner(self) -> None:
        """Begin the session."""
        self.tell(Request.SET_OWNER)

    def reset_owner(self) -> None:
        """The deprecated request to disable all rings."""
        self.tell(Request.RESET_OWNER)

    def reset_device(self) -> None:
        """Reset the device (needs RESET_DEVICE)."""
        self.tell(Request.RESET_DEVICE)

    def get_queue_num(self) -> int:
        """How many queues the back-end has (needs MQ)."""
        return self._u64(Request.GET_QUEUE_NUM, self.ask(Request.GET_QUEUE_NUM))

    def get_max_mem_slots(self) -> int:
        """How many memory regions the back-end takes (needs CONFIGURE_MEM_SLOTS)."""
        return self._u64(Request.GET_MAX_MEM_SLOTS, self.ask(Request.GET_MAX_MEM_SLOTS))

    def set_mem_table(self, regions: Sequence[MemoryRegion], fds: Sequence[int]) -> None:
        """Replace all memory regions; one descriptor each."""
        self.tell(Request.SET_MEM_TABLE, m.encode_mem_table(regions), fds)

    def add_mem_reg(self, region: MemoryRegion, fd: int) -> None:
        """Add one memory region (needs CONFIGURE_MEM_SLOTS)."""
        self.tell(Request.ADD_MEM_REG, m.encode_single_region(region), [fd])

    def rem_mem_reg(self, region: MemoryRegion) -> None:
        """Remove one memory region (needs CONFIGURE_MEM_SLOTS)."""
        self.tell(Request.REM_MEM_REG, m.encode_single_region(region))

    def set_log_base(self, size: int, offset: int, fd: int) -> None:
        """Share the dirty log (needs LOG_SHMFD; has a reply of its own then)."""
        self.ask(Request.SET_LOG_BASE, m.LOG.pack(size, offset), [fd])

    def set_log_fd(self, fd: int) -> None:
        """Hand over the descriptor that is signalled when the log was changed."""
        self.tell(Request.SET_LOG_FD, b"", [fd])

    def set_vring_num(self, queue: int, size: int) -> None:
        """Size of a ring, in entries."""
        self.tell(Request.SET_VRING_NUM, VringState(queue, size).encode())

    def set_vring_addr(self, address: VringAddr) -> None:
        """Places of a ring, as front-end addresses."""
        self.tell(Request.SET_VRING_ADDR, address.encode())

    def set_vring_base(self, queue: int, index: int) -> None:
        """Index of the available ring to go on from."""
        self.tell(Request.SET_VRING_BASE, VringState(queue, index).encode())

    def get_vring_base(self, queue: int) -> int:
        """Stop a ring; returns the index of the available ring up to which it was handled."""
        request = Request.GET_VRING_BASE
        state = self._state(request, self.ask(request, VringState(queue, 0).encode()))
        if state.queue != queue:
            raise ReplyMalformed(f"{request.name} of queue {queue} answers for {state.queue}")
        return state.num

    def set_vring_kick(self, queue: int, fd: int | None) -> None:
        """Descriptor by which this side notifies; None: the back-end has to poll."""
        self._set_vring_fd(Request.SET_VRING_KICK, queue, fd)

    def set_vring_call(self, queue: int, fd: int | None) -> None:
        """Descriptor by which the back-end notifies; None: this side polls."""
        self._set_vring_fd(Request.SET_VRING_CALL, queue, fd)

    def set_vring_err(self, queue: int, fd: int | None) -> None:
        """Descriptor by which the back-end reports an error of a ring."""
        self._set_vring_fd(Request.SET_VRING_ERR, queue, fd)

    def set_vring_enable(self, queue: int, on: bool) -> None:
        """Enable or disable a ring (needs F_PROTOCOL_FEATURES)."""
        self.tell(Request.SET_VRING_ENABLE, VringState(queue, int(on)).encode())

    def get_config(self, offset: int, size: int, flags: int = 0) -> bytes:
        """Bytes of the configuration space (needs CONFIG); none when the back-end refuses."""
        request = Request.GET_CONFIG
        payload = self.ask(request, m.encode_config(offset, bytes(size), flags))
        return payload[m.CONFIG.size :]

    def set_config(self, offset: int, data: bytes, flags: int = 0) -> None:
        """Write to the configuration space (needs CONFIG)."""
        self.tell(Request.SET_CONFIG, m.encode_config(offset, data, flags))

    def set_status(self, status: int) -> None:
        """Device status as the driver writes it (needs STATUS); 0 resets the device."""
        self.tell(Request.SET_STATUS, m.U64.pack(status))

    def get_status(self) -> int:
        """Device status (needs STATUS)."""
        return self._u64(Request.GET_STATUS, self.ask(Request.GET_STATUS))

    # --- inside -------------------------------------------------------------------------------

    def _set_vring_fd(self, request: Request, queue: int, fd: int | None) -> None:
        if fd is None:
            self.tell(request, m.U64.pack(queue | c.VRING_NO_FD))
        else:
            self.tell(request, m.U64.pack(queue), [fd])

    def _reply_to(self, request: Request) -> bytes:
        try:
            reply = self.receive()
        except ReplyTimeout:
            raise ReplyTimeout(f"no reply to {request.name} within {self.timeout:g} s") from None
        for fd in reply.fds:
            os.close(fd)
        if reply.header.request != request:
            raise ReplyMalformed(f"{request.name} got a reply to request {reply.header.request}")
        expected = c.VERSION | c.REPLY
        # NEED_REPLY is left alone: some back-ends answer with the flags of the request.
        if reply.header.flags & ~c.NEED_REPLY != expected:
            self.log.record(
                Kind.REPLY_FLAGS, None, None, f"{expected:#x}", f"{reply.header.flags:#x}"
            )
        return reply.payload

    def _u64(self, request: Request, payload: bytes) -> int:
        if len(payload) != m.U64.size:
            raise ReplyMalformed(f"{request.name}: reply holds {len(payload)} bytes instead of 8")
        value: int = m.U64.unpack(payload)[0]
        return value

    def _state(self, request: Request, payload: bytes) -> VringState:
        if len(payload) != m.VRING_STATE.size:
            raise ReplyMalformed(f"{request.name}: reply holds {len(payload)} bytes instead of 8")
        return VringState._make(m.VRING_STATE.unpack(payload))

    def _read(self, deadline: float) -> None:
        if self.closed is not None:
            raise PeerClosed(self.closed)
        while True:
            try:
                data, ancillary, _, _ = self.sock.recvmsg(8192, _FDS_SPACE, socket.MSG_CMSG_CLOEXEC)
                break
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0 or not self._poll_in.poll(left * 1000):
                    raise ReplyTimeout("nothing came from the back-end in time") from None
            except OSError as error:
                self._lost(f"the connection broke: {error.strerror}", error)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                count = len(content) // 4
                self._input_fds += struct.unpack(f"={count}i", content[: count * 4])
        if not data:
            self._lost("the back-end closed the connection")
        self._input += data

    def _lost(self, reason: str, cause: OSError | None = None) -> None:
        if self.closed is None:
            self.closed = reason
            self.log.trace.closed(self.number, f"lost: {reason}")
        raise PeerClosed(self.closed) from cause
