# SPDX-License-Identifier: BSD-2-Clause
"""As little of a vhost-user back-end and of a device as the tests of rpmsg-host need to break
every rule in exactly one way. Shares no code with sim/, on purpose.

Sources: QEMU docs/interop/vhost-user.rst; VIRTIO 1.2 section 2.7; the header of rpmsg as in
Linux drivers/rpmsg/virtio_rpmsg_bus.c.
"""

from __future__ import annotations

import array
import mmap
import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_os: Any = os  # the type stubs of mypy 1.0 do not know eventfd

GET_FEATURES = 1
SET_MEM_TABLE = 5
SET_VRING_NUM = 8
SET_VRING_ADDR = 9
GET_VRING_BASE = 11
SET_VRING_KICK = 12
SET_VRING_CALL = 13
SET_VRING_ERR = 14
GET_PROTOCOL_FEATURES = 15
GET_QUEUE_NUM = 17
SET_FEATURES = 2
GET_CONFIG = 24

F_NS = 1 << 0
F_BUFSZ = 1 << 1
F_PROTOCOL_FEATURES = 1 << 30
F_VERSION_1 = 1 << 32
PROTOCOL = 1 << 0 | 1 << 3 | 1 << 9  # MQ, REPLY_ACK, CONFIG
FLAG_REPLY = 1 | 4
FLAG_NEED_REPLY = 8

# What the fixtures of host_fixtures.py give.
HostRun = Callable[..., "subprocess.CompletedProcess[str]"]
HostStart = Callable[..., "subprocess.Popen[str]"]

INPUT, OUTPUT = 0, 1
HEADER = struct.Struct("<IIIHH")  # src, dst, reserved, len, flags
NS_MESSAGE = struct.Struct("<32sII")  # name, addr, flags


class Ring:
    """One split virtqueue, device side; addresses are offsets in the memory file."""

    def __init__(self) -> None:
        self.num = self.desc = self.avail = self.used = 0
        self.kick = self.call = -1
        self.seen = self.used_idx = 0


