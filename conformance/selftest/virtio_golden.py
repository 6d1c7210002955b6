# SPDX-License-Identifier: BSD-2-Clause
"""The golden messages, and what the Python decoders make of one; shared by the golden tests."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from rpmsg_conformance.virtio import codec, golden, messages
from rpmsg_conformance.virtio.constants import NEED_REPLY, REPLY, Request
from rpmsg_conformance.virtio.golden import Golden, Value

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "messages"

ALL = golden.load(FOLDER)


def name(message: Golden) -> str:
    """Name of a message, as the id of its test."""
    return message.name


def of(*formats: str) -> list[Golden]:
    """The messages of these formats."""
    return [message for message in ALL if message.format in formats]


def oddities(message: Golden) -> frozenset[str]:
    """What the file says is odd about a message."""
    return cast(frozenset[str], message.decode.get("oddities", frozenset()))


def decode(message: Golden) -> dict[str, Value]:
    """The fields that rpmsg_conformance.virtio finds, under the names of fixtures/README.md."""
    if message.format == "header":
        return {**codec.decode_header(message.data, message.order)._asdict()}
    if message.format == "packet":
        packet = codec.decode_packet(message.data, message.order)
        fields: dict[str, Value] = {}
        if packet.header is not None:
            fields.update(packet.header._asdict())
        return fields | {"payload": packet.payload, "oddities": _names(packet.oddities)}
    if message.format == "ns":
        ns = codec.decode_ns(message.data, message.order)
        if ns is None:
            return {"oddities": _names((codec.Oddity.NS_SIZE,))}
        return {
            "name": ns.name, "addr": ns.addr, "flags": ns.flags, "oddities": _names(ns.oddities)
        }
    header = messages.decode_message_header(message.data)
    payload = message.data[messages.HEADER.size :]
    assert len(payload) == header.size
    return {
        "request": Request(header.request).name,
        "version": header.version,
        "reply": bool(header.flags & REPLY),
        "need_reply": bool(header.flags & NEED_REPLY),
        "size": header.size,
        **messages.decode_payload(header.request, payload),
    }


def _names(oddities: tuple[codec.Oddity, ...]) -> frozenset[str]:
    return frozenset(oddity.name for oddity in oddities)
