# SPDX-License-Identifier: BSD-2-Clause
"""TOML files that are lists of tables: the catalogue, baselines, the list of holes.

What is wrong with one is told with the file, the line or the entry, and the mistake, in the
exception that the caller names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One table of a list."""

    fields: Mapping[str, Any]
    line: int
    """Of its [[header]]."""
    where: str
    """File and line, for messages."""


def load(
    path: Path, names: Sequence[str], error: type[Exception]
) -> dict[str, list[Entry]]:
    """The [[name]] tables of the file at ``path`` for each of ``names``; there may be none.

    Raises ``error`` for a file that cannot be read, for what is no TOML, for any other key at the
    top, and for entries that are not each under a header of its own.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as reason:
        raise error(f"{path}: cannot be read: {reason.strerror}") from reason
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
        raise error(f"{path}: not valid TOML: {reason}") from reason
    unknown = sorted(set(document) - set(names))
    if unknown:
        known = " and ".join(f"[[{name}]]" for name in names)
        are = "is" if len(names) == 1 else "are"
        raise error(f"{path}: unknown key '{unknown[0]}'; only {known} {are} known")
    return {name: _entries(document, text, path, name, error) for name in names}


def _entries(
    document: Mapping[str, Any], text: str, path: Path, name: str, error: type[Exception]
) -> list[Entry]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise error(f"{path}: '{name}' is not a list of tables")
    header = re.compile(rf"\s*\[\[\s*{name}\s*\]\]")
    lines = [n for n, line in enumerate(text.splitlines(), start=1) if header.match(line)]
    if len(lines) != len(entries):
        raise error(f"{path}: write every entry under its own [[{name}]] line")
    return [
        Entry(fields, line, f"{path}:{line}")
        for fields, line in zip(entries, lines, strict=True)
    ]


def check_keys(
    fields: Mapping[str, Any], known: Collection[str], where: str, error: type[Exception]
) -> None:
    """Raise ``error`` for a key that is not ``known``."""
    for key in fields:
        if key not in known:
            raise error(f"{where}: unknown key '{key}'; known are {', '.join(known)}")


def string(fields: Mapping[str, Any], key: str, where: str, error: type[Exception]) -> str:
    """The text at ``key``, without blanks around it. Raises ``error`` unless there is one."""
    value = fields[key]
    if not isinstance(value, str) or not value.strip():
        raise error(f"{where}: '{key}' is not a non-empty string")
    return value.strip()


def strings(
    fields: Mapping[str, Any], key: str, where: str, error: type[Exception]
) -> tuple[str, ...]:
    """The texts at ``key``. Raises ``error`` unless it is a list of at least one."""
    values = fields[key]
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, str) and value.strip() for value in values)
    ):
        raise error(f"{where}: '{key}' is not a list of at least one non-empty string")
    return tuple(values)
