"""A block as a figure: channels as boxes, weights and permutations as lines, and the path counts beside it."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.drawing.boxes import STEP, draw_boxes
from igcnas.drawing.canvas import small_png
from igcnas.drawing.counts import draw_counts
from igcnas.drawing.explanation import Explanation
from igcnas.drawing.palette import INK, QUIET
from igcnas.drawing.picture import BlockPicture, compute_block
from igcnas.drawing.strips import draw_strips
from igcnas.drawing.style import own_style
from igcnas.system import harmless
from igcnas.system.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOP = 1.3  # inches for title and headings
_BOTTOM = 0.5  # inches for the numbers of channels, without the key
_LINE = 0.16  # inches for a line of the key
_KEY = (
    "Colours: the partition of the input that something comes from; a box has a stripe for each that has reached it. "
    "Frames: channels that a convolution mixes. Numbers: channels, as permutations move them."
)
_KEY_OF_FILTERS = "Colours: the group of each filter, and of its weights. Inputs have no group of their own."


@own_style()
def save_block(path: Path, block: Explanation) -> None:
    """Write the picture of a block; the format is that of the path's suffix."""
    figure = draw_block(compute_block(block))
    if path.suffix.lower() != ".png":
        drawn = io.BytesIO()
        harmless.figure(figure).savefig(drawn, format=path.suffix[1:].lower())
        write_whole(path, drawn.getvalue())
        return
    write_whole(path, small_png(figure, figure.dpi))


@own_style()
def draw_block(picture: BlockPicture) -> Figure:
    """The figure: the block on the left, its path counts on the right."""
    figure, block_axes, matrix_axes = _canvas(picture)
    if picture.detailed:
        draw_boxes(picture, block_axes)
    else:
        draw_strips(picture, block_axes)
    draw_counts(picture.counts, matrix_axes)
    return figure


@own_style()
def _canvas(picture: BlockPicture) -> tuple[Figure, Axes, Axes]:
    """A figure with a place for the block and a square one for the matrix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    boxes = max(len(column.colours) for column in picture.columns)
    if picture.detailed:
        height = min(8.5, max(2.9, 0.42 * boxes if boxes <= 16 else 0.17 * boxes))
        width = STEP * len(picture.steps) + 1.0
    else:
        height, width = max(2.9, 0.95 * len(picture.columns)), 7.5
    side = min(height, 4.2)
    across = 0.3 + width + 0.75 + side + 0.35
    key = textwrap.wrap(_KEY if picture.of_inputs else _KEY_OF_FILTERS, int(15.5 * (across - 0.6)))
    bottom = _BOTTOM + (_LINE * len(key) + 0.15 if picture.detailed else 0.0)
    total = (across, _TOP + height + bottom)
    figure = Figure(figsize=total, dpi=150)
    FigureCanvasAgg(figure)
    block = figure.add_axes((0.3 / total[0], bottom / total[1], width / total[0], height / total[1]))
    corner = ((0.3 + width + 0.75) / total[0], (bottom + height - side) / total[1])
    matrix = figure.add_axes((*corner, side / total[0], side / total[1]))
    figure.text(0.3 / total[0], 1 - 0.32 / total[1], picture.title, fontsize=13, color=INK, va="center")
    if picture.detailed:
        figure.text(0.3 / total[0], 0.12 / total[1], "\n".join(key), fontsize=8, color=QUIET, va="bottom")
    return figure, block, matrix
