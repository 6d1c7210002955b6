# SPDX-License-Identifier: BSD-2-Clause
"""TAP version 14, one test point a case, flat, so that readers of KTAP take it as well.

The mapping of verdicts is in anchors.md, section B.4, but for XFAIL: TAP knows only the directives
SKIP and TODO, and a reader that saw a bare ``not ok`` would fail a run that exits with 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from rpmsg_conformance.catalogue import Requirement
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.results import CaseResult, RunResult
from rpmsg_conformance.verdicts import Verdict, gates

_DIRECTIVES = {
    Verdict.TIMEOUT: "TIMEOUT",
    Verdict.BLOCKED: "ERROR",
    Verdict.HARNESS: "ERROR",
    Verdict.XPASS: "XPASS",
    Verdict.XFAIL: "TODO XFAIL",
    Verdict.SKIP: "SKIP",
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]+")


def as_text(suite: str, run: RunResult) -> str:
    """The whole document."""
    return "\n".join(_lines(suite, run)) + "\n"


def write(path: Path, suite: str, run: RunResult) -> None:
    """Write the run's cases to ``path``. Raises OSError."""
    write_whole(path, as_text(suite, run).encode("utf-8"))


def _lines(suite: str, run: RunResult) -> Iterator[str]:
    cases = [(result.requirement, case) for result in run.requirements for case in result.cases]
    problems = [("harness", text) for text in run.harness]
    problems += [("sanity", text) for text in run.sanity]
    problems += [("baseline", run.baseline.describe(stale)) for stale in run.stale]
    if run.unreachable is not None:
        problems.append(("target", run.unreachable))
    yield "TAP version 14"
    yield f"1..{len(cases) + len(problems)}"
    yield f"# rpmsg-conform {suite}"
    for name, value in sorted(run.target.items()):
        yield f"# {_line(name)}: {_line(value)}"
    for number, (requirement, case) in enumerate(cases, start=1):
        yield from _point(number, requirement, case, run.strict)
    for number, (kind, text) in enumerate(problems, start=len(cases) + 1):
        yield f"not ok {number} - run {kind} # ERROR {_line(text)}"
    if run.interrupted is not None:
        yield f"Bail out! interrupted by {_line(run.interrupted)}"


def _point(number: int, requirement: Requirement, case: CaseResult, strict: bool) -> Iterator[str]:
    verdict = case.verdict
    # With TODO a reader takes "not ok" for expected.
    fine = not gates(verdict, strict) and verdict is not Verdict.XFAIL
    line = f"{'ok' if fine else 'not ok'} {number} - {requirement.id} {_escape(case.name)}"
    directive = _DIRECTIVES.get(verdict)
    if directive is not None:
        reason = case.deviation.reason if case.deviation else case.message
        line += f" # {directive} {_line(reason.partition(chr(10))[0])}".rstrip()
    yield line
    if verdict is Verdict.PASS:
        return
    # JSON values are YAML values, and hold whatever the target sent.
    yield "  ---"
    yield f"  verdict: {verdict}"
    yield f"  level: {requirement.level}"
    yield f"  requirement: {json.dumps(requirement.text)}"
    for key, value in (
        ("message", case.message),
        ("expected", case.expected),
        ("observed", case.observed),
        ("notes", case.notes),
        ("messages", case.messages),
        ("console", case.console),
        ("traceback", case.traceback),
        ("artefacts", str(case.artefacts or "")),
        ("repeat", case.repeat),
    ):
        if value:
            yield f"  {key}: {json.dumps(value)}"
    yield f"  duration_ms: {case.seconds * 1000:.0f}"
    yield "  ..."


def _line(text: str) -> str:
    return _CONTROL.sub(" ", text)


def _escape(description: str) -> str:
    """A description in which nothing is taken for a directive."""
    return _line(description).replace("\\", "\\\\").replace("#", "\\#")
