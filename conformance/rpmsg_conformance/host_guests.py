# SPDX-License-Identifier: BSD-2-Clause
"""Several guests in one go: a run of its own for each, some at a time, and a page with all of them.

Each guest's run is this program once more, with a report folder of its own, so that nothing that
one of them does can stop or change another.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rpmsg_conformance import pages, processes, report_json, report_matrix
from rpmsg_conformance.files import write_whole
from rpmsg_conformance.results import (
    EXIT_GATING,
    EXIT_HARNESS,
    EXIT_NOTHING_RUN,
    EXIT_OK,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
)

#: What a guest's run wrote on its terminal, in its report folder.
OUTPUT = "output.txt"

#: The first of these that any guest's run ended with is that of the whole.
_WORST = (EXIT_HARNESS, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_GATING)


@dataclass
class _Run:
    guest: str
    report: Path
    child: processes.Child | None = None
    status: int | None = None
    started: float = 0.0
    seconds: float = 0.0

    @property
    def output(self) -> Path:
        return self.report / OUTPUT


def without_options(arguments: Sequence[str], *names: str) -> list[str]:
    """A command line without some options that take one value, in either way of writing them."""
    kept: list[str] = []
    value_due = False
    for argument in arguments:
        if value_due:
            value_due = False
        elif argument in names:
            value_due = True
        elif not any(
            argument.startswith(f"{name}=" if name.startswith("--") else name) for name in names
        ):
            kept.append(argument)
    return kept


def worst_status(statuses: Sequence[int]) -> int:
    """The exit status of a run of several guests, given those of each."""
    for status in _WORST:
        if status in statuses:
            return status
    if statuses and all(status == EXIT_NOTHING_RUN for status in statuses):
        return EXIT_NOTHING_RUN
    unknown = [status for status in statuses if status not in (EXIT_OK, EXIT_NOTHING_RUN)]
    return EXIT_HARNESS if unknown else EXIT_OK


def run_guests(
    guests: Sequence[str],
    arguments: Sequence[str],
    report: Path,
    at_once: int,
    say: Callable[[str], None],
) -> int:
    """Run ``rpmsg-conform host`` for each of the guests, at most ``at_once`` at a time.

    ``arguments`` is the command line after the program's name. What the runs print is shown guest
    by guest in the order given. Writes report/NAME and report/index.html; returns the exit status.
    """
    rest = without_options(arguments, "--guest", "--report", "-n")
    runs = [_Run(guest, report / guest) for guest in guests]
    waiting, active, shown = list(runs), list[_Run](), 0
    while waiting or active:
        while waiting and len(active) < at_once:
            active.append(_start(waiting.pop(0), rest, say))
        _await_any(active)
        for run in [run for run in active if run.status is not None]:
            active.remove(run)
            say(f"guest {run.guest}: exit status {run.status} after {run.seconds:.1f} s")
        while shown < len(runs) and runs[shown].status is not None:
            _show(runs[shown])
            shown += 1
    _put_together(runs, report)
    return worst_status([run.status for run in runs if run.status is not None])


def _start(run: _Run, rest: Sequence[str], say: Callable[[str], None]) -> _Run:
    run.report.mkdir(parents=True, exist_ok=True)
    # A report of an earlier run must not pass for this one's, whatever happens before it is written.
    (run.report / "report.json").unlink(missing_ok=True)
    program = [sys.executable, *sys.argv[:1]]
    if Path(sys.argv[0]).name == "__main__.py":
        program = [sys.executable, "-m", "rpmsg_conformance"]
    argv = [*program, *rest, "--guest", run.guest, "--report", str(run.report)]
    with run.output.open("wb") as output:
        run.child = processes.spawn(
            argv,
            name=f"the run of {run.guest}",
            stdout=output,
            stderr=output,
            # It has children and folders of its own to take care of.
            death_signal=signal.SIGTERM,
        )
    run.started = time.monotonic()
    say(f"guest {run.guest}: started; it writes to {run.output}")
    return run


def _await_any(active: Sequence[_Run]) -> None:
    poll = select.poll()
    for run in active:
        assert run.child is not None
        poll.register(run.child.fileno(), select.POLLIN)
    poll.poll()
    for run in active:
        assert run.child is not None
        if not run.child.running:
            run.status = run.child.process.returncode
            run.seconds = time.monotonic() - run.started
            run.child.stop()


def _show(run: _Run) -> None:
    print(f"\n==== guest {run.guest}\n", flush=True)
    text = run.output.read_text(encoding="utf-8", errors="replace")
    sys.stdout.write(text + ("" if text.endswith("\n") else "\n"))


def _put_together(runs: Sequence[_Run], report: Path) -> None:
    named = []
    missing = []
    for run in runs:
        path = run.report / "report.json"
        try:
            named.append((path, report_json.load(path)))
        except report_json.ReportError:
            missing.append(f"guest {run.guest}: no report, see {run.output}")
    print("\n==== all guests\n")
    if named:
        columns = report_matrix.columns(named)
        write_whole(report / "index.html", pages.as_bytes(report_matrix.as_page(columns)))
        sys.stdout.write(report_matrix.as_text(columns))
    for line in missing:
        print(line)
    for run in runs:
        print(f"guest {run.guest}: exit status {run.status}, {run.seconds:.1f} s")
    if named:
        print(f"page: {os.path.relpath(report / 'index.html')}")
