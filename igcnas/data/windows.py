"""Random windows of an image: which part of it a training step sees; for images in memory and in files."""

from __future__ import annotations

import math
from collections.abc import Sequence

from igcnas.recipes import Augmentation

DRAWS = 4  # random numbers that a window takes


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
