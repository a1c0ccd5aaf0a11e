"""The matrix of path counts of a block as a scene: white for no path, blue the darker the more."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from igcnas.drawing.palette import LINE, WARNING, blended
from igcnas.drawing.scene import Item, Lines, Raster, Rects, Scene, Text
from igcnas.network.paths import summarize

_MARGIN = 12.0
_SIDE = 256.0
_CELL = 20.0  # of a pair, at most
_MOST_NUMBERS = 16  # channels up to which each count is written
_LEVELS = 32
_LINE = 13.0
_TEXT = 9.5
_FEWEST, _MOST = "#bad6eb", "#6aaed6"
_NUMBER = "#08306b"


def counts_scene(counts: NDArray[np.int64]) -> Scene:
    """Rows are outputs, columns inputs."""
    outs, ins = counts.shape
    cell = min(_CELL, _SIDE / max(outs, ins))
    title = counts_title(counts)
    first = _MARGIN + 8
    items: list[Item] = [
        Text(x=_MARGIN, y=first + _LINE * number, text=line, size=10, bold=number == 0)
        for number, line in enumerate(title)
    ]
    y = first + _LINE * len(title) + _LINE
    items.append(Text(x=_MARGIN, y=y, text="outputs (rows) by inputs (columns)", size=_TEXT, quiet=True))
    x, top = _MARGIN + 22, y + 8
    wide, tall = ins * cell, outs * cell
    items += _cells(counts, x, top, cell) if max(outs, ins) <= _MOST_NUMBERS else [_raster(counts, x, top, cell)]
    items.append(Rects(boxes=((x, top, wide, tall),), fill="none", outline=0.7))
    for place in _ticks(outs):
        items.append(Text(x=x - 4, y=top + (place + 0.5) * cell + 3, text=str(place), size=8, anchor="end"))
    for place in _ticks(ins):
        items.append(Text(x=x + (place + 0.5) * cell, y=top + tall + 11, text=str(place), size=8, anchor="middle"))
    widest = max(item.box[2] for item in items if isinstance(item, Text))
    return Scene(
        width=round(max(x + wide, widest) + _MARGIN),
        height=round(top + tall + 11 + _MARGIN),
        title="Paths between channels",
        description=f"Paths: {' '.join(title)}.",
        items=tuple(items),
    )


def counts_title(counts: NDArray[np.int64]) -> tuple[str, str]:
    """What the matrix says, in two lines."""
    summary = summarize(counts)
    met = counts[counts > 0]
    fewest, most = (int(met.min()), summary.most) if met.size else (0, 0)
    each = f"{most} path{'' if most == 1 else 's'}" if fewest == most else f"{fewest} to {most} paths"
    if summary.unconnected:
        share = summary.unconnected / summary.pairs
        return f"{summary.unconnected:,} of {summary.pairs:,} pairs never meet ({share:.0%});", f"others: {each}"
    return f"{each} for each pair:", f"{'strictly' if summary.condition == 'strict' else 'loosely'} complementary"


def _levels(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """From 0, no path, and 1, the fewest, to _LEVELS, the most."""
    low, high = max(1, int(counts.min())), max(2, int(counts.max()))
    shares = (counts - low) / max(high - low, 1)
    levels: NDArray[np.int64] = np.where(counts > 0, 1 + np.rint(shares * (_LEVELS - 1)), 0).astype(np.int64)
    return levels


def _shade(level: int) -> str:
    return blended(_FEWEST, _MOST, (level - 1) / (_LEVELS - 1)) if level else "#ffffff"


def _cells(counts: NDArray[np.int64], x: float, y: float, cell: float) -> list[Item]:
    """A cell for each pair, with its count."""
    boxes: dict[int, list[tuple[float, float, float, float]]] = defaultdict(list)
    texts: list[Item] = []
    size = min(8.0, (cell - 2) / (0.65 * len(str(int(counts.max())))))
    for (out, into), level in np.ndenumerate(_levels(counts)):
        left, top, count = x + into * cell, y + out * cell, int(counts[out, into])
        boxes[int(level)].append((left, top, cell, cell))
        colour = _NUMBER if count else WARNING
        middle = left + cell / 2, top + cell / 2 + 0.36 * size
        texts.append(Text(x=middle[0], y=middle[1], text=str(count), size=size, anchor="middle", colour=colour))
    outs, ins = counts.shape
    across = [(x, y + row * cell, x + ins * cell, y + row * cell) for row in range(1, outs)]
    down = [(x + column * cell, y, x + column * cell, y + outs * cell) for column in range(1, ins)]
    grid = Lines(ends=(*across, *down), colour=LINE, width=0.7)
    return [*(Rects(boxes=tuple(some), fill=_shade(level)) for level, some in boxes.items()), grid, *texts]


def _raster(counts: NDArray[np.int64], x: float, y: float, cell: float) -> Raster:
    outs, ins = counts.shape
    rows = tuple(row.astype(np.uint8).tobytes() for row in _levels(counts))
    shades = tuple(map(_shade, range(_LEVELS + 1)))
    return Raster(x=x, y=y, width=ins * cell, height=outs * cell, colours=shades, rows=rows)


def _ticks(count: int) -> range:
    """Channels that are numbered at the sides, at most nine."""
    step = next(step * 10**power for power in range(9) for step in (1, 2, 5) if count <= 9 * step * 10**power)
    return range(0, count, step)
