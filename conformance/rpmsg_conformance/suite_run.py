# SPDX-License-Identifier: BSD-2-Clause
"""One run of a suite, whichever it is: options that all have, plan, target, reports, exit status."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from rpmsg_conformance import baseline, coverage, junit, processes
from rpmsg_conformance import report_html, report_json, report_tap
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.catalogue import PROFILES, Catalogue, Level, Side
from rpmsg_conformance.plan import Case, Planned
from rpmsg_conformance.pytest_plugin import ConformPlugin, Listener, Target, run_pytest
from rpmsg_conformance.results import (
    EXIT_HARNESS,
    EXIT_NOTHING_RUN,
    EXIT_OK,
    CaseResult,
    RequirementResult,
    RunResult,
)
from rpmsg_conformance.terminal import Terminal

#: conformance/ and the root of the checkout.
SUITES: Final = Path(__file__).resolve().parent.parent
CHECKOUT: Final = SUITES.parent

#: Exit status of a run that a signal ended: as a shell reports it.
EXIT_SIGNAL: Final = 128

#: Files of a report that a run replaces.
REPORT_FILES: Final = ("report.json", "junit.xml", "report.tap", "index.html")

#: Folders of a report that a run empties.
_REPORT_FOLDERS: Final = ("cases", "guests", "remote", "board")


class UsageError(Exception):
    """Something on the command line cannot be used."""


class DescribedTarget(Target, Protocol):
    """A target that can say what it is."""

    timeout_factor: float
    """What deadlines are multiplied with for it."""

    def describe(self) -> dict[str, str]:
        """What was tested, for the report."""


MakeTarget = Callable[[Path, Callable[[str], None]], DescribedTarget]


@dataclass(frozen=True)
class Suite:
    """A suite: its command, whose requirements it judges, its fixtures, and its cases.

    ``cases`` names the folder where they lie, if that is not named as the command is.
    """

    name: str
    side: Side
    fixtures: object
    cases: str = ""

    @property
    def folder(self) -> Path:
        """Where its cases lie."""
        return SUITES / (self.cases or self.name)


@dataclass
class Ran:
    """What running cases came to, in one process or in several."""

    results: dict[str, list[CaseResult]] = field(default_factory=dict)
    sanity: list[str] = field(default_factory=list)
    harness: list[str] = field(default_factory=list)
    unreachable: str | None = None
    described: dict[str, str] = field(default_factory=dict)
    interrupted: BaseException | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every suite has."""
    parser.add_argument(
        "--report", metavar="DIR", type=Path, help="where the report goes (default: build/report)"
    )
    parser.add_argument(
        "--select", metavar="PATTERN", nargs="+", action="extend", default=[], help="run only these"
    )
    parser.add_argument(
        "--exclude", metavar="PATTERN", nargs="+", action="extend", default=[], help="not these"
    )
    parser.add_argument(
        "--level",
        metavar="LEVEL",
        nargs="+",
        action="extend",
        default=[],
        type=_level,
        help="only requirements of these levels: " + ", ".join(Level),
    )
    parser.add_argument(
        "--list", nargs="?", const="text", choices=["text", "json"], help="list the cases, and end"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list which cases would run and which not, and why"
    )
    parser.add_argument(
        "--timeout-factor",
        metavar="F",
        type=_factor,
        default=1.0,
        help="multiply every deadline, for slow machines",
    )
    parser.add_argument("--strict", action="store_true", help="a WARN fails the run as well")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each case, too")
    parser.set_defaults(profile=None, seed=0, shuffle=False, jobs=1, arguments=[])


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """The options of a suite whose cases need nothing of each other."""
    parser.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        metavar="NAME",
        help="only what this family of implementations claims: " + ", ".join(sorted(PROFILES)),
    )
    parser.add_argument("--shuffle", action="store_true", help="run the cases in random order")
    parser.add_argument(
        "--seed",
        type=_seed,
        metavar="N",
        default=None,
        help="what all that is random begins with (default: chosen, and told)",
    )
    parser.add_argument(
        "-n", dest="jobs", type=jobs_number, metavar="N", default=1,
        help="run groups of cases on N instances at once (with --launch)",
    )


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


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 2^64 - 1")
    return int(text)


