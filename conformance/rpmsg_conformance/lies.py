# SPDX-License-Identifier: BSD-2-Clause
"""Lies about what was observed: a case that none of them makes fail tests nothing.

While one is told (see self_check), what the guest's agent and the simulator report is changed on its
way to the case. None is told while a run judges a target.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

Message = dict[str, Any]

#: Commands of the agent that ask something of the kernel which a case may judge.
_JUDGED = frozenset(
    "read write poll ioctl open rpmsg_create_ept rpmsg_create_dev rpmsg_release_dev "
    "rpmsg_destroy_ept file_write insmod rmmod wait exchange".split()
)

#: What a reply may be asked for when a failure is turned into a success.
_NOTHING: Message = {
    "ret": 0, "fd": 0, "data": "", "revents": [[]], "entries": [], "signal": None, "wrong": 0
}


def _failure_succeeds(command: str, reply: Message) -> None:
    if command in _JUDGED and not reply.get("ok"):
        reply.update(_NOTHING, ok=True)
        for name in ("errno", "errnum", "error"):
            reply.pop(name, None)


def _success_fails(command: str, reply: Message) -> None:
    if command in _JUDGED and reply.get("ok"):
        reply.update(ok=False, errno="EIO", errnum=5, error="a lie")


def _other_bytes(command: str, reply: Message) -> None:
    if command in ("read", "ioctl") and reply.get("ok") and "data" in reply:
        data = bytes.fromhex(reply["data"])
        reply["data"] = (data[:-1] + bytes([data[-1] ^ 1]) if data else b"\0").hex()
        reply["ret"] = reply.get("ret", 0) + (not data)


def _other_count(command: str, reply: Message) -> None:
    if command in ("write", "exchange", "read") and reply.get("ok"):
        reply["ret"] = reply["ret"] + 1
        reply["wrong"] = 1


def _other_events(command: str, reply: Message) -> None:
    if command == "poll" and reply.get("ok"):
        reply["revents"] = [[] if names else ["in", "out"] for names in reply["revents"]]
        reply["ret"] = sum(bool(names) for names in reply["revents"])


def _paths_inverted(command: str, reply: Message) -> None:
    if command != "wait_path":
        return
    if reply.get("ok"):
        reply.update(ok=False, errno="ETIMEDOUT", errnum=110, error="a lie")
    else:
        reply.update(ok=True, path="/a/lie")


def _other_names(command: str, reply: Message) -> None:
    if command == "list" and reply.get("ok"):
        reply["entries"] = [*reply["entries"][:-1], "rpmsg999999", "ttyRPMSG999"]


def _other_text(command: str, reply: Message) -> None:
    if command == "sysfs_read" and reply.get("ok"):
        reply["data"] = "9" + str(reply["data"])


def _other_channels(command: str, reply: Message) -> None:
    if command == "channels" and reply.get("ok"):
        for channel in reply["channels"]:
            channel["dst"] = (channel["dst"] + 1) & 0xFFFFFFFF
            channel["name"] += "-lie"


def _no_channels(command: str, reply: Message) -> None:
    if command == "channels" and reply.get("ok"):
        reply["channels"] = []


def _slow(command: str, reply: Message) -> None:
    if "t1" in reply:
        reply["t1"] += 60 * 10**9


def _killed(command: str, reply: Message) -> None:
    if command == "wait" and reply.get("ok"):
        reply["signal"] = "SIGILL"


def _other_fields(kind: str, event: Message) -> None:
    for name, value in event.items():
        if isinstance(value, bool):
            event[name] = not value
        elif isinstance(value, int):
            event[name] = value + 1
        elif name in ("data", "header") and isinstance(value, str):
            event[name] = (bytes([int(value[:2], 16) ^ 1]).hex() + value[2:]) if value else "00"
        elif name in ("action", "name"):
            event[name] = f"{value}-lie"
        elif name == "queues" and isinstance(value, list):
            event[name] = [number + 1 for number in value]


def _other_counters(kind: str, stats: Message) -> None:
    features = stats.get("features", {})
    if "acked" in features:
        features["acked"] ^= 1 << 29
    for number, queue in enumerate(stats.get("queues", ())):
        for name in ("kicks", "calls", "popped", "returned"):
            if name in queue:
                queue[name] += _grown() * 1000 * (number + 1)


_looks = 0


def _grown() -> int:
    """More with every look, so that differences change as well."""
    global _looks
    _looks += 1
    return _looks


Lie = Callable[[str, Message], None]

#: By what they say; those of the agent's replies, of the simulator's events, and of its counters.
REPLIES: Mapping[str, Lie] = {
    "a call that failed succeeded": _failure_succeeds,
    "other bytes were read": _other_bytes,
    "poll() reported other events": _other_events,
    "paths that are there are not, and the other way round": _paths_inverted,
    "other channels are there": _other_channels,
    "no channel is there": _no_channels,
    "other names are there": _other_names,
    "sysfs says something else": _other_text,
    "another number was returned": _other_count,
    "every call took a minute": _slow,
    "the process was killed": _killed,
}
#: Much depends on it, so that it says little: it is told last.
LAST: Mapping[str, Lie] = {"a call that succeeded failed": _success_fails}
EVENTS: Mapping[str, Lie] = {"messages had other fields": _other_fields}
NO_EVENTS = "nothing has happened"
COUNTERS: Mapping[str, Lie] = {"the simulator counted something else": _other_counters}

NAMES = (*EVENTS, *COUNTERS, *REPLIES, NO_EVENTS)

#: The lie that is being told, by name.
told: str | None = None


def reply(command: str, message: Message) -> Message:
    """A reply of the agent, as the case gets to see it."""
    return _apply({**REPLIES, **LAST}, command, message)


def event(kind: str, fields: Mapping[str, Any]) -> Message:
    """The fields of one of the simulator's events, as the case gets to see them."""
    return _apply(EVENTS, kind, dict(fields))


def counters(stats: Message) -> Message:
    """The simulator's counters, as the case gets to see them."""
    return _apply(COUNTERS, "stats", stats)


def _apply(lies: Mapping[str, Lie], kind: str, message: Message) -> Message:
    if told is None or told not in lies:
        return message
    changed = copy.deepcopy(message)
    lies[told](kind, changed)
    return changed
