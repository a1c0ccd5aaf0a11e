"""Connections of learned layers as a scene: before training, after it, and after it sorted by group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from igcnas.drawing.canvas import scene_figure
from igcnas.drawing.connections import Connections
from igcnas.drawing.palette import colours
from igcnas.drawing.scene import Item, Rects, Scene, Text
from igcnas.errors import ArchitectureError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARGIN = 12.0
_SIDE = 168.0  # of a matrix
_CELL = 14.0  # of a weight, at most
_BAR = 7.0  # of the groups of the filters
_SPACE = 34.0
_LINE = 12.0
_TEXT = 9.0
_LEVELS = 12  # of grey, for shares of images

Box = tuple[float, float, float, float]


def matrices_scene(
    layers: Mapping[str, tuple[Connections, Connections]], *, title: str, when: tuple[str, str], note: str = ""
) -> Scene:
    """A row for each layer, by its name: (before, after). `when`: what the two states are called.

    A cell is a weight that lives, in the colour of its filter's group, which the bar at the left shows, too. Where each
    image chooses, a cell is the darker the more images keep the weight.
    """
    items: list[Item] = [Text(x=_MARGIN, y=_MARGIN + 8, text=title, size=12, bold=True)]
    y = _MARGIN + 16
    graded = any(state.graded for states in layers.values() for state in states)
    look = "Grey: the share of images that keep a weight." if graded else ""
    what = f"Rows are filters, columns inputs. Coloured: a weight that lives, by its filter's group. {look}".strip()
    for line in (what, note):
        if line:
            y += _LINE
            items.append(Text(x=_MARGIN, y=y, text=line, size=_TEXT, quiet=True))
    across = 3 * (_SIDE + _BAR + 3) + 2 * _SPACE
    for name, (before, after) in layers.items():
        if before.values.shape != after.values.shape:
            raise ArchitectureError(f"before and after differ in shape: {before.values.shape} and {after.values.shape}")
        filters, inputs = after.values.shape
        y += 2 * _LINE
        items.append(Text(x=_MARGIN, y=y, text=f"{name}: {inputs} inputs, {filters} filters", size=10, bold=True))
        y += _LINE
        cell = min(_CELL, _SIDE / inputs, _SIDE / filters)
        grey = before.graded or after.graded
        count = int(max(before.groups.max(), after.groups.max())) + 1
        wide = max(inputs * cell, _SIDE)
        states = ((when[0], before, False), (when[1], after, False), (f"{when[1]}, sorted by group", after, True))
        for number, (words, state, ordered) in enumerate(states):
            x = _MARGIN + number * (wide + _BAR + 3 + _SPACE)
            items.append(Text(x=x, y=y + 2, text=words, size=_TEXT))
            items += _matrix(state, x, y + 10, cell, count, ordered=ordered, grey=grey)
        y += 10 + filters * cell
        y += _LINE
        items.append(Text(x=_MARGIN, y=y, text=f"{when[0]}: {before.summary()}", size=_TEXT, quiet=True))
        y += _LINE
        items.append(Text(x=_MARGIN, y=y, text=f"{when[1]}: {after.summary()}", size=_TEXT, quiet=True))
    widest = max(item.width for item in items if isinstance(item, Text))
    return Scene(
        width=round(2 * _MARGIN + max(across, widest)),
        height=round(y + _MARGIN),
        title=title,
        description=_description(layers, when, note),
        items=tuple(items),
    )


def connection_figure(before: Connections, after: Connections, *, title: str) -> Figure:
    """One layer before training, after it, and after it sorted by group, as a figure of matplotlib.

    Make the two with `assigned` or `masked`. Write it with `figure.savefig(path)`.
    """
    when = ("before training", "after training")
    return scene_figure(matrices_scene({title: (before, after)}, title="Learned connections", when=when))


def _matrix(
    state: Connections, x: float, y: float, cell: float, partitions: int, *, ordered: bool, grey: bool
) -> list[Item]:
    """One matrix with the bar of groups at its left."""
    values, groups = state.values, state.groups
    if ordered:
        values, groups = values[state.rows][:, state.columns], groups[state.rows]
    filters, inputs = values.shape
    tint = colours(partitions)
    left = x + _BAR + 3
    levels = np.where(values > 0, np.maximum(1, np.rint(values * _LEVELS)), 0).astype(int)
    found: dict[tuple[str | None, int], list[Box]] = defaultdict(list)
    bars: dict[str, list[Box]] = defaultdict(list)
    row = 0
    while row < filters:
        last = row + 1
        while last < filters and groups[last] == groups[row] and np.array_equal(levels[last], levels[row]):
            last += 1
        top, tall = y + row * cell, (last - row) * cell
        bars[tint[groups[row]]].append((x, top, _BAR, tall))
        for first, stop, level in _runs(levels[row].tolist()):
            look = (None, level) if grey else (tint[groups[row]], _LEVELS)
            found[look].append((left + first * cell, top, (stop - first) * cell, tall))
        row = last
    items: list[Item] = [
        Rects(boxes=tuple(boxes), fill=shade, opacity=level / _LEVELS) for (shade, level), boxes in found.items()
    ]
    items += [Rects(boxes=tuple(boxes), fill=shade) for shade, boxes in bars.items()]
    items.append(Rects(boxes=((left, y, inputs * cell, filters * cell),), fill="none", outline=0.7))
    return items


def _runs(levels: Sequence[int]) -> list[tuple[int, int, int]]:
    """Neighbours of one level above 0: (first, stop, level).

    >>> _runs([0, 8, 8, 0, 4])
    [(1, 3, 8), (4, 5, 4)]
    """
    runs: list[tuple[int, int, int]] = []
    for place, level in enumerate(levels):
        if level and runs and runs[-1][1:] == (place, level):
            runs[-1] = (runs[-1][0], place + 1, level)
        elif level:
            runs.append((place, place + 1, level))
    return runs


def _description(layers: Mapping[str, tuple[Connections, Connections]], when: tuple[str, str], note: str) -> str:
    """The matrices in words."""
    rows = [f"{name}: {when[0]} {one.summary()}; {when[1]} {two.summary()}." for name, (one, two) in layers.items()]
    return " ".join([*rows, note]).strip()
