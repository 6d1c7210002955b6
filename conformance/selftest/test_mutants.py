# SPDX-License-Identifier: BSD-2-Clause
"""The suite catches remotes with one mistake; `scripts/mutants` is the whole table.

Here are a few of them, one of each group of requirements, against the cases of the requirement that
they break; and peers that are no remote at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rpmsg_conformance import catalogue, mutation, mutation_run

NULL_PEER = f"/usr/bin/python3 -B {mutation.MUTANTS / 'null_peer.py'} {{socket}}"

SAMPLE = (
    "vu-queue-unchecked",
    "vq-no-interrupt-ignored",
    "hd-completed",
    "ns-41-bytes",
    "ep-53",
    "bf-drops-empty",
    "ft-one-queue",
    "lc-early",
)


PYTHON = {mutation.PYTHON: mutation.python_remote(None)}


@pytest.fixture(scope="module")
def mutants() -> dict[str, mutation.Mutant]:
    """All mutants of the remote in Python by their names."""
    return {mutant.name: mutant for mutant in mutation.python_mutants()}


@pytest.fixture(scope="module")
def requirements() -> catalogue.Catalogue:
    """The catalogue of the checkout."""
    return mutation_run.load_catalogue()


def test_mutants_are_sixty_at_least_and_break_what_the_catalogue_has(
    mutants: dict[str, mutation.Mutant], requirements: catalogue.Catalogue
) -> None:
    assert len(mutants) >= 60
    named = {m.requirement for m in mutants.values()}.union(*(m.also for m in mutants.values()))
    assert named <= set(requirements)


def test_mutants_and_faults_of_the_simulator_fit_each_other(
    simulator_path: Path, requirements: catalogue.Catalogue
) -> None:
    found = mutation.simulator_mutants(simulator_path)
    assert {mutant.requirement for mutant in found} <= set(requirements)
    assert {m for mutant in found for m in mutant.also - {mutation.EVERYTHING}} <= set(requirements)


def test_mutants_break_every_must_and_should_or_a_reason_is_stated(
    mutants: dict[str, mutation.Mutant],
    simulator_path: Path,
    requirements: catalogue.Catalogue,
) -> None:
    every = [*mutants.values(), *mutation.simulator_mutants(simulator_path)]
    assert all(mutation.without_mutant(every, requirements).values())


def test_mutants_of_a_requirement_that_is_not_broken_are_missed(
    mutants: dict[str, mutation.Mutant], requirements: catalogue.Catalogue
) -> None:
    few = [mutant for mutant in mutants.values() if mutant.requirement != "NS-003"]
    with pytest.raises(mutation_run.MutationError, match="no mutant breaks NS-003"):
        mutation.without_mutant(few, requirements)


def test_mutants_of_every_group_are_caught_by_the_cases_of_their_requirement(
    mutants: dict[str, mutation.Mutant],
) -> None:
    sample = [mutants[name] for name in SAMPLE]
    judged = mutation.judge_all(sample, PYTHON, 2, frozenset())
    assert {result.mutant.name: result.outcome for result in judged} == dict.fromkeys(SAMPLE, "ok")


def test_mutants_are_missing_when_there_is_none() -> None:
    with pytest.raises(mutation_run.MutationError, match="no mutant"):
        mutation.judge_all([], PYTHON, 2)


def wide(also: frozenset[str] = frozenset()) -> mutation.Mutant:
    return mutation.Mutant("wide", "NS-003", "", "", also)


@pytest.mark.parametrize("verdict", ["PASS", "INFO", "SKIP", "BLOCKED"])
def test_mutant_that_no_case_minds_is_not_caught(verdict: str) -> None:
    reference = {"NS-003": {"test_case": "PASS"}}
    judged = mutation.judge(wide(), reference, {"NS-003": {"test_case": verdict}})
    assert judged.outcome == "NOT CAUGHT"


@pytest.mark.parametrize("verdict", ["FAIL", "WARN", "NOTED", "WEDGED", "DIED", "TIMEOUT"])
def test_mutant_that_a_case_minds_is_caught(verdict: str) -> None:
    reference = {"NS-003": {"test_case": "PASS"}}
    judged = mutation.judge(wide(), reference, {"NS-003": {"test_case": verdict}})
    assert (judged.outcome, judged.caught_by) == ("ok", ["test_case"])


def test_mutant_with_an_unstated_side_effect_is_told() -> None:
    reference = {name: {"test_case": "PASS"} for name in ("NS-003", "NS-004", "NS-005")}
    seen = {
        "NS-003": {"test_case[1]": "FAIL"},
        "NS-004": {"test_case": "FAIL"},
        "NS-005": {"test_case": "DIED"},
    }
    judged = mutation.judge(wide(frozenset({"NS-004"})), reference, seen)
    assert not judged.good
    assert judged.outcome == "UNSTATED NS-005=DIED"


def judged_with(*unstated: str) -> mutation.Judged:
    verdicts = dict.fromkeys(unstated, "FAIL")
    return mutation.Judged(wide(), ["test_case"], (1, 1), verdicts, verdicts)


def test_mutant_with_an_unstated_side_effect_is_asked_again_and_only_such_a_one() -> None:
    asked: list[mutation.Mutant] = []

    def again(doubtful: list[mutation.Mutant]) -> list[mutation.Judged]:
        asked.extend(doubtful)
        return [judged_with("NS-005")]

    clean = replace(judged_with(), mutant=replace(wide(), name="clean"))
    first, second = mutation.confirm([judged_with("NS-004", "NS-005"), clean], again)
    assert [mutant.name for mutant in asked] == ["wide"]
    assert (first.outcome, first.good, second) == ("UNSTATED NS-005=FAIL", False, clean)


def test_mutant_with_a_side_effect_in_one_run_of_two_is_good_and_told() -> None:
    (judged,) = mutation.confirm([judged_with("NS-004")], lambda doubtful: [judged_with()])
    assert judged.good
    assert judged.outcome == "ok; in one run of two also NS-004=FAIL"


def test_mutant_that_is_not_caught_is_not_asked_again() -> None:
    missed = replace(judged_with("NS-004"), caught_by=[])
    (judged,) = mutation.confirm([missed], lambda doubtful: [judged_with() for _ in doubtful])
    assert judged.outcome == "NOT CAUGHT"


def test_mutant_run_that_ends_without_a_word_is_an_error(
    requirements: catalogue.Catalogue,
) -> None:
    def leave(case: object) -> bool:
        os._exit(0)

    runs = [mutation_run.Run("odd", PYTHON[mutation.PYTHON], leave)]
    with pytest.raises(mutation_run.MutationError, match="odd: the run ended without saying why"):
        list(mutation_run.run_all(runs, 1, requirements))


def test_mutant_run_that_takes_too_long_is_ended(requirements: catalogue.Catalogue) -> None:
    def hang(case: object) -> bool:
        time.sleep(60)
        return False

    runs = [mutation_run.Run("slow", PYTHON[mutation.PYTHON], hang)]
    with pytest.raises(mutation_run.MutationError, match="slow: no end within 0.5 s"):
        list(mutation_run.run_all(runs, 1, requirements, seconds=0.5))


def test_remote_without_a_mistake_must_not_be_blamed() -> None:
    seen = {"NS-003": {"test_case": "FAIL"}}
    with pytest.raises(mutation_run.MutationError, match="NS-003: test_case"):
        mutation.check_reference("python", seen)


@pytest.mark.parametrize("option", ["", " --close"], ids=["silent", "closing"])
def test_peer_that_is_no_remote_gets_no_pass(option: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-B", str(mutation_run.CONFORMANCE / "rpmsg-conform"), "remote"]
    argv += ["--launch", NULL_PEER + option, "--report", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert done.returncode == 4
    assert report["counts"]["run"] >= 100
    assert {c["verdict"] for r in report["requirements"] for c in r["cases"]} == {"BLOCKED"}
    assert report["counts"]["verdicts"] == {"BLOCKED": report["counts"]["run"]}
