"""The figure of IGC V3: widths that a budget allows, over the expansion and over the paths of a pair."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from igcnas.drawing.palette import BLUE, GREEN, INK, ORANGE, PURPLE, VERMILION
from igcnas.drawing.style import own_style
from igcnas.errors import BudgetError

from .canvas import CLOUD, plain
from .igcv3 import PAPER_EXPANSION, Question, pairs_of_groups, widest
from .igcv3_rows import PUBLISHED_GROUPS

PATHS = ((1, BLUE), (4, GREEN), (16, PURPLE), (36, VERMILION))


@own_style()
def figure(question: Question, budget: int) -> Figure:
    """Left: the widest c over t for several least numbers of paths. Right: every block of t = 6 over its paths.

    Of the question the expansion and the paths are varied; the rest says what the budget is counted in.
    """
    page = Figure(figsize=(10.6, 4.6), layout="constrained")
    left, right = page.subplots(1, 2)
    _draw_expansions(left, question, budget)
    _draw_paths(right, replace(question, t=PAPER_EXPANSION, paths=1), budget)
    return page


def _draw_expansions(ax: Axes, question: Question, budget: int) -> None:
    real = np.linspace(1, 8.3, 200)
    for number, colour in PATHS:
        ax.plot(real, [_real_bound(question, t, number, budget) for t in real], color=colour, linewidth=1.3)
        found = [(t, c) for t in range(1, 9) if (c := _widest(replace(question, t=t, paths=number), budget))]
        noun = "path" if number == 1 else "paths"
        ax.plot(
            [t for t, _ in found],
            [c for _, c in found],
            "o",
            color=colour,
            markersize=5,
            label=f"{number} {noun} a pair or more",
        )
    ax.set_xlabel("expansion t")
    ax.set_ylabel("width c, channels")
    ax.set_ylim(0, None)
    ax.set_title(
        f"Widest block of {_what(question, budget)}\nlines: the bound; dots: integer blocks", fontsize=10.5, loc="left"
    )
    ax.legend(frameon=False, fontsize=9)
    plain(ax)


def _widest(question: Question, budget: int) -> int:
    """Width of the widest integer block; 0 where none fits."""
    try:
        return widest(question, budget)[0]
    except BudgetError:
        return 0


def _real_bound(question: Question, t: float, paths: float, budget: int) -> float:
    """The bound for a real expansion and a real number of paths, by halving."""
    before, after = question.positions
    low, high = 0.0, budget / (after * question.S * t)
    for _ in range(80):
        c = (low + high) / 2
        spent = 2 * math.sqrt(before * after * t * paths * c) * c + after * question.S * t * c
        low, high = (low, c) if spent > budget else (c, high)
    return high


def _what(question: Question, budget: int) -> str:
    return f"{budget:,} {'weights' if question.unit == 'params' else 'MACs'}, S = {question.S}"


def _draw_paths(ax: Axes, question: Question, budget: int) -> None:
    t = question.t
    most = int(question.bound(budget))
    every = [
        (t * c / (G1 * G2), c, G1 == G2)
        for c in range(1, most + 1)
        for G1, G2 in pairs_of_groups(c, question)
        if question.cost(c, G1, G2) <= budget
    ]
    if not every:
        ax.text(0.5, 0.5, f"no block of expansion {t} fits", ha="center", transform=ax.transAxes)
        return
    unequal = [point for point in every if not point[2]]
    equal = [point for point in every if point[2]]
    high = max(point[0] for point in every)
    paths = np.geomspace(1, high, 200)
    ax.plot(
        paths,
        [_real_bound(question, t, P, budget) for P in paths],
        color=INK,
        linewidth=1.3,
        label="bound for as many paths",
    )
    for points, colour, label in ((unequal, CLOUD, "G1 other than G2"), (equal, BLUE, "G1 = G2")):
        ax.plot([p[0] for p in points], [p[1] for p in points], ".", color=colour, markersize=5, label=label)
    for name, (G1, G2) in PUBLISHED_GROUPS.items():
        fits = [c for c in range(1, most + 1) if c % max(G1, G2) == 0 and question.cost(c, G1, G2) <= budget]
        if not fits:
            continue
        c = max(fits)
        place = (t * c / (G1 * G2), c)
        ax.plot(*place, "s", color=VERMILION, markersize=8, fillstyle="none")
        left = G1 != G2  # the others are on the curve, and it falls
        ax.annotate(
            f"{name}: ({G1}, {G2}), c = {c}",
            place,
            (0, -15) if left else (8, 8),
            textcoords="offset points",
            ha="center" if left else "left",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )
    c, G1, G2 = widest(question, budget)
    place = (t * c / (G1 * G2), c)
    ring = {"color": ORANGE, "markersize": 12, "fillstyle": "none", "markeredgewidth": 1.8}
    ax.plot(*place, "o", **ring)  # type: ignore[arg-type]
    ax.annotate(f"widest: ({G1}, {G2}), c = {c}", place, (10, 2), textcoords="offset points", fontsize=8)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(0.75, 9 * high)
    ax.set_ylim(0, 1.12 * question.bound(budget))
    ax.set_xlabel("paths of a pair, t c / (G1 G2), log scale")
    ax.set_ylabel("width c, channels")
    title = f"Every block of expansion {t} that connects all pairs\nwithin {_what(question, budget)}"
    ax.set_title(title, fontsize=10.5, loc="left")
    ax.legend(frameon=False, fontsize=9, loc="upper right")
    plain(ax)
