# SPDX-License-Identifier: BSD-2-Clause
"""A merge keeps coverage and seeds; it refuses rather than empties a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.tools import corpus, project
from fuzz.tools.corpus import Coverage, check_not_worse, merge
from fuzz.tools.project import Problem, Target

WIRE = Target("wire", 4096, ("wire",))


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """fuzz/ and build/fuzz-work are elsewhere, and empty."""
    monkeypatch.setattr(project, "FUZZ", tmp_path)
    monkeypatch.setattr(project, "WORK", tmp_path / "work")
    return tmp_path


def put(folder: Path, **files: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("_", "-")).write_bytes(data)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_merge_takes_one_of_inputs_that_cover_the_same(scratch: Path, programs: Path) -> None:
    put(WIRE.corpus, a=b"\0" * 17, b=b"\0" * 17, c=b"\0" * 41)
    done = merge(programs, WIRE, [])
    assert (done.given, done.kept) == (3, 2)


def test_merge_keeps_seeds(scratch: Path, programs: Path) -> None:
    put(WIRE.corpus, seed_one=b"\0" * 17, seed_two=b"\0" * 17)
    merge(programs, WIRE, [])
    assert contents(WIRE.corpus) == {"seed-one": b"\0" * 17, "seed-two": b"\0" * 17}


def test_merge_takes_what_runs_have_found(scratch: Path, programs: Path) -> None:
    put(WIRE.corpus, seed_one=b"\0" * 17)
    put(WIRE.grown, found=b"\1" + b"\0" * 40)
    merge(programs, WIRE, [])
    assert b"\1" + b"\0" * 40 in contents(WIRE.corpus).values()


def test_merge_of_nothing_is_refused(scratch: Path, programs: Path) -> None:
    with pytest.raises(Problem, match="there is no input"):
        merge(programs, WIRE, [])


def test_merge_without_coverage_changes_nothing(
    scratch: Path, tmp_path: Path, programs: Path
) -> None:
    put(WIRE.corpus, a=b"first", b=b"second")
    fake = tmp_path / "fuzz_wire"
    fake.write_text("#!/bin/sh\necho '#2 INITED cov: 0 ft: 0 corp: 1/1b' >&2\n")
    fake.chmod(0o755)
    with pytest.raises(Problem, match="covered nothing"):
        merge(tmp_path, WIRE, [])
    assert contents(WIRE.corpus) == {"a": b"first", "b": b"second"}


def test_merge_with_an_input_that_breaks_a_rule_changes_nothing(scratch: Path, tmp_path: Path) -> None:
    put(WIRE.corpus, a=b"first")
    fake = tmp_path / "fuzz_wire"
    fake.write_text("#!/bin/sh\necho 'x.c:1: oracle planted: no' >&2\nexit 77\n")
    fake.chmod(0o755)
    with pytest.raises(Problem, match="oracle planted"):
        merge(tmp_path, WIRE, [])
    assert contents(WIRE.corpus) == {"a": b"first"}


@pytest.mark.parametrize(
    ("before", "after", "kept", "told"),
    [
        (Coverage(0, 0), Coverage(0, 0), 3, "covered nothing"),
        (Coverage(9, 9), Coverage(0, 0), 0, "none of 5 inputs would be left"),
        (Coverage(9, 9), Coverage(8, 9), 3, "9 edges were covered, 8 would be"),
    ],
)
def test_merge_that_loses_is_refused(before: Coverage, after: Coverage, kept: int, told: str) -> None:
    with pytest.raises(Problem, match=told):
        check_not_worse(WIRE, 5, before, after, kept)


def test_merge_leaves_nothing_beside_the_corpus(scratch: Path) -> None:
    put(WIRE.corpus, a=b"first")
    put(scratch / "by", b=b"second")
    corpus.replace(WIRE.corpus, scratch / "by")
    assert contents(WIRE.corpus) == {"b": b"second"}
    assert [path.name for path in WIRE.corpus.parent.iterdir()] == ["wire"]