class Backend(threading.Thread):
    """A remote that serves one front-end; what it does is up to the two callbacks.

    ready: called once, when the driver has started; output: called with the descriptor and the
    bytes of each message of the host. Both run in this thread and may raise Hangup.
    """

    class Hangup(Exception):
        """Close the connection now."""

    def __init__(
        self,
        path: Path,
        ready: Callable[[Backend], None] = lambda backend: None,
        output: Callable[[Backend, int, bytes], None] = lambda backend, index, message: None,
        features: int = F_NS | F_VERSION_1,
        config: bytes = b"",
        hang_up_at: int = 0,
    ) -> None:
        super().__init__(daemon=True)
        self.ready, self.output, self.hang_up_at = ready, output, hang_up_at
        self.features = features | F_PROTOCOL_FEATURES
        self.acked = 0
        self.config = config
        self.started = False
        self.rings = [Ring(), Ring()]
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(1)

    def run(self) -> None:
        self.sock, _ = self.listener.accept()
        self.listener.close()
        try:
            while True:
                kicks = [ring.kick for ring in self.rings if ring.kick >= 0]
                ready, _, _ = select.select([self.sock, *kicks], [], [])
                for fd in ready:
                    if fd is not self.sock:
                        os.read(int(fd), 8)
                if self.sock in ready:
                    self._serve()
                if ready != [self.sock]:
                    self._work()
        except (EOFError, ConnectionError, self.Hangup):
            self.sock.close()

    # ---- device ----

    def send(
        self,
        src: int,
        dst: int,
        payload: bytes = b"",
        *,
        length: int | None = None,
        used_len: int | None = None,
        reserved: int = 0,
        flags: int = 0,
    ) -> None:
        """Send one message, some of its fields made up."""
        index = self.take(INPUT)
        message = HEADER.pack(
            src, dst, reserved, len(payload) if length is None else length, flags
        )
        message += payload
        at, _ = self.buffer(INPUT, index)
        self.memory[at : at + len(message)] = message
        self.use(INPUT, index, len(message) if used_len is None else used_len)

    def announce(self, name: bytes, addr: int, flags: int = 0) -> None:
        self.send(1024, 53, NS_MESSAGE.pack(name, addr, flags))

    def take(self, queue: int) -> int:
        """The next descriptor that the host has made available."""
        ring = self.rings[queue]
        assert ring.seen != self.word(ring.avail + 2), "the host supplied no buffer"
        index = self.word(ring.avail + 4 + 2 * (ring.seen % ring.num))
        ring.seen = (ring.seen + 1) & 0xFFFF
        return index

    def buffer(self, queue: int, index: int) -> tuple[int, int]:
        """Offset and length of a descriptor's buffer."""
        guest, length = struct.unpack_from("<QI", self.memory, self.rings[queue].desc + 16 * index)
        return guest - self.guest, length

    def use(self, queue: int, index: int, length: int, step: int = 1) -> None:
        """Return a descriptor; step is how far used.idx moves."""
        ring = self.rings[queue]
        slot = ring.used + 4 + 8 * (ring.used_idx % ring.num)
        struct.pack_into("<II", self.memory, slot, index, length)
        ring.used_idx = (ring.used_idx + step) & 0xFFFF
        struct.pack_into("<H", self.memory, ring.used + 2, ring.used_idx)
        _os.eventfd_write(ring.call, 1)

    def word(self, at: int) -> int:
        return int(struct.unpack_from("<H", self.memory, at)[0])

    def _work(self) -> None:
        if not self.started:
            self.started = True
            self.ready(self)
        ring = self.rings[OUTPUT]
        while ring.num and ring.seen != self.word(ring.avail + 2):
            index = self.take(OUTPUT)
            at, length = self.buffer(OUTPUT, index)
            self.output(self, index, bytes(self.memory[at : at + length]))

    # ---- vhost-user ----

    def _serve(self) -> None:
        header, fds = self._receive(12)
        request, flags, size = struct.unpack("<III", header)
        payload = self._receive(size)[0] if size else b""
        if request == self.hang_up_at:
            raise self.Hangup
        answer = self._answer(request, payload, fds)
        if answer is None and flags & FLAG_NEED_REPLY:
            answer = struct.pack("<Q", 0)
        if answer is not None:
            self.sock.sendall(struct.pack("<III", request, FLAG_REPLY, len(answer)) + answer)

    def _receive(self, size: int) -> tuple[bytes, list[int]]:
        data, fds = b"", array.array("i")
        while len(data) < size:
            part, control, _, _ = self.sock.recvmsg(size - len(data), socket.CMSG_SPACE(32))
            if not part:
                raise EOFError
            data += part
            for _, _, rights in control:
                fds.frombytes(rights)
        return data, list(fds)

    def _answer(self, request: int, payload: bytes, fds: list[int]) -> bytes | None:
        values = {
            GET_FEATURES: self.features,
            GET_PROTOCOL_FEATURES: PROTOCOL,
            GET_QUEUE_NUM: 2,
        }
        if request in values:
            return struct.pack("<Q", values[request])
        if request == GET_CONFIG:
            offset, size, _ = struct.unpack_from("<III", payload)
            window = self.config[offset : offset + size]
            return payload[:12] + window if len(window) == size else b""
        if request == GET_VRING_BASE:
            index = struct.unpack_from("<I", payload)[0]
            return struct.pack("<II", index, self.rings[index].seen)
        if request == SET_FEATURES:
            self.acked = struct.unpack("<Q", payload)[0]
        elif request == SET_MEM_TABLE:
            self.guest, size, self.user, _ = struct.unpack_from("<QQQQ", payload, 8)
            self.memory = mmap.mmap(fds[0], size)
        elif request in (SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR):
            ring = self.rings[payload[0]]
            if request == SET_VRING_KICK:
                ring.kick = fds[0]
            elif request == SET_VRING_CALL:
                ring.call = fds[0]
        elif request == SET_VRING_NUM:
            index, number = struct.unpack("<II", payload)
            self.rings[index].num = number
        elif request == SET_VRING_ADDR:
            index, _, desc, used, avail, _ = struct.unpack("<IIQQQQ", payload)
            ring = self.rings[index]
            ring.desc, ring.used, ring.avail = (at - self.user for at in (desc, used, avail))
        return None


def echo(backend: Backend, index: int, message: bytes) -> None:
    """Answer with the same payload, then return the buffer, as a good remote does."""
    src, dst, _, length, _ = HEADER.unpack_from(message)
    if dst != 53:
        backend.send(dst, src, message[16 : 16 + length])
    backend.use(OUTPUT, index, 0)
