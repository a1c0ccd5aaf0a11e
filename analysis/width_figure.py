"""The figure of the width optimum, like Fig. 3 of the IGC paper: width over (L, M) at one number of weights.

compute: a budget to blocks; draw: blocks to axes; figure: panels under one legend. Nothing is styled on import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.width_lattice import FIG3, PAPER_KERNEL_AREA, Configuration, closed_form, configuration, frontier, widest

BLUE, VERMILION = "#0072B2", "#D55E00"  # apart for every colour vision (Okabe and Ito)
FRONTIER_LABEL = "widest integer block for each M within T"
PAPER_LABEL = "points of the paper's Fig. 3 (some exceed T)"
ACCURACY_LABEL = "accuracy, the paper's own (mean of 5 runs)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel of the figure: the widest block for each M, the blocks named on the axis, and the paper's accuracy.

    `accuracy` (percent) runs along `named`; it is empty where the paper has no points.
    """

    T: int
    S: int
    blocks: tuple[Configuration, ...]
    named: tuple[Configuration, ...]
    accuracy: tuple[float, ...]


def compute(T: int, S: int) -> Panel:
    """Blocks to draw: all M up to 64 of them, then evenly on a log axis; named are the paper's points or about ten."""
    largest = frontier(T, S)

    def pick(number: int) -> list[int]:
        return sorted(set(np.geomspace(1, len(largest), number).round().astype(int).tolist()))

    def blocks(chosen: list[int]) -> tuple[Configuration, ...]:
        return tuple(configuration(int(largest[M - 1]), M, S) for M in chosen)

    best = widest(T, S).M
    drawn = list(range(1, len(largest) + 1)) if len(largest) <= 64 else sorted({best, *pick(64)})
    points = FIG3.get(T, ()) if S == PAPER_KERNEL_AREA else ()
    named = tuple(configuration(L, M, S) for L, M, _ in points)
    if not points:  # names closer together than a thirtieth of the axis would overlap
        apart = math.log(len(largest)) / 30
        named = blocks(sorted({best, *(M for M in pick(10) if abs(math.log(M / best)) > apart)}))
    return Panel(T=T, S=S, blocks=blocks(drawn), named=named, accuracy=tuple(point[2] for point in points))


def draw(data: Panel, ax: Axes) -> None:
    """Width over (L, M), M on a falling log axis so that L grows to the right; accuracy on a second axis."""
    L, M = closed_form(data.T, data.S)
    regular = math.sqrt(data.T / data.S)
    kernel = math.isqrt(data.S)
    ax.axhline(L * M, color="black", linestyle="--", linewidth=1, label=r"bound on the width, $(T / 2\sqrt{S})^{2/3}$")
    ax.axhline(regular, color="0.4", linestyle=":", label=r"regular convolution of as many parameters, $\sqrt{T / S}$")
    drawn_M, widths = [b.M for b in data.blocks], [b.width for b in data.blocks]
    ax.plot(drawn_M, widths, ".-", color=BLUE, linewidth=1.2, label=FRONTIER_LABEL)
    ax.plot([M], [L * M], "*", color="#E69F00", markersize=18, zorder=1, label="closed form, $L = M S$")
    if data.accuracy:
        named_M = [b.M for b in data.named]
        named_widths = [b.width for b in data.named]
        ax.plot(named_M, named_widths, "s", color=BLUE, markersize=8, fillstyle="none", label=PAPER_LABEL)
        right = ax.twinx()
        right.plot(named_M, data.accuracy, "^-", color=VERMILION, linewidth=1, label=ACCURACY_LABEL)
        low, high = min(data.accuracy), max(data.accuracy)
        right.set_ylim(low - 0.06 * (high - low), high + 0.3 * (high - low))  # below the widths, which it would hide
        right.set_ylabel("CIFAR-100 test accuracy, percent", color=VERMILION)
        right.tick_params(axis="y", colors=VERMILION)
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_xticks([], minor=True)
    names = [f"({b.L}, {b.M})  {b.params:,}" for b in data.named]
    ax.set_xticks([b.M for b in data.named], names, rotation=90, fontsize=8)
    ax.set_xlabel("(L, M) and its real parameters; M falls on a log axis")
    ax.set_ylabel("width G = L M, channels", color=BLUE)
    ax.set_ylim(0, 1.1 * max(L * M, regular))
    ax.set_title(f"T = {data.T:,} parameters, {kernel}x{kernel} kernel (S = {data.S})", fontsize=11)


def figure(panels: Sequence[Panel], columns: int) -> Figure:
    """Panels row by row under one title, with one legend for all."""
    rows = -(-len(panels) // columns)
    page = Figure(figsize=(6.5 * columns, 4.6 * rows + 1.2), layout="constrained")
    for number, panel in enumerate(panels, start=1):
        draw(panel, page.add_subplot(rows, columns, number))
    page.suptitle("Widest interleaved group convolution block of T parameters: integers against the closed form")
    entries: dict[str, Artist] = {}
    for ax in page.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    page.legend(
        list(entries.values()), list(entries), loc="outside lower center", ncols=min(3, 1 + columns), fontsize=9
    )
    return page
