"""The three blocks and the regular convolution on one axis: how wide each can be for its weights."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igcnas.drawing.palette import BLUE, GREEN, INK, QUIET, SKY, VERMILION
from igcnas.drawing.style import own_style

from .canvas import plain
from .igcv2 import PUBLISHED_K, PUBLISHED_WIDTHS, counted, widest_of_any
from .igcv3 import Question
from .igcv3 import counted as counted_inverted
from .igcv3_rows import PUBLISHED_GROUPS
from .igcv3_rows import PUBLISHED_WIDTHS as IGCV3_WIDTHS
from .lattice import width_bound
from .subject import Subject

_AXIS_POINTS = 310  # height of the axes, about


@own_style()
def figure(*, S: int = 9, least: int = 1000, most: int = 1_000_000) -> Figure:
    """Width over weights, both on log axes; lines are bounds, squares published blocks (3x3 alone)."""
    page = Figure(figsize=(8.2, 5.2), layout="constrained")
    ax = page.add_subplot()
    T = np.geomspace(least, most, 120)
    lines = (
        ("IGC V2, best number of kernels", GREEN, "-", [widest_of_any(t, S)[1] for t in T]),
        ("IGC V3, t = 1, one path", SKY, "--", [Question(t=1, S=S).bound(t) for t in T]),
        ("IGC V1, L = M S", BLUE, "-", [width_bound(t, S) for t in T]),
        ("IGC V3, t = 6, one path", VERMILION, "-", [Question(t=6, S=S).bound(t) for t in T]),
        ("IGC V3, t = 6, G1 = G2 = 2", VERMILION, ":", [_two_groups(t, S) for t in T]),
        ("regular", QUIET, "-", [math.sqrt(t / S) for t in T]),
    )
    for _, colour, style, widths in lines:
        ax.plot(T, widths, style, color=colour, linewidth=1.5)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(least, most)
    _name_lines(ax, most, [(label, colour, widths[-1]) for label, colour, _, widths in lines])
    if S == 9:
        _draw_published(ax)
    ax.set_xlabel("weights of the block for each position, log scale")
    ax.set_ylabel("width, channels, log scale")
    title = "lines: bounds where every pair of channels is connected; squares: published 3x3 blocks"
    ax.set_title(f"How wide a block of T weights can be, S = {S}\n{title}", fontsize=10.5, loc="left")
    plain(ax)
    return page


def _name_lines(ax: Axes, at: float, names: list[tuple[str, str, float]]) -> None:
    """Names at the right ends of the lines, pushed apart where they would overlap."""
    low, high = (math.log(limit) for limit in ax.get_ylim())
    below = -math.inf
    for label, colour, width in sorted(names, key=lambda name: name[2]):
        place = _AXIS_POINTS * (math.log(width) - low) / (high - low)
        moved = max(place, below + 13)
        below = moved
        ax.annotate(
            label,
            (at, width),
            (6, moved - place),
            textcoords="offset points",
            color=colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )


def _two_groups(T: float, S: int) -> float:
    """c of an IGCV3-D block: 6 c^2 + 6 S c = T."""
    return (math.sqrt(36 * S * S + 24 * T) - 6 * S) / 12


def _draw_published(ax: Axes) -> None:
    block = Subject()
    igc = [(block.count(24, M).params, 24 * M) for M in (2, 4, 8)]
    loose = [(counted(PUBLISHED_K, C).params, C) for C in PUBLISHED_WIDTHS]
    deep = [(counted_inverted(c, *PUBLISHED_GROUPS["IGCV3-D"], Question()).params, c) for c in IGCV3_WIDTHS]
    for points, name, offset, side in (
        (igc, "IGC-L24M2", (7, -11), "left"),
        (loose, "IGCV2*-C416 (4 to 15 % of pairs)", (-8, 6), "right"),
        (deep, "IGCV3-D", (8, -12), "left"),
    ):
        ax.plot([p[0] for p in points], [p[1] for p in points], "s", color=INK, fillstyle="none", markersize=7)
        ax.annotate(name, points[-1], offset, textcoords="offset points", fontsize=8, ha=side, color=INK)
