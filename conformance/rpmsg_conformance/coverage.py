# SPDX-License-Identifier: BSD-2-Clause
"""Which requirements have cases: the table of ``rpmsg-conform coverage``, holes first.

Cases are found by reading the suites' source, so that nothing has to be installed or prepared.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpmsg_conformance import __version__, catalogue, pages, toml_entries
from rpmsg_conformance.catalogue import Catalogue, Level, Requirement, Side
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.plan import Planned
from rpmsg_conformance.results import EXIT_OK, EXIT_USAGE, NotRun

CONFORMANCE = Path(__file__).resolve().parent.parent

_LEVELS = list(Level)


class CoverageError(catalogue.CatalogueError):
    """Sources or the list of holes cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Citation:
    """A case in the source, and the requirement that it says it judges."""

    requirement: str
    case: str
    suite: Side
    path: Path
    line: int


@dataclass(frozen=True)
class Hole:
    """Requirements that a suite has no case for, and why."""

    suite: Side
    requirements: tuple[str, ...]
    reason: str
    line: int


@dataclass(frozen=True)
class Row:
    """One requirement as one suite sees it."""

    requirement: Requirement
    suite: Side
    cases: tuple[str, ...]
    reason: str
    """Why there is no case; empty when there are cases, or when nobody has said."""

    @property
    def status(self) -> str:
        """In one word, for the table."""
        if self.cases:
            return "covered"
        return "stated hole" if self.reason else "hole"


# --- reading ------------------------------------------------------------------------------------


def find_cases(folder: Path, suite: Side) -> list[Citation]:
    """The requirement marks in the cases of ``folder``. Raises CoverageError.

    A mark must name its requirement literally. One that is not a decorator (in a parameter's
    ``marks=``, or ``pytestmark``) belongs to the function or file that it stands in or above.
    """
    found: list[Citation] = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, SyntaxError, ValueError) as error:
            raise CoverageError(f"{path}: cannot be read as Python: {error}") from error
        found += _marks(tree, path.stem, suite, path)
    return found


def _marks(node: ast.AST, owner: str, suite: Side, path: Path) -> Iterable[Citation]:
    for child in ast.iter_child_nodes(node):
        name = owner
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = child.name
        if isinstance(child, ast.Call) and _is_mark(child.func):
            argument = child.args[0] if len(child.args) == 1 else None
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                raise CoverageError(
                    f"{path}:{child.lineno}: write the mark's requirement as one literal ID, "
                    "so that it can be found without running the case"
                )
            yield Citation(argument.value, owner, suite, path, child.lineno)
        yield from _marks(child, name, suite, path)


def _is_mark(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "requirement"
        and isinstance(function.value, ast.Attribute)
        and function.value.attr == "mark"
    )


def load_holes(path: Path) -> list[Hole]:
    """The stated holes in the TOML file at ``path``. Raises CoverageError."""
    entries = toml_entries.load(path, ["uncovered"], CoverageError)["uncovered"]
    return [_parse_hole(entry) for entry in entries]


def _parse_hole(found: toml_entries.Entry) -> Hole:
    entry, where = found.fields, found.where
    if set(entry) != {"suite", "requirements", "reason"}:
        raise CoverageError(f"{where}: the keys are exactly 'suite', 'requirements' and 'reason'")
    if entry["suite"] not in (Side.HOST, Side.REMOTE):
        raise CoverageError(f"{where}: suite {entry['suite']!r} is not 'host' or 'remote'")
    names = toml_entries.strings(entry, "requirements", where, CoverageError)
    reason = toml_entries.string(entry, "reason", where, CoverageError)
    return Hole(Side(entry["suite"]), names, " ".join(reason.split()), found.line)


# --- judging ------------------------------------------------------------------------------------


def duties(requirement: Requirement) -> tuple[Side, ...]:
    """The suites that have to judge the requirement."""
    return (Side.HOST, Side.REMOTE) if requirement.side is Side.BOTH else (requirement.side,)


def table(
    requirements: Catalogue, cases: Iterable[Citation], holes: Iterable[Hole]
) -> list[Row]:
    """One row for each requirement and suite that has to judge it, in the catalogue's order."""
    names: dict[tuple[str, Side], list[str]] = {}
    for case in cases:
        names.setdefault((case.requirement, case.suite), []).append(case.case)
    reasons = {
        (name, hole.suite): hole.reason for hole in holes for name in hole.requirements
    }
    return [
        Row(
            requirement,
            suite,
            tuple(dict.fromkeys(names.get((requirement.id, suite), ()))),
            reasons.get((requirement.id, suite), ""),
        )
        for requirement in requirements.values()
        for suite in duties(requirement)
    ]


