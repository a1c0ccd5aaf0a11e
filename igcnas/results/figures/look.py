"""How networks are told apart in every figure: block types by a colour and a marker each, alike everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from igcnas.drawing.palette import COLOURS
from igcnas.units import mega

# In print the markers tell them apart: no two of the families have one marker.
MARKERS = ("o", "s", "^", "v", "P", "X", "D", "<", ">", "p", "h", "d")

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
    """Where colours or markers begin again, they do not meet as before."""
    return COLOURS[position % len(COLOURS)], MARKERS[position % len(MARKERS)]


def told_apart(names: Sequence[str], macs: Sequence[int]) -> list[str]:
    """Names of networks in one figure; where several have one name, with what each costs.

    >>> told_apart(["ResNet-20", "IGCV1", "ResNet-20"], [100_000, 50_000, 50_000])
    ['ResNet-20, 0.1 MFLOPs', 'IGCV1', 'ResNet-20, 0.05 MFLOPs']
    """
    times = Counter(names)
    return [f"{name}, {mega(cost)} MFLOPs" if times[name] > 1 else name for name, cost in zip(names, macs, strict=True)]
