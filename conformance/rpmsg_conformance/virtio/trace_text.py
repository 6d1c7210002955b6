# SPDX-License-Identifier: BSD-2-Clause
"""Lines for people from what a Trace has kept: one a message, replies and returns with it.

    0.312 ms  -> SET_VRING_NUM queue 1, num 256: accepted
    0.870 ms  -> 0x407 > 0x400, 10 bytes "exchange 1" (queue 1, descriptor 0; returned)
    0.991 ms  <- 0x400 > 0x407, 10 bytes "exchange 1" (queue 0, descriptor 3, used 26 of 512)

Each line begins with the time since the first, then with who spoke: "->" this host, "<-" the
remote, "!!" what is wrong, "--" anything else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.codec import Order, decode_ns, decode_packet
from rpmsg_conformance.virtio.trace import (
    CASE_ENDED,
    Closed,
    Entry,
    Hostile,
    Opened,
    Received,
    Remark,
    Reply,
    Request,
    Returned,
    Sent,
)

#: How much of a payload is shown, in bytes.
_SHOWN: Final = 32

_FEATURES: Final = (c.Request.GET_FEATURES, c.Request.SET_FEATURES)
_PROTOCOL: Final = (c.Request.GET_PROTOCOL_FEATURES, c.Request.SET_PROTOCOL_FEATURES)
_STATUS: Final = (c.Request.GET_STATUS, c.Request.SET_STATUS)

#: Payloads whose length does not depend on what is in them, in bytes.
_SIZES: Final[Mapping[int, int]] = {
    **dict.fromkeys(
        (
            c.Request.SET_FEATURES, c.Request.SET_PROTOCOL_FEATURES, c.Request.SET_STATUS,
            c.Request.SET_VRING_KICK, c.Request.SET_VRING_CALL, c.Request.SET_VRING_ERR,
        ),
        m.U64.size,
    ),
    **dict.fromkeys(
        (
            c.Request.SET_VRING_NUM, c.Request.SET_VRING_BASE, c.Request.GET_VRING_BASE,
            c.Request.SET_VRING_ENABLE,
        ),
        m.VRING_STATE.size,
    ),
    **dict.fromkeys(
        (
            c.Request.GET_FEATURES, c.Request.GET_PROTOCOL_FEATURES, c.Request.SET_OWNER,
            c.Request.RESET_OWNER, c.Request.RESET_DEVICE, c.Request.GET_QUEUE_NUM,
            c.Request.GET_STATUS, c.Request.GET_MAX_MEM_SLOTS,
        ),
        0,
    ),
    c.Request.SET_VRING_ADDR: m.VRING_ADDR.size,
    c.Request.SET_LOG_BASE: m.LOG.size,
    c.Request.ADD_MEM_REG: m.U64.size + m.MEM_REGION.size,
    c.Request.REM_MEM_REG: m.U64.size + m.MEM_REGION.size,
}

#: Requests that carry the number of a queue, and perhaps that no descriptor comes with it.
_RING_FDS: Final = (
    c.Request.SET_VRING_KICK,
    c.Request.SET_VRING_CALL,
    c.Request.SET_VRING_ERR,
)


def lines(entries: Sequence[Entry], before: int = 0) -> list[str]:
    """The entries, oldest first; ``before`` is how many came before them and are not kept."""
    if not entries:
        return []
    start = entries[0].time_ns
    found = [f"{'':14}({before} earlier ones are not kept)"] if before > 0 else []
    found += [
        f"{(entry.time_ns - start) / 1e6:9.3f} ms  {text}"
        for entry, text in with_lines(entries)
        if text is not None
    ]
    return found


def excerpt(messages: Sequence[str], count: int) -> list[str]:
    """The last ``count`` lines up to the end of the case, and a few of what came after it."""
    end = next((n for n, line in enumerate(messages) if line.endswith(CASE_ENDED)), None)
    if end is None or len(messages) - end > 40:
        return list(messages[-count:])
    after = [messages[end], *messages[end + 1 :][-2:]]
    return [*messages[max(0, end - count + 1) : end], *after]


def with_lines(entries: Sequence[Entry]) -> Iterator[tuple[Entry, str | None]]:
    """Each entry with its line, or with None when it is told together with an earlier one."""
    told = _Outcomes(entries)
    several = len({e.connection for e in entries if isinstance(e, (Opened, Request, Sent))}) > 1
    for number, entry in enumerate(entries):
        merged = number in told.merged
        yield entry, None if merged else _line(entry, told.of(number), several)


class _Outcomes:
    """Which reply and which returned buffer belongs to which entry before it."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        #: Entries that are told together with an earlier one.
        self.merged: set[int] = set()
        self._of: dict[int, str] = {}
        asked: dict[int, list[tuple[int, int]]] = {}
        posted: dict[tuple[int, int, int], int] = {}
        for number, entry in enumerate(entries):
            if isinstance(entry, Request):
                request = _answered(entry)
                if request is not None:
                    asked.setdefault(entry.connection, []).append((number, request))
                    self._of[number] = "no answer"
            elif isinstance(entry, Reply):
                waiting = asked.get(entry.connection, [])
                if waiting and waiting[0][1] == entry.request:
                    self._merge(waiting.pop(0)[0], number, _answer(entry))
            elif isinstance(entry, Sent):
                posted[entry.connection, entry.queue, entry.head] = number
                self._of[number] = "not returned"
            elif isinstance(entry, Returned):
                at = posted.pop((entry.connection, entry.queue, entry.head), None)
                if at is not None:
                    used = f" with used length {entry.used}" if entry.used else ""
                    self._merge(at, number, f"returned{used}")

    def of(self, number: int) -> str:
        """What became of an entry."""
        return self._of.get(number, "")

    def _merge(self, earlier: int, later: int, text: str) -> None:
        self._of[earlier] = text
        self.merged.add(later)


