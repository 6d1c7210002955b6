# SPDX-License-Identifier: BSD-2-Clause
"""The run as JSON, for programs; schema/report-1.json describes it.

A reader ignores keys that it does not know. A change that an old one would misread raises VERSION.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rpmsg_conformance import __version__
from rpmsg_conformance.catalogue import Requirement
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.json_schema import JsonSchema
from rpmsg_conformance.results import CaseResult, NotRun, RequirementResult, RunResult
from rpmsg_conformance.verdicts import gates

SCHEMA = "rpmsg-conform-report"
VERSION = 1
SCHEMA_FILE = Path(__file__).resolve().parent / "schema" / f"report-{VERSION}.json"

#: No report comes near it, and whatever else somebody names is not read into memory.
SIZE_LIMIT = 256 * 1024 * 1024


class ReportError(Exception):
    """A file is no report that can be read; the message names the file and the mistake."""


def as_object(suite: str, run: RunResult) -> dict[str, Any]:
    """The report as plain objects."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "program": f"rpmsg-conform {__version__}",
        "suite": suite,
        "command": run.command,
        "profile": run.profile,
        "target": dict(run.target),
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "strict": run.strict,
        "exit_code": run.exit_code,
        "counts": {
            "catalogue": run.total_requirements,
            "covered": len(run.requirements) + sum(left.covered for left in run.not_run),
            "run": len(run.requirements),
            "judged": run.judged,
            "cases": len(run.cases),
            "cases_left_out": run.excluded,
            "verdicts": {str(verdict): count for verdict, count in run.counts().items()},
        },
        "requirements": [_requirement(result, run) for result in run.requirements],
        "not_run": [_not_run(left) for left in run.not_run],
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


def load(path: Path) -> dict[str, Any]:
    """Read the report at ``path`` and check it against its schema. Raises ReportError."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise ReportError(f"{path}: larger than {SIZE_LIMIT >> 20} MiB; that is no report")
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise ReportError(f"{path}: not a report of rpmsg-conform (report.json of a run)")
    if report.get("version") != VERSION:
        raise ReportError(
            f"{path}: version {report.get('version')!r} of the report; this program reads "
            f"version {VERSION}"
        )
    problems = schema().problems(report)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ReportError(f"{path}: {problems[0]}{more}")
    return report


def schema() -> JsonSchema:
    """The schema of the reports that this version writes."""
    return JsonSchema(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _requirement(result: RequirementResult, run: RunResult) -> dict[str, Any]:
    return _statement(result.requirement) | {
        "verdict": str(result.verdict),
        "gates": any(gates(case.verdict, run.strict) for case in result.cases),
        "seconds": round(result.seconds, 3),
        "cases": [_case(case, run) for case in result.cases],
    }


def _not_run(left: NotRun) -> dict[str, Any]:
    return _statement(left.requirement) | {"covered": left.covered, "reason": left.reason}


def _statement(requirement: Requirement) -> dict[str, Any]:
    return {
        "id": requirement.id,
        "level": str(requirement.level),
        "side": str(requirement.side),
        "text": requirement.text,
        "detail": requirement.detail,
        "contested": requirement.contested,
        "row": list(requirement.rows),
        "profiles": sorted(requirement.profiles),
        "source": [
            {"document": source.document, "locator": source.locator}
            for source in requirement.sources
        ],
    }


def _case(case: CaseResult, run: RunResult) -> dict[str, Any]:
    deviation = case.deviation
    artefacts = case.artefacts
    files = _files(artefacts)
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
        "messages": case.messages,
        "capture": case.capture or None,
        "console": case.console,
        "traceback": case.traceback,
        "artefacts": str(artefacts) if artefacts is not None else None,
        "files": files,
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


def _files(folder: Path | None) -> list[str]:
    """Names of the files that a case left, in the order of names."""
    try:
        return sorted(entry.name for entry in folder.iterdir()) if folder is not None else []
    except OSError:
        return []
