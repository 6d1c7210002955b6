# SPDX-License-Identifier: BSD-2-Clause
"""The suite is tested itself: remotes with one mistake each, and what the cases make of them.

A mutant is caught when a case of the requirement that it breaks says neither PASS nor INFO nor SKIP.
The verdicts of the cases of other requirements have to be those of the remote without a mistake, but
for the side effects that the mutant's entry states.

Every mutant meets all cases of its own requirement, and one of every other: a run of all cases for
each mutant would take ten times as long.

    scripts/mutants [-n JOBS] [NAME...]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CONFORMANCE: Final = Path(__file__).resolve().parents[1]
MUTANTS: Final = CONFORMANCE / "selftest" / "mutants"

#: Verdicts that find nothing wrong.
CONTENT: Final = frozenset(("PASS", "INFO", "SKIP"))

#: Longest run of the suite against one mutant, in seconds.
RUN_SECONDS: Final = 240


class MutationError(Exception):
    """The suite itself did not run as it should."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: how to start the remote that makes it, and what has to come of it."""

    name: str
    requirement: str
    text: str
    launch: str
    also: frozenset[str]


#: Verdicts of cases by name, by requirement, in the order in which the cases ran.
Seen = dict[str, dict[str, str]]


@dataclass
class Judged:
    """A mutant after its run."""

    mutant: Mutant
    caught_by: list[str]
    side_effects: dict[str, str]
    unstated: dict[str, str]

    @property
    def good(self) -> bool:
        """Caught, and nothing unstated happened."""
        return bool(self.caught_by) and not self.unstated

    @property
    def outcome(self) -> str:
        """The last column."""
        if not self.caught_by:
            return "NOT CAUGHT"
        if self.unstated:
            return "UNSTATED " + " ".join(f"{k}={v}" for k, v in sorted(self.unstated.items()))
        return "ok"


def python_remote(name: str | None) -> str:
    """The command that starts the remote in Python with this mistake, or with none."""
    command = f"/usr/bin/python3 -B {MUTANTS / 'remote.py'} {{socket}}"
    return command if name is None else f"{command} --mutant {name}"


def load_mutants() -> list[Mutant]:
    """The mutants of selftest/mutants/table.py."""
    spec = importlib.util.spec_from_file_location("mutant_table", MUTANTS / "table.py")
    assert spec is not None and spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    return [
        Mutant(m.name, m.requirement, m.text, python_remote(m.name), frozenset(m.also))
        for m in table.MUTANTS
    ]


def run_suite(launch: str, select: Sequence[str] = ("*",)) -> Seen:
    """Run the selected cases. Raises MutationError when there is no report."""
    with tempfile.TemporaryDirectory(prefix="rpmsg-mutant-") as folder:
        argv = [sys.executable, "-B", str(CONFORMANCE / "rpmsg-conform"), "remote"]
        argv += ["--launch", launch, "--seed", "1", "--report", folder]
        for pattern in select:
            argv += ["--select", pattern]
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise MutationError(f"{launch}: no end within {RUN_SECONDS} s") from error
        report = Path(folder) / "report.json"
        if done.returncode not in (0, 1) or not report.is_file():
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-12:])
            raise MutationError(f"{launch}: the suite ended with {done.returncode}:\n{tail}")
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return {
        str(requirement["id"]): {str(c["name"]): str(c["verdict"]) for c in requirement["cases"]}
        for requirement in found["requirements"]
    }


def judge(mutant: Mutant, reference: Seen, seen: Seen) -> Judged:
    """Compare a mutant's run with that of the remote without a mistake."""
    own = seen.get(mutant.requirement, {})
    caught = sorted({n.partition("[")[0] for n, verdict in own.items() if verdict not in CONTENT})
    changed = {
        requirement: verdict
        for requirement, cases in seen.items()
        for name, verdict in cases.items()
        if requirement != mutant.requirement and verdict != reference[requirement][name]
    }
    unstated = {k: v for k, v in changed.items() if k not in mutant.also}
    return Judged(mutant, caught, changed, unstated)


def check_reference(seen: Seen) -> None:
    """Raises MutationError when the remote without a mistake is blamed for something."""
    wrong = [
        f"{requirement}: {name} {verdict}"
        for requirement, cases in seen.items()
        for name, verdict in cases.items()
        if verdict not in CONTENT
    ]
    if wrong:
        raise MutationError("the remote without a mistake is blamed: " + "; ".join(wrong))


def judge_all(mutants: Sequence[Mutant], jobs: int, *, others: bool = True) -> list[Judged]:
    """Run the remote without a mistake, then every mutant, ``jobs`` at a time; prints the table.

    Without ``others`` only the requirements that are broken are run. Raises MutationError.
    """
    broken = sorted({mutant.requirement for mutant in mutants})
    reference = run_suite(python_remote(None), ["*"] if others else broken)
    check_reference(reference)
    one_of_each = [next(iter(cases)) for cases in reference.values()] if others else []
    width = max(len(mutant.name) for mutant in mutants)
    print(f"{'MUTANT':{width}}  BREAKS  OUTCOME", flush=True)

    def one(mutant: Mutant) -> Judged:
        seen = run_suite(mutant.launch, [mutant.requirement, *one_of_each])
        return judge(mutant, reference, seen)

    judged = []
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for result in pool.map(one, mutants):
            judged.append(result)
            print_row(result, width)
    return judged


def print_row(result: Judged, width: int) -> None:
    """One mutant of the table."""
    mutant = result.mutant
    print(f"{mutant.name:{width}}  {mutant.requirement}  {result.outcome} ({mutant.text})")
    for name in result.caught_by:
        print(f"{'':{width}}          caught by {name}")
    if result.side_effects:
        effects = " ".join(f"{k}={v}" for k, v in sorted(result.side_effects.items()))
        print(f"{'':{width}}          besides: {effects}")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a mutant is not caught or has an unstated side effect."""
    parser = argparse.ArgumentParser(
        prog="mutants",
        description="Remotes with one mistake each: which case catches it, and what else changes.",
    )
    parser.add_argument("name", nargs="*", help="only these mutants")
    parser.add_argument("--list", action="store_true", help="list the mutants, run nothing")
    parser.add_argument("-n", dest="jobs", type=int, default=2, help="runs at a time (default 2)")
    options = parser.parse_args(argv)
    mutants = load_mutants()
    unknown = set(options.name) - {mutant.name for mutant in mutants}
    if unknown:
        parser.error(f"no mutant {', '.join(sorted(unknown))}; see --list")
    if options.name:
        mutants = [mutant for mutant in mutants if mutant.name in options.name]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name}  {mutant.requirement}  {mutant.text}")
        return 0
    started = time.monotonic()
    try:
        judged = judge_all(mutants, max(1, options.jobs))
    except MutationError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1
    caught = sum(bool(result.caught_by) for result in judged)
    clean = sum(result.good for result in judged)
    requirements = len({result.mutant.requirement for result in judged})
    print(
        f"{len(judged)} mutants of {requirements} requirements: {caught} caught, "
        f"{clean} without unstated side effects; {time.monotonic() - started:.0f} s"
    )
    return 0 if clean == len(judged) else 1


if __name__ == "__main__":
    sys.exit(main())
