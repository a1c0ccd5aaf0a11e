"""The picture of an audit: short against long accuracy, and how well each ranking agrees with the long one.

draw_*: numbers of an AuditResult to axes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from igcnas.drawing.figures import error_bars, grid, new_figure, save
from igcnas.drawing.palette import BLUE, GREY, ORANGE, QUIET, SKY, VERMILION
from igcnas.drawing.style import own_style
from igcnas.results.audit.result import ALL, RANKINGS, WITHIN, AuditResult, Scope
from igcnas.results.audit.table import NAMES, Title
from igcnas.results.audit.verdict import verdict
from igcnas.results.figures.scale import accuracy_axis
from igcnas.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From light to dark with the cost, told apart in print and with every kind of colour vision.
_BAND_COLOURS = (SKY, BLUE, "#003A5C", ORANGE, VERMILION, "#7A2E00")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_SHORT, _BASELINE, _CEILING = BLUE, GREY, VERMILION


def draw_scatter(result: AuditResult, axes: Axes, *, short_epochs: int, long_epochs: int) -> None:
    """Each network's short accuracy against the mean of its long ones; bars from the lowest to the highest seed."""
    for band, (low, high) in enumerate(result.limits):
        rows = [row for row in result.rows if row.band == band]
        xs, ys = np.array([row.short for row in rows]), np.array([row.mean for row in rows])
        colour, marker = _BAND_COLOURS[band % 6], _MARKERS[band % 6]
        lows, highs = [min(row.long) for row in rows], [max(row.long) for row in rows]
        error_bars(axes, xs, lows, highs, colour=colour, width=1.1, order=2)
        label = f"{low / 1e6:.3g} to {high / 1e6:.3g} MFLOPs"
        axes.scatter(
            xs, ys, s=36, c=colour, marker=marker, alpha=0.9, edgecolors="white", lw=0.5, label=label, zorder=3
        )
    axes.plot([0, 100], [0, 100], c=GREY, lw=1, ls=":", zorder=1, label="no gain from longer training")
    accuracy_axis(axes, [row.short for row in result.rows], across=True)
    accuracy_axis(axes, [value for row in result.rows for value in row.long])
    axes.set_xlabel(f"validation accuracy after {counted(short_epochs, 'epoch')}, as in the search (%)")
    axes.set_ylabel(f"validation accuracy after {counted(long_epochs, 'epoch')} (%)")
    axes.legend(fontsize=8, loc="lower right")
    grid(axes)


def draw_taus(scope: Scope, axes: Axes, *, named: bool) -> None:
    """A bar for each ranking with its interval; the ceiling as a line with its interval as a strip."""
    for place, key in enumerate(RANKINGS):
        found = scope.taus[key]
        if not found.known:
            axes.annotate("ranks nothing", (0.02, place), va="center", fontsize=8, color=QUIET)
            continue
        axes.barh(place, found.value, height=0.62, color=_SHORT if place == 0 else _BASELINE, zorder=2)
        error_bars(axes, place, found.low, found.high, across=True, width=1.2, cap=3)
    if scope.ceiling is not None and scope.ceiling.known:
        axes.axvline(scope.ceiling.value, c=_CEILING, lw=1.6, ls="--", zorder=2.5)
        axes.axvspan(scope.ceiling.low, scope.ceiling.high, color=_CEILING, alpha=0.12, lw=0, zorder=1)
    axes.axvline(0, c="black", lw=0.8)
    axes.set_yticks(range(len(RANKINGS)), [NAMES[key] for key in RANKINGS])
    axes.tick_params(left=named, labelleft=named)
    axes.set_ylim(len(RANKINGS) - 0.5, -0.5)
    axes.set_xlabel("Kendall's tau-b with the long mean")
    axes.set_title(f"{scope.name}, n = {scope.n}", fontsize=9.5)
    grid(axes, axis="x")


@own_style()
def audit_figure(result: AuditResult, title: Title) -> Figure:
    """The picture: the scatter, then tau over all and within bands on one scale."""
    from matplotlib.lines import Line2D

    canvas = new_figure(13, 5.4)
    scatter, left, right = canvas.subplots(1, 3, width_ratios=(1.35, 1, 1))
    draw_scatter(result, scatter, short_epochs=title.short_epochs, long_epochs=title.long_epochs)
    seeds = "one long training each" if result.seeds == 1 else f"bars: lowest to highest of {result.seeds} long seeds"
    scatter.set_title(f"{counted(len(result.rows), 'network')}, spaced by error rate; {seeds}", fontsize=9.5)
    scopes = [result.scopes[ALL], result.scopes[WITHIN]]
    lows = [found.low for scope in scopes for found in scope.taus.values() if found.known]
    for scope, axes in zip(scopes, (left, right), strict=True):
        draw_taus(scope, axes, named=axes is left)
        axes.set_xlim(min(-0.1, *lows) - 0.03, 1.03)
    if scopes[0].ceiling is not None:
        line = Line2D([], [], c=_CEILING, lw=1.6, ls="--", label="what seed noise allows, with its interval")
        interval = Line2D([], [], c="black", lw=1.2, marker="|", label="95 % interval over networks")
        canvas.legend(handles=[line, interval], fontsize=8, loc="outside lower right", ncols=2)
    word = verdict(result)[0]
    canvas.suptitle(
        f"Study {title.study}: does short training rank its networks rightly at equal cost? Verdict: {word}",
        fontsize=11,
    )
    return canvas


def save_audit(path: Path, result: AuditResult, title: Title) -> list[Path]:
    """Write the picture as PNG, and as SVG beside it; the paths of both."""
    return save(audit_figure(result, title), path)
