# SPDX-License-Identifier: BSD-2-Clause
"""The suite catches remotes with one mistake; `scripts/mutants` is the whole table.

Here are a few of them, one of each group of requirements, against the cases of the requirement that
they break; and peers that are no remote at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rpmsg_conformance import catalogue, mutation

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


@pytest.fixture(scope="module")
def mutants() -> dict[str, mutation.Mutant]:
    """All mutants by their names."""
    return {mutant.name: mutant for mutant in mutation.load_mutants()}


def test_mutants_are_sixty_at_least_and_break_what_the_catalogue_has(
    mutants: dict[str, mutation.Mutant],
) -> None:
    known = set(catalogue.load(mutation.CONFORMANCE / "requirements.toml"))
    assert len(mutants) >= 60
    named = {m.requirement for m in mutants.values()}.union(*(m.also for m in mutants.values()))
    assert named <= known


def test_mutants_of_every_group_are_caught_by_the_cases_of_their_requirement(
    mutants: dict[str, mutation.Mutant],
) -> None:
    sample = [mutants[name] for name in SAMPLE]
    judged = mutation.judge_all(sample, 2, others=False)
    assert {result.mutant.name: result.outcome for result in judged} == dict.fromkeys(SAMPLE, "ok")


def test_mutant_that_no_case_minds_is_not_caught() -> None:
    mutant = mutation.Mutant("harmless", "NS-003", "", mutation.python_remote(None), frozenset())
    reference = {"NS-003": {"test_case": "PASS"}}
    assert mutation.judge(mutant, reference, reference).outcome == "NOT CAUGHT"


def test_mutant_with_an_unstated_side_effect_is_told() -> None:
    mutant = mutation.Mutant("wide", "NS-003", "", "", frozenset({"NS-004"}))
    reference = {name: {"test_case": "PASS"} for name in ("NS-003", "NS-004", "NS-005")}
    seen = {
        "NS-003": {"test_case[1]": "FAIL"},
        "NS-004": {"test_case": "FAIL"},
        "NS-005": {"test_case": "DIED"},
    }
    judged = mutation.judge(mutant, reference, seen)
    assert not judged.good
    assert judged.outcome == "UNSTATED NS-005=DIED"


def test_remote_without_a_mistake_must_not_be_blamed() -> None:
    seen = {"NS-003": {"test_case": "FAIL"}}
    with pytest.raises(mutation.MutationError, match="NS-003: test_case"):
        mutation.check_reference(seen)


@pytest.mark.parametrize("option", ["", " --close"], ids=["silent", "closing"])
def test_peer_that_is_no_remote_gets_no_pass(option: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-B", str(mutation.CONFORMANCE / "rpmsg-conform"), "remote"]
    argv += ["--launch", NULL_PEER + option, "--report", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert done.returncode == 4
    assert report["counts"]["verdicts"] == {"BLOCKED": report["counts"]["run"]}
