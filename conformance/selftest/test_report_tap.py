# SPDX-License-Identifier: BSD-2-Clause
"""TAP: one test point a case, which fails a reader exactly when it fails the run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import MakeRun

from rpmsg_conformance import report_tap
from rpmsg_conformance.results import RunResult
from rpmsg_conformance.verdicts import Verdict


def points(run: RunResult) -> list[str]:
    return re.findall(r"^(?:not )?ok .*$", report_tap.as_text("host", run), re.MULTILINE)


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (Verdict.PASS, "ok 1 - BF-001 test_bf_001_0"),
        (Verdict.WARN, "ok 1 - BF-001 test_bf_001_0"),
        (Verdict.INFO, "ok 1 - BF-001 test_bf_001_0"),
        (Verdict.SKIP, "ok 1 - BF-001 test_bf_001_0 # SKIP why SKIP"),
        (Verdict.FAIL, "not ok 1 - BF-001 test_bf_001_0"),
        (Verdict.DIED, "not ok 1 - BF-001 test_bf_001_0"),
        (Verdict.WEDGED, "not ok 1 - BF-001 test_bf_001_0"),
        (Verdict.TIMEOUT, "not ok 1 - BF-001 test_bf_001_0 # TIMEOUT why TIMEOUT"),
        (Verdict.BLOCKED, "not ok 1 - BF-001 test_bf_001_0 # ERROR why BLOCKED"),
        (Verdict.HARNESS, "not ok 1 - BF-001 test_bf_001_0 # ERROR why HARNESS"),
        (Verdict.XFAIL, "not ok 1 - BF-001 test_bf_001_0 # TODO XFAIL why XFAIL"),
        (Verdict.XPASS, "not ok 1 - BF-001 test_bf_001_0 # XPASS why XPASS"),
    ],
)
def test_report_tap_line_of_each_verdict(
    verdict: Verdict, line: str, make_run: MakeRun
) -> None:
    assert points(make_run({"BF-001": [verdict]})) == [line]


def test_report_tap_strict_fails_a_warning(make_run: MakeRun) -> None:
    [line] = points(make_run({"BF-002": [Verdict.WARN]}, strict=True))
    assert line.startswith("not ok")


def test_report_tap_plan_counts_cases_and_faults_of_the_run(make_run: MakeRun) -> None:
    run = make_run({"BF-001": [Verdict.PASS, Verdict.FAIL]}, harness=["boom"], sanity=["no echo"])
    lines = report_tap.as_text("host", run).splitlines()
    assert lines[:2] == ["TAP version 14", "1..4"]
    assert points(run)[2:] == [
        "not ok 3 - run harness # ERROR boom",
        "not ok 4 - run sanity # ERROR no echo",
    ]


def test_report_tap_interrupted_run_bails_out(make_run: MakeRun) -> None:
    text = report_tap.as_text("host", make_run({"BF-001": [Verdict.PASS]}, interrupted="signal 2"))
    assert text.endswith("Bail out! interrupted by signal 2\n")


def test_report_tap_failure_keeps_its_evidence(make_run: MakeRun) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]})
    run.cases[0].observed, run.cases[0].console = 'a "quote"\n...\nnot ok 9', ["line: 1", "..."]
    text = report_tap.as_text("host", run)
    found = {
        name: json.loads(value)
        for name, value in re.findall(r"^  (observed|console): (.*)$", text, re.MULTILINE)
    }
    assert found == {"observed": run.cases[0].observed, "console": run.cases[0].console}
    assert len(points(run)) == 1


@pytest.mark.parametrize(
    "name", ["a # TODO x", "a\nnot ok 7", "a \\# SKIP", "a\u2028ok 8", "\ud800"]
)
def test_report_tap_name_cannot_become_a_directive(name: str, make_run: MakeRun) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]})
    run.cases[0].name = name
    [line] = points(run)
    assert re.search(r"(?<!\\)(\\\\)*#", line) is None
    assert len(line.splitlines()) == 1
    line.encode("utf-8")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_report_tap_reader_agrees_with_the_exit_status(
    verdict: Verdict, make_run: MakeRun, tmp_path: Path
) -> None:
    prove = shutil.which("prove")
    if prove is None:
        pytest.skip("prove (Debian package perl) is not installed")
    run = make_run({"BF-001": [Verdict.PASS, verdict]})
    path = tmp_path / "report.tap"
    report_tap.write(path, "host", run)
    # Perl's reader ends at version 13, which has all that is used here.
    path.write_text(path.read_text().replace("TAP version 14\n", "TAP version 13\n", 1))
    read = subprocess.run(
        [prove, "--exec", "cat", path], capture_output=True, text=True, timeout=60
    )
    assert (read.returncode == 0) == (run.exit_code == 0), read.stdout + read.stderr
    assert "Parse errors" not in read.stdout
