"""The picture of a comparison: fronts on one axis, hypervolume over networks, hypervolume over seconds of training.

mean_front, mean_curve: numbers, for tests; draw_*: numbers to axes. A method with several searches is a thick line,
their mean, and a thin one for each; the band is the 95 % interval of the mean (Student's t) at each place. Curves end
with the last new network: repeats add nothing to them. Studies that judge networks differently stand in own rows.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from igcnas.drawing import figures
from igcnas.drawing.figures import error_bars, grid, new_figure
from igcnas.drawing.palette import QUIET, colours
from igcnas.drawing.style import own_style
from igcnas.results.comparison.progress import Step
from igcnas.results.comparison.result import Comparison, Curve
from igcnas.results.figures.scale import accuracy_axis
from igcnas.statistics.intervals import mean, t_interval
from igcnas.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_PLACES = 240  # at which curves over seconds are averaged

Points = tuple[list[float], list[float]]


def mean_front(curves: Sequence[Curve], until: float) -> Points:
    """Costs and the mean over searches of the best accuracy at or under each, from where every search has a network."""
    start = max(curve.costs[0] for curve in curves)
    costs = sorted({cost for curve in curves for cost in curve.costs if cost >= start} | {start, until})
    return costs, [mean([_step(curve.costs, curve.means, cost) for curve in curves]) for cost in costs]


def mean_curve(
    curves: Sequence[Curve], along: Callable[[Step], float], places: Sequence[float]
) -> tuple[list[float], list[tuple[float, float]]]:
    """Mean hypervolume over searches at each place, and its interval; 0 before the first training ended."""
    values = [
        [_step([along(step) for step in curve.steps], [step.hypervolume for step in curve.steps], at) for at in places]
        for curve in curves
    ]
    together = list(zip(*values, strict=True))
    return [mean(some) for some in together], [t_interval(some) for some in together]


def _step(places: Sequence[float], values: Sequence[float], at: float) -> float:
    """The value of the last place at or before this one."""
    found = bisect_right(places, at)
    return values[found - 1] if found else 0.0


def draw_fronts(found: Comparison, axes: Axes) -> None:
    """Best accuracy at or under each cost."""
    axis = found.scale.objective.axis
    size, name = axis.size, axis.unit
    until = found.scale.reference_cost / 2
    for colour, marker, _, curves in _looks(found):
        alone = len(curves) == 1
        for curve in curves:
            xs, ys = [cost / size for cost in curve.costs], list(curve.means)
            end = [*xs, until / size], [*ys, ys[-1]]
            axes.step(*end, where="post", c=colour, lw=1.6 if alone else 0.7, alpha=1 if alone else 0.4, zorder=2)
            axes.scatter(
                xs, ys, s=26 if alone else 9, c=colour, marker=marker, lw=0, alpha=1 if alone else 0.4, zorder=3
            )
            if alone:
                errors = np.array(curve.errors)
                error_bars(axes, xs, np.array(ys) - errors, np.array(ys) + errors, colour=colour, order=2)
        if not alone:
            costs, means = mean_front(curves, until)
            axes.step([cost / size for cost in costs], means, where="post", c=colour, lw=2.4, zorder=4)
    axes.set_xscale("log")
    accuracy_axis(axes, [accuracy for curve in found.curves for accuracy in curve.means])
    axes.set_xlabel(name)
    axes.set_ylabel(f"validation {found.measure} (%), spaced by error rate")
    axes.set_title("Front: best mean over seeds at or under each cost", fontsize=9.5, loc="left")


def draw_progress(found: Comparison, axes: Axes, *, over: str) -> None:
    """Hypervolume over 'networks' or over 'seconds' of training."""
    along: Callable[[Step], float] = (lambda step: step.networks) if over == "networks" else (lambda step: step.seconds)
    for colour, _, _, curves in _looks(found):
        ends = []
        for curve in curves:
            steps = _until_last_network(curve.steps)
            ends.append(along(steps[-1]))
            xs, ys = [along(step) for step in steps], [step.hypervolume for step in steps]
            alone = len(curves) == 1
            axes.step(xs, ys, where="post", c=colour, lw=1.6 if alone else 0.6, alpha=1 if alone else 0.35, zorder=2)
        if len(curves) > 1:
            last = min(ends)
            places = list(range(1, int(last) + 1)) if over == "networks" else list(np.linspace(0, last, _PLACES))
            means, intervals = mean_curve(curves, along, places)
            axes.step(places, means, where="post", c=colour, lw=2.4, zorder=4)
            lows = [max(0.0, low) if math.isfinite(low) else m for m, (low, _) in zip(means, intervals, strict=True)]
            highs = [high if math.isfinite(high) else m for m, (_, high) in zip(means, intervals, strict=True)]
            axes.fill_between(places, lows, highs, step="post", color=colour, alpha=0.16, lw=0, zorder=1)
    axes.set_xlim(left=0)
    axes.set_xlabel("networks trained" if over == "networks" else "seconds of training, all workers together")
    if over == "networks":
        axes.set_ylabel("hypervolume (points x octaves)")
    axes.set_title(f"Hypervolume over {over}", fontsize=9.5, loc="left")


def _until_last_network(steps: Sequence[Step]) -> Sequence[Step]:
    last = next(place for place, step in enumerate(steps) if step.networks == steps[-1].networks)
    return steps[: last + 1]


def save(path: Path, comparisons: Sequence[Comparison], *, title: str) -> list[Path]:
    """Write the picture as PNG and as SVG, beside each other; their paths."""
    return figures.save(_canvas(comparisons, title), path)


@own_style()
def _canvas(comparisons: Sequence[Comparison], title: str) -> Figure:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, NullFormatter

    canvas = new_figure(13.2, 0.9 + 4.7 * len(comparisons))
    parts = canvas.subfigures(len(comparisons), 1, squeeze=False)[:, 0]
    for found, part in zip(comparisons, parts, strict=True):
        front, networks, seconds = part.subplots(1, 3, width_ratios=(1.35, 1, 1))
        draw_fronts(found, front)
        draw_progress(found, networks, over="networks")
        draw_progress(found, seconds, over="seconds")
        top = 1.1 * max(curve.steps[-1].hypervolume for curve in found.curves) or 1.0  # bands of few searches are wide
        for axes in (front, networks, seconds):
            grid(axes, minor=True)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in (networks, seconds):
            axes.set_ylim(0, top)
        low, high = front.get_xlim()
        marks = _round_marks(low, high)
        front.set_xticks(marks, [f"{mark:g}" for mark in marks])
        front.xaxis.set_minor_formatter(NullFormatter())
        front.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
        handles = [
            Line2D([], [], c=colour, marker=marker, lw=2.2, ms=5, label=_label(method, len(curves)))
            for colour, marker, method, curves in _looks(found)
        ]
        part.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), fontsize=9, frameon=False)
        part.suptitle(_subtitle(found), fontsize=9.5, x=0.01, ha="left", color=QUIET)
    canvas.suptitle(title, fontsize=12, x=0.01, ha="left")
    return canvas


def _round_marks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= m * 10.0**d <= high]


def _looks(found: Comparison) -> list[tuple[str, str, str, list[Curve]]]:
    """Colour, marker, method and its searches."""
    shades = colours(len(found.methods))
    return [
        (shades[place], _MARKERS[place % len(_MARKERS)], method, [c for c in found.curves if c.method == method])
        for place, method in enumerate(found.methods)
    ]


def _label(method: str, searches: int) -> str:
    return method if searches == 1 else f"{method}: mean of {counted(searches, 'search', 'searches')} (thin: each)"


def _subtitle(found: Comparison) -> str:
    axis = found.scale.objective.axis
    size, name = axis.size, axis.unit
    several = max(found.methods.values()) > 1
    if several:
        bars = "bands: 95 % intervals of the mean over searches"
    else:
        bars = "bars: one standard error, of the images and of seeds"
    return (
        f"{found.data}, {counted(found.epochs, 'epoch')} a training, {found.validation_images:,} validation images; "
        f"hypervolume "
        f"above {found.scale.reference_accuracy:g} % and below {found.scale.reference_cost / size:.3g} {name}; {bars}"
    )
