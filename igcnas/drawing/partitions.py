"""What the picture of a block says of its inputs and of its layers: partitions, numbers, headings."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.drawing.explanation import Explanation
from igcnas.drawing.flow import Moving
from igcnas.network.primitives import Convolution
from igcnas.units import counted


def input_partitions(block: Explanation, moving: Sequence[Moving]) -> tuple[list[int] | None, int]:
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


def numbers_of(layers: Sequence[Moving], in_channels: int) -> list[tuple[int, ...]]:
    """Before, between and behind the layers, for each position the number of its channel.

    Permutations move numbers; a convolution that changes the width, or stands behind copies, gives new ones.
    """
    numbers = tuple(range(in_channels))
    found = [numbers]
    for layer in layers:
        if not isinstance(layer, Convolution):
            numbers = tuple(numbers[index] for index in layer.indices)
        elif layer.in_channels != layer.out_channels or len(set(numbers)) < len(numbers):
            numbers = tuple(range(layer.out_channels))
        found.append(numbers)
    return found


def heading(layer: Moving, block: Explanation) -> tuple[str, ...]:
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
