"""Pictures of the page: each that networks share is in it once, packed; figures of a section stand as images.

A figure becomes an image with its SVG inside: matplotlib gives the parts of each figure the same ids, which may not
meet on one page, and what is in an image can neither run nor load anything.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from functools import partial

from igcnas.drawing.thumbnails import block_svg, network_svg
from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture


class Library:
    """Every distinct picture once; networks hold their places in `pictures`."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self._places: dict[str, int] = {}

    def blocks(self, architecture: Architecture) -> list[int | str]:
        """Of each stage the place of the picture of its block; what cannot be drawn is in words.

        Stages with the same block as an earlier one, perhaps on other maps, are named behind its picture.
        """
        alike: dict[object, list[int]] = {}
        for number in range(len(architecture.stages)):
            alike.setdefault(_drawn_block(architecture, number), []).append(number)
        found: list[int | str] = []
        for first, *others in alike.values():
            place = self._place(partial(block_svg, architecture, stage=first))
            found.append(_stage(architecture, first) if place is None else place)
            if others:
                found.append(f"{_named(others)} the same block as stage {first + 1}.")
        return found

    def strip(self, architecture: Architecture) -> int | None:
        """The place of the picture of the whole network; None where it cannot be drawn."""
        return self._place(partial(network_svg, architecture))

    def packed(self) -> str:
        """All pictures as a list in JSON, by zlib and base64: pictures of a thousand networks are 15 MB of SVG."""
        return base64.b64encode(zlib.compress(json.dumps(self.pictures).encode())).decode()

    def _place(self, draw: Callable[[], str]) -> int | None:
        try:
            svg = draw()
        except ArchitectureError:
            return None
        place = self._places.setdefault(svg, len(self.pictures))
        if place == len(self.pictures):
            self.pictures.append(svg)
        return place


def _drawn_block(architecture: Architecture, number: int) -> object:
    """What `block_svg` shows of a stage but for the size of its maps: equal for blocks that look alike.

    It shows a block that keeps width and size, or the first and only one. A block that appends is like no other.
    """
    stage = architecture.stages[number]
    if stage.block.grows:
        return number
    into = architecture.stages[number - 1].width if number else architecture.stem_channels
    only = (into, stage.stride) if stage.repeats == 1 and (into, stage.stride) != (stage.width, 1) else None
    return stage.block, stage.width, only


def _named(stages: Sequence[int]) -> str:
    """'Stage 3 has', 'Stages 2, 3 and 4 have'."""
    *some, last = (str(number + 1) for number in stages)
    return f"Stages {', '.join(some)} and {last} have" if some else f"Stage {last} has"


def _stage(architecture: Architecture, number: int) -> str:
    stage = architecture.stages[number]
    blocks = "1 block" if stage.repeats == 1 else f"{stage.repeats} blocks"
    stride = f", the first of stride {stage.stride}" if stage.stride > 1 else ""
    return f"Stage {number + 1}: {blocks} {stage.block.label()}, {stage.width} channels{stride}"


def data_uri(svg: str) -> str:
    """An SVG document as the address of an image."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
