"""Figures of a study: the front, and the axis of accuracy."""

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
    "noise_of",
    "save_front",
]
