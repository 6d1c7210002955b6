# SPDX-License-Identifier: BSD-2-Clause
"""The command line: ``rpmsg-conform host --guest NAME ...``."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rpmsg_conformance import __version__, baseline, catalogue, host_fixtures, junit, report_json
from rpmsg_conformance import processes
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.catalogue import Catalogue, Level, Side
from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import load_bundle, run_script
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.plan import SelectionError
from rpmsg_conformance.pytest_plugin import ConformPlugin, run_pytest
from rpmsg_conformance.results import (
    EXIT_HARNESS,
    EXIT_NOTHING_RUN,
    EXIT_OK,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    RequirementResult,
    RunResult,
)
from rpmsg_conformance.terminal import Terminal

#: conformance/ and the root of the checkout.
SUITES = Path(__file__).resolve().parent.parent
CHECKOUT = SUITES.parent

#: Exit status of a run that a signal ended: as a shell reports it.
EXIT_SIGNAL = 128

_EPILOG = """\
A pattern of --select and --exclude is the beginning of a requirement's ID (BF, BF-001), a case's
name, or a glob for either. A case that --select names runs even if --exclude fits it.

Exit status: 0 nothing gates, 1 a verdict gates (FAIL WEDGED DIED TIMEOUT BLOCKED XPASS, WARN with
--strict, a stale baseline entry), 2 wrong usage, 3 fault of the suite itself, 4 the target could
not be reached, 5 nothing was run, 128+N ended by signal N.
"""


class UsageError(Exception):
    """Something on the command line cannot be used."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    options = _parser().parse_args(arguments)
    try:
        with processes.guarded():
            return _host(options)
    except (UsageError, catalogue.CatalogueError, baseline.BaselineError, SelectionError) as error:
        print(f"rpmsg-conform: {error}", file=sys.stderr)
        return EXIT_USAGE
    except TargetUnreachable as error:
        print(f"rpmsg-conform: {error}", file=sys.stderr)
        return EXIT_UNREACHABLE
    except processes.Interrupted as error:
        return EXIT_SIGNAL + error.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rpmsg-conform",
        description="Judge an implementation of virtio-rpmsg against a catalogue of requirements.",
    )
    parser.add_argument("--version", action="version", version=f"rpmsg-conform {__version__}")
    suites = parser.add_subparsers(dest="suite", required=True, metavar="SUITE")
    host = suites.add_parser(
        "host",
        help="judge a host: a kernel in QEMU, with rpmsg-sim as its remote",
        description="Judge a host's kernel, booted in QEMU with rpmsg-sim as its remote processor.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    host.add_argument("--guest", metavar="NAME", required=True, help="guest to test (debian-rt)")
    host.add_argument("--sim", metavar="PATH", type=Path, help="rpmsg-sim to use")
    host.add_argument("--qemu", metavar="PATH", type=Path, help="QEMU to use (else scripts/qemu)")
    host.add_argument(
        "--bundle", metavar="DIR", type=Path, help="prepared guest (else scripts/guest NAME)"
    )
    host.add_argument(
        "--report", metavar="DIR", type=Path, help="where the report goes (default: build/report)"
    )
    host.add_argument(
        "--select", metavar="PATTERN", nargs="+", action="extend", default=[], help="run only these"
    )
    host.add_argument(
        "--exclude", metavar="PATTERN", nargs="+", action="extend", default=[], help="not these"
    )
    host.add_argument(
        "--level",
        metavar="LEVEL",
        nargs="+",
        action="extend",
        default=[],
        type=_level,
        help="only requirements of these levels: " + ", ".join(Level),
    )
    host.add_argument(
        "--list", nargs="?", const="text", choices=["text", "json"], help="list the cases, and end"
    )
    host.add_argument(
        "--dry-run", action="store_true", help="list which cases would run and which not, and why"
    )
    host.add_argument(
        "--baseline",
        metavar="FILE",
        help="known deviations (default: fixtures/baselines/NAME.toml if there is one; 'none')",
    )
    host.add_argument(
        "--timeout-factor",
        metavar="F",
        type=_factor,
        default=1.0,
        help="multiply every deadline, for slow machines",
    )
    host.add_argument("--strict", action="store_true", help="a WARN fails the run as well")
    host.add_argument("-v", "--verbose", action="store_true", help="a line for each case, too")
    return parser


def _level(text: str) -> Level:
    try:
        return Level(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not one of {', '.join(Level)}"
        ) from None


def _factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0.1 to 1000")
    return value


def _host(options: argparse.Namespace) -> int:
    requirements = catalogue.load(SUITES / "requirements.toml")
    terminal = Terminal(sys.stdout, requirements, options.verbose)
    if options.list or options.dry_run:
        return _list(options, requirements, terminal)

    started = datetime.datetime.now(datetime.timezone.utc)
    begun = time.monotonic()
    # What the command line got wrong is said before anything is prepared or booted.
    plan = _collect(options, requirements).plan
    if plan and all(planned.excluded is not None for planned in plan):
        print("rpmsg-conform: no case is left to run; --dry-run shows why", file=sys.stderr)
        return EXIT_NOTHING_RUN
    simulator = _find_simulator(options.sim)
    bundle = load_bundle(options.bundle or _prepare_guest(options.guest))
    qemu = options.qemu or run_script(CHECKOUT / "scripts/qemu", bundle.qemu)
    report = (options.report or CHECKOUT / "build/report").absolute()
    _prepare_report(report)

    target = HostTarget(
        bundle=bundle,
        qemu=qemu.absolute(),
        simulator=simulator,
        folder=report / "guests",
        timeout_factor=options.timeout_factor,
        say=terminal.say,
    )
    plugin = _plugin(options, requirements, target, terminal, report)
    faults: list[str] = []
    try:
        status = run_pytest(plugin, SUITES / "host", [host_fixtures])
    except processes.Interrupted as error:
        plugin.interrupted = error
        status = 2
    except Exception as error:  # teardown of an interrupted case, or pytest itself
        if plugin.interrupted is None:
            faults.append(f"{type(error).__name__}: {error}")
        status = 3
    # 0 and 1 are about cases, 2 is an interruption, 5 an empty selection.
    if status in (3, 4) and not plugin.harness and not faults and not plugin.interrupted:
        faults.append(f"pytest ended with status {status}")
    described = target.describe()
    target.close()

    interrupted = plugin.interrupted
    run = RunResult(
        target=described,
        requirements=_by_requirement(plugin, requirements),
        total_requirements=_count_for(requirements, Side.HOST),
        excluded=sum(planned.excluded is not None for planned in plugin.plan),
        baseline=plugin.baseline,
        stale=[],
        sanity=plugin.sanity,
        harness=plugin.harness + faults,
        unreachable=plugin.unreachable,
        interrupted=None if interrupted is None else str(interrupted) or "the keyboard",
        strict=options.strict,
        started=started,
        seconds=time.monotonic() - begun,
        report=report,
    )
    if interrupted is None:
        run.stale = plugin.baseline.stale(
            ((c.requirement, c.name, c.verdict, c.deviation) for c in run.cases),
            started.date(),
        )
    try:
        report_json.write(report / "report.json", "host", run)
        junit.write(report / "junit.xml", "host", run)
    except OSError as error:
        run.harness.append(f"the report cannot be written: {error}")
    terminal.summary(run)
    if interrupted is not None:
        number = interrupted.number if isinstance(interrupted, processes.Interrupted) else 2
        return EXIT_SIGNAL + number
    return run.exit_code


def _collect(options: argparse.Namespace, requirements: Catalogue) -> ConformPlugin:
    """Collect and plan without running anything. Raises what is wrong with the command line."""
    plugin = _plugin(options, requirements, None, None, None)
    run_pytest(plugin, SUITES / "host", [host_fixtures], collect_only=True)
    if plugin.usage_error is not None:
        raise plugin.usage_error
    return plugin


def _list(options: argparse.Namespace, requirements: Catalogue, terminal: Terminal) -> int:
    plugin = _collect(options, requirements)
    if plugin.harness:
        for text in plugin.harness:
            terminal.error(text)
        return EXIT_HARNESS
    if options.dry_run:
        terminal.list_cases(plugin.plan, with_reasons=True)
        return EXIT_OK
    listed = [planned for planned in plugin.plan if planned.excluded is None]
    if options.list == "text":
        terminal.list_cases(listed, with_reasons=False)
        return EXIT_OK
    rows = [
        {
            "case": planned.case.name,
            "requirement": planned.case.requirement,
            "level": str(requirements[planned.case.requirement].level),
            "text": requirements[planned.case.requirement].text,
        }
        for planned in listed
    ]
    print(json.dumps(rows, indent=2))
    return EXIT_OK


def _plugin(
    options: argparse.Namespace,
    requirements: Catalogue,
    target: HostTarget | None,
    terminal: Terminal | None,
    report: Path | None,
) -> ConformPlugin:
    def load_baseline(cases: Mapping[str, Sequence[str]]) -> Baseline:
        path = _baseline_path(options)
        return baseline.load(path, requirements, cases) if path else Baseline()

    return ConformPlugin(
        catalogue=requirements,
        select=options.select,
        exclude=options.exclude,
        levels=options.level,
        target=target,
        listener=terminal,
        load_baseline=load_baseline,
        repeat_command=_repeat_command(options),
        report=report,
        timeout_factor=options.timeout_factor,
    )


def _baseline_path(options: argparse.Namespace) -> Path | None:
    if options.baseline == "none":
        return None
    if options.baseline is not None:
        return Path(options.baseline)
    default = CHECKOUT / "fixtures/baselines" / f"{options.guest}.toml"
    return default if default.is_file() else None


def _repeat_command(options: argparse.Namespace) -> list[str]:
    """This command line, without what selects cases."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        command = ["python3", "-m", "rpmsg_conformance"]
    else:
        command = [str(program)]
    command += ["host", "--guest", options.guest]
    for name in ("sim", "qemu", "bundle", "baseline"):
        value = getattr(options, name)
        if value is not None:
            command += [f"--{name}", str(value)]
    if options.timeout_factor != 1.0:
        command += ["--timeout-factor", f"{options.timeout_factor:g}"]
    return command


def _find_simulator(given: Path | None) -> Path:
    """rpmsg-sim: the one given, the one beside this program, or a built one of this checkout."""
    if given is not None:
        candidates = [given]
    else:
        beside = Path(sys.argv[0]).absolute().parent / "rpmsg-sim"
        built = [CHECKOUT / "build" / preset / "bin/rpmsg-sim" for preset in ("release", "dev")]
        installed = shutil.which("rpmsg-sim")
        candidates = [beside, *built, *([Path(installed)] if installed else [])]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise UsageError(
        f"no rpmsg-sim found ({looked}); build it (cmake --preset release, "
        "cmake --build --preset release) or give --sim PATH"
    )


def _prepare_guest(name: str) -> Path:
    """The bundle of a guest, with the agent of the build tree that this program is started from."""
    program = Path(sys.argv[0]).absolute()
    arguments = [name]
    if program.parent.name == "bin" and program.parent.parent.parent == CHECKOUT / "build":
        arguments = ["--preset", program.parent.parent.name, name]
    return run_script(CHECKOUT / "scripts/guest", *arguments)


def _prepare_report(report: Path) -> None:
    """Make the report's folder and remove what an earlier run left in it, and nothing else."""
    try:
        report.mkdir(parents=True, exist_ok=True)
        for name in ("report.json", "junit.xml"):
            (report / name).unlink(missing_ok=True)
        for name in ("cases", "guests"):
            shutil.rmtree(report / name, ignore_errors=True)
            (report / name).mkdir()
    except OSError as error:
        raise UsageError(f"--report {report}: {error.strerror}") from error


def _by_requirement(plugin: ConformPlugin, requirements: Catalogue) -> list[RequirementResult]:
    return [
        RequirementResult(requirements[name], plugin.results[name])
        for name in requirements
        if name in plugin.results
    ]


def _count_for(requirements: Catalogue, side: Side) -> int:
    return sum(r.side in (side, Side.BOTH) for r in requirements.values())
