# SPDX-License-Identifier: BSD-2-Clause
"""What a run does to the link, and when: made from a seed, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One thing that can be done to a link."""

    name: str
    weight: int
    """How often it is drawn, beside the others."""
    ends_process: bool = False
    """Whether a process ends by it, and with it the record of what that process held."""
    queue: bool = False
    """Whether it is done to one of the two queues."""
    milliseconds: tuple[int, int] | None = None
    """Bounds of how long it lasts."""
    seconds: float = 0.0
    """What it takes on a slow machine; the next one waits for it."""


@dataclass(frozen=True)
class Event:
    """One thing that is done."""

    at: float
    """Seconds after the start."""
    kind: Kind
    queue: int
    milliseconds: int

    def describe(self) -> str:
        """The event in one line."""
        text = f"{self.at:8.2f} s  {self.kind.name}"
        if self.kind.queue:
            text += f" queue {self.queue}"
        if self.kind.milliseconds is not None:
            text += f" {self.milliseconds} ms"
        return text


def make_plan(kinds: Sequence[Kind], seconds: float, seed: int, gap: float) -> list[Event]:
    """Events for a run of ``seconds``, ``gap`` seconds apart on average.

    Each kind comes once before one comes twice, as far as there is time. What ends processes comes
    in the first half only.
    """
    draw = random.Random(seed)
    once = list(kinds)
    draw.shuffle(once)
    # Those that have only half the time come first.
    once.sort(key=lambda kind: not kind.ends_process)
    events = []
    at = gap
    while at < seconds - gap / 2:
        early = at < seconds / 2
        allowed = [kind for kind in kinds if early or not kind.ends_process]
        waiting = [kind for kind in once if kind in allowed]
        # All numbers are drawn for each event, so that one kind does not shift the others.
        picked = draw.choices(allowed, [kind.weight for kind in allowed])[0]
        queue, part, distance = draw.randrange(2), draw.random(), draw.uniform(0.5, 1.5)
        kind = waiting[0] if waiting else picked
        if waiting:
            once.remove(kind)
        low, high = kind.milliseconds or (0, 0)
        events.append(Event(round(at, 3), kind, queue, round(low + part * (high - low))))
        at += distance * gap + kind.seconds
    return events
