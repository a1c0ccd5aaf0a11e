"""A matrix of path counts as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from igcnas.drawing.palette import INK, WARNING
from igcnas.network.paths import summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NUMBERS = 16


def draw_counts(counts: NDArray[np.int64], axes: Axes) -> None:
    """The matrix of path counts: white for no path, blue the darker the more."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.ticker import MaxNLocator

    summary = summarize(counts)
    blues = ListedColormap(colormaps["Blues"](np.linspace(0.3, 0.5, 128))).with_extremes(under="white")
    low, high = max(1, summary.fewest), max(2, summary.most)
    outs, ins = counts.shape
    axes.imshow(counts, cmap=blues, norm=Normalize(low, max(high, low + 1)), interpolation="nearest", aspect="auto")
    if max(outs, ins) <= _MOST_NUMBERS:
        for o in range(outs):
            for i in range(ins):
                ink = WARNING if counts[o, i] == 0 else "#08306b"
                axes.text(i, o, str(counts[o, i]), ha="center", va="center", fontsize=7, color=ink)
        axes.set_xticks(np.arange(ins + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(outs + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#dddddd", lw=0.5)
        axes.tick_params(which="minor", length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(8, integer=True))
    axes.tick_params(labelsize=7, length=2)
    axes.set_xlabel("input channel", fontsize=8.5, color=INK)
    axes.set_ylabel("output channel", fontsize=8.5, color=INK, labelpad=2)
    axes.set_title(_counts_title(counts), fontsize=9, color=INK, loc="left")


def _counts_title(counts: NDArray[np.int64]) -> str:
    """What the matrix says, in two lines."""
    summary = summarize(counts)
    met = counts[counts > 0]
    fewest, most = (int(met.min()), summary.most) if met.size else (0, 0)
    each = f"{most} path{'' if most == 1 else 's'}" if fewest == most else f"{fewest} to {most} paths"
    if summary.unconnected:
        share = summary.unconnected / summary.pairs
        return f"{summary.unconnected:,} of {summary.pairs:,} pairs never meet ({share:.0%});\nothers: {each}"
    return f"{each} for each pair:\n{'strictly' if summary.condition == 'strict' else 'loosely'} complementary"
