# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-fuzz host: command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rpmsg_conformance import processes
from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import load_bundle, run_script

from fuzz.tools import oplist
from fuzz.tools.host import campaign as loop
from fuzz.tools.host.campaign import Campaign, Setup, Tally
from fuzz.tools.host.device import DeviceError, schema_of
from fuzz.tools.host.known import load
from fuzz.tools.project import FUZZ, ROOT, WORK, Problem

PROGRAM = "rpmsg-fuzz host"

#: Devices plugged side by side.
WIDTH = 4

#: Seconds between two lines about how far it is.
REPORT_SECONDS = 10.0

#: What the guest is given for each step, relative to what the conformance suite gives it.
PATIENCE = 0.5

EXIT_CLEAN, EXIT_FOUND, EXIT_USAGE, EXIT_BROKEN = 0, 1, 2, 3


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Attack a real kernel in QEMU from the device's side: rounds of plug, attack, probe and "
        "unplug in a warm guest. A finding that is not in fuzz/known.toml is shrunk to the shortest list of "
        "operations that shows it, and kept in a folder of its own.",
        epilog="The status is 0 when nothing new was found, 1 when something was, 2 when the command line is "
        "wrong, 3 when there is no guest to be had.",
    )
    parser.add_argument("--guest", required=True, metavar="NAME", help="guest as scripts/guest --list has it")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="its bundle; default: what scripts/guest prints")
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="stop after so long (default 60)")
    parser.add_argument("--runs", type=_count, metavar="N", help="stop after so many rounds")
    parser.add_argument("--seed", type=int, metavar="N", help="of the random numbers; default: the time")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="lists to begin with; it grows")
    parser.add_argument("--findings", type=Path, metavar="DIR", help="where findings go (default: findings)")
    parser.add_argument("--known", type=Path, metavar="FILE", help="what is known (default: fuzz/known.toml)")
    parser.add_argument("--avoid", choices=["known"], help="leave out all operations that are known to kill")
    parser.add_argument("--devices", type=_devices, default=WIDTH, metavar="N", help="plugged side by side (4)")
    parser.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="guests at a time (1)")
    parser.add_argument("--no-seeds", action="store_true", help="begin without the lists of fuzz/device/seeds")
    parser.add_argument("--shrink-seconds", type=_seconds, default=300.0, metavar="N", help="for each finding (300)")
    parser.add_argument("--timeout-factor", type=_factor, default=1.0, metavar="F", help="on slow machines: above 1")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="carry out lists once, in a fresh guest")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write what was done as JSON")
    return parser


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: a number of seconds above 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text}: a whole number above 0")
    return int(text)


def _devices(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 12:
        raise argparse.ArgumentTypeError(f"{text}: 1 to 12")
    return int(text)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text}: 1 to 64")
    return int(text)


def _factor(text: str) -> float:
    value = _number(text)
    if not 0.05 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text}: 0.05 to 1000")
    return value


def device_program() -> Path:
    """rpmsg-fuzz-device of a build; Problem when there is none."""
    named = os.environ.get("RPMSG_FUZZ_DEVICE")
    places = [Path(named)] if named else [
        ROOT / "build" / preset / "bin" / "rpmsg-fuzz-device" for preset in ("release", "dev", "asan")
    ]
    for path in places:
        if os.access(path, os.X_OK):
            return path
    raise Problem(f"{places[0]} is not there: scripts/build release makes it")


def setup_from(
    args: argparse.Namespace, program: Path, schema: oplist.Schema, work: Path
) -> Setup:
    """Everything that is needed before a guest is started. Raises Problem, TargetUnreachable."""
    known = load(args.known or FUZZ / "known.toml", args.guest)
    if args.bundle is None and not (ROOT / "scripts" / "guests" / f"{args.guest}.toml").is_file():
        names = sorted(path.stem for path in (ROOT / "scripts" / "guests").glob("*.toml"))
        raise Problem(f"no guest is called {args.guest!r}: there are {', '.join(names)}")
    bundle = load_bundle(args.bundle or run_script(ROOT / "scripts" / "guest", args.guest))
    if not bundle.hot_plug:
        raise Problem(f"guest {args.guest} has no hot-plug: a round is to plug and unplug a device")
    return Setup(
        bundle=bundle,
        qemu=run_script(ROOT / "scripts" / "qemu", bundle.qemu),
        device=program,
        schema=schema,
        known=known,
        work=work,
        findings=args.findings or Path("findings"),
        width=args.devices,
        factor=args.timeout_factor * PATIENCE * bundle.slowness,
        avoid=args.avoid == "known",
        shrink_seconds=args.shrink_seconds,
    )


def say(text: str) -> None:
    print(text, flush=True)


