"""How block types look in every figure: a colour and a marker each, alike everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from igcnas.drawing.palette import COLOURS

# In print the markers tell them apart.
MARKERS = ("o", "s", "^", "v", "P", "X", "D")


# A block type has the same look in every figure; those of users' own spaces follow.
_FAMILIES = (
    "igcv1",
    "igcv1 (learned)",
    "igcv3",
    "igcv3 (learned)",
    "mobilenetv2",
    "resnet",
    "igcv2",
    "resnext",
    "resnext (learned)",
    "msgc",
    "msgc-mobilenetv2",
    "condensenet",
)


def looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker (matplotlib's letter) of block types, in the order of their names as given."""
    shown = list(dict.fromkeys(names))
    known = [*_FAMILIES, *(name for name in shown if name not in _FAMILIES)]
    return {name: _look(known.index(name)) for name in shown}


def _look(position: int) -> tuple[str, str]:
    """Where the colours begin again, they meet other markers."""
    turn, place = divmod(position, len(COLOURS))
    return COLOURS[place], MARKERS[(place + turn) % len(MARKERS)]
