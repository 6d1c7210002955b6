# SPDX-License-Identifier: BSD-2-Clause
"""Baselines explain failures, and make themselves noticed when they no longer do."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from conftest import CONFORMANCE

from rpmsg_conformance import baseline, catalogue, coverage
from rpmsg_conformance.baseline import Baseline, BaselineError
from rpmsg_conformance.catalogue import Catalogue, Side
from rpmsg_conformance.verdicts import Verdict

CASES = {"BF-001": ["test_one", "test_two"], "BF-002": ["test_three"]}
TODAY = datetime.date(2026, 11, 21)

ENTRY = """# a comment
[[deviation]]
requirement = "BF-001"
seen = "errno 512"
reason = '''two
  lines'''
"""


COMPLAINT = """[[complaint]]
requirement = "BF-001"
seen = "scheduling while atomic"
reason = "known"
"""


def load(folder: Path, small: Catalogue, text: str) -> Baseline:
    path = folder / "guest.toml"
    path.write_text(text)
    return baseline.load(path, small, CASES)


def test_baseline_described_failure_is_expected(tmp_path: Path, small_catalogue: Catalogue) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    applied = known.apply("BF-001", "test_one", Verdict.FAIL, "write fails with errno 512: x")
    assert applied.verdict is Verdict.XFAIL
    assert applied.deviation is not None
    assert applied.deviation.reason == "two lines"


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.WARN])
def test_baseline_other_failure_stays_a_failure(
    verdict: Verdict, tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    assert known.apply("BF-001", "test_one", verdict, "errno 5").verdict is verdict


@pytest.mark.parametrize(
    "verdict", [Verdict.DIED, Verdict.WEDGED, Verdict.BLOCKED, Verdict.HARNESS, Verdict.SKIP]
)
def test_baseline_does_not_explain_more_than_failures(
    verdict: Verdict, tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    assert known.apply("BF-001", "test_one", verdict, "errno 512").verdict is verdict


def test_baseline_does_not_reach_other_requirements(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    assert known.apply("BF-002", "test_three", Verdict.WARN, "errno 512").verdict is Verdict.WARN


def test_baseline_case_that_passes_after_all_is_xpass(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY + 'case = "test_two"\n')
    assert known.apply("BF-001", "test_two", Verdict.PASS, "").verdict is Verdict.XPASS
    assert known.apply("BF-001", "test_one", Verdict.PASS, "").verdict is Verdict.PASS


def test_baseline_entry_that_was_met_is_not_stale(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    used = known.apply("BF-001", "test_one", Verdict.FAIL, "errno 512").deviation
    results = [
        ("BF-001", "test_one", Verdict.XFAIL, used),
        ("BF-001", "test_two", Verdict.PASS, None),
    ]
    assert known.stale(results, TODAY) == []


def test_baseline_entry_whose_requirement_passes_is_stale(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    [stale] = known.stale([("BF-001", "test_one", Verdict.PASS, None)], TODAY)
    line = known.describe(stale)
    assert line.startswith(f"{tmp_path / 'guest.toml'}:2: delete the [[deviation]] for BF-001")
    assert "the requirement is met now" in line


def test_baseline_entry_that_describes_another_failure_is_stale(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    [stale] = known.stale([("BF-001", "test_one", Verdict.WARN, None)], TODAY)
    assert "nothing failed with 'errno 512'" in known.describe(stale)


@pytest.mark.parametrize("verdict", [Verdict.SKIP, Verdict.BLOCKED, Verdict.HARNESS])
def test_baseline_entry_without_evidence_is_left_alone(
    verdict: Verdict, tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, ENTRY)
    assert known.stale([("BF-001", "test_one", verdict, None)], TODAY) == []
    assert known.stale([], TODAY) == []


def test_baseline_expired_entry_is_stale(tmp_path: Path, small_catalogue: Catalogue) -> None:
    known = load(tmp_path, small_catalogue, ENTRY + "expires = 2026-11-20\n")
    [stale] = known.stale([], TODAY)
    assert "expired on 2026-11-20" in known.describe(stale)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ENTRY.replace("reason", "cause"), ":2: 'reason' is missing"),
        (ENTRY.replace("errno 512", " "), ":2: 'seen' is missing or is not a non-empty"),
        (ENTRY + "colour = 1\n", "unknown key 'colour'"),
        (ENTRY.replace("BF-001", "BF-099"), "no requirement 'BF-099'"),
        (ENTRY.replace("BF-001", "NS-001"), "level 'may' and cannot fail"),
        (ENTRY + 'case = "test_four"\n', "BF-001 has no case 'test_four'"),
        (ENTRY + 'expires = "soon"\n', "'expires' is not a date"),
        ("[[deviations]]\n", "unknown key 'deviations'"),
        ("[[deviation\n", "not valid TOML"),
        (COMPLAINT.replace("BF-001", "BF-099"), "no requirement 'BF-099'"),
        (COMPLAINT.replace("seen", "saw"), ":1: 'seen' is missing"),
        (COMPLAINT + "trace = 'f'\n", "'trace' is not a list of names"),
        ("complaint = [{}]\n", "its own \\[\\[complaint\\]\\] line"),
        ("deviation = [{}]\n", "its own \\[\\[deviation\\]\\] line"),
    ],
)
def test_baseline_mistake_is_named(
    text: str, complaint: str, tmp_path: Path, small_catalogue: Catalogue
) -> None:
    with pytest.raises(BaselineError, match=complaint):
        load(tmp_path, small_catalogue, text)


def test_baseline_complaint_is_known_by_text_and_trace(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = load(tmp_path, small_catalogue, COMPLAINT + 'trace = ["f", "g"]\n')
    text = "BUG: scheduling while atomic: init/1"
    entry = known.explain(text, ["x", "f", "y", "g"])
    assert entry is not None and entry.requirement == "BF-001"
    assert known.explain(text, ["f"]) is None
    assert known.explain("BUG: another", ["f", "g"]) is None


def test_baseline_shipped_ones_are_valid() -> None:
    known = catalogue.load(CONFORMANCE / "requirements.toml")
    paths = list((CONFORMANCE.parent / "fixtures/baselines").glob("*.toml"))
    cases: dict[str, list[str]] = {}
    for case in coverage.find_cases(CONFORMANCE / "host", Side.HOST):
        cases.setdefault(case.requirement, []).append(case.case)
    assert paths
    for path in paths:
        assert baseline.load(path, known, cases).deviations


def including(folder: Path, small: Catalogue, text: str) -> Baseline:
    (folder / "other.toml").write_text(ENTRY + COMPLAINT)
    return load(folder, small, '[[include]]\nfile = "other.toml"\n' + text)


def test_baseline_includes_the_entries_of_another(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = including(tmp_path, small_catalogue, "")
    assert [deviation.requirement for deviation in known.deviations] == ["BF-001"]
    assert len(known.known_complaints) == 1
    [stale] = known.stale([("BF-001", "test_one", Verdict.PASS, None)], TODAY)
    assert known.describe(stale).startswith(f"{tmp_path}/other.toml:2: delete")


def test_baseline_leaves_out_of_another_what_it_says(
    tmp_path: Path, small_catalogue: Catalogue
) -> None:
    known = including(tmp_path, small_catalogue, 'without = ["BF-001"]\n')
    assert not known.deviations and not known.known_complaints


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('without = ["BF-002"]\n', "other.toml has no entry for 'BF-002'"),
        ('without = "BF-001"\n', "'without' is not a list"),
        ('[[include]]\nfile = "guest.toml"\n', "includes itself"),
        ('[[include]]\nfile = "none.toml"\n', "cannot be read"),
    ],
)
def test_baseline_mistake_in_an_include_is_named(
    text: str, complaint: str, tmp_path: Path, small_catalogue: Catalogue
) -> None:
    with pytest.raises(BaselineError, match=complaint):
        including(tmp_path, small_catalogue, text)
