"""What a network answers to the images of one split. No torch: a report shows what was kept of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mistake:
    """An image that was answered wrongly. position: in its split, from 0. share: of its answer, softmax of the logits.

    pixels: uint8 (height, width, channels). file: its file and the folder that has it, "" where it is from none.
    """

    position: int
    label: int
    answer: int
    share: float
    pixels: NDArray[np.uint8] = field(metadata={"plain": False})
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Logits (n, classes) of n images and their labels (n,); mistakes: the surest first."""

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]
