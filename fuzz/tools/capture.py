# SPDX-License-Identifier: BSD-2-Clause
"""Traffic of a capture file as operation lists of target remote, as text.

The format of captures is told in sim/daemon/capture.h; rpmsg-sim --capture and rpmsg-conform write it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.tools.oplist import text_of
from fuzz.tools.project import Problem

MAGIC = 0xA1B23C4D
LINK_TYPE = 147
TO_REMOTE = 0
BIG_ENDIAN, NO_MESSAGE = 0x02, 0x08
ADDR_NS = 53
START = "attach input_entries=31 output_entries=31 buffers=16"


@dataclass(frozen=True)
class Message:
    """One message with how it travelled."""

    to_remote: bool
    big_endian: bool
    data: bytes


def messages(path: Path) -> Iterator[Message]:
    """Messages of a capture, in their order; Problem when it is none."""
    data = path.read_bytes()
    if len(data) < 24 or struct.unpack_from("<I", data)[0] != MAGIC:
        raise Problem(f"{path}: no capture of rpmsg-sim: it does not begin as one with nanoseconds")
    if struct.unpack_from("<I", data, 20)[0] != LINK_TYPE:
        raise Problem(f"{path}: its link type is not {LINK_TYPE}")
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        packet = data[at + 16 : at + 16 + size]
        at += 16 + size
        if len(packet) < 16:
            raise Problem(f"{path}: a packet of {len(packet)} bytes at byte {at - size}")
        _, direction, header, _, flags = struct.unpack_from("<BBHBB", packet)
        if not flags & NO_MESSAGE:
            yield Message(direction == TO_REMOTE, bool(flags & BIG_ENDIAN), packet[header:])


def operation(message: Message) -> str:
    """What the host did, or let the remote do, as a line."""
    order = ">" if message.big_endian else "<"
    data = message.data
    if len(data) < 16:
        return f"bytes message={text_of(data)}" if message.to_remote else ""
    source, destination, _, length, _ = struct.unpack_from(f"{order}IIIHH", data)
    payload = data[16 : 16 + length]
    if not message.to_remote:
        if destination == ADDR_NS and len(payload) == 40:
            address, flags = struct.unpack_from(f"{order}II", payload, 32)
            name = payload[:32].split(b"\0")[0]
            verb = "withdraw" if flags & 1 else "announce"
            return f"{verb} address={address} name={text_of(name)}"
        return ""
    if destination == ADDR_NS and len(payload) == 40:
        address, flags = struct.unpack_from(f"{order}II", payload, 32)
        name = payload[:32].split(b"\0")[0]
        words = f"source={source} address={address} flags={flags}"
        return f"name_service {words} name={text_of(name)}"
    return f"message source={source} destination={destination} payload={text_of(payload)}"


def as_lists(path: Path, longest: int = 60) -> list[str]:
    """A capture as lists of at most so many messages each; what comes twice in a row comes once."""
    lists: list[list[str]] = [[]]
    last = ""
    for message in messages(path):
        line = operation(message)
        if not line or line == last:
            continue
        last = line
        if len(lists[-1]) == longest:
            lists.append([])
        lists[-1].append(line)
    texts = []
    for lines in filter(None, lists):
        text = [START, "announce address=1024 name=\"echo\""]
        for line in lines:
            text += [line, "run budget=32", "take", "take queue=1"]
        texts.append("\n".join(text) + "\n")
    if not texts:
        raise Problem(f"{path}: has no message")
    return texts
