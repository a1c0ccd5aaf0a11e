"""A picture as data: rectangles, lines, dots and text at places in pixels, which svg.py and canvas.py draw alike.

x runs to the right, y downwards. A colour of None is ink: it follows the text around a picture, also in the dark. Texts
are laid out for a font as wide as DejaVu Sans, so that they fit in narrower ones, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

GLYPH = 0.61  # mean width of a letter of DejaVu Sans over its size
BOLD = 0.67
# Width over size of the letters that differ much from the mean, a little above what DejaVu Sans has.
_WIDTHS = dict.fromkeys(" .,:;|!'iljI/-", 0.36) | dict.fromkeys("()[]ftr", 0.42)
_WIDTHS |= dict.fromkeys("mW%@", 0.98) | dict.fromkeys("Mw+=<>", 0.86) | dict.fromkeys("OQGHDNC", 0.79)
_OTHER = 0.65


@dataclass(frozen=True, slots=True, kw_only=True)
class Rects:
    """Rectangles (x, y, width, height) of one look."""

    boxes: tuple[tuple[float, float, float, float], ...]
    fill: str | None = None
    opacity: float = 1.0
    outline: float = 0.0
    radius: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines (x, y, x, y) of one look; bent ones leave and arrive level."""

    ends: tuple[tuple[float, float, float, float], ...]
    colour: str | None = None
    width: float = 1.0
    opacity: float = 1.0
    bent: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """Dots of one radius in ink."""

    centres: tuple[tuple[float, float], ...]
    radius: float = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line; y is its base line. anchor: 'start', 'middle' or 'end'."""

    x: float
    y: float
    text: str
    size: float = 10.0
    anchor: str = "start"
    bold: bool = False
    quiet: bool = False
    colour: str | None = None

    @property
    def width(self) -> float:
        """What it takes at most, about."""
        return sum(_WIDTHS.get(letter, _OTHER) for letter in self.text) * self.size * (1.12 if self.bold else 1.0)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        left = self.x - self.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        return left, self.y - 0.8 * self.size, left + self.width, self.y + 0.25 * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """A rectangle of many cells, each in one of at most 256 colours: rows from top to bottom, a byte for each cell."""

    x: float
    y: float
    width: float
    height: float
    colours: tuple[str, ...]
    rows: tuple[bytes, ...]


Item: TypeAlias = Rects | Lines | Dots | Text | Raster


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Items in the order in which they are drawn. title and description say the same in words."""

    width: float
    height: float
    title: str
    description: str
    items: tuple[Item, ...]


def moved(item: Item, dx: float, dy: float) -> Item:
    """The item at another place."""
    if isinstance(item, Rects):
        return dataclasses.replace(item, boxes=tuple((x + dx, y + dy, w, h) for x, y, w, h in item.boxes))
    if isinstance(item, Lines):
        ends = tuple((a + dx, b + dy, c + dx, d + dy) for a, b, c, d in item.ends)
        return dataclasses.replace(item, ends=ends)
    if isinstance(item, Dots):
        return dataclasses.replace(item, centres=tuple((x + dx, y + dy) for x, y in item.centres))
    return dataclasses.replace(item, x=item.x + dx, y=item.y + dy)


def beside(scenes: Sequence[Scene], *, gap: float = 24.0) -> Scene:
    """One scene of several, from left to right."""
    items: list[Item] = []
    x = 0.0
    for scene in scenes:
        items += [moved(item, x, 0.0) for item in scene.items]
        x += scene.width + gap
    return Scene(
        width=x - gap,
        height=max(scene.height for scene in scenes),
        title=scenes[0].title,
        description=" ".join(scene.description for scene in scenes),
        items=tuple(items),
    )


def stacked(scenes: Sequence[Scene], *, title: str = "", gap: float = 18.0) -> Scene:
    """One scene of several, one below the other."""
    if len(scenes) == 1:
        return scenes[0]
    items: list[Item] = []
    y = 0.0
    for scene in scenes:
        items += [moved(item, 0.0, y) for item in scene.items]
        y += scene.height + gap
    return Scene(
        width=max(scene.width for scene in scenes),
        height=y - gap,
        title=title or scenes[0].title,
        description=" ".join(f"{scene.title}. {scene.description}" for scene in scenes),
        items=tuple(items),
    )
