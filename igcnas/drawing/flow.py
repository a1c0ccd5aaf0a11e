"""Who reaches whom through convolutions and permutations, without matrices: one integer for each channel.

As bits of the inputs that have reached a channel, joined by OR, or as the number of paths that end in it, added up. So
a block of hundreds of channels takes a millisecond or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TypeAlias

from igcnas.drawing.explanation import Explanation
from igcnas.network.primitives import Convolution, Gather, Permutation

Moving: TypeAlias = Convolution | Permutation | Gather


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Pairs (output, input) of channels, how many of them meet, and the paths of all pairs together."""

    pairs: int
    meeting: int
    paths: int

    @property
    def condition(self) -> str:
        """As `igcnas.network.paths.PathSummary.condition`: 'strict', 'loose' or 'incomplete'."""
        if self.meeting < self.pairs:
            return "incomplete"
        return "strict" if self.paths == self.pairs else "loose"


def union(values: Iterable[int]) -> int:
    """Bits that are in one of them."""
    return reduce(or_, values, 0)


def flow(
    layers: Sequence[Moving], block: Explanation, start: Sequence[int], combine: Callable[[Iterable[int]], int]
) -> list[list[int] | None]:
    """The integer of each channel before, between and behind the layers; None from where training has not decided."""
    values: list[int] | None = list(start)
    found = [values]
    for layer in layers:
        values = None if values is None else _through(layer, block, values, combine)
        found.append(values)
    return found


def _through(
    layer: Moving, block: Explanation, values: list[int], combine: Callable[[Iterable[int]], int]
) -> list[int] | None:
    if not isinstance(layer, Convolution):
        return [values[index] for index in layer.indices]
    mask = block.masks.get(layer.name)
    if layer.learned is not None and mask is None:
        return None
    if mask is not None:
        rows = {row: combine(value for value, live in zip(values, row, strict=True) if live) for row in set(mask)}
        return [rows[row] for row in mask]
    if layer.groups == layer.in_channels == layer.out_channels:
        return values
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    through: list[int] = []
    for first in range(0, layer.in_channels, inputs):
        through += [combine(values[first : first + inputs])] * outputs
    return through


def reach(layers: Sequence[Moving], block: Explanation) -> Reach | None:
    """Who meets whom through the layers; None where training or the image has yet to decide."""
    if undecided(layers, block):
        return None
    inputs = block.in_channels
    met = flow(layers, block, [1 << channel for channel in range(inputs)], union)[-1]
    paths = flow(layers, block, [1] * inputs, sum)[-1]
    assert met is not None
    assert paths is not None
    counted = {bits: bits.bit_count() for bits in set(met)}
    return Reach(pairs=inputs * len(met), meeting=sum(counted[bits] for bits in met), paths=sum(paths))


def undecided(layers: Sequence[Moving], block: Explanation) -> str:
    """Who has yet to decide about a learned layer: 'image' where each does, 'training', or '' for nobody."""
    learned = [layer for layer in layers if isinstance(layer, Convolution) and layer.learned is not None]
    if any(layer.learned is not None and layer.learned.chooses_per_image for layer in learned):
        return "image"
    return "training" if any(layer.name not in block.masks for layer in learned) else ""