def jobs_number(text: str) -> int:
    """How many of something at once: the value of -n and --parts."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to 64")
    return int(text)


@dataclass
class SuiteRun:
    """One invocation. ``repeat`` is its command line without what selects cases."""

    suite: Suite
    options: argparse.Namespace
    requirements: Catalogue
    terminal: Terminal
    baseline_path: Path | None
    repeat: Sequence[str]

    def list_cases(self) -> int:
        """What --list and --dry-run show; returns the exit status."""
        plugin = self.collect()
        if plugin.harness:
            for text in plugin.harness:
                self.terminal.error(text)
            return EXIT_HARNESS
        if self.options.dry_run:
            self.terminal.list_cases(plugin.plan, with_reasons=True)
            return EXIT_OK
        listed = [planned for planned in plugin.plan if planned.excluded is None]
        if self.options.list == "text":
            self.terminal.list_cases(listed, with_reasons=False)
            return EXIT_OK
        rows = [
            {
                "case": planned.case.name,
                "requirement": planned.case.requirement,
                "level": str(self.requirements[planned.case.requirement].level),
                "text": self.requirements[planned.case.requirement].text,
            }
            for planned in listed
        ]
        print(json.dumps(rows, indent=2))
        return EXIT_OK

    def collect(self) -> ConformPlugin:
        """Collect and plan without running anything. Raises what is wrong with the options."""
        plugin = self.plugin(None, None, None)
        run_pytest(plugin, self.suite.folder, [self.suite.fixtures], collect_only=True)
        if plugin.usage_error is not None:
            raise plugin.usage_error
        return plugin

    def plugin(
        self,
        target: DescribedTarget | None,
        listener: Listener | None,
        report: Path | None,
        part: Callable[[Case], bool] | None = None,
    ) -> ConformPlugin:
        """A plugin for these options; ``part`` says which of the planned cases it runs."""
        options = self.options

        def load_baseline(cases: Mapping[str, Sequence[str]]) -> Baseline:
            path = self.baseline_path
            return baseline.load(path, self.requirements, cases) if path else Baseline()

        kind: type[ConformPlugin] = ConformPlugin
        if getattr(options, "self_check", False):
            from rpmsg_conformance.self_check import SelfCheckPlugin

            kind = SelfCheckPlugin
        return kind(
            catalogue=self.requirements,
            select=options.select,
            exclude=options.exclude,
            levels=options.level,
            target=target,
            listener=listener,
            load_baseline=load_baseline,
            repeat_command=self.repeat,
            report=report,
            timeout_factor=options.timeout_factor if target is None else target.timeout_factor,
            profile=options.profile,
            seed=options.seed or 0,
            shuffle=options.shuffle,
            part=part,
        )

    def run(self, make_target: MakeTarget) -> int:
        """Run everything and write the report; returns the exit status.

        Raises what is wrong with the command line before anything is prepared or started.
        """
        options, terminal = self.options, self.terminal
        started = datetime.datetime.now(datetime.timezone.utc)
        begun = time.monotonic()
        plan = self.collect().plan
        holes = coverage.load_holes(SUITES / "uncovered.toml")
        if plan and all(p.excluded is not None or p.skipped is not None for p in plan):
            print("rpmsg-conform: no case is left to run; --dry-run shows why", file=sys.stderr)
            return EXIT_NOTHING_RUN
        report = (options.report or CHECKOUT / "build/report").absolute()
        target = make_target(report, terminal.say)
        prepare_report(report)

        # The plan and the baseline of the whole run, whoever runs its cases.
        whole = self.plugin(None if options.jobs > 1 else target, terminal, report)
        if options.jobs > 1:
            from rpmsg_conformance.parallel import run_parts

            whole.plan, whole.baseline = (again := self.collect()).plan, again.baseline
            ran = run_parts(self, plan, make_target, report, whole.baseline)
        else:
            ran = self.run_here(whole, target)

        not_run = coverage.not_run(
            self.requirements, self.suite.side, plan, ran.results, holes, options.profile
        )
        run = RunResult(
            target=ran.described,
            requirements=[
                RequirementResult(self.requirements[name], ran.results[name])
                for name in self.requirements
                if name in ran.results
            ],
            total_requirements=len(not_run) + len(ran.results),
            excluded=sum(planned.excluded is not None for planned in plan),
            baseline=whole.baseline,
            stale=[],
            sanity=ran.sanity,
            harness=ran.harness,
            unreachable=ran.unreachable,
            interrupted=None
            if ran.interrupted is None
            else str(ran.interrupted) or "the keyboard",
            strict=options.strict,
            started=started,
            seconds=time.monotonic() - begun,
            report=report,
            command=shlex.join([*repeat_start(self.suite.name)[:-1], *options.arguments]),
            profile=options.profile,
            not_run=not_run,
        )
        if ran.interrupted is None:
            run.stale = whole.baseline.stale(
                ((c.requirement, c.name, c.verdict, c.deviation) for c in run.cases),
                started.date(),
            )
        write_reports(self.suite.name, run)
        terminal.summary(run)
        if ran.interrupted is not None:
            error = ran.interrupted
            number = error.number if isinstance(error, processes.Interrupted) else 2
            return EXIT_SIGNAL + number
        return run.exit_code

    def run_here(self, plugin: ConformPlugin, target: DescribedTarget) -> Ran:
        """Run the plugin's cases in this process, and close the target."""
        faults: list[str] = []
        try:
            status = run_pytest(plugin, self.suite.folder, [self.suite.fixtures])
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
        return Ran(
            plugin.results,
            plugin.sanity,
            plugin.harness + faults,
            plugin.unreachable,
            described,
            plugin.interrupted,
        )


