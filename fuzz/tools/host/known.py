# SPDX-License-Identifier: BSD-2-Clause
"""What is known already: fuzz/known.toml, and what an operation list holds that leads there."""

from __future__ import annotations

import re
import struct
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.tools.oplist import Item
from fuzz.tools.project import Problem

#: Entries of a ring that come from no buffer, or come twice: a kernel gives such a queue up.
RING_LIES = ("used", "again", "index", "scribble", "notify")

#: The shape that every list has.
ANY = "any"

HEADER = 16
PAYLOAD_MAX = 496
NAME = 32

#: Entries by which used.idx goes on beyond any ring, or back.
JUMP = 256

NS_MESSAGE = 40
NS_ADDRESS = 53


def value(item: Item, name: str) -> int:
    """A field as the device takes it; 0 when the operation has none of that name."""
    for field, number in zip(item.operation.fields, item.values, strict=True):
        if field.name == name:
            return number % field.bound if field.bound else number
    return 0


def announcement(item: Item) -> tuple[bytes, int, int] | None:
    """Name, address and flags of what reaches the host's name service, or None."""
    if item.operation.name == "name_service":
        name = item.tail[:NAME].split(b"\0")[0]
        return name, value(item, "address"), value(item, "flags")
    data = b""
    if item.operation.name == "message" and value(item, "dst") == NS_ADDRESS:
        data = item.tail
    elif item.operation.name == "raw" and item.tail[4:8] == NS_ADDRESS.to_bytes(4, "little"):
        data = item.tail[HEADER:]
    if len(data) < NS_MESSAGE:
        return None
    address, flags = struct.unpack_from("<II", data, NAME)
    return data[:NAME].split(b"\0")[0], address, flags


def _withdraws_name_service(item: Item) -> bool:
    said = announcement(item)
    return said is not None and said[:2] == (b"rpmsg_ns", NS_ADDRESS) and bool(said[2] & 1)


def _withdraws(item: Item, name: bytes) -> bool:
    said = announcement(item)
    return said is not None and said[0] == name and bool(said[2] & 1)


def _announces_sample(item: Item) -> bool:
    said = announcement(item)
    return said is not None and said[0] == b"rpmsg-client-sample" and not said[2] & 1


def used_length(item: Item) -> int | None:
    """What the used entry of a receive buffer says; None for operations that use none."""
    name = item.operation.name
    if name == "raw":
        return value(item, "used_len")
    if name == "message":
        return (HEADER + len(item.tail) + value(item, "used_more")) & 0xFFFFFFFF
    if name == "name_service":
        return (HEADER + NS_MESSAGE + value(item, "used_more")) & 0xFFFFFFFF
    if name in ("used", "again") and value(item, "queue") == 0:
        return value(item, "length")
    return None


def _short_used(item: Item) -> bool:
    length = used_length(item)
    return length is not None and length < HEADER


def _malformed(item: Item) -> bool:
    name = item.operation.name
    # What does not fit a buffer is left out, and the header says otherwise.
    cut_off = name == "message" and len(item.tail) > PAYLOAD_MAX
    return name == "raw" or cut_off or bool(value(item, "len_more") or value(item, "used_more"))


def _rewrites(item: Item) -> bool:
    return item.operation.name == "rewrite"


def _ring_lie(item: Item) -> bool:
    return item.operation.name in RING_LIES


def _jumps(item: Item) -> bool:
    return item.operation.name == "index" and value(item, "step") > JUMP


def _uses_output(item: Item) -> bool:
    return item.operation.name in ("return", "serve")


def _no_name_service(item: Item) -> bool:
    return item.operation.name == "offer" and bool(value(item, "without") & 1)


#: What an entry's `when` may name: a list has at least one operation of which this holds.
SHAPES: dict[str, Callable[[Item], bool]] = {
    ANY: lambda item: True,
    "withdraws-rpmsg_ns": _withdraws_name_service,
    "withdraws-rpmsg_ctrl": lambda item: _withdraws(item, b"rpmsg_ctrl"),
    "announces-rpmsg-client-sample": _announces_sample,
    "used-length-below-header": _short_used,
    "malformed-message": _malformed,
    "rewritten-message": _rewrites,
    "ring-lie": _ring_lie,
    "output-held": _uses_output,
    "used-index-jump": _jumps,
    "no-name-service": _no_name_service,
    "offers": lambda item: item.operation.name == "offer",
}


def has(items: Sequence[Item], shape: str) -> bool:
    """Whether an operation of a list has a shape."""
    return shape == ANY or any(SHAPES[shape](item) for item in items)


@dataclass(frozen=True)
class Entry:
    """One thing that is known of guests."""

    requirement: str  #: "" when no requirement speaks of it
    signature: re.Pattern[str]
    when: str
    kills: bool  #: a guest that has met it is of no use any more
    guests: tuple[str, ...]  #: empty: all
    note: str


class Known:
    """The entries for one guest."""

    def __init__(self, entries: Sequence[Entry], guest: str) -> None:
        self.entries = [entry for entry in entries if not entry.guests or guest in entry.guests]

    def find(self, signature: str, items: Sequence[Item]) -> Entry | None:
        """The entry that a finding is, given the list that it came from."""
        for entry in self.entries:
            if entry.signature.search(signature) and has(items, entry.when):
                return entry
        return None

    def deadly(self, item: Item) -> bool:
        """Whether an operation is one that is known to kill the guest."""
        return any(entry.kills and SHAPES[entry.when](item) for entry in self.entries)


def load(path: Path, guest: str) -> Known:
    """The entries of a file; Problem says which is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"{path}: {error}") from None
    entries = []
    for number, fields in enumerate(data.get("known", ()), 1):
        try:
            entry = Entry(
                requirement=str(fields.pop("requirement", "")),
                signature=re.compile(fields.pop("signature")),
                when=fields.pop("when", ANY),
                kills=bool(fields.pop("kills", False)),
                guests=tuple(fields.pop("guests", ())),
                note=str(fields.pop("note")),
            )
        except (KeyError, re.error) as error:
            raise Problem(f"{path}: entry {number}: {error!r}") from None
        if fields or entry.when not in SHAPES:
            wrong = ", ".join(fields) or f"when = {entry.when!r}: there are {', '.join(SHAPES)}"
            raise Problem(f"{path}: entry {number}: {wrong}")
        entries.append(entry)
    return Known(entries, guest)
