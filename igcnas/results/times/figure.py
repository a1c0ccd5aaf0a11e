"""The picture of MACs against time: every network, and how well MACs rank the networks of each family."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.drawing.figures import error_bars, grid, new_figure, save
from igcnas.drawing.palette import GREY
from igcnas.drawing.style import own_style
from igcnas.results.figures.look import looks
from igcnas.results.times.comparison import ALL, MacsAgainstTime

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_points(found: MacsAgainstTime, axes: Axes) -> None:
    """Time against MACs, both on log scales; a line of equal time a MAC through the median network."""
    for family, (colour, marker) in looks(one.family for one in found.points).items():
        some = [one for one in found.points if one.family == family]
        axes.scatter(
            [one.macs / 1e6 for one in some],
            [one.latency.median_ms for one in some],
            s=30,
            c=colour,
            marker=marker,
            alpha=0.9,
            edgecolors="white",
            lw=0.5,
            label=family,
            zorder=3,
        )
    costs = sorted(one.latency.median_ms / one.macs for one in found.points)
    low, high = (end(one.macs for one in found.points) for end in (min, max))
    middle = costs[len(costs) // 2]
    axes.plot(
        [low / 1e6, high / 1e6], [middle * low, middle * high], c=GREY, lw=1, ls=":", zorder=1, label="equal time a MAC"
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("MFLOPs (millions of multiply-accumulates, one image)")
    axes.set_ylabel("milliseconds, median")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    grid(axes)


def draw_agreements(found: MacsAgainstTime, axes: Axes) -> None:
    """A bar for each family, with its interval."""
    colours = {ALL: (GREY, ""), **looks(one.family for one in found.points)}
    for place, one in enumerate(found.agreements):
        if one.rho.known:
            axes.barh(place, one.rho.value, height=0.62, color=colours[one.family][0], zorder=2)
            error_bars(axes, place, one.rho.low, one.rho.high, across=True, width=1.2, cap=3)
    axes.axvline(0, c="black", lw=0.8)
    names = [f"{one.family} (n = {one.networks})" for one in found.agreements]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(min(0.0, *(one.rho.low for one in found.agreements if one.rho.known), 0.0) - 0.02, 1.02)
    axes.set_xlabel("Spearman's rho, 95 % interval")
    grid(axes, axis="x")


@own_style()
def times_figure(found: MacsAgainstTime) -> Figure:
    """Both beside each other."""
    canvas = new_figure(11.5, 5.4)
    points, agreements = canvas.subplots(1, 2, width_ratios=(1.5, 1))
    draw_points(found, points)
    draw_agreements(found, agreements)
    canvas.legend(*points.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=6)
    whole = found.agreements[0]
    canvas.suptitle(
        f"{whole.networks} networks of space {found.space}: do MACs rank them by time? rho {whole.rho.value:.2f}, "
        f"tau {whole.tau.value:.2f}\n{found.words}",
        fontsize=10.5,
    )
    return canvas


def save_times(path: Path, found: MacsAgainstTime) -> list[Path]:
    """Write the picture as PNG, and as SVG beside it; the paths of both."""
    return save(times_figure(found), path)