def repeat_start(suite: str) -> list[str]:
    """How this program was started, for commands that repeat a case."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return ["python3", "-m", "rpmsg_conformance", suite]
    return [str(program), suite]


def prepare_report(report: Path) -> None:
    """Make the report's folder and remove what an earlier run left in it, and nothing else."""
    try:
        report.mkdir(parents=True, exist_ok=True)
        for name in REPORT_FILES:
            (report / name).unlink(missing_ok=True)
        for folder in report.glob("worker-[0-9]*"):
            shutil.rmtree(folder, ignore_errors=True)
        for name in _REPORT_FOLDERS:
            shutil.rmtree(report / name, ignore_errors=True)
            (report / name).mkdir()
    except OSError as error:
        raise UsageError(f"--report {report}: {error.strerror}") from error


def write_reports(suite: str, run: RunResult) -> None:
    """Write the run in every form; one that cannot be written is a fault of the run."""
    assert run.report is not None
    try:
        report_json.write(run.report / "report.json", suite, run)
        junit.write(run.report / "junit.xml", suite, run)
        report_tap.write(run.report / "report.tap", suite, run)
        report_html.write(run.report / "index.html", report_json.as_object(suite, run))
    except OSError as error:
        run.harness.append(f"the report cannot be written: {error}")


def groups(plan: Sequence[Planned], count: int) -> dict[str, int]:
    """Which of ``count`` workers runs the cases of each requirement: as even as their numbers go.

    Requirements whose cases are of one function share what it prepares, and those of patient cases
    what they wait for: such ones stay together.
    """
    together = _joined(plan)
    sizes: dict[str, int] = {}
    for planned in plan:
        if planned.excluded is None:
            name = together[planned.case.requirement]
            sizes[name] = sizes.get(name, 0) + 1
    load = [0] * count
    owner = {}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        worker = load.index(min(load))
        owner[name] = worker
        load[worker] += sizes[name]
    return {name: owner[first] for name, first in together.items() if first in owner}


def _joined(plan: Sequence[Planned]) -> dict[str, str]:
    """For each requirement with cases that run, one of those that it stays together with."""
    first: dict[str, str] = {}

    def find(name: str) -> str:
        while first.setdefault(name, name) != name:
            name = first[name]
        return name

    holders: dict[str, str] = {}
    for planned in plan:
        if planned.excluded is None:
            case = planned.case
            keys = [case.name.partition("[")[0], *(["patient"] if case.patient else [])]
            for key in keys:
                first[find(case.requirement)] = find(holders.setdefault(key, case.requirement))
    return {name: find(name) for name in list(first)}