def _line(entry: Entry, outcome: str, several: bool) -> str:
    conn = ""
    if several and not isinstance(entry, (Hostile, Remark)):
        conn = f"[{entry.connection}] "
    match entry:
        case Opened():
            return f"-- {conn}connected"
        case Closed(why=why):
            return f"-- {conn}connection {why}"
        case Request():
            return f"-> {conn}{_request(entry)}" + (f": {outcome}" if outcome else "")
        case Reply():
            return f"<- {conn}{_name(entry.request)} {_reply(entry)}"
        case Sent():
            indirect = ", indirect" if entry.indirect else ""
            room = f", {entry.room} bytes" if entry.room != entry.length else ""
            where = f"queue {entry.queue}, descriptor {entry.head}{room}{indirect}; {outcome}"
            return f"-> {conn}{message(entry.data, entry.order, entry.length)} ({where})"
        case Received():
            where = (
                f"queue {entry.queue}, descriptor {entry.head}, "
                f"used {entry.used} of {entry.room}"
            )
            length = min(entry.used, entry.room)
            return f"<- {conn}{message(entry.data, entry.order, length)} ({where})"
        case Returned():
            where = f"queue {entry.queue}, descriptor {entry.head}"
            return f"<- {conn}buffer returned ({where}, used {entry.used})"
        case Hostile():
            words = " ".join(str(part) for part in entry.what)
            return f"-> ring of queue {entry.queue}, by hand: {words}"
        case Remark():
            return ("!! " if entry.wrong else "-- ") + entry.text


def message(data: bytes, order: Order, length: int) -> str:
    """An rpmsg message in words. ``length`` is its real length, if not all of it is in ``data``."""
    packet = decode_packet(data, order)
    header = packet.header
    if header is None:
        return f"{len(data)} bytes, less than a header: {data.hex() or 'none'}"
    parts = [f"{_address(header.src)} > {_address(header.dst)}"]
    name = decode_ns(packet.payload, order) if header.dst == c.ADDR_NS else None
    if name is not None:
        verb = "destroy" if name.flags & c.NS_DESTROY else "create"
        flags = "" if name.flags in (c.NS_CREATE, c.NS_DESTROY) else f" (flags {name.flags:#x})"
        parts.append(f"name service: {verb}{flags} {_quoted(name.name)} at {_address(name.addr)}")
        odd = [str(oddity) for oddity in name.oddities]
    else:
        parts.append(f"{header.len} bytes {payload(packet.payload)}".rstrip())
        odd = []
    there = length - c.RPMSG_HEADER_SIZE
    if header.len != there:
        parts.append(f"but {there} bytes follow the header")
    if header.reserved:
        parts.append(f"reserved {header.reserved:#x}")
    if header.flags:
        parts.append(f"flags {header.flags:#x}")
    return ", ".join(parts + odd)


def payload(data: bytes) -> str:
    """The beginning of a payload: as text where it is text, else as hexadecimal digits."""
    start, more = data[:_SHOWN], "..." if len(data) > _SHOWN else ""
    text = start.rstrip(b"\0")
    if text and all(0x20 <= byte < 0x7F for byte in text):
        zeros = "" if more or len(text) == len(start) else f" and {len(start) - len(text)} zeros"
        return f'"{text.decode("ascii")}"{more}{zeros}'
    return start.hex() + more


