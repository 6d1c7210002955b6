# SPDX-License-Identifier: BSD-2-Clause
"""Which cases run, in which order, and why the others do not."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Sequence
from dataclasses import dataclass

from rpmsg_conformance.catalogue import Catalogue, Level


class SelectionError(Exception):
    """A name on the command line fits no case and no requirement."""


@dataclass(frozen=True)
class Case:
    """One case, as collected."""

    name: str
    requirement: str
    patient: bool = False
    """It mostly waits, and is therefore put behind the others."""
    destructive: bool = False
    """It damages the target, which is replaced afterwards; it comes after those that do not."""

    def fits(self, pattern: str) -> bool:
        """Whether a selection pattern means this case.

        A pattern is a case's name, with or without its parameters in brackets, the beginning of a
        requirement's ID, or a glob for either.
        """
        return (
            pattern in (self.name, self.name.partition("[")[0])
            or self.requirement.startswith(pattern)
            or fnmatch.fnmatchcase(self.name, pattern)
            or fnmatch.fnmatchcase(self.requirement, pattern)
        )

    def named(self, pattern: str) -> bool:
        """Whether the pattern names just this case or its requirement, without a glob."""
        return pattern in (self.name, self.name.partition("[")[0], self.requirement)


@dataclass(frozen=True)
class Planned:
    """A case and, when it is not to run, why."""

    case: Case
    excluded: str | None = None
    skipped: str | None = None
    """Why it is counted, but does not apply to this target."""


def make_plan(
    cases: Sequence[Case],
    catalogue: Catalogue,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    levels: Sequence[Level] = (),
    *,
    profile: str | None = None,
    shuffle: int | None = None,
) -> list[Planned]:
    """Order the cases as the catalogue orders requirements, patient ones last, and select.

    ``shuffle`` is the seed of a random order instead. Requirements that ``profile`` does not have
    are skipped. A case named by ``select`` runs although ``exclude`` fits it as well. Raises SelectionError for
    a pattern that fits nothing.
    """
    for option, patterns in (("--select", select), ("--exclude", exclude)):
        for pattern in patterns:
            if pattern and any(case.fits(pattern) for case in cases):
                continue
            known = any(requirement.startswith(pattern) for requirement in catalogue)
            why = "no case tests it" if pattern and known else "no case and no requirement fits"
            raise SelectionError(f"{option} '{pattern}': {why}; --list shows what there is")

    position = {requirement: number for number, requirement in enumerate(catalogue)}
    ordered = sorted(cases, key=lambda case: (case.patient, case.destructive, position[case.requirement]))
    if shuffle is not None:
        random.Random(shuffle).shuffle(ordered)
    plan = []
    for case in ordered:
        skipped = None
        if profile is not None and profile not in catalogue[case.requirement].profiles:
            skipped = f"profile {profile} does not have this requirement"
        plan.append(Planned(case, _reason(case, catalogue, select, exclude, levels), skipped))
    return plan


def _reason(
    case: Case,
    catalogue: Catalogue,
    select: Sequence[str],
    exclude: Sequence[str],
    levels: Sequence[Level],
) -> str | None:
    if select and not any(case.fits(pattern) for pattern in select):
        return "not selected"
    if any(case.named(pattern) for pattern in select):
        return None
    level = catalogue[case.requirement].level
    if levels and level not in levels:
        return f"level {level} is not asked for"
    for pattern in exclude:
        if case.fits(pattern):
            return f"excluded by '{pattern}'"
    return None
