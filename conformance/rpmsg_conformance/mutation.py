# SPDX-License-Identifier: BSD-2-Clause
"""The suite is tested itself: remotes with one mistake each, and what the cases make of them.

A mutant is caught when a case of the requirement that it breaks finds something wrong. The verdicts
of the cases of other requirements have to be those of the remote without a mistake, but for the side
effects that the mutant's entry states.

Mutants are of two kinds, so that not all of them share one implementation's code: a remote in Python,
and rpmsg-sim with one of its faults. Each kind has a run without a mistake to compare with.

    scripts/mutants [--whole] [-n JOBS] [NAME...]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Final

from rpmsg_conformance import coverage, processes
from rpmsg_conformance.catalogue import Catalogue, Level, Side
from rpmsg_conformance.mutation_run import (
    CONFORMANCE,
    NOTED,
    MutationError,
    Run,
    Seen,
    all_cases,
    load_catalogue,
    run_all,
)
from rpmsg_conformance.plan import Case

MUTANTS: Final = CONFORMANCE / "selftest" / "mutants"

#: Verdicts that find nothing wrong.
CONTENT: Final = frozenset(("PASS", "INFO", "SKIP"))

#: Verdicts that find something wrong. Not among them: BLOCKED, which says that nothing was learnt.
FOUND: Final = frozenset(("FAIL", "WARN", NOTED, "WEDGED", "DIED", "TIMEOUT"))

#: In the place of side effects: no exchange works, so that nothing else can be compared.
EVERYTHING: Final = "*"

PYTHON, SIMULATOR = "python", "rpmsg-sim"


@dataclass(frozen=True)
class Mutant:
    """One mistake: how to start the remote that makes it, and what has to come of it."""

    name: str
    requirement: str
    text: str
    launch: str
    also: frozenset[str]
    kind: str = PYTHON


def _pairs(verdicts: dict[str, str]) -> str:
    """Verdicts by requirement, in one line."""
    return " ".join(f"{name}={verdict}" for name, verdict in sorted(verdicts.items()))


@dataclass
class Judged:
    """A mutant after its run."""

    mutant: Mutant
    caught_by: list[str]
    """Cases of its requirement, without their parameters."""
    own: tuple[int, int]
    """Of so many cases of its requirement, as many found something wrong."""
    side_effects: dict[str, str]
    unstated: dict[str, str]
    once: dict[str, str] = field(default_factory=dict)
    """Unstated in the first of two runs, and not in the second."""

    @property
    def good(self) -> bool:
        """Caught, and nothing unstated happened."""
        return bool(self.caught_by) and not self.unstated

    @property
    def outcome(self) -> str:
        """One word, and what is unstated."""
        if not self.caught_by:
            return "NOT CAUGHT"
        if self.unstated:
            return f"UNSTATED {_pairs(self.unstated)}"
        return f"ok; in one run of two also {_pairs(self.once)}" if self.once else "ok"


def _module(name: str) -> ModuleType:
    """A file of selftest/mutants that holds a table."""
    spec = importlib.util.spec_from_file_location(f"mutants_{name}", MUTANTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python_remote(name: str | None) -> str:
    """The command that starts the remote in Python with this mistake, or with none."""
    command = f"/usr/bin/python3 -B {MUTANTS / 'remote.py'} {{socket}}"
    return command if name is None else f"{command} --mutant {name}"


def find_simulator() -> Path:
    """RPMSG_SIM, else the one of a build tree. Raises MutationError."""
    given = os.environ.get("RPMSG_SIM")
    built = [CONFORMANCE.parent / "build" / preset / "bin/rpmsg-sim" for preset in ("release", "dev")]
    for path in [Path(given)] if given else built:
        if os.access(path, os.X_OK):
            return path.absolute()
    raise MutationError("there is no rpmsg-sim: scripts/build makes one, RPMSG_SIM names another")


def simulator_remote(simulator: Path, profile: str, fault: str | None = None) -> str:
    """The command that starts rpmsg-sim in this dialect with this fault, or with none."""
    # Two services, as the remote in Python has.
    command = f"{simulator} --socket-path {{socket}} --profile {profile} --service other --service echo"
    return command if fault is None else f"{command} --fault {fault}"


def python_mutants() -> list[Mutant]:
    """The mutants of selftest/mutants/table.py."""
    return [
        Mutant(m.name, m.requirement, m.text, python_remote(m.name), frozenset(m.also))
        for m in _module("table").MUTANTS
    ]


def simulator_mutants(simulator: Path) -> list[Mutant]:
    """The mutants of selftest/mutants/faults.py. Raises MutationError for one without entry."""
    done = subprocess.run(
        [simulator, "--list-faults=json"], capture_output=True, text=True, check=True, timeout=30
    )
    known = {str(fault["name"]): fault for fault in json.loads(done.stdout)}
    table = _module("faults")
    entries = {str(entry.option).partition(",")[0].partition("=")[0]: entry for entry in table.FAULTS}
    if known.keys() != entries.keys() | table.OF_THE_HOST.keys():
        odd = sorted(known.keys() ^ (entries.keys() | table.OF_THE_HOST.keys()))
        raise MutationError(f"faults.py and rpmsg-sim --list-faults differ: {', '.join(odd)}")
    return [
        Mutant(
            f"sim:{name}",
            entry.requirement or str(known[name]["requirement"]),
            str(known[name]["text"]),
            simulator_remote(simulator, str(entry.profile), str(entry.option)),
            frozenset(entry.also),
            f"{SIMULATOR} {entry.profile}",
        )
        for name, entry in entries.items()
    ]


def reference_remotes(mutants: Sequence[Mutant], simulator: Path) -> dict[str, str]:
    """The remote without a mistake for each kind of mutant."""
    return {
        kind: python_remote(None)
        if kind == PYTHON
        else simulator_remote(simulator, kind.removeprefix(f"{SIMULATOR} "))
        for kind in dict.fromkeys(mutant.kind for mutant in mutants)
    }


def judge(mutant: Mutant, reference: Seen, seen: Seen) -> Judged:
    """Compare a mutant's run with that of the remote without a mistake."""
    own = seen.get(mutant.requirement, {})
    before = reference.get(mutant.requirement, {})
    caught = [
        name
        for name, verdict in own.items()
        if verdict in FOUND and verdict != before.get(name)
    ]
    changed: dict[str, str] = {}
    if EVERYTHING not in mutant.also:
        for requirement, cases in seen.items():
            for name, verdict in cases.items():
                if requirement == mutant.requirement or verdict == reference[requirement][name]:
                    continue
                if changed.get(requirement) != "HARNESS":
                    changed[requirement] = verdict
    # The suite's own fault is nothing that a mutant may bring about.
    unstated = {k: v for k, v in changed.items() if k not in mutant.also or v == "HARNESS"}
    unstated |= {mutant.requirement: "HARNESS" for verdict in own.values() if verdict == "HARNESS"}
    names = sorted({name.partition("[")[0] for name in caught})
    return Judged(mutant, names, (len(own), len(caught)), changed, unstated)


