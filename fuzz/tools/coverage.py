# SPDX-License-Identifier: BSD-2-Clause
"""Source coverage of committed inputs: by target, in sum, and what they never call.

The programs are those of preset fuzz-coverage, with clang's source-based counters. A function is taken
to be within reach when the linker kept it in a target's program: unreferenced ones are left out
there (--gc-sections).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz.tools.project import ROOT, WORK, Problem, Target

#: Floors whose inputs a guest or a front-end makes.
REACHED_BY_GUESTS = ("wire", "virtio", "vhost", "remote")
#: What is not sim/: the targets, and what a build made. A compiler cache may have made paths that
#: lead through the folder of the build and out of it again.
NOT_OURS = "--ignore-filename-regex=/fuzz/(common|targets|adapters)/|/build/[^/]+/[^.]"
#: Targets whose inputs are not made by a guest or a front-end, but by who runs the simulator.
OWN_SIDE = ("control", "scenario", "capture")


@dataclass
class Sums:
    """Lines and branches of some files."""

    lines: int = 0
    lines_hit: int = 0
    branches: int = 0
    branches_hit: int = 0

    def add(self, summary: dict[str, Any]) -> None:
        """Add one file's figures, as llvm-cov exports them."""
        self.lines += summary["lines"]["count"]
        self.lines_hit += summary["lines"]["covered"]
        self.branches += summary["branches"]["count"]
        self.branches_hit += summary["branches"]["covered"]

    @staticmethod
    def percent(hit: int, of: int) -> str:
        return f"{100 * hit / of:5.1f} %" if of else "      -"

    def text(self) -> str:
        """Percentages of lines and branches, and the lines themselves."""
        return (
            f"{self.percent(self.lines_hit, self.lines)} {self.percent(self.branches_hit, self.branches)} "
            f"{self.lines_hit:6} of {self.lines}"
        )


@dataclass
class Measured:
    """Coverage of one or of several targets."""

    name: str
    inputs: int
    floors: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    files: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    #: Function to its file and line, of those that ran and of those that did not.
    called: dict[str, str] = field(default_factory=dict)
    uncalled: dict[str, str] = field(default_factory=dict)


