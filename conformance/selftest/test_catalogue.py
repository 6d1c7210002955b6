# SPDX-License-Identifier: BSD-2-Clause
"""The catalogue is read strictly: whatever is wrong is named with file and entry."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import CONFORMANCE, entry

from rpmsg_conformance import catalogue
from rpmsg_conformance.catalogue import CatalogueError, Level, Side


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requirements.toml"


def test_catalogue_shipped_one_is_valid() -> None:
    assert len(catalogue.load(CONFORMANCE / "requirements.toml")) >= 25


def test_catalogue_entry_has_all_fields(path: Path) -> None:
    path.write_text(entry("HD-007", "should", "Text.") + 'contested = "why"\ndetail = "more"\n')
    requirement = catalogue.load(path)["HD-007"]
    assert requirement.level is Level.SHOULD
    assert requirement.side is Side.HOST
    assert requirement.text == "Text."
    assert requirement.sources[0].locator == "a place"
    assert requirement.rows == ("H1",)
    assert requirement.profiles == {"linux-upstream"}
    assert (requirement.contested, requirement.detail) == ("why", "more")


def test_catalogue_keeps_the_order_of_the_file(path: Path) -> None:
    path.write_text(entry("NS-009") + entry("BF-001") + entry("HD-005"))
    assert list(catalogue.load(path)) == ["NS-009", "BF-001", "HD-005"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (entry(level="musst"), "level 'musst' is not one of must, should, may, observed"),
        (entry() + "colour = 1\n", "unknown key 'colour'"),
        (entry(id="BF-1"), "id 'BF-1' is not"),
        (entry(id="XX-001"), "id 'XX-001' is not"),
        (entry(text="x" * 89), "89 characters"),
        (entry(text=""), "'text' is not a non-empty string"),
        (entry().replace('side = "host"\n', ""), "key 'side' is missing"),
        (entry().replace('"H1"', '"first"'), "row 'first'"),
        (entry().replace('"H1"', ""), "'row' is not a list of at least one"),
        (entry().replace("linux-upstream", "windows"), "profile 'windows' is not one of"),
        (entry().replace("locator", "place"), "exactly the keys 'document' and 'locator'"),
        (entry().replace('side = "host"', 'side = "left"'), "side 'left'"),
    ],
)
def test_catalogue_mistake_is_named_with_file_and_entry(
    text: str, complaint: str, path: Path
) -> None:
    path.write_text(entry("VQ-001") + text)
    with pytest.raises(CatalogueError) as caught:
        catalogue.load(path)
    assert complaint in str(caught.value)
    assert f"{path}: requirement 2" in str(caught.value)


def test_catalogue_duplicate_id_is_refused(path: Path) -> None:
    path.write_text(entry("VQ-001") + entry("VQ-001"))
    with pytest.raises(CatalogueError, match=r"requirement 2 \(VQ-001\): this ID is used"):
        catalogue.load(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[requirement", "not valid TOML"),
        ("", "no \\[\\[requirement\\]\\] entry"),
        ("[[requirements]]\n", "unknown key 'requirements'"),
        ("requirement = [1]\n", "'requirement' is not a list of tables"),
        ("requirement = [{}]\n", "its own \\[\\[requirement\\]\\] line"),
    ],
)
def test_catalogue_broken_file_is_refused(text: str, complaint: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(CatalogueError, match=complaint):
        catalogue.load(path)


def test_catalogue_missing_file_is_named(path: Path) -> None:
    with pytest.raises(CatalogueError, match="requirements.toml: cannot be read"):
        catalogue.load(path)
