"""A large block, each column of channels a strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from igcnas.drawing.palette import EMPTY, INK, QUIET, colours
from igcnas.drawing.picture import BlockPicture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STRIP_ROWS = 240


def draw_strips(picture: BlockPicture, axes: Axes) -> None:
    """For large blocks: a strip after each layer, a column of it for each channel, a row for each partition."""
    from matplotlib.colors import to_rgb

    shades = np.array([to_rgb(shade) for shade in colours(picture.partitions)])
    count = len(picture.columns)
    axes.set_xlim(0, 1)
    axes.set_ylim(count, -0.25)
    axes.set_axis_off()
    for number, column in enumerate(picture.columns):
        image = np.empty((_STRIP_ROWS, len(column.colours), 3))
        for channel, members in enumerate(column.colours):
            stripes = np.arange(_STRIP_ROWS) * max(1, len(members)) // _STRIP_ROWS
            image[:, channel] = shades[list(members)][stripes] if members else to_rgb(EMPTY)
        axes.imshow(
            image, extent=(0, 1, number + 0.72, number + 0.32), aspect="auto", interpolation="nearest", zorder=1
        )
        heading = ("input",) if number == 0 else picture.steps[number - 1].heading
        text = (
            f"{len(column.colours)} channels "
            + ("in" if number == 0 else "after ")
            + ("" if number == 0 else " · ".join(heading))
        )
        axes.text(0, number + 0.27, text, fontsize=8.5, va="bottom", color=INK)
        for edge in (0.32, 0.72):
            axes.plot([0, 1], [number + edge] * 2, color=INK, lw=0.6)
        for side in (0, 1):
            axes.plot([side, side], [number + 0.32, number + 0.72], color=INK, lw=0.6, clip_on=False)
    axes.annotate(
        "Too large to draw each channel and weight: each strip has a narrow column for each channel, with a stripe\n"
        f"for each of the {picture.partitions} input partitions that has reached it.",
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=8.5,
        va="bottom",
        color=QUIET,
    )
