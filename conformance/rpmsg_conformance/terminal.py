# SPDX-License-Identifier: BSD-2-Clause
"""What a person sees: one line a requirement as soon as it is judged, then a summary."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from rpmsg_conformance.catalogue import Catalogue, Requirement
from rpmsg_conformance.plan import Planned
from rpmsg_conformance.results import CaseResult, RequirementResult, RunResult
from rpmsg_conformance.verdicts import Verdict, gates
from rpmsg_conformance.virtio import trace_text

_ID, _LEVEL, _VERDICT, _TIME = 6, 8, 7, 8
_INDENT = _ID + _LEVEL + _VERDICT + 6

_COLOURS: Mapping[Verdict, str] = {
    Verdict.PASS: "32",
    Verdict.INFO: "36",
    Verdict.WARN: "33",
    Verdict.XFAIL: "33",
    Verdict.SKIP: "2",
}
_OTHER_COLOUR = "1;31"

#: Of a traceback only the end is shown; the report has all of it.
_TRACEBACK_LINES = 15

#: Verdicts whose cases are explained at once, under the requirement's line.
_EXPLAINED = frozenset(Verdict) - {Verdict.PASS, Verdict.INFO}

#: Verdicts after which somebody has to look for the mistake in the target.
_TO_MEND = frozenset(
    {Verdict.FAIL, Verdict.WARN, Verdict.DIED, Verdict.WEDGED, Verdict.TIMEOUT}
)

#: How many of the last messages are shown, and with -v.
_MESSAGES, _MESSAGES_VERBOSE = 5, 60

#: Of one requirement so many failing cases are told in full; the report has all.
_TOLD_IN_FULL = 1

_QUOTE_INDENT = 8

#: How many lines of a console are shown without -v: the last ones, of a report the first.
_CONSOLE = 10
_REPORT = re.compile(r"Sanitizer|runtime error|Kernel panic")


class Terminal:
    """Writes to one stream; a Listener of the plugin."""

    def __init__(
        self,
        stream: TextIO,
        catalogue: Catalogue,
        verbose: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._stream = stream
        self._catalogue = catalogue
        self._verbose = verbose
        self._header_due = True
        #: Why cases were BLOCKED, as far as that was told.
        self._blocked: set[str] = set()
        terminal = stream.isatty()
        self._colour = terminal and "NO_COLOR" not in environment
        self._width = shutil.get_terminal_size((128, 24)).columns if terminal else 128

    def say(self, text: str) -> None:
        """A line about what is being done."""
        self._write(f"-- {text}")

    def error(self, text: str) -> None:
        """A line about what went wrong outside of the cases."""
        self._write(self._paint(Verdict.HARNESS, "error: ") + text)

    def case_done(self, result: CaseResult, requirement: Sequence[CaseResult] | None) -> None:
        """See pytest_plugin.Listener."""
        if self._verbose:
            self._write(f"   {result.verdict:7} {result.name} {result.seconds:.2f} s")
        if requirement is not None:
            self.row(RequirementResult(self._catalogue[result.requirement], list(requirement)))

    def row(self, result: RequirementResult) -> None:
        """The line of one requirement, with what explains its verdict below."""
        reasons = {case.message for case in result.cases}
        if (
            result.verdict is Verdict.BLOCKED
            and reasons <= self._blocked
            and not self._verbose
        ):
            # Nothing that was not said already: the summary lists it.
            return
        if self._header_due:
            self._header_due = False
            self._write(self._line("ID", "level", "verdict", None, "requirement", "time"))
        requirement = result.requirement
        self._write(
            self._line(
                requirement.id,
                requirement.level,
                result.verdict,
                result.verdict,
                requirement.text,
                f"{result.seconds:.2f} s",
            )
        )
        if result.verdict in _TO_MEND:
            if requirement.detail:
                self._rest("", requirement.detail)
            sources = "; ".join(f"{s.document}, {s.locator}" for s in requirement.sources)
            self._rest("source: ", sources)
        told = 0
        notes: Counter[str] = Counter()
        alike = Counter((case.verdict, case.message) for case in result.cases)
        for case in result.cases:
            count = alike[case.verdict, case.message]
            if case.verdict in (Verdict.SKIP, Verdict.BLOCKED) and count > 1:
                # Once for all cases of the requirement that have the same reason.
                alike[case.verdict, case.message] = 0
                if case.verdict is Verdict.BLOCKED:
                    self._blocked.add(case.message)
                self._explain(case, f"{case.name} and {count - 1} more")
            elif case.verdict in _EXPLAINED and count:
                told += 1
                self._explain(case, brief=told > _TOLD_IN_FULL and not self._verbose)
            if case.verdict is Verdict.INFO or (case.verdict is Verdict.PASS and self._verbose):
                notes.update(case.notes)
        for note, times in notes.items():
            self._detail("seen", note + (f" ({times} times)" if times > 1 else ""))

    def summary(self, run: RunResult) -> None:
        """What the run came to, with all the denominators."""
        self._write("")
        counts = run.counts()
        listed = ", ".join(f"{counts[v]} {v}" for v in Verdict if counts[v]) or "none"
        self._write(f"{run.judged} requirements judged of {len(run.requirements)} run: {listed}")
        left_out = f", {run.excluded} left out by selection" if run.excluded else ""
        self._write(
            f"{len(run.cases)} cases{left_out}; the catalogue has {run.total_requirements} "
            f"requirements for this side; {run.seconds:.1f} s"
        )
        self._gating(run)
        used = [case for case in run.cases if case.deviation and case.verdict is Verdict.XFAIL]
        if used:
            names = ", ".join(dict.fromkeys(case.requirement for case in used))
            self._write(f"baseline {_short(run.baseline.path)} explains {len(used)}: {names}")
        for stale in run.stale:
            self.error(f"stale baseline entry: {run.baseline.describe(stale)}")
        for text in run.sanity + run.harness:
            self.error(text)
        if run.unreachable is not None:
            self.error(run.unreachable)
        if run.interrupted is not None:
            self.error(f"interrupted by {run.interrupted}; the cases above are all that was run")
        if run.report is not None:
            files = "index.html, report.json, junit.xml, report.tap, cases/"
            self._write(f"report: {_short(run.report)} ({files})")

    def _gating(self, run: RunResult) -> None:
        """What fails the run, once more and in few words: a long run has scrolled away."""
        blocked: dict[str, list[str]] = {}
        for result in run.requirements:
            bad = [case for case in result.cases if gates(case.verdict, run.strict)]
            if result.verdict is Verdict.BLOCKED:
                blocked.setdefault(bad[0].message, []).append(result.requirement.id)
            elif bad:
                cases = f"{len(bad)} of {len(result.cases)} case{'s' * (len(result.cases) != 1)}"
                text = f"{result.requirement.id}  {result.requirement.text} ({cases})"
                self._point(result.verdict, text)
        for reason, names in blocked.items():
            noun = "requirement" if len(names) == 1 else "requirements"
            self._point(Verdict.BLOCKED, f"{len(names)} {noun}: {reason}")
            for line in textwrap.wrap(" ".join(names), self._width - _VERDICT - 4):
                self._write(" " * (_VERDICT + 4) + line)

    def _point(self, verdict: Verdict, text: str) -> None:
        first, *rest = textwrap.wrap(" ".join(text.split()), self._width - _VERDICT - 4)
        self._write(f"  {self._paint(verdict, f'{verdict:{_VERDICT}}')}  {first}")
        for line in rest:
            self._write(" " * (_VERDICT + 4) + line)

    def list_cases(self, plan: Sequence[Planned], with_reasons: bool) -> None:
        """The cases by requirement; with the reason where one would not run."""
        shown: str | None = None
        for planned in plan:
            case = planned.case
            requirement = self._catalogue[case.requirement]
            if requirement.id != shown:
                shown = requirement.id
                self._write(self._heading(requirement))
            reason = f"  (skipped: {planned.skipped})" if planned.skipped else ""
            if planned.excluded:
                reason = f"  (not run: {planned.excluded})"
            self._write(f"        {case.name}{reason if with_reasons else ''}")

    def _heading(self, requirement: Requirement) -> str:
        return f"{requirement.id}  {requirement.level:{_LEVEL}} {requirement.text}"

    def _rest(self, start: str, text: str) -> None:
        """More about a requirement, below its text."""
        room = max(40, self._width - _INDENT - _TIME - 2)
        for line in textwrap.wrap(start + " ".join(text.split()), room):
            self._write(" " * _INDENT + line)

    def _explain(self, case: CaseResult, name: str | None = None, brief: bool = False) -> None:
        indent = " " * _INDENT
        self._write(f"{indent}{name or case.name}")
        if case.verdict is Verdict.XFAIL and case.deviation is not None:
            self._detail("observed", case.observed or case.message)
            where = f" ({case.deviation.function})" if case.deviation.function else ""
            self._detail("baseline", case.deviation.reason + where)
            return
        if case.verdict in (Verdict.SKIP, Verdict.BLOCKED):
            self._detail("reason", case.message)
            return
        if case.expected:
            self._detail("expected", case.expected)
            self._detail("observed", case.observed)
        else:
            self._detail("reason", case.message)
        if brief:
            return
        for note in case.notes:
            if note not in case.observed:
                self._detail("also", note)
        for line in case.traceback.splitlines()[-_TRACEBACK_LINES:]:
            self._write(f"{indent}  | {line}")
        if case.messages:
            count = _MESSAGES_VERBOSE if self._verbose else _MESSAGES
            shown = trace_text.excerpt(case.messages, count)
            self._detail("messages", "the last ones; -> from the suite, <- from what is tested")
            for line in shown:
                self._quote(line)
        if case.console:
            count = len(case.console) if self._verbose else _CONSOLE
            if _REPORT.search(case.console[0]):
                self._detail("console", "from the report on:")
                shown = case.console[:count]
            else:
                self._detail("console", "last lines:")
                shown = case.console[-count:]
            for line in shown:
                self._quote(line)
        if case.artefacts is not None:
            self._detail("evidence", _short(case.artefacts / case.capture), wrap=False)
        if case.repeat:
            self._detail("repeat", case.repeat, wrap=False)

    def _detail(self, name: str, text: str, wrap: bool = True) -> None:
        start = f"{'':{_INDENT + 2}}{name + ':':10}"
        room = max(40, self._width - len(start))
        lines = textwrap.wrap(" ".join(text.split()), room) if wrap else [text]
        for number, line in enumerate(lines or [""]):
            self._write((start if number == 0 else " " * len(start)) + line)

    def _quote(self, line: str) -> None:
        """A line from elsewhere. It begins far to the left: that is where it has room."""
        start = " " * _QUOTE_INDENT + "| "
        further = start + " " * (len(line) - len(line.lstrip()) + 12)
        room = self._width - len(start)
        text, *rest = textwrap.wrap(line, room, drop_whitespace=False) or [""]
        self._write(start + text.rstrip())
        for more in textwrap.wrap("".join(rest), self._width - len(further)):
            self._write(further + more)

    def _line(
        self,
        id: str,
        level: str,
        word: str,
        verdict: Verdict | None,
        text: str,
        time: str,
    ) -> str:
        room = max(30, self._width - _INDENT - _TIME - 2)
        lines = textwrap.wrap(text, room) or [""]
        painted = f"{word:{_VERDICT}}"
        if verdict is not None:
            painted = self._paint(verdict, painted)
        first = f"{id:{_ID}}  {level:{_LEVEL}}  {painted}  {lines[0]:{room}}  {time:>{_TIME}}"
        return "\n".join([first] + [" " * _INDENT + line for line in lines[1:]])

    def _paint(self, verdict: Verdict, text: str) -> str:
        if not self._colour:
            return text
        return f"\x1b[{_COLOURS.get(verdict, _OTHER_COLOUR)}m{text}\x1b[0m"

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def _short(path: Path | None) -> str:
    """A path as seen from the current folder, if it lies below that."""
    if path is None:
        return "(none)"
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
