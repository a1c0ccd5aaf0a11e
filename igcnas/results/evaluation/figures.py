"""Pictures of an evaluation: which classes are confused, how far shares can be believed, the surest mistakes.

draw_*: numbers to axes. *_figure: the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from igcnas.drawing.figures import error_bars, grid, new_figure
from igcnas.drawing.palette import BLUE, GREY, ORANGE, QUIET
from igcnas.drawing.style import own_style
from igcnas.results.evaluation.answers import Mistake
from igcnas.results.evaluation.numbers import Calibration, Evaluation
from igcnas.statistics.intervals import wilson_interval
from igcnas.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBERED = 20  # classes up to which each cell says its number
_NAMED = 60  # up to which the axes name them
_LONGEST = 18  # characters of a class name on an axis
_ROOM = 0.035  # beyond the ends of a scale
_ACROSS = 6  # pictures in a row of the sheet
_LONGEST_FILE = 26  # characters of a file with its folder, below its picture


@own_style()
def confusion_figure(found: Evaluation, *, title: str) -> Figure:
    """Classes in rows, answers in columns; the colour is the share of the row."""
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    count = len(found.classes)
    side = min(12.0, 2.6 + 0.42 * min(count, _NAMED // 2))
    figure = new_figure(side + 1.0, side)
    axes = figure.subplots()
    confusion = np.array(found.confusion, dtype=float)
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    colours = LinearSegmentedColormap.from_list("shares", ["white", BLUE])
    scale = PowerNorm(0.5, vmin=0, vmax=1)  # by the root, so that rare confusions are seen, too
    image = axes.imshow(shares, cmap=colours, norm=scale, interpolation="nearest", aspect="auto")
    if count <= _NUMBERED:
        size = 9 if count <= 10 else 7
        for row, column in zip(*np.nonzero(confusion), strict=True):
            ink = "white" if shares[row, column] > 0.35 else "black"
            text = f"{confusion[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)
    if count <= _NAMED:
        names = [_short(name) for name in found.classes]
        turned = max(map(len, names)) > 3
        size = 9 if count <= 20 else 6
        axes.set_xticks(range(count), names, rotation=90 if turned else 0, fontsize=size)
        axes.set_yticks(range(count), names, fontsize=size)
    axes.tick_params(length=0)
    axes.set_xlabel("answer")
    axes.set_ylabel("class")
    axes.set_title(title, fontsize=10)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, label="share of the images of the class")
    bar.set_ticks(
        [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1], labels=["0", "0.01", "0.05", "0.1", "0.25", "0.5", "0.75", "1"]
    )
    return figure


@own_style()
def reliability_figure(found: Evaluation, *, title: str) -> Figure:
    """Above: how often answers of a share are right. Below: how many have it."""
    figure = new_figure(5.2, 5.9)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], c=GREY, lw=1, ls=":", label="shares are frequencies", zorder=1)
    for number, one in enumerate(found.calibration):
        _draw_reliability(one, upper, second=number > 0)
        _draw_counts(one, lower, second=number > 0)
    upper.set_xlim(-_ROOM, 1 + _ROOM)  # a whole mark, with its bar, stands inside the frame at 0 and at 1
    upper.set_ylim(-_ROOM, 1 + _ROOM)
    upper.set_ylabel("answers that are right")
    upper.legend(fontsize=8, loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False)
    figure.suptitle(title, fontsize=10)
    grid(upper)
    lower.set_xlabel("share that the network gives its answer")
    lower.set_ylabel("images")
    grid(lower, axis="y")
    return figure


def _draw_reliability(found: Calibration, axes: Axes, *, second: bool) -> None:
    bins = [one for one in found.bins if one.images]
    colour, marker = (ORANGE, "s") if second else (BLUE, "o")
    places = [one.share for one in bins]
    intervals = [wilson_interval(one.right, one.images) for one in bins]
    error_bars(axes, places, [low for low, _ in intervals], [high for _, high in intervals], colour=colour, order=2)
    name = f"temperature {found.temperature:.3g}" if second else "as it is"
    label = f"{name}: calibration error {100 * found.error:.1f} points"
    rights = [one.right / one.images for one in bins]
    axes.plot(places, rights, c=colour, marker=marker, ms=5, lw=1, label=label, zorder=3)


def _draw_counts(found: Calibration, axes: Axes, *, second: bool) -> None:
    width = (found.bins[0].high - found.bins[0].low) * 0.42
    shift = width / 2 if second else -width / 2
    places = [(one.low + one.high) / 2 + shift for one in found.bins]
    axes.bar(places, [one.images for one in found.bins], width=width, color=ORANGE if second else BLUE, zorder=2)


@own_style()
def mistakes_figure(mistakes: Sequence[Mistake], classes: Sequence[str], *, title: str) -> Figure:
    """The wrong answers that the network was surest of: the picture, its class, the answer and its share."""
    rows = max(1, -(-len(mistakes) // _ACROSS))
    figure = new_figure(1.55 * _ACROSS, 0.5 + 2.1 * rows)
    figure.suptitle(title, fontsize=10)
    panels = np.atleast_1d(figure.subplots(rows, _ACROSS)).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, one in zip(panels, mistakes, strict=False):
        pixels = one.pixels[..., 0] if one.pixels.shape[2] == 1 else one.pixels[..., :3]
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        said = f"said {_short(classes[one.answer])}, {one.share:.0%}"
        axes.set_title(f"{said}\nis {_short(classes[one.label])}", fontsize=8)
        # Folders of classes often number their pictures alike.
        name = "/".join(Path(one.file).parts[-2:]) if one.file else f"image {one.position}"
        name = _short(name, _LONGEST_FILE)
        axes.text(0.5, -0.04, name, va="top", ha="center", fontsize=6.5, color=QUIET, transform=axes.transAxes)
    if not mistakes:
        panels[0].text(0, 0.5, "no mistakes", fontsize=10)
    return figure


def mistakes_title(found: Evaluation, shown: int) -> str:
    """How many there are, and how many are shown."""
    wrong = found.accuracy.images - found.accuracy.right
    part = f"the {shown} surest of " if shown < wrong else ""
    return f"{part}{counted(wrong, 'mistake')} on {found.images:,} {found.split} images"


def _short(name: str, longest: int = _LONGEST) -> str:
    """A long name without its middle: names of one kind often begin alike."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half].rstrip()}…{name[1 - half :].lstrip()}"
