"""The figure of IGC V1's width optimum: every integer block under the curve that the closed form draws.

compute: a budget to points; draw: points to axes; figure: panels under one legend. Nothing is styled on import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from igcnas.drawing.palette import BLUE, INK, ORANGE, QUIET, VERMILION
from igcnas.drawing.style import own_style

from .canvas import CLOUD, plain
from .lattice import FIG3, PAPER_KERNEL_AREA
from .law import Integers
from .subject import Subject

MOST_POINTS = 20_000  # of the cloud; with more of them each is under a pixel, and the frontier alone is drawn
BOUND_LABEL = "bound: the width of a real (L, M) that costs T"
CLOUD_LABEL = "every integer (L, M) within T"
FRONTIER_LABEL = "the widest of them for each M"
WIDEST_LABEL = "the widest of all"
BEST_LABEL = "closed form, {}"
REGULAR_LABEL = "regular convolution that costs T"
PAPER_LABEL = "points of the paper's Fig. 3 (some exceed T)"
ACCURACY_LABEL = "their accuracy, the paper's own (mean of 5 runs)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A budget: integer blocks within it as (L, M) and width, the widest of each M, and the paper's points.

    `ratios` and `front_ratios` are L / M over that of the closed form; `named` are (L, M, percent right).
    """

    subject: Subject
    budget: int
    unit: str
    ratios: tuple[float, ...]
    widths: tuple[int, ...]
    front_ratios: tuple[float, ...]
    front_widths: tuple[int, ...]
    widest: tuple[int, int]
    named: tuple[tuple[int, int, float], ...]

    @property
    def bound(self) -> float:
        """Channels that nothing within the budget exceeds."""
        return self.subject.law(self.unit).bound(self.budget)

    def ratio(self, L: int, M: int) -> float:
        """Place on the axis: 1 is the closed form."""
        return L / M / self.subject.law(self.unit).best_ratio


def compute(subject: Subject, budget: int, unit: str = "params") -> Panel:
    """What a panel shows; the points of Fig. 3 where the budget is the paper's."""
    law = subject.law(unit)
    front = law.frontier(budget)
    crowded = int(front[0].sum()) > MOST_POINTS
    cloud = _thinned(*front) if crowded else law.lattice(budget)
    paper = subject.kind == "block" and unit == "params" and subject.S == PAPER_KERNEL_AREA
    best = law.best_ratio
    if crowded:
        front = cloud
    return Panel(
        subject=subject,
        budget=budget,
        unit=unit,
        ratios=() if crowded else tuple((cloud[0] / cloud[1] / best).tolist()),
        widths=() if crowded else tuple((cloud[0] * cloud[1]).tolist()),
        front_ratios=tuple((front[0] / front[1] / best).tolist()),
        front_widths=tuple((front[0] * front[1]).tolist()),
        widest=law.widest(budget),
        named=FIG3.get(budget, ()) if paper else (),
    )


def _thinned(L: Integers, M: Integers) -> tuple[Integers, Integers]:
    """About 200 of a long frontier, evenly on a log axis."""
    chosen = np.unique(np.geomspace(1, len(L), 200).round().astype(int)) - 1
    return L[chosen], M[chosen]


