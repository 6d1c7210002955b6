# SPDX-License-Identifier: BSD-2-Clause
"""The pytest plugin that turns test functions into judged cases.

The command line runs pytest in this process with an instance of ConformPlugin. It knows nothing of
the target beyond the Target protocol; what cases use of it comes from the fixtures of a suite
(host_fixtures.py for the host's).
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import pytest

from rpmsg_conformance import processes
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.catalogue import Catalogue, Level
from rpmsg_conformance.expect import (
    Blocked,
    CaseTimeout,
    NotApplicable,
    Misbehaved,
    TargetDied,
    TargetUnreachable,
    TargetWedged,
    Unmet,
)
from rpmsg_conformance.plan import Case, Planned, make_plan
from rpmsg_conformance.results import CaseResult, Evidence
from rpmsg_conformance.verdicts import Outcome, Verdict, decide

#: Seconds a case may take, not counting its set-up; @pytest.mark.deadline(N) says otherwise.
CASE_SECONDS = 60.0


class Target(Protocol):
    """What is judged."""

    def sanity(self) -> str | None:
        """One well-formed exchange: None, or what went wrong. Raises TargetUnreachable."""

    def console_tail(self) -> list[str]:
        """The last lines that the target wrote on its console."""

    def evidence(self, outcome: Outcome, folder: Path | None) -> Evidence:
        """What passed during the case that has just ended, and not well; files go to ``folder``."""

    def close(self) -> None:
        """End it at once."""


class Listener(Protocol):
    """Who is told while the run goes on."""

    def case_done(self, result: CaseResult, requirement: Sequence[CaseResult] | None) -> None:
        """A case is judged; ``requirement`` has all results when it was the last of its own."""


record_key = pytest.StashKey[CaseResult]()
before_key = pytest.StashKey[set[tuple[int, str]]]()
target_key = pytest.StashKey[Target]()
#: What every random choice of a run begins with.
seed_key = pytest.StashKey[int]()
baseline_key = pytest.StashKey[Baseline]()


class ConformPlugin:
    """Collects, orders, runs and judges the cases of one suite."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        select: Sequence[str],
        exclude: Sequence[str],
        levels: Sequence[Level],
        target: Target | None,
        listener: Listener | None,
        load_baseline: Callable[[Mapping[str, Sequence[str]]], Baseline],
        repeat_command: Sequence[str],
        report: Path | None,
        timeout_factor: float = 1.0,
        profile: str | None = None,
        seed: int = 0,
        shuffle: bool = False,
        part: Callable[[Case], bool] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._select = select
        self._exclude = exclude
        self._levels = levels
        self._target = target
        self._listener = listener
        self._load_baseline = load_baseline
        self._repeat_command = repeat_command
        self._report = report
        self._factor = timeout_factor
        self._profile = profile
        self._seed = seed
        self._shuffle = shuffle
        self._part = part
        self._skipped: dict[str, str] = {}
        self._cases: dict[str, Case] = {}
        self._names: set[str] = set()
        self._left: dict[str, int] = {}
        self.plan: list[Planned] = []
        self.baseline = Baseline()
        self.results: dict[str, list[CaseResult]] = {}
        self.usage_error: Exception | None = None
        self.harness: list[str] = []
        self.sanity: list[str] = []
        self.unreachable: str | None = None
        self.interrupted: BaseException | None = None

    # --- collection ---------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Silence pytest's own output, make the markers known."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            config.pluginmanager.unregister(reporter)
        for line in (
            "requirement(id): the requirement that the case judges",
            "deadline(seconds): how long the case may take",
            "patient: the case mostly waits, so it runs last",
            "device(vq_size=N, services=[...]): what the case's own device looks like",
            "tolerates(*texts): rules that this case makes the host break, complaints it may cause",
            "destructive: the case damages the guest, which is then replaced",
            "provokes: the case makes the remote do what the suite would otherwise note",
        ):
            config.addinivalue_line("markers", line)
        config.stash[seed_key] = self._seed
        if self._target is not None:
            config.stash[target_key] = self._target

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be collected is the suite's own fault."""
        if report.failed:
            self.harness.append(f"{report.nodeid} cannot be collected: {report.longreprtext}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Make the plan, and leave only the cases that it runs, in its order."""
        by_name: dict[str, pytest.Item] = {}
        for item in items:
            case = self._as_case(item)
            if case is not None:
                by_name[case.name] = item
                self._cases[item.nodeid] = case
        items.clear()
        if self.harness:
            return
        names: dict[str, list[str]] = defaultdict(list)
        for case in self._cases.values():
            names[case.requirement].append(case.name)
        try:
            self.plan = make_plan(
                list(self._cases.values()),
                self._catalogue,
                self._select,
                self._exclude,
                self._levels,
                profile=self._profile,
                shuffle=self._seed if self._shuffle else None,
            )
            self.baseline = self._load_baseline(names)
            session.config.stash[baseline_key] = self.baseline
        except Exception as error:  # a wrong name or a bad file; judged by the command line
            self.usage_error = error
            return
        chosen = [
            planned.case
            for planned in self.plan
            if planned.excluded is None and (self._part is None or self._part(planned.case))
        ]
        self._skipped = {p.case.name: p.skipped for p in self.plan if p.skipped is not None}
        items[:] = [by_name[case.name] for case in chosen]
        for case in chosen:
            self._left[case.requirement] = self._left.get(case.requirement, 0) + 1

    def _as_case(self, item: pytest.Item) -> Case | None:
        markers = list(item.iter_markers("requirement"))
        if len(markers) != 1 or len(markers[0].args) != 1:
            self.harness.append(f"{item.nodeid}: needs exactly one requirement marker")
            return None
        requirement = markers[0].args[0]
        if requirement not in self._catalogue:
            self.harness.append(f"{item.nodeid}: no requirement '{requirement}' in the catalogue")
            return None
        if item.name in self._names:
            self.harness.append(f"{item.nodeid}: another case has this name")
            return None
        self._names.add(item.name)
        return Case(
            item.name,
            requirement,
            patient=item.get_closest_marker("patient") is not None,
            destructive=item.get_closest_marker("destructive") is not None,
        )

    # --- running ------------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, None]:
        """A sanity exchange before the first case and after the last one."""
        active = bool(session.items) and not session.config.option.collectonly
        if active and self._target is not None:
            try:
                reason = self._target.sanity()
                if reason is not None:
                    self.unreachable = (
                        f"a well-formed exchange has to work before anything is judged: {reason}"
                    )
            except TargetUnreachable as error:
                self.unreachable = str(error)
            except Exception as error:
                self.harness.append(f"first sanity exchange: {type(error).__name__}: {error}")
        yield
        if active and self._target is not None and not (self.unreachable or self.harness):
            try:
                reason = self._target.sanity()
                if reason is not None:
                    self.sanity.append(f"the last sanity exchange failed: {reason}")
            except TargetUnreachable as error:
                self.sanity.append(f"the last sanity exchange failed: {error}")
            except Exception as error:
                self.harness.append(f"last sanity exchange: {type(error).__name__}: {error}")

    def pytest_keyboard_interrupt(
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> None:
        """Remember why the run ended early, and do not wait for the target any more."""
        self.interrupted = excinfo.value
        if self._target is not None:
            self._target.close()

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """An error inside of pytest or of this plugin."""
        self.harness.append(f"{excinfo.typename}: {excinfo.value}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """A case that cannot or need not be run is judged without its fixtures."""
        return self.run_case(item, nextitem)

    def run_case(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Judge a case that is not to be run; None leaves the case to pytest."""
        case = self._cases[item.nodeid]
        why = None
        outcome = Outcome.BLOCKED
        if case.name in self._skipped:
            why, outcome = self._skipped[case.name], Outcome.SKIPPED
        elif self.unreachable is not None:
            why = self.unreachable.partition("\n")[0]
        elif self.harness:
            why = "the suite itself failed before: " + self.harness[0].partition("\n")[0]
        if why is None:
            return None
        record = self._record(case, None)
        record.outcome, record.message = outcome, why
        self._judge(record)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Start the case's record and make a folder for its evidence."""
        case = self._cases[item.nodeid]
        folder = None
        if self._report is not None:
            folder = self._report / "cases" / re.sub(r"[^A-Za-z0-9_.-]+", "-", case.name).strip("-")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        item.stash[record_key] = self._record(case, folder)
        item.stash[before_key] = processes.open_descriptors()

    def _record(self, case: Case, folder: Path | None) -> CaseResult:
        return CaseResult(
            name=case.name,
            requirement=case.requirement,
            outcome=Outcome.MET,
            verdict=Verdict.PASS,
            seconds=0.0,
            artefacts=folder,
            repeat=shlex.join([*self._repeat_command, "--select", case.name]),
        )

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Give the case its deadline."""
        marker = item.get_closest_marker("deadline")
        seconds = (marker.args[0] if marker else CASE_SECONDS) * self._factor
        with _deadline(seconds), self.around_call(item):
            yield

    def around_call(self, item: pytest.Item) -> AbstractContextManager[None]:
        """What is in force during the case's own steps, beside its deadline."""
        return nullcontext()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, None]:
        """Take the phase's end into the record; judge after the last phase."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        record = item.stash[record_key]
        record.seconds += call.duration
        if call.excinfo is not None:
            self._take_exception(record, call, report)
        if call.when == "teardown":
            self._find_leftovers(record, item.stash[before_key])
            self._keep_evidence(record)
            self._judge(record)

    def _find_leftovers(self, record: CaseResult, before: set[tuple[int, str]]) -> None:
        """A case that leaves a process behind is a fault of the suite; a descriptor is noted."""
        for pid in processes.strays():
            if record.message:
                record.notes.append(f"before that: {record.message}")
            record.outcome = Outcome.HARNESS
            record.message = f"the case left a process behind: {processes.end_stray(pid)}"
            record.expected = record.observed = ""
        for fd, what in sorted(processes.open_descriptors() - before):
            if processes.meant_to_outlive((fd, what)):
                continue
            # Those of a remote that was started again during the case.
            if not what.startswith("anon_inode:[pidfd]") and not what.endswith(".log"):
                record.notes.append(f"the case left descriptor {fd} open: {what}")

    def _keep_evidence(self, record: CaseResult) -> None:
        if self._target is not None and record.outcome not in (Outcome.MET, Outcome.SKIPPED):
            record.messages, record.capture = self._target.evidence(
                record.outcome, record.artefacts
            )
        if record.artefacts is not None:
            try:
                record.artefacts.rmdir()
                record.artefacts = None
            except OSError:
                pass  # something is in it

    def _take_exception(
        self, record: CaseResult, call: pytest.CallInfo[None], report: pytest.TestReport
    ) -> None:
        assert call.excinfo is not None
        error = call.excinfo.value
        ended = _classify(error, call.when)
        if _SEVERITY.index(ended) <= _SEVERITY.index(record.outcome):
            # What the end of a damaged case throws on top says nothing more.
            return
        if record.message:
            record.notes.append(f"before that: {record.message}")
        record.outcome = ended
        record.message = str(error) or type(error).__name__
        record.expected = record.observed = ""
        if isinstance(error, Unmet):
            record.expected, record.observed = error.expected, error.observed
        elif isinstance(error, (AssertionError, Misbehaved)):
            record.observed = str(error)
        if ended is Outcome.BLOCKED and isinstance(error, Unmet):
            record.message = f"prerequisite not met: {error}"
        if ended is Outcome.HARNESS:
            record.message = f"{type(error).__name__}: {error}"
            record.traceback = report.longreprtext
        if ended in (Outcome.DIED, Outcome.WEDGED) and self._target is not None:
            record.console = self._target.console_tail()
        if isinstance(error, TargetUnreachable):
            self.unreachable = str(error)

    def _judge(self, record: CaseResult) -> None:
        level = self._catalogue[record.requirement].level
        record.verdict = decide(record.outcome, level)
        applied = self.baseline.apply(
            record.requirement, record.name, record.verdict, record.observed or record.message
        )
        record.verdict, record.deviation = applied.verdict, applied.deviation
        if record.verdict is Verdict.XPASS and applied.deviation is not None:
            record.message = f"the baseline expects '{applied.deviation.seen}', but it passed"
        results = self.results.setdefault(record.requirement, [])
        results.append(record)
        self._left[record.requirement] -= 1
        if self._listener is not None:
            done = results if self._left[record.requirement] == 0 else None
            self._listener.case_done(record, done)


#: Later ones replace earlier ones when several phases of a case end badly.
_SEVERITY = (
    Outcome.MET,
    Outcome.SKIPPED,
    Outcome.UNMET,
    Outcome.BLOCKED,
    Outcome.MISBEHAVED,
    Outcome.TIMEOUT,
    Outcome.WEDGED,
    Outcome.DIED,
    Outcome.HARNESS,
)


def _classify(error: BaseException, when: str) -> Outcome:
    if isinstance(error, (pytest.skip.Exception, NotApplicable)):
        return Outcome.SKIPPED
    if isinstance(error, Misbehaved):
        return Outcome.MISBEHAVED
    if isinstance(error, TargetDied):
        return Outcome.DIED
    if isinstance(error, TargetWedged):
        return Outcome.WEDGED
    if isinstance(error, CaseTimeout):
        return Outcome.TIMEOUT
    if isinstance(error, (Blocked, TargetUnreachable)):
        return Outcome.BLOCKED
    if isinstance(error, AssertionError):
        # In a set-up it is what the case rests on that failed, not what it judges; in a
        # teardown the target does not let itself be put back.
        return {"setup": Outcome.BLOCKED, "call": Outcome.UNMET}.get(when, Outcome.WEDGED)
    return Outcome.HARNESS


@contextmanager
def _deadline(seconds: float) -> Generator[None, None, None]:
    """Raise CaseTimeout in the main thread when the block takes longer than ``seconds``."""

    def on_alarm(number: int, frame: FrameType | None) -> None:
        raise CaseTimeout(f"the case did not end within its {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def run_pytest(
    plugin: ConformPlugin, suite: Path, extra: Sequence[object] = (), collect_only: bool = False
) -> int:
    """Run (or only collect) the suite in the folder ``suite``; returns pytest's exit status."""
    arguments = [str(suite), f"--rootdir={suite.parent}", f"--confcutdir={suite}"]
    arguments += ["-c", str(suite.parent / "pyproject.toml"), "--strict-markers"]
    # Suites have files of the same name, and may be collected in one process.
    arguments.append("--import-mode=importlib")
    arguments += ["-p", "no:cacheprovider", "-p", "no:logging", "--capture=no", "--tb=short"]
    if collect_only:
        arguments.append("--collect-only")
    return int(pytest.main(arguments, plugins=[plugin, *extra]))
