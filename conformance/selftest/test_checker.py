# SPDX-License-Identifier: BSD-2-Clause
"""The checker of the catalogue: each thing that does not fit is found, and named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import entry

from rpmsg_conformance import checker, cli, coverage
from rpmsg_conformance.catalogue import CatalogueError, Side

HOLE = """
[[uncovered]]
suite = "host"
requirements = ["{ids}"]
reason = "because"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which everything fits: BF-001 has a case, BF-002 a reason, NS-001 is a may."""
    conformance = tmp_path / "conformance"
    (conformance / "host").mkdir(parents=True)
    (conformance / "remote").mkdir()
    (conformance / "requirements.toml").write_text(
        entry("BF-001") + entry("BF-002") + entry("NS-001", "may")
    )
    add_case(tmp_path, "BF-001")
    (conformance / "uncovered.toml").write_text(HOLE.format(ids="BF-002"))
    (tmp_path / "ids.txt").write_text("# all\nBF-001\nBF-002\nBF-009 retired: a twin\nNS-001\n")
    (tmp_path / "sim/wire").mkdir(parents=True)
    (tmp_path / "sim/wire/violation.h").write_text('X(A, "a", "BF-001", "b")\n/* NS-001 */\n')
    return tmp_path


def add_case(checkout: Path, requirement: str, suite: str = "host") -> None:
    name = requirement.replace("-", "_").lower()
    (checkout / "conformance" / suite / f"test_{name}.py").write_text(
        f'@pytest.mark.requirement("{requirement}")\ndef test_{name}(): ...\n'
    )


def problems(checkout: Path) -> list[str]:
    return checker.check(checkout, checkout / "ids.txt")


def test_checker_finds_nothing_where_all_fits(checkout: Path) -> None:
    assert problems(checkout) == []


def test_checker_project_fits_together() -> None:
    assert checker.check() == []


def test_checker_case_of_an_unknown_requirement(checkout: Path) -> None:
    add_case(checkout, "BF-077")
    [problem] = problems(checkout)
    assert problem.endswith("test_bf_077 cites 'BF-077', which is not in the catalogue")
    assert "test_bf_077.py:1:" in problem


def test_checker_case_in_the_suite_of_the_other_side(checkout: Path) -> None:
    add_case(checkout, "BF-001", "remote")
    [problem] = problems(checkout)
    assert "is a case for a remote, but BF-001 is the duty of a host" in problem


def test_checker_must_without_case_and_reason(checkout: Path) -> None:
    (checkout / "conformance/uncovered.toml").write_text("")
    [problem] = problems(checkout)
    assert problem.startswith("BF-002 is a must without a case in the host suite")


def test_checker_must_of_both_sides_needs_both(checkout: Path) -> None:
    path = checkout / "conformance/requirements.toml"
    path.write_text(path.read_text().replace('side = "host"', 'side = "both"', 1))
    [problem] = problems(checkout)
    assert problem.startswith("BF-001 is a must without a case in the remote suite")


@pytest.mark.parametrize("level", ["should", "may", "observed"])
def test_checker_only_a_must_needs_a_case(level: str, checkout: Path) -> None:
    path = checkout / "conformance/requirements.toml"
    path.write_text(path.read_text() + entry("NS-002", level))
    with (checkout / "ids.txt").open("a") as ids:
        ids.write("NS-002\n")
    assert problems(checkout) == []


def test_checker_reason_for_what_has_a_case_is_stale(checkout: Path) -> None:
    add_case(checkout, "BF-002")
    [problem] = problems(checkout)
    assert "uncovered.toml:2: BF-002 has a case now (test_bf_002 in " in problem


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (HOLE.format(ids="BF-077"), "uncovered.toml:7: BF-077 is not in the catalogue"),
        (HOLE.format(ids="BF-002"), "uncovered.toml:7: BF-002 is also in the entry of line 2"),
        (HOLE.format(ids="NS-001").replace("host", "remote"), ":7: NS-001 is no duty of a remote"),
    ],
)
def test_checker_reason_for_what_needs_none(more: str, complaint: str, checkout: Path) -> None:
    with (checkout / "conformance/uncovered.toml").open("a") as holes:
        holes.write(more)
    [problem] = problems(checkout)
    assert complaint in problem


def test_checker_id_that_disappeared(checkout: Path) -> None:
    path = checkout / "conformance/requirements.toml"
    path.write_text(entry("BF-001") + entry("BF-002"))
    (checkout / "sim/wire/violation.h").write_text("/* BF-001 */")
    [problem] = problems(checkout)
    assert problem.startswith("NS-001 has left the catalogue")


def test_checker_retired_id_is_not_used_again(checkout: Path) -> None:
    path = checkout / "conformance/requirements.toml"
    path.write_text(path.read_text() + entry("BF-009", "may"))
    [problem] = problems(checkout)
    assert problem == "BF-009 was retired (a twin) and is used again; take a new number"


def test_checker_new_id_has_to_be_recorded(checkout: Path) -> None:
    path = checkout / "conformance/requirements.toml"
    path.write_text(path.read_text() + entry("NS-005", "may"))
    [problem] = problems(checkout)
    assert problem.startswith("NS-005 is not in ") and "--record" in problem


@pytest.mark.parametrize("text", ["BF-1", "BF-002 gone", "BF-002 retired:", "BF-001\nBF-001"])
def test_checker_broken_list_of_ids_is_named(text: str, checkout: Path) -> None:
    (checkout / "ids.txt").write_text(text)
    with pytest.raises(CatalogueError, match=r"ids\.txt:[12]: "):
        problems(checkout)


@pytest.mark.parametrize("name", ["sim/wire/violation.h", "sim/remote/fault_table.h", "fuzz/x.c"])
def test_checker_c_code_cites_an_unknown_requirement(name: str, checkout: Path) -> None:
    path = checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('/* BF-001 */\nX(B, "b", "HD-099", "c")\n')
    [problem] = problems(checkout)
    assert problem == f"{path}:2: HD-099 is not in the catalogue"


@pytest.mark.parametrize("text", ["X-BF-099", "BF-0990", "ABF-099", "bf-099"])
def test_checker_takes_nothing_else_for_an_id(text: str, checkout: Path) -> None:
    (checkout / "sim/other.c").write_text(f"/* {text} */")
    assert problems(checkout) == []


def test_checker_violations_that_cite_nothing_are_suspicious(checkout: Path) -> None:
    (checkout / "sim/wire/violation.h").write_text("")
    (checkout / "sim/other.c").write_text("/* BF-001 */")
    [problem] = problems(checkout)
    assert "violation.h cites no requirement; has it moved?" in problem


# --- recording ----------------------------------------------------------------------------------


def test_checker_record_adds_ids_and_keeps_all_others(checkout: Path) -> None:
    path = checkout / "conformance/requirements.toml"
    path.write_text(entry("BF-001") + entry("BF-010"))
    requirements, _, _ = coverage.read(checkout / "conformance")
    assert checker.record(requirements, checkout / "ids.txt") == ["BF-010"]
    assert checker.load_known(checkout / "ids.txt") == {
        "BF-001": None,
        "BF-002": None,
        "BF-009": "a twin",
        "BF-010": None,
        "NS-001": None,
    }


def test_checker_record_takes_covered_requirements_out(checkout: Path) -> None:
    path = checkout / "conformance/uncovered.toml"
    path.write_text(
        "# head\n" + HOLE.format(ids='BF-001", "BF-002') + "# next\n" + HOLE.format(ids="BF-001")
    )
    _, cases, holes = coverage.read(checkout / "conformance")
    assert checker.drop_covered(cases, holes, path) == ["BF-001", "BF-001"]
    assert path.read_text().startswith("# head\n")
    [left] = coverage.load_holes(path)
    assert (left.suite, left.requirements, left.reason) == (Side.HOST, ("BF-002",), "because")


def test_checker_record_leaves_a_file_that_fits_alone(checkout: Path) -> None:
    path = checkout / "conformance/uncovered.toml"
    before = path.stat()
    _, cases, holes = coverage.read(checkout / "conformance")
    assert checker.drop_covered(cases, holes, path) == []
    assert path.stat().st_ino == before.st_ino


def test_checker_command_says_that_all_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-catalogue"]) == 0
    assert "fit together" in capsys.readouterr().out


def test_checker_command_fails_for_a_problem(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checker, "check", lambda: ["BF-001 is wrong"])
    assert cli.main(["check-catalogue"]) == 1
    assert capsys.readouterr().err == "BF-001 is wrong\ncheck-catalogue: 1 problems\n"
