"""What the named networks share: image sizes, strides that fit small images, widths, the rule of depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from igcnas.system.bounds import CHANNELS, MULTIPLIER
from igcnas.system.checks import require, require_positive, shown

_MIN_FINAL_SIZE = 4
_LONGEST = 200  # characters of numbers joined by dashes
DATASETS = ("cifar", "imagenet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What the networks are built for: square images of `size` pixels with `channels` channels, `classes` classes."""

    size: int
    channels: int
    classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return (self.channels, self.size, self.size)


def images(dataset: str, *, size: int | None, channels: int, classes: int | None) -> Images:
    """The images of a data set, 32x32 with 10 classes or 224x224 with 1000, where nothing else is asked for."""
    require_choice(dataset=(dataset, DATASETS))
    imagenet = dataset == "imagenet"
    found = Images(
        size=size if size is not None else (224 if imagenet else 32),
        channels=channels,
        classes=classes if classes is not None else (1000 if imagenet else 10),
    )
    require_positive(size=found.size, channels=found.channels, classes=found.classes)
    return found


def require_choice(**values: tuple[str, tuple[str, ...]]) -> None:
    """Each value, given with its choices, must be one of them."""
    for name, (value, choices) in values.items():
        require(value in choices, f"{name} must be one of {choices}, but is {shown(value)}")


def fit_strides(strides: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Strides that leave a map of 4x4 or more: the later ones become 1 on images smaller than the paper's.

    >>> fit_strides((1, 2, 2), 32), fit_strides((1, 2, 2), 8)
    ((1, 2, 2), (1, 2, 1))
    """
    fitted = []
    for stride in strides:
        kept = stride if -(-size // stride) >= _MIN_FINAL_SIZE else 1
        size = -(-size // kept)
        fitted.append(kept)
    return tuple(fitted)


def scale(channels: int, width: float, multiple: int = 1) -> int:
    """channels * width, cut down to a multiple, at least one multiple.

    >>> scale(24, 0.7), scale(24, 0.7, 2), scale(24, 0.01, 2)
    (16, 16, 2)
    """
    return max(int(channels * width) // multiple, 1) * multiple


def require_width(width: float) -> None:
    """A multiplier of widths is a positive, finite number."""
    require(0 < width < math.inf, f"width must be positive and finite, but is {width}")
    require(width <= MULTIPLIER, f"width must be at most {MULTIPLIER:g}, but is {width:g}")


def blocks_of_depth(depth: int, *, units: int) -> int:
    """Blocks in each of three stages: depth = 2 + 3 * units * blocks (He et al., CVPR 2016)."""
    require_positive(depth=depth)
    blocks, rest = divmod(depth - 2, 3 * units)
    require(rest == 0 and blocks >= 1, f"depth must be 2 plus a multiple of {3 * units}, as in 20, but is {depth}")
    return blocks


def numbers(text: str, *, name: str, count: int | None = None, example: str) -> tuple[int, ...]:
    """Positive numbers joined by dashes, as in 4-6-8-10-8."""
    words = text.split("-")
    valid = len(text) <= _LONGEST and all(word.isascii() and word.isdecimal() and int(word) > 0 for word in words)
    how_many = "seven positive numbers" if count == 7 else "positive numbers joined by dashes"
    require(
        valid and (count is None or len(words) == count),
        f"{name}={shown(text)}: {how_many} are expected, as in {example}",
    )
    found = tuple(map(int, words))
    require(sum(found) <= CHANNELS, f"{name}={shown(text)}: that is more than {CHANNELS:,} together")
    return found
