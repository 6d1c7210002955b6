# SPDX-License-Identifier: BSD-2-Clause
"""Many short runs of the remote suite, each against a remote of its own, several at a time.

Every run is a fork of this process, which has read pytest, hypothesis and the suite already: what a
run costs is its cases. It tells its verdicts over a pipe; its output is kept for when it fails.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

import pytest

from rpmsg_conformance import catalogue, processes, remote_fixtures
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.catalogue import Catalogue
from rpmsg_conformance.plan import Case
from rpmsg_conformance.pytest_plugin import ConformPlugin, run_pytest
from rpmsg_conformance.remote_target import RemoteTarget, parse_launch
from rpmsg_conformance.results import CaseResult
from rpmsg_conformance.verdicts import Outcome, Verdict

CONFORMANCE: Final = Path(__file__).resolve().parents[1]

#: Longest run of the suite against one remote, in seconds.
RUN_SECONDS: Final = 900.0

#: Every run draws the same examples.
SEED: Final = 1

#: What is said of a case whose requirement may be met or not, and was not.
NOTED: Final = "NOTED"

#: Verdicts of cases by name, by requirement, in the order in which the cases ran.
Seen = dict[str, dict[str, str]]


class MutationError(Exception):
    """The suite itself did not run as it should."""


@dataclass(frozen=True)
class Run:
    """One run: the command that starts the remote, which cases, and which requirement's first."""

    name: str
    launch: str
    wanted: Callable[[Case], bool] = field(default=lambda case: True)
    first: str = ""
    profile: str | None = None
    """The family whose requirements are judged; None: all of them."""


class _OwnFirst:
    """Puts the cases of one requirement in front: a remote that errs a few times errs there."""

    def __init__(self, requirement: str) -> None:
        self._requirement = requirement

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort what ConformPlugin, whose hook comes first, has left; the order is otherwise kept."""

        def later(item: pytest.Item) -> bool:
            marker = item.get_closest_marker("requirement")
            return marker is None or marker.args[0] != self._requirement

        items.sort(key=later)


def load_catalogue() -> Catalogue:
    """The requirements of the checkout."""
    return catalogue.load(CONFORMANCE / "requirements.toml")


def make_plugin(
    requirements: Catalogue,
    target: RemoteTarget | None = None,
    wanted: Callable[[Case], bool] | None = None,
    profile: str | None = None,
) -> ConformPlugin:
    """The plugin for all cases, or for the wanted ones."""
    return ConformPlugin(
        catalogue=requirements,
        select=(),
        exclude=(),
        levels=(),
        target=target,
        listener=None,
        load_baseline=lambda cases: Baseline(),
        repeat_command=[],
        report=None,
        profile=profile,
        seed=SEED,
        part=wanted,
    )


def all_cases(requirements: Catalogue) -> list[Case]:
    """The cases of the remote suite. Raises MutationError."""
    plugin = make_plugin(requirements)
    run_pytest(plugin, CONFORMANCE / "remote", [remote_fixtures], collect_only=True)
    if plugin.harness or plugin.usage_error is not None:
        raise MutationError("; ".join(plugin.harness) or str(plugin.usage_error))
    return [planned.case for planned in plugin.plan]


def said(result: CaseResult) -> str:
    """The verdict, or that what may be was not."""
    if result.verdict is Verdict.INFO and result.outcome is Outcome.UNMET:
        return NOTED
    return str(result.verdict)


def _judge_one(run: Run, requirements: Catalogue) -> Seen:
    """Run the cases in this process. Raises MutationError when they say nothing."""
    target = RemoteTarget(
        socket=None, launch=parse_launch(run.launch), echo_name=None, echo_addr=None, folder=None
    )
    plugin = make_plugin(requirements, target, run.wanted, run.profile)
    try:
        run_pytest(plugin, CONFORMANCE / "remote", [remote_fixtures, _OwnFirst(run.first)])
    finally:
        tail = "".join(f"\n    {line}" for line in target.console_tail()[-8:])
        target.close()
    for fault in plugin.harness:
        raise MutationError(fault + tail)
    if plugin.interrupted is not None or not plugin.results:
        raise MutationError("no case was run")
    return {
        name: {result.name: said(result) for result in results}
        for name, results in plugin.results.items()
    }


def _work(run: Run, requirements: Catalogue, pipe: Connection) -> None:
    """A fork's whole life; never returns."""
    status = 1
    try:
        # Ended by SIGTERM, it ends its remote first.
        with processes.guarded():
            pipe.send(_judge_one(run, requirements))
        status = 0
    except MutationError as error:
        pipe.send(str(error))
    except BaseException:
        pipe.send(traceback.format_exc())
    finally:
        os._exit(status)


@dataclass
class _Fork:
    """A run that goes on."""

    number: int
    pid: int
    until: float


def run_all(
    runs: Sequence[Run], jobs: int, requirements: Catalogue, seconds: float = RUN_SECONDS
) -> Iterator[tuple[int, Seen]]:
    """Make the runs, ``jobs`` at a time; yields (place in ``runs``, what it saw) as they end.

    Raises MutationError when one says nothing, or takes longer than ``seconds``.
    """
    waiting = list(enumerate(runs))
    forks: dict[Connection, _Fork] = {}
    try:
        while waiting or forks:
            while waiting and len(forks) < jobs:
                number, run = waiting.pop(0)
                forks.update([_start(number, run, requirements, seconds)])
            for pipe in wait(list(forks), timeout=1.0):
                assert isinstance(pipe, Connection)
                fork = forks.pop(pipe)
                yield fork.number, _take(pipe, fork, runs[fork.number])
            for fork in forks.values():
                if time.monotonic() > fork.until:
                    name = runs[fork.number].name
                    raise MutationError(f"{name}: no end within {seconds:g} s")
    finally:
        for fork in forks.values():
            os.kill(fork.pid, signal.SIGTERM)
        for fork in forks.values():
            os.waitpid(fork.pid, 0)


def _start(
    number: int, run: Run, requirements: Catalogue, seconds: float
) -> tuple[Connection, _Fork]:
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _work(run, requirements, theirs)
    theirs.close()
    return ours, _Fork(number, pid, time.monotonic() + seconds)


def _take(pipe: Connection, fork: _Fork, run: Run) -> Seen:
    try:
        found = pipe.recv()
    except EOFError:
        found = "the run ended without saying why"
    pipe.close()
    os.waitpid(fork.pid, 0)
    if isinstance(found, str):
        raise MutationError(f"{run.name}: {found}")
    return dict(found)
