"""What is done to a training image, and which part of it a training step sees; for images in memory and in files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from igcnas.errors import IgcnasError
from igcnas.system.bounds import AboveZero, BelowOne, Pad, UpToOne
from igcnas.system.checking import check

DRAWS = 4  # random numbers that a window takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to a training image, and how a validation image is cut.

    crop: 'none'; 'pad': pad `pad` pixels (None: an eighth of the height, 4 for 32) with `fill` ('zero', or the 'mean'
    of each channel) and cut a random window; 'area': a random window with this share of the area (`scale`) and this
    aspect (`ratio`), resized; 'short-side': scale the short side to between these multiples of the crop (`scale`), the
    aspect by `ratio`, and cut a random window. flip: mirror every second image; where the data forbid it (digits) it is
    not done. jitter: brightness, contrast, saturation (a factor of 1 -+ this) and hue (a turn of -+ this). centre: the
    share of the short side that a validation image keeps, for streamed images that are not padded. erase: a square of
    this share of the area, anywhere, becomes the mean colour (cutout: DeVries and Taylor 2017); what of it lies outside
    the image is cut off. 0 for none.
    """

    crop: Literal["none", "pad", "area", "short-side"] = "pad"
    pad: Pad | None = None
    fill: Literal["zero", "mean"] = "zero"
    flip: bool = True
    scale: tuple[AboveZero, AboveZero] = (0.08, 1.0)
    ratio: tuple[AboveZero, AboveZero] = (3 / 4, 4 / 3)
    jitter: tuple[UpToOne, UpToOne, UpToOne, UpToOne] = (0.0, 0.0, 0.0, 0.0)
    centre: AboveZero = 0.875
    erase: BelowOne = 0.0

    def __post_init__(self) -> None:
        check(self)
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if not low <= high:
                raise IgcnasError(f"{name} must be two positive numbers, the smaller first, but is {(low, high)}")
        if self.crop == "area" and self.scale[1] > 1:
            raise IgcnasError(f"scale {self.scale} is a share of the area of an image, at most 1")
        if self.jitter[3] > 0.5:
            raise IgcnasError(f"jitter {self.jitter} must have a hue of at most 0.5, half a turn")


# What a user may ask a search for by name. standard: what every search did before there was a choice. strong: windows
# of other sizes and aspects, colours, and a square of half the side cut out, as small pictures are often trained.
AUGMENTATIONS = {
    "none": Augmentation(crop="none", flip=False),
    "standard": Augmentation(),
    "strong": Augmentation(crop="area", scale=(0.35, 1.0), jitter=(0.3, 0.3, 0.3, 0.05), erase=0.25),
}


def random_window(
    augmentation: Augmentation, width: float, height: float, draws: Sequence[float]
) -> tuple[float, float, float, float]:
    """Left, top, width and height, in pixels, of a window of an image; `draws` are four numbers in [0, 1).

    A window that would be larger than the image is cut to it, which keeps one draw one window.
    """
    low, high = (math.log(ratio) for ratio in augmentation.ratio)
    aspect = math.exp(low + draws[1] * (high - low))
    smallest, largest = augmentation.scale
    size = smallest + draws[0] * (largest - smallest)
    # short-side: the short side has `size` times the length of the window
    side = math.sqrt(width * height * size) if augmentation.crop == "area" else min(width, height) / size
    inner_width = min(width, side * math.sqrt(aspect))
    inner_height = min(height, side / math.sqrt(aspect))
    return draws[2] * (width - inner_width), draws[3] * (height - inner_height), inner_width, inner_height
