# SPDX-License-Identifier: BSD-2-Clause
"""Capture files of cases, in the format of rpmsg-sim's: for Wireshark, scripts/wireshark/rpmsg.lua.

libpcap with nanosecond times, link type USER0; each packet is a pseudo-header, notes and a message.
Source: sim/daemon/capture.h, which describes the format, and whose code this file does not use.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rpmsg_conformance.files import write_whole
from rpmsg_conformance.virtio import trace_text
from rpmsg_conformance.virtio.codec import Order
from rpmsg_conformance.virtio.trace import Entry, Received, Remark, Sent

MAGIC_NANOSECONDS: Final = 0xA1B23C4D
LINKTYPE_USER0: Final = 147

_FILE: Final = struct.Struct("<IHHiIII")
_RECORD: Final = struct.Struct("<IIII")
_PSEUDO: Final = struct.Struct("<BBHBBHII")

_TO_REMOTE, _TO_HOST = 0, 1
_BIG_ENDIAN, _INDIRECT, _NO_MESSAGE = 0x02, 0x04, 0x08
_NO_QUEUE, _NO_DESCRIPTOR = 0xFF, 0xFFFF
_NOTE_VIOLATION, _NOTE_TEXT = 1, 7
_SNAPLEN: Final = 1 << 18


class Packet(NamedTuple):
    """One packet of a file. ``notes`` are (type, text); ``message`` None: there is none."""

    time_ns: int
    to_host: bool
    queue: int
    descriptor: int
    room: int
    used: int
    message: bytes | None
    big_endian: bool = False
    indirect: bool = False
    notes: tuple[tuple[int, str], ...] = ()


def of_trace(entries: Sequence[Entry]) -> Iterator[Packet]:
    """Messages of a trace as packets, and all that is no message as notes."""
    for entry, line in trace_text.with_lines(entries):
        big = isinstance(entry, (Sent, Received)) and entry.order is Order.BIG
        match entry:
            case Sent():
                yield Packet(
                    entry.time_ns, False, entry.queue, entry.head, entry.room, 0, entry.data, big,
                    entry.indirect,
                )
            case Received():
                yield Packet(
                    entry.time_ns, True, entry.queue, entry.head, entry.room, entry.used,
                    entry.data, big,
                )
            case _ if line is not None:
                wrong = isinstance(entry, Remark) and entry.wrong
                yield note(entry.time_ns, line, wrong)


def note(time_ns: int, text: str, wrong: bool = False) -> Packet:
    """A packet that only says something; ``wrong`` when it is about a broken rule."""
    kind = _NOTE_VIOLATION if wrong else _NOTE_TEXT
    text = text.removeprefix("!! ")
    return Packet(
        time_ns, text.startswith("<-"), _NO_QUEUE, _NO_DESCRIPTOR, 0, 0, None,
        notes=((kind, text),),
    )


def write(path: Path, packets: Sequence[Packet]) -> None:
    """Write a file. Raises OSError."""
    parts = [_FILE.pack(MAGIC_NANOSECONDS, 2, 4, 0, 0, _SNAPLEN, LINKTYPE_USER0)]
    for packet in packets:
        data = _encode(packet)
        seconds, nanoseconds = divmod(packet.time_ns, 1_000_000_000)
        parts.append(_RECORD.pack(seconds & 0xFFFFFFFF, nanoseconds, len(data), len(data)))
        parts.append(data)
    write_whole(path, b"".join(parts))


def _encode(packet: Packet) -> bytes:
    notes = b""
    for kind, text in packet.notes:
        content = text.encode("utf-8", "replace")[:255]
        notes += bytes((kind, len(content))) + content
    flags = _BIG_ENDIAN * packet.big_endian | _INDIRECT * packet.indirect
    flags |= _NO_MESSAGE * (packet.message is None)
    pseudo = _PSEUDO.pack(
        1,
        _TO_HOST if packet.to_host else _TO_REMOTE,
        _PSEUDO.size + len(notes),
        packet.queue,
        flags,
        packet.descriptor,
        packet.room,
        packet.used & 0xFFFFFFFF,
    )
    return pseudo + notes + (packet.message or b"")
