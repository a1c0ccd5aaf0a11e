"""The test accuracies of a retraining as a picture: each seed a point, mean and interval of each network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.drawing import figures
from igcnas.drawing.figures import error_bars, grid, new_figure
from igcnas.drawing.palette import BLUE, GREY, PALE, VERMILION
from igcnas.drawing.style import own_style
from igcnas.results.figures.scale import accuracy_axis
from igcnas.results.retraining.plan import RetrainSettings
from igcnas.results.retraining.table import RetrainResults, Row
from igcnas.training.settings import BALANCED
from igcnas.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SEARCHED, _PUBLISHED = BLUE, VERMILION
_STEP = 0.09  # between points that would lie on each other


def stacked(accuracies: Sequence[float]) -> list[float]:
    """A height for each point, so that equal ones do not hide each other: 0, then a step up, and so on.

    >>> stacked([97.0, 98.0, 97.0])
    [0.0, 0.0, 0.09]
    """
    seen: dict[float, int] = {}
    heights = []
    for accuracy in accuracies:
        place = seen.get(round(accuracy, 6), 0)
        seen[round(accuracy, 6)] = place + 1
        heights.append(round(place * _STEP, 6))
    return heights


def draw(found: RetrainResults, axes: Axes, settings: RetrainSettings) -> None:
    """Rows from the best at the top; the band is the margin around the best published mean."""
    rows = found.rows
    reference = next((row for row in rows if row.finalist.name == found.best_published), None)
    if reference is not None:
        axes.axvspan(
            reference.mean - found.margin,
            reference.mean + found.margin,
            color=PALE,
            lw=0,
            label=f"best published +- {found.margin:g} points",
        )
        axes.axvline(reference.mean, c=GREY, lw=0.8)
    labelled: set[bool] = set()
    for place, row in enumerate(rows):
        _draw_row(axes, len(rows) - 1 - place, row, row.finalist.published not in labelled)
        labelled.add(row.finalist.published)
    ends = [bound for row in rows for bound in row.interval or ()]
    shown = [*ends, *(accuracy for row in rows for accuracy in row.accuracies)]
    accuracy_axis(axes, [min(100.0, max(0.0, accuracy)) for accuracy in shown], across=True)
    labels = [f"{row.finalist.name}\n{row.macs / 1e6:.3g} MFLOPs" for row in reversed(rows)]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    grid(axes, axis="x")
    kind = "balanced accuracy" if settings.training.metric == BALANCED else "accuracy"
    axes.set_xlabel(
        f"test {kind} (%, {counted(found.test_images, 'image')}; binomial standard error "
        f"{found.binomial_error:.2f} points), "
        "spaced by error rate"
    )


def _draw_row(axes: Axes, height: int, row: Row, labelled: bool) -> None:
    published = row.finalist.published
    colour, marker = (_PUBLISHED, "s") if published else (_SEARCHED, "o")
    kind = "published network" if published else "searched network"
    above = [height + 0.12 + step for step in stacked(row.accuracies)]
    axes.scatter(
        row.accuracies,
        above,
        s=20,
        c=colour,
        marker=marker,
        alpha=0.75,
        lw=0,
        zorder=3,
        label=f"{kind}, one seed" if labelled else None,
    )
    axes.scatter(
        row.mean,
        height - 0.12,
        s=70,
        c=colour,
        marker="|",
        zorder=4,
        label="mean and 95 % interval" if labelled and not published else None,
    )
    if row.interval is not None:
        shown = [min(100.0, max(0.0, bound)) for bound in row.interval]  # no accuracy lies beyond
        error_bars(axes, height - 0.12, *shown, across=True, colour=colour, width=1.6, cap=0)


@own_style()
def accuracies_figure(found: RetrainResults, settings: RetrainSettings, *, title: str) -> Figure:
    """The picture of the results."""
    canvas = new_figure(9.0, 1.6 + 0.55 * len(found.rows))
    axes = canvas.add_subplot()
    draw(found, axes, settings)
    axes.set_title(
        f"{title}: from scratch, {counted(settings.training.epochs, 'epoch')}, {counted(settings.seeds, 'seed')}, on "
        f"{settings.data_name}",
        fontsize=10,
    )
    canvas.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return canvas


def save(path: Path, found: RetrainResults, settings: RetrainSettings, *, title: str) -> list[Path]:
    """Write the picture as PNG, and as SVG beside it; the paths of both."""
    return figures.save(accuracies_figure(found, settings, title=title), path)