def _quoted(name: str) -> str:
    return '"' + name.encode("unicode_escape").decode("ascii") + '"'


def _address(value: int) -> str:
    return "ANY" if value == c.ADDR_ANY else f"{value:#x}"


def _name(request: int) -> str:
    try:
        return c.Request(request).name
    except ValueError:
        return f"request {request}"


def _answered(entry: Request) -> int | None:
    """The request of a message that is to be answered, if it is one whole message."""
    if len(entry.data) < m.HEADER.size:
        return None
    header = m.decode_message_header(entry.data)
    if entry.length != m.HEADER.size + header.size:
        return None
    asks = _name(header.request).startswith("GET_") or header.request == c.Request.SET_LOG_BASE
    return header.request if asks or header.flags & c.NEED_REPLY else None


def _request(entry: Request) -> str:
    data = entry.data
    fds = f", {entry.fds} descriptor{'s' if entry.fds != 1 else ''}" if entry.fds else ""
    if len(data) < m.HEADER.size:
        return f"{entry.length} bytes on the socket: {data.hex()}{fds}"
    header = m.decode_message_header(data)
    rest, there = data[m.HEADER.size :], entry.length - m.HEADER.size
    text = _name(header.request)
    if header.flags & ~c.NEED_REPLY != c.VERSION:
        text += f", flags {header.flags:#x}"
    right = _SIZES.get(header.request)
    if right is not None and there != right:
        text += f" with a payload of {there} bytes instead of {right}:"
    if header.size != there:
        text += f", header says {header.size} bytes of payload, {there} were sent"
    try:
        shown = _fields(header.request, m.decode_payload(header.request, rest))
    except struct.error:
        shown = f"payload {rest[:_SHOWN].hex() or 'empty'}"
    return f"{text} {shown}".rstrip() + fds


def _fields(request: int, fields: dict[str, m.Field]) -> str:
    value = fields.get("u64")
    if isinstance(value, int):
        if request in _RING_FDS:
            none = ", without a descriptor" if value & c.VRING_NO_FD else ""
            return f"queue {value & ~c.VRING_NO_FD}{none}"
        return _bits(request, value)
    return ", ".join(
        f"{name} {field.hex() if isinstance(field, bytes) else _number(name, field)}"
        for name, field in fields.items()
        if name != "padding" or field
    )


def _number(name: str, value: int) -> str:
    plain = name in ("queue", "num", "regions", "bytes", "offset", "region_size")
    return str(value) if plain else f"{value:#x}"


def _bits(request: int, value: int) -> str:
    if request in _STATUS:
        names = [s.name for s in c.Status if value & s]
        unknown = value & ~sum(c.Status)
        names += [f"unknown {unknown:#x}"] if unknown else []
        return f"{value:#x} ({', '.join(names)})" if value else "0 (reset)"
    if request in _FEATURES:
        return f"{value:#x} ({c.names_of(value, c.Feature)})" if value else "0"
    if request in _PROTOCOL:
        return f"{value:#x} ({c.names_of(value, c.ProtocolFeature)})" if value else "0"
    return f"{value:#x}"


def _answer(entry: Reply) -> str:
    """A reply as the end of its request's line."""
    asks = _name(entry.request).startswith("GET_")
    if not asks and len(entry.payload) == m.U64.size:
        value = m.U64.unpack(entry.payload)[0]
        if entry.flags & ~c.NEED_REPLY == c.VERSION | c.REPLY:
            return f"refused with {value:#x}" if value else "accepted"
    return f"answered {_reply(entry)}"


def _reply(entry: Reply) -> str:
    flags = "" if entry.flags & ~c.NEED_REPLY == c.VERSION | c.REPLY else f", flags {entry.flags:#x}"
    fds = f", {entry.fds} descriptors" if entry.fds else ""
    data = entry.payload
    if not data:
        shown = "without a payload"
    elif entry.request == c.Request.GET_VRING_BASE and len(data) == m.VRING_STATE.size:
        queue, index = m.VRING_STATE.unpack(data)
        shown = f"queue {queue}, index {index}"
    elif len(data) == m.U64.size:
        shown = _bits(entry.request, m.U64.unpack(data)[0])
    else:
        shown = f"{len(data)} bytes {data[:_SHOWN].hex()}" + ("..." if len(data) > _SHOWN else "")
    return shown + flags + fds
