# SPDX-License-Identifier: BSD-2-Clause
"""What a case's end means, by the level of its requirement."""

from __future__ import annotations

import pytest

from rpmsg_conformance.catalogue import Level
from rpmsg_conformance.verdicts import Outcome, Verdict, decide, gates, is_judged, worst


@pytest.mark.parametrize(
    ("level", "met", "unmet"),
    [
        (Level.MUST, Verdict.PASS, Verdict.FAIL),
        (Level.SHOULD, Verdict.PASS, Verdict.WARN),
        (Level.MAY, Verdict.INFO, Verdict.INFO),
        (Level.OBSERVED, Verdict.INFO, Verdict.INFO),
    ],
)
def test_verdicts_follow_the_level(level: Level, met: Verdict, unmet: Verdict) -> None:
    assert (decide(Outcome.MET, level), decide(Outcome.UNMET, level)) == (met, unmet)


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome.DIED, Verdict.DIED),
        (Outcome.WEDGED, Verdict.WEDGED),
        (Outcome.TIMEOUT, Verdict.TIMEOUT),
        (Outcome.SKIPPED, Verdict.SKIP),
        (Outcome.BLOCKED, Verdict.BLOCKED),
        (Outcome.HARNESS, Verdict.HARNESS),
    ],
)
def test_verdicts_of_other_ends_do_not_depend_on_the_level(
    level: Level, outcome: Outcome, verdict: Verdict
) -> None:
    assert decide(outcome, level) is verdict


def test_verdicts_every_outcome_has_one() -> None:
    for outcome in Outcome:
        assert isinstance(decide(outcome, Level.MUST), Verdict)


def test_verdicts_that_gate() -> None:
    assert {verdict for verdict in Verdict if gates(verdict)} == {
        Verdict.FAIL,
        Verdict.WEDGED,
        Verdict.DIED,
        Verdict.TIMEOUT,
        Verdict.BLOCKED,
        Verdict.XPASS,
        Verdict.HARNESS,
    }


def test_verdicts_warn_gates_only_when_strict() -> None:
    assert not gates(Verdict.WARN)
    assert gates(Verdict.WARN, strict=True)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([Verdict.PASS, Verdict.FAIL, Verdict.PASS], Verdict.FAIL),
        ([Verdict.SKIP, Verdict.PASS], Verdict.PASS),
        ([Verdict.XFAIL, Verdict.PASS], Verdict.XFAIL),
        ([Verdict.WARN, Verdict.XFAIL], Verdict.WARN),
        ([Verdict.FAIL, Verdict.DIED, Verdict.WEDGED], Verdict.DIED),
        ([Verdict.HARNESS, Verdict.DIED], Verdict.HARNESS),
        ([Verdict.BLOCKED, Verdict.PASS], Verdict.BLOCKED),
    ],
)
def test_verdicts_requirement_gets_the_worst(verdicts: list[Verdict], expected: Verdict) -> None:
    assert worst(verdicts) is expected


def test_verdicts_every_pair_has_a_worst() -> None:
    for one in Verdict:
        for other in Verdict:
            assert worst([one, other]) is worst([other, one])


def test_verdicts_skip_blocked_and_harness_are_not_judged() -> None:
    assert {verdict for verdict in Verdict if not is_judged(verdict)} == {
        Verdict.SKIP,
        Verdict.BLOCKED,
        Verdict.HARNESS,
    }