def check_reference(kind: str, seen: Seen) -> None:
    """Raises MutationError when a remote without a mistake is blamed for something that is not known
    of its dialect."""
    known = _module("faults").PROFILE_DEVIATES.get(kind.rpartition(" ")[2], ())
    wrong = [
        f"{requirement}: {name} {verdict}"
        for requirement, cases in seen.items()
        for name, verdict in cases.items()
        if verdict not in CONTENT and requirement not in known
    ]
    if wrong:
        raise MutationError(f"{kind}: the remote without a mistake is blamed: {'; '.join(wrong)}")


def sample_of(cases: Sequence[Case]) -> frozenset[str]:
    """One case of every requirement: its first."""
    first: dict[str, str] = {}
    for case in cases:
        first.setdefault(case.requirement, case.name)
    return frozenset(first.values())


def runs_for(
    mutants: Sequence[Mutant], references: dict[str, str], cases: frozenset[str] | None
) -> list[Run]:
    """The runs without a mistake, one for each kind, then those of the mutants.

    ``cases`` are those that a mutant meets besides its own requirement's; None: all.
    """
    broken = {mutant.requirement for mutant in mutants}

    def meets(own: set[str], others: bool = True) -> Callable[[Case], bool]:
        return lambda case: case.requirement in own or (
            others and (cases is None or case.name in cases)
        )

    runs = [
        Run(f"{kind} without a mistake", references[kind], meets(broken))
        for kind in dict.fromkeys(mutant.kind for mutant in mutants)
    ]
    return runs + [
        Run(m.name, m.launch, meets({m.requirement}, EVERYTHING not in m.also), m.requirement)
        for m in mutants
    ]


