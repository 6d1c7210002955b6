# SPDX-License-Identifier: BSD-2-Clause
"""
Rows that other tools of the checkout measure: inputs a second of the fuzz targets beside an empty
target, and how long the suites take by group of requirements. Both are taken from a file that
those tools have written, or they are run for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from programs import ProgramError
from rows import Context, Measurement, Sample

CHECKOUT = Path(__file__).resolve().parents[2]

#: Seconds for each fuzz target.
FUZZ_SECONDS = 5

#: Seconds after which a tool is not waited for any longer; a first run builds programs and fetches a guest.
PATIENCE = 3600.0

#: Groups of rows that no bound is set for, and that take minutes: --check leaves them out.
SLOW_GROUPS = ("fuzz", "suites")

#: Where to take figures from instead of running the tool: set by the command line.
files: dict[str, Path | None] = {"fuzz": None, "remote": None, "host": None}


def _run(command: list[str], good: tuple[int, ...] = (0,)) -> None:
    """Run a tool of the checkout without showing what it says, unless it fails."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
            env=environment, check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"{command[0]}: {error}") from None
    if done.returncode not in good:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise ProgramError(f"{' '.join(command[:3])}: status {done.returncode}: {' '.join(last)}")


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProgramError(f"{path}: {error}") from None


# ---- fuzz targets ---------------------------------------------------------------------------------


def fuzz_targets() -> list[str]:
    """Names of all targets but the empty one."""
    lines = (CHECKOUT / "fuzz/targets.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    return [name for name in names if name != "empty"]


def fuzz_rates(context: Context) -> dict[str, float]:
    """Inputs a second of each target."""
    path = files["fuzz"]
    if path is None:
        if context.quick:
            return {}
        _run([str(CHECKOUT / "scripts/fuzz"), "rate", "--time", str(FUZZ_SECONDS)])
        path = CHECKOUT / "build/fuzz-work/rates.json"
    return {entry["name"]: float(entry["per_second"]) for entry in _load(path)["targets"]}


_rates: dict[str, float] = {}


def fuzz_ours(context: Context) -> Sample:
    """All targets, from one run of the tool."""
    _rates.clear()
    _rates.update(fuzz_rates(context))
    return {f"fuzz-{name}": _rates[name] for name in fuzz_targets() if name in _rates}


def fuzz_limit(_context: Context) -> Sample:
    """The empty target of that run."""
    empty = _rates.get("empty")
    return {f"fuzz-{name}": empty for name in fuzz_targets() if name in _rates} if empty else {}


# ---- suites ---------------------------------------------------------------------------------------


def groups(side: str) -> list[str]:
    """Groups of requirements that a suite judges: the beginnings of their IDs."""
    catalogue = tomllib.loads((CHECKOUT / "conformance/requirements.toml").read_text(encoding="utf-8"))
    ids = [entry["id"] for entry in catalogue["requirement"] if entry["side"] in (side, "both")]
    return list(dict.fromkeys(identifier.split("-")[0] for identifier in ids))


def seconds_by_group(report: dict[str, Any]) -> dict[str, float]:
    """Seconds that the cases of each group took, from a report.json of rpmsg-conform."""
    seconds: dict[str, float] = defaultdict(float)
    for requirement in report["requirements"]:
        cases = requirement["cases"]
        if cases:
            seconds[requirement["id"].split("-")[0]] += sum(case["seconds"] for case in cases)
    return dict(seconds)


def _remote_command(report: Path) -> list[str]:
    programs = CHECKOUT / "build/release/bin"
    launch = f"{programs}/rpmsg-sim --socket-path {{socket}} --service echo"
    return [str(programs / "rpmsg-conform"), "remote", "--report", str(report), "--launch", launch]


def _host_command(report: Path) -> list[str]:
    return [str(CHECKOUT / "scripts/conform"), "--report", str(report)]


def suite(side: str, command: Callable[[Path], list[str]]) -> Callable[[Context], Sample]:
    """Seconds of a suite, by group and in all."""

    def measure(context: Context) -> Sample:
        path = files[side]
        if path is None and context.quick:
            return {}
        with tempfile.TemporaryDirectory(prefix="rpmsg-bench.") as folder:
            if path is None:
                # A verdict that gates is the suite's business; how long it took is seen all the same.
                _run(command(Path(folder, "report")), good=(0, 1))
                path = Path(folder, "report/report.json")
            report = _load(path)
        sample: Sample = {
            f"suite-{side}-{group}": seconds for group, seconds in seconds_by_group(report).items()
        }
        known = {f"suite-{side}-{group}" for group in groups(side)}
        sample = {name: value for name, value in sample.items() if name in known}
        sample[f"suite-{side}"] = float(report["seconds"])
        return sample

    return measure


def suite_figures(side: str, title: str) -> dict[str, tuple[str, str]]:
    """The whole suite first, then its groups."""
    figures = {f"suite-{side}": (title, "s")}
    figures.update({f"suite-{side}-{group}": (f"  its cases of {group}", "s") for group in groups(side)})
    return figures


ELSEWHERE = [
    Measurement(
        "fuzz-targets",
        {f"fuzz-{name}": (f"fuzz target {name}, ASan and UBSan", "inputs/s") for name in fuzz_targets()},
        fuzz_ours,
        fuzz_limit,
        "empty target",
        rounds=False,
        group="fuzz",
    ),
    Measurement(
        "suite-remote",
        suite_figures("remote", "suite against a remote, rpmsg-sim"),
        suite("remote", _remote_command),
        rounds=False,
        group="suites",
    ),
    Measurement(
        "suite-host",
        suite_figures("host", "suite against a host, Debian's kernel (boot included)"),
        suite("host", _host_command),
        rounds=False,
        group="suites",
    ),
]
