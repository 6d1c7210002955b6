# SPDX-License-Identifier: BSD-2-Clause
"""scripts/bench: what is made of figures once they are measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sim/bench"))

import readme
import rows_elsewhere
import run
from growth import Chart, Panel, Point, Series, text_of
from programs import Machine, ProgramError
from rows import Context

ABOUT = {"date": "2026-01-02", "cores": 2, "processor": "P", "kernel": "6.1", "load": 0.5}


def figure(ours: list[float], limit: list[float]) -> run.Figure:
    return run.Figure("name", "  a title", "things/s", "group", "the limit", ours, limit)


# ---- README ----


def test_bench_readme_section_takes_the_place_of_the_former(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n")
    readme.put(path, "new")
    readme.put(path, "newer")

    assert path.read_text() == f"before\n{readme.BEGIN}\nnewer\n{readme.END}\nafter\n"


@pytest.mark.parametrize("text", ["", readme.BEGIN, f"{readme.END}\n{readme.BEGIN}"])
def test_bench_readme_without_its_marks_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)

    with pytest.raises(readme.ReadmeError):
        readme.put(path, "new")
    assert path.read_text() == text


def test_bench_readme_of_this_checkout_has_the_marks() -> None:
    text = (run.CHECKOUT / "README.md").read_text(encoding="utf-8")

    assert text.count(readme.BEGIN) == 1 and text.count(readme.END) == 1


def test_bench_readme_table_names_machine_and_date() -> None:
    text = readme.markdown(ABOUT, ("figure", "ours"), [("a|b", "1"), ("  part", "2")])

    assert "2026-01-02" in text and "2 x P" in text
    assert text.endswith("| figure | ours |\n|---|---|\n| a\\|b | 1 |\n| &nbsp;&nbsp;part | 2 |")


# ---- figures ----


def test_bench_figure_survives_json() -> None:
    before = figure([1.0, 2.0, 3.0], [4.0, 4.0, 4.0])

    assert run.from_json(run.as_json(before, {})) == before


@pytest.mark.parametrize(("least", "holds"), [(0.5, True), (0.51, False)])
def test_bench_bound_is_on_the_median_of_the_ratios(least: float, holds: bool) -> None:
    measured = figure([2.0, 2.0, 9.0], [4.0, 4.0, 4.0])

    assert run.verdict(measured, {"at_least": least})[1] is holds


# ---- figures of other tools ----


def test_bench_suite_times_are_summed_by_group() -> None:
    def requirement(name: str, *seconds: float) -> dict[str, object]:
        return {"id": name, "cases": [{"seconds": second} for second in seconds]}

    listed = [requirement("VQ-001", 1, 2), requirement("VQ-2", 4), requirement("HD-001", 8)]
    report = {"requirements": [*listed, requirement("NS-001")]}

    assert rows_elsewhere.seconds_by_group(report) == {"VQ": 7, "HD": 8}


def test_bench_fuzz_rates_stand_beside_the_empty_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rates.json"
    path.write_text(
        '{"targets": [{"name": "empty", "per_second": 100}, {"name": "wire", "per_second": 25}]}'
    )
    monkeypatch.setitem(rows_elsewhere.files, "fuzz", path)
    context = Context(Machine(tmp_path), 0.1, False)

    assert rows_elsewhere.fuzz_ours(context) == {"fuzz-wire": 25}
    assert rows_elsewhere.fuzz_limit(context) == {"fuzz-wire": 100}


def test_bench_quick_run_starts_no_other_tool(tmp_path: Path) -> None:
    context = Context(Machine(tmp_path), 0.1, True)

    for row in rows_elsewhere.ELSEWHERE:
        assert row.ours(context) == {}


# ---- growth ----


def chart(measure: float | None) -> Chart:
    def ours(_context: Context, x: int) -> Point:
        if measure is None:
            raise ProgramError("no")
        return {"ours": measure * x, "theirs": 7}

    panel = Panel("title", "things/s", [Series("ours"), Series("bound", True)])
    return Chart("name", "size", (1, 2), [panel], ours, lambda _context, _x: {"bound": 100})


def test_bench_growth_text_has_every_point_beside_its_limit(tmp_path: Path) -> None:
    drawn = chart(3.0)
    for x in drawn.points:
        drawn.take(Context(Machine(tmp_path), 0.1, True), x, first_limits=False)

    assert [line.split() for line in text_of(drawn)[2:]] == [
        ["size", "ours", "bound", "(limit)"],
        ["1", "3", "100"],
        ["2", "6", "100"],
    ]


def test_bench_growth_point_that_failed_is_told(tmp_path: Path) -> None:
    drawn = chart(None)
    drawn.take(Context(Machine(tmp_path), 0.1, True), 2, first_limits=True)

    assert drawn.errors == ["size 2: no"]
    assert text_of(drawn)[-1] == "FAILED: size 2: no"
