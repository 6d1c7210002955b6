# SPDX-License-Identifier: BSD-2-Clause
"""Runs targets under libFuzzer and AFL++: for long, for a rate, to merge corpora."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fuzz.tools.project import ROOT, Problem, Target, environment

#: Seconds for one input, and MiB, beyond which libFuzzer calls it a fault.
INPUT_SECONDS = 10
MEMORY_MIB = 2048

FINDINGS = ("crash-*", "leak-*", "timeout-*", "oom-*")


def folders_of(target: Target) -> list[Path]:
    """Committed folders of inputs."""
    return [folder for folder in (target.corpus, target.regress) if folder.is_dir()]


def options(target: Target, crashes: Path) -> list[str]:
    """What every run of libFuzzer gets."""
    crashes.mkdir(parents=True, exist_ok=True)
    result = [
        f"-max_len={target.longest}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
        # With thousands of counters an input the schedule by entropy takes a third of the time, and
        # a given number of inputs finds less with it.
        "-entropic=0",
    ]
    if target.dictionary.is_file():
        result.append(f"-dict={target.dictionary}")
    return result


def findings(crashes: Path) -> set[Path]:
    """Files of inputs that broke a rule."""
    return {path for pattern in FINDINGS for path in crashes.glob(pattern)}


def run_libfuzzer(programs: Path, target: Target, seconds: int, jobs: int) -> list[Path]:
    """One target in the foreground; new findings. The corpus grows in build/fuzz-work."""
    target.grown.mkdir(parents=True, exist_ok=True)
    before = findings(target.crashes)
    command = [
        str(programs / f"fuzz_{target.name}"),
        *options(target, target.crashes),
        f"-max_total_time={seconds}",
        *([f"-fork={jobs}"] if jobs > 1 else []),
        *map(str, [target.grown, *folders_of(target)]),
    ]
    status = subprocess.run(command, env=environment(), cwd=ROOT, check=False).returncode
    found = sorted(findings(target.crashes) - before)
    if status != 0 and not found:
        raise Problem(f"fuzz_{target.name} ended with status {status} and left no input, see above")
    return found


def run_afl(programs: Path, target: Target, seconds: int) -> list[Path]:
    """One target under afl-fuzz; new findings."""
    if shutil.which("afl-fuzz") is None:
        raise Problem("afl-fuzz is not installed: scripts/setup installs it (package afl++)")
    out = target.grown.parent / "afl"
    out.parent.mkdir(parents=True, exist_ok=True)
    before = set(out.glob("*/crashes/id*"))
    with tempfile.TemporaryDirectory() as start:
        seeds = target.inputs()
        for number, path in enumerate(seeds):
            shutil.copy(path, f"{start}/{number}")
        if not seeds:
            Path(start, "zero").write_bytes(b"\0" * 4)
        command = ["afl-fuzz", "-i", start, "-o", str(out), "-V", str(seconds), "-G", str(target.longest)]
        if target.dictionary.is_file():
            command += ["-x", str(target.dictionary)]
        command += ["--", str(programs / f"fuzz_{target.name}")]
        # afl-fuzz wants a machine to itself, set up by root; what it finds is as good without.
        quiet = {
            "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1",
            "AFL_SKIP_CPUFREQ": "1",
            "AFL_NO_AFFINITY": "1",
            "AFL_NO_UI": "1",
            "AFL_AUTORESUME": "1",
        }
        status = subprocess.run(command, env=dict(os.environ) | quiet, cwd=ROOT, check=False).returncode
    if status != 0:
        raise Problem(f"afl-fuzz ended with status {status}, see above")
    return sorted(set(out.glob("*/crashes/id*")) - before)


@dataclass(frozen=True)
class Rate:
    """Of one target in a campaign."""

    target: Target
    executions: int
    seconds: int  #: of the clock
    used: float  #: seconds that the processor worked for it
    findings: tuple[Path, ...]
    status: int
    output: str

    @property
    def per_second(self) -> int:
        """Inputs a second of the processor: what else runs on the machine does not matter."""
        return int(self.executions / self.used) if self.used > 0 else 0


def statistic(output: str, name: str) -> int:
    """A number of -print_final_stats; 0 when the run ended before it was printed."""
    match = re.search(rf"^stat::{name}:\s+(\d+)", output, re.MULTILINE)
    return int(match[1]) if match else 0


def run_and_measure(command: list[str]) -> tuple[int, float, str]:
    """Run a program; its status, the processor's seconds, and what it said to stderr."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return process.returncode, usage.ru_utime + usage.ru_stime, text


def one_of_campaign(programs: Path, target: Target, seconds: int, keep: bool) -> Rate:
    """A target for a while, silently. keep: what is worth it goes into the corpus that grows."""
    before = findings(target.crashes)
    with tempfile.TemporaryDirectory() as scratch:
        first = target.grown if keep else Path(scratch)
        first.mkdir(parents=True, exist_ok=True)
        command = [
            str(programs / f"fuzz_{target.name}"),
            *options(target, target.crashes),
            f"-max_total_time={seconds}",
            *map(str, [first, *folders_of(target)]),
        ]
        status, used, output = run_and_measure(command)
    return Rate(
        target,
        statistic(output, "number_of_executed_units"),
        seconds,
        used,
        tuple(sorted(findings(target.crashes) - before)),
        status,
        output,
    )


def campaign(
    programs: Path, names: Sequence[Target], seconds: int, at_once: int, keep: bool
) -> list[Rate]:
    """All of some targets, several at once, in their order."""
    with ThreadPoolExecutor(at_once) as pool:

        def one(target: Target) -> Rate:
            rate = one_of_campaign(programs, target, seconds, keep)
            verdict = "" if rate.status == 0 else f", FAILED with status {rate.status}"
            print(f"{target.name}: {rate.per_second}/s{verdict}", file=sys.stderr, flush=True)
            return rate

        return list(pool.map(one, names))


def table(rates: Sequence[Rate], sanitizer: str) -> str:
    """Rates beside that of the empty target of the same run."""
    empty = next((rate.per_second for rate in rates if rate.target.name == "empty"), 0)
    lines = [f"{'target':18} {'inputs':>11} {'a second':>9} {'of empty':>9}"]  # scripts/test shows it
    for rate in rates:
        share = f"{rate.per_second / empty:9.2f}" if empty else f"{'-':>9}"
        failed = "" if rate.status == 0 else "  FAILED"
        lines.append(f"{rate.target.name:18} {rate.executions:11} {rate.per_second:9} {share}{failed}")
    lines.append(f"{rates[0].seconds} s each, a second is one of the processor's, sanitizer {sanitizer}, {processor()}")
    return "\n".join(lines)


def as_json(rates: Sequence[Rate], sanitizer: str) -> dict[str, object]:
    """The same for programs."""
    targets = [
        {
            "name": rate.target.name,
            "inputs": rate.executions,
            "seconds": rate.seconds,
            "per_second": rate.per_second,
            "status": rate.status,
        }
        for rate in rates
    ]
    return {"sanitizer": sanitizer, "machine": processor(), "targets": targets}


def processor() -> str:
    """What the machine is, as far as rates depend on it."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    match = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} x {match[1] if match else os.uname().machine}, load {load:.1f}"
