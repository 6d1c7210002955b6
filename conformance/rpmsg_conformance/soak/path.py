# SPDX-License-Identifier: BSD-2-Clause
"""What the two ways to drive a link have in common: the traffic, and what is done to it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from rpmsg_conformance.soak.counts import Totals
from rpmsg_conformance.soak.plan import Event, Kind
from rpmsg_conformance.soak.resources import LIMITS, Life, Usage


class SoakFailure(Exception):
    """The link did not come up, or did not come up again; the text says what was waited for."""


class LinkPath(ABC):
    """A link with traffic on it. start(), then wait() and do() in turn, then finish(); close()."""

    name: str
    kinds: Sequence[Kind]
    gap: tuple[float, float]
    """Seconds between two events on average: in the shortest run, and in a long one."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self.problems: list[str] = []
        """What went wrong that no count shows."""
        self.notes: dict[str, object] = {}
        """Further figures for the report."""

    @abstractmethod
    def start(self) -> None:
        """Bring the link up and start the traffic. Raises SoakFailure."""

    @abstractmethod
    def wait(self, until: float) -> None:
        """Keep the traffic going until this time (monotonic)."""

    @abstractmethod
    def do(self, event: Event) -> None:
        """Do this, and return once the traffic goes on. Raises SoakFailure."""

    @abstractmethod
    def totals(self) -> Totals:
        """Counts until now."""

    @abstractmethod
    def finish(self) -> None:
        """End the traffic, having waited for all answers, and the programs. Raises SoakFailure."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, whatever has happened."""

    def look(self) -> None:
        """Look at what the processes have."""
        for life in self.lives:
            life.look()

    def born(self, role: str, pid: int, limits: Usage = LIMITS) -> None:
        """A process to be looked at from now on."""
        self.lives.append(Life(role, pid, limits))


def drive(
    path: LinkPath,
    plan: Sequence[Event],
    seconds: float,
    progress: Callable[[float, dict[str, int]], None],
    every: float,
) -> dict[str, int]:
    """Carry out a plan; returns how often each kind of event was done.

    ``progress`` is called about ``every`` seconds with the time since the start. Raises SoakFailure.
    """
    begun = time.monotonic()
    done: dict[str, int] = {}
    told = begun

    def wait(until: float) -> None:
        nonlocal told
        while time.monotonic() < until:
            path.wait(min(until, told + every))
            if time.monotonic() >= told + every:
                told = time.monotonic()
                progress(told - begun, done)

    for event in plan:
        wait(begun + event.at)
        path.look()
        path.do(event)
        done[event.kind.name] = done.get(event.kind.name, 0) + 1
    wait(begun + seconds)
    path.look()
    path.finish()
    return done
