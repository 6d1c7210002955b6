# SPDX-License-Identifier: BSD-2-Clause
"""What a run has found: results of cases, of requirements, and of the run."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rpmsg_conformance.baseline import Baseline, Deviation, Stale
from rpmsg_conformance.catalogue import Requirement
from rpmsg_conformance.verdicts import Outcome, Verdict, gates, is_judged, worst

EXIT_OK = 0
EXIT_GATING = 1
EXIT_USAGE = 2
EXIT_HARNESS = 3
EXIT_UNREACHABLE = 4
EXIT_NOTHING_RUN = 5


#: Name of a case's capture file.
CAPTURE = "messages.pcap"


class Evidence(NamedTuple):
    """``messages`` are lines, oldest first; ``capture`` is the name of a file that holds them."""

    messages: list[str]
    capture: str = ""


@dataclass
class CaseResult:
    """One case, judged."""

    name: str
    requirement: str
    outcome: Outcome
    verdict: Verdict
    seconds: float
    message: str = ""
    """Why the case did not simply pass; empty when it did."""
    expected: str = ""
    observed: str = ""
    notes: list[str] = field(default_factory=list)
    """What was seen, where that is worth keeping whatever the verdict."""
    traceback: str = ""
    console: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    """The last messages of the case, decoded, one a line, oldest first."""
    capture: str = ""
    """Name of the file among the artefacts that holds them for Wireshark."""
    artefacts: Path | None = None
    repeat: str = ""
    deviation: Deviation | None = None


@dataclass
class RequirementResult:
    """One requirement, with the results of all its cases that were planned."""

    requirement: Requirement
    cases: list[CaseResult]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the cases."""
        return worst(case.verdict for case in self.cases)

    @property
    def seconds(self) -> float:
        """Time of all cases."""
        return sum(case.seconds for case in self.cases)

    @property
    def remark(self) -> str:
        """What to say beside the verdict: a reason, or what was observed."""
        for case in self.cases:
            if case.verdict is self.verdict and (case.message or case.notes):
                return case.message or "; ".join(case.notes)
        return ""


@dataclass(frozen=True)
class NotRun:
    """A requirement of this side that the run says nothing about, and why."""

    requirement: Requirement
    covered: bool
    """Whether the suite has a case for it."""
    reason: str


@dataclass
class RunResult:
    """A whole run, as the reports show it."""

    target: dict[str, str]
    requirements: list[RequirementResult]
    total_requirements: int
    """Requirements that the catalogue has for this suite's side."""
    excluded: int
    """Cases that were not planned, because of a selection."""
    baseline: Baseline
    stale: list[Stale]
    sanity: list[str]
    """What the sanity exchanges before and after the cases found wrong; empty when nothing."""
    harness: list[str]
    """Faults of the suite outside of any case."""
    unreachable: str | None
    interrupted: str | None
    strict: bool
    started: datetime.datetime
    seconds: float
    report: Path | None = None
    command: str = ""
    """The command line of the run, as a shell would take it."""
    profile: str | None = None
    """The family of implementations that was judged; None when all requirements were asked for."""
    not_run: list[NotRun] = field(default_factory=list)

    @property
    def cases(self) -> list[CaseResult]:
        """All cases, in the order of the requirements."""
        return [case for requirement in self.requirements for case in requirement.cases]

    def counts(self) -> Counter[Verdict]:
        """How many requirements got each verdict."""
        return Counter(requirement.verdict for requirement in self.requirements)

    @property
    def judged(self) -> int:
        """Requirements about which something was learnt."""
        return sum(is_judged(requirement.verdict) for requirement in self.requirements)

    @property
    def exit_code(self) -> int:
        """Exit status of the run (anchors, section B.5)."""
        verdicts = [case.verdict for case in self.cases]
        if self.harness or Verdict.HARNESS in verdicts:
            return EXIT_HARNESS
        if self.unreachable is not None:
            return EXIT_UNREACHABLE
        if not verdicts:
            return EXIT_NOTHING_RUN
        if self.stale or self.sanity or any(gates(v, self.strict) for v in verdicts):
            return EXIT_GATING
        return EXIT_OK
