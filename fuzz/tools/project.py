# SPDX-License-Identifier: BSD-2-Clause
"""The list of targets, where things lie, and the programs of a target."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fuzz.tools.oplist import HEADER_SIZE, Schema, schema_from

ROOT = Path(__file__).resolve().parents[2]
FUZZ = ROOT / "fuzz"
#: What runs leave: corpora that grow, crashes, reports.
WORK = ROOT / "build" / "fuzz-work"

#: Presets of CMakePresets.json by engine and sanitizer.
PRESETS = {
    ("libfuzzer", "address"): "fuzz",
    ("libfuzzer", "none"): "fuzz-bare",
    ("afl", "none"): "fuzz-afl",
    ("replay", "address"): "asan",
    ("replay", "none"): "dev",
    ("replay", "coverage"): "fuzz-coverage",
}


class Problem(Exception):
    """Something that the reader can put right; its text says how."""


@dataclass(frozen=True)
class Target:
    """A line of targets.txt."""

    name: str
    longest: int  #: bytes of an input
    floors: tuple[str, ...]  #: of sim/

    @property
    def corpus(self) -> Path:
        """Committed seeds."""
        return FUZZ / "corpus" / self.name

    @property
    def regress(self) -> Path:
        """Committed inputs that once broke a rule."""
        return FUZZ / "regress" / self.name

    @property
    def dictionary(self) -> Path:
        return FUZZ / "dict" / f"{self.name}.dict"

    @property
    def grown(self) -> Path:
        """What runs on this machine found worth keeping."""
        return WORK / self.name / "corpus"

    @property
    def crashes(self) -> Path:
        return WORK / self.name / "crashes"

    def inputs(self) -> list[Path]:
        """Every committed input, sorted."""
        folders = (folder for folder in (self.corpus, self.regress) if folder.is_dir())
        return sorted(path for folder in folders for path in folder.iterdir() if path.is_file())


@cache
def targets() -> dict[str, Target]:
    """All targets by name, in the order of the list.

    Raises Problem when the list is empty: a run over nothing must not look like success.
    """
    found = {}
    for line in (FUZZ / "targets.txt").read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if words:
            found[words[0]] = Target(words[0], int(words[1]), tuple(words[2:]))
    if not found:
        raise Problem("fuzz/targets.txt names no target")
    return found


def target(name: str) -> Target:
    """The target of a name; Problem lists those that there are."""
    try:
        return targets()[name]
    except KeyError:
        raise Problem(f"no target is called {name!r}: there are {', '.join(targets())}") from None


def chosen(names: list[str]) -> list[Target]:
    """The named targets; all when none is named."""
    return [target(name) for name in names] if names else list(targets().values())


def build(engine: str, sanitizer: str) -> Path:
    """Build all targets; the folder of the programs."""
    try:
        preset = PRESETS[engine, sanitizer]
    except KeyError:
        can = ", ".join(f"{e} with {s}" for e, s in PRESETS)
        raise Problem(f"{engine} is not built with sanitizer {sanitizer}: there is {can}") from None
    done = subprocess.run([ROOT / "scripts" / "build", preset, "fuzzers"], check=False)
    if done.returncode != 0:
        raise Problem(f"preset {preset} does not build, see above")
    return ROOT / "build" / preset / "bin"


def environment() -> dict[str, str]:
    """For programs with sanitizers: leaks count, reports name functions; what is set stays."""
    return {
        "ASAN_OPTIONS": "detect_leaks=1:handle_abort=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    } | dict(os.environ)


@cache
def schema(programs: Path, name: str) -> Schema | None:
    """Operations of a target, from its replay program; None when its inputs are bytes."""
    program = programs / f"replay_{name}"
    done = subprocess.run([program, "--describe"], capture_output=True, text=True, check=True)
    return schema_from(json.loads(done.stdout))


def target_of(file: Path, named: str | None, programs: Path) -> Target:
    """Whose input a file is: the one named, else told by its folder, else by its header.

    Raises Problem when the file is absent or none of these tells.
    """
    if not file.is_file():
        raise Problem(f"{file}: there is no such file")
    if named is not None:
        return target(named)
    for part in reversed(file.resolve().parent.parts):
        if part in targets():
            return targets()[part]
    head = file.read_bytes()[:HEADER_SIZE]
    for candidate in targets().values():
        known = schema(programs, candidate.name)
        if known is not None and head == known.header:
            return candidate
    raise Problem(
        f"{file}: whose input is it? Neither its folder nor its first bytes tell; use --target NAME"
    )
