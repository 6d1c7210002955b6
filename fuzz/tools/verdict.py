# SPDX-License-Identifier: BSD-2-Clause
"""What a target says of an input: nothing, or which rule it broke."""

from __future__ import annotations

import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fuzz.tools.project import ROOT, environment

#: Seconds after which an input counts as endless.
LIMIT = 20

ORACLE = re.compile(r"oracle ([\w-]+): ")
SANITIZER = re.compile(r"ERROR: (?:Address|Leak)Sanitizer: ([\w-]+)")
UNDEFINED = re.compile(r"^(\S+?):(\d+):\d+: runtime error: (.*)$", re.MULTILINE)
FRAME = re.compile(r"^\s*#\d+ 0x\w+ in (\w+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """Of one run. Two inputs show the same fault when their rules are equal."""

    rule: str  #: file name for fuzz/regress
    line: str  #: what the program said, one line
    output: str


def first_own_frame(output: str) -> str:
    """The innermost function of this project in a sanitizer's stack, "" when there is none."""
    for function, place in FRAME.findall(output):
        if place.startswith((f"{ROOT}/sim/", f"{ROOT}/fuzz/targets/")):
            return str(function)
    return ""


def reading(output: str, returncode: int) -> Verdict:
    """The fault in the output of a program that ended with a status that is not 0."""
    if match := ORACLE.search(output):
        line = next(line for line in output.splitlines() if match[0] in line)
        return Verdict(match[1], line, output)
    if match := SANITIZER.search(output):
        kind = "leak" if match[1] == "detected" else match[1].lower()
        where = first_own_frame(output)
        return Verdict("-".join(filter(None, (kind, where.replace("_", "-")))), match[0], output)
    if match := UNDEFINED.search(output):
        where = Path(match[1]).stem.replace("_", "-")
        return Verdict(f"undefined-{where}-{match[2]}", match[0], output)
    name = signal.Signals(-returncode).name if returncode < 0 else f"status {returncode}"
    return Verdict(name.lower().replace(" ", "-"), f"ended with {name}", output)


def judge(replay: Path, file: Path) -> Verdict | None:
    """Run one input; None when it broke no rule."""
    try:
        done = subprocess.run(
            [replay, file], capture_output=True, timeout=LIMIT, env=environment(), check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict("endless", f"not done after {LIMIT} s", "")
    if done.returncode == 0:
        return None
    return reading((done.stderr + done.stdout).decode(errors="replace"), done.returncode)
