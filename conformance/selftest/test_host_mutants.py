# SPDX-License-Identifier: BSD-2-Clause
"""The checker of rpmsg-sim catches hosts with one mistake each, by the right requirement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from host_mutants.all_mutants import MUTANTS, WITHOUT_MUTANT
from host_mutants.judge import judge, judge_without_mistake
from host_mutants.table import Mutant, Stage

from rpmsg_conformance import catalogue
from rpmsg_conformance.virtio.host import Host

CONFORMANCE = Path(__file__).resolve().parent.parent

_ENTRY = re.compile(r'X\([A-Z_]+,\s*"([a-z0-9-]+)",\s*"([A-Z]+-\d+)",\s*(MUST|SHOULD),')


def register() -> dict[str, tuple[str, bool]]:
    """Entries of the simulator's register: requirement, and whether it is a MUST."""
    text = (CONFORMANCE.parent / "sim/wire/violation.h").read_text(encoding="utf-8")
    return {name: (requirement, level == "MUST") for name, requirement, level in _ENTRY.findall(text)}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_host_mutant_is_caught_and_blamed_for_nothing_else(
    simulator_path: Path, mutant: Mutant
) -> None:
    finding = judge(simulator_path, mutant)
    assert finding.problems == [], finding.line()


def test_host_without_mistake_is_blamed_for_nothing(simulator_path: Path) -> None:
    finding = judge_without_mistake(simulator_path)
    assert finding.problems == []
    assert finding.seen == []


def test_host_mutant_without_mistake_is_missed(simulator_path: Path) -> None:
    def nothing(stage: Stage) -> Host:
        return stage.running()

    finding = judge(simulator_path, Mutant("hd-flags", "HD-008", False, "nothing", nothing))
    assert "the checker said nothing" in finding.problems


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        (Mutant("hd-flags", "HD-007", False, "", MUTANTS["hd-flags"].mistake), "as stated"),
        (Mutant("hd-flags", "HD-008", True, "", MUTANTS["hd-flags"].mistake), "status 0"),
        (Mutant("hd-short", "HD-010", True, "", MUTANTS["hd-flags"].mistake), "for hd-flags, too"),
    ],
    ids=["requirement", "level", "violation"],
)
def test_host_mutant_that_states_something_else_is_noticed(
    simulator_path: Path, stated: Mutant, problem: str
) -> None:
    assert problem in "; ".join(judge(simulator_path, stated).problems)


def test_host_mutants_cover_the_register_or_a_reason_is_stated() -> None:
    entries = register()
    assert len(entries) >= 60
    missing = [name for name in entries if name not in MUTANTS and not WITHOUT_MUTANT.get(name)]
    assert missing == []
    assert sorted(set(MUTANTS) & set(WITHOUT_MUTANT)) == []
    assert sorted({*MUTANTS, *WITHOUT_MUTANT} - set(entries)) == []


def test_host_mutants_break_what_the_catalogue_has_for_a_host() -> None:
    requirements = catalogue.load(CONFORMANCE / "requirements.toml")
    assert {m.requirement for m in MUTANTS.values()} <= set(requirements)
