"""What to search with for this data: size of the images, budget, space. Rules of thumb, each said as one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from igcnas.network.cost import count
from igcnas.network.literature import family
from igcnas.search.space import SearchSpace, load_space

if TYPE_CHECKING:
    from igcnas.data.survey import Pictures

_USUAL_SIZE = 64  # pixels: a cost that a microcontroller can bear, and a search that a CPU ends in hours
_PART = 10  # of what MobileNetV2 costs


def image_size(pictures: Pictures) -> tuple[int | None, str]:
    """For --image-size, None where the pictures can be taken as they are; and why."""
    same = pictures.one_size
    if same is not None and max(same) <= _USUAL_SIZE:
        return None, f"all are {same[0]}x{same[1]}: taken as they are"
    short = int(pictures.short_sides[len(pictures.sizes) // 10])
    size = min(_USUAL_SIZE, short // 8 * 8 or short)
    if size == _USUAL_SIZE:
        return size, "the cost grows with its square; take more where what tells the classes apart is small"
    return size, f"a tenth of the pictures has a short side of {short} pixels or less, and enlarging tells nothing new"


def mobilenetv2_macs(shape: tuple[int, int, int], classes: int) -> int:
    """What the published network costs for images of this shape, nearly: it is counted for a square."""
    side = max(1, round(math.sqrt(shape[1] * shape[2])))
    words = {"size": side, "classes": classes, "channels": shape[0]}
    return count(family("mobilenetv2").build(**words)).macs


def budget(shape: tuple[int, int, int], classes: int) -> int:
    """Multiply-accumulates: a tenth of MobileNetV2 is a small network."""
    return mobilenetv2_macs(shape, classes) // _PART


def space_for(name: str, shape: tuple[int, int, int]) -> SearchSpace:
    """The default space under a name of its own, with last maps that suit larger images."""
    whole = load_space("all")
    side = min(shape[1:])
    final_sizes = whole.final_sizes if side <= _USUAL_SIZE else (round(side / 16), round(side / 8))
    return SearchSpace(name=name, families=whole.families, final_sizes=final_sizes)
