# SPDX-License-Identifier: BSD-2-Clause
"""Does each case notice when it is lied to? ``rpmsg-conform host --self-check``.

Every case runs with one lie after another about what was observed during its own steps, not during
what prepares them, until one makes it say "not met". One that no lie reaches is a fault of the suite.
A case that fails honestly (a known deviation) has shown that it can.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from rpmsg_conformance import lies
from rpmsg_conformance.agent import Reply
from rpmsg_conformance.long_waits import Removal
from rpmsg_conformance.pytest_plugin import ConformPlugin, record_key
from rpmsg_conformance.results import CaseResult
from rpmsg_conformance.sim import Event
from rpmsg_conformance.verdicts import Outcome, Verdict

#: Ends of a lied-to case that show that it looks at what it judges. A case that waits for what the
#: lie hides runs into its deadline, which is noticing it as well.
_NOTICED = frozenset({Outcome.UNMET, Outcome.TIMEOUT, Outcome.MISBEHAVED})

#: Ends that no lie changes.
_AS_IT_IS = frozenset({Outcome.SKIPPED, Outcome.BLOCKED})


#: The lie about what was observed before the case, by the fixtures that it uses.
PREPARED = "what was observed before was otherwise"


def _otherwise(value: Any, item: pytest.Function) -> Any:
    """A fixture's value as if something else had been observed."""
    if isinstance(value, Reply):
        message = dict(value.message, ok=not value.ok, errno="EIO", errnum=5, ret=0)
        message["t1"] = message["t0"] + 60 * 10**9
        return Reply(value.command, message)
    if isinstance(value, Removal):
        late = value.writer_seconds
        return replace(
            value, seconds=value.seconds + 60, writer_seconds=None if late is None else late + 60
        )
    if hasattr(value, "violations") and hasattr(value, "features"):
        changed = copy.copy(value)
        requirement = item.callspec.params["requirement"] if hasattr(item, "callspec") else ""
        changed.violations = [Event(0, 0, "violation", {"requirement": requirement})]
        changed.features = [(0, 1 << 40)]
        return changed
    return value


class SelfCheckPlugin(ConformPlugin):
    """Runs each case under lies, and judges the case instead of the target."""

    _lie: str | None = None
    _last: CaseResult | None = None

    def run_case(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run one case until a lie makes it fail."""
        if super().run_case(item, nextitem) is not None:
            self._tell(self._last)
            return True
        # What pytest takes for the next case decides what it tears down: all of this one's own.
        others = (other for other in item.session.items if other is not item)
        following = nextitem or next(others, None)
        tried: list[str] = []
        for name in (*lies.NAMES, PREPARED, *lies.LAST):
            self._lie = name
            initialise = getattr(item, "_initrequest", None)
            if initialise is not None:
                initialise()
            runtestprotocol(item, nextitem=following, log=False)
            record = item.stash[record_key]
            if record.outcome in _AS_IT_IS:
                self._tell(record)
                return True
            if record.outcome in _NOTICED:
                record.verdict, record.outcome = Verdict.PASS, Outcome.MET
                record.notes = [f"fails when {name}: {record.message}"[:200]]
                record.message = record.expected = record.observed = ""
                self._tell(record)
                return True
            tried.append(f"{name}: {record.outcome}")
        record.verdict, record.outcome = Verdict.HARNESS, Outcome.HARNESS
        record.message = f"no lie makes it fail ({'; '.join(tried)})"
        self._tell(record)
        return True

    @contextmanager
    def around_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Tell the lie during the case's own steps."""
        lies.told = self._lie
        if self._lie == PREPARED and isinstance(item, pytest.Function):
            for name, value in item.funcargs.items():
                item.funcargs[name] = _otherwise(value, item)
        try:
            yield
        finally:
            lies.told = None

    def _judge(self, record: CaseResult) -> None:
        self._last = record

    def _tell(self, record: CaseResult | None) -> None:
        """The case is through."""
        assert record is not None
        if record.verdict is Verdict.PASS and record.outcome in _AS_IT_IS:
            record.verdict = Verdict.SKIP
        results = self.results.setdefault(record.requirement, [])
        results.append(record)
        self._left[record.requirement] -= 1
        if self._listener is not None:
            done = results if self._left[record.requirement] == 0 else None
            self._listener.case_done(record, done)
