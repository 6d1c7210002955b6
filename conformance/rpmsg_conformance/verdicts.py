# SPDX-License-Identifier: BSD-2-Clause
"""Verdicts: what a case's end means for the run (anchors.md, section B.4)."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from rpmsg_conformance.catalogue import Level


class Verdict(enum.StrEnum):
    """What is said about a case, and, as the worst of its cases, about a requirement."""

    PASS = "PASS"  #: observed outcome is an allowed one
    FAIL = "FAIL"  #: a must was broken
    WARN = "WARN"  #: a should was broken
    INFO = "INFO"  #: a may or observed requirement: what was seen is recorded
    WEDGED = "WEDGED"  #: the peer lives, but no longer serves after the case
    DIED = "DIED"  #: the peer ended
    TIMEOUT = "TIMEOUT"  #: the case did not end within its own deadline
    SKIP = "SKIP"  #: does not apply to this target
    BLOCKED = "BLOCKED"  #: could not be tested
    XFAIL = "XFAIL"  #: failed exactly as the baseline says
    XPASS = "XPASS"  #: the baseline says that it fails, but it passed
    HARNESS = "HARNESS"  #: the suite's own fault


class Outcome(enum.StrEnum):
    """How a case ended, before the level of its requirement is looked at."""

    MET = "met"
    UNMET = "unmet"
    MISBEHAVED = "misbehaved"
    WEDGED = "wedged"
    DIED = "died"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    HARNESS = "harness"


#: Best first. A requirement gets the worst verdict of its cases; SKIP ranks below PASS because a
#: skipped case next to a passed one leaves the requirement judged.
_RANK: tuple[Verdict, ...] = (
    Verdict.SKIP,
    Verdict.PASS,
    Verdict.INFO,
    Verdict.XFAIL,
    Verdict.WARN,
    Verdict.BLOCKED,
    Verdict.XPASS,
    Verdict.FAIL,
    Verdict.TIMEOUT,
    Verdict.WEDGED,
    Verdict.DIED,
    Verdict.HARNESS,
)

_GATING = frozenset(
    {
        Verdict.FAIL,
        Verdict.WEDGED,
        Verdict.DIED,
        Verdict.TIMEOUT,
        Verdict.BLOCKED,
        Verdict.XPASS,
        Verdict.HARNESS,
    }
)

_NOT_JUDGED = frozenset({Verdict.SKIP, Verdict.BLOCKED, Verdict.HARNESS})


def decide(outcome: Outcome, level: Level) -> Verdict:
    """Verdict of a case that ended with ``outcome`` and tests a requirement of ``level``.

    What may be either way (levels may and observed) is only recorded, but a peer that dies or
    stops serving is never "only recorded", whatever the level.
    """
    if outcome is Outcome.MET:
        return Verdict.PASS if level in (Level.MUST, Level.SHOULD) else Verdict.INFO
    if outcome is Outcome.UNMET:
        if level is Level.MUST:
            return Verdict.FAIL
        return Verdict.WARN if level is Level.SHOULD else Verdict.INFO
    return {
        Outcome.MISBEHAVED: Verdict.FAIL,
        Outcome.WEDGED: Verdict.WEDGED,
        Outcome.DIED: Verdict.DIED,
        Outcome.TIMEOUT: Verdict.TIMEOUT,
        Outcome.SKIPPED: Verdict.SKIP,
        Outcome.BLOCKED: Verdict.BLOCKED,
        Outcome.HARNESS: Verdict.HARNESS,
    }[outcome]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a requirement whose cases have these verdicts. ValueError when none."""
    return max(verdicts, key=_RANK.index)


def severity(verdict: Verdict) -> int:
    """How bad a verdict is beside the others: 0 is the best."""
    return _RANK.index(verdict)


def gates(verdict: Verdict, strict: bool = False) -> bool:
    """Whether the run fails because of this verdict; ``strict`` lets a WARN fail it too."""
    return verdict in _GATING or (strict and verdict is Verdict.WARN)


def is_judged(verdict: Verdict) -> bool:
    """Whether the verdict says something about the target, rather than that nothing was learnt."""
    return verdict not in _NOT_JUDGED
