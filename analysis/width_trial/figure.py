"""Accuracy over L / (M S) with intervals and the quadratic, and below it the width; as wide as a printed page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from igcnas.drawing import figures
from igcnas.drawing.figures import error_bars, grid, new_figure
from igcnas.drawing.palette import BLUE, GREEN, GREY, VERMILION
from igcnas.drawing.style import own_style

from .result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NEAR, _BAND = "#e9eff5", "#fbe3d0"
_SIZE = 9


@own_style()
def figure(result: Result) -> Figure:
    """Both panels."""
    page = new_figure(7.2, 5.8)
    upper, lower = page.subplots(2, 1, sharex=True, height_ratios=(2.7, 1))
    _accuracies(result, upper)
    _widths(result, lower)
    handles, labels = upper.get_legend_handles_labels()
    page.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=_SIZE - 1, frameon=False)
    return page


def _accuracies(result: Result, ax: Axes) -> None:
    from matplotlib.patheffects import withStroke

    rows, near = result.igc, result.settings.near
    curve, dense = result.accuracy.curve, result.dense
    places = np.array([row.entrant.ratio for row in rows])
    left, right = _ends(result)
    ax.axvspan(1 / near, near, color=_NEAR, lw=0, zorder=0, label=f"within a factor {near:g} of L = M S")
    ax.axvline(1, color=GREY, lw=0.8, ls=":", zorder=1)
    vertices = curve.vertices()
    if curve.curvature_interval()[1] < 0 and vertices.bounded:
        ax.axvspan(
            max(2 ** max(vertices.low, -60.0), left),
            min(2 ** min(vertices.high, 60.0), right),
            color=_BAND,
            lw=0,
            zorder=0.5,
            label="its vertex with 95 % interval",
        )
        if left < 2**curve.vertex < right:
            ax.axvline(2**curve.vertex, color=VERMILION, lw=1.0, ls="--", zorder=1.2)
    if dense is not None:
        ax.axhspan(*dense.paired, color=GREEN, alpha=0.22, lw=0, zorder=1)
        ax.axhline(
            dense.mean,
            color=GREEN,
            lw=1.2,
            zorder=1.5,
            label=f"{dense.entrant.name} of equal cost, with band within seeds",
        )
    x = np.linspace(math.log2(left), math.log2(right), 200)
    ax.plot(2**x, curve.at(x), color=VERMILION, lw=1.4, zorder=2, label="quadratic within seeds")
    means = np.array([row.mean for row in rows])
    for ends, width, cap in (([row.interval for row in rows], 0.8, 3), ([row.paired for row in rows], 2.6, 0)):
        lows, highs = np.array(ends).T
        error_bars(ax, places, lows, highs, colour=BLUE, width=width, cap=cap)
    label = "IGC, mean; 95 %: thick within seeds, thin over seeds"
    ax.plot(places, means, "o", color=BLUE, ms=4.5, zorder=3.5, label=label)
    bounds = [end for row in result.rows for end in (*row.interval, *row.paired)]
    finite = [end for end in bounds if math.isfinite(end)] or [0.0, 100.0]
    margin = 0.06 * (max(finite) - min(finite) or 1)
    ax.set_ylim(min(finite) - margin, min(100.2, max(finite) + 2.2 * margin))
    for row in rows:
        top = min(max(row.interval[1], row.paired[1]), max(finite))
        ax.annotate(
            row.entrant.name,
            (row.entrant.ratio, top),
            (0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=_SIZE - 1.5,
            color=BLUE,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            zorder=4,
        )
    ax.set_xscale("log", base=2)
    ax.set_ylabel("test accuracy, percent", fontsize=_SIZE)
    settings = result.settings
    kind = "residual" if settings.residual else "plain"
    ax.set_title(
        f"{settings.data_name}: {kind}, depth {settings.depth}, {settings.budget_macs / 1e6:.3g} MFLOPs, {result.n} "
        f"seeds, {settings.training.epochs} epochs. Verdict: {result.verdict}",
        fontsize=_SIZE,
    )
    _style(ax)


def _widths(result: Result, ax: Axes) -> None:
    rows = result.igc
    ax.axvspan(1 / result.settings.near, result.settings.near, color=_NEAR, lw=0, zorder=0)
    ax.axvline(1, color=GREY, lw=0.8, ls=":", zorder=1)
    ax.axhline(100, color="black", lw=0.8, ls="--", zorder=1)
    ax.plot(
        [row.entrant.ratio for row in rows],
        [100 * row.entrant.width_share for row in rows],
        "s-",
        color=BLUE,
        ms=4,
        lw=0.9,
        zorder=3,
    )
    for row in rows:
        ax.annotate(
            str(row.entrant.width),
            (row.entrant.ratio, 100 * row.entrant.width_share),
            (0, -5),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=_SIZE - 1.5,
            color=BLUE,
        )
    lowest = min(100 * row.entrant.width_share for row in rows)
    ax.set_ylim(lowest - 0.45 * (100 - lowest), 100 + 0.15 * (100 - lowest))
    ax.set_ylabel("width, percent\nof the bound", fontsize=_SIZE)
    ax.set_xlabel("L / (M S), log axis; numbers in this panel are widths in channels", fontsize=_SIZE)
    ticks = [2.0**power for power in range(-5, 8)]
    ax.set_xticks(ticks, [f"{tick:g}" if tick >= 1 else f"1/{1 / tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(*_ends(result))  # after the ticks, which would widen it
    _style(ax)


def _ends(result: Result) -> tuple[float, float]:
    """A little outside the ratios."""
    ratios = [row.entrant.ratio for row in result.igc]
    return min(ratios) / 1.4, max(ratios) * 1.4


def _style(ax: Axes) -> None:
    ax.tick_params(labelsize=_SIZE - 1)
    grid(ax, axis="y")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def save(folder: Path, result: Result) -> tuple[Path, Path]:
    """width-trial.png and width-trial.svg."""
    png, svg = figures.save(figure(result), folder / "width-trial.png")
    return png, svg