def lists_of(paths: Sequence[Path], schema: oplist.Schema) -> list[bytes]:
    """The lists of files; Problem names the one that is none."""
    lists = []
    for path in paths:
        try:
            data = path.read_bytes()
            oplist.decode(schema, data)
        except OSError as error:
            raise Problem(f"{path}: {error.strerror}") from None
        except ValueError as error:
            raise Problem(f"{path}: no operation list: {error}") from None
        lists.append(data)
    return lists


def replay(setup: Setup, lists: Sequence[bytes]) -> int:
    """Carry out lists in a fresh guest, and say what is seen."""
    found, log = Campaign(setup, 0, (), say).replay(lists)
    for line in log:
        say(line)
    for name in found:
        say(f"seen: {name}")
    if not found:
        say("nothing was found")
    return EXIT_FOUND if found else EXIT_CLEAN


def one_guest(args: argparse.Namespace, setup: Setup) -> int:
    """A campaign against one guest at a time."""
    lists = [] if args.no_seeds else loop.read_seeds(FUZZ / "device" / "seeds", setup.schema)
    if args.corpus is not None:
        lists += loop.read_corpus(args.corpus, setup.schema)
    seed = args.seed if args.seed is not None else time.time_ns() & 0xFFFFFFFF
    seconds = args.seconds or (0.0 if args.runs else 60.0)
    say(f"{args.guest}: Linux {setup.bundle.kernel_release}, {len(lists)} lists to begin with, seed {seed}")
    campaign = Reporting(setup, seed, lists, say)
    try:
        campaign.run(seconds, args.runs or 0)
    finally:
        say(campaign.tally.line())
        if args.corpus is not None:
            loop.write_corpus(args.corpus, campaign.grown)
        if args.summary is not None:
            args.summary.write_text(json.dumps(as_json(campaign.tally)) + "\n", encoding="utf-8")
    for path in campaign.tally.new:
        say(f"new finding: {path}")
    return EXIT_FOUND if campaign.tally.new else EXIT_CLEAN


class Reporting(Campaign):
    """A campaign that says now and then how far it is."""

    _next_report = 0.0

    def _batch(self, lists: list[bytes]) -> None:
        super()._batch(lists)
        now = time.monotonic()
        if now >= self._next_report:
            if self._next_report:
                say(self.tally.line())
            self._next_report = now + REPORT_SECONDS


def as_json(tally: Tally) -> dict[str, object]:
    """What was done, for other programs."""
    return {
        "rounds": tally.rounds,
        "rounds_per_second": tally.rounds / tally.seconds if tally.seconds else 0.0,
        "guests": tally.guests,
        "boot_seconds": tally.boot_seconds,
        "deaf": tally.deaf,
        "skipped": tally.skipped,
        "unsteady": tally.unsteady,
        "known": dict(tally.known),
        "again": dict(tally.again),
        "new": tally.new,
    }


def several_guests(args: argparse.Namespace, arguments: Sequence[str], work: Path) -> int:
    """As many processes, each with a guest and random numbers of its own."""
    seed = args.seed if args.seed is not None else time.time_ns() & 0xFFFFFFFF
    children = []
    for number in range(args.jobs):
        summary = work / f"summary-{number}"
        argv = [sys.executable, "-m", "fuzz.tools.host", *arguments, "--jobs", "1"]
        argv += ["--seed", str(seed + number), "--summary", str(summary)]
        if number:
            argv.append("--no-seeds")
        children.append((processes.spawn(argv, name=f"job {number}", stdout=1, stderr=2), summary))
    statuses = [child.process.wait() for child, _ in children]
    rounds = [json.loads(path.read_text()) for _, path in children if path.is_file()]
    total = sum(part["rounds"] for part in rounds)
    rate = sum(part["rounds_per_second"] for part in rounds)
    new = sum(len(part["new"]) for part in rounds)
    say(f"all: {total} rounds ({rate:.1f} a second), new: {new}")
    for status in (EXIT_BROKEN, EXIT_USAGE, EXIT_FOUND):
        if status in statuses:
            return status
    return EXIT_CLEAN if not any(statuses) else EXIT_BROKEN


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    args = options().parse_args(arguments)
    try:
        WORK.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WORK, prefix="host-") as work, processes.guarded():
            program = device_program()
            schema = schema_of(program)
            lists = lists_of(args.replay or (), schema)
            setup = setup_from(args, program, schema, Path(work))
            if lists:
                return replay(setup, lists)
            if args.jobs > 1:
                return several_guests(args, arguments, Path(work))
            return one_guest(args, setup)
    except Problem as problem:
        print(f"{PROGRAM}: {problem}", file=sys.stderr)
        return EXIT_USAGE
    except (TargetUnreachable, DeviceError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_BROKEN
    except processes.Interrupted as signal:
        return 128 + signal.number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
