# SPDX-License-Identifier: BSD-2-Clause
"""The performance section of README.md: the table of a run, between two marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN = "<!-- made by scripts/bench --readme: begin -->"
END = "<!-- made by scripts/bench --readme: end -->"


class ReadmeError(Exception):
    """The section cannot be written; the text says why."""


def markdown(about: Mapping[str, Any], headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Machine and date, and the table."""
    load = f"load {about['load']} before, {about.get('load_after', '?')} after"
    # What a distributor or a provider adds says nothing to a reader.
    version = ".".join(str(about["kernel"]).split("-")[0].split(".")[:2])
    lines = [
        f"Measured {about['date']} on {about['cores']} x {about['processor']}, Linux {version}, {load}:",
        f"median and quartiles of {about.get('rounds', '?')} alternating rounds; instructions by callgrind.",
        "",
        "| " + " | ".join(headings) + " |",
        "|" + "---|" * len(headings),
    ]
    for row in rows:
        cells = [cell.strip().replace("|", "\\|") for cell in row]
        if row[0].startswith(" "):
            cells[0] = "&nbsp;&nbsp;" + cells[0]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def put(readme: Path, section: str) -> None:
    """Write the section between its marks. Raises ReadmeError when they are not there, once each."""
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ReadmeError(f"{readme}: one line '{BEGIN}' and below it one line '{END}' have to be there")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}", encoding="utf-8")
