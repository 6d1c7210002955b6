# SPDX-License-Identifier: BSD-2-Clause
"""Which requirement has which cases is found in the source, and shown with the holes first."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from conftest import CONFORMANCE, entry
from page_reader import Page

from rpmsg_conformance import catalogue, cli, coverage
from rpmsg_conformance.catalogue import Catalogue, Side
from rpmsg_conformance.coverage import Citation, CoverageError, Hole
from rpmsg_conformance.plan import Case, Planned
from rpmsg_conformance.suite_run import REPORT_FILES


def cases_of(source: str, folder: Path) -> list[tuple[str, str, int]]:
    (folder / "test_x.py").write_text(textwrap.dedent(source))
    found = coverage.find_cases(folder, Side.HOST)
    return [(case.requirement, case.case, case.line) for case in found]


@pytest.fixture
def both_sides(tmp_path: Path) -> Catalogue:
    """A must of the host, a should of the remote, a must of both."""
    path = tmp_path / "catalogue.toml"
    path.write_text(
        entry("BF-001", "must")
        + entry("BF-002", "should").replace('"host"', '"remote"')
        + entry("VQ-001", "must").replace('"host"', '"both"')
    )
    return catalogue.load(path)


def cited(requirement: str, suite: Side = Side.HOST) -> Citation:
    return Citation(requirement, f"test_{requirement}", suite, Path("test_x.py"), 1)


# --- finding ------------------------------------------------------------------------------------


def test_coverage_finds_the_mark_of_a_function(tmp_path: Path) -> None:
    source = """\
        import pytest

        @pytest.mark.requirement("BF-001")
        @pytest.mark.parametrize("n", [1, 2])
        def test_one(n):
            pass
        """
    assert cases_of(source, tmp_path) == [("BF-001", "test_one", 3)]


def test_coverage_finds_marks_of_parameters_and_files(tmp_path: Path) -> None:
    source = """\
        import pytest
        pytestmark = pytest.mark.requirement("BF-001")

        @pytest.mark.parametrize(
            "n", [pytest.param(1, marks=pytest.mark.requirement("BF-002"))]
        )
        def test_one(n):
            pass
        """
    assert cases_of(source, tmp_path) == [("BF-001", "test_x", 2), ("BF-002", "test_one", 5)]


def test_coverage_takes_no_text_for_a_mark(tmp_path: Path) -> None:
    source = '''\
        """@pytest.mark.requirement("BF-001")"""
        # @pytest.mark.requirement("BF-002")
        def requirement(name): ...
        requirement("BF-003")
        '''
    assert cases_of(source, tmp_path) == []


@pytest.mark.parametrize("argument", ["NAME", 'f"BF-{n}"', "", '"BF-001", "BF-002"', "1"])
def test_coverage_mark_without_a_literal_id_is_an_error(argument: str, tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match=r"test_x\.py:1: write the mark's requirement"):
        cases_of(f"@pytest.mark.requirement({argument})\ndef test_one(): ...", tmp_path)


def test_coverage_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match=r"test_x\.py: cannot be read as Python"):
        cases_of("def (", tmp_path)


def test_coverage_source_and_pytest_agree_about_the_host_suite() -> None:
    found = coverage.find_cases(CONFORMANCE / "host", Side.HOST)
    assert len({case.requirement for case in found}) >= 26
    assert all(case.case.startswith("test_") for case in found)


# --- stated holes -------------------------------------------------------------------------------

HOLE = """
[[uncovered]]
suite = "host"
requirements = ["BF-001"]
reason = "because"
"""


def test_coverage_hole_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "u.toml").write_text(HOLE + HOLE.replace("BF-001", "VQ-001"))
    holes = coverage.load_holes(tmp_path / "u.toml")
    assert holes == [
        Hole(Side.HOST, ("BF-001",), "because", 2),
        Hole(Side.HOST, ("VQ-001",), "because", 7),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HOLE.replace("host", "both"), r":2: suite 'both' is not 'host' or 'remote'"),
        (HOLE.replace('["BF-001"]', "[]"), ":2: 'requirements' is not a list of at least one"),
        (HOLE.replace('["BF-001"]', "[1]"), ":2: 'requirements' is not a list"),
        (HOLE.replace("because", " "), ":2: 'reason' is not a non-empty string"),
        (HOLE.replace("reason", "why"), ":2: the keys are exactly"),
        ("[[covered]]\n", "unknown key 'covered'"),
        ("uncovered = [{}]\n", "under its own"),
        ("[[uncovered", "not valid TOML"),
    ],
)
def test_coverage_mistake_in_the_holes_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "u.toml").write_text(text)
    with pytest.raises(CoverageError, match=complaint):
        coverage.load_holes(tmp_path / "u.toml")


def test_coverage_missing_list_of_holes_is_named(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match=r"u\.toml: cannot be read: No such file"):
        coverage.load_holes(tmp_path / "u.toml")


# --- the table ----------------------------------------------------------------------------------


def test_coverage_duty_of_both_sides_needs_a_case_in_each(both_sides: Catalogue) -> None:
    rows = coverage.table(both_sides, [cited("VQ-001")], [])
    assert [(r.requirement.id, str(r.suite), r.status) for r in rows] == [
        ("BF-001", "host", "hole"),
        ("BF-002", "remote", "hole"),
        ("VQ-001", "host", "covered"),
        ("VQ-001", "remote", "hole"),
    ]


def test_coverage_stated_hole_has_its_reason(both_sides: Catalogue) -> None:
    holes = [Hole(Side.REMOTE, ("VQ-001",), "because", 1)]
    row = coverage.table(both_sides, [], holes)[-1]
    assert (row.status, row.reason) == ("stated hole", "because")


def test_coverage_text_shows_holes_first(both_sides: Catalogue) -> None:
    holes = [Hole(Side.REMOTE, ("VQ-001",), "because", 1)]
    text = coverage.as_text(coverage.table(both_sides, [cited("VQ-001")], holes))
    lines = text.splitlines()
    table = lines[lines.index("") + 2 :]
    assert [line.split()[0] for line in table] == [
        "BF-001",  # a must, and nobody says why
        "VQ-001",  # a must
        "because",
        "BF-002",  # a should
        "VQ-001",
        "test_VQ-001",
    ]


def test_coverage_text_counts_by_suite_and_level(both_sides: Catalogue) -> None:
    text = coverage.as_text(coverage.table(both_sides, [cited("VQ-001")], []))
    counts = [line.split() for line in text.splitlines()[1:4]]
    assert counts == [
        ["host", "must", "2", "1", "1"],
        ["remote", "must", "1", "0", "1"],
        ["remote", "should", "1", "0", "1"],
    ]


def test_coverage_page_has_the_rows_of_the_table(both_sides: Catalogue) -> None:
    rows = coverage.table(both_sides, [cited("VQ-001")], [])
    page = Page(coverage.as_page(rows))
    statuses = [e.attributes.get("data-status") for e in page.find("tr")]
    assert [status for status in statuses if status] == ["hole", "hole", "hole", "covered"]


def test_coverage_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["coverage"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in catalogue.load(CONFORMANCE / "requirements.toml"))


def test_coverage_command_writes_text_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["coverage", "--output", str(tmp_path / "out")]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"coverage.txt", "coverage.html"}


def test_coverage_command_names_a_folder_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["coverage", "--output", str(tmp_path / "file/out")]) == 2
    assert "Not a directory" in capsys.readouterr().err


# --- what a run leaves out ----------------------------------------------------------------------


def test_coverage_run_says_why_a_requirement_has_no_verdict(small_catalogue: Catalogue) -> None:
    plan = [
        Planned(Case("test_a", "BF-001")),
        Planned(Case("test_b", "BF-002"), "not selected"),
        Planned(Case("test_c", "NS-001")),
    ]
    holes = [Hole(Side.HOST, ("NS-002",), "because", 1)]
    left = coverage.not_run(small_catalogue, Side.HOST, plan, ["BF-001"], holes)
    assert [(n.requirement.id, n.covered, n.reason) for n in left] == [
        ("BF-002", True, "not selected"),
        ("NS-001", True, "the run ended before its cases"),
        ("NS-002", False, "because"),
    ]


@pytest.mark.parametrize("excluded", [("not selected", None), (None, "not selected")])
def test_coverage_run_that_lost_a_planned_case_says_so(
    excluded: tuple[str | None, str | None], small_catalogue: Catalogue
) -> None:
    plan = [Planned(Case(f"test_{n}", "BF-001"), why) for n, why in enumerate(excluded)]
    left = coverage.not_run(small_catalogue, Side.HOST, plan, [], [])
    assert left[0].reason == "the run ended before its cases"


def test_coverage_run_leaves_out_the_other_side(both_sides: Catalogue) -> None:
    left = coverage.not_run(both_sides, Side.REMOTE, [], [], [])
    assert [n.requirement.id for n in left] == ["BF-002", "VQ-001"]


def test_coverage_run_leaves_out_other_profiles(both_sides: Catalogue) -> None:
    assert coverage.not_run(both_sides, Side.HOST, [], [], [], "nuttx-vela") == []


def test_coverage_run_writes_each_form_of_the_report() -> None:
    assert set(REPORT_FILES) == {"report.json", "junit.xml", "report.tap", "index.html"}
