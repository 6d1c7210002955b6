# SPDX-License-Identifier: BSD-2-Clause
"""A README with a table of files names all of them, and none that is not there."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: First cells of a table's rows that are one or more names in backticks, some with a '*'.
ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \|", re.MULTILINE)


def named(readme: Path) -> list[str]:
    cells = ROW.findall(readme.read_text(encoding="utf-8"))
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def with_a_table() -> list[Path]:
    return [
        readme
        for readme in sorted(ROOT.glob("sim/**/README.md"))
        if any(re.search(r"\.(c|h|py)$", name) for name in named(readme))
    ]


def test_readmes_with_a_table_of_files_are_found() -> None:
    assert len(with_a_table()) >= 7


@pytest.mark.parametrize("readme", with_a_table(), ids=lambda path: str(path.parent.name))
def test_readme_names_the_files_of_its_folder(readme: Path) -> None:
    folder, names = readme.parent, named(readme)
    there = [path.name for path in folder.iterdir() if path.suffix in (".c", ".py")]

    unnamed = [f for f in there if not any(fnmatch.fnmatch(f, name) for name in names)]
    gone = [name for name in names if re.search(r"\.\w+$", name) and not list(folder.glob(name))]

    assert (sorted(unnamed), gone) == ([], [])
