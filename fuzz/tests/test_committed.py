# SPDX-License-Identifier: BSD-2-Clause
"""What is committed in fuzz/: lists, seeds, dictionaries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fuzz.tools import corpus, dicts, oplist, seeds
from fuzz.tools.project import FUZZ, Target, environment, schema, targets

every_target = pytest.mark.parametrize(
    "target", [pytest.param(t, id=t.name) for t in targets().values()]
)
attacking = pytest.mark.parametrize(
    "target", [pytest.param(t, id=t.name) for t in targets().values() if t.floors]
)


#: Is linked with each of fuzz/adapters, which are programs of their own.
NOT_LISTED = {"adapter"}


def test_targets_are_listed_that_have_a_file() -> None:
    assert set(targets()) == {path.stem for path in (FUZZ / "targets").glob("*.c")} - NOT_LISTED


@every_target
def test_target_describes_itself_by_its_name(target: Target, programs: Path) -> None:
    done = subprocess.run(
        [programs / f"replay_{target.name}", "--describe"], capture_output=True, text=True, check=True
    )
    assert f'"name":"{target.name}"' in done.stdout


def test_schemas_have_numbers_of_their_own(programs: Path) -> None:
    known = [schema(programs, name) for name in targets()]
    numbers = [each.id for each in known if each is not None]
    assert len(numbers) == len(set(numbers))


@attacking
def test_target_has_a_corpus(target: Target) -> None:
    assert target.inputs()


@attacking
def test_seeds_are_those_that_are_generated(target: Target, programs: Path) -> None:
    there = {path.name: path.read_bytes() for path in target.corpus.glob("seed-*")}
    assert there == seeds.of(target, programs)


@attacking
def test_seeds_of_a_structured_target_are_operation_lists(target: Target, programs: Path) -> None:
    known = schema(programs, target.name)
    for path in target.corpus.glob("seed-*"):
        assert known is None or oplist.decode(known, path.read_bytes())


def test_corpora_are_small() -> None:
    assert corpus.total_size() <= corpus.LIMIT


@every_target
def test_dictionary_is_the_one_that_is_generated(target: Target) -> None:
    there = target.dictionary.read_text() if target.dictionary.is_file() else ""
    assert there == dicts.dictionary(target)


@attacking
def test_dictionary_is_read_by_the_engine(target: Target, programs: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [programs / f"fuzz_{target.name}", f"-dict={target.dictionary}", "-runs=1", f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Dictionary: " in done.stderr
