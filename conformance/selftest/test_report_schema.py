# SPDX-License-Identifier: BSD-2-Clause
"""report.json is what its schema says, and only such files are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import CONFORMANCE, MakeRun

from rpmsg_conformance import report_json
from rpmsg_conformance.baseline import Baseline, Deviation, Stale
from rpmsg_conformance.catalogue import Catalogue, Level, Side
from rpmsg_conformance.json_schema import JsonSchema, SchemaError
from rpmsg_conformance.report_json import ReportError
from rpmsg_conformance.results import NotRun
from rpmsg_conformance.verdicts import Outcome, Verdict

SAMPLES = sorted((CONFORMANCE.parent / "fixtures/reports").glob("*.json"))


@pytest.fixture
def report(make_run: MakeRun, small_catalogue: Catalogue, tmp_path: Path) -> dict[str, Any]:
    """A report in which nothing is empty."""
    deviation = Deviation("BF-002", "seen", "why", 7, None, "f()", "https://host.example/1", None)
    run = make_run(
        {"BF-001": [Verdict.PASS, Verdict.FAIL], "BF-002": [Verdict.XFAIL]},
        excluded=2,
        report=tmp_path,
        command="rpmsg-conform host",
        profile="linux-upstream",
        not_run=[NotRun(small_catalogue["NS-001"], False, "none")],
        baseline=Baseline(tmp_path / "b.toml", [deviation]),
        stale=[Stale(deviation, "met")],
        sanity=["no echo"],
        harness=["boom"],
        unreachable="no",
        interrupted="signal 2",
    )
    for case in run.cases:
        case.notes, case.messages, case.console = ["n"], ["m"], ["c"]
        case.artefacts = tmp_path / "cases" / case.name
        case.artefacts.mkdir(parents=True)
        (case.artefacts / "capture.pcap").touch()
        case.deviation = deviation
    return report_json.as_object("host", run)


def test_report_schema_describes_every_key(report: dict[str, Any]) -> None:
    assert report_json.schema().problems(report, strict=True) == []


def test_report_schema_knows_all_words_of_the_program() -> None:
    definitions = json.loads(report_json.SCHEMA_FILE.read_text())["$defs"]
    assert set(definitions["verdict"]["enum"]) == set(Verdict)
    assert set(definitions["level"]["enum"]) == set(Level)
    assert set(definitions["side"]["enum"]) == set(Side)
    assert set(definitions["case"]["properties"]["outcome"]["enum"]) == set(Outcome)


def test_report_schema_is_of_the_version_that_is_written(report: dict[str, Any]) -> None:
    assert report["version"] == report_json.VERSION
    assert report_json.SCHEMA_FILE.name == f"report-{report_json.VERSION}.json"


def test_report_schema_samples_are_there() -> None:
    assert len(SAMPLES) >= 2


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_report_schema_sample_fits(path: Path) -> None:
    assert report_json.schema().problems(json.loads(path.read_text()), strict=True) == []


def test_report_load_returns_what_was_written(report: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(report))
    assert report_json.load(tmp_path / "r.json") == report


def test_report_load_ignores_keys_of_later_versions(
    report: dict[str, Any], tmp_path: Path
) -> None:
    report["weather"] = "fine"
    (tmp_path / "r.json").write_text(json.dumps(report))
    assert report_json.load(tmp_path / "r.json")["weather"] == "fine"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": "something"}, "not a report of rpmsg-conform"),
        ({"version": 2}, "version 2 of the report; this program reads version 1"),
        ({"seconds": "3"}, r"\$\.seconds is not of type number"),
        ({"seconds": -1}, r"\$\.seconds is below 0"),
        ({"strict": 1}, r"\$\.strict is not of type boolean"),
        ({"suite": "../x"}, r"\$\.suite does not look like"),
        ({"counts": {}}, r"lacks the key 'catalogue' \(and \d more\)"),
        ({"requirements": [{}]}, r"\$\.requirements\[0\] lacks the key 'id'"),
    ],
)
def test_report_load_names_file_and_place(
    change: dict[str, Any], complaint: str, report: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(report | change))
    with pytest.raises(ReportError, match=complaint) as caught:
        report_json.load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'"text"', b"null"]
)
def test_report_load_refuses_what_is_no_report(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ReportError):
        report_json.load(tmp_path / "r.json")


def test_report_load_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"none\.json: cannot be read: No such file"):
        report_json.load(tmp_path / "none.json")


# --- the checker of schemas ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, 1, True),
        ({"type": "integer"}, 1, 1.5),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "object"}, {}, []),
        ({"const": 1}, 1, 2),
        ({"enum": ["a"]}, "a", "b"),
        ({"pattern": "^a$"}, "a", "ab"),
        ({"minimum": 0}, 0, -1),
        ({"required": ["a"]}, {"a": 1}, {}),
        ({"properties": {"a": {"type": "string"}}}, {"a": ""}, {"a": 1}),
        ({"properties": {}, "additionalProperties": False}, {}, {"b": 1}),
        ({"additionalProperties": {"type": "string"}}, {"a": ""}, {"a": 1}),
        ({"items": {"type": "string"}}, [""], ["", 1]),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}}, None, 1),
    ],
)
def test_report_schema_keyword_is_checked(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert JsonSchema(schema).problems(good) == []
    assert len(JsonSchema(schema).problems(bad)) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"maximum": 1},
        {"type": "text"},
        {"$ref": "#/$defs/none"},
        {"properties": {"a": {"oneOf": []}}},
        {"items": {"format": "date"}},
        {"$defs": {"a": {"minLength": 1}}},
    ],
)
def test_report_schema_with_an_unchecked_keyword_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        JsonSchema(schema)