def judge_all(
    mutants: Sequence[Mutant],
    references: dict[str, str],
    jobs: int,
    cases: frozenset[str] | None = None,
    requirements: Catalogue | None = None,
) -> list[Judged]:
    """Run the remotes without a mistake and every mutant, ``jobs`` at a time; tells as they end.

    Raises MutationError when there is no mutant, and when a run says nothing.
    """
    if not mutants:
        raise MutationError("there is no mutant to run")
    kinds = list(dict.fromkeys(mutant.kind for mutant in mutants))
    runs = runs_for(mutants, references, cases)
    found: dict[int, Seen] = {}
    judged: dict[int, Judged] = {}
    begun = time.monotonic()
    for number, seen in run_all(runs, jobs, requirements or load_catalogue()):
        found[number] = seen
        if number < len(kinds):
            check_reference(kinds[number], seen)
        # What there was nothing to compare with until now is judged as well.
        for other in sorted(found.keys() - judged.keys()):
            mutant = mutants[other - len(kinds)] if other >= len(kinds) else None
            outcome = f"{sum(len(names) for names in found[other].values())} cases"
            if mutant is not None:
                reference = found.get(kinds.index(mutant.kind))
                if reference is None:
                    continue
                judged[other] = judge(mutant, reference, found[other])
                outcome += f", {judged[other].outcome}"
            elif other != number:
                continue
            print(
                f"{len(found):3}/{len(runs)} {runs[other].name}: {outcome}; "
                f"{time.monotonic() - begun:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return [judged[len(kinds) + number] for number in range(len(mutants))]


def confirm(judged: Sequence[Judged], again: Callable[[list[Mutant]], list[Judged]]) -> list[Judged]:
    """Ask those with unstated side effects a second time.

    A side effect is something that the mistake brings about each time; what a busy machine does to a
    case for once is none. A mutant that is not caught is not asked again: a case that notices its
    mistake in some runs only is one to mend.
    """
    doubtful = [result.mutant for result in judged if result.caught_by and result.unstated]
    if not doubtful:
        return list(judged)
    seconds = {result.mutant.name: result for result in again(doubtful)}
    confirmed = []
    for first in judged:
        second = seconds.get(first.mutant.name, first)
        once = {k: v for k, v in first.unstated.items() if k not in second.unstated}
        confirmed.append(replace(second, once=once))
    return confirmed


def print_row(result: Judged, width: int) -> None:
    """One mutant of the table."""
    mutant = result.mutant
    print(f"{mutant.name:{width}}  {mutant.requirement}  {result.outcome} ({mutant.text})")
    indent = " " * (width + 10)
    if result.caught_by:
        count, caught = result.own
        print(f"{indent}caught by {caught} of {count} cases: {', '.join(result.caught_by)}")
    if EVERYTHING in mutant.also:
        print(f"{indent}besides: no exchange works, so the others are not compared")
    elif result.side_effects:
        effects = _pairs(result.side_effects)
        print(textwrap.fill(f"besides: {effects}", 110, initial_indent=indent,
                            subsequent_indent=indent + "         "))


def without_mutant(mutants: Sequence[Mutant], requirements: Catalogue) -> dict[str, str]:
    """Musts and shoulds of a remote that no mutant breaks, and why.

    Raises MutationError when no reason is stated, and when one is stated for nothing.
    """
    broken = {mutant.requirement for mutant in mutants}
    judged = {case.requirement for case in all_cases(requirements)}
    holes = {
        name: hole.reason
        for hole in coverage.load_holes(CONFORMANCE / "uncovered.toml")
        if hole.suite is Side.REMOTE
        for name in hole.requirements
    }
    stated: dict[str, str] = dict(_module("table").WITHOUT_MUTANT)
    reasons = {}
    for name, requirement in requirements.items():
        here = requirement.side in (Side.REMOTE, Side.BOTH) or name in judged
        if not here or name in broken or requirement.level not in (Level.MUST, Level.SHOULD):
            continue
        if name not in judged and name in holes:
            reasons[name] = " ".join(holes[name].split())
        elif name in stated:
            reasons[name] = stated.pop(name)
        elif name in judged:
            raise MutationError(f"no mutant breaks {name}, and table.py does not say why")
        # A rule for both sides that only the host's suite judges is not this table's.
    if stated:
        raise MutationError(f"table.py says why nothing breaks {', '.join(stated)}, but it is broken")
    return reasons


def print_table(judged: Sequence[Judged], reasons: dict[str, str], whole: bool) -> None:
    """The whole table, its foot, those with which something is wrong again, and the totals last."""
    width = max(len(result.mutant.name) for result in judged)
    print(f"{'MUTANT':{width}}  BREAKS  OUTCOME")
    for result in judged:
        print_row(result, width)
    print()
    for name, reason in reasons.items():
        print(textwrap.fill(f"No mutant breaks {name}: {reason}", 110, subsequent_indent="    "))
    print(
        "Each mutant met every case of the suite."
        if whole
        else "Each mutant met all cases of its requirement and one of every other (--whole: every case)."
    )
    for result in judged:
        if not result.good or result.once:
            print_row(result, width)
    caught = sum(bool(result.caught_by) for result in judged)
    clean = sum(result.good for result in judged)
    broken = len({result.mutant.requirement for result in judged})
    print(
        f"{len(judged)} mutants of {broken} requirements: {caught} caught "
        f"({100 * caught // len(judged)} %), {clean} of them without unstated side effects"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mutants",
        description="Remotes with one mistake each: which case catches it, and what else changes.",
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="*", help="only these mutants, or requirements")
    parser.add_argument("--list", action="store_true", help="list the mutants, run nothing")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="every case of the suite instead of one of every other requirement: takes ten times as "
        "long, and shows side effects that need not be stated",
    )
    parser.add_argument(
        "-n", dest="jobs", type=int, default=os.cpu_count() or 1, metavar="JOBS",
        help="runs at a time (default: as many as there are processors)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a mutant is not caught or has an unstated side effect."""
    parser = _parser()
    options = parser.parse_args(argv)
    begun = time.monotonic()
    try:
        simulator = find_simulator()
        mutants = python_mutants() + simulator_mutants(simulator)
        requirements = load_catalogue()
        reasons = without_mutant(mutants, requirements)
        unknown = set(options.name) - {m.name for m in mutants} - {m.requirement for m in mutants}
        if unknown:
            parser.error(f"no mutant {', '.join(sorted(unknown))}; see --list")
        if options.name:
            mutants = [m for m in mutants if {m.name, m.requirement} & set(options.name)]
        if options.list:
            for mutant in mutants:
                print(f"{mutant.name}  {mutant.requirement}  {mutant.text}")
            return 0
        cases = None if options.whole else sample_of(all_cases(requirements))
        if options.whole:
            everything = frozenset(requirements)
            mutants = [replace(mutant, also=mutant.also | everything) for mutant in mutants]
        references = reference_remotes(mutants, simulator)
        with processes.guarded():
            jobs = max(1, options.jobs)
            judged = confirm(
                judge_all(mutants, references, jobs, cases, requirements),
                lambda doubtful: judge_all(doubtful, references, 1, cases, requirements),
            )
    except MutationError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1
    except processes.Interrupted as error:
        return 128 + error.number
    print_table(judged, reasons if not options.name else {}, options.whole)
    print(f"{time.monotonic() - begun:.0f} s")
    return 0 if all(result.good for result in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
