"""Where the names of baselines stand beside their marks: where they hide the fewest marks and no other name.

Reckoned for a plot of a usual size in pixels. On a phone some may still touch; leave the plot they should not there
either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 880.0, 460.0
_PHONE, _BESIDE = 266.0, 20.0  # the plot of a phone, and how far a name may reach into what is to its right
_LETTER, _LINE = 6.7, 14.0  # of 12 px text
_PAD = 5.0  # half a mark
# What is worst: a name that leaves the plot, then one on another name; of hidden marks more than a few are alike.
_OUTSIDE, _NAMES, _HIDDEN = 20.0, 8.0, 5


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
    Name(dx=8, dy=-11, anchor="start"),
    Name(dx=-8, dy=-11, anchor="end"),
    Name(dx=8, dy=20, anchor="start"),
    Name(dx=-8, dy=20, anchor="end"),
)
_SHIFT = {"start": 0.0, "middle": 0.5, "end": 1.0}

Box = tuple[float, float, float, float]


def place_names(
    named: Sequence[tuple[str, float, float]],
    marks: Sequence[tuple[float, float]],
    *,
    budget: float | None = None,
) -> list[Name]:
    """For each (name, x, y) its place; all x and y are percent of the plot.

    marks: of everything in the plot. budget: x of a line that names should not cross.
    """
    spots = [(x * WIDTH / 100, y * HEIGHT / 100) for x, y in marks]
    taken: list[Box] = []
    found = []
    for text, x, y in named:
        boxes = [_box(place, text, x, y, WIDTH) for place in _PLACES]
        harm = [_harm(box, spots, taken) + 0.1 * order for order, box in enumerate(boxes)]
        for order, place in enumerate(_PLACES):
            left, top, right, bottom = _box(place, text, x, y, _PHONE)
            harm[order] += _OUTSIDE * (left < 0 or right > _PHONE + _BESIDE or top < 0 or bottom > HEIGHT)
            if budget is not None:
                harm[order] += 0.5 * (boxes[order][0] < budget * WIDTH / 100 < boxes[order][2])
        best = harm.index(min(harm))
        taken.append(boxes[best])
        found.append(_PLACES[best])
    return found


def _box(place: Name, text: str, x: float, y: float, width: float) -> Box:
    """Left, top, right, bottom in pixels of a plot of this width."""
    length = _LETTER * len(text)
    left = x * width / 100 + place.dx - _SHIFT[place.anchor] * length
    top = y * HEIGHT / 100 + place.dy - 10
    return left, top, left + length, top + _LINE


def _harm(box: Box, spots: Sequence[tuple[float, float]], taken: Sequence[Box]) -> float:
    left, top, right, bottom = box
    hidden = sum(left - _PAD < x < right + _PAD and top - _PAD < y < bottom + _PAD for x, y in spots)
    names = sum(left < r and x < right and top < b and y < bottom for x, y, r, b in taken)
    return min(hidden, _HIDDEN) + _NAMES * names
