"""Figures of a study: the front, and the axes that it shares with others."""

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
    "noise_of",
    "save_front",
]
