# SPDX-License-Identifier: BSD-2-Clause
"""JUnit XML, as CI servers read it; the mapping of verdicts is in anchors.md, section B.4."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from rpmsg_conformance.catalogue import Requirement
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.results import CaseResult, RunResult
from rpmsg_conformance.verdicts import Verdict

_FAILURES = frozenset(
    {Verdict.FAIL, Verdict.WEDGED, Verdict.DIED, Verdict.TIMEOUT, Verdict.XPASS}
)
_ERRORS = frozenset({Verdict.BLOCKED, Verdict.HARNESS})
_SKIPPED = frozenset({Verdict.SKIP, Verdict.XFAIL})

#: How many of a case's last messages are told.
MESSAGES = 40

#: Everything that XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def write(path: Path, suite: str, run: RunResult) -> None:
    """Write the run's cases to ``path``. Raises OSError."""
    cases = [(result.requirement, case) for result in run.requirements for case in result.cases]
    verdicts = [case.verdict for _, case in cases]
    problems = list(run.harness) + list(run.sanity)
    problems += [run.baseline.describe(stale) for stale in run.stale]
    if run.unreachable is not None:
        problems.append(run.unreachable)
    failures = sum(verdict in _FAILURES or _strict_warning(run, verdict) for verdict in verdicts)
    root = ElementTree.Element(
        "testsuite",
        name=f"rpmsg-conform.{suite}",
        tests=str(len(cases) + len(problems)),
        failures=str(failures),
        errors=str(sum(verdict in _ERRORS for verdict in verdicts) + len(problems)),
        skipped=str(sum(verdict in _SKIPPED for verdict in verdicts)),
        time=f"{run.seconds:.3f}",
        timestamp=run.started.isoformat(timespec="seconds"),
    )
    properties = ElementTree.SubElement(root, "properties")
    for name, value in sorted(run.target.items()):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    for requirement, case in cases:
        root.append(_case(suite, requirement, case, run))
    for number, problem in enumerate(problems, start=1):
        element = ElementTree.SubElement(
            root, "testcase", classname=f"{suite}.run", name=f"run-{number}", time="0"
        )
        error = ElementTree.SubElement(
            element, "error", type="RUN", message=_clean(problem.partition("\n")[0])
        )
        error.text = _clean(problem)
    ElementTree.indent(root)
    write_whole(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _case(
    suite: str, requirement: Requirement, case: CaseResult, run: RunResult
) -> ElementTree.Element:
    element = ElementTree.Element(
        "testcase",
        classname=f"{suite}.{requirement.id.partition('-')[0]}",
        name=f"{requirement.id} {case.name}",
        time=f"{case.seconds:.3f}",
    )
    properties = ElementTree.SubElement(element, "properties")
    for name, value in (
        ("requirement", requirement.id),
        ("level", str(requirement.level)),
        ("verdict", str(case.verdict)),
        *(("observed", note) for note in case.notes),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    if case.verdict in _FAILURES or _strict_warning(run, case.verdict):
        kind = "failure"
    elif case.verdict in _ERRORS:
        kind = "error"
    elif case.verdict in _SKIPPED:
        reason = case.deviation.reason if case.deviation else case.message
        ElementTree.SubElement(element, "skipped", message=_clean(f"{case.verdict}: {reason}"))
        return element
    else:
        return element
    detail = ElementTree.SubElement(
        element, kind, type=str(case.verdict), message=_clean(case.message.partition("\n")[0])
    )
    detail.text = _clean(
        "\n".join(
            part
            for part in (
                requirement.text,
                f"expected: {case.expected}" if case.expected else "",
                f"observed: {case.observed}" if case.observed else case.message,
                *(case.messages and ["last messages:", *case.messages[-MESSAGES:]]),
                *(case.console and ["console:", *case.console]),
                case.traceback,
                f"repeat: {case.repeat}" if case.repeat else "",
            )
            if part
        )
    )
    return element


def _strict_warning(run: RunResult, verdict: Verdict) -> bool:
    return run.strict and verdict is Verdict.WARN


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
