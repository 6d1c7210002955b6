# SPDX-License-Identifier: BSD-2-Clause
"""Terminal, JUnit and JSON output, and the exit status that goes with them."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from conftest import MakeRun

from rpmsg_conformance import junit, report_json
from rpmsg_conformance.baseline import Baseline, Deviation, Stale
from rpmsg_conformance.catalogue import Catalogue
from rpmsg_conformance.results import RunResult
from rpmsg_conformance.terminal import Terminal
from rpmsg_conformance.verdicts import Verdict

DEVIATION = Deviation(
    "BF-002", "errno 512", "the kernel does so", 7, function="f() in f.c", where="b.toml:7"
)
STALE = Stale(DEVIATION, "the requirement is met now")


def shown(run: RunResult, catalogue: Catalogue, verbose: bool = False) -> str:
    stream = io.StringIO()
    terminal = Terminal(stream, catalogue, verbose, environment={})
    for requirement in run.requirements:
        for case in requirement.cases:
            last = case is requirement.cases[-1]
            terminal.case_done(case, requirement.cases if last else None)
    terminal.summary(run)
    return stream.getvalue()


def test_terminal_row_has_id_level_verdict_text_and_time(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    text = shown(make_run({"BF-001": [Verdict.PASS, Verdict.PASS]}), small_catalogue)
    [row] = [line for line in text.splitlines() if line.startswith("BF-001")]
    assert row.split() == ["BF-001", "must", "PASS", "A", "must.", "0.50", "s"]


def test_terminal_requirement_shows_its_worst_case(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    text = shown(make_run({"BF-001": [Verdict.PASS, Verdict.FAIL]}), small_catalogue)
    [row] = [line for line in text.splitlines() if line.startswith("BF-001")]
    assert row.split()[2] == "FAIL"


def test_terminal_failure_shows_expected_observed_and_repeat(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]})
    case = run.cases[0]
    case.expected, case.observed = "EMSGSIZE", "success"
    case.repeat = "rpmsg-conform host --guest a-guest --select 'test_x[497]'"
    case.artefacts = Path("/report/cases/test_x")
    text = shown(run, small_catalogue)
    assert "expected: EMSGSIZE" in text
    assert "observed: success" in text
    assert "/report/cases/test_x" in text
    assert case.repeat in text


def test_terminal_damaged_guest_shows_the_console(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-001": [Verdict.DIED]})
    run.cases[0].console = ["Kernel panic - not syncing"]
    assert "| Kernel panic - not syncing" in shown(run, small_catalogue)


def test_terminal_explained_failure_shows_the_reason(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-002": [Verdict.XFAIL]})
    run.cases[0].deviation = DEVIATION
    text = shown(run, small_catalogue)
    assert "the kernel does so (f() in f.c)" in text
    assert "explains 1: BF-002" in text


def test_terminal_skipped_case_shows_its_reason(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    assert "why SKIP" in shown(make_run({"BF-002": [Verdict.SKIP]}), small_catalogue)


def test_terminal_summary_counts_with_denominators(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run(
        {"BF-001": [Verdict.PASS, Verdict.PASS], "BF-002": [Verdict.SKIP]}, excluded=3
    )
    text = shown(run, small_catalogue)
    assert "1 requirements judged of 2 run: 1 PASS, 1 SKIP" in text
    assert "3 cases, 3 left out by selection; the catalogue has 4 requirements" in text


def test_terminal_summary_names_what_fails_the_run_once_more(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-001": [Verdict.PASS, Verdict.FAIL], "BF-002": [Verdict.WARN]})
    tail = shown(run, small_catalogue).partition("requirements judged")[2]
    assert "FAIL     BF-001 A must. (1 of 2 cases)" in tail
    assert "BF-002" not in tail


def test_terminal_reason_of_blocked_requirements_is_told_once(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-001": [Verdict.BLOCKED] * 2, "BF-002": [Verdict.BLOCKED] * 2})
    text = shown(run, small_catalogue)
    assert text.count("why BLOCKED") == 2  # with the first of them, and in the summary
    assert "BLOCKED  2 requirements: why BLOCKED\n" in text
    assert text.splitlines()[-1].split() == ["BF-001", "BF-002"]


def test_terminal_tells_one_failing_case_in_full_and_the_others_in_brief(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-001": [Verdict.FAIL] * 3})
    for number, case in enumerate(run.cases):
        case.message, case.repeat = f"reason {number}", f"again {number}"
        case.messages = [f"message {number} of {case.name}"]
    text = shown(run, small_catalogue)
    assert all(f"reason {number}" in text for number in range(3))
    assert "again 0" in text and "again 1" not in text
    assert "message 0 of" in text and "message 1 of" not in text
    verbose = shown(run, small_catalogue, verbose=True)
    assert "again 2" in verbose and "message 2 of" in verbose


def test_terminal_of_a_sanitizers_report_shows_the_beginning(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-001": [Verdict.DIED]})
    run.cases[0].console = ["==1==ERROR: AddressSanitizer: x"] + [f"line {n}" for n in range(30)]
    text = shown(run, small_catalogue)
    assert "AddressSanitizer: x" in text and "line 29" not in text
    run.cases[0].console = [f"line {n}" for n in range(30)]
    text = shown(run, small_catalogue)
    assert "line 29" in text and "line 2\n" not in text


def test_terminal_stale_entry_is_named_with_its_line(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run(
        {"BF-002": [Verdict.PASS]}, stale=[STALE], baseline=Baseline(Path("b.toml"), [DEVIATION])
    )
    assert "b.toml:7: delete the [[deviation]] for BF-002" in shown(run, small_catalogue)


def test_terminal_long_texts_stay_within_the_width(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]})
    run.cases[0].message = "word " * 100
    assert max(len(line) for line in shown(run, small_catalogue).splitlines()) <= 128


def test_terminal_is_plain_when_it_is_none(make_run: MakeRun, small_catalogue: Catalogue) -> None:
    assert "\x1b" not in shown(make_run({"BF-001": [Verdict.FAIL]}), small_catalogue)


@pytest.mark.parametrize(
    ("verdicts", "fields", "status"),
    [
        ({"BF-001": [Verdict.PASS]}, {}, 0),
        ({"BF-001": [Verdict.PASS], "BF-002": [Verdict.WARN]}, {}, 0),
        ({"BF-001": [Verdict.PASS], "BF-002": [Verdict.WARN]}, {"strict": True}, 1),
        ({"BF-001": [Verdict.XFAIL]}, {}, 0),
        ({"BF-001": [Verdict.SKIP]}, {}, 0),
        ({"BF-001": [Verdict.PASS, Verdict.FAIL]}, {}, 1),
        ({"BF-001": [Verdict.WEDGED]}, {}, 1),
        ({"BF-001": [Verdict.DIED]}, {}, 1),
        ({"BF-001": [Verdict.TIMEOUT]}, {}, 1),
        ({"BF-001": [Verdict.XPASS]}, {}, 1),
        ({"BF-001": [Verdict.BLOCKED]}, {}, 1),
        ({"BF-001": [Verdict.PASS]}, {"stale": [STALE]}, 1),
        ({"BF-001": [Verdict.PASS]}, {"sanity": ["no echo"]}, 1),
        ({"BF-001": [Verdict.FAIL, Verdict.HARNESS]}, {}, 3),
        ({"BF-001": [Verdict.PASS]}, {"harness": ["an exception"]}, 3),
        ({"BF-001": [Verdict.BLOCKED]}, {"unreachable": "no guest"}, 4),
        ({}, {}, 5),
    ],
)
def test_results_exit_status(
    verdicts: dict[str, list[Verdict]], fields: dict[str, object], status: int, make_run: MakeRun
) -> None:
    assert make_run(verdicts, **fields).exit_code == status


def test_junit_is_well_formed_and_counts(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(
        {
            "BF-001": [Verdict.PASS, Verdict.FAIL, Verdict.DIED, Verdict.XPASS],
            "BF-002": [Verdict.WARN, Verdict.XFAIL, Verdict.SKIP, Verdict.BLOCKED],
            "NS-001": [Verdict.INFO, Verdict.HARNESS],
        }
    )
    junit.write(tmp_path / "junit.xml", "host", run)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "10", "failures": "3", "errors": "2", "skipped": "2"}
    assert len(root.findall("testcase")) == 10
    assert len(root.findall("testcase/failure")) == 3
    assert len(root.findall("testcase/error")) == 2
    assert len(root.findall("testcase/skipped")) == 2


def test_junit_case_has_id_group_and_properties(make_run: MakeRun, tmp_path: Path) -> None:
    junit.write(tmp_path / "junit.xml", "host", make_run({"BF-002": [Verdict.WARN]}))
    [case] = ElementTree.parse(tmp_path / "junit.xml").getroot().findall("testcase")
    assert (case.get("classname"), case.get("name")) == ("host.BF", "BF-002 test_bf_002_0")
    properties = {p.get("name"): p.get("value") for p in case.findall("properties/property")}
    assert properties == {"requirement": "BF-002", "level": "should", "verdict": "WARN"}


def test_junit_survives_bytes_that_xml_cannot_hold(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]})
    run.cases[0].message = "a\x00b\x1b<&>\ud800\ufffe"
    run.cases[0].console = ["\x01]]>"]
    junit.write(tmp_path / "junit.xml", "host", run)
    failure = ElementTree.parse(tmp_path / "junit.xml").getroot().find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "a\ufffdb\ufffd<&>\ufffd\ufffd"


def test_junit_faults_of_the_run_are_errors(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({"BF-001": [Verdict.PASS]}, harness=["boom"], unreachable="no\nguest")
    junit.write(tmp_path / "junit.xml", "host", run)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    messages = [error.get("message") for error in root.findall("testcase/error")]
    assert messages == ["boom", "no"]
    assert root.get("errors") == "2"


def test_json_report_is_versioned_and_complete(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({"BF-001": [Verdict.PASS, Verdict.FAIL]}, excluded=2, report=tmp_path)
    run.cases[1].artefacts = tmp_path / "cases" / "x"
    report_json.write(tmp_path / "report.json", "host", run)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["schema"], report["version"]) == ("rpmsg-conform-report", 1)
    assert report["exit_code"] == 1
    assert report["counts"] == {
        "catalogue": 4,
        "covered": 1,
        "run": 1,
        "judged": 1,
        "cases": 2,
        "cases_left_out": 2,
        "verdicts": {"FAIL": 1},
    }
    [requirement] = report["requirements"]
    assert requirement["verdict"] == "FAIL"
    assert [case["verdict"] for case in requirement["cases"]] == ["PASS", "FAIL"]
    assert requirement["cases"][1]["artefacts"] == "cases/x"


def test_json_report_leaves_no_unfinished_file(make_run: MakeRun, tmp_path: Path) -> None:
    report_json.write(tmp_path / "report.json", "host", make_run({"BF-001": [Verdict.PASS]}))
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "small.toml"}
