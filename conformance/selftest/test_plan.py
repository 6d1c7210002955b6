# SPDX-License-Identifier: BSD-2-Clause
"""Which cases run, in which order, and why the others do not."""

from __future__ import annotations

import pytest

from rpmsg_conformance.catalogue import Catalogue, Level
from rpmsg_conformance.plan import Case, SelectionError, make_plan

CASES = [
    Case("test_second[1]", "BF-002"),
    Case("test_waits", "BF-001", patient=True),
    Case("test_first", "BF-001"),
    Case("test_may", "NS-001"),
]


def names(
    catalogue: Catalogue,
    select: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    levels: tuple[Level, ...] = (),
) -> list[str]:
    plan = make_plan(CASES, catalogue, select, exclude, levels)
    return [planned.case.name for planned in plan if planned.excluded is None]


def test_plan_order_is_that_of_the_catalogue_with_waits_last(small_catalogue: Catalogue) -> None:
    assert names(small_catalogue) == ["test_first", "test_second[1]", "test_may", "test_waits"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("BF", ["test_first", "test_second[1]", "test_waits"]),
        ("BF-001", ["test_first", "test_waits"]),
        ("?F-002", ["test_second[1]"]),
        ("test_second", ["test_second[1]"]),
        ("test_second[1]", ["test_second[1]"]),
        ("test_*a*", ["test_may", "test_waits"]),
    ],
)
def test_plan_selects_by_pattern(
    pattern: str, expected: list[str], small_catalogue: Catalogue
) -> None:
    assert names(small_catalogue, select=(pattern,)) == expected


def test_plan_excludes_by_pattern(small_catalogue: Catalogue) -> None:
    assert names(small_catalogue, exclude=("BF",)) == ["test_may"]


def test_plan_named_case_beats_the_exclusion(small_catalogue: Catalogue) -> None:
    assert names(small_catalogue, select=("test_first",), exclude=("BF",)) == ["test_first"]


def test_plan_level_is_honoured(small_catalogue: Catalogue) -> None:
    assert names(small_catalogue, levels=(Level.SHOULD, Level.MAY)) == ["test_second[1]", "test_may"]


def test_plan_says_why_a_case_does_not_run(small_catalogue: Catalogue) -> None:
    plan = make_plan(CASES, small_catalogue, exclude=("NS",), levels=(Level.MUST, Level.MAY))
    reasons = {planned.case.name: planned.excluded for planned in plan}
    assert reasons == {
        "test_first": None,
        "test_waits": None,
        "test_second[1]": "level should is not asked for",
        "test_may": "excluded by 'NS'",
    }


@pytest.mark.parametrize("pattern", ["nothing", "BF-9", "", "test_sec"])
def test_plan_unknown_name_is_an_error(pattern: str, small_catalogue: Catalogue) -> None:
    with pytest.raises(SelectionError, match="no case and no requirement fits"):
        make_plan(CASES, small_catalogue, select=(pattern,))
    with pytest.raises(SelectionError):
        make_plan(CASES, small_catalogue, exclude=(pattern,))


def test_plan_requirement_without_a_case_is_an_error(small_catalogue: Catalogue) -> None:
    with pytest.raises(SelectionError, match="'NS-002': no case tests it"):
        make_plan(CASES, small_catalogue, select=("NS-002",))
