# SPDX-License-Identifier: BSD-2-Clause
"""As little of a vhost-user front-end, of a driver and of a control client as the tests of
rpmsg-sim need, and the types of their fixtures. Shares no code with sim/, on purpose.

Sources: QEMU docs/interop/vhost-user.rst; VIRTIO 1.2 section 2.7; the header of rpmsg as in
Linux drivers/rpmsg/virtio_rpmsg_bus.c.
"""

from __future__ import annotations

import array
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_os: Any = os  # the type stubs of mypy 1.0 do not know eventfd

DEADLINE_S = 30.0  # for anything that has to happen; under a sanitizer and load, too

GET_FEATURES = 1
SET_FEATURES = 2
SET_OWNER = 3
SET_MEM_TABLE = 5
SET_VRING_NUM = 8
SET_VRING_ADDR = 9
SET_VRING_BASE = 10
GET_VRING_BASE = 11
SET_VRING_KICK = 12
SET_VRING_CALL = 13
SET_VRING_ERR = 14
GET_PROTOCOL_FEATURES = 15
SET_PROTOCOL_FEATURES = 16
SET_VRING_ENABLE = 18
SET_STATUS = 39
GET_STATUS = 40

F_NS = 1 << 0
F_PROTOCOL_FEATURES = 1 << 30
F_VERSION_1 = 1 << 32
PROTOCOL_F_REPLY_ACK = 1 << 3
PROTOCOL_F_STATUS = 1 << 16
VRING_NOFD = 1 << 8
FLAG_VERSION = 1
FLAG_NEED_REPLY = 8

STATUS_UP_TO_FEATURES_OK = 1 | 2 | 8
STATUS_DRIVER_OK = 1 | 2 | 8 | 4

INPUT, OUTPUT = 0, 1
HEADER = struct.Struct("<IIIHH")  # src, dst, reserved, len, flags
NS_MESSAGE = struct.Struct("<32sII")  # name, addr, flags
NS_ADDRESS = 53
BUFFER_SIZE = 512


@dataclass
class Sim:
    """A running rpmsg-sim."""

    process: subprocess.Popen[bytes]
    socket_path: Path
    control_path: Path
    log: Path
    expected_status: int = 0

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


