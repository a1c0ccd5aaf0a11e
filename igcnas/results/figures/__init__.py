"""Figures of a study: the front, the axes that it shares with others, and figures as files."""

from igcnas.results.figures.files import new_figure, page_svg, png_of, save, svg_of, write
from igcnas.results.figures.front import (
    FrontFigure,
    block_type,
    compute_front,
    draw_front,
    front_figure,
    noise_of,
    save_front,
)
from igcnas.results.figures.scale import CostAxis, cost_axis

__all__ = [
    "CostAxis",
    "FrontFigure",
    "block_type",
    "compute_front",
    "cost_axis",
    "draw_front",
    "front_figure",
    "new_figure",
    "noise_of",
    "page_svg",
    "png_of",
    "save",
    "save_front",
    "svg_of",
    "write",
]
