# SPDX-License-Identifier: BSD-2-Clause
"""Baselines: what a target is known not to meet, each deviation with its reason.

A baseline explains failures, it does not switch cases off: an entry whose requirement no longer
fails as described is stale, and a stale entry fails the run.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rpmsg_conformance import toml_entries
from rpmsg_conformance.catalogue import Catalogue, Level
from rpmsg_conformance.verdicts import Verdict, is_judged

_REQUIRED = ("requirement", "seen", "reason")
_OPTIONAL = ("case", "function", "link", "expires")
_COMPLAINT_REQUIRED = ("requirement", "seen", "reason")
_COMPLAINT_OPTIONAL = ("trace", "function", "link")
_EXPLAINABLE = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.TIMEOUT})


class BaselineError(Exception):
    """The baseline cannot be used; the message names the file, the entry and the mistake."""


@dataclass(frozen=True)
class Deviation:
    """One known deviation of a target."""

    requirement: str
    seen: str
    """Text that has to appear in what the failing case observed."""
    reason: str
    line: int
    case: str | None = None
    function: str | None = None
    link: str | None = None
    expires: datetime.date | None = None
    where: str = ""
    """File and line, for messages."""

    def covers(self, requirement: str, case: str) -> bool:
        """Whether this entry speaks of the case ``case`` of ``requirement``."""
        return self.requirement == requirement and self.case in (None, case)


@dataclass(frozen=True)
class KnownComplaint:
    """A report in the kernel's log whose cause is known, whichever case provokes it.

    It fails no case, but is what a case of ``requirement`` looks for.
    """

    requirement: str
    seen: str
    """Text that has to appear in the report's first line."""
    reason: str
    line: int
    trace: tuple[str, ...] = ()
    """Functions that all have to be in the report's call trace."""
    function: str | None = None
    link: str | None = None

    def explains(self, text: str, trace: Iterable[str]) -> bool:
        """Whether this is the cause of a report that begins with ``text``."""
        return self.seen in text and set(self.trace) <= set(trace)


@dataclass
class Applied:
    """What became of one case's verdict."""

    verdict: Verdict
    deviation: Deviation | None = None


@dataclass(frozen=True)
class Stale:
    """A baseline entry that has to go, and why."""

    deviation: Deviation
    why: str


@dataclass
class Baseline:
    """The deviations of one target, and which of them a run has met."""

    path: Path | None = None
    deviations: list[Deviation] = field(default_factory=list)
    known_complaints: list[KnownComplaint] = field(default_factory=list)

    def explain(self, text: str, trace: Iterable[str]) -> KnownComplaint | None:
        """The entry that explains a report of the kernel, or None."""
        functions = tuple(trace)
        for known in self.known_complaints:
            if known.explains(text, functions):
                return known
        return None

    def apply(self, requirement: str, case: str, verdict: Verdict, observed: str) -> Applied:
        """Verdict of a case in the light of the baseline.

        A failure that an entry describes becomes XFAIL. A pass of a case that an entry names
        becomes XPASS. Everything else stays what it was, in particular a failure that looks
        different from the one described.
        """
        for deviation in self.deviations:
            if not deviation.covers(requirement, case):
                continue
            if verdict in _EXPLAINABLE and deviation.seen in observed:
                return Applied(Verdict.XFAIL, deviation)
            if verdict is Verdict.PASS and deviation.case is not None:
                return Applied(Verdict.XPASS, deviation)
        return Applied(verdict)

    def stale(
        self,
        results: Iterable[tuple[str, str, Verdict, Deviation | None]],
        today: datetime.date,
    ) -> list[Stale]:
        """Entries that no longer hold, given (requirement, case, verdict, deviation) of all cases.

        An entry whose cases were not run, or brought no evidence, is left alone.
        """
        seen = list(results)
        stale: list[Stale] = []
        for deviation in self.deviations:
            if deviation.expires is not None and deviation.expires < today:
                stale.append(Stale(deviation, f"expired on {deviation.expires.isoformat()}"))
                continue
            covered = [
                (verdict, used)
                for requirement, case, verdict, used in seen
                if deviation.covers(requirement, case) and is_judged(verdict)
            ]
            if not covered or any(used is deviation for _, used in covered):
                continue
            if all(verdict in (Verdict.PASS, Verdict.XPASS) for verdict, _ in covered):
                stale.append(Stale(deviation, "the requirement is met now"))
            else:
                stale.append(Stale(deviation, f"nothing failed with '{deviation.seen}'"))
        return stale

    def describe(self, stale: Stale) -> str:
        """One line that says which entry of the file has to be deleted, and why."""
        return (
            f"{stale.deviation.where or self.path}: delete the [[deviation]] for "
            f"{stale.deviation.requirement}: {stale.why}"
        )


