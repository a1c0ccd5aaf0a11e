"""A small block, each channel a box and each weight a line."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from igcnas.drawing.palette import EMPTY, GREY, INK, colours, light
from igcnas.drawing.picture import BlockPicture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP = 1.75  # inches from column to column


def _places(picture: BlockPicture, number: int) -> list[float]:
    """Centre of each box of a column from top (0) to bottom (1), with a little more room between frames.

    A column without frames has the room of another, so that a channel that stays in place is a level line.
    """
    columns = picture.columns
    count = len(columns[number].colours)
    candidates = [columns[number], *columns[number + 1 : number + 2], *columns]
    frames = next((c.frames for c in candidates if c.frames and len(c.colours) == count), ())
    firsts = {first for first, _ in frames if first}
    gap = 0.45 if count <= 16 else 0.9
    places, position = [], gap / 2
    for channel in range(count):
        position += gap if channel in firsts else 0.0
        places.append(position + 0.5)
        position += 1
    position += gap / 2
    return [place / position for place in places]


def draw_boxes(picture: BlockPicture, axes: Axes) -> None:
    """Boxes, links, frames, headings. x counts columns, y runs downwards from 0 to 1."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path as Curve

    tint = colours(picture.partitions)
    box = axes.get_window_extent()
    dpi = axes.figure.dpi
    axes.set_xlim(-0.5 / STEP, len(picture.steps) + 0.5 / STEP)
    axes.set_ylim(1.0, 0.0)
    axes.set_axis_off()
    inch = dpi / box.height  # one inch in y
    wide = 0.30 / STEP
    for number, step in enumerate(picture.steps):
        left, right = _places(picture, number), _places(picture, number + 1)
        x0, x1 = number + wide / 2, number + 1 - wide / 2
        lines, curves, line_tints, curve_tints = [], [], [], []
        for i, o, partition in step.links:
            shade = GREY if partition is None else tint[partition]
            if step.kind == "convolution":
                lines.append([(x0, left[i]), (x1, right[o])])
                line_tints.append(shade)
            else:
                middle = (x0 + x1) / 2
                points = [(x0, left[i]), (middle, left[i]), (middle, right[o]), (x1, right[o])]
                curves.append(Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]))
                curve_tints.append(shade)
        thin = 1.3 if len(step.links) <= 60 else 0.9 if len(step.links) <= 200 else 0.45
        axes.add_collection(LineCollection(lines, colors=line_tints, linewidths=thin, alpha=0.75, zorder=1))
        for curve, shade in zip(curves, curve_tints, strict=True):
            axes.add_patch(PathPatch(curve, fill=False, edgecolor="white", lw=thin + 1.6, zorder=1))
            axes.add_patch(PathPatch(curve, fill=False, edgecolor=shade, lw=thin, zorder=1.1))
    for number, column in enumerate(picture.columns):
        places = _places(picture, number)
        count = len(places)
        near = min((b - a for a, b in itertools.pairwise(places)), default=1.0)
        tall = min(0.80 * near, 0.30 * inch)
        for first, last in column.frames:
            margin = min(0.16 * near, 0.05 * inch)
            corner = (number - wide / 2 - 0.05 / STEP * 1.2, places[first] - tall / 2 - margin)
            size = (wide + 0.05 / STEP * 2.4, places[last] - places[first] + tall + 2 * margin)
            frame = Rectangle(corner, *size, facecolor="#f2f2f2", edgecolor="#777777", lw=0.9, zorder=2)
            axes.add_patch(frame)
        for channel, place in enumerate(places):
            members = column.colours[channel]
            stripes = [tint[p] for p in members] or [EMPTY]
            for stripe, shade in enumerate(stripes):
                x = number - wide / 2 + wide * stripe / len(stripes)
                axes.add_patch(
                    Rectangle((x, place - tall / 2), wide / len(stripes), tall, facecolor=shade, lw=0, zorder=3)
                )
            axes.add_patch(
                Rectangle(
                    (number - wide / 2, place - tall / 2), wide, tall, fill=False, edgecolor=INK, lw=0.6, zorder=4
                )
            )
            if count <= 24:
                ink = "black" if len(stripes) > 1 or light(stripes[0]) else "white"
                label = axes.text(
                    number,
                    place,
                    str(column.numbers[channel]),
                    fontsize=7,
                    ha="center",
                    va="center",
                    color=ink,
                    zorder=5,
                )
                if len(stripes) > 1:
                    label.set_bbox({"boxstyle": "round,pad=0.12", "facecolor": "white", "alpha": 0.85, "lw": 0})
        axes.annotate(
            f"{count} channels",
            (number, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -10),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            color=INK,
        )
    for number, step in enumerate(picture.steps):
        _heading_over(axes, number + 0.5, step.heading)


def _heading_over(axes: Axes, x: float, heading: tuple[str, ...]) -> None:
    """The lines of a heading, the first in bold, on a common base line over a step."""
    for line, text in enumerate(reversed(heading)):
        axes.annotate(
            text,
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 9 + 12 * line),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8.5,
            fontweight="bold" if line == len(heading) - 1 else "normal",
            color=INK,
        )
