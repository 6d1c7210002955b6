# SPDX-License-Identifier: BSD-2-Clause
"""The run as one page for people, made from the report as report_json has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rpmsg_conformance import pages
from rpmsg_conformance.catalogue import Level
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.results import (
    EXIT_GATING,
    EXIT_HARNESS,
    EXIT_NOTHING_RUN,
    EXIT_OK,
    EXIT_UNREACHABLE,
)
from rpmsg_conformance.verdicts import Verdict, is_judged, severity

Report = Mapping[str, Any]

#: Parts of the bar, in its order: name, what it is called, verdicts.
_PARTS: Sequence[tuple[str, str, frozenset[Verdict]]] = (
    (
        "failed",
        "failed",
        frozenset({Verdict.FAIL, Verdict.WEDGED, Verdict.DIED, Verdict.TIMEOUT, Verdict.XPASS}),
    ),
    ("blocked", "not testable", frozenset({Verdict.BLOCKED, Verdict.HARNESS})),
    ("warned", "warned", frozenset({Verdict.WARN})),
    ("known", "known deviation", frozenset({Verdict.XFAIL})),
    ("passed", "passed", frozenset({Verdict.PASS})),
    ("recorded", "recorded", frozenset({Verdict.INFO})),
    ("skipped", "does not apply", frozenset({Verdict.SKIP})),
)

_TARGET_NAMES = ("name", "guest", "remote")


def as_page(report: Report) -> str:
    """The page. The report has to fit its schema."""
    requirements = [_requirement(entry) for entry in report["requirements"]]
    attention = sorted(
        (entry for entry in requirements if entry["attention"] and not _follows(report, entry)),
        key=lambda entry: -severity(Verdict(entry["verdict"])),
    )
    by_group = [
        {
            "name": prefix,
            "title": title,
            "requirements": _of_group(requirements, prefix),
            "not_run": _of_group(report["not_run"], prefix),
        }
        for prefix, title in pages.GROUPS.items()
    ]
    return pages.render(
        "report.html",
        report=report,
        target_name=target_name(report),
        headline=headline(report),
        alerts=_alerts(report),
        attention=attention,
        by_group=[group for group in by_group if group["requirements"] or group["not_run"]],
        parts=_parts(report),
        table=_level_table(report),
        verdicts=[verdict for verdict in Verdict if report["counts"]["verdicts"].get(verdict)],
        levels=[level for level in Level if any(r["level"] == level for r in requirements)],
    )


def write(path: Path, report: Report) -> None:
    """Write the page to ``path``. Raises OSError."""
    write_whole(path, pages.as_bytes(as_page(report)))


def target_name(report: Report) -> str:
    """What a person would call the target."""
    target: Mapping[str, str] = report["target"]
    for key in _TARGET_NAMES:
        if target.get(key):
            return target[key]
    return next(iter(target.values()), "unknown target")


def headline(report: Report) -> dict[str, str]:
    """How the run ended: a class of the style sheet, a word, and a sentence."""
    judged = f"{report['counts']['judged']} requirements judged"
    failing = sum(entry["gates"] for entry in report["requirements"])
    if report["interrupted"] is not None:
        return _headline("bad", "Interrupted", f"by {report['interrupted']}; what is below was run")
    if report["exit_code"] == EXIT_OK:
        return _headline("good", "Passed", f"{judged}, and none of them fails")
    if report["exit_code"] == EXIT_HARNESS:
        return _headline("bad", "Suite fault", "the suite itself failed; do not trust the verdicts")
    if report["exit_code"] == EXIT_UNREACHABLE:
        return _headline("bad", "Unreachable", "the target cannot be reached, or does not serve a well-formed host")
    if report["exit_code"] == EXIT_NOTHING_RUN:
        return _headline("bad", "Nothing run", "no case was run, which says nothing")
    if report["exit_code"] == EXIT_GATING and failing:
        noun = "requirement fails" if failing == 1 else "requirements fail"
        return _headline("bad", "Failed", f"{failing} {noun} the run; {judged}")
    return _headline("bad", "Failed", f"{judged}; what fails the run is named below")


def _headline(style: str, word: str, sentence: str) -> dict[str, str]:
    return {"style": style, "word": word, "sentence": sentence}


def _requirement(entry: Mapping[str, Any]) -> dict[str, Any]:
    cases = sorted(entry["cases"], key=lambda case: -severity(Verdict(case["verdict"])))
    attention = entry["gates"] or entry["verdict"] == Verdict.WARN
    passed = [case for case in cases if case["verdict"] == Verdict.PASS]
    told = [case for case in cases if case["verdict"] != Verdict.PASS]
    return {**entry, "told": told, "passed": passed, "attention": attention}


def _follows(report: Report, entry: Mapping[str, Any]) -> bool:
    """Whether a requirement was not tested only because the target could not be, at all."""
    return report["unreachable"] is not None and entry["verdict"] == Verdict.BLOCKED


def _of_group(entries: Sequence[Mapping[str, Any]], prefix: str) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if entry["id"].partition("-")[0] == prefix]


def _alerts(report: Report) -> list[tuple[str, str]]:
    """What went wrong outside of the cases: a title and the text."""
    alerts = [("The suite itself", text) for text in report["harness"]]
    alerts += [("Sanity exchange", text) for text in report["sanity"]]
    alerts += [("Stale baseline entry", text) for text in report["baseline"]["stale"]]
    if report["unreachable"] is not None:
        alerts.insert(0, ("Target unreachable", report["unreachable"]))
    return alerts


def _parts(report: Report) -> list[dict[str, Any]]:
    """The parts of the bar that are not empty, with their place and width in per cent."""
    counts = report["counts"]
    sizes = [
        (name, title, sum(counts["verdicts"].get(verdict, 0) for verdict in verdicts))
        for name, title, verdicts in _PARTS
    ]
    sizes.append(("leftout", "not run", counts["covered"] - counts["run"]))
    sizes.append(("nocase", "no case yet", counts["catalogue"] - counts["covered"]))
    sizes = [part for part in sizes if part[2] > 0]
    total = sum(size for _, _, size in sizes)
    parts, start = [], 0.0
    for name, title, size in sizes:
        width = 100 * size / total
        parts.append({"name": name, "title": title, "size": size, "x": start, "width": width})
        start += width
    return parts


def _level_table(report: Report) -> list[dict[str, Any]]:
    """One row a level that occurs, and one for all."""
    run, not_run = report["requirements"], report["not_run"]
    rows = []
    for level in [*Level, None]:
        ran = [entry for entry in run if level in (None, entry["level"])]
        left = [entry for entry in not_run if level in (None, entry["level"])]
        if not ran and not left:
            continue
        verdicts = Counter(Verdict(entry["verdict"]) for entry in ran)
        count = {name: sum(verdicts[v] for v in members) for name, _, members in _PARTS}
        rows.append(
            {
                "level": level,
                "catalogue": len(ran) + len(left),
                "covered": len(ran) + sum(entry["covered"] for entry in left),
                "judged": sum(n for verdict, n in verdicts.items() if is_judged(verdict)),
                "passed": count["passed"],
                "failed": count["failed"],
                "other": len(ran) - count["passed"] - count["failed"],
                "nocase": sum(not entry["covered"] for entry in left),
            }
        )
    return rows
