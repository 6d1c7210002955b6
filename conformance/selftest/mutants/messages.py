# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg on the two rings: an echo service and a sink, name service, and waiting for buffers."""

from __future__ import annotations

import struct
import time

from mutants.chosen import die, mutant
from mutants.device_ring import Broken, DeviceRing, Part
from mutants.memory import Memory

ANY, NAMES = 0xFFFFFFFF, 53
ECHO, SINK = 1024, 1025
CREATE, DESTROY = 0, 1

_HEADER = struct.Struct("<IIIHH")
_NS = struct.Struct("<32sII")


def packet(src: int, dst: int, payload: bytes, reserved: int = 0, flags: int = 0) -> bytes:
    """A message with its header."""
    return _HEADER.pack(src, dst, reserved, len(payload), flags) + payload


def _linger(payload: bytes) -> None:
    """Leave another process the time to change what is read twice, also on a busy machine."""
    if len(payload) == 8:
        time.sleep(0.0002)


class Endpoints:
    """What the remote is behind its rings. ``resets`` is how many the connection has seen."""

    def __init__(self, memory: Memory, receive: DeviceRing, send: DeviceRing, resets: int) -> None:
        self.memory, self.to_host, self.from_host = memory, receive, send
        self.resets = resets
        #: Messages that wait for a receive buffer; those of one send buffer at the most.
        self.waiting: list[bytes] = []
        #: The send buffer that is being worked on: it goes back when all its answers are out.
        self.head: int | None = None
        #: Whether it had to wait for a receive buffer.
        self.starved = False
        self.announced = False
        self.answered = 0
        #: Where answers come from.
        self.source = ECHO
        #: The ring that was looked at last.
        self.at = receive

    def announce(self) -> None:
        """Put the announcements of all services in line."""
        self.announced = True
        if mutant("ns-not-kept") and not self.to_host.available():
            return
        sink = {"ep-53": NAMES, "ep-twice": ECHO, "ep-low": 500}
        address = next((a for name, a in sink.items() if mutant(name)), SINK)
        name, more = b"mutant-sink", b""
        if mutant("ns-unterminated"):
            name = name.ljust(32, b"x")
        if mutant("ns-dirty"):
            name += b"\0dirty"
        if mutant("ns-41-bytes"):
            more = b"\0"
        # The echo comes last: whoever has heard of it has heard of all.
        if not (mutant("lc-forgets-announcement") and self.resets):
            self.waiting.append(packet(address, NAMES, _NS.pack(name, address, CREATE) + more))
        self.waiting.append(packet(ECHO, NAMES, _NS.pack(b"mutant-echo", ECHO, CREATE)))

    def work(self) -> bool:
        """Do one thing; False when there is nothing that can be done. Raises Broken."""
        if self.waiting:
            if not self._deliver():
                return False
            if not self.waiting and self.head is not None:
                self._finish()
            return True
        if self.head is not None:
            self._finish()
            return True
        self.at = self.from_host
        if not self.from_host.runs or not self.from_host.available():
            return False
        self._receive()
        return True

    def _finish(self) -> None:
        assert self.head is not None
        head, self.head = self.head, None
        ring = self.from_host
        if self.starved and mutant("vq-held-wrong-id") and ring.size == 8:
            head = head + 1 & 7
        self.starved = False
        ring.give_back(head, 16 if mutant("vq-send-buffer-used") else 0)
        if mutant("vq-returned-twice") and ring.taken == 295:
            ring.push(head, 0)

    def _deliver(self) -> bool:
        ring = self.at = self.to_host
        if not ring.runs:
            return False
        if not ring.available():
            self.starved = self.head is not None
            if self.starved and self._starved_loses():
                self.waiting.clear()
                return True
            if not ring.tell_next():
                return False
        data = self.waiting[0]
        head = ring.head()
        parts = ring.chain(head)
        room = sum(part.length for part in parts)
        if any(not part.writable for part in parts) and not mutant("vq-readable-filled"):
            raise Broken("a receive buffer that may not be written to")
        if room < 16:
            if mutant("bf-small-buffer-dies"):
                die("a receive buffer below a header")
            raise Broken(f"a receive buffer of {room} bytes")
        if mutant("vq-first-piece-only"):
            room = parts[0].length
        if mutant("bf-512-only"):
            room = min(room, 512)
        self.waiting.pop(0)
        if len(data) > room:
            if mutant("bf-len-above-buffer"):
                self._put(head, parts, data[:room], room)
            return True
        self._put(head, parts, data, len(data))
        return True

    def _starved_loses(self) -> bool:
        """Whether an answer for which there is no buffer is lost."""
        if mutant("bf-full-loses"):
            return self.from_host.available() >= self.from_host.size - 1
        return mutant("bf-starved-loses")

    def _put(self, head: int, parts: list[Part], data: bytes, length: int) -> None:
        if mutant("vq-writes-behind") and len(data) == parts[0].length:
            last = parts[-1]
            parts = [*parts[:-1], last._replace(length=last.length + 1)]
            data += b"!"
        if mutant("vq-used-length-short") and length == 16 + 255:
            length -= 1
        self.to_host.scatter(parts, data)
        self.to_host.give_back(head, length)

    # --- from the host ------------------------------------------------------------------------

    def _receive(self) -> None:
        ring = self.from_host
        head = ring.head()
        parts = ring.chain(head)
        data = ring.gather(parts)
        self.head = head
        if mutant("vq-returns-quietly") and data[4:8] == b"\xe0\xbe\xad\x5e":
            self.head = None
            ring.give_back(head, 0, quiet=True)
            return
        if len(data) < 16:
            if mutant("bf-short-is-kept") and len(data) == 7:
                self.head = None
                ring.next = ring.next + 1 & 0xFFFF
                return
            if mutant("hd-completed") and len(data) >= 12:
                data += self.memory.read(parts[-1].address + parts[-1].length, 16 - len(data))
            else:
                return
        src, dst, reserved, length, flags = _HEADER.unpack_from(data)
        payload = data[16:]
        if mutant("hd-len-believed") and length > len(payload):
            payload = self.memory.read(parts[0].address + 16, min(length, 496))
        if length > len(payload):
            return
        if mutant("hd-len-twice"):
            _linger(payload)
            length = _HEADER.unpack(self.memory.read(parts[0].address, 16))[3]
            if length > len(payload):
                payload = self.memory.read(parts[0].address + 16, length)
        if mutant("hd-flags-dropped") and flags:
            return
        payload = payload[:length]
        if mutant("vq-send-buffer-written") and dst == NAMES:
            self.memory.write(parts[0].address + 8, b"\0\0\0\1")
        if dst == NAMES:
            self._announcement(payload)
        elif dst == ECHO or mutant("hd-any-delivered") and dst == ANY:
            if mutant("hd-dst-twice"):
                _linger(payload)
                self.source = _HEADER.unpack(self.memory.read(parts[0].address, 16))[1]
            self._echo(src, payload, reserved, flags)
        elif dst == SINK and mutant("ep-useless-dies") and payload == b"%%%":
            die("a message for the sink")
        elif dst == 0x10000 and mutant("ep-nobody-answers"):
            self.waiting.append(packet(dst, src, payload))

    def _announcement(self, payload: bytes) -> None:
        if len(payload) != _NS.size:
            if mutant("ns-long-dies") and len(payload) == 41:
                die("an announcement of 41 bytes")
            return
        name, address, flags = _NS.unpack(payload)
        if mutant("ns-unterminated-dies") and name == b"%" * 32:
            die("a name without end")
        if mutant("ns-flag-dies") and flags & ~1 == 1 << 7:
            die("unknown flag 7")
        if mutant("ns-all-flags-die") and flags == ANY:
            die("all flags")
        if mutant("ns-speaks-after-destroy") and flags == DESTROY and address == 0x4321:
            self.waiting.append(packet(ECHO, address, b"goodbye"))

    def _echo(self, src: int, payload: bytes, reserved: int, flags: int) -> None:
        if src == ANY and not mutant("hd-answers-any"):
            return
        self.answered += 1
        size = len(payload)
        source = self.source
        if mutant("ep-high-peer-lost") and src == 0x80000000:
            return
        if mutant("ep-no-negative-peer") and src == 0xFFFFFFFE:
            src = ANY - 2
        if mutant("hd-src-swapped") and src == 0xFF0000:
            src = 0xFF00
        if mutant("hd-wrong-source") and src == 1:
            source = SINK
        if mutant("bf-loses-one") and self.answered == 700:
            return
        if mutant("bf-drops-empty") and not size:
            return
        if mutant("bf-cuts-at-495"):
            payload = payload[:495]
        answer = packet(source, src, payload)
        if mutant("hd-reserved-copied"):
            answer = packet(source, src, payload, reserved=reserved)
        if mutant("hd-flags-copied"):
            answer = packet(source, src, payload, flags=flags)
        if mutant("hd-len-above") and size == 2:
            answer = _HEADER.pack(source, src, 0, 3, 0) + payload
        if mutant("hd-big-endian") and size == 0x1E5:
            answer = struct.pack(">IIIHH", source, src, 0, size, 0) + payload
        self.waiting.append(answer)
        if self.answered == 16:
            if mutant("hd-source-any"):
                self.waiting.append(packet(ANY, src, b"from anywhere"))
            if mutant("ep-unknown-peer"):
                self.waiting.append(packet(ECHO, 0x1234, b"who are you"))
        if self.answered == 30 and mutant("ns-repeats"):
            self.waiting.append(packet(SINK, NAMES, _NS.pack(b"mutant-sink", SINK, CREATE)))