def not_run(
    requirements: Catalogue,
    side: Side,
    plan: Sequence[Planned],
    judged: Iterable[str],
    holes: Iterable[Hole],
    profile: str | None = None,
) -> list[NotRun]:
    """The requirements of ``side`` (and of ``profile``, if given) that are not in ``judged``."""
    reasons = {
        name: hole.reason for hole in holes if hole.suite is side for name in hole.requirements
    }
    planned: dict[str, str | None] = {}
    for entry in plan:
        name = entry.case.requirement
        planned[name] = planned.get(name, entry.excluded) and entry.excluded
    done = set(judged)
    left = []
    for requirement in requirements.values():
        if requirement.id in done or side not in duties(requirement):
            continue
        if profile is not None and profile not in requirement.profiles:
            continue
        if requirement.id in planned:
            reason = planned[requirement.id] or "the run ended before its cases"
        else:
            reason = reasons.get(requirement.id, "no case yet")
        left.append(NotRun(requirement, requirement.id in planned, reason))
    return left


def read(folder: Path) -> tuple[Catalogue, list[Citation], list[Hole]]:
    """Catalogue, cases and stated holes of the suites in ``folder``.

    Raises CatalogueError.
    """
    cases = [
        case
        for suite in (Side.HOST, Side.REMOTE)
        for case in find_cases(folder / suite, suite)
    ]
    return (
        catalogue.load(folder / "requirements.toml"),
        cases,
        load_holes(folder / "uncovered.toml"),
    )


# --- showing ------------------------------------------------------------------------------------


def as_text(rows: Sequence[Row]) -> str:
    """The table, holes of musts first, below the numbers of each suite and level."""
    lines = [f"{'suite':8} {'level':8} {'requirements':>12} {'covered':>8} {'holes':>6}"]
    for count in _counts(rows):
        lines.append(
            f"{count['suite']:8} {count['level']:8} {count['all']:12} {count['covered']:8} "
            f"{count['holes']:6}"
        )
    lines += ["", f"{'ID':6}  {'level':8}  {'suite':6}  {'status':11}  requirement"]
    for row in _holes_first(rows):
        requirement = row.requirement
        lines.append(
            f"{requirement.id}  {requirement.level:8}  {row.suite:6}  {row.status:11}  "
            f"{requirement.text}"
        )
        lines += [f"{'':39}{text}" for text in row.cases or (row.reason,) if text]
    return "\n".join(lines) + "\n"


def as_page(rows: Sequence[Row]) -> str:
    """The table as one HTML page."""
    ordered = _holes_first(rows)
    return pages.render(
        "coverage.html",
        program=f"rpmsg-conform {__version__}",
        counts=_counts(rows),
        rows=ordered,
        all_profiles=len(catalogue.PROFILES),
        levels=[level for level in Level if any(r.requirement.level is level for r in rows)],
        suites=[side for side in Side if any(row.suite is side for row in rows)],
        statuses=list(dict.fromkeys(row.status for row in ordered)),
    )


def _holes_first(rows: Sequence[Row]) -> list[Row]:
    order = ("hole", "stated hole", "covered")

    def place(row: Row) -> tuple[bool, int, int]:
        level = _LEVELS.index(row.requirement.level)
        return (bool(row.cases), level, order.index(row.status))

    return sorted(rows, key=place)


def _counts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    counts = []
    for suite in (Side.HOST, Side.REMOTE):
        for level in Level:
            some = [r for r in rows if r.suite is suite and r.requirement.level is level]
            covered = sum(bool(row.cases) for row in some)
            if some:
                counts.append(
                    {
                        "suite": suite,
                        "level": level,
                        "all": len(some),
                        "covered": covered,
                        "holes": len(some) - covered,
                    }
                )
    return counts


def add_command(commands: Any) -> None:
    """Add ``coverage`` to the subcommands of a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "coverage",
        help="which requirements have cases, and which not",
        description="Print the requirements with their cases, holes first.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="write coverage.txt and coverage.html there"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """``rpmsg-conform coverage``; returns the exit status."""
    try:
        rows = table(*read(CONFORMANCE))
        if options.output is None:
            sys.stdout.write(as_text(rows))
            return EXIT_OK
        options.output.mkdir(parents=True, exist_ok=True)
        write_whole(options.output / "coverage.txt", as_text(rows).encode("utf-8"))
        write_whole(options.output / "coverage.html", pages.as_bytes(as_page(rows)))
    except catalogue.CatalogueError as error:
        print(f"rpmsg-conform: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"rpmsg-conform: --output {options.output}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    print(f"coverage: {options.output / 'coverage.html'}, {options.output / 'coverage.txt'}")
    return EXIT_OK
