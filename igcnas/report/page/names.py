"""Where the names of known networks stand beside their marks: where they hide the fewest marks and no other name.

Reckoned for a plot of a usual size in pixels; on a phone some may still touch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 880.0, 460.0
_LETTER, _LINE = 6.7, 14.0  # of 12 px text
_PAD = 5.0  # half a mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name of one point: shifted from it by dx and dy pixels; anchor is SVG's start, middle or end."""

    dx: float
    dy: float
    anchor: str


# The nicest first. dy is that of the base line.
_PLACES = (
    Name(dx=11, dy=4, anchor="start"),
    Name(dx=-11, dy=4, anchor="end"),
    Name(dx=0, dy=-11, anchor="middle"),
    Name(dx=0, dy=20, anchor="middle"),
    Name(dx=8, dy=-8, anchor="start"),
    Name(dx=-8, dy=-8, anchor="end"),
    Name(dx=8, dy=17, anchor="start"),
    Name(dx=-8, dy=17, anchor="end"),
)
_SHIFT = {"start": 0.0, "middle": 0.5, "end": 1.0}

Box = tuple[float, float, float, float]


def place_names(named: Sequence[tuple[str, float, float]], marks: Sequence[tuple[float, float]]) -> list[Name]:
    """For each (name, x, y) its place; all x and y are percent of the plot. marks: of everything in the plot."""
    spots = [(x * WIDTH / 100, y * HEIGHT / 100) for x, y in marks]
    taken: list[Box] = []
    found = []
    for text, x, y in named:
        boxes = [_box(place, text, x * WIDTH / 100, y * HEIGHT / 100) for place in _PLACES]
        harm = [_harm(box, spots, taken) + 0.1 * order for order, box in enumerate(boxes)]
        best = harm.index(min(harm))
        taken.append(boxes[best])
        found.append(_PLACES[best])
    return found


def _box(place: Name, text: str, x: float, y: float) -> Box:
    """Left, top, right, bottom."""
    width = _LETTER * len(text)
    left = x + place.dx - _SHIFT[place.anchor] * width
    return left, y + place.dy - 10, left + width, y + place.dy - 10 + _LINE


def _harm(box: Box, spots: Sequence[tuple[float, float]], taken: Sequence[Box]) -> float:
    left, top, right, bottom = box
    outside = left < 0 or top < 0 or right > WIDTH or bottom > HEIGHT
    hidden = sum(left - _PAD < x < right + _PAD and top - _PAD < y < bottom + _PAD for x, y in spots)
    names = sum(left < r and x < right and top < b and y < bottom for x, y, r, b in taken)
    return 4.0 * outside + hidden + 3.0 * names
