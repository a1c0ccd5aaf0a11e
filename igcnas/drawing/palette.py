"""Colours that everybody can tell apart."""

from __future__ import annotations

import numpy as np

# Okabe and Ito's palette without black; from eight partitions on, viridis, in order: both for every colour vision.
_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
GREY = "#8c8c8c"
EMPTY = "#d9d9d9"
WARNING = "#D55E00"
INK = "#333333"
QUIET = "#666666"


def colours(count: int) -> list[str]:
    """Colours of this many partitions, as hex."""
    if count <= len(_PALETTE):
        return list(_PALETTE[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["viridis"](position)) for position in np.linspace(0, 0.97, count)]


def light(colour: str) -> bool:
    """Whether black is easier to read on it than white."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
