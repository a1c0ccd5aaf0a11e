"""Figures of a study: the front, and figures as files."""

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

__all__ = [
    "FrontFigure",
    "block_type",
    "compute_front",
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
