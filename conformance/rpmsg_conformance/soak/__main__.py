# SPDX-License-Identifier: BSD-2-Clause
"""The command line of scripts/soak."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rpmsg_conformance import processes
from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import load_bundle, run_script
from rpmsg_conformance.sim import SimulatorError
from rpmsg_conformance.soak.guest_path import GuestPath
from rpmsg_conformance.soak.host_path import HostPath
from rpmsg_conformance.soak.path import LinkPath, SoakFailure, drive
from rpmsg_conformance.soak.plan import Event, make_plan
from rpmsg_conformance.soak.report import Outcome, progress_line

CHECKOUT = Path(__file__).resolve().parents[3]

EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_SIGNAL = 1, 2, 4, 128

#: Length of a run of which nothing else is said.
SECONDS = 60.0

#: An echo that takes longer counts as late. Holds and pauses of the plan last 0.2 s at the most.
LATE_SECONDS = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one soak; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    seconds = 60 * (options.minutes or 0) + (options.seconds or 0) or SECONDS
    if seconds <= 0 or options.late <= 0:
        parser.error("--minutes, --seconds and --late have to be above 0")
    seed = options.seed if options.seed is not None else int(time.time())
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        with processes.guarded():
            path = _make_path(options, seconds, seed)
            gap = min(max(seconds / 40, path.gap[0]), path.gap[1])
            plan = make_plan(path.kinds, seconds, seed, gap)
            if options.plan:
                print("\n".join(event.describe() for event in plan))
                return 0
            outcome = run(path, plan, seconds, seed, options.late)
    except TargetUnreachable as error:
        print(f"soak: {error}", file=sys.stderr)
        return EXIT_UNREACHABLE
    except processes.Interrupted as error:
        return EXIT_SIGNAL + error.number
    text = json.dumps(outcome.as_json(), indent=1)
    name = "soak-" + outcome.path.replace(" ", "-")
    for file in [options.folder / f"{name}.json", *([options.json] if options.json else [])]:
        file.write_text(text + "\n", encoding="utf-8")
    (options.folder / f"{name}.txt").write_text(outcome.table() + "\n", encoding="utf-8")
    print(outcome.table())
    print(f"report: {options.folder}/{name}.txt, .json")
    return EXIT_FAILED if outcome.all_problems() else 0


def run(path: LinkPath, plan: Sequence[Event], seconds: float, seed: int, late: float) -> Outcome:
    """Carry out a plan; what goes wrong is in the outcome."""
    print(f"soak of {path.name}: {seconds:g} s, seed {seed}, {len(plan)} events", flush=True)
    every = 2.0 if seconds <= 60 else 5.0
    done: dict[str, int] = {}
    begun = time.monotonic()

    def progress(gone: float, events: dict[str, int]) -> None:
        done.update(events)
        print(progress_line(gone, path.totals(), events), flush=True)

    try:
        path.start()
        begun = time.monotonic()
        done = drive(path, plan, seconds, progress, every)
    except (SoakFailure, SimulatorError) as error:
        path.problems.append(f"{error}, {time.monotonic() - begun:.1f} s after the start")
    except processes.Interrupted as error:
        # What it has come to by then is worth telling.
        path.problems.append(f"ended early by {error}")
    totals = path.totals()
    gone = time.monotonic() - begun
    path.close()
    return Outcome(path.name, seed, gone, late, totals, path.lives, done, path.problems, path.notes)


def _make_path(options: argparse.Namespace, seconds: float, seed: int) -> LinkPath:
    sim_options = tuple(word for text in options.sim_option for word in text.split(" "))
    if options.guest:
        bundle = load_bundle(run_script(CHECKOUT / "scripts/guest", options.guest))
        qemu = run_script(CHECKOUT / "scripts/qemu", bundle.qemu)
        return GuestPath(
            bundle, qemu, options.programs, options.folder, seconds, seed, options.late, sim_options
        )
    return HostPath(options.programs, options.folder, seed, options.late, sim_options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Numbered messages both ways while either side is broken on purpose.",
        epilog="Exit status: 0 nothing was lost, doubled, reordered or damaged and nothing has grown; "
        "1 something was, or it was ended early; 2 wrong usage; 4 the guest could not be had.",
    )
    parser.add_argument("--minutes", type=float, help=f"how long; default {SECONDS / 60:g}")
    parser.add_argument("--seconds", type=float, help="the same in seconds; both add up")
    parser.add_argument(
        "--guest", metavar="NAME", help="through this guest, as scripts/guest knows it; default: through rpmsg-host"
    )
    parser.add_argument("--seed", type=int, help="of the plan; default: a new one, which is printed")
    parser.add_argument("--plan", action="store_true", help="print what would be done when, and exit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    parser.add_argument(
        "--late", type=float, default=LATE_SECONDS, metavar="S",
        help=f"an echo that takes longer counts as late; default {LATE_SECONDS:g}",
    )
    parser.add_argument(
        "--sim-option", action="append", default=[], metavar="OPTION",
        help="a further option for rpmsg-sim, such as --sim-option=--fault=NAME; may be repeated",
    )
    parser.add_argument(
        "--folder", type=Path, default=CHECKOUT / "build/soak", help="for logs and results; default build/soak"
    )
    parser.add_argument(
        "--programs", type=Path, default=CHECKOUT / "build/release/bin", help="folder of the programs"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
