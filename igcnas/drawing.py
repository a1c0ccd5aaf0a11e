"""Pictures of who meets whom. compute_*: a block or a mask to what is drawn, which tests check; save_*: to a file.

A block is drawn from left to right: a column of boxes, one for each channel, after every layer that mixes or moves
channels. Colours say where something comes from: every input has the colour of its partition in the first group
convolution, and a box has a stripe for each colour that has reached it. So a missing stripe is a pair that never meets.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from igcnas.explanation import Explanation
from igcnas.paths import connections, summarize
from igcnas.primitives import Convolution, Gather, Permutation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette without black; from eight partitions on, viridis, in order: both for every colour vision.
_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_GREY = "#8c8c8c"
_NOBODY = "#D55E00"
_INK = "#333333"
# Beyond these a drawing of each channel and weight is a hairball.
_MOST_BOXES = 48
_MOST_LINKS = 900
_MOST_COLOURS = 16
_MOST_NUMBERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Channels at one place of the block. `colours[i]`: the partitions of the input that have reached channel i.

    `frames`: runs (first, last) of neighbours that are one partition of the layer before or after; none for single
    channels or the whole. `numbers[i]`: the number of the channel that a permutation has moved here.
    """

    colours: tuple[tuple[int, ...], ...]
    frames: tuple[tuple[int, int], ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What stands between two columns. links: (from, to), the colour of a partition or None."""

    kind: str
    heading: tuple[str, ...]
    links: tuple[tuple[int, int, int | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPicture:
    """A block as columns of channels with steps between them, and its matrix of path counts (out, in).

    `detailed`: few enough channels to draw each; else the columns are drawn as strips.
    """

    title: str
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    partitions: int
    counts: NDArray[np.int64]
    detailed: bool


def compute_block(block: Explanation) -> BlockPicture:
    """What the picture of a block shows."""
    moving = [layer for layer in block.primitives if isinstance(layer, Convolution | Permutation | Gather)]
    of_input, partitions = _input_partitions(block, moving)
    reached = np.zeros((block.in_channels, partitions), dtype=bool)
    if of_input is not None:
        reached[range(block.in_channels), of_input] = True
    numbers = tuple(range(block.in_channels))
    columns = [Column(colours=_sets(reached), frames=_frames(None, moving[:1], block), numbers=numbers)]
    steps = []
    for position, layer in enumerate(moving):
        if isinstance(layer, Convolution):
            mask = np.array(block.masks[layer.name]) if layer.name in block.masks else connections(layer)
            sources = [np.flatnonzero(row) for row in mask]
            before, reached = reached, np.stack([reached[source].any(0) for source in sources])
            filters = block.groups[layer.name][1] if layer.name in block.groups else None
            if of_input is None and filters is not None:
                reached[range(len(filters)), filters] = True
            numbers = tuple(range(layer.out_channels))
        else:
            sources = [np.array([index]) for index in layer.indices]
            before, reached = reached, reached[list(layer.indices)]
            numbers = tuple(numbers[index] for index in layer.indices)
        paint = reached if of_input is None else before
        links = tuple(
            (int(i), o, _one(paint[o if of_input is None else i])) for o, source in enumerate(sources) for i in source
        )
        frames = _frames(layer, moving[position + 1 : position + 2], block)
        columns.append(Column(colours=_sets(reached), frames=frames, numbers=numbers))
        steps.append(Step(kind=type(layer).__name__.lower(), heading=_heading(layer, block), links=links))
    detailed = (
        max(len(column.colours) for column in columns) <= _MOST_BOXES
        and max(len(step.links) for step in steps) <= _MOST_LINKS
        and partitions <= _MOST_COLOURS
    )
    return BlockPicture(
        title=block.title,
        columns=tuple(columns),
        steps=tuple(steps),
        partitions=partitions,
        counts=block.counts(),
        detailed=detailed,
    )


def _input_partitions(
    block: Explanation, moving: Sequence[Convolution | Permutation | Gather]
) -> tuple[list[int] | None, int]:
    """The partition of each input channel, None where inputs have none; and how many partitions there are.

    Those of the first convolution that mixes but not everything; of a depthwise one if there is no other.
    """
    place = list(range(block.in_channels))  # which input lies where, as long as nothing mixes
    fallback: tuple[list[int] | None, int] = ([0] * block.in_channels, 1)
    for layer in moving:
        if not isinstance(layer, Convolution):
            place = [place[index] for index in layer.indices]
            continue
        if layer.name in block.groups:
            inputs, filters = block.groups[layer.name]
            return (None if inputs is None else list(inputs)), max(*(inputs or (0,)), *filters) + 1
        of_input = [0] * block.in_channels
        for position, channel in enumerate(place):
            of_input[channel] = position // (layer.in_channels // layer.groups)
        if 1 < layer.groups < layer.in_channels:
            return of_input, layer.groups
        if layer.groups == 1 or layer.in_channels != layer.out_channels:
            return fallback
        fallback = of_input, layer.groups
    return fallback


def _sets(reached: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(p) for p in np.flatnonzero(row)) for row in reached)


def _one(row: NDArray[np.bool_]) -> int | None:
    """The only partition of a row; None for several."""
    members = np.flatnonzero(row)
    return int(members[0]) if len(members) == 1 else None


def _frames(
    before: Convolution | Permutation | Gather | None,
    after: Sequence[Convolution | Permutation | Gather],
    block: Explanation,
) -> tuple[tuple[int, int], ...]:
    """Partitions of the convolution that follows, else of the one before; of neighbours, so not of learned ones."""
    for layer, side in ((after[0] if after else None, "in_channels"), (before, "out_channels")):
        if not isinstance(layer, Convolution) or layer.name in block.groups:
            continue
        channels = getattr(layer, side)
        size = channels // layer.groups
        if layer.groups > 1 and size > 1:
            return tuple((first, first + size - 1) for first in range(0, channels, size))
    return ()


def _heading(layer: Convolution | Permutation | Gather, block: Explanation) -> tuple[str, ...]:
    """Up to three short lines over a step."""
    caption = tuple(block.captions.get(layer.name, "").split(": ", 1)) if layer.name in block.captions else ()
    if not isinstance(layer, Convolution):
        back = all(kind not in layer.name for kind in ("restore", "deinterleave"))
        return ("permutation" if back else "permutation back",)
    area = f"{layer.kernel}x{layer.kernel}"
    groups = f"{area}, {layer.groups} groups" if layer.learned is None else area
    if layer.learned is None and layer.groups == 1:
        groups = f"{area}, dense"
    elif layer.learned is None and layer.groups == layer.in_channels == layer.out_channels:
        groups = f"{area}, each channel alone"
    return (*caption, groups)


def colours(count: int) -> list[str]:
    """Colours of this many partitions, as hex."""
    if count <= len(_PALETTE):
        return list(_PALETTE[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["viridis"](position)) for position in np.linspace(0, 0.97, count)]


def save_block(path: Path, block: Explanation) -> None:
    """Write the picture of a block; the format is that of the path's suffix."""
    picture = compute_block(block)
    figure = draw_block(picture)
    figure.savefig(path, format=path.suffix[1:].lower(), facecolor="white")


def draw_block(picture: BlockPicture) -> Figure:
    """The figure: the block on the left, its path counts on the right."""
    figure, block_axes, matrix_axes = _canvas(picture)
    if picture.detailed:
        _draw_columns(picture, block_axes)
    else:
        _draw_strips(picture, block_axes)
    _draw_counts(picture.counts, matrix_axes)
    return figure


_STEP = 1.75  # inches from column to column
_TOP = 1.35  # inches for title and headings
_BOTTOM = 0.55


def _canvas(picture: BlockPicture) -> tuple[Figure, Axes, Axes]:
    """A figure with a place for the block and a square one for the matrix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    boxes = max(len(column.colours) for column in picture.columns)
    if picture.detailed:
        height = min(8.5, max(2.9, 0.42 * boxes if boxes <= 16 else 0.17 * boxes))
        width = _STEP * len(picture.steps) + 1.0
    else:
        height, width = max(2.9, 0.95 * len(picture.columns)), 7.5
    side = min(height, 4.2)
    total = (0.3 + width + 0.75 + side + 0.35, _TOP + height + _BOTTOM)
    figure = Figure(figsize=total, dpi=150)
    FigureCanvasAgg(figure)
    block = figure.add_axes((0.3 / total[0], _BOTTOM / total[1], width / total[0], height / total[1]))
    bottom = _BOTTOM + (height - side) / 2
    matrix = figure.add_axes(((0.3 + width + 0.75) / total[0], bottom / total[1], side / total[0], side / total[1]))
    figure.text(0.3 / total[0], 1 - 0.32 / total[1], picture.title, fontsize=13, color=_INK, va="center")
    return figure, block, matrix


def _places(column: Column) -> list[float]:
    """Centre of each box from top (0) to bottom (1), with a little more room between frames."""
    firsts = {first for first, _ in column.frames if first}
    gap = 0.45 if len(column.colours) <= 16 else 0.9
    places, position = [], 0.0
    for channel in range(len(column.colours)):
        position += gap if channel in firsts else 0.0
        places.append(position + 0.5)
        position += 1
    return [place / position for place in places]


def _draw_columns(picture: BlockPicture, axes: Axes) -> None:
    """Boxes, links, frames, headings. x counts columns, y runs downwards from 0 to 1."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path as Curve

    tint = colours(picture.partitions)
    box = axes.get_window_extent()
    dpi = axes.figure.dpi
    axes.set_xlim(-0.5 / _STEP, len(picture.steps) + 0.5 / _STEP)
    axes.set_ylim(1.0, 0.0)
    axes.set_axis_off()
    inch = dpi / box.height  # one inch in y
    wide = 0.30 / _STEP
    for number, step in enumerate(picture.steps):
        left, right = _places(picture.columns[number]), _places(picture.columns[number + 1])
        x0, x1 = number + wide / 2, number + 1 - wide / 2
        lines, curves, line_tints, curve_tints = [], [], [], []
        for i, o, partition in step.links:
            shade = _GREY if partition is None else tint[partition]
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
        places = _places(column)
        count = len(places)
        near = min((b - a for a, b in itertools.pairwise(places)), default=1.0)
        tall = min(0.80 * near, 0.30 * inch)
        for first, last in column.frames:
            margin = min(0.16 * near, 0.05 * inch)
            corner = (number - wide / 2 - 0.05 / _STEP * 1.2, places[first] - tall / 2 - margin)
            size = (wide + 0.05 / _STEP * 2.4, places[last] - places[first] + tall + 2 * margin)
            frame = Rectangle(corner, *size, facecolor="#f2f2f2", edgecolor="#777777", lw=0.9, zorder=2)
            axes.add_patch(frame)
        for channel, place in enumerate(places):
            members = column.colours[channel]
            stripes = [tint[p] for p in members] or ["#d9d9d9"]
            for stripe, shade in enumerate(stripes):
                x = number - wide / 2 + wide * stripe / len(stripes)
                axes.add_patch(
                    Rectangle((x, place - tall / 2), wide / len(stripes), tall, facecolor=shade, lw=0, zorder=3)
                )
            axes.add_patch(
                Rectangle(
                    (number - wide / 2, place - tall / 2), wide, tall, fill=False, edgecolor=_INK, lw=0.6, zorder=4
                )
            )
            if count <= 24:
                ink = "black" if len(stripes) > 1 or _light(stripes[0]) else "white"
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
            color=_INK,
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
            color=_INK,
        )


