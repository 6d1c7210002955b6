# SPDX-License-Identifier: BSD-2-Clause
"""Every dialect of rpmsg-sim meets the remote suite: what is found is what the dialect is known for.

One case of every requirement, and all cases of those that a dialect has something to do with. The
verdicts that find something are stated here, each with its reason; all others find nothing.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from rpmsg_conformance import catalogue, mutation, mutation_run
from rpmsg_conformance.mutation_run import NOTED, Run, Seen

#: Requirements of which every case is run.
WHOLE: Final = frozenset(
    ("VU-016", "VU-039", "VQ-052", "VQ-059", "HD-007", "BF-024", "EP-014", "FT-004", "FT-005",
     "FT-006", "FT-007")
)

#: With buffer sizes in the configuration, those that were not agreed on are 512.
FIXED_SIZE: Final = {"BF-024": "WARN"}

#: Neither EVENT_IDX nor INDIRECT_DESC.
PLAIN_RINGS: Final = {"FT-007": NOTED}

#: Send buffers come back with the length of their descriptor, which they may.
WHOLE_LENGTH: Final = {"VQ-053": NOTED}

#: What is found in each dialect, and by which family of implementations it is judged.
KNOWN: Final[dict[str, tuple[str | None, dict[str, str]]]] = {
    "linux": ("linux-upstream", {}),
    "linux-bufsz": ("linux-bufsz", FIXED_SIZE),
    "openamp": ("openamp-main", PLAIN_RINGS | WHOLE_LENGTH),
    "openamp-bufsz": ("openamp-main", FIXED_SIZE | PLAIN_RINGS | WHOLE_LENGTH),
    "nuttx": ("nuttx-vela", FIXED_SIZE | PLAIN_RINGS | WHOLE_LENGTH),
    # No interrupt for queue 1. Its dirty reserved field is nothing that its family is asked about.
    "rpmsg-lite": ("rpmsg-lite-static", PLAIN_RINGS | WHOLE_LENGTH | {"VQ-059": "WARN"}),
}

#: Requirements that only a remote with a configuration can meet.
OF_CONFIGURATION: Final = ("VU-016", "VU-039", "FT-004", "FT-005")


def meet(simulator: Path, profile: str, family: str | None) -> Seen:
    """The verdicts of a dialect."""
    requirements = mutation_run.load_catalogue()
    sample = mutation.sample_of(mutation_run.all_cases(requirements))
    run = Run(
        profile,
        mutation.simulator_remote(simulator, profile),
        lambda case: case.name in sample or case.requirement in WHOLE,
        profile=family,
    )
    [(_, seen)] = mutation_run.run_all([run], 1, requirements)
    return seen


def worst(seen: Seen) -> dict[str, str]:
    """Requirements of which something was found, and what."""
    return {
        name: verdict
        for name, cases in seen.items()
        for verdict in cases.values()
        if verdict not in mutation.CONTENT
    }


def test_profiles_of_the_simulator_are_all_judged(simulator_path: Path) -> None:
    listed = subprocess.run(
        [simulator_path, "--list-profiles=json"], capture_output=True, check=True, timeout=30
    )
    assert {profile["name"] for profile in json.loads(listed.stdout)} == set(KNOWN)
    assert {family for family, _ in KNOWN.values()} - {None} <= set(catalogue.PROFILES)


@pytest.mark.parametrize("profile", KNOWN)
def test_profile_is_found_to_be_what_it_is_known_for(profile: str, simulator_path: Path) -> None:
    family, known = KNOWN[profile]
    assert worst(meet(simulator_path, profile, family)) == known


@pytest.mark.parametrize("profile", ["linux-bufsz", "openamp-bufsz"])
def test_profile_with_a_configuration_has_it_judged(profile: str, simulator_path: Path) -> None:
    seen = meet(simulator_path, profile, None)
    verdicts = {name: set(seen[name].values()) for name in OF_CONFIGURATION}
    assert verdicts == {name: {"PASS"} for name in OF_CONFIGURATION}
