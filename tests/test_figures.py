"""Figures: error bars reach from low to high, files are made alike each time, and colours come from one palette."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from igcnas.drawing.figures import error_bars, new_figure, pdf_of, png_of, save, small_png_of, svg_of
from igcnas.drawing.palette import COLOURS, blended
from igcnas.results.figures.look import _FAMILIES, looks, told_apart
from igcnas.results.report.page.chart import _SHAPES

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("across", [False, True])
def test_an_error_bar_reaches_from_low_to_high_and_what_is_not_finite_has_none(across):
    axes = Figure().subplots()
    error_bars(axes, [1, 2, 3], [0.5, -math.inf, 2.0], [1.5, 1.0, math.nan], across=across)
    [bars] = [drawn for drawn in axes.collections if isinstance(drawn, LineCollection)]
    [segment] = bars.get_segments()
    ends = [[1, 0.5], [1, 1.5]]
    assert segment.tolist() == ([end[::-1] for end in ends] if across else ends)


def test_one_bar_needs_no_lists():
    axes = Figure().subplots()
    error_bars(axes, 3, 1.0, 2.0, across=True)
    [bars] = [drawn for drawn in axes.collections if isinstance(drawn, LineCollection)]
    assert bars.get_segments()[0].tolist() == [[1.0, 3.0], [2.0, 3.0]]


def test_equal_figures_give_equal_files(tmp_path):
    figures = [new_figure(3, 2) for _ in range(2)]
    for figure in figures:
        figure.subplots().plot([1, 2], [3, 4])
    assert svg_of(figures[0]) == svg_of(figures[1])
    assert png_of(figures[0]) == png_of(figures[1])
    assert pdf_of(figures[0]).startswith(b"%PDF")
    paths = save(figures[0], tmp_path / "a.png")
    assert [path.name for path in paths] == ["a.png", "a.svg"]
    assert Image.open(paths[0]).size == (450, 300)
    (tmp_path / "small.png").write_bytes(small_png_of(figures[0], dpi=100))
    small = Image.open(tmp_path / "small.png")
    assert (small.mode, small.size) == ("P", (300, 200))


def test_the_colours_are_written_once():
    files = [path for folder in ("igcnas", "analysis") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 300
    found = {
        path.name for path in files for colour in COLOURS if colour.lower() in path.read_text(encoding="utf-8").lower()
    }
    assert found == {"palette.py"}


def test_a_blended_colour_lies_between_two():
    assert [blended("#000000", "#ffffff", share) for share in (0.0, 0.5, 1.0)] == ["#000000", "#808080", "#ffffff"]


def test_every_family_has_a_marker_of_its_own_that_the_page_can_draw():
    looking = looks(_FAMILIES)
    markers = [marker for _, marker in looking.values()]
    assert len(set(markers)) == len(_FAMILIES)
    page = (ROOT / "igcnas/results/report/page/page.html").read_text(encoding="utf-8")
    for marker in markers:
        assert f'id="mark-{_SHAPES[marker]}"' in page
    assert looks(["condensenet", "mine"])["condensenet"] == looking["condensenet"]


def test_a_block_type_of_a_users_own_looks_like_no_family():
    own = looks(["igcv1", *(f"mine{number}" for number in range(20))])
    assert len(set(own.values())) == 21


def test_names_that_stand_twice_have_their_cost():
    assert told_apart(["a", "b", "a"], [200_000, 1, 50_000]) == ["a, 0.2 MFLOPs", "b", "a, 0.05 MFLOPs"]
