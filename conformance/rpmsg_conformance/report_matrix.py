# SPDX-License-Identifier: BSD-2-Clause
"""``rpmsg-conform report``: several runs side by side, or the page of one run once more."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpmsg_conformance import pages, report_html, report_json
from rpmsg_conformance.catalogue import Level
from rpmsg_conformance.coverage import CONFORMANCE
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.report_html import Report
from rpmsg_conformance.report_json import ReportError
from rpmsg_conformance.results import EXIT_OK, EXIT_USAGE
from rpmsg_conformance.verdicts import Verdict, is_judged

#: What a cell says when the run has no verdict for the requirement.
NOT_RUN, NOT_THERE = "not run", "not there"


@dataclass(frozen=True)
class Column:
    """One run."""

    name: str
    report: Report

    @property
    def counts(self) -> str:
        """Its verdicts in one line."""
        verdicts: Mapping[str, int] = self.report["counts"]["verdicts"]
        return ", ".join(f"{verdicts[v]} {v}" for v in Verdict if v in verdicts) or "nothing run"


@dataclass(frozen=True)
class Cell:
    """What one run says about one requirement."""

    verdict: str
    remark: str = ""


@dataclass(frozen=True)
class Line:
    """One requirement, with a cell for each run."""

    requirement: Mapping[str, Any]
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        """Whether runs that judged it disagree."""
        seen = {
            cell.verdict
            for cell in self.cells
            if cell.verdict in Verdict.__members__ and is_judged(Verdict(cell.verdict))
        }
        return len(seen) > 1


def columns(named: Sequence[tuple[Path, Report]]) -> list[Column]:
    """The runs under names that tell them apart: targets, with the file where one repeats."""
    names = [report_html.target_name(report) for _, report in named]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    return [
        Column(f"{name} ({path})" if name in repeated else name, report)
        for name, (path, report) in zip(names, named, strict=True)
    ]


def lines(runs: Sequence[Column]) -> list[Line]:
    """All requirements that any of the runs knows, by group and number."""
    known: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        for entry in [*run.report["requirements"], *run.report["not_run"]]:
            known.setdefault(entry["id"], entry)
    cells = [_cells(run.report) for run in runs]
    order = list(pages.GROUPS)

    def place(name: str) -> tuple[int, str]:
        prefix = name.partition("-")[0]
        return (order.index(prefix) if prefix in order else len(order), name)

    return [
        Line(known[name], tuple(column.get(name, Cell(NOT_THERE)) for column in cells))
        for name in sorted(known, key=place)
    ]


def as_text(runs: Sequence[Column]) -> str:
    """The runs, and the requirements about which they disagree."""
    rows = lines(runs)
    text = [f"{number}  {run.name}: {run.counts}" for number, run in enumerate(runs, start=1)]
    different = [row for row in rows if row.differs]
    text += ["", f"{len(different)} of {len(rows)} requirements differ"]
    if different:
        heads = "".join(f"  {number:<9}" for number in range(1, len(runs) + 1))
        text.append(f"{'ID':6}  {'level':8}{heads}  requirement")
    for row in different:
        verdicts = "".join(f"  {cell.verdict:<9}" for cell in row.cells)
        requirement = row.requirement
        text.append(
            f"{requirement['id']:6}  {requirement['level']:8}{verdicts}  {requirement['text']}"
        )
    return "".join(str(pages.visible(line)) + "\n" for line in text)


def as_page(runs: Sequence[Column]) -> str:
    """The matrix as one HTML page."""
    rows = lines(runs)
    shown = [row for row in rows if any(c.verdict in Verdict.__members__ for c in row.cells)]
    prefixes = dict.fromkeys(row.requirement["id"].partition("-")[0] for row in shown)
    return pages.render(
        "matrix.html",
        runs=runs,
        total=len(rows),
        shown=len(shown),
        different=sum(row.differs for row in shown),
        by_group=[
            {
                "name": prefix,
                "title": pages.GROUPS.get(prefix, "Others"),
                "rows": [r for r in shown if r.requirement["id"].startswith(prefix + "-")],
            }
            for prefix in prefixes
        ],
        levels=[level for level in Level if any(r.requirement["level"] == level for r in shown)],
        not_run=NOT_RUN,
        not_there=NOT_THERE,
    )


def _cells(report: Report) -> dict[str, Cell]:
    cells = {entry["id"]: Cell(NOT_RUN, entry["reason"]) for entry in report["not_run"]}
    for entry in report["requirements"]:
        remarks = [
            f"{case['name']}: {case['message'] or '; '.join(case['notes'])}"
            for case in entry["cases"]
            if case["verdict"] == entry["verdict"] and (case["message"] or case["notes"])
        ]
        cells[entry["id"]] = Cell(entry["verdict"], "\n".join(remarks))
    return cells


def add_command(commands: Any) -> None:
    """Add ``report`` to the subcommands of a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "report",
        help="put the reports of several runs side by side",
        description="Put several report.json side by side: requirements by implementations, with "
        "the differences marked. Of a single one, make its page again.",
        allow_abbrev=False,
    )
    parser.add_argument("reports", metavar="REPORT.json", type=Path, nargs="+")
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=CONFORMANCE.parent / "build/matrix",
        help="where index.html goes (default: build/matrix)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """``rpmsg-conform report``; returns the exit status."""
    try:
        named = [(path, report_json.load(path)) for path in options.reports]
    except ReportError as error:
        print(f"rpmsg-conform: {error}", file=sys.stderr)
        return EXIT_USAGE
    runs = columns(named)
    page = as_page(runs) if len(runs) > 1 else report_html.as_page(runs[0].report)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        write_whole(options.output / "index.html", pages.as_bytes(page))
    except OSError as error:
        print(f"rpmsg-conform: --output {options.output}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    sys.stdout.write(as_text(runs))
    print(f"page: {options.output / 'index.html'}")
    return EXIT_OK
