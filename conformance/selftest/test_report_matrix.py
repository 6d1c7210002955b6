# SPDX-License-Identifier: BSD-2-Clause
"""Several runs side by side: every requirement once, differences marked, names told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import CONFORMANCE
from page_reader import Page

from rpmsg_conformance import cli, report_json, report_matrix
from rpmsg_conformance.report_matrix import Column

SAMPLES = CONFORMANCE.parent / "fixtures/reports"
LINUX, EXAMPLE = SAMPLES / "linux-host.json", SAMPLES / "example-host.json"


def runs(*reports: Any) -> list[Column]:
    return report_matrix.columns([(Path(f"{n}.json"), r) for n, r in enumerate(reports)])


@pytest.fixture
def linux() -> Any:
    return report_json.load(LINUX)


@pytest.fixture
def example() -> Any:
    return report_json.load(EXAMPLE)


def by_id(columns: list[Column]) -> dict[str, report_matrix.Line]:
    return {line.requirement["id"]: line for line in report_matrix.lines(columns)}


def test_matrix_has_each_requirement_once(linux: Any, example: Any) -> None:
    names = [line.requirement["id"] for line in report_matrix.lines(runs(linux, example))]
    everything = {e["id"] for e in linux["requirements"] + linux["not_run"]}
    assert sorted(names) == sorted(everything)


def test_matrix_cells_are_in_the_order_of_the_runs(linux: Any, example: Any) -> None:
    cells = by_id(runs(linux, example))["HD-001"].cells
    assert [cell.verdict for cell in cells] == ["PASS", "FAIL"]
    cells = by_id(runs(example, linux))["HD-001"].cells
    assert [cell.verdict for cell in cells] == ["FAIL", "PASS"]


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [
        ("PASS", "FAIL", True),
        ("XFAIL", "PASS", True),
        ("DIED", "FAIL", True),
        ("PASS", "PASS", False),
        ("FAIL", "FAIL", False),
        ("PASS", "SKIP", False),
        ("BLOCKED", "PASS", False),
    ],
)
def test_matrix_marks_what_judging_runs_disagree_about(
    first: str, second: str, differs: bool, linux: Any
) -> None:
    reports = [json.loads(json.dumps(linux)) for _ in range(2)]
    for report, verdict in zip(reports, (first, second), strict=True):
        report["requirements"][0]["verdict"] = verdict
    name = linux["requirements"][0]["id"]
    assert by_id(runs(*reports))[name].differs is differs


def test_matrix_requirement_of_another_suite_is_not_called_not_run(
    linux: Any, example: Any
) -> None:
    dropped = example["requirements"].pop(0)
    left_out = example["requirements"].pop(0)
    example["not_run"].append({**left_out, "covered": True, "reason": "not selected"})
    lines = by_id(runs(linux, example))
    assert lines[dropped["id"]].cells[1].verdict == report_matrix.NOT_THERE
    assert lines[left_out["id"]].cells[1].verdict == report_matrix.NOT_RUN


def test_matrix_same_target_twice_is_told_apart(linux: Any) -> None:
    names = [run.name for run in runs(linux, linux)]
    assert names == ["debian-rt (0.json)", "debian-rt (1.json)"]


def test_matrix_page_marks_the_rows_that_differ(linux: Any, example: Any) -> None:
    page = Page(report_matrix.as_page(runs(linux, example)))
    marked = {e.attributes["id"] for e in page.find("tr", "differs")}
    lines = report_matrix.lines(runs(linux, example))
    assert marked == {line.requirement["id"] for line in lines if line.differs} != set()


def test_matrix_page_heads_a_column_for_each_run(linux: Any, example: Any) -> None:
    page = Page(report_matrix.as_page(runs(linux, example)))
    heads = [e.text for e in page.find("th") if e.attributes.get("scope") == "col"]
    assert heads[-2:] == ["debian-rt", "example-bsp"]


def test_matrix_page_escapes_what_reports_say(linux: Any, example: Any) -> None:
    text = '"><script>alert(1)</script>'
    example["target"] = {"guest": text, text: text}
    example["program"] = example["profile"] = text
    for entry in example["requirements"]:
        entry["text"] = text
        entry["cases"][0].update(name=text, message=text, verdict=entry["verdict"])
    page = Page(report_matrix.as_page(runs(linux, example)))
    assert len(page.find("script")) == 1
    assert text in [e.text for e in page.find("th")]


def test_matrix_text_lists_only_differences(linux: Any, example: Any) -> None:
    text = report_matrix.as_text(runs(linux, example))
    assert "HD-001" in text and "VQ-020" not in text
    assert f"of {len(report_matrix.lines(runs(linux, example)))} requirements differ" in text


def test_matrix_text_has_no_control_characters(linux: Any, example: Any) -> None:
    example["target"] = {"guest": "a\x1b[2Jb"}
    assert "\x1b" not in report_matrix.as_text(runs(linux, example))


def test_matrix_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(LINUX), str(EXAMPLE), "--output", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]
    assert "2 runs side by side" in (tmp_path / "out/index.html").read_text()
    assert "example-bsp" in capsys.readouterr().out


def test_matrix_command_with_one_report_makes_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(EXAMPLE), "--output", str(tmp_path)]) == 0
    assert "Needs attention" in (tmp_path / "index.html").read_text()


def test_matrix_command_refuses_what_is_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.json").write_text("{}")
    assert cli.main(["report", str(tmp_path / "r.json"), "--output", str(tmp_path / "o")]) == 2
    assert f"{tmp_path / 'r.json'}: not a report" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_matrix_command_names_a_folder_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["report", str(LINUX), "--output", str(tmp_path / "file/out")]) == 2
    assert f"--output {tmp_path / 'file/out'}: Not a directory" in capsys.readouterr().err
