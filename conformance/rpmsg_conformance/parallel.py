# SPDX-License-Identifier: BSD-2-Clause
"""Groups of cases at once: worker processes, each with a target of its own.

A group is all cases of a requirement. Workers are forks of this process: they have read everything
already, and tell their results over pipes.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from rpmsg_conformance import processes
from rpmsg_conformance.baseline import Baseline, Deviation
from rpmsg_conformance.plan import Case, Planned
from rpmsg_conformance.results import CaseResult
from rpmsg_conformance.suite_run import MakeTarget, Ran, SuiteRun, groups


class _Sender:
    """The listener of a worker: tells its parent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def case_done(self, result: CaseResult, requirement: Sequence[CaseResult] | None) -> None:
        self._pipe.send(("case", result, requirement is not None))

    def say(self, text: str) -> None:
        self._pipe.send(("say", text, False))


def run_parts(
    run: SuiteRun,
    plan: Sequence[Planned],
    make_target: MakeTarget,
    report: Path,
    known: Baseline,
) -> Ran:
    """Run the planned cases on ``run.options.jobs`` workers and put together what they found.

    Deviations of the results are entries of ``known``.
    """
    owner = groups(plan, run.options.jobs)
    count = min(run.options.jobs, max(1, len(set(owner.values()))))
    workers: dict[Connection, int] = {}
    pids: list[int] = []
    merged = Ran()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        for number in range(count):
            ours, theirs = Pipe(duplex=False)
            pid = os.fork()
            if pid == 0:
                _work(run, number, owner, make_target, report, theirs)
            theirs.close()
            pids.append(pid)
            workers[ours] = number
        _gather(run, workers, merged, known.deviations)
    except KeyboardInterrupt as error:
        merged.interrupted = error
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    finally:
        for pid in pids:
            os.waitpid(pid, 0)
    return merged


def _gather(
    run: SuiteRun,
    workers: dict[Connection, int],
    merged: Ran,
    deviations: Sequence[Deviation],
) -> None:
    while workers:
        for pipe in wait(list(workers)):
            assert isinstance(pipe, Connection)
            try:
                kind, content, complete = pipe.recv()
            except EOFError:
                number = workers.pop(pipe)
                merged.harness.append(f"worker {number} ended without saying why")
                continue
            if kind == "case":
                _take(run, merged, content, complete, deviations)
            elif kind == "say":
                run.terminal.say(content)
            else:
                _merge(merged, content)
                workers.pop(pipe)


def _take(
    run: SuiteRun, merged: Ran, result: CaseResult, complete: bool, deviations: Sequence[Deviation]
) -> None:
    if result.deviation is not None:
        # A copy came over the pipe; the baseline looks for its own entry.
        same = next((d for d in deviations if d == result.deviation), result.deviation)
        result = replace(result, deviation=same)
    results = merged.results.setdefault(result.requirement, [])
    results.append(result)
    run.terminal.case_done(result, results if complete else None)


def _merge(merged: Ran, part: Ran) -> None:
    merged.sanity += part.sanity
    merged.harness += part.harness
    merged.unreachable = merged.unreachable or part.unreachable
    for name, value in part.described.items():
        merged.described.setdefault(name, value)


def _work(
    run: SuiteRun,
    number: int,
    owner: dict[str, int],
    make_target: MakeTarget,
    report: Path,
    pipe: Connection,
) -> None:
    """A worker's whole life; never returns."""
    status = 1
    try:
        sender = _Sender(pipe)
        target = make_target(report / f"worker-{number}", sender.say)

        def mine(case: Case) -> bool:
            return owner.get(case.requirement) == number

        ran = run.run_here(run.plugin(target, sender, report, mine), target)
        ran.results = {}
        pipe.send(("end", ran, False))
        status = 0
    except KeyboardInterrupt:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        processes.clean_up()
        os._exit(status)
