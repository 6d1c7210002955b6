# SPDX-License-Identifier: BSD-2-Clause
"""The run as JSON, for programs. A change that an old reader would misread raises VERSION."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rpmsg_conformance import __version__
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.results import CaseResult, RequirementResult, RunResult

SCHEMA = "rpmsg-conform-report"
VERSION = 1


def as_object(suite: str, run: RunResult) -> dict[str, Any]:
    """The report as plain objects."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "program": f"rpmsg-conform {__version__}",
        "suite": suite,
        "target": dict(run.target),
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "strict": run.strict,
        "exit_code": run.exit_code,
        "counts": {
            "catalogue": run.total_requirements,
            "run": len(run.requirements),
            "judged": run.judged,
            "cases": len(run.cases),
            "cases_left_out": run.excluded,
            "verdicts": {str(verdict): count for verdict, count in run.counts().items()},
        },
        "requirements": [_requirement(result, run) for result in run.requirements],
        "baseline": {
            "file": str(run.baseline.path) if run.baseline.path else None,
            "stale": [run.baseline.describe(stale) for stale in run.stale],
        },
        "sanity": run.sanity,
        "harness": run.harness,
        "unreachable": run.unreachable,
        "interrupted": run.interrupted,
    }


def write(path: Path, suite: str, run: RunResult) -> None:
    """Write the report to ``path``. Raises OSError."""
    text = json.dumps(as_object(suite, run), indent=2, ensure_ascii=False)
    write_whole(path, text.encode("utf-8", errors="backslashreplace") + b"\n")


def _requirement(result: RequirementResult, run: RunResult) -> dict[str, Any]:
    requirement = result.requirement
    return {
        "id": requirement.id,
        "level": str(requirement.level),
        "side": str(requirement.side),
        "text": requirement.text,
        "row": list(requirement.rows),
        "profiles": sorted(requirement.profiles),
        "source": [
            {"document": source.document, "locator": source.locator}
            for source in requirement.sources
        ],
        "verdict": str(result.verdict),
        "seconds": round(result.seconds, 3),
        "cases": [_case(case, run) for case in result.cases],
    }


def _case(case: CaseResult, run: RunResult) -> dict[str, Any]:
    deviation = case.deviation
    artefacts = case.artefacts
    if artefacts is not None and run.report is not None and artefacts.is_relative_to(run.report):
        artefacts = artefacts.relative_to(run.report)
    return {
        "name": case.name,
        "verdict": str(case.verdict),
        "outcome": str(case.outcome),
        "seconds": round(case.seconds, 3),
        "message": case.message,
        "expected": case.expected,
        "observed": case.observed,
        "notes": case.notes,
        "console": case.console,
        "traceback": case.traceback,
        "artefacts": str(artefacts) if artefacts is not None else None,
        "repeat": case.repeat,
        "deviation": None
        if deviation is None
        else {
            "reason": deviation.reason,
            "function": deviation.function,
            "link": deviation.link,
            "line": deviation.line,
        },
    }
