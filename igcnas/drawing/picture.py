"""What the picture of a block shows, as numbers: columns of channels, links between them, and path counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.drawing.explanation import Explanation
from igcnas.network.paths import connections
from igcnas.network.primitives import Convolution, Gather, Permutation
from igcnas.units import counted

# Beyond these a drawing of each channel and weight is a hairball.
_MOST_BOXES = 48
_MOST_LINKS = 900
_MOST_COLOURS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Channels at one place of the block. `colours[i]`: the partitions of the input that have reached channel i.

    `frames`: runs (first, last) of neighbours that are one partition of the layer before or after; none for single
    channels or the whole. `numbers[i]`: the number of the channel here, which permutations move; a convolution that
    changes the width gives new ones.
    """

    colours: tuple[tuple[int, ...], ...]
    frames: tuple[tuple[int, int], ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What stands between two columns. links: (from, to), the colour of a partition or None."""

    kind: str
    heading: tuple[str, ...]
    links: tuple[tuple[int, int, int | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPicture:
    """A block as columns of channels with steps between them, and its matrix of path counts (out, in).

    `detailed`: few enough channels and weights to draw each; else columns are strips, and no links are computed.
    `of_inputs`: colours are
    partitions of the input; else, where inputs have none, groups of filters.
    """

    title: str
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    partitions: int
    counts: NDArray[np.int64]
    detailed: bool
    of_inputs: bool


def compute_block(block: Explanation) -> BlockPicture:
    """What the picture of a block shows."""
    moving = [layer for layer in block.primitives if isinstance(layer, Convolution | Permutation | Gather)]
    of_input, partitions = input_partitions(block, moving)
    reached = np.zeros((block.in_channels, partitions), dtype=bool)
    if of_input is not None:
        reached[range(block.in_channels), of_input] = True
    numbers = tuple(range(block.in_channels))
    columns = [Column(colours=_sets(reached), frames=_frames(None, moving[:1], block), numbers=numbers)]
    detailed = _small(moving, partitions)
    steps = []
    for position, layer in enumerate(moving):
        matrix = _matrix(layer, block, len(reached))
        before, reached = reached, matrix.astype(np.float32) @ reached.astype(np.float32) > 0
        if isinstance(layer, Convolution):
            if of_input is None and layer.name in block.groups:
                reached[range(layer.out_channels), block.groups[layer.name][1]] = True
            if layer.in_channels != layer.out_channels or len(set(numbers)) < len(numbers):  # copies part
                numbers = tuple(range(layer.out_channels))
        else:
            numbers = tuple(numbers[index] for index in layer.indices)
        links: tuple[tuple[int, int, int | None], ...] = ()
        if detailed:
            paint = [_one(row) for row in (reached if of_input is None else before)]
            pairs = [(int(i), int(o)) for o, i in np.argwhere(matrix)]
            links = tuple((i, o, paint[o if of_input is None else i]) for i, o in pairs)
        frames = _frames(layer, moving[position + 1 : position + 2], block)
        columns.append(Column(colours=_sets(reached), frames=frames, numbers=numbers))
        steps.append(Step(kind=type(layer).__name__.lower(), heading=heading(layer, block), links=links))
    return BlockPicture(
        title=block.title,
        columns=tuple(columns),
        steps=tuple(steps),
        partitions=partitions,
        counts=block.counts(),
        detailed=detailed,
        of_inputs=of_input is not None,
    )


def _small(moving: Sequence[Convolution | Permutation | Gather], partitions: int) -> bool:
    """Whether each channel and weight can be drawn."""
    convolutions = [layer for layer in moving if isinstance(layer, Convolution)]
    return (
        max(max(layer.in_channels, layer.out_channels) for layer in convolutions) <= _MOST_BOXES
        and max(layer.connections for layer in convolutions) <= _MOST_LINKS
        and partitions <= _MOST_COLOURS
    )


def _matrix(layer: Convolution | Permutation | Gather, block: Explanation, inputs: int) -> NDArray[np.bool_]:
    """Whether a link goes to each output (row) from each input (column)."""
    if not isinstance(layer, Convolution):
        return np.eye(inputs, dtype=bool)[list(layer.indices)]
    return np.asarray(block.masks.get(layer.name, connections(layer)), dtype=bool)


def input_partitions(
    block: Explanation, moving: Sequence[Convolution | Permutation | Gather]
) -> tuple[list[int] | None, int]:
    """The partition of each input channel, None where inputs have none; and how many partitions there are.

    Those of the first convolution that mixes but not everything; of a depthwise one if there is no other.
    """
    place = list(range(block.in_channels))  # which input lies where, as long as nothing mixes
    fallback: tuple[list[int] | None, int] = ([0] * block.in_channels, 1)
    for layer in moving:
        if not isinstance(layer, Convolution):
            place = [place[index] for index in layer.indices]
            continue
        if layer.name in block.groups:
            inputs, filters = block.groups[layer.name]
            return (None if inputs is None else list(inputs)), max(*(inputs or (0,)), *filters) + 1
        of_input = [0] * block.in_channels
        for position, channel in enumerate(place):
            of_input[channel] = position // (layer.in_channels // layer.groups)
        if layer.groups > 1 and not layer.groups == layer.in_channels == layer.out_channels:
            names = sorted(set(of_input))  # of copies of one channel the last counts, and not every group has an input
            return [names.index(name) for name in of_input], len(names)
        if layer.groups == 1:
            return fallback
        fallback = of_input, layer.groups
    return fallback


def _sets(reached: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(p) for p in np.flatnonzero(row)) for row in reached)


def _one(row: NDArray[np.bool_]) -> int | None:
    """The only partition of a row; None for several."""
    members = np.flatnonzero(row)
    return int(members[0]) if len(members) == 1 else None


def _frames(
    before: Convolution | Permutation | Gather | None,
    after: Sequence[Convolution | Permutation | Gather],
    block: Explanation,
) -> tuple[tuple[int, int], ...]:
    """Partitions of the convolution that follows, else of the one before; of neighbours, so not of learned ones."""
    for layer, side in ((after[0] if after else None, "in_channels"), (before, "out_channels")):
        if not isinstance(layer, Convolution) or layer.name in block.groups:
            continue
        channels = getattr(layer, side)
        size = channels // layer.groups
        if layer.groups > 1 and size > 1:
            return tuple((first, first + size - 1) for first in range(0, channels, size))
    return ()


def heading(layer: Convolution | Permutation | Gather, block: Explanation) -> tuple[str, ...]:
    """Up to three short lines over a step."""
    caption = tuple(block.captions.get(layer.name, "").split(": ", 1)) if layer.name in block.captions else ()
    if not isinstance(layer, Convolution):
        if caption:
            return caption
        back = all(kind not in layer.name for kind in ("restore", "deinterleave", "permute_back"))
        return ("permutation" if back else "permutation back",)
    area = f"{layer.kernel}x{layer.kernel}"
    groups = f"{area}, {counted(layer.groups, 'group')}" if layer.learned is None else area
    if layer.learned is None and layer.groups == 1:
        groups = f"{area}, dense"
    elif layer.learned is None and layer.groups == layer.in_channels == layer.out_channels:
        groups = f"{area}, each channel alone"
    return (*caption, groups)
