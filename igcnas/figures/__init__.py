"""Figures of a study: front, and the scale of its accuracies."""

from igcnas.figures.front import FrontFigure, compute_front, draw_front, save_front

__all__ = ["FrontFigure", "compute_front", "draw_front", "save_front"]