def tool(name: str, *arguments: str | Path) -> str:
    """Output of an llvm tool."""
    if shutil.which(name) is None:
        raise Problem(f"{name} is not installed: scripts/setup installs it (package llvm)")
    done = subprocess.run([name, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"{name} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def profile(programs: Path, target: Target, inputs: Sequence[Path], to: Path) -> None:
    """Run inputs, counters into the file to."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "profile")
        done = subprocess.run(
            [programs / f"replay_{target.name}", *inputs],
            env=dict(os.environ) | {"LLVM_PROFILE_FILE": str(raw)},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise Problem(f"an input of {target.name} breaks a rule: {done.stderr.strip()[-300:]}")
        tool("llvm-profdata", "merge", "-sparse", "-o", to, raw)


def objects(programs: Path, names: Iterable[str]) -> list[str]:
    """What llvm-cov reads: programs, and all floors whether a program links them or not."""
    files = [programs / f"replay_{name}" for name in names]
    files.append(programs.parent / "fuzz" / "libcoverage_floors.so")
    return [str(files[0]), *(word for file in files[1:] for word in ("-object", str(file)))]


def in_checkout(name: str) -> Path:
    """A source's path in the checkout; as it is when it lies elsewhere."""
    path = Path(os.path.normpath(name))
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def measure(name: str, inputs: int, arguments: list[str]) -> Measured:
    """Read what llvm-cov exports about sim/."""
    exported = tool("llvm-cov", "export", *arguments, NOT_OURS)
    data = json.loads(exported)["data"][0]
    result = Measured(name, inputs)
    for file in data["files"]:
        path = in_checkout(file["filename"])
        result.files[str(path)].add(file["summary"])
        if path.parts[0] == "sim":
            result.floors[path.parts[1]].add(file["summary"])
    for function in data["functions"]:
        # A static function's name has its file before it.
        plain = function["name"].rpartition(":")[2]
        file_name = in_checkout(function["filenames"][0])
        if file_name.parts[0] != "sim":
            continue
        where = f"{file_name}:{function['regions'][0][0]}"
        key = f"{plain} {file_name.name}"
        if function["count"]:
            result.called[key] = where
        else:
            result.uncalled[key] = where
    for key in result.called:
        result.uncalled.pop(key, None)
    return result


def linked_functions(program: Path) -> set[str]:
    """Names of functions that the linker kept."""
    symbols = tool("llvm-nm", "--defined-only", program)
    return {line.split()[2] for line in symbols.splitlines() if re.match(r"\w+ [tT] ", line)}


def table(rows: Sequence[Measured]) -> str:
    """A line a target and floor, the sum of all targets last."""
    lines = [f"{'target':18} {'inputs':>6} {'floor':8} {'lines':>7} {'branches':>8} {'lines hit':>10}"]
    for row in rows:
        for floor in (*REACHED_BY_GUESTS, "daemon", "host"):
            sums = row.floors.get(floor)
            if sums is None or (sums.lines_hit == 0 and row.name != "all"):
                continue
            lines.append(f"{row.name:18} {row.inputs:6} {floor:8} {sums.text()}")
        if row.name == "all":
            four = Sums()
            for floor in REACHED_BY_GUESTS:
                part = row.floors[floor]
                four.lines += part.lines
                four.lines_hit += part.lines_hit
                four.branches += part.branches
                four.branches_hit += part.branches_hit
            lines.append(f"{'all':18} {row.inputs:6} {'the four':8} {four.text()}")
    return "\n".join(lines)


def uncalled_text(all_targets: Measured, reachable: set[str]) -> str:
    """Functions of the guest's floors that no input called, those within reach first."""
    within: list[str] = []
    beyond: list[str] = []
    for key, where in sorted(all_targets.uncalled.items(), key=lambda pair: pair[1]):
        if not where.startswith(tuple(f"sim/{floor}/" for floor in REACHED_BY_GUESTS)):
            continue
        name = key.split()[0]
        (within if name in reachable else beyond).append(f"  {where:40} {name}")
    lines = [f"never called, though a target that a guest feeds links them: {len(within)}", *within]
    lines += [f"linked by no such target: {len(beyond)}", *beyond]
    return "\n".join(lines)


def report(programs: Path, chosen: Sequence[Target], html: bool) -> tuple[str, Path]:
    """Measure targets; the summary as text, and the folder of what was written.

    Raises Problem when a target has no input, or when one of them breaks a rule.
    """
    folder = WORK / "coverage"
    folder.mkdir(parents=True, exist_ok=True)
    rows, profiles, total = [], [], 0
    for target in chosen:
        inputs = target.inputs()
        if not inputs:
            if target.name == "empty":
                continue
            raise Problem(f"{target.name} has no input: neither fuzz/corpus nor fuzz/regress has any")
        data = folder / f"{target.name}.profdata"
        profile(programs, target, inputs, data)
        arguments = [*objects(programs, [target.name]), f"-instr-profile={data}"]
        rows.append(measure(target.name, len(inputs), arguments))
        profiles.append(data)
        total += len(inputs)
        if html:
            show(arguments, folder / target.name)
    if not rows:
        raise Problem("there is no input to measure")
    everything = folder / "all.profdata"
    tool("llvm-profdata", "merge", "-sparse", "-o", everything, *profiles)
    arguments = [*objects(programs, [row.name for row in rows]), f"-instr-profile={everything}"]
    rows.append(measure("all", total, arguments))
    if not any(rows[-1].floors[floor].lines_hit for floor in REACHED_BY_GUESTS):
        raise Problem(f"{total} inputs reach no line of sim/: does llvm-cov name its files in another way?")
    if html:
        show(arguments, folder / "all")
    reachable: set[str] = set()
    for target in chosen:
        if target.name not in OWN_SIDE:
            reachable |= linked_functions(programs / f"replay_{target.name}")
    text = table(rows)
    missing = uncalled_text(rows[-1], reachable)
    (folder / "summary.txt").write_text(f"{text}\n\n{missing}\n", encoding="utf-8")
    return f"{text}\n\n{missing}", folder


def show(arguments: list[str], to: Path) -> None:
    """Sources with their counts, as HTML."""
    shutil.rmtree(to, ignore_errors=True)
    tool(
        "llvm-cov",
        "show",
        *arguments,
        "--format=html",
        f"--output-dir={to}",
        "--show-branches=count",
        NOT_OURS,
    )