class FrontEnd:
    """A connection to a back-end, as messages."""

    def __init__(self, path: Path | None = None, sock: socket.socket | None = None) -> None:
        self.sock = sock or socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if path:
            self.sock.connect(str(path))  # with a deadline it would not wait for a full backlog
        self.sock.settimeout(DEADLINE_S)

    def send(
        self, request: int, payload: bytes = b"", fds: tuple[int, ...] = (), flags: int = 0
    ) -> None:
        message = struct.pack("<III", request, FLAG_VERSION | flags, len(payload)) + payload
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([message], rights)

    def reply(self) -> bytes:
        """Payload of the next reply; EOFError when the back-end closed the connection."""
        header = self._exactly(12)
        return self._exactly(struct.unpack("<III", header)[2])

    def ask_u64(self, request: int) -> int:
        self.send(request)
        return int(struct.unpack("<Q", self.reply())[0])

    def acked(self, request: int, payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Send with NEED_REPLY and expect success."""
        self.send(request, payload, fds, FLAG_NEED_REPLY)
        assert struct.unpack("<Q", self.reply())[0] == 0, f"request {request} was refused"

    def closed_by_peer(self) -> bool:
        """True once the other side has closed; waits for it."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.sock.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise EOFError("the back-end closed the connection")
            data += part
        return data


class Ring:
    """One split virtqueue in a host's memory, driver side. Addresses are offsets in memory."""

    def __init__(self, memory: mmap.mmap, base: int, size: int) -> None:
        self.memory, self.size = memory, size
        self.desc = base
        self.avail = base + 16 * size
        self.used = (self.avail + 6 + 2 * size + 3) & ~3
        self.buffers = base + 0x8000
        self.kick, self.call, self.err = (_os.eventfd(0, _os.EFD_CLOEXEC) for _ in range(3))
        self.avail_idx = self.used_idx = 0

    def buffer(self, index: int) -> int:
        return self.buffers + index * BUFFER_SIZE

    def describe(self, index: int, guest: int, length: int, flags: int) -> None:
        struct.pack_into("<QIHH", self.memory, self.desc + 16 * index, guest, length, flags, 0)

    def expose(self, index: int) -> None:
        slot = self.avail + 4 + 2 * (self.avail_idx % self.size)
        struct.pack_into("<H", self.memory, slot, index)
        self.avail_idx = (self.avail_idx + 1) & 0xFFFF
        # The other side may look at any moment: a copy of two bytes is one store, whereas
        # struct.pack_into() writes zeroes first.
        self.memory[self.avail + 2 : self.avail + 4] = self.avail_idx.to_bytes(2, "little")

    def notify(self) -> None:
        _os.eventfd_write(self.kick, 1)

    def take_used(self) -> list[tuple[int, int]]:
        """(id, length) of what was used and not taken yet."""
        published = int.from_bytes(self.memory[self.used + 2 : self.used + 4], "little")
        taken = []
        while self.used_idx != published:
            slot = self.used + 4 + 8 * (self.used_idx % self.size)
            index, length = struct.unpack_from("<II", self.memory, slot)
            taken.append((index, length))
            self.used_idx = (self.used_idx + 1) & 0xFFFF
        return taken

    def wait_used(self) -> list[tuple[int, int]]:
        """The same, once there is something; driven by the call descriptor."""
        while not (taken := self.take_used()):
            ready, _, _ = select.select([self.call], [], [], DEADLINE_S)
            assert ready, "no interrupt within the deadline"
            _os.eventfd_read(self.call)
        return taken

    def close(self) -> None:
        for fd in (self.kick, self.call, self.err):
            os.close(fd)


class Host:
    """A driver of the rpmsg device with both queues, behind a front-end."""

    GUEST, USER, MEMORY = 0x4000_0000, 0x7F00_0000_0000, 0x100000

    def __init__(self, front_end: FrontEnd, size: int = 8) -> None:
        self.front_end = front_end
        self.memory_fd = os.memfd_create("host")
        os.ftruncate(self.memory_fd, self.MEMORY)
        self.memory = mmap.mmap(self.memory_fd, self.MEMORY)
        self.rings = [Ring(self.memory, q * 0x40000, size) for q in (INPUT, OUTPUT)]
        self.inbox: list[tuple[int, int, bytes]] = []
        self.free = list(range(size))  # send buffers
        self.protocol = PROTOCOL_F_REPLY_ACK | PROTOCOL_F_STATUS  # acknowledged, if offered

    def start(self, features: int = F_NS | F_VERSION_1, kicks: bool = True) -> None:
        """Everything up to DRIVER_OK; parameters as of set_up()."""
        self.set_up(features, kicks)
        self.front_end.acked(SET_STATUS, struct.pack("<Q", STATUS_DRIVER_OK))

    def set_up(self, features: int = F_NS | F_VERSION_1, kicks: bool = True) -> None:
        """Negotiate, set the rings up, post all receive buffers.

        kicks: false gives the back-end no kick descriptors, so that it has to poll.
        """
        front_end = self.front_end
        protocol = self.protocol
        front_end.send(SET_OWNER)
        assert front_end.ask_u64(GET_FEATURES) & features == features
        assert front_end.ask_u64(GET_PROTOCOL_FEATURES) & protocol == protocol
        front_end.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", protocol))
        front_end.acked(SET_FEATURES, struct.pack("<Q", features | F_PROTOCOL_FEATURES))
        front_end.acked(
            SET_MEM_TABLE,
            struct.pack("<IIQQQQ", 1, 0, self.GUEST, self.MEMORY, self.USER, 0),
            (self.memory_fd,),
        )
        front_end.acked(SET_STATUS, struct.pack("<Q", STATUS_UP_TO_FEATURES_OK))
        ring = self.rings[INPUT]
        for index in range(ring.size):
            ring.describe(index, self.GUEST + ring.buffer(index), BUFFER_SIZE, 2)
            ring.expose(index)
        for queue, ring in enumerate(self.rings):
            self._set_up_ring(queue, ring, kicks)

    def _set_up_ring(self, queue: int, ring: Ring, kicks: bool) -> None:
        front_end = self.front_end
        front_end.acked(SET_VRING_NUM, struct.pack("<II", queue, ring.size))
        addresses = [self.USER + part for part in (ring.desc, ring.used, ring.avail)]
        front_end.acked(SET_VRING_ADDR, struct.pack("<IIQQQQ", queue, 0, *addresses, 0))
        front_end.acked(SET_VRING_BASE, struct.pack("<II", queue, 0))
        number = struct.pack("<Q", queue)
        front_end.acked(SET_VRING_ERR, number, (ring.err,))
        front_end.acked(SET_VRING_CALL, number, (ring.call,))
        if kicks:
            front_end.acked(SET_VRING_KICK, number, (ring.kick,))
        else:
            front_end.acked(SET_VRING_KICK, struct.pack("<Q", queue | VRING_NOFD))
        front_end.acked(SET_VRING_ENABLE, struct.pack("<II", queue, 1))

    def send(self, src: int, dst: int, payload: bytes, length: int | None = None) -> int:
        """Send one message; length overrides the header's. Returns the descriptor."""
        ring = self.rings[OUTPUT]
        self.free += [index for index, _ in ring.take_used()]
        index = self.free.pop(0)
        header = HEADER.pack(src, dst, 0, len(payload) if length is None else length, 0)
        at = ring.buffer(index)
        self.memory[at : at + HEADER.size + len(payload)] = header + payload
        ring.describe(index, self.GUEST + at, HEADER.size + len(payload), 0)
        ring.expose(index)
        ring.notify()
        return index

    def wait_returned(self) -> None:
        """Wait until the remote has returned every send buffer."""
        ring = self.rings[OUTPUT]
        while len(self.free) < ring.size:
            self.free += [index for index, _ in ring.wait_used()]

    def receive(self) -> tuple[int, int, bytes]:
        """(src, dst, payload) of the next message; its buffer is posted again."""
        ring = self.rings[INPUT]
        while not self.inbox:
            for index, used_len in ring.wait_used():
                at = ring.buffer(index)
                src, dst, _, length, _ = HEADER.unpack_from(self.memory, at)
                assert used_len >= HEADER.size + length
                payload = bytes(self.memory[at + HEADER.size : at + HEADER.size + length])
                self.inbox.append((src, dst, payload))
                ring.expose(index)
            ring.notify()
        return self.inbox.pop(0)

    def receive_announcement(self) -> tuple[str, int, int]:
        """(name, address, flags) of the next message, which has to be an announcement."""
        _, dst, payload = self.receive()
        assert dst == NS_ADDRESS
        name, addr, flags = NS_MESSAGE.unpack(payload)
        return name.rstrip(b"\0").decode(), addr, flags

    def close(self) -> None:
        self.front_end.close()
        for ring in self.rings:
            ring.close()
        self.memory.close()
        os.close(self.memory_fd)


class Control:
    """A client of the control socket."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(path))
        self.sock.settimeout(DEADLINE_S)
        self.lines = self.sock.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self.ids = 0

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self) -> dict[str, Any]:
        """The next object; EOFError when the daemon closed the connection."""
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            line = b""
        if not line:
            raise EOFError("the daemon closed the control connection")
        assert line.endswith(b"\n")
        return dict(json.loads(line))

    def request(self, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request and return its whole reply; events on the way are kept."""
        self.ids += 1
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": self.ids, "method": method}
        if params is not None:
            body["params"] = params
        self.send_raw(json.dumps(body).encode() + b"\n")
        while True:
            answer = self.read()
            if answer.get("method") != "event":
                assert answer["id"] == self.ids
                return answer
            self.events.append(answer["params"])

    def call(self, method: str, **params: Any) -> Any:
        """Send a request and return its result; an error fails the test."""
        answer = self.request(method, params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, params: Any = None) -> tuple[int, str]:
        """Send a request that has to fail; returns the error's code and message."""
        error = self.request(method, params)["error"]
        return error["code"], error["message"]

    def event(self, event_type: str) -> dict[str, Any]:
        """The next event of a type; others before it are dropped."""
        while True:
            params = self.events.pop(0) if self.events else self.read()["params"]
            if params["type"] == event_type:
                return dict(params)

    def close(self) -> None:
        self.lines.close()
        self.sock.close()


# What the fixtures of conftest.py and test_daemon_session.py give.
Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Sim]
Connect = Callable[[Sim], Control]
Attach = Callable[..., Host]
