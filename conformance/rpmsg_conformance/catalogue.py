# SPDX-License-Identifier: BSD-2-Clause
"""The catalogue: the one place where a requirement is stated (conformance/requirements.toml)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rpmsg_conformance import toml_entries

_Choice = TypeVar("_Choice", bound=enum.StrEnum)

ID_PATTERN = re.compile(r"(VU|VQ|HD|NS|EP|BF|FT|LC|UA|KA)-[0-9]{3}")
ROW_PATTERN = re.compile(r"[HRCW][0-9]{1,2}")

PROFILES = frozenset(
    {"linux-upstream", "linux-bufsz", "openamp-main", "nuttx-vela", "rpmsg-lite-static"}
)

#: The text is one line of the terminal table: longer explanations go into ``detail``.
TEXT_LIMIT = 88


class Level(enum.StrEnum):
    """How binding a requirement is; decides what a failed case means (anchors B.4)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"
    OBSERVED = "observed"


class Side(enum.StrEnum):
    """Whose duty a requirement is."""

    HOST = "host"
    REMOTE = "remote"
    BOTH = "both"


class CatalogueError(Exception):
    """The catalogue cannot be used; the message names the file, the entry and the mistake."""


@dataclass(frozen=True)
class Source:
    """Where a requirement comes from: a document, and the place in it."""

    document: str
    locator: str


@dataclass(frozen=True)
class Requirement:
    """One numbered normative statement."""

    id: str
    level: Level
    side: Side
    text: str
    sources: tuple[Source, ...]
    rows: tuple[str, ...]
    profiles: frozenset[str]
    detail: str | None = None
    contested: str | None = None


class Catalogue(Mapping[str, Requirement]):
    """Requirements by ID, in the order of the file."""

    def __init__(self, requirements: list[Requirement]) -> None:
        self._by_id = {requirement.id: requirement for requirement in requirements}

    def __getitem__(self, requirement_id: str) -> Requirement:
        return self._by_id[requirement_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


_REQUIRED = ("id", "level", "side", "text", "source", "profiles")
_OPTIONAL = ("row", "detail", "contested")


def load(path: Path) -> Catalogue:
    """Read and check the catalogue at ``path``.

    Raises CatalogueError for a file that cannot be read, for TOML that cannot be parsed, and for
    any entry with a missing or unknown key, a value that is not allowed, or an ID seen before.
    """
    entries = toml_entries.load(path, ["requirement"], CatalogueError)["requirement"]
    if not entries:
        raise CatalogueError(f"{path}: no [[requirement]] entry")

    requirements: list[Requirement] = []
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        where = f"{path}: requirement {number}"
        if isinstance(entry.fields.get("id"), str):
            where += f" ({entry.fields['id']})"
        requirement = _parse(entry.fields, where)
        if requirement.id in seen:
            raise CatalogueError(f"{where}: this ID is used by an earlier entry")
        seen.add(requirement.id)
        requirements.append(requirement)
    return Catalogue(requirements)


def _parse(entry: Mapping[str, Any], where: str) -> Requirement:
    for key in _REQUIRED:
        if key not in entry:
            raise CatalogueError(f"{where}: key '{key}' is missing")
    toml_entries.check_keys(entry, _REQUIRED + _OPTIONAL, where, CatalogueError)

    requirement_id = _string(entry, "id", where)
    if not ID_PATTERN.fullmatch(requirement_id):
        raise CatalogueError(
            f"{where}: id '{requirement_id}' is not one of the prefixes "
            "VU VQ HD NS EP BF FT LC UA KA, a hyphen and three digits"
        )
    text = _string(entry, "text", where)
    if len(text) > TEXT_LIMIT or "\n" in text:
        raise CatalogueError(
            f"{where}: text has {len(text)} characters; it is one line of a table, "
            f"{TEXT_LIMIT} at most (the rest belongs into 'detail')"
        )
    rows: tuple[str, ...] = ()
    if "row" in entry:
        rows = toml_entries.strings(entry, "row", where, CatalogueError)
    for row in rows:
        if not ROW_PATTERN.fullmatch(row):
            raise CatalogueError(f"{where}: row '{row}' is not a row name such as H17 or C4")
    profiles = toml_entries.strings(entry, "profiles", where, CatalogueError)
    for profile in profiles:
        if profile not in PROFILES:
            known = ", ".join(sorted(PROFILES))
            raise CatalogueError(f"{where}: profile '{profile}' is not one of {known}")
    return Requirement(
        id=requirement_id,
        level=_choice(entry, "level", Level, where),
        side=_choice(entry, "side", Side, where),
        text=text,
        sources=_sources(entry["source"], where),
        rows=rows,
        profiles=frozenset(profiles),
        detail=_string(entry, "detail", where) if "detail" in entry else None,
        contested=_string(entry, "contested", where) if "contested" in entry else None,
    )


def _string(entry: Mapping[str, Any], key: str, where: str) -> str:
    return toml_entries.string(entry, key, where, CatalogueError)


def _choice(entry: Mapping[str, Any], key: str, kind: type[_Choice], where: str) -> _Choice:
    value = _string(entry, key, where)
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(kind)
        raise CatalogueError(f"{where}: {key} '{value}' is not one of {allowed}") from None


def _sources(value: Any, where: str) -> tuple[Source, ...]:
    if not isinstance(value, list) or not value:
        raise CatalogueError(f"{where}: 'source' is not a list of at least one table")
    sources = []
    for entry in value:
        if not isinstance(entry, dict) or set(entry) != {"document", "locator"}:
            raise CatalogueError(
                f"{where}: each source has exactly the keys 'document' and 'locator'"
            )
        sources.append(
            Source(_string(entry, "document", where), _string(entry, "locator", where))
        )
    return tuple(sources)
