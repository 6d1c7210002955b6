# SPDX-License-Identifier: BSD-2-Clause
"""``rpmsg-conform check-catalogue``: catalogue, cases, stated holes and C code fit together."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rpmsg_conformance import catalogue, coverage
from rpmsg_conformance.catalogue import ID_PATTERN, Catalogue, Level, Side
from rpmsg_conformance.coverage import Citation, CoverageError, Hole
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.results import EXIT_GATING, EXIT_OK, EXIT_USAGE

CHECKOUT = coverage.CONFORMANCE.parent

#: Every ID that ever was in the catalogue; lines are added, never removed.
KNOWN_IDS = CHECKOUT / "fixtures/catalogue-ids.txt"

#: Where C code cites requirements.
C_FOLDERS = ("sim", "fuzz")

#: The file that has to cite some: if none is found there, the search is broken.
C_ANCHOR = Path("sim/wire/violation.h")

_CITED = re.compile(rf"(?<![A-Za-z0-9_-]){ID_PATTERN.pattern}(?![0-9])")
_KNOWN_LINE = re.compile(rf"({ID_PATTERN.pattern})(?:\s+retired:\s+(\S.*))?")

_ID_LIST = re.compile(r"^requirements\s*=\s*\[[^\]]*\]", re.MULTILINE)

_KNOWN_HEAD = """\
# SPDX-License-Identifier: BSD-2-Clause
# Every ID that ever was in conformance/requirements.toml. `rpmsg-conform check-catalogue --record`
# adds new ones. No line is ever removed: an ID that leaves the catalogue gets "retired: REASON"
# behind it, and is not used again.
"""


def check_cases(requirements: Catalogue, cases: Iterable[Citation]) -> Iterator[str]:
    """Cases that cite what the catalogue does not have, or what is not their suite's duty."""
    for case in cases:
        where = f"{case.path}:{case.line}: {case.case}"
        requirement = requirements.get(case.requirement)
        if requirement is None:
            yield f"{where} cites '{case.requirement}', which is not in the catalogue"
        elif case.suite not in coverage.duties(requirement):
            yield (
                f"{where} is a case for a {case.suite}, but {case.requirement} is the duty of a "
                f"{requirement.side}"
            )


def check_holes(
    requirements: Catalogue, cases: Iterable[Citation], holes: Sequence[Hole], path: Path
) -> Iterator[str]:
    """Musts without case and reason; reasons for what needs none, or none any more."""
    covered: dict[tuple[str, Side], Citation] = {}
    for case in cases:
        covered.setdefault((case.requirement, case.suite), case)
    stated: dict[tuple[str, Side], int] = {}
    for hole in holes:
        for name in hole.requirements:
            where = f"{path}:{hole.line}: {name}"
            requirement = requirements.get(name)
            known_case = covered.get((name, hole.suite))
            if requirement is None:
                yield f"{where} is not in the catalogue; delete it from the entry"
            elif hole.suite not in coverage.duties(requirement):
                yield f"{where} is no duty of a {hole.suite}; delete it from the entry"
            elif known_case is not None:
                yield (
                    f"{where} has a case now ({known_case.case} in {known_case.path}): "
                    "rpmsg-conform check-catalogue --record"
                )
            elif (name, hole.suite) in stated:
                yield f"{where} is also in the entry of line {stated[name, hole.suite]}; keep one"
            stated.setdefault((name, hole.suite), hole.line)
    for requirement in requirements.values():
        for suite in coverage.duties(requirement):
            key = (requirement.id, suite)
            if requirement.level is Level.MUST and key not in covered and key not in stated:
                yield (
                    f"{requirement.id} is a must without a case in the {suite} suite: write one, "
                    f"or state in {path} why there is none"
                )


