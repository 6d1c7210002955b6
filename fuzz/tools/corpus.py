# SPDX-License-Identifier: BSD-2-Clause
"""Committed corpora: merged so that each input adds coverage, and never emptied by mistake."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fuzz.tools.engines import folders_of
from fuzz.tools.project import FUZZ, Problem, Target, environment
from fuzz.tools.verdict import reading

#: Names of inputs that `scripts/fuzz seeds` makes; merge never removes them.
SEED = "seed-*"
#: Bytes that all of fuzz/corpus may have.
LIMIT = 5_000_000

FEATURES = re.compile(r"cov: (\d+) ft: (\d+)")


@dataclass(frozen=True)
class Coverage:
    """What libFuzzer counts for a set of inputs."""

    edges: int
    features: int


@dataclass(frozen=True)
class Merged:
    """Before and after a merge."""

    given: int  #: inputs
    kept: int
    size: int  #: bytes
    coverage: Coverage


def coverage(program: Path, folder: Path, longest: int) -> Coverage:
    """Of every input in a folder, run once. Raises Problem when one breaks a rule."""
    if not any(folder.iterdir()):
        return Coverage(0, 0)
    done = subprocess.run(
        [program, "-runs=0", f"-max_len={longest}", folder],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(),
        check=False,
        cwd=folder,
    )
    if done.returncode != 0:
        fault = reading(done.stderr, done.returncode)
        raise Problem(f"an input of {folder} breaks a rule: {fault.line}")
    found = FEATURES.findall(done.stderr)
    return Coverage(*map(int, found[-1])) if found else Coverage(0, 0)


def add_new(program: Path, target: Target, known: Path, given: Path) -> None:
    """Copy those inputs of a folder into another that cover what is not covered there.

    Raises Problem when libFuzzer cannot.
    """
    done = subprocess.run(
        [program, "-merge=1", f"-max_len={target.longest}", known, given],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(),
        check=False,
        cwd=known.parent,
    )
    if done.returncode != 0:
        raise Problem(f"libFuzzer cannot merge {target.name}:\n{done.stderr[-2000:]}")


def check_not_worse(target: Target, given: int, before: Coverage, after: Coverage, kept: int) -> None:
    """Refuse a merge that would lose what the corpus is for. Raises Problem."""
    refusal = f"merge of {target.name} refused, fuzz/corpus/{target.name} is as it was: "
    if before.edges == 0 or before.features == 0:
        raise Problem(
            refusal + f"{given} inputs covered nothing. Is the build without instrumentation, or the "
            "corpus of another version of the format?"
        )
    if kept == 0:
        raise Problem(refusal + f"none of {given} inputs would be left")
    # Counters of how often differ a little with the order of inputs; edges may not.
    if after.edges < before.edges:
        raise Problem(refusal + f"{before.edges} edges were covered, {after.edges} would be")


def merge(programs: Path, target: Target, more: list[Path]) -> Merged:
    """Replace a committed corpus by the smallest set with the same coverage.

    Taken are the committed inputs, what runs on this machine left, and all files of the folders in
    more. Seeds stay whatever they cover. Raises Problem, and changes nothing, when an input breaks
    a rule or when coverage would be lost.
    """
    program = programs / f"fuzz_{target.name}"
    for folder in more:
        if not folder.is_dir():
            raise Problem(f"{folder}: there is no such folder")
    with tempfile.TemporaryDirectory(prefix="fuzz-merge-") as scratch:
        everything, small = Path(scratch, "everything"), Path(scratch, "small")
        everything.mkdir()
        small.mkdir()
        number = 0
        for folder in [*folders_of(target), target.grown, *more]:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
                if path.is_file() and path.stat().st_size <= target.longest:
                    shutil.copy(path, everything / f"{number:06}")
                    number += 1
        if number == 0:
            raise Problem(f"merge of {target.name} refused: there is no input")
        before = coverage(program, everything, target.longest)
        for seed in sorted(target.corpus.glob(SEED)):
            shutil.copy(seed, small)
        add_new(program, target, small, everything)
        kept = list(small.iterdir())
        after = coverage(program, small, target.longest)
        check_not_worse(target, number, before, after, len(kept))
        replace(target.corpus, small)
        size = sum(path.stat().st_size for path in target.corpus.iterdir())
    return Merged(number, len(kept), size, after)


def adding(programs: Path, target: Target, inputs: dict[str, bytes]) -> list[str]:
    """Names of those inputs that cover what neither the committed ones nor one another do.

    Raises Problem when an input breaks a rule, or when the committed ones cover nothing, so that all
    would seem to add something.
    """
    program = programs / f"fuzz_{target.name}"
    with tempfile.TemporaryDirectory(prefix="fuzz-adding-") as scratch:
        known, new = Path(scratch, "known"), Path(scratch, "new")
        known.mkdir()
        new.mkdir()
        for number, path in enumerate(target.inputs()):
            shutil.copy(path, known / f"{number:06}")
        if coverage(program, known, target.longest).edges == 0:
            raise Problem(f"the inputs of {target.name} cover nothing, so that nobody knows what is new")
        before = {path.name for path in known.iterdir()}
        for name, data in inputs.items():
            (new / name).write_bytes(data)
        add_new(program, target, known, new)
        added = {path.read_bytes() for path in known.iterdir() if path.name not in before}
    return [name for name, data in inputs.items() if data in added]


def replace(corpus: Path, by: Path) -> None:
    """Put a folder's files in place of a corpus; either all or none of it."""
    corpus.parent.mkdir(parents=True, exist_ok=True)
    new, old = corpus.with_name(corpus.name + ".new"), corpus.with_name(corpus.name + ".old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(by, new)
    if corpus.exists():
        corpus.rename(old)
    new.rename(corpus)
    shutil.rmtree(old, ignore_errors=True)


def total_size() -> int:
    """Bytes of all committed corpora."""
    return sum(path.stat().st_size for path in (FUZZ / "corpus").rglob("*") if path.is_file())
