"""The house as one picture: its rooms one below the other in the order of imports, and arrows to what each imports.

A room is a bar as long as its lines of code. On the right run the arrows up, from a room to those above it that it
imports; pale where another of its imports leads there, too. On the left, red, run those down, against the order.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from tools.house.rooms import Room, implied, upward

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEGEND = (
    "Bars: lines of code. Arrows: to what a room imports;",
    "pale where another of its imports leads there, too; red against the order.",
)
_INK, _PALE, _RED, _BAR = "#1f3b63", "#c3cbd8", "#c0392b", "#dfe6f0"
# All in inches: the names, the bar of the largest room, its number, the height of a row, and the edges.
_NAMES, _LONGEST, _NUMBER, _ROW, _EDGE = 1.15, 1.8, 0.5, 0.24, 0.2


def picture(found: list[Room], title: str) -> str:
    """An SVG of these rooms; equal rooms give equal text.

    Args:
        found: in the order of imports.
        title: what stands above it.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    place = {room.name: number for number, room in enumerate(found)}
    left = _EDGE + max((_reach(place[one] - place[other], len(found)) for one, other in upward(found)), default=0)
    width = max(left + _NAMES + _LONGEST + _NUMBER + _reach(len(found) - 1, len(found)) + _EDGE, 7.5)
    height = _ROW * (len(found) + 4.5)
    with matplotlib.rc_context({"svg.hashsalt": "house", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        axes.text(_EDGE, _ROW, title, fontsize=9, weight="bold", va="center")
        for number, line in enumerate(_LEGEND):
            axes.text(_EDGE, _height(len(found)) + 0.14 * number, line, fontsize=7, va="center", color="#555555")
        _draw_rooms(axes, found, left + _NAMES)
        _draw_arrows(axes, found, left=left, right=left + _NAMES + _LONGEST + _NUMBER)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()


def _height(number: int) -> float:
    return _ROW * (number + 2.5)


def _draw_rooms(axes: Axes, found: list[Room], x: float) -> None:
    from matplotlib.patches import Rectangle

    most = max(room.lines for room in found)
    for number, room in enumerate(found):
        y, bar = _height(number), max(_LONGEST * room.lines / most, 0.02)
        axes.add_patch(Rectangle((x, y - 0.38 * _ROW), bar, 0.76 * _ROW, facecolor=_BAR, edgecolor=_INK, lw=0.5))
        axes.text(x - 0.08, y, room.name.removeprefix("igcnas."), ha="right", va="center", color="black")
        axes.text(x + bar + 0.06, y, f"{room.lines:,}", ha="left", va="center", color="#555555", fontsize=7)


def _draw_arrows(axes: Axes, found: list[Room], *, left: float, right: float) -> None:
    place = {room.name: number for number, room in enumerate(found)}
    pale, against = implied(found), set(upward(found))
    arrows = [(room.name, other) for room in found for other in room.imports]
    for pair in sorted(arrows, key=lambda pair: pair not in pale):
        start, end = place[pair[0]], place[pair[1]]
        reach = _reach(start - end, len(found))
        if pair in against:
            _arc(axes, start, end, left, -reach, _RED, 1.0)
        elif pair in pale:
            _arc(axes, start, end, right, reach, _PALE, 0.5)
        else:
            _arc(axes, start, end, right, reach, _INK, 0.8)


def _reach(rooms_passed: int, of: int) -> float:
    """How far an arc goes aside: further with each room it passes, but ever less so; in a small house, more boldly."""
    return max(0.14, 2.4 / math.pow(of, 0.75)) * math.pow(abs(rooms_passed), 0.75)


def _arc(axes: Axes, start: int, end: int, x: float, reach: float, colour: str, width: float) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    # An arrow leaves below the middle of its row and comes in above it, or the other way round.
    shift = 0.035 if start < end else -0.035
    y, goal = _height(start) + shift, _height(end) - shift
    # A cubic whose handles reach four thirds as far goes exactly so far aside.
    aside = x + 4 / 3 * reach
    path = Path([(x, y), (aside, y), (aside, goal), (x, goal)], [1, 4, 4, 4])
    axes.add_patch(
        FancyArrowPatch(
            path=path, arrowstyle="-|>,head_length=2.6,head_width=1.3", color=colour, lw=width, shrinkA=0, shrinkB=0,
            zorder=1 if colour == _PALE else 2,
        )
    )  # fmt: skip