def load_known(path: Path) -> dict[str, str | None]:
    """Every ID that ever was, with the reason why it was retired, or None. Raises CoverageError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CoverageError(f"{path}: cannot be read: {error}") from error
    known: dict[str, str | None] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _KNOWN_LINE.fullmatch(line.strip())
        if match is None:
            raise CoverageError(f"{path}:{number}: not 'ID' or 'ID retired: REASON'")
        name = match.group(1)
        if name in known:
            raise CoverageError(f"{path}:{number}: {name} is there already")
        known[name] = match.group(3)
    return known


def check_known(
    requirements: Catalogue, known: Mapping[str, str | None], path: Path
) -> Iterator[str]:
    """IDs that disappeared, came back, or are not recorded yet."""
    for name, retired in known.items():
        if retired is None and name not in requirements:
            yield (
                f"{name} has left the catalogue; put it back, or write 'retired: REASON' behind it "
                f"in {path}"
            )
        elif retired is not None and name in requirements:
            yield f"{name} was retired ({retired}) and is used again; take a new number"
    for name in requirements:
        if name not in known:
            yield f"{name} is not in {path}: rpmsg-conform check-catalogue --record"


def check_c_code(requirements: Catalogue, checkout: Path) -> Iterator[str]:
    """IDs in C files that the catalogue does not have."""
    anchored = False
    for folder in C_FOLDERS:
        for path in sorted((checkout / folder).rglob("*.[ch]")):
            text = path.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), start=1):
                for match in _CITED.finditer(line):
                    anchored |= path == checkout / C_ANCHOR
                    if match.group() not in requirements:
                        yield f"{path}:{number}: {match.group()} is not in the catalogue"
    if not anchored:
        yield f"{checkout / C_ANCHOR} cites no requirement; has it moved?"


def check(checkout: Path = CHECKOUT, known_ids: Path = KNOWN_IDS) -> list[str]:
    """Everything that does not fit together. Raises CatalogueError."""
    folder = checkout / "conformance"
    requirements, cases, holes = coverage.read(folder)
    return [
        *check_cases(requirements, cases),
        *check_holes(requirements, cases, holes, folder / "uncovered.toml"),
        *check_known(requirements, load_known(known_ids), known_ids),
        *check_c_code(requirements, checkout),
    ]


def record(requirements: Catalogue, path: Path) -> list[str]:
    """Add the catalogue's new IDs to the list at ``path``, and return them.

    Raises CoverageError and OSError.
    """
    known = load_known(path) if path.exists() else {}
    new = [name for name in requirements if name not in known]
    lines = [
        name if known.get(name) is None else f"{name} retired: {known[name]}"
        for name in sorted({*known, *new})
    ]
    write_whole(path, (_KNOWN_HEAD + "\n".join(lines) + "\n").encode("utf-8"))
    return new


def drop_covered(cases: Iterable[Citation], holes: Sequence[Hole], path: Path) -> list[str]:
    """Take out of the entries at ``path`` what has cases now, and return it. Raises OSError."""
    covered = {(case.requirement, case.suite) for case in cases}
    text = path.read_text(encoding="utf-8").splitlines(keepends=True)
    starts = [hole.line - 1 for hole in holes] + [len(text)]
    kept, dropped = text[: starts[0]], []
    for hole, start, end in zip(holes, starts, starts[1:], strict=False):
        entry = "".join(text[start:end])
        left = [name for name in hole.requirements if (name, hole.suite) not in covered]
        if len(left) < len(hole.requirements):
            dropped += [name for name in hole.requirements if name not in left]
            names = textwrap.fill(", ".join(f'"{name}"' for name in left), 96)
            names = textwrap.indent(names, "    ")
            entry = _ID_LIST.sub(f"requirements = [\n{names},\n]", entry, count=1)
        if left:
            kept.append(entry)
    if dropped:
        write_whole(path, ("".join(kept).rstrip() + "\n").encode("utf-8"))
    return dropped


def add_command(commands: Any) -> None:
    """Add ``check-catalogue`` to the subcommands of a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check-catalogue",
        help="check that catalogue, cases and code fit together",
        description="Check that every case and every C file cites requirements that exist, that "
        "every must has a case or a stated reason, and that no ID has disappeared. Exit status: "
        "0 all fits, 1 something does not, 2 a file cannot be used.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help=f"first add new IDs to {KNOWN_IDS.relative_to(CHECKOUT)}, and take requirements that "
        "have cases now out of conformance/uncovered.toml",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """``rpmsg-conform check-catalogue``; returns the exit status."""
    try:
        if options.record:
            requirements, cases, holes = coverage.read(coverage.CONFORMANCE)
            for name in record(requirements, KNOWN_IDS):
                print(f"{name}: recorded")
            for name in drop_covered(cases, holes, coverage.CONFORMANCE / "uncovered.toml"):
                print(f"{name}: has a case now")
        problems = check()
    except catalogue.CatalogueError as error:
        print(f"rpmsg-conform: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"rpmsg-conform: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"check-catalogue: {len(problems)} problems", file=sys.stderr)
        return EXIT_GATING
    print("check-catalogue: catalogue, cases, stated holes and code fit together")
    return EXIT_OK
