"""docs/spaces.md is what the code says, and every field that a search chooses by has a meaning."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from analysis import spaces_page
from igcnas.errors import IgcnasError
from igcnas.search.space import BlockFamily, SearchSpace, known_spaces, load_space
from igcnas.search.space.space import MEANINGS

FAMILIES = {type(family): family for name in known_spaces() for family in load_space(name).families}


def test_the_page_and_its_pictures_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert spaces_page.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_or_a_picture_that_is_not_current_is_named_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(spaces_page.DOCS / "spaces.md", tmp_path)
    (tmp_path / "figures").mkdir()
    for path in (spaces_page.DOCS / "figures").glob("space-*.svg"):
        shutil.copy(path, tmp_path / "figures")
    (tmp_path / "figures" / "space-igcv2.svg").write_text("<svg/>", encoding="utf-8")
    assert spaces_page.main(["--check"], docs=tmp_path) == 1
    assert [line for line in capsys.readouterr().out.splitlines() if "is not current" in line] == [
        f"{tmp_path}/figures/space-igcv2.svg is not current; run python -m analysis.spaces_page"
    ]
    assert spaces_page.main([], docs=tmp_path) == 0
    assert spaces_page.main(["--check"], docs=tmp_path) == 0


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: type(family).__name__)
def test_every_field_of_a_family_has_a_meaning_and_every_axis_is_a_field(family: BlockFamily) -> None:
    fields = {field.name for field in dataclasses.fields(family)}
    assert set(family.meanings) == fields - {"name", "activation"}
    assert set(family.axes()) <= set(family.meanings)


def test_every_field_of_a_space_has_a_meaning() -> None:
    assert set(MEANINGS) == {field.name for field in dataclasses.fields(SearchSpace)} - {"name", "families"}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: type(family).__name__)
def test_what_lies_outside_a_stated_range_is_refused(family: BlockFamily) -> None:
    wrong: dict[str, list[Any]] = {
        "whole numbers from 1": [0],
        "powers of two": [3],
        "above 0, at most 1": [0.0, 1.5],
        "M, L": ["N"],
        "condensing, dgc": ["other"],
    }
    for name, meaning in family.meanings.items():
        for value in wrong.get(meaning.values, []):
            with pytest.raises(IgcnasError):
                SearchSpace(name="x", families=(dataclasses.replace(family, **{name: (value,)}),))


def test_the_pictures_are_small() -> None:
    sizes = [path.stat().st_size for path in (spaces_page.DOCS / "figures").glob("space-*.svg")]
    assert len(sizes) == len(load_space("all").families)
    assert sum(sizes) < 100_000
