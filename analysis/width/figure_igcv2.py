"""The figure of IGC V2: weights over the number of kernels, the widest product of a budget, the paper's accuracy."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igcnas.drawing.palette import BLUE, GREEN, INK, ORANGE, QUIET, VERMILION
from igcnas.drawing.style import own_style

from .canvas import plain
from .igcv2 import (
    FIG3,
    FIG3_WIDEST,
    FIG3_WIDTH,
    best_kernels,
    widest_of_any,
    widest_real,
    widest_relaxed,
)
from .igcv2_rows import best, kernels_for_width, widths_for_budget

PAPER, WHOLE, INTEGER = "the paper's bound", "bound with K1 of 1 or more (ours)", "best integer factorisation"


@own_style()
def figure(*, T: int, S: int, widths: tuple[int, ...] = (64, 256)) -> Figure:
    """Three panels: weights over n at fixed widths; widest C over n within T; below it the accuracies of Fig. 3."""
    page = Figure(figsize=(10.6, 5.6), layout="constrained")
    grid = page.add_gridspec(2, 2, height_ratios=(3, 1.5))
    _draw_weights(page.add_subplot(grid[:, 0]), widths, S)
    above = page.add_subplot(grid[0, 1])
    below = page.add_subplot(grid[1, 1], sharex=above)
    above.tick_params(labelbottom=False)
    _draw_widths(above, T, S)
    _draw_accuracy(below)
    handles, labels = above.get_legend_handles_labels()
    page.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9, frameon=False)
    return page


def _draw_weights(ax: Axes, widths: tuple[int, ...], S: int) -> None:
    for C in widths:
        rows = kernels_for_width(C, S)[1:]
        kernels = [int(row["kernels"]) for row in rows]
        real = np.linspace(2, max(kernels) + 0.4, 200)
        log_area = math.log(S * C)
        relaxed = [n * C * math.exp(log_area / n) for n in real]
        ax.plot(real, relaxed, color=QUIET, linestyle="--", linewidth=1.2)
        ax.plot(real, [_least_real(C, n, S) for n in real], color=INK, linewidth=1.3)
        ax.plot(kernels, [float(row["params"]) for row in rows], "o", color=BLUE, markersize=6)
        for n, colour in zip(best_kernels(C, S), (QUIET, ORANGE), strict=True):
            lowest = n * C * math.exp(log_area / n) if colour == QUIET else _least_real(C, n, S)
            ax.plot([n], [lowest], "*", color=colour, markersize=12, markeredgewidth=0, zorder=4)
        last = rows[-1]
        place = (kernels[-1], float(last["params"]))
        ax.annotate(f"C = {C}", place, (0, 10), textcoords="offset points", ha="center", fontsize=9)
        for row in rows[:2]:
            place = (int(row["kernels"]), float(row["params"]))
            ax.annotate(f"K = {row['K']}", place, (8, 4), textcoords="offset points", fontsize=8, color=BLUE)
    ax.set_yscale("log")
    ax.set_xlabel("kernels n, the spatial one included")
    ax.set_ylabel("weights for each position, log scale")
    ax.set_title(
        f"Weights of a product of n kernels, S = {S}\nstars: the best real n of each bound", fontsize=10.5, loc="left"
    )
    plain(ax)


def _least_real(C: int, n: float, S: int) -> float:
    """`least` for a number of kernels that is no integer, for the curve."""
    balance = math.pow(S * C, 1 / n)
    return n * C * balance if balance >= S else C * (S + (n - 1) * math.pow(C, 1 / (n - 1)))


def _draw_widths(ax: Axes, T: int, S: int) -> None:
    rows = widths_for_budget(T, S)
    kernels = [int(row["kernels"]) for row in rows]
    ax.plot(kernels, [widest_relaxed(T, n, S) for n in kernels], "--", color=QUIET, linewidth=1.2, label=PAPER)
    ax.plot(kernels, [widest_real(T, n, S) for n in kernels], "-", color=INK, linewidth=1.3, label=WHOLE)
    ax.plot(kernels, [int(row["width"]) for row in rows], "o", color=BLUE, markersize=6, label=INTEGER)
    top = best(rows)
    for row in rows:
        place = (int(row["kernels"]), int(row["width"]))
        strong = row is top
        ax.annotate(
            str(row["K"]) if strong or place[0] < int(top["kernels"]) else "",
            place,
            (2, -17) if strong else (9, -6),
            textcoords="offset points",
            ha="left",
            fontsize=8,
            color=BLUE,
            weight="bold" if strong else "normal",
        )
    whole = widest_of_any(T, S)[1]
    ax.axhline(whole, color=ORANGE, linewidth=1)
    ax.annotate(
        f"no number of kernels is wider than {whole:.1f}",
        (kernels[0], whole),
        (0, 4),
        textcoords="offset points",
        fontsize=8,
    )
    ax.set_ylim(0, 1.12 * max(widest_relaxed(T, n, S) for n in kernels))
    ax.set_ylabel("widest C")
    ax.set_title(f"Widest strict product of {T:,} weights, S = {S}", fontsize=10.5, loc="left")
    plain(ax)


def _draw_accuracy(ax: Axes) -> None:
    kernels, accuracies = [point[0] for point in FIG3], [point[1] for point in FIG3]
    ax.plot(kernels, accuracies, "s-", color=VERMILION, markersize=5, linewidth=1.2)
    top = max(FIG3, key=lambda point: point[1])
    ax.annotate(f"best: {top[0]}", top, (0, 6), textcoords="offset points", ha="center", fontsize=8)
    widest = next(point for point in FIG3 if point[0] == FIG3_WIDEST)
    ax.annotate(
        f"widest: {FIG3_WIDEST}, about {FIG3_WIDTH}",
        widest,
        (5, 4),
        textcoords="offset points",
        fontsize=8,
        color=GREEN,
    )
    ax.plot(*widest, "s", color=GREEN, markersize=7)
    ax.set_ylim(min(accuracies) - 0.5, max(accuracies) + 1.3)
    ax.set_ylabel("CIFAR-100, %")
    ax.set_xlabel("kernels; accuracies read off the paper's Fig. 3, budget unknown")
    ax.set_xticks(range(1, 9))
    plain(ax)