def _light(colour: str) -> bool:
    """Whether black is easier to read on it than white."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def _draw_strips(picture: BlockPicture, axes: Axes) -> None:
    """For large blocks: a strip after each layer, a column of it for each channel, a row for each partition."""
    from matplotlib.colors import to_rgb

    shades = np.array([to_rgb(shade) for shade in colours(picture.partitions)])
    count = len(picture.columns)
    axes.set_xlim(0, 1)
    axes.set_ylim(count, -0.25)
    axes.set_axis_off()
    for number, column in enumerate(picture.columns):
        image = np.ones((picture.partitions, len(column.colours), 3))
        for channel, members in enumerate(column.colours):
            image[list(members), channel] = shades[list(members)]
        axes.imshow(
            image, extent=(0, 1, number + 0.72, number + 0.32), aspect="auto", interpolation="nearest", zorder=1
        )
        heading = ("input",) if number == 0 else picture.steps[number - 1].heading
        text = (
            f"{len(column.colours)} channels "
            + ("in" if number == 0 else "after ")
            + ("" if number == 0 else " · ".join(heading))
        )
        axes.text(0, number + 0.27, text, fontsize=8.5, va="bottom", color=_INK)
        for edge in (0.32, 0.72):
            axes.plot([0, 1], [number + edge] * 2, color=_INK, lw=0.6)
        for side in (0, 1):
            axes.plot([side, side], [number + 0.32, number + 0.72], color=_INK, lw=0.6, clip_on=False)
    axes.annotate(
        "Too large to draw each channel: a strip has a column for each channel and a row for each of the "
        f"{picture.partitions} input partitions,\ncoloured where something of the partition has arrived.",
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=8.5,
        va="bottom",
        color="#666666",
    )


def _draw_counts(counts: NDArray[np.int64], axes: Axes) -> None:
    """The matrix of path counts: white for no path, blue the darker the more."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.ticker import MaxNLocator

    summary = summarize(counts)
    blues = ListedColormap(colormaps["Blues"](np.linspace(0.35, 0.75, 128)))
    blues.set_under("white")
    low, high = max(1, summary.fewest), max(2, summary.most)
    outs, ins = counts.shape
    axes.imshow(counts, cmap=blues, norm=Normalize(low, max(high, low + 1)), interpolation="nearest", aspect="auto")
    if max(outs, ins) <= _MOST_NUMBERS:
        for o in range(outs):
            for i in range(ins):
                ink = _NOBODY if counts[o, i] == 0 else "#08306b"
                axes.text(i, o, str(counts[o, i]), ha="center", va="center", fontsize=7, color=ink)
        axes.set_xticks(np.arange(ins + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(outs + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#dddddd", lw=0.5)
        axes.tick_params(which="minor", length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(8, integer=True))
    axes.tick_params(labelsize=7, length=2)
    axes.set_xlabel("input channel", fontsize=8.5, color=_INK)
    axes.set_ylabel("output channel", fontsize=8.5, color=_INK, labelpad=2)
    axes.set_title(_counts_title(counts), fontsize=9, color=_INK, loc="left")


def _counts_title(counts: NDArray[np.int64]) -> str:
    """What the matrix says, in two lines."""
    summary = summarize(counts)
    if summary.unconnected:
        share = summary.unconnected / summary.pairs
        return f"{summary.unconnected:,} of {summary.pairs:,} pairs never meet ({share:.0%});\nothers: " + (
            f"{summary.most} paths" if summary.most != 1 else "1 path"
        )
    each = f"{summary.most}" if summary.fewest == summary.most else f"{summary.fewest} to {summary.most}"
    word = "strictly" if summary.condition == "strict" else "loosely"
    return f"{each} path{'s' if summary.most > 1 else ''} for each pair:\n{word} complementary"
