"""The plan of the house is what the code says: imports of every kind, circles of files, arrows against the order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.house.picture import picture
from tools.house.rooms import Room, implied, indoors, rooms, upward
from tools.imports import ROOT, Import, circles, imports, imports_of, modules

HOUSE = {
    "igcnas/__init__.py": "from igcnas.base import one\n",
    "igcnas/base.py": "import os\n\none = 1\n",
    "igcnas/walls/__init__.py": "",
    "igcnas/walls/brick.py": """
        from typing import TYPE_CHECKING
        from igcnas.base import one
        if TYPE_CHECKING:
            from igcnas.walls.mortar import Mortar
        else:
            Mortar = None
    """,
    "igcnas/walls/mortar.py": """
        from igcnas.walls import brick
        def mixed():
            from igcnas import roof
            return roof
    """,
    "igcnas/roof/__init__.py": "import igcnas.walls.brick\nfrom igcnas.base import one\n",
    "igcnas/roof/tile.py": "from . import __doc__\nfrom ..walls import mortar, unknown\nfrom .. import base\n",
    "benchmarks/__init__.py": "",
    "benchmarks/speed.py": "from igcnas import roof\nimport torch.nn\n",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small tree with a circle of files and an arrow from the walls up to the roof."""
    for name, text in HOUSE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("\n        ", "\n"), encoding="utf-8")
    return tmp_path


def imported(root: Path, name: str) -> list[Import]:
    return imports_of(name, modules(root))


def plan(root: Path) -> list[Room]:
    return rooms(modules(root), imports(modules(root)))


def in_circles(root: Path) -> list[list[str]]:
    return circles(imports(modules(root)))


def test_every_file_is_a_module_and_a_package_has_the_name_of_its_folder(house: Path) -> None:
    assert set(modules(house)) == {
        "igcnas", "igcnas.base", "igcnas.walls", "igcnas.walls.brick", "igcnas.walls.mortar", "igcnas.roof",
        "igcnas.roof.tile", "benchmarks", "benchmarks.speed",
    }  # fmt: skip


def test_an_import_names_the_module_and_says_what_kind_it_is(house: Path) -> None:
    assert imported(house, "igcnas.walls.brick") == [
        Import(module="igcnas.base", line=3),
        Import(module="igcnas.walls.mortar", line=5, typing=True),
    ]
    assert Import(module="igcnas.roof", line=4, late=True) in imported(house, "igcnas.walls.mortar")


def test_a_name_that_is_no_module_is_an_import_of_the_package_it_comes_from(house: Path) -> None:
    assert imported(house, "igcnas") == [Import(module="igcnas.base", line=1)]
    assert imported(house, "igcnas.walls.mortar")[1] == Import(module="igcnas.walls.brick", line=2)


def test_relative_imports_are_followed(house: Path) -> None:
    assert [one.module for one in imported(house, "igcnas.roof.tile")] == [
        "igcnas.base", "igcnas.roof", "igcnas.walls", "igcnas.walls.mortar",
    ]  # fmt: skip


def test_a_circle_is_found_through_late_imports_and_those_for_the_type_checker(house: Path) -> None:
    assert in_circles(house) == [["igcnas.roof", "igcnas.walls.brick", "igcnas.walls.mortar"]]


def test_there_is_no_circle_without_them(house: Path) -> None:
    (house / "igcnas/walls/mortar.py").write_text("from igcnas.base import one\n", encoding="utf-8")
    assert in_circles(house) == []


def test_rooms_are_in_the_order_of_imports_and_arrows_against_it_are_named(house: Path) -> None:
    found = plan(house)
    assert [room.name for room in found] == ["igcnas.base", "igcnas", "igcnas.roof", "igcnas.walls", "benchmarks"]
    assert upward(found) == [("igcnas.roof", "igcnas.walls")]
    walls = found[3]
    assert (walls.files, walls.imports) == (3, ("igcnas.base", "igcnas.roof"))
    assert [room.name for room in indoors(found)] == ["igcnas.base", "igcnas", "igcnas.roof", "igcnas.walls"]


def test_an_arrow_is_implied_where_another_import_leads_there_too(house: Path) -> None:
    assert implied(plan(house)) == {("igcnas.walls", "igcnas.base")}


def test_the_picture_names_every_room_and_is_the_same_each_time(house: Path) -> None:
    found = indoors(plan(house))
    one = picture(found, "a house")
    assert all(f">{name}</text>" in one for name in ("base", "roof", "walls", "igcnas"))
    assert one == picture(found, "a house")


def test_the_command_prints_the_plan_of_a_tree_and_draws_it(house: Path) -> None:
    command = [sys.executable, "-m", "tools.house", "--root", str(house), "--picture", str(house / "house.svg")]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "| igcnas.walls | 3 |" in printed
    assert "- igcnas.walls.brick:5 imports igcnas.walls.mortar (typing)" in printed
    assert "<svg" in (house / "house.svg").read_text(encoding="utf-8")
    as_json = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(as_json.stdout)["circles"] == [["igcnas.roof", "igcnas.walls.brick", "igcnas.walls.mortar"]]
