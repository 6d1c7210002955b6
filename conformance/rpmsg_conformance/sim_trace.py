# SPDX-License-Identifier: BSD-2-Clause
"""What rpmsg-sim saw of a host, from its events: lines for people, packets for a capture file.

The lines are as those of virtio/trace_text.py: "->" is what the suite's side, here the simulator,
did, "<-" what the target did, "!!" what broke a rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from rpmsg_conformance.capture import Packet, note
from rpmsg_conformance.sim import Event
from rpmsg_conformance.virtio import trace_text
from rpmsg_conformance.virtio.codec import Order

#: How many events are shown at most: the last ones.
LIMIT: Final = 400

_QUEUE_TO_HOST, _QUEUE_TO_REMOTE = 0, 1

#: Fields that every line would repeat, or that the line has in words.
_LEFT_OUT: Final = frozenset(("data", "header", "remote"))

#: What the simulator does; the host does the others.
_OWN: Final = frozenset(("sent", "ns", "returned", "fault"))


def lines(events: Sequence[Event]) -> list[str]:
    """The last events, oldest first."""
    shown = events[-LIMIT:]
    if not shown:
        return []
    start = shown[0].time_ns
    left_out = len(events) - len(shown)
    found = [f"{'':14}({left_out} earlier ones are not kept)"] if left_out else []
    found += [f"{(e.time_ns - start) / 1e6:9.3f} ms  {_line(e)}" for e in shown if _worth(e)]
    return found


def packets(events: Sequence[Event]) -> Iterator[Packet]:
    """The last events as packets: messages, and notes for the others."""
    for event in events[-LIMIT:]:
        if event.type in ("message", "sent"):
            to_host = event.type == "sent"
            yield Packet(
                event.time_ns,
                to_host,
                _QUEUE_TO_HOST if to_host else _QUEUE_TO_REMOTE,
                int(event["desc_id"]),
                int(event["desc_len"]),
                int(event.fields.get("used_len", 0)),
                event.header + event.payload,
            )
        elif _worth(event):
            yield note(event.time_ns, _line(event), event.type == "violation")


def _worth(event: Event) -> bool:
    # An announcement is there already, as the message that it went out with.
    return event.type != "ns"


def _line(event: Event) -> str:
    fields = event.fields
    if event.type in ("message", "sent"):
        data = event.header + event.payload
        to_host = event.type == "sent"
        queue = _QUEUE_TO_HOST if to_host else _QUEUE_TO_REMOTE
        where = f"queue {queue}, descriptor {fields['desc_id']}, "
        if to_host:
            where += f"used {fields['used_len']} of {fields['desc_len']}"
        else:
            where += f"{fields['desc_len']} bytes; {fields.get('verdict', '')}".rstrip("; ")
        text = trace_text.message(data, Order.LITTLE, len(data))
        return f"{'->' if to_host else '<-'} {text} ({where})"
    rest = {name: value for name, value in fields.items() if name not in _LEFT_OUT}
    words = ", ".join(f"{name} {_word(value)}" for name, value in rest.items())
    mark = "!!" if event.type == "violation" else "->" if event.type in _OWN else "<-"
    return f"{mark} {event.type.replace('_', ' ')} {words}".rstrip()


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
