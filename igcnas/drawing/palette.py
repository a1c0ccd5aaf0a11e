"""The colours of every picture and figure: those that everybody can tell apart, and greys."""

from __future__ import annotations

import numpy as np

# Okabe and Ito's palette without black: told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW = COLOURS
# Viridis (van der Walt, Smith, 2015) at seventeen places; between them it is close to straight.
_VIRIDIS = (
    *("#440154", "#48186a", "#472d7b", "#424086", "#3b528b", "#33638d", "#2c728e", "#26828e", "#21918c"),
    *("#1fa088", "#28ae80", "#3fbc73", "#5ec962", "#84d44b", "#addc30", "#d8e219", "#fde725"),
)
WARNING = VERMILION
# From dark to light: text, words beside the point, what is of second rank, what is empty, grids, bands.
INK, QUIET, GREY, EMPTY, LINE, PALE = "#333333", "#666666", "#8c8c8c", "#d9d9d9", "#dddddd", "#eeeeee"


def colours(count: int) -> list[str]:
    """This many colours, as hex, from eight on of viridis; without matplotlib, which small pictures do not load."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    anchors = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in _VIRIDIS])
    places = np.linspace(0, 0.97, count) * (len(_VIRIDIS) - 1)
    channels = [np.interp(places, range(len(_VIRIDIS)), anchors[:, channel]) for channel in range(3)]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(np.stack(channels, 1)).astype(int)]


def blended(first: str, second: str, share: float) -> str:
    """A colour between two.

    >>> blended("#000000", "#ff8000", 0.5)
    '#804000'
    """
    pairs = [(int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(one + share * (two - one)):02x}" for one, two in pairs)


def light(colour: str) -> bool:
    """Whether black is easier to read on it than white."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
