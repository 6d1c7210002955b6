# SPDX-License-Identifier: BSD-2-Clause
"""Print the table. Exit status: 0 every mutant is caught, 1 one is not, 2 wrong usage."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from host_mutants.all_mutants import MUTANTS
from host_mutants.judge import HEAD, judge, judge_without_mistake

from rpmsg_conformance import processes


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="host_mutants", description=__doc__, allow_abbrev=False)
    built = Path(__file__).resolve().parents[3] / "build/dev/bin/rpmsg-sim"
    parser.add_argument(
        "--sim", type=Path, default=Path(os.environ.get("RPMSG_SIM", built)), help="rpmsg-sim"
    )
    parser.add_argument("name", nargs="*", help="violations; default: all")
    options = parser.parse_args()
    for name in options.name:
        if name not in MUTANTS:
            parser.error(f"no mutant is named {name}")
    if not options.sim.exists():
        parser.error(f"{options.sim} does not exist: scripts/build dev, or --sim PATH")
    print(HEAD)
    caught = 0
    chosen = [MUTANTS[name] for name in options.name] or list(MUTANTS.values())
    with processes.guarded():
        reference = judge_without_mistake(options.sim)
        print(reference.line().rstrip())
        for mutant in chosen:
            finding = judge(options.sim, mutant)
            print(finding.line().rstrip(), flush=True)
            caught += not finding.problems
    print(f"{caught} of {len(chosen)} mutants caught with the right requirement")
    return 0 if caught == len(chosen) and not reference.problems else 1


sys.exit(main())
