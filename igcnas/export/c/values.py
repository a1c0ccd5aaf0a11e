"""Values of a program as lists of planes, so that an order of channels, or one value behind another, is never a copy.

A plane is one channel of one image. A buffer is a row of planes that one operation writes; a value is a list of planes
of one or several buffers, in the order of its channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from igcnas.network.primitives import Size

WIDEST = 16  # numbers of a vector: the widest that the kernels are compiled for
_CROWDED = 128  # numbers; planes that are whole multiples of it fall into few sets of a cache


class Plane(NamedTuple):
    """One channel of a buffer."""

    buffer: int
    channel: int


Value: TypeAlias = tuple[Plane, ...]


class Buffer(NamedTuple):
    """Planes that lie one behind another. vector: each is one number, and no kernel reads it by vectors of pixels."""

    planes: int
    size: Size
    vector: bool = False

    @property
    def spacing(self) -> int:
        """Numbers from one plane to the next."""
        return 1 if self.vector else spacing(self.size)

    @property
    def numbers(self) -> int:
        """All of it; after a vector as many free ones as the widest register reads too far."""
        return self.planes * self.spacing


def spacing(size: Size) -> int:
    """Numbers of a plane in the arena: whole vectors, and not a power of two, which would crowd one set of a cache.

    >>> [spacing((side, side)) for side in (1, 4, 7, 8, 32)]
    [16, 16, 64, 64, 1040]
    """
    pixels = _up(size[0] * size[1], WIDEST)
    return pixels + WIDEST if pixels % _CROWDED == 0 else pixels


def planes(buffer: int, count: int) -> Value:
    """All planes of a buffer in order."""
    return tuple(Plane(buffer, channel) for channel in range(count))


def buffers(value: Iterable[Plane]) -> set[int]:
    """In which a value lies."""
    return {plane.buffer for plane in value}


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
