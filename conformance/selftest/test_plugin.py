# SPDX-License-Identifier: BSD-2-Clause
"""From test function to verdict: small suites, run against a target made for the test."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rpmsg_conformance import baseline
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.catalogue import Catalogue
from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.plan import SelectionError
from rpmsg_conformance.pytest_plugin import ConformPlugin, Target, run_pytest
from rpmsg_conformance.results import CaseResult, Evidence
from rpmsg_conformance.verdicts import Outcome, Verdict

_serial = itertools.count()

HEAD = """
import pytest
from rpmsg_conformance.expect import *
must = pytest.mark.requirement("BF-001")
should = pytest.mark.requirement("BF-002")
may = pytest.mark.requirement("NS-001")
"""


class FakeTarget:
    """A target that does as it is told."""

    def __init__(self, sanity: Sequence[str | None | Exception] = ()) -> None:
        self._sanity = iter(sanity)
        self.exchanges = 0
        self.closed = False

    def sanity(self) -> str | None:
        self.exchanges += 1
        answer = next(self._sanity, None)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def console_tail(self) -> list[str]:
        return ["last words"]

    def evidence(self, outcome: Outcome, folder: Path | None) -> Evidence:
        return Evidence([f"told of {outcome}"], "messages.pcap")

    def close(self) -> None:
        self.closed = True


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int | None]] = []

    def case_done(self, result: CaseResult, requirement: Sequence[CaseResult] | None) -> None:
        self.calls.append((result.name, None if requirement is None else len(requirement)))


Run = Callable[..., ConformPlugin]


@pytest.fixture
def run(tmp_path: Path, small_catalogue: Catalogue) -> Run:
    """run(source, ...): the plugin after a run of a suite that consists of this source."""

    def start(
        source: str,
        target: Target | None = None,
        listener: Recorder | None = None,
        known: str | None = None,
        select: Sequence[str] = (),
        factor: float = 1.0,
    ) -> ConformPlugin:
        number = next(_serial)
        suite = tmp_path / f"suite{number}"
        suite.mkdir()
        (tmp_path / "pyproject.toml").write_text("")
        (suite / f"test_of_the_plugin_{number}.py").write_text(HEAD + textwrap.dedent(source))

        def load_baseline(cases: Any) -> Baseline:
            if known is None:
                return Baseline()
            path = tmp_path / "baseline.toml"
            path.write_text(known)
            return baseline.load(path, small_catalogue, cases)

        plugin = ConformPlugin(
            catalogue=small_catalogue,
            select=select,
            exclude=(),
            levels=(),
            target=target,
            listener=listener,
            load_baseline=load_baseline,
            repeat_command=["rpmsg-conform", "host"],
            report=tmp_path / "report",
            timeout_factor=factor,
        )
        plugin.exit_status = run_pytest(plugin, suite)  # type: ignore[attr-defined]
        return plugin

    return start


def only(plugin: ConformPlugin) -> CaseResult:
    """The one result of a run."""
    [[result]] = plugin.results.values()
    assert plugin.harness == []
    return result


@pytest.mark.parametrize(
    ("body", "outcome", "verdict"),
    [
        ("pass", Outcome.MET, Verdict.PASS),
        ("raise Unmet('a', 'b')", Outcome.UNMET, Verdict.FAIL),
        ("assert 1 == 2", Outcome.UNMET, Verdict.FAIL),
        ("raise Misbehaved('rule')", Outcome.MISBEHAVED, Verdict.FAIL),
        ("raise GuestDied('gone')", Outcome.DIED, Verdict.DIED),
        ("raise GuestWedged('mute')", Outcome.WEDGED, Verdict.WEDGED),
        ("raise Blocked('later')", Outcome.BLOCKED, Verdict.BLOCKED),
        ("pytest.skip('not here')", Outcome.SKIPPED, Verdict.SKIP),
        ("raise KeyError('oops')", Outcome.HARNESS, Verdict.HARNESS),
        ("import no_such_module", Outcome.HARNESS, Verdict.HARNESS),
    ],
)
def test_plugin_end_of_a_case_decides(
    body: str, outcome: Outcome, verdict: Verdict, run: Run
) -> None:
    result = only(run(f"@must\ndef test_it():\n    {body}\n"))
    assert (result.outcome, result.verdict) == (outcome, verdict)
    assert bool(result.message) is (outcome is not Outcome.MET)


def test_plugin_level_decides(run: Run) -> None:
    plugin = run(
        """
        @should
        def test_should(): assert False
        @may
        def test_may(): assert False
        """
    )
    verdicts = {name: [r.verdict for r in results] for name, results in plugin.results.items()}
    assert verdicts == {"BF-002": [Verdict.WARN], "NS-001": [Verdict.INFO]}


def test_plugin_keeps_expected_and_observed(run: Run) -> None:
    result = only(run("@must\ndef test_it():\n    expect_equal('errno', 'EIO', 'EAGAIN')\n"))
    assert (result.expected, result.observed) == ("errno = EAGAIN", "errno = EIO")


def test_plugin_repeat_command_names_exactly_the_case(run: Run) -> None:
    plugin = run(
        """
        @must
        @pytest.mark.parametrize("n", [1, 2])
        def test_it(n): assert n == 1
        """
    )
    failed = plugin.results["BF-001"][1]
    assert failed.repeat == "rpmsg-conform host --select 'test_it[2]'"


def test_plugin_unmet_prerequisite_blocks(run: Run) -> None:
    result = only(
        run(
            """
            @pytest.fixture
            def channel(): raise Unmet("a channel", "none")
            @must
            def test_it(channel): pass
            """
        )
    )
    assert result.verdict is Verdict.BLOCKED
    assert result.message == "prerequisite not met: expected a channel; observed none"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("GuestWedged('mute')", Verdict.WEDGED),
        ("GuestDied('gone')", Verdict.DIED),
        ("Unmet('gone', 'there')", Verdict.WEDGED),
        ("OSError('oops')", Verdict.HARNESS),
    ],
)
@pytest.mark.parametrize("body", ["pass", "assert False"])
def test_plugin_damage_found_after_the_case_outweighs_its_result(
    error: str, verdict: Verdict, body: str, run: Run
) -> None:
    result = only(
        run(
            f"""
            @pytest.fixture
            def link():
                yield
                raise {error}
            @must
            def test_it(link): {body}
            """
        )
    )
    assert result.verdict is verdict


def test_plugin_damaged_target_shows_its_console(run: Run) -> None:
    result = only(run("@must\ndef test_it(): raise GuestDied('gone')\n", target=FakeTarget()))
    assert result.console == ["last words"]


def test_plugin_case_beyond_its_deadline_times_out(run: Run) -> None:
    result = only(
        run(
            """
            import threading
            @must
            @pytest.mark.deadline(2)
            def test_it(): threading.Event().wait(60)
            """,
            factor=0.1,
        )
    )
    assert result.verdict is Verdict.TIMEOUT
    assert result.message == "the case did not end within its 0.2 s"


def test_plugin_cases_after_a_bad_one_still_run(run: Run) -> None:
    plugin = run(
        """
        @must
        def test_first(): raise GuestDied('gone')
        @must
        def test_second(): pass
        """
    )
    assert [r.verdict for r in plugin.results["BF-001"]] == [Verdict.DIED, Verdict.PASS]


def test_plugin_tells_the_listener_when_a_requirement_is_complete(run: Run) -> None:
    recorder = Recorder()
    run(
        """
        @must
        @pytest.mark.patient
        def test_waits(): pass
        @should
        def test_other(): pass
        @must
        def test_one(): pass
        """,
        listener=recorder,
    )
    assert recorder.calls == [("test_one", None), ("test_other", 1), ("test_waits", 2)]


def test_plugin_sanity_is_exchanged_first_and_last(run: Run) -> None:
    target = FakeTarget()
    plugin = run("@must\ndef test_it(): pass\n", target=target)
    assert target.exchanges == 2
    assert only(plugin).verdict is Verdict.PASS


@pytest.mark.parametrize("answer", ["no echo", TargetUnreachable("no guest")])
def test_plugin_failed_first_exchange_blocks_everything(
    answer: str | Exception, run: Run
) -> None:
    plugin = run("@must\ndef test_it(): pass\n", target=FakeTarget([answer]))
    assert plugin.unreachable is not None
    result = only(plugin)
    assert result.verdict is Verdict.BLOCKED
    assert str(answer) in result.message


def test_plugin_failed_last_exchange_is_told(run: Run) -> None:
    plugin = run("@must\ndef test_it(): pass\n", target=FakeTarget([None, "no echo"]))
    assert only(plugin).verdict is Verdict.PASS
    assert plugin.sanity == ["the last sanity exchange failed: no echo"]


def test_plugin_fault_in_an_exchange_is_our_own(run: Run) -> None:
    plugin = run("@must\ndef test_it(): pass\n", target=FakeTarget([ValueError("oops")]))
    assert plugin.harness == ["first sanity exchange: ValueError: oops"]
    assert plugin.results["BF-001"][0].verdict is Verdict.BLOCKED


def test_plugin_target_that_does_not_come_back_blocks_the_rest(run: Run) -> None:
    plugin = run(
        """
        @pytest.fixture
        def link(): raise TargetUnreachable("it does not boot any more")
        @must
        def test_one(link): pass
        @must
        def test_two(link): raise AssertionError("never reached")
        """
    )
    assert [r.verdict for r in plugin.results["BF-001"]] == [Verdict.BLOCKED] * 2
    assert plugin.unreachable == "it does not boot any more"


KNOWN = '[[deviation]]\nrequirement = "BF-001"\nseen = "errno 512"\nreason = "it is so"\n'


def test_plugin_baseline_explains_a_failure(run: Run) -> None:
    plugin = run("@must\ndef test_it(): raise Unmet('EIO', 'errno 512')\n", known=KNOWN)
    result = only(plugin)
    assert result.verdict is Verdict.XFAIL
    assert result.deviation is not None and result.deviation.reason == "it is so"


def test_plugin_case_that_the_baseline_names_and_that_passes_is_xpass(run: Run) -> None:
    plugin = run("@must\ndef test_it(): pass\n", known=KNOWN + 'case = "test_it"\n')
    result = only(plugin)
    assert result.verdict is Verdict.XPASS
    assert "errno 512" in result.message


def test_plugin_baseline_of_an_unknown_case_is_refused(run: Run) -> None:
    plugin = run("@must\ndef test_it(): pass\n", known=KNOWN + 'case = "test_that"\n')
    assert isinstance(plugin.usage_error, baseline.BaselineError)
    assert plugin.results == {}


def test_plugin_unknown_selection_is_refused(run: Run) -> None:
    plugin = run("@must\ndef test_it(): pass\n", select=("test_that",))
    assert isinstance(plugin.usage_error, SelectionError)
    assert plugin.results == {}


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def test_it(): pass", "needs exactly one requirement marker"),
        ("@must\n@should\ndef test_it(): pass", "needs exactly one requirement marker"),
        ("@pytest.mark.requirement('XX-999')\ndef test_it(): pass", "no requirement 'XX-999'"),
        ("import no_such_module", "cannot be collected"),
        ("@pytest.mark.no_such_marker\ndef test_it(): pass", "cannot be collected"),
    ],
)
def test_plugin_broken_suite_is_our_own_fault(source: str, complaint: str, run: Run) -> None:
    plugin = run(source + "\n")
    assert complaint in plugin.harness[0]
    assert plugin.results == {}


def test_plugin_interruption_closes_the_target_and_keeps_what_was_done(run: Run) -> None:
    target = FakeTarget()
    plugin = run(
        """
        @must
        def test_first(): pass
        @should
        def test_second(): raise KeyboardInterrupt
        """,
        target=target,
    )
    assert isinstance(plugin.interrupted, KeyboardInterrupt)
    assert target.closed
    assert [r.verdict for r in plugin.results["BF-001"]] == [Verdict.PASS]


FOLDER = """
from rpmsg_conformance.pytest_plugin import record_key
@must
@pytest.mark.parametrize("n", ["a/b"])
def test_it(n, request):
    folder = request.node.stash[record_key].artefacts
    assert list(folder.iterdir()) == []
"""


def test_plugin_case_gets_an_empty_folder_for_evidence(run: Run, tmp_path: Path) -> None:
    result = only(run(FOLDER + "    (folder / 'seen').touch()\n"))
    assert result.verdict is Verdict.PASS
    assert result.artefacts == tmp_path / "report/cases/test_it-a-b"
    assert [path.name for path in result.artefacts.iterdir()] == ["seen"]


def test_plugin_folder_without_evidence_goes(run: Run, tmp_path: Path) -> None:
    assert only(run(FOLDER)).artefacts is None
    assert list((tmp_path / "report/cases").iterdir()) == []


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ("pass", []),
        ("pytest.skip('not here')", []),
        ("raise Unmet('a', 'b')", ["told of unmet"]),
        ("raise GuestDied('gone')", ["told of died"]),
    ],
)
def test_plugin_asks_for_the_messages_of_a_case_that_does_not_pass(
    body: str, messages: list[str], run: Run
) -> None:
    result = only(run(f"@must\ndef test_it(): {body}\n", target=FakeTarget()))
    assert result.messages == messages
    assert result.capture == ("messages.pcap" if messages else "")
