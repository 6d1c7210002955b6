# SPDX-License-Identifier: BSD-2-Clause
"""Shared by the self-tests: a small catalogue, results made by hand, a folder for sockets."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rpmsg_conformance import catalogue, processes
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.catalogue import Catalogue
from rpmsg_conformance.results import CaseResult, RequirementResult, RunResult
from rpmsg_conformance.verdicts import Outcome, Verdict

CONFORMANCE = Path(__file__).resolve().parent.parent

ENTRY = """
[[requirement]]
id = "{id}"
level = "{level}"
side = "host"
text = "{text}"
source = [{{ document = "a document", locator = "a place" }}]
row = ["H1"]
profiles = ["linux-upstream"]
"""


def entry(id: str = "BF-001", level: str = "must", text: str = "Something holds.") -> str:
    """TOML of one requirement."""
    return ENTRY.format(id=id, level=level, text=text)


@pytest.fixture
def small_catalogue(tmp_path: Path) -> Catalogue:
    """One requirement of each level."""
    path = tmp_path / "small.toml"
    path.write_text(
        entry("BF-001", "must", "A must.")
        + entry("BF-002", "should", "A should.")
        + entry("NS-001", "may", "A may.")
        + entry("NS-002", "observed", "An observed one.")
    )
    return catalogue.load(path)


MakeRun = Callable[..., RunResult]


@pytest.fixture
def make_run(small_catalogue: Catalogue) -> MakeRun:
    """make_run({"BF-001": [Verdict.PASS]}, sanity=[...]): a run with these cases."""

    def make(verdicts: dict[str, list[Verdict]], **fields: object) -> RunResult:
        requirements = [
            RequirementResult(
                small_catalogue[name],
                [
                    CaseResult(
                        name=f"test_{name.lower().replace('-', '_')}_{number}",
                        requirement=name,
                        outcome=Outcome.MET,
                        verdict=verdict,
                        seconds=0.25,
                        message="" if verdict is Verdict.PASS else f"why {verdict}",
                    )
                    for number, verdict in enumerate(listed)
                ],
            )
            for name, listed in verdicts.items()
        ]
        values: dict[str, object] = {
            "target": {"guest": "a-guest"},
            "requirements": requirements,
            "total_requirements": len(small_catalogue),
            "excluded": 0,
            "baseline": Baseline(),
            "stale": [],
            "sanity": [],
            "harness": [],
            "unreachable": None,
            "interrupted": None,
            "strict": False,
            "started": datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc),
            "seconds": 1.5,
        }
        values.update(fields)
        return RunResult(**values)  # type: ignore[arg-type]

    return make


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets (tmp_path may be too long)."""
    folder = processes.temporary_folder()
    yield folder
    processes.remove_folder(folder)


@pytest.fixture
def simulator_path() -> Path:
    """The rpmsg-sim to test against: RPMSG_SIM, or the one of a build tree."""
    given = os.environ.get("RPMSG_SIM")
    if given:
        return Path(given)
    for preset in ("release", "dev"):
        built = CONFORMANCE.parent / "build" / preset / "bin/rpmsg-sim"
        if built.exists():
            return built
    pytest.skip("no rpmsg-sim is built, and RPMSG_SIM names none")