def load(path: Path, catalogue: Catalogue, cases: Mapping[str, Iterable[str]]) -> Baseline:
    """Read the baseline at ``path``.

    ``cases`` maps each requirement that has cases to their names, so that an entry for a case that
    does not exist is found at once. Raises BaselineError.
    """
    return _load(path, catalogue, cases, including=())


def _load(
    path: Path,
    catalogue: Catalogue,
    cases: Mapping[str, Iterable[str]],
    including: tuple[Path, ...],
) -> Baseline:
    """The entries of a file, and before them those of the files that it includes."""
    if path in including:
        raise BaselineError(f"{path}: includes itself")
    names = ["include", "deviation", "complaint"]
    entries = toml_entries.load(path, names, BaselineError)
    result = Baseline(path=path)
    for found in entries["include"]:
        _known_keys(found.fields, found.where, ("file",), ("without",))
        without = found.fields.get("without", [])
        if not isinstance(without, list) or not all(isinstance(name, str) for name in without):
            raise BaselineError(f"{found.where}: 'without' is not a list of requirements")
        other = _load(
            path.parent / found.fields["file"], catalogue, cases, (*including, path)
        )
        known = {deviation.requirement for deviation in other.deviations}
        known |= {complaint.requirement for complaint in other.known_complaints}
        for name in without:
            if name not in known:
                raise BaselineError(
                    f"{found.where}: {found.fields['file']} has no entry for '{name}'"
                )
        result.deviations += [d for d in other.deviations if d.requirement not in without]
        result.known_complaints += [
            complaint
            for complaint in other.known_complaints
            if complaint.requirement not in without
        ]
    result.deviations += [_parse(entry, catalogue, cases) for entry in entries["deviation"]]
    result.known_complaints += [
        _parse_complaint(entry, catalogue) for entry in entries["complaint"]
    ]
    return result


def _known_keys(
    entry: Mapping[str, Any], where: str, required: Iterable[str], optional: Iterable[str]
) -> None:
    """Raise BaselineError unless an entry has what is required, and nothing unknown."""
    for key in required:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise BaselineError(f"{where}: '{key}' is missing or is not a non-empty string")
    toml_entries.check_keys(entry, [*required, *optional], where, BaselineError)


def _parse_complaint(found: toml_entries.Entry, catalogue: Catalogue) -> KnownComplaint:
    entry, where = found.fields, found.where
    _known_keys(entry, where, _COMPLAINT_REQUIRED, _COMPLAINT_OPTIONAL)
    for key in ("function", "link"):
        if key in entry and not isinstance(entry[key], str):
            raise BaselineError(f"{where}: '{key}' is not a string")
    trace = entry.get("trace", [])
    if not isinstance(trace, list) or not all(isinstance(name, str) for name in trace):
        raise BaselineError(f"{where}: 'trace' is not a list of names of functions")
    if entry["requirement"] not in catalogue:
        raise BaselineError(
            f"{where}: the catalogue has no requirement '{entry['requirement']}'"
        )
    return KnownComplaint(
        requirement=entry["requirement"],
        seen=entry["seen"],
        reason=" ".join(entry["reason"].split()),
        line=found.line,
        trace=tuple(trace),
        function=entry.get("function"),
        link=entry.get("link"),
    )


def _parse(
    found: toml_entries.Entry, catalogue: Catalogue, cases: Mapping[str, Iterable[str]]
) -> Deviation:
    entry, where = found.fields, found.where
    _known_keys(entry, where, _REQUIRED, _OPTIONAL)
    for key in ("case", "function", "link"):
        if key in entry and not isinstance(entry[key], str):
            raise BaselineError(f"{where}: '{key}' is not a string")
    expires = entry.get("expires")
    if expires is not None and (
        not isinstance(expires, datetime.date) or isinstance(expires, datetime.datetime)
    ):
        raise BaselineError(f"{where}: 'expires' is not a date such as 2027-01-31")

    requirement_id = entry["requirement"]
    requirement = catalogue.get(requirement_id)
    if requirement is None:
        raise BaselineError(f"{where}: the catalogue has no requirement '{requirement_id}'")
    if requirement.level not in (Level.MUST, Level.SHOULD):
        raise BaselineError(
            f"{where}: {requirement_id} is of level '{requirement.level}' and cannot fail"
        )
    case = entry.get("case")
    if case is not None and case not in cases.get(requirement_id, ()):
        raise BaselineError(f"{where}: {requirement_id} has no case '{case}'")
    return Deviation(
        requirement=requirement_id,
        seen=entry["seen"],
        reason=" ".join(entry["reason"].split()),
        line=found.line,
        where=where,
        case=case,
        function=entry.get("function"),
        link=entry.get("link"),
        expires=expires,
    )
