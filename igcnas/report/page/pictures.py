"""Pictures of the page: each block that networks share is in it once; figures of a section stand as images.

A figure becomes an image with its SVG inside: matplotlib gives the parts of each figure the same ids, which may not
meet on one page, and what is in an image can neither run nor load anything.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import groupby

import igcnas.drawing
from igcnas.architecture import Architecture
from igcnas.errors import ArchitectureError

Draw = Callable[..., str]


class Library:
    """Every distinct picture once; networks hold their places in `pictures`."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self._places: dict[str, int] = {}

    def blocks(self, architecture: Architecture) -> list[tuple[list[str], int | None]]:
        """Stages in words with the place of the picture of their block; neighbours with one picture share it."""
        numbers = range(len(architecture.stages))
        places = [self._place("block_svg", architecture, stage=number) for number in numbers]
        return [
            ([_stage(architecture, number) for number in several], place)
            for place, several in groupby(numbers, key=places.__getitem__)
        ]

    def strip(self, architecture: Architecture) -> int | None:
        """The place of the picture of the whole network."""
        return self._place("network_svg", architecture)

    def _place(self, name: str, architecture: Architecture, **options: int) -> int | None:
        """None where it cannot be drawn: the words beside it then have to do."""
        draw: Draw | None = getattr(igcnas.drawing, name, None)
        if draw is None:
            return None
        try:
            svg = draw(architecture, **options)
        except ArchitectureError:
            return None
        place = self._places.setdefault(svg, len(self.pictures))
        if place == len(self.pictures):
            self.pictures.append(svg)
        return place


def _stage(architecture: Architecture, number: int) -> str:
    stage = architecture.stages[number]
    blocks = "1 block" if stage.repeats == 1 else f"{stage.repeats} blocks"
    stride = f", the first of stride {stage.stride}" if stage.stride > 1 else ""
    return f"Stage {number + 1}: {blocks} {stage.block.label()}, {stage.width} channels{stride}"


def data_uri(svg: str) -> str:
    """An SVG document as the address of an image."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
