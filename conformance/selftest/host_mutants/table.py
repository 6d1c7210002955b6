# SPDX-License-Identifier: BSD-2-Clause
"""What a mutant of a host is. The modules of mistakes enter theirs here.

Requirement and level are stated here once more, and not read from the simulator's register: what the
checker says is compared with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rpmsg_conformance.sim import SimulatorClient
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.host import Host


@dataclass(frozen=True)
class Stage:
    """Where a mutant acts: the socket of its rpmsg-sim, and the control socket beside it.

    ``echo`` is the address of the echo service.
    """

    socket: Path
    control: SimulatorClient
    echo: int = 1024

    def running(self, config: Config | None = None) -> Host:
        """A host without a mistake so far, which has seen the echo service (if it can)."""
        host = Host.connect(self.socket, config)
        if host.session.features & 1:
            host.wait_for_channel("echo", self.echo)
        return host


#: The mistake; returns or raises whenever it is made. What it leaves open is closed by the judge.
Mistake = Callable[[Stage], Host | None]


@dataclass(frozen=True)
class Mutant:
    """One mistake, and what the checker has to say about it.

    ``also`` are violations that the same bytes have to be blamed for as well; ``options`` are those
    of the rpmsg-sim that it acts on.
    """

    violation: str
    requirement: str
    must: bool
    text: str
    mistake: Mistake
    also: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


MUTANTS: Final[dict[str, Mutant]] = {}

#: Entries of the register that no host can be made to break on a real link, and why.
WITHOUT_MUTANT: Final[dict[str, str]] = {}


def must(
    violation: str, requirement: str, *, also: tuple[str, ...] = (), options: tuple[str, ...] = ()
) -> Callable[[Mistake], Mistake]:
    """Enter a function into the table: a host that breaks a MUST. Its docstring says how."""
    return _entry(violation, requirement, True, also, options)


def should(
    violation: str, requirement: str, *, also: tuple[str, ...] = (), options: tuple[str, ...] = ()
) -> Callable[[Mistake], Mistake]:
    """Enter a function into the table: a host that does not do what it SHOULD."""
    return _entry(violation, requirement, False, also, options)


def _entry(
    violation: str, requirement: str, grave: bool, also: tuple[str, ...], options: tuple[str, ...]
) -> Callable[[Mistake], Mistake]:
    def enter(mistake: Mistake) -> Mistake:
        if violation in MUTANTS:
            raise ValueError(f"{violation} has a mutant already")
        text = " ".join((mistake.__doc__ or "").split()).rstrip(".")
        MUTANTS[violation] = Mutant(violation, requirement, grave, text, mistake, also, options)
        return mistake

    return enter
