# SPDX-License-Identifier: BSD-2-Clause
"""How a case says what it expected and what it saw, and how it can end otherwise.

An unmet expectation is a statement about the target. Every other exception that leaves a case is
the suite's own fault, unless it is one of the endings named here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final


class Unmet(AssertionError):
    """The target did not do what the requirement says."""

    def __init__(self, expected: str, observed: str) -> None:
        super().__init__(f"expected {expected}; observed {observed}")
        self.expected = expected
        self.observed = observed


class Misbehaved(Exception):
    """Beside what the case judges the target broke a rule, or its kernel complained.

    It fails the case whatever the level of its requirement.
    """

    def __init__(self, observed: str) -> None:
        super().__init__(observed)
        self.observed = observed


class TargetDied(Exception):
    """What is judged ended, crashed, or a sanitizer has reported something."""


class TargetWedged(Exception):
    """What is judged lives, but no longer serves."""


class GuestDied(TargetDied):
    """The guest ended: its QEMU exited, or the agent's connection was closed."""


class GuestWedged(TargetWedged):
    """The guest's agent, or the link that it serves, no longer answers."""


class TargetUnreachable(Exception):
    """The target never came up, so that nothing can be said about it."""


class CaseTimeout(Exception):
    """The case did not end within its own deadline."""


class Blocked(Exception):
    """The case could not be run, for a reason that lies outside of it."""


class NotApplicable(Exception):
    """What the case is about cannot be had from this target, and need not be: it is skipped."""


#: What a peer can do about something that it has to turn down, for people who read it for the
#: first time. The words themselves are what cases name and baselines look for.
REACTIONS: Final = {
    "refused": "answers with an error",
    "closed": "ends this connection",
    "accepted": "says that all is well",
    "unanswered": "does not answer, and nothing comes of it",
    "ignored": "goes on as if nothing had been",
    "queue-broken": "reports an error of the queue, or asks for a reset",
    "stopped": "serves this queue no more until a reset",
    # Of a host, of which more can be seen.
    "delivered": "gives the message to its endpoint as it was sent",
    "cut": "gives a part of the message to its endpoint",
    "dropped": "gives the message to nobody, and goes on",
    "garbled": "gives its endpoint bytes that are not of this message",
    "leaked": "gives its endpoint bytes of another endpoint's messages",
    "channel": "makes the channel that was announced",
    "other-channel": "makes a channel of another name or address",
    "no-channel": "makes no channel",
    "kept": "leaves all its channels and devices as they are",
    "removed": "removes one channel",
    "removed-more": "removes more than one channel",
    "removed-internal": "removes a device of its own that is no channel of the remote's",
    "repeated": "gives its endpoint messages of before once more",
    "goes-on": "serves this device as before",
    "link-lost": "serves this device no more; the next one is served",
    "deaf": "still sends, but hears nothing more from this device",
    "stands-still": "does nothing more at all",
}


def reaction_text(name: str) -> str:
    """A reaction with what it means: ``refused (answers with an error)``."""
    meaning = REACTIONS.get(name)
    return name if meaning is None else f"{name} ({meaning})"


def expect_reaction(seen: str, allowed: Collection[str]) -> None:
    """Raise Unmet unless what was seen is one of the allowed reactions."""
    if seen not in allowed:
        listed = ", ".join(reaction_text(name) for name in sorted(allowed))
        raise Unmet(f"one of: {listed}" if len(allowed) > 1 else listed, reaction_text(seen))


def expect(condition: bool, *, expected: str, observed: object) -> None:
    """Raise Unmet with ``expected`` and ``observed`` unless ``condition`` holds."""
    if not condition:
        raise Unmet(expected, str(observed))


def expect_equal(what: str, observed: object, expected: object) -> None:
    """Raise Unmet unless ``observed`` equals ``expected``; ``what`` names the thing compared.

    Of long lists the message shows where they first differ.
    """
    if observed == expected:
        return
    if isinstance(observed, list) and isinstance(expected, list) and len(expected) > 8:
        raise _difference(what, observed, expected)
    raise Unmet(f"{what} = {shorten(expected)}", f"{what} = {shorten(observed)}")


def _difference(what: str, observed: list[object], expected: list[object]) -> Unmet:
    for number, (seen, wanted) in enumerate(zip(observed, expected)):
        if seen != wanted:
            place = f"{what}, number {number} of"
            return Unmet(
                f"{place} {len(expected)} = {shorten(wanted)}",
                f"{place} {len(observed)} = {shorten(seen)}",
            )
    return Unmet(f"{what}: {len(expected)}", f"{len(observed)}, equal as far as both go")


def shorten(value: object, limit: int = 160) -> str:
    """Text of a value for a message: bytes as hexadecimal, cut at ``limit`` characters."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    if isinstance(value, bytes):
        text = f"{len(value)} bytes {text}"
    return text if len(text) <= limit else text[: limit - 3] + "..."