def draw(panel: Panel, ax: Axes, below: Axes | None = None) -> None:
    """Width over L / (M S); where `below` is given, the paper's accuracies over the same axis."""
    bound = panel.bound
    regular = panel.subject.regular(panel.unit).width(panel.budget)
    low, high = min(panel.front_ratios) / 3.2, max(*panel.front_ratios, 1) * 2.4
    ratios = np.geomspace(low, high, 400)
    _draw_envelope(panel, ax, ratios)
    if panel.ratios:
        ax.plot(panel.ratios, panel.widths, ".", color=CLOUD, markersize=3.4, markeredgewidth=0, label=CLOUD_LABEL)
    ax.plot(panel.front_ratios, panel.front_widths, ".", color=BLUE, markersize=5, label=FRONTIER_LABEL)
    ax.axhline(regular, color=QUIET, linestyle=":", linewidth=1.4, label=REGULAR_LABEL)
    L, M = panel.widest
    best = BEST_LABEL.format("L = M S" if _balanced(panel) else "the best ratio L / M")
    ax.plot([1], [bound], "*", color=ORANGE, markersize=12, markeredgewidth=0, label=best, zorder=4)
    ring = {"color": BLUE, "markersize": 13, "fillstyle": "none", "markeredgewidth": 1.8, "linestyle": "none"}
    ax.plot([panel.ratio(L, M)], [L * M], marker="o", label=WIDEST_LABEL, zorder=5, **ring)  # type: ignore[arg-type]
    places = [panel.ratio(*point[:2]) for point in panel.named]
    if panel.named:
        widths = [point[0] * point[1] for point in panel.named]
        style = {"color": VERMILION, "markersize": 8, "fillstyle": "none", "linestyle": "none", "zorder": 6}
        ax.plot(places, widths, marker="s", label=PAPER_LABEL, **style)  # type: ignore[arg-type]
    _name(panel, ax)
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(0, 1.17 * max(bound, regular))
    ax.set_ylabel("width G = L M, channels")
    ax.set_title(_title(panel), fontsize=10.5, loc="left", color=INK)
    plain(ax)
    for axes in (ax, below) if below is not None else (ax,):
        axes.axvline(1, color=ORANGE, linewidth=1, zorder=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if below is not None:
        _draw_accuracy(panel, below, places)
    bottom = below if below is not None else ax
    bottom.set_xlabel(_axis(panel))


def _draw_envelope(panel: Panel, ax: Axes, ratios: np.ndarray) -> None:
    """The real blocks that cost exactly T."""
    law = panel.subject.law(panel.unit)
    widths = [law.width_at(panel.budget, float(ratio)) for ratio in ratios]
    ax.plot(ratios, widths, color=INK, linewidth=1.3, label=BOUND_LABEL)


def _draw_accuracy(panel: Panel, ax: Axes, places: Sequence[float]) -> None:
    accuracies = [point[2] for point in panel.named]
    ax.plot(places, accuracies, "s-", color=VERMILION, linewidth=1.2, markersize=5, label=ACCURACY_LABEL)
    top = int(np.argmax(accuracies))
    L, M, accuracy = panel.named[top]
    ax.annotate(
        f"({L}, {M}): {accuracy:.2f}",
        (places[top], accuracy),
        (0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=9,
    )
    span = max(accuracies) - min(accuracies)
    ax.set_ylim(min(accuracies) - 0.1 * span, max(accuracies) + 0.3 * span)
    ax.set_ylabel("CIFAR-100 test\naccuracy, %")
    plain(ax)


def _name(panel: Panel, ax: Axes) -> None:
    """(L, M) at the paper's points; elsewhere at the widest block."""
    points = [point[:2] for point in panel.named] or [panel.widest]
    for L, M in points:
        ratio = panel.ratio(L, M)
        left = ratio < 0.8
        middle = 0.8 <= ratio <= 1.4
        offset = (-8, 4) if left else (0, 11) if middle else (8, 5)
        side = "right" if left else "center" if middle else "left"
        ax.annotate(f"({L}, {M})", (ratio, L * M), offset, textcoords="offset points", ha=side, fontsize=8, color=INK)
    if panel.widest not in points:
        L, M = panel.widest
        place = (panel.ratio(L, M), L * M)
        ax.annotate(f"({L}, {M})", place, (0, -17), textcoords="offset points", ha="center", fontsize=8, color=BLUE)


def _title(panel: Panel) -> str:
    kernel = math.isqrt(panel.subject.S)
    what = {"params": "parameters", "macs": "MACs"}[panel.unit]
    height, width = panel.subject.size
    where = f", {height}x{width} map" if panel.unit == "macs" else ""
    if panel.subject.stride > 1 and panel.unit == "macs":
        where += f", stride {panel.subject.stride}"
    kind = {
        "block": f"one block, {kernel}x{kernel} kernel (S = {panel.subject.S})",
        "norm": f"one block with norm, {kernel}x{kernel} kernel (S = {panel.subject.S})",
        "widening": f"one widening block, {kernel}x{kernel} kernel (S = {panel.subject.S})",
        "network": f"plain network of depth {panel.subject.depth}",
    }[panel.subject.kind]
    return f"T = {panel.budget:,} {what}{where}\n{kind}"


def _balanced(panel: Panel) -> bool:
    """Whether the closed form is L = M S, as for every block; not for whole networks."""
    return math.isclose(panel.subject.law(panel.unit).best_ratio, panel.subject.S)


def _axis(panel: Panel) -> str:
    if _balanced(panel):
        return "L / (M S), log scale; 1 is the closed form"
    ratio = panel.subject.law(panel.unit).best_ratio / panel.subject.S
    return f"L / (M S) over its best value, {ratio:.3f}; log scale, 1 is the closed form"


@own_style()
def figure(panels: Sequence[Panel], columns: int) -> Figure:
    """Panels row by row with one legend for all; those of the paper's budgets have their accuracies below."""
    rows = [list(panels[start : start + columns]) for start in range(0, len(panels), columns)]
    heights = [height for row in rows for height in ((3.1, 1.5) if any(p.named for p in row) else (3.1,))]
    page = Figure(figsize=(5.4 * columns, sum(heights) + 0.55 * len(heights) + 0.9), layout="constrained")
    grid = page.add_gridspec(len(heights), columns, height_ratios=heights)
    line = 0
    for row in rows:
        paired = any(panel.named for panel in row)
        for column, panel in enumerate(row):
            ax = page.add_subplot(grid[line, column])
            below = page.add_subplot(grid[line + 1, column], sharex=ax) if panel.named else None
            if below is not None:
                ax.tick_params(labelbottom=False)
            draw(panel, ax, below)
        line += 2 if paired else 1
    entries: dict[str, Artist] = {}
    for ax in page.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    page.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=min(3, 1 + columns),
        fontsize=9,
        frameon=False,
    )
    return page
